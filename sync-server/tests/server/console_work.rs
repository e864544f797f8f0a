//! The work lists: what stands in each, and lists that are longer than a page.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::OpId;
use reqwest::Method;

use crate::console::{Browser, PASSWORD, account};
use crate::console_sign::{INSPECTION, Supervisor, agency};
use crate::world::*;

/// The rows of a list, each as its text without markup.
pub fn rows(page: &str) -> Vec<String> {
    let body = page
        .split("<tbody>")
        .nth(1)
        .and_then(|rest| rest.split("</tbody>").next())
        .unwrap_or_default();
    body.split("<tr data-row>").skip(1).map(plain).collect()
}

/// Text without markup, each space once.
pub fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            _ if !inside => text.push(letter),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The count in a tab.
fn count(page: &str, list: &str) -> String {
    let tab = page
        .split(&format!("href=\"/console/worklist/{list}\""))
        .nth(1)
        .unwrap();
    plain(tab.split("</li>").next().unwrap().split("count\"").nth(1).unwrap())
        .trim_start_matches('>')
        .trim()
        .to_owned()
}

fn order(n: u8, due: &str) -> Vec<(String, Value)> {
    let at = |field: &str| {
        let order = format!("{n:02x}").repeat(16);
        let id = format!(
            "{}-{}-{}-{}-{}",
            &order[..8],
            &order[8..12],
            &order[12..16],
            &order[16..20],
            &order[20..]
        );
        format!("order/{id}/item/{id}/{field}")
    };
    vec![(at("due"), Value::text(due)), (at("text"), Value::text("清理安全出口"))]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overdue_list_names_case_term_and_days_and_the_oldest_comes_first() {
    let (mut world, [mut tablet, _], laptop) = agency().await;
    let other = vec![
        ("inspection/title".to_owned(), Value::text("第二次检查")),
        ("party/name".to_owned(), Value::text("红星五金厂")),
    ];
    let frames = [
        tablet
            .write("order.draft", Some(case(5)), order(0x5e, "2020-02-29"))
            .frame(),
        tablet.write("inspection.begin", Some(case(6)), other).frame(),
        tablet
            .write("order.draft", Some(case(6)), order(0x6e, "2020-01-31"))
            .frame(),
        // A term that is still to come is no reason to be here.
        tablet
            .write(
                "inspection.begin",
                Some(case(7)),
                vec![("party/name".to_owned(), Value::text("按期整改的企业"))],
            )
            .frame(),
        tablet
            .write("order.draft", Some(case(7)), order(0x7e, "2999-01-31"))
            .frame(),
    ];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (_, page) = zhou.browser.get("/console/worklist/overdue").await;
    let found = rows(&page);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(count(&page, "overdue"), "2");
    for (row, words) in found
        .iter()
        .zip([["红星五金厂", "2020-01-31"], ["有限公司", "2020-02-29"]])
    {
        for word in words {
            assert!(row.contains(word), "{word}: {row}");
        }
        assert!(
            row.contains("整改期限已超过") && row.contains("安排复查或延期"),
            "{row}"
        );
    }
    assert!(
        page.contains(&format!("href=\"/console/cases/{}/deadlines?queue=overdue\"", case(6))),
        "{page}"
    );
    let days = |row: &str| -> u64 {
        row.split("整改期限已超过")
            .nth(1)
            .unwrap()
            .split('个')
            .next()
            .unwrap()
            .trim()
            .replace(',', "")
            .parse()
            .unwrap()
    };
    assert_eq!(
        days(&found[0]) - days(&found[1]),
        29,
        "from 31 January to 29 February: {found:?}"
    );
    // The list that people land on is the first in which something waits.
    let landed = zhou.browser.open("/console/worklist").await;
    assert_eq!(crate::console::location(&landed), "/console/worklist/overdue");
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_and_gaps_are_incidents_with_their_evidence_and_a_step() {
    let (mut world, [mut first, mut second], laptop) = agency().await;
    let mut clone = first.clone();
    let frames = [first.note("one"), first.note("two")];
    assert_eq!(world.push(&first, &frames).await.0, 200);
    assert_eq!(world.push(&first, &[clone.note("other")]).await.0, 200);
    let missing = second.note("lost");
    let after = second.note("after");
    assert_eq!(world.push(&second, &[after]).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (_, page) = zhou.browser.get("/console/worklist/incidents").await;
    let found = rows(&page);
    assert_eq!((found.len(), count(&page, "incidents").as_str()), (2, "2"), "{found:?}");
    let of = |word: &str| {
        found
            .iter()
            .find(|row| row.starts_with(word))
            .unwrap_or_else(|| panic!("no {word} in {found:?}"))
    };
    let fork = of("分叉");
    assert!(
        fork.contains("设备在第 3 条处签了两条不同的记录；主链到第 4 条") && fork.contains("必要时撤销密钥"),
        "{fork}"
    );
    // The proof is a file beside the row, and stands alone.
    let proof = page
        .split("href=\"/console/forks/")
        .nth(1)
        .map(|rest| format!("/console/forks/{}", rest.split('"').next().unwrap()))
        .expect("a link to the proof");
    let bytes = zhou.browser.open(&proof).await.bytes().await.unwrap();
    let shown = fieldseal_proof::fork::ForkProof::decode(&bytes)
        .unwrap()
        .verify()
        .unwrap();
    assert_eq!(shown.operations[0].header().device, first.id);
    let gap = of("缺口");
    assert!(
        gap.contains("第 3 条起已到，主链只到第 1 条") && gap.contains("请持有人联网上交"),
        "{gap}"
    );
    let (_, english) = zhou.browser.get_in("/console/worklist/incidents", "en").await;
    assert!(
        english.contains("signed two different records at number 3"),
        "{english}"
    );
    // What was missing arrives: the gap is none any more, the fork stays.
    assert_eq!(world.push(&second, &[missing]).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let (_, page) = zhou.browser.get_in("/console/worklist/incidents", "zh-CN").await;
    let left = rows(&page);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].starts_with("分叉"), "{left:?}");
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_back_stands_in_the_list_with_reason_and_who_sent_it() {
    let (mut world, _, laptop) = agency().await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (_, empty) = zhou.browser.get("/console/worklist/returns").await;
    assert!(empty.contains("没有退回待补正的检查。最近一次检查："), "{empty}");
    let (id, inspection) = (case(5).to_string(), INSPECTION.to_string());
    let form = [
        ("case", id.as_str()),
        ("inspection", inspection.as_str()),
        ("reason", "缺少现场负责人信息"),
        ("items", "身份证明\n\n  联系电话  "),
    ];
    let token = zhou.prepare("/console/act/return", &form).await;
    let (_, confirm) = zhou.browser.get(&token).await;
    assert!(
        confirm.contains("签名并退回") && confirm.contains("身份证明") && confirm.contains("联系电话"),
        "{confirm}"
    );
    assert_eq!(zhou.sign(&token).await.status(), 303);
    let (_, page) = zhou.browser.get("/console/worklist/returns").await;
    let found = rows(&page);
    assert_eq!((found.len(), count(&page, "returns").as_str()), (1, "1"), "{page}");
    for words in ["退回", "有限公司", "缺少现场负责人信息", "等待执法人员补正"] {
        assert!(found[0].contains(words), "{words}: {found:?}");
    }
    assert!(
        page.contains(&format!("href=\"/console/cases/{id}?queue=returns\"")),
        "{page}"
    );
    let all = world.feed(&laptop, &mut String::new()).await;
    let back = all
        .iter()
        .find(|(_, one)| one.header().kind == "inspection.return")
        .unwrap();
    let body = back.1.body().unwrap();
    let items = body
        .fields()
        .iter()
        .find(|field| field.path.ends_with("/items"))
        .unwrap();
    let items: Vec<String> = body
        .get(&items.path)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|v| v.as_text().map(str::to_owned))
        .collect();
    assert_eq!(items, ["身份证明", "联系电话"], "empty lines are none");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_longer_than_a_page_are_paged_and_nothing_is_shown_twice() {
    let (world, [mut tablet, _], laptop) = agency().await;
    // More than two pages of each: records that were set aside, and enterprises.
    let strange: Vec<Vec<u8>> = (0..120)
        .map(|n| {
            tablet
                .write("from.the.future", Some(case(5)), vec![("x/y".into(), Value::Uint(n))])
                .frame()
        })
        .collect();
    assert_eq!(world.push(&tablet, &strange).await.0, 200);
    let table: String = (0..120).map(|n| format!("分页企业{n:03}有限公司\n")).collect();
    let admin = world.admin_token();
    let request = world.ask(Method::POST, "/v1/admin/enterprises", &admin);
    assert_eq!(world.json(request.body(format!("企业名称\n{table}"))).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    assert!(account(&world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    let search = "%E5%88%86%E9%A1%B5%E4%BC%81%E4%B8%9A";
    for (first, each) in [
        (
            "/console/worklist/quarantine".to_owned(),
            "href=\"/console/act/settle?op=",
        ),
        (
            format!("/console/enterprises?q={search}"),
            "href=\"/console/enterprises/",
        ),
    ] {
        let (mut next, mut pages, mut met) = (Some(first.clone()), Vec::new(), std::collections::BTreeSet::new());
        while let Some(path) = next {
            assert!(pages.len() < 5, "the pager of {first} does not end");
            let (status, page) = browser.get(&path).await;
            assert_eq!(status, 200, "{path}");
            assert!(page.contains("共 120 项"), "the count is of all: {page}");
            let body = page.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
            let found: Vec<String> = body
                .split(each)
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().to_owned())
                .collect();
            assert_eq!(page.contains("rel=\"prev\""), !pages.is_empty(), "{path}");
            pages.push(found.len());
            met.extend(found);
            next = page
                .split("rel=\"next\" href=\"")
                .nth(1)
                .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"));
        }
        assert_eq!((pages, met.len()), (vec![50, 50, 20], 120), "{first}");
    }
    // Beyond the end there is nothing, and nothing breaks.
    for from in ["120", "99999999", "18446744073709551615"] {
        let (status, page) = browser.get(&format!("/console/worklist/quarantine?from={from}")).await;
        assert_eq!((status.as_u16(), rows(&page).len()), (200, 0), "{from}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_the_end_of_its_inspection_has_a_list_of_its_own() {
    let (mut world, [mut tablet, _], laptop) = agency().await;
    let closing = tablet.write_in("inspection.close", Some(case(5)), Some(INSPECTION), vec![]);
    let answer = vec![("check/r2/result".to_owned(), Value::text("violation"))];
    let late = tablet.write_in("check.answer", Some(case(5)), Some(INSPECTION), answer);
    let strange = tablet.write("from.the.future", Some(case(5)), vec![("x/y".into(), Value::Uint(1))]);
    let frames = [closing.frame(), late.frame(), strange.frame()];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    for (list, id, why, other) in [
        ("late", late.id(), "检查已结束", strange.id()),
        ("quarantine", strange.id(), "种类", late.id()),
    ] {
        let (_, page) = zhou.browser.get(&format!("/console/worklist/{list}")).await;
        assert_eq!((rows(&page).len(), count(&page, list).as_str()), (1, "1"), "{page}");
        let settle = |id: OpId| format!("/console/act/settle?op={id}");
        assert!(rows(&page)[0].contains(why), "{:?}", rows(&page));
        assert!(
            page.contains(&settle(id)) && !page.contains(&settle(other)),
            "{list}: {page}"
        );
        let (_, decision) = zhou.browser.get(&settle(id)).await;
        assert!(
            decision.contains(&format!("href=\"/console/worklist/{list}\"")),
            "{decision}"
        );
    }
    // How many of a tablet's records stand aside is said where its health is.
    let (_, devices) = zhou.browser.get("/console/devices").await;
    assert!(devices.contains("隔离 2"), "{devices}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_closed_and_returned_with_the_record_that_does_it_and_so_after_a_rebuild() {
    let (mut world, [mut tablet, _], laptop) = agency().await;
    let stage = async |world: &World| {
        world.feed(&laptop, &mut String::new()).await;
        let (_, cases) = world.json(world.ask(Method::GET, "/v1/cases", &laptop.token)).await;
        cases["items"][0]["stage"].as_str().unwrap().to_owned()
    };
    // Nothing follows the closing that would have the case summed up once more.
    let closing = tablet.write_in("inspection.close", Some(case(5)), Some(INSPECTION), vec![]);
    assert_eq!(world.push(&tablet, &[closing.frame()]).await.0, 200);
    assert_eq!(stage(&world).await, "closed");
    let mut zhou = Supervisor::new(&mut world, "S-1", 7).await;
    let (id, inspection) = (case(5).to_string(), INSPECTION.to_string());
    let form = [
        ("case", id.as_str()),
        ("inspection", inspection.as_str()),
        ("reason", "缺少现场负责人信息"),
        ("items", ""),
    ];
    let token = zhou.prepare("/console/act/return", &form).await;
    assert_eq!(zhou.sign(&token).await.status(), 303);
    assert_eq!(stage(&world).await, "returned");
    world.stop();
    world.command(&["fsck", "--rebuild", "--dir", world.dir().to_str().unwrap()]);
    world.start();
    assert_eq!(stage(&world).await, "returned", "the views folded anew say the same");
}
