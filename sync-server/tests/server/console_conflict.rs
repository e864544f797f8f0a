//! The ways out of a conflict that choose none of its values: keeping both, sending it back, and a third value.

use fieldseal_proof::operation::Operation;
use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::console::location;
use crate::console_sign::{DECIDE, INSPECTION, Supervisor, agency, attribute};
use crate::console_work::rows;
use crate::world::*;

const PATH: &str = "check/r4/result";

/// The case as a supervisor's own machine is told it.
async fn folded(world: &World, laptop: &Device) -> Json {
    // What was signed is folded once the feed has it.
    world.feed(laptop, &mut String::new()).await;
    let path = format!("/v1/cases/{}", case(5));
    let (status, view) = world.json(world.ask(Method::GET, &path, &laptop.token)).await;
    assert_eq!(status, 200, "{view}");
    view
}

/// The values that stand at a path of the folded case.
fn values(view: &Json, ending: &str) -> Vec<Json> {
    let fields = view["fields"].as_array().unwrap();
    let field = fields
        .iter()
        .find(|field| field["path"].as_str().unwrap().ends_with(ending));
    let field = field.unwrap_or_else(|| panic!("no {ending} in {view}"));
    let mut all: Vec<Json> = field["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| held["value"].clone())
        .collect();
    all.sort_by_key(Json::to_string);
    all
}

async fn kinds(world: &World, reader: &Device) -> Vec<String> {
    let all: Vec<Operation> = world
        .feed(reader, &mut String::new())
        .await
        .into_iter()
        .map(|(_, one)| one)
        .collect();
    all.iter().map(|one| one.header().kind.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keeping_both_writes_nothing_sending_back_keeps_the_conflict_and_a_third_value_ends_it() {
    let (mut world, tablets, laptop) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let both = [json!("ok"), json!("violation")];
    let (_, page) = zhou.browser.get(DECIDE).await;
    for words in [
        "都保留，暂不决定",
        "决定只能写入一个值，所以此项没有可签名的内容",
        "退回补充",
        "平板下次联网时显示理由和事项",
        "都不采用，另行填写",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains(" checked"), "nothing is chosen beforehand: {page}");
    let field = page
        .split("<h1>意见不一：")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    let inspection = attribute(&page, "name=\"inspection\" value=\"");
    assert_eq!(inspection, INSPECTION.to_string());
    let (of, seen) = (case(5).to_string(), attribute(&page, "name=\"seen\" value=\""));
    let form = |choice: &'static str, reason: &'static str, other: &'static str| {
        [
            ("case", of.clone()),
            ("path", PATH.to_owned()),
            ("seen", seen.clone()),
            ("choice", choice.to_owned()),
            ("other", other.to_owned()),
            ("inspection", inspection.clone()),
            ("reason", reason.to_owned()),
        ]
    };
    fn pairs<'a>(form: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
        form.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    // Both stay: said on the page, and nothing is prepared, signed or written.
    let before = kinds(&world, &laptop).await;
    let stays = zhou
        .browser
        .post("/console/act/decide", &pairs(&form("both", "等照片", "")))
        .await;
    assert_eq!(stays.status(), StatusCode::OK);
    let stays = stays.text().await.unwrap();
    assert!(stays.contains("两个值都保留着，没有写入，也无须签名"), "{stays}");
    assert!(
        stays.contains("value=\"both\" required checked") && stays.contains("等照片"),
        "{stays}"
    );
    assert_eq!(kinds(&world, &laptop).await, before);
    let view = folded(&world, &laptop).await;
    assert_eq!(
        (&view["conflicts"], values(&view, PATH)),
        (&json!([PATH]), both.to_vec())
    );
    let (_, list) = zhou.browser.get("/console/worklist/conflicts").await;
    assert_eq!(rows(&list).len(), 1, "it waits on: {list}");

    // Sending back takes a reason and a signature. The field in question is what is to be put right.
    let silent = zhou
        .browser
        .post("/console/act/decide", &pairs(&form("back", " ", "")))
        .await;
    assert_eq!(silent.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let back = zhou
        .prepare("/console/act/decide", &pairs(&form("back", "请核对照片后再答", "")))
        .await;
    let (_, confirm) = zhou.browser.get(&back).await;
    for words in ["签名并退回", "请核对照片后再答", &field, "已有记录不变"] {
        assert!(confirm.contains(words), "{words}: {confirm}");
    }
    let unsigned = folded(&world, &laptop).await;
    assert_eq!(
        unsigned["summary"]["stage"], "in_progress",
        "nothing is written before the signature"
    );
    let done = zhou.sign(&back).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(
        location(&done).starts_with(&format!("/console/cases/{of}?done=")),
        "{}",
        location(&done)
    );
    let view = folded(&world, &laptop).await;
    assert_eq!(view["summary"]["stage"], "returned");
    assert_eq!(values(&view, "/reason"), [json!("请核对照片后再答")]);
    assert_eq!(values(&view, "/items"), [json!([field])]);
    assert_eq!(
        values(&view, "/inspection"),
        [json!({ "bytes": hex::encode(INSPECTION.as_bytes()) })]
    );
    // The conflict is as it was: two values, and what depends on it still waits.
    assert_eq!(
        (&view["conflicts"], values(&view, PATH)),
        (&json!([PATH]), both.to_vec())
    );
    for (list, count) in [("conflicts", 1), ("returns", 1)] {
        let (_, page) = zhou.browser.get(&format!("/console/worklist/{list}")).await;
        assert_eq!(rows(&page).len(), count, "{list}: {page}");
    }
    for tablet in &tablets {
        let heard = kinds(&world, tablet).await;
        assert!(heard.iter().any(|kind| kind == "inspection.return"), "{heard:?}");
    }

    // Neither of the two, but a third: it is the one value then, and the conflict is over.
    let empty = zhou
        .browser
        .post("/console/act/decide", &pairs(&form("other", "现场再看过", " ")))
        .await;
    assert_eq!(empty.status(), StatusCode::UNPROCESSABLE_ENTITY, "another value is one");
    let third = form("other", "现场再看过", "not_applicable");
    assert_eq!(
        zhou.act("/console/act/decide", &pairs(&third)).await.status(),
        StatusCode::SEE_OTHER
    );
    let view = folded(&world, &laptop).await;
    assert_eq!(
        (&view["conflicts"], values(&view, PATH)),
        (&json!([]), vec![json!("not_applicable")])
    );
    let (_, settled) = zhou.browser.get(DECIDE).await;
    assert!(
        settled.contains("这一项已经决定") && !settled.contains("name=\"choice\""),
        "{settled}"
    );
    world.fsck();
}
