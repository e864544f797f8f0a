//! The list of cases with every filter and its chip, and the header of a case on a phone.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, OfficerId};

use crate::console::{Browser, PASSWORD, account};
use crate::console_act::officer;
use crate::world::*;

/// Three cases of two officers: of both, of the first alone, of the second alone. The first case is late.
async fn cases(world: &mut World) -> (Device, [OfficerId; 2]) {
    let people = [officer(world, 60, "何青川").await, officer(world, 61, "林晚").await];
    let mut tablet = world.device(10, "tablet").await;
    let mut frames = vec![tablet.open()];
    for (n, present) in [(41, &people[..]), (42, &people[..1]), (43, &people[1..])] {
        let officers = present.iter().map(|id| Value::bytes(id.as_bytes())).collect();
        let begin = vec![
            ("inspection/device".to_owned(), Value::bytes(tablet.id.as_bytes())),
            ("inspection/officer".to_owned(), Value::Array(officers)),
            ("inspection/planned".to_owned(), Value::text("2026-03-02")),
            ("party/credit_code".to_owned(), Value::text("91350100M000100Y43")),
            ("party/name".to_owned(), Value::text("恒泰精细化工有限公司")),
        ];
        frames.push(tablet.write("inspection.begin", Some(case(n)), begin).frame());
    }
    let item = "order/5e5e5e5e-5e5e-5e5e-5e5e-5e5e5e5e5e5e/item/6e6e6e6e-6e6e-6e6e-6e6e-6e6e6e6e6e6e";
    let due = vec![
        (format!("{item}/due"), Value::text("2020-01-31")),
        (format!("{item}/text"), Value::text("清理安全出口")),
    ];
    frames.push(tablet.write("order.draft", Some(case(41)), due).frame());
    let found = vec![(
        "finding/4e4e4e4e-4e4e-4e4e-4e4e-4e4e4e4e4e4e/violation".to_owned(),
        Value::text("v1"),
    )];
    frames.push(tablet.write("finding.record", Some(case(41)), found).frame());
    let document = "document/3d3d3d3d-3d3d-3d3d-3d3d-3d3d3d3d3d3d";
    let issue = vec![
        (format!("{document}/number"), Value::text("（云）应急检记〔2026〕12号")),
        (format!("{document}/type"), Value::text("inspection_record")),
    ];
    frames.push(tablet.write("document.issue", Some(case(41)), issue).frame());
    // A file that does not arrive, so that the case has a problem.
    let piece = "evidence/41414141-4141-4141-4141-414141414141";
    let seal = vec![
        (format!("{piece}/sha256"), Value::bytes([7; 32])),
        (format!("{piece}/size"), Value::Uint(1)),
        (format!("{piece}/title"), Value::text("出口")),
    ];
    frames.push(tablet.write("evidence.seal", Some(case(41)), seal).frame());
    let (status, said) = world.push(&tablet, &frames).await;
    assert_eq!(status, 200, "{said:?}");
    let laptop = world.device(12, "supervisor").await;
    world.feed(&laptop, &mut String::new()).await;
    (tablet, people)
}

async fn desk(world: &World) -> Browser {
    assert!(account(world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    browser
}

/// The cases of the three that a list shows.
fn listed(page: &str) -> Vec<CaseId> {
    let shown = |id: &CaseId| page.contains(&format!("href=\"/console/cases/{id}\""));
    [case(41), case(42), case(43)].into_iter().filter(shown).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_officers_are_a_squad_and_each_filter_has_a_chip_that_removes_it_alone() {
    let mut world = World::new();
    let (tablet, people) = cases(&mut world).await;
    let mut browser = desk(&world).await;
    let [he, lin] = people.map(|id| id.to_string());
    for (query, found) in [
        (String::new(), vec![case(41), case(42), case(43)]),
        (format!("?officer={he}"), vec![case(41), case(42)]),
        (format!("?with={lin}"), vec![case(41), case(43)]),
        (format!("?officer={he}&with={lin}"), vec![case(41)]),
    ] {
        let (status, page) = browser.get(&format!("/console/cases{query}")).await;
        assert_eq!((status.as_u16(), listed(&page)), (200, found), "{query}: {page}");
    }

    let asked = [
        ("q", "%E5%8C%96%E5%B7%A5".to_owned()),
        ("stage", "in_progress".into()),
        ("due", "2026-12-31".into()),
        ("officer", he),
        ("with", lin),
        ("tablet", tablet.id.to_string()),
        ("violation", "v1".into()),
        ("problems", "1".into()),
        ("from", "2026-01-01".into()),
        ("to", "2026-12-31".into()),
    ];
    let address = |without: &str| {
        let kept = asked.iter().filter(|(name, _)| *name != without);
        let parts: Vec<String> = kept.map(|(name, value)| format!("{name}={value}")).collect();
        format!("/console/cases?{}", parts.join("&"))
    };
    let (_, page) = browser.get(&address("")).await;
    assert_eq!(listed(&page), [case(41)], "every filter holds: {page}");
    for (name, _) in &asked {
        assert!(page.contains(&format!(" name=\"{name}\"")), "no field {name}: {page}");
        let chip = format!("<a class=\"chip\" href=\"{}\">", address(name).replace('&', "&#38;"));
        assert_eq!(page.matches(&chip).count(), 1, "{chip}: {page}");
    }
    assert_eq!(page.matches("<a class=\"chip\"").count(), asked.len(), "{page}");
    assert!(page.contains("同办人员：林晚"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_of_a_case_keeps_number_due_date_and_action_and_folds_the_rest_away_openably() {
    let mut world = World::new();
    cases(&mut world).await;
    let mut browser = desk(&world).await;
    let (_, page) = browser.get(&format!("/console/cases/{}", case(41))).await;
    let bar = page.split("<header class=\"case-bar\">").nth(1).unwrap();
    let bar = bar.split("</header>").next().unwrap();
    let (before, rest) = bar.split_once("<details>").unwrap();
    let (folded, after) = rest.split_once("</details>").unwrap();
    for (part, words) in [
        (before, "（云）应急检记〔2026〕12号"),
        (before, "2020-01-31"),
        (before, "<a class=\"button main\""),
        (folded, "<summary>更多："),
        (folded, "何青川"),
        (folded, "91350100M000100Y43"),
        (folded, "规则包"),
        (folded, "检验"),
        (after, "<nav class=\"tabs\""),
    ] {
        assert!(part.contains(words), "{words}: {bar}");
    }
    // Only where the browser can lay the rest open does a wide page take the handle away.
    let styles = browser.styles(&page).await;
    let rule = styles.split("@supports selector(::details-content)").nth(1).unwrap();
    let rule = rule.split("}}}").next().unwrap();
    assert!(
        rule.contains("(min-width:40.01rem)") && rule.contains(".case-facts summary{display:none}"),
        "{rule}"
    );
    assert!(rule.contains("content-visibility:visible"), "{rule}");
    assert_eq!(styles.matches(".case-facts summary").count(), 1, "{styles}");
}
