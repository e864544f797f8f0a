//! The case list: what each filter leaves, and what its figures and its file say of the same cases.

use std::collections::BTreeSet;

use fieldseal_core::clock::{Clock, SystemClock};
use fieldseal_core::random::OsRandom;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, EvidenceId, InspectionId, OfficerId};

use crate::console::{Browser, PASSWORD, account};
use crate::console_act::officer;
use crate::console_lists::{records, unescaped};
use crate::console_work::plain;
use crate::world::*;

/// A table as a browser's user reads it: text of each cell, row by row.
pub fn cells(table: &str) -> Vec<Vec<String>> {
    let body = table.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
    let ends = |rest: &str| plain(rest.split_once('>').unwrap().1);
    let of_row = |row: &str| {
        let cells = row.split("</th>").flat_map(|part| part.split("</td>"));
        let text = cells.filter_map(|cell| {
            let from = cell.find("<th").or_else(|| cell.find("<td"))?;
            Some(ends(&cell[from..]))
        });
        text.collect()
    };
    body.split("<tr").skip(1).map(of_row).collect()
}

/// The cases of the list, from top to bottom.
fn listed(page: &str) -> Vec<String> {
    let body = page.split("<tbody>").nth(1).unwrap_or_default();
    let body = body.split("</tbody>").next().unwrap();
    body.split("<tr data-row>")
        .skip(1)
        .map(|row| row.split("href=\"/console/cases/").nth(1).unwrap()[..36].to_owned())
        .collect()
}

/// The server's own clock: both stand on one machine.
pub fn now_ms() -> u64 {
    SystemClock::new(&OsRandom).unwrap().now().wall_ms
}

/// Days since 1970-01-01 where the agency is.
fn today() -> i32 {
    i32::try_from((now_ms() / 1000 + 8 * 3600) / 86_400).unwrap()
}

fn date(day: i32) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.checked_add(jiff::Span::new().days(day)).unwrap().to_string()
}

/// An inspection that is to be found by what it says.
#[derive(Clone, Copy, Default)]
struct Visit {
    n: u8,
    party: &'static str,
    planned: &'static str,
    officer: u8,
    /// Days from today on.
    due: Option<i32>,
    violation: &'static str,
    /// A piece of evidence whose bytes did not come.
    waits: bool,
    closed: bool,
}

impl Visit {
    fn frames(&self, tablet: &mut Device, today: i32) -> Vec<Vec<u8>> {
        let (case, inspection) = (Some(case(self.n)), Some(InspectionId::from_bytes([self.n + 100; 16])));
        let one = CaseId::from_bytes([self.n; 16]).to_string();
        let mut begin = vec![
            ("inspection/device".to_owned(), Value::bytes(tablet.id.as_bytes())),
            ("party/name".to_owned(), Value::text(self.party)),
        ];
        if !self.planned.is_empty() {
            begin.push(("inspection/planned".to_owned(), Value::text(self.planned)));
        }
        if self.officer > 0 {
            let id = OfficerId::from_bytes([self.officer; 16]);
            begin.push(("inspection/officer".to_owned(), Value::bytes(id.as_bytes())));
        }
        let mut frames = vec![tablet.write_in("inspection.begin", case, inspection, begin).frame()];
        let mut write = |kind: &str, fields: Vec<(String, Value)>| {
            frames.push(tablet.write_in(kind, case, inspection, fields).frame());
        };
        if !self.violation.is_empty() {
            let at = |field: &str| format!("finding/{one}/{field}");
            let fields = [("text", "安全出口被占用"), ("violation", self.violation)];
            write(
                "finding.record",
                fields.map(|(field, text)| (at(field), Value::text(text))).to_vec(),
            );
        }
        if let Some(due) = self.due {
            let at = |field: &str| format!("order/{one}/item/{one}/{field}");
            let fields = [("due", date(today + due)), ("text", "清理安全出口".to_owned())];
            write(
                "order.draft",
                fields.map(|(field, text)| (at(field), Value::text(text))).to_vec(),
            );
        }
        if self.waits {
            let at = |field: &str| format!("evidence/{}/{field}", EvidenceId::from_bytes([self.n; 16]));
            write(
                "evidence.seal",
                vec![
                    (at("acquisition"), Value::text("camera")),
                    (at("sha256"), Value::bytes([self.n; 32])),
                ],
            );
        }
        if self.closed {
            write("inspection.close", vec![]);
        }
        frames
    }
}

const VISITS: [Visit; 8] = [
    Visit {
        n: 11,
        party: "甲化工厂",
        planned: "2026-03-01",
        officer: 60,
        due: Some(-10),
        violation: "v-exit",
        waits: false,
        closed: false,
    },
    Visit {
        n: 12,
        party: "乙仓储公司",
        planned: "2026-03-10",
        officer: 61,
        due: Some(3),
        violation: "",
        waits: false,
        closed: false,
    },
    Visit {
        n: 13,
        party: "丙五金厂",
        planned: "2026-03-20",
        officer: 60,
        due: Some(3),
        violation: "v-fire",
        waits: false,
        closed: true,
    },
    Visit {
        n: 14,
        party: "丁木器厂",
        planned: "2026-04-01",
        officer: 61,
        due: Some(0),
        violation: "v-exit",
        waits: false,
        closed: false,
    },
    Visit {
        n: 15,
        party: "戊化工厂",
        planned: "",
        officer: 0,
        due: Some(40),
        violation: "",
        waits: true,
        closed: false,
    },
    Visit {
        n: 16,
        party: "=HYPERLINK(\"http://evil.example\")",
        planned: "",
        officer: 0,
        due: None,
        violation: "",
        waits: false,
        closed: false,
    },
    Visit {
        n: 17,
        party: "庚印刷厂",
        planned: "2026-04-02",
        officer: 0,
        due: Some(29),
        violation: "",
        waits: false,
        closed: false,
    },
    Visit {
        n: 18,
        party: "辛印刷厂",
        planned: "2026-04-03",
        officer: 0,
        due: Some(30),
        violation: "",
        waits: false,
        closed: false,
    },
];

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_leaves_what_it_says_and_figures_and_files_say_the_same_as_the_list() {
    let mut world = World::new();
    let mut tablets = [world.device(10, "tablet").await, world.device(11, "tablet").await];
    let laptop = world.device(12, "supervisor").await;
    for (n, name) in [(60, "何青川"), (61, "方予安")] {
        officer(&mut world, n, name).await;
    }
    assert!(account(&world, "S-1", "周敏", "supervisor", PASSWORD));
    let mut browser = Browser::new(&world);
    assert_eq!(browser.sign_in("S-1", PASSWORD).await.status(), 303);
    // No case at all is another thing than no case that fits.
    let (_, never) = browser.get("/console/cases").await;
    assert!(
        never.contains("还没有案件") && !never.contains("清除全部条件"),
        "{never}"
    );

    let begun = today();
    for (at, tablet) in tablets.iter_mut().enumerate() {
        let mut frames = vec![tablet.open()];
        // The second tablet goes to the second and the last enterprise.
        let own = VISITS.iter().filter(|visit| matches!(visit.n, 12 | 18) == (at == 1));
        own.for_each(|visit| frames.extend(visit.frames(tablet, begun)));
        assert_eq!(world.push(tablet, &frames).await.0, 200);
    }
    world.feed(&laptop, &mut String::new()).await;

    let id = |n: u8| OfficerId::from_bytes([n; 16]);
    let due = date(begun + 3);
    let filters: [(&str, String, &[u8], &str); 11] = [
        ("q", "%E5%8C%96%E5%B7%A5".into(), &[11, 15], "查找：化工"),
        ("stage", "planned".into(), &[12, 16, 17, 18], "阶段：已派单"),
        ("stage", "in_progress".into(), &[11, 14, 15], "阶段：检查中"),
        ("stage", "closed".into(), &[13], "阶段：检查结束"),
        ("due", due.clone(), &[11, 12, 13, 14], &format!("期限不晚于：{due}")),
        ("officer", id(60).to_string(), &[11, 13], "执法人员：何青川"),
        ("tablet", tablets[1].id.to_string(), &[12, 18], "平板：d11"),
        ("violation", "v-exit".into(), &[11, 14], "v-exit"),
        ("problems", "1".into(), &[15], "只看有问题的"),
        ("from", "2026-03-20".into(), &[13, 14, 17, 18], "计划日期从：2026-03-20"),
        ("to", "2026-03-10".into(), &[11, 12], "计划日期至：2026-03-10"),
    ];
    let ids = |found: &[u8]| -> BTreeSet<String> { found.iter().map(|n| case(*n).to_string()).collect() };
    let set = |page: &str| -> BTreeSet<String> { listed(page).into_iter().collect() };
    for (name, value, found, chip) in &filters {
        let (status, page) = browser.get(&format!("/console/cases?{name}={value}")).await;
        assert_eq!(
            (status.as_u16(), set(&page)),
            (200, ids(found)),
            "{name}={value}: {page}"
        );
        assert!(page.contains(&format!("共 {} 项", found.len())), "{name}: {page}");
        let chips = page
            .split("<p class=\"chips\">")
            .nth(1)
            .unwrap()
            .split("</p>")
            .next()
            .unwrap();
        assert_eq!(chips.matches("class=\"chip\"").count(), 1, "{chips}");
        assert!(unescaped(&plain(chips)).contains(chip), "{chip}: {chips}");
        // The chip takes the one condition away, and what is left is everything.
        assert!(chips.contains("class=\"chip\" href=\"/console/cases\""), "{chips}");
        // The file has the rows of the list, in its order.
        let (_, csv) = browser.get(&format!("/console/cases.csv?{name}={value}")).await;
        let in_file: Vec<String> = records(&csv)
            .iter()
            .map(|record| record.last().unwrap().clone())
            .collect();
        assert_eq!(in_file, listed(&page), "{name}={value}");
        assert!(
            page.contains(&format!("href=\"/console/cases.csv?{name}=")),
            "{name}: {page}"
        );
    }
    // Of two conditions a chip removes its own; what both leave is what is in both.
    let (_, page) = browser
        .get("/console/cases?officer=3c3c3c3c-3c3c-3c3c-3c3c-3c3c3c3c3c3c&violation=v-exit")
        .await;
    assert_eq!(set(&page), ids(&[11]), "{page}");
    for rest in ["violation=v-exit", "officer=3c3c3c3c-3c3c-3c3c-3c3c-3c3c3c3c3c3c"] {
        assert!(
            page.contains(&format!("class=\"chip\" href=\"/console/cases?{rest}\"")),
            "{rest}: {page}"
        );
    }
    // Nothing fits: it says how many conditions there are, and offers to clear them.
    let (_, page) = browser
        .get("/console/cases?stage=closed&problems=1&q=%E5%8C%96%E5%B7%A5")
        .await;
    let empty = page
        .split("<div class=\"empty\">")
        .nth(1)
        .unwrap()
        .split("</div>")
        .next()
        .unwrap();
    assert!(
        empty.contains("没有符合 3 个条件的案件") && empty.contains("<a href=\"/console/cases\">清除全部条件"),
        "{empty}"
    );
    assert!(!page.contains("<figure"), "figures are of the whole list: {page}");

    // The figures count what was put in, and their tables say the same as their marks. The day is the page's.
    let (now, page) = loop {
        let now = today();
        let (_, page) = browser.get("/console/cases").await;
        if now == today() {
            break (now, page);
        }
    };
    let left: Vec<i32> = VISITS
        .iter()
        .filter_map(|visit| Some(visit.due? + begun - now))
        .collect();
    let (late, near) = (
        left.iter().filter(|due| **due < 0).count(),
        left.iter().filter(|due| (0..30).contains(*due)).count(),
    );
    let chart = page.split("<figure class=\"chart deadlines\">").nth(1).unwrap();
    let chart = chart.split("</figure>").next().unwrap();
    assert!(
        chart.contains(&format!("未来 30 天到期 {near} 件；已超期 {late} 件")),
        "{chart}"
    );
    let mut days: Vec<i32> = left.iter().copied().filter(|due| (0..30).contains(due)).collect();
    days.sort_unstable();
    days.dedup();
    let of = |day: i32| left.iter().filter(|due| **due == day).count();
    let mut said = vec![vec!["已超期".to_owned(), late.to_string()]];
    said.extend(days.iter().map(|day| vec![date(now + day), of(*day).to_string()]));
    assert_eq!(cells(chart), said, "{chart}");
    let marks = chart
        .split("<p class=\"marks\"")
        .nth(1)
        .unwrap()
        .split("</p>")
        .next()
        .unwrap();
    let marks: Vec<String> = marks
        .split("<span>")
        .skip(1)
        .map(|mark| mark.split('<').next().unwrap().to_owned())
        .collect();
    let mut columns = vec![String::new(); 32];
    columns[0] = late.to_string();
    days.iter()
        .for_each(|day| columns[usize::try_from(*day).unwrap() + 2] = of(*day).to_string());
    assert_eq!(marks, columns, "a column for what is late, a space, and thirty days");
    assert_eq!(chart.matches("<rect").count(), days.len() + 1, "{chart}");

    let stages = page.split("<figure class=\"chart stages\">").nth(1).unwrap();
    let stages = stages.split("</figure>").next().unwrap();
    assert!(stages.contains("8 件案件按阶段"), "{stages}");
    let said: Vec<(String, String)> = cells(stages)
        .into_iter()
        .map(|row| (row[0].clone(), row[2].clone()))
        .collect();
    let counted = [("已派单", "4"), ("检查中", "3"), ("检查结束", "1"), ("已退回", "0")];
    assert_eq!(
        said,
        counted.map(|(stage, n)| (stage.to_owned(), n.to_owned())),
        "{stages}"
    );
    // Each bar leads to the cases that it counts, and is as long as its share of the longest.
    assert!(stages.contains("href=\"/console/cases?stage=in_progress\""), "{stages}");
    let bars: Vec<&str> = stages
        .split("y=\"1\" width=\"")
        .skip(1)
        .map(|bar| bar.split('"').next().unwrap())
        .collect();
    assert_eq!(bars, ["100", "75", "25", "0"]);
}
