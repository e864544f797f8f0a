//! What the console says of documents while people sign them on a tablet.

use std::fs;

use fieldseal_demo::story::cast::TABLETS;
use fieldseal_demo::story::console;
use fieldseal_demo::story::field::strokes;
use fieldseal_tests::world::{A, World, text, told, until};
use serde_json::Value;

use crate::papers::{document, ready};
use crate::stays::Browser;

/// The part of a documents page that is about one document.
fn part(page: &str, document: &Value) -> String {
    let begin = format!("id=\"d-{}\">", text(&document["id"]));
    let rest = page.split(&begin).nth(1);
    let rest = rest.unwrap_or_else(|| panic!("no {begin} in:\n{page}"));
    rest.split("</article>").next().unwrap().to_owned()
}

#[test]
fn a_document_is_called_what_its_signatures_prove() {
    let world = World::new("e2e-desk", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let people = told(console::open(&world.stage));
    let supervisor = people.iter().find(|one| one.role == "supervisor").unwrap();
    let folder = world.at("browser");
    fs::create_dir(&folder).unwrap();
    let browser = Browser {
        folder: &folder,
        certificate: world.arg("server/keys/tls.crt"),
        url: format!("https://{}", world.stage.server_at()),
    };
    let entered = browser.sign_in(supervisor.user, &supervisor.password);
    assert!(entered.starts_with("303"), "{entered}");
    let path = format!("/console/cases/{case}/documents");
    let zh = ["--header", "Accept-Language: zh-CN"];
    // The server folds after it has received, so the page may have to be asked again.
    let shows = |document: &Value, words: &str| {
        world.drain(A);
        until(words, || {
            let (status, page) = browser.ask(&path, &zh);
            assert!(status.starts_with("200"), "{status}: {page}");
            let begin = format!("id=\"d-{}\">", text(&document["id"]));
            (page.contains(&begin) && part(&page, document).contains(words)).then(|| part(&page, document))
        })
    };
    let state = |shown: &str| {
        let heading = shown.split("</h2>").next().unwrap();
        let word = heading.rsplit("<bdi>").next().unwrap();
        word.split("</bdi>").next().unwrap().to_owned()
    };
    ready(&world, A, &inspection);
    let pen = world.arg("strokes.json");
    fs::write(&pen, strokes().to_string()).unwrap();
    let record = document(&world, A, &inspection, "inspection_record");
    let shown = shows(&record, "待签名（缺：");
    for who in ["执法人员", "第二名执法人员", "现场负责人"] {
        assert!(state(&shown).contains(who), "{who}: {shown}");
    }

    // On paper and with their keys: two officers, and the site manager on paper.
    let [first, second] = TABLETS[A].officers;
    let dir = world.tablet(A).display().to_string();
    let officers_sign = |document: &Value| {
        for (role, officer) in [("officer", first), ("second_officer", second)] {
            let id = text(&document["id"]);
            let words = ["sign", &id, "--role", role, "--name", officer.name, "--strokes", &pen];
            world.officer(A, &words).ok();
            let operation = text(&document["operation"]);
            let at = ["--dir", &dir, "--officer", officer.certificate];
            let words = [&["device", "attest", &operation][..], &at].concat();
            world.fieldseal(officer.pin, &words).ok();
        }
    };
    officers_sign(&record);
    assert_eq!(
        state(&shows(&record, "待签名（缺：现场负责人）")),
        "待签名（缺：现场负责人）"
    );
    let id = text(&record["id"]);
    let words = [
        "sign",
        &id,
        "--role",
        "responsible",
        "--name",
        "钱守业",
        "--strokes",
        &pen,
    ];
    world.officer(A, &words).ok();
    assert_eq!(state(&shows(&record, "<bdi>已签名</bdi>")), "已签名");

    // Whoever refuses did not sign; with the witness signing is over all the same.
    let order = document(&world, A, &inspection, "rectification_order");
    officers_sign(&order);
    let id = text(&order["id"]);
    let refusal = [
        "refuse",
        &id,
        "--role",
        "responsible",
        "--reason",
        "对内容有异议",
        "--witness",
        "社区 吴桐",
    ];
    world.officer(A, &refusal).ok();
    let over = "签名已毕（拒绝签名：现场负责人）";
    assert_eq!(state(&shows(&order, over)), over);

    // A later one of its kind is a fact that is shown. That it corrects, or that anything was served, nothing proves.
    let later = document(&world, A, &inspection, "rectification_order");
    let shown = shows(&order, "又制作了同种文书");
    let link = format!(
        "<a href=\"#d-{}\"><bdi class=\"doc-no\" lang=\"zh-CN\">{}</bdi></a>",
        text(&later["id"]),
        text(&later["number"])
    );
    assert!(shown.contains(&link), "{link}: {shown}");
    assert_eq!(state(&shown), over, "its own state is as it was");
    let (_, page) = browser.ask(&path, &zh);
    assert!(!part(&page, &later).contains("又制作了同种文书") && !part(&page, &record).contains("又制作了同种文书"));
    for word in ["<bdi>已送达", "<bdi>已被更正", "<bdi>草稿"] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    assert!(page.contains("草稿只在平板上"), "{page}");
}
