//! Lists as people work through them: files for a spreadsheet, what came since, and the way from item to item.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::CaseId;
use reqwest::Method;
use serde_json::json;

use crate::console::{Browser, PASSWORD, account};
use crate::console_act::import;
use crate::console_sign::agency;
use crate::console_work::{plain, rows};
use crate::world::*;

/// Letters that were escaped for the page, as they were.
pub fn unescaped(text: &str) -> String {
    let pairs = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// Records of a file for a spreadsheet without its heading.
pub fn records(csv: &str) -> Vec<Vec<String>> {
    let text = csv.strip_prefix('\u{feff}').expect("a mark that it is UTF-8");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let all = reader
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect());
    all.collect()
}

/// What a spreadsheet would run, as each place where somebody else's words can stand.
const FORMULAS: [&str; 5] = [
    "=HYPERLINK(\"http://evil.example\")",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "＝1+1",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_file_for_a_spreadsheet_runs_what_somebody_wrote_and_each_has_the_rows_of_its_list() {
    let (mut world, [mut tablet, _], mut laptop) = agency().await;
    let [link, plus, minus, call, _] = FORMULAS;
    // A case with a term that has passed, one that went back, one that is in conflict, and a record that is set aside.
    let own = tablet.id;
    let begin = |party: &str, title: &str| {
        vec![
            ("inspection/device".to_owned(), Value::bytes(own.as_bytes())),
            ("inspection/title".to_owned(), Value::text(title)),
            ("party/credit_code".to_owned(), Value::text(call)),
            ("party/name".to_owned(), Value::text(party)),
        ]
    };
    let one = CaseId::from_bytes([0x21; 16]).to_string();
    let ordered = [("clause", plus), ("due", "2020-01-31"), ("text", call)];
    let ordered = ordered.map(|(field, text)| (format!("order/{one}/item/{one}/{field}"), Value::text(text)));
    let issue = [("number", minus), ("type", "inspection_record")];
    let issue = issue.map(|(field, text)| (format!("document/{one}/{field}"), Value::text(text)));
    let frames = [
        tablet
            .write("inspection.begin", Some(case(0x21)), begin(link, minus))
            .frame(),
        tablet.write("order.draft", Some(case(0x21)), ordered.to_vec()).frame(),
        tablet.write("document.issue", Some(case(0x21)), issue.to_vec()).frame(),
        tablet
            .write("inspection.begin", Some(case(0x22)), begin(plus, call))
            .frame(),
        tablet
            .write(
                "from.the.future",
                Some(case(0x22)),
                vec![("x/y".into(), Value::Uint(1))],
            )
            .frame(),
    ];
    assert_eq!(world.push(&tablet, &frames).await.0, 200);
    let back = [("reason", minus)].map(|(field, text)| (format!("return/{one}/{field}"), Value::text(text)));
    let frames = [
        laptop.open(),
        laptop
            .write("inspection.return", Some(case(0x22)), back.to_vec())
            .frame(),
    ];
    assert_eq!(world.push(&laptop, &frames).await.0, 200);
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(["企业名称", "地址", "法定代表人"]).unwrap();
    FORMULAS
        .iter()
        .for_each(|text| table.write_record([text, text, text]).unwrap());
    import(&world, &String::from_utf8(table.into_inner().unwrap()).unwrap()).await;
    // A device whose name an administrator typed, and whose clock is off.
    let invite = world.ask(Method::POST, "/v1/admin/invitations", &world.admin_token());
    let invite = invite.json(&json!({ "kind": "tablet", "label": link }));
    let code = world.json(invite).await.1["code"].as_str().unwrap().to_owned();
    let mut named = Device::new(20, "tablet");
    let asked = world
        .client
        .post(format!("{}/v1/enrol", world.url))
        .json(&named.enrolment(&code));
    named.token = world.json(asked).await.1["token"].as_str().unwrap().to_owned();
    world.approve_all().await;
    let open = named.open();
    assert_eq!(world.push(&named, &[open]).await.0, 200);
    let told = json!({ "wall_ms": 1, "waiting": { "operations": 0, "unsealed": 0, "blobs": 0, "blob_bytes": 0 }, "app": "a", "core": "0" });
    let told = world.ask(Method::POST, "/v1/health", &named.token).json(&told);
    assert_eq!(world.json(told).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;

    assert!(account(&world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    // The columns of each file that stand in the list as they are; the age of a thing goes on meanwhile.
    let lists: [(&str, usize, &[usize], &[&str]); 7] = [
        ("/console/cases", 3, &[1, 2, 4], &[link, plus]),
        ("/console/enterprises", 5, &[0, 2], &FORMULAS),
        ("/console/worklist/overdue", 1, &[0, 1, 2, 4, 5], &[link, minus, call]),
        ("/console/worklist/conflicts", 1, &[0, 1, 2, 4, 5], &[]),
        ("/console/worklist/quarantine", 1, &[0, 1, 2, 4, 5], &[plus]),
        ("/console/worklist/incidents", 1, &[0, 1, 2, 4, 5], &[link]),
        ("/console/worklist/returns", 1, &[0, 1, 2, 4, 5], &[plus, minus]),
    ];
    for (list, count, columns, hostile) in lists {
        let (_, page) = browser.get(list).await;
        let shown: Vec<String> = rows(&page).iter().map(|row| unescaped(row)).collect();
        let href = page
            .split("\">CSV</a>")
            .next()
            .unwrap()
            .rsplit("href=\"")
            .next()
            .unwrap();
        let answer = browser.open(&href.replace("&#38;", "&")).await;
        let headers = answer.headers().clone();
        assert_eq!(headers["content-type"], "text/csv; charset=utf-8", "{list}");
        assert!(
            headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with("attachment; "),
            "{list}"
        );
        let csv = answer.text().await.unwrap();
        let found = records(&csv);
        assert_eq!((found.len(), shown.len()), (count, count), "{list}: {csv}");
        for (record, row) in found.iter().zip(&shown) {
            for cell in record {
                assert!(
                    !cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']),
                    "{list}: {cell} is run: {csv}"
                );
            }
            for column in columns {
                let cell = record[*column].strip_prefix('\'').unwrap_or(&record[*column]);
                let cell = cell.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(row.contains(&cell), "{list}: {cell} is not in the row {row}");
            }
        }
        for text in hostile {
            let kept = format!("'{text}");
            assert!(
                found.iter().flatten().any(|cell| *cell == kept),
                "{list}: {kept} is not in {csv}"
            );
        }
    }
    // Taking a list away is a line of the access log.
    let (_, log) = browser.get("/console/access?deed=list.export").await;
    assert_eq!(log.matches("<tr data-row>").count(), 7, "{log}");
    assert!(
        log.contains("cases.csv 3") && log.contains("worklist returns.csv"),
        "{log}"
    );
}

/// The place in a queue that a page states, and the ways to its neighbours.
fn place(page: &str) -> Option<(String, Option<String>, Option<String>)> {
    let nav = page
        .split("<nav class=\"pager top queue\"")
        .nth(1)?
        .split("</nav>")
        .next()?;
    let way = |rel: &str| {
        let rest = nav.split(&format!("rel=\"{rel}\" href=\"")).nth(1)?;
        Some(rest.split('"').next()?.replace("&#38;", "&"))
    };
    let said = nav.split("<span class=\"meta\">").nth(1)?.split('<').next()?;
    Some((said.to_owned(), way("prev"), way("next")))
}

/// Goes from the first item of a list to the last by each `next`, and back by each `prev`; what the list leads to, in its order.
async fn walked(browser: &mut Browser, list: &str) -> Vec<String> {
    let (_, page) = browser.get(&format!("/console/worklist/{list}")).await;
    let body = page.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
    let all: Vec<String> = body
        .split("<a href=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"))
        .collect();
    for forth in [true, false] {
        let mut at = if forth { 0 } else { all.len() - 1 };
        loop {
            let (status, page) = browser.get(&all[at]).await;
            assert_eq!(status, 200, "{list}: {page}");
            let (said, earlier, later) = place(&page).unwrap_or_else(|| panic!("{} has no place: {page}", all[at]));
            assert_eq!(said, format!("第 {} 项，共 {} 项", at + 1, all.len()), "{list}");
            assert_eq!(
                earlier.as_ref(),
                at.checked_sub(1).map(|at| &all[at]),
                "{list}, before {said}"
            );
            assert_eq!(later.as_ref(), all.get(at + 1), "{list}, after {said}");
            let next = if forth { later } else { earlier };
            let Some(next) = next else { break };
            at = all.iter().position(|one| *one == next).unwrap();
        }
        assert_eq!(at, if forth { all.len() - 1 } else { 0 }, "{list}");
    }
    all
}

/// The line of news of a page or a fragment: its words, and where it is asked for again.
fn news(html: &str) -> (String, Option<String>) {
    let line = html
        .split("<p class=\"news\"")
        .nth(1)
        .unwrap_or_else(|| panic!("no news in {html}"));
    let line = line.split("</p>").next().unwrap();
    let (head, words) = line.split_once('>').unwrap();
    let ask = head
        .split("hx-get=\"")
        .nth(1)
        .map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"));
    (plain(words), ask)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_is_walked_from_end_to_end_and_news_are_said_without_moving_the_list() {
    let (world, [mut first, mut second], mut laptop) = agency().await;
    let both = Value::Array(
        [&first, &second]
            .map(|tablet| Value::bytes(tablet.id.as_bytes()))
            .to_vec(),
    );
    let mut frames = Vec::new();
    // Three terms that have passed, not in the order in which they arrive.
    for (n, due) in [(0x31, "2020-02-29"), (0x32, "2020-01-31"), (0x33, "2020-03-31")] {
        let id = CaseId::from_bytes([n; 16]).to_string();
        let begin = vec![
            ("inspection/device".to_owned(), both.clone()),
            ("party/name".to_owned(), Value::text(format!("企业{n}"))),
        ];
        let ordered = [("due", due), ("text", "清理安全出口")];
        let ordered = ordered.map(|(field, text)| (format!("order/{id}/item/{id}/{field}"), Value::text(text)));
        let said = vec![("check/r4/result".to_owned(), Value::text("ok"))];
        for (kind, fields) in [
            ("inspection.begin", begin),
            ("order.draft", ordered.to_vec()),
            ("check.answer", said),
            ("from.the.future", vec![("x/y".to_owned(), Value::Uint(u64::from(n)))]),
        ] {
            frames.push(first.write(kind, Some(case(n)), fields).frame());
        }
    }
    assert_eq!(world.push(&first, &frames).await.0, 200);
    let other = |tablet: &mut Device, n: u8| {
        let said = vec![("check/r4/result".to_owned(), Value::text("violation"))];
        tablet.write("check.answer", Some(case(n)), said).frame()
    };
    let frames = [0x31, 0x32, 0x33].map(|n| other(&mut second, n));
    assert_eq!(world.push(&second, &frames).await.0, 200);
    let mut frames = vec![laptop.open()];
    for n in [0x31, 0x32] {
        let id = CaseId::from_bytes([n; 16]).to_string();
        let back = vec![(format!("return/{id}/reason"), Value::text("缺少现场负责人信息"))];
        frames.push(laptop.write("inspection.return", Some(case(n)), back).frame());
    }
    assert_eq!(world.push(&laptop, &frames).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    assert!(account(&world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);

    let late = walked(&mut browser, "overdue").await;
    let deadlines = |n: u8| format!("/console/cases/{}/deadlines", case(n));
    let oldest_first = [0x32, 0x31, 0x33].map(|n| format!("{}?queue=overdue", deadlines(n)));
    assert_eq!(late, oldest_first);
    for (list, count) in [("conflicts", 4), ("quarantine", 3), ("returns", 2)] {
        assert_eq!(walked(&mut browser, list).await.len(), count, "{list}");
    }
    // The same page opened from elsewhere stands in no queue.
    assert_eq!(place(&browser.get(&deadlines(0x31)).await.1), None);

    // News: of the work lists, by how many things the page showed.
    let (_, list) = browser.get("/console/worklist/quarantine").await;
    let ask = list
        .split("hx-get=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        (ask.as_str(), news(&list).0.as_str()),
        ("/console/worklist/quarantine?shown=3", "")
    );
    let fragment = [("hx-request", "true")];
    // And of the cases under a filter, by when the page was made.
    let filter = "/console/cases?q=%E4%BC%81%E4%B8%9A49";
    let (_, cases) = browser.get(filter).await;
    let (none, since) = news(&cases);
    let since = since.unwrap();
    assert!(
        none.is_empty() && since.starts_with(&format!("{filter}&since=")),
        "{none} {since}"
    );
    let quiet = browser.open_with(&since, &fragment).await.text().await.unwrap();
    assert_eq!(
        news(&quiet),
        (String::new(), Some(since.clone())),
        "nothing came yet: {quiet}"
    );

    let more = [0x31, 0x32].map(|n| {
        let odd = vec![("x/y".to_owned(), Value::Uint(9))];
        first.write("from.the.future", Some(case(n)), odd).frame()
    });
    assert_eq!(world.push(&first, &more).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let tabs = browser.open_with(&ask, &fragment).await.text().await.unwrap();
    assert!(
        !tabs.contains("<html") && !tabs.contains("<tbody"),
        "the tabs alone: {tabs}"
    );
    assert_eq!(news(&tabs).0, "2 项新到， 刷新");
    let (_, whole) = browser.get(&ask).await;
    assert!(
        whole.contains(tabs.trim()),
        "the fragment is a part of the page: {tabs}\n{whole}"
    );
    assert_eq!(rows(&whole).len(), 5);
    let (_, again) = browser.get("/console/worklist/quarantine").await;
    assert_eq!(
        (rows(&again).len(), news(&again).0.as_str()),
        (5, ""),
        "the page that is new has no news"
    );
    // Two cases got something, and one of them is under the filter.
    let line = browser.open_with(&since, &fragment).await.text().await.unwrap();
    assert!(
        !line.contains("<html") && line.contains(&format!("href=\"{filter}\"")),
        "{line}"
    );
    assert_eq!(news(&line), ("1 项新到， 刷新".to_owned(), Some(since)));

    // Somebody settles the first of three: the second is the first of two, and the page of what is settled has no place.
    let id = CaseId::from_bytes([0x32; 16]).to_string();
    let fulfilled = vec![(format!("review/{id}/item/{id}/result"), Value::text("fulfilled"))];
    let review = first.write("order.review", Some(case(0x32)), fulfilled).frame();
    assert_eq!(world.push(&first, &[review]).await.0, 200);
    world.feed(&laptop, &mut String::new()).await;
    let gone = browser
        .open_with("/console/worklist/overdue?shown=3", &fragment)
        .await
        .text()
        .await
        .unwrap();
    assert_eq!(news(&gone).0, "有事项已由他人处理， 刷新");
    assert_eq!(place(&browser.get(&late[0]).await.1), None);
    assert_eq!(walked(&mut browser, "overdue").await, late[1..]);
}
