//! An invented plan of inspections with what the officers will find.
//!
//! Law is named by ids of the rule pack `cn-work-safety` only (`item`, `violation`, `grade`); which clause stands behind
//! an item is the pack's to say. The shape:
//!
//! ```json
//! {"inspections": [{
//!    "number": 1, "enterprise": 0, "tablet": 0, "day": 0, "start": "09:10", "kind": "planned",
//!    "person_in_charge": {"name": "…", "role": "…"}, "signature": "strokes",
//!    "items": [{"item": "e3", "result": "violation"}],
//!    "findings": [{"item": "e3", "violation": "emergency_equipment", "grade": "general", "place": "…",
//!                  "text": "…", "rectify": "…", "rectify_days": 15, "photos": 2}],
//!    "statement": ["…"], "video": false, "audio": false}]}
//! ```
//!
//! `enterprise` is the row in `enterprises.csv` from 0, `tablet` is 0 or 1, `day` counts from the first day in the field.
//! The story works it off: `story/plan.rs`.

use serde_json::{Value, json};

use super::Rng;
use super::enterprises::Enterprise;

/// What can be found.
struct Violation {
    item: &'static str,
    violation: &'static str,
    grade: &'static str,
    place: &'static str,
    text: &'static str,
    rectify: &'static str,
    days: u32,
}

const VIOLATIONS: &[Violation] = &[
    Violation {
        item: "e3",
        violation: "emergency_equipment",
        grade: "general",
        place: "一号车间东门内侧",
        text: "两具灭火器压力指针低于绿区，点检卡上一次记录为四个月前。",
        rectify: "更换失压灭火器，恢复每月点检并留存记录。",
        days: 7,
    },
    Violation {
        item: "s1",
        violation: "no_warning_signs",
        grade: "general",
        place: "配电间门外",
        text: "配电间未设置“当心触电”安全警示标志。",
        rectify: "在配电间门外及柜体设置明显的安全警示标志。",
        days: 5,
    },
    Violation {
        item: "s2",
        violation: "equipment_standard",
        grade: "larger",
        place: "二号车间配电柜",
        text: "配电柜门敞开，带电端子裸露，柜内积尘，电缆穿孔处未封堵。",
        rectify: "清理并封闭配电柜，端子加装防护罩，电缆孔洞用防火材料封堵。",
        days: 10,
    },
    Violation {
        item: "e1",
        violation: "exit_blocked",
        grade: "larger",
        place: "成品仓库西侧",
        text: "西侧安全出口被托盘和成品堵塞，门从外侧上锁。",
        rectify: "立即开锁并清除堵塞物，保持出口畅通，划线标示禁止堆放区。",
        days: 1,
    },
    Violation {
        item: "t2",
        violation: "training_records",
        grade: "general",
        place: "安全管理办公室",
        text: "抽查的六名员工中，两名新员工没有三级安全教育培训记录。",
        rectify: "补做培训和考核，建立一人一档，未经考核合格不得上岗。",
        days: 15,
    },
    Violation {
        item: "o1",
        violation: "special_operator_unlicensed",
        grade: "major",
        place: "焊接工位",
        text: "一名正在作业的焊工不能出示特种作业操作证，企业承认其未取证。",
        rectify: "立即停止该员工的焊接作业，由持证人员承担。",
        days: 1,
    },
    Violation {
        item: "c1",
        violation: "dangerous_goods_measures",
        grade: "larger",
        place: "气瓶存放处",
        text: "氧气瓶与乙炔瓶混放，间距约一米，无防倾倒链，乙炔瓶无回火防止器。",
        rectify: "分库存放并加装防倾倒链和回火防止器。",
        days: 7,
    },
    Violation {
        item: "r4",
        violation: "hazard_records",
        grade: "general",
        place: "安全管理办公室",
        text: "隐患排查治理台账近两个月空白，未向从业人员通报。",
        rectify: "恢复隐患排查治理并如实记录，每月公示。",
        days: 15,
    },
];
/// The checklist of one visit, by the ids of the pack.
const ITEMS: &[&str] = &[
    "t1", "t2", "s1", "s2", "s3", "o1", "o2", "c1", "e1", "e2", "e3", "r3", "r4",
];
const ROLES: &[&str] = &["总经理", "生产厂长", "安全管理员"];

/// Plans one inspection for each enterprise, on two tablets over several days.
///
/// The first and the fourth (one a tablet) have findings, a video and a statement; at the second the person in charge
/// refuses to sign; the third finds nothing. The rest varies with the seed.
pub fn plan(seed: u64, enterprises: &[Enterprise]) -> Value {
    let mut rng = Rng::new(seed ^ 0x1459);
    let inspections: Vec<Value> = enterprises
        .iter()
        .enumerate()
        .map(|(number, enterprise)| inspection(&mut rng, number, enterprise))
        .collect();
    json!({ "inspections": inspections })
}

fn inspection(rng: &mut Rng, number: usize, enterprise: &Enterprise) -> Value {
    let count = match number {
        0 | 3 => 3,
        2 => 0,
        _ => 1 + rng.below(3) as usize,
    };
    // Steps of 3 through 8 violations never meet the same one twice.
    let first = rng.below(VIOLATIONS.len() as u64) as usize;
    let found: Vec<&Violation> = (0..count)
        .map(|step| &VIOLATIONS[(first + 3 * step) % VIOLATIONS.len()])
        .collect();
    let findings: Vec<Value> = found
        .iter()
        .map(|violation| {
            json!({
                "item": violation.item,
                "violation": violation.violation,
                "grade": violation.grade,
                "place": violation.place,
                "text": violation.text,
                "rectify": violation.rectify,
                "rectify_days": violation.days,
                "photos": 1 + rng.below(2),
            })
        })
        .collect();
    let items: Vec<Value> = ITEMS
        .iter()
        .map(|item| {
            let violated = found.iter().any(|violation| violation.item == *item);
            let result = if violated {
                "violation"
            } else if rng.below(6) == 0 {
                "not_applicable"
            } else {
                "ok"
            };
            json!({ "item": item, "result": result })
        })
        .collect();
    let hour = 8 + number % 2 * 5 + rng.below(3) as usize;
    let statement: &[&str] = match number {
        0 | 3 => &[
            "问：今天的检查你是否全程在场？答：在场。",
            "问：现场发现的问题是否属实？答：属实，配电柜是上周检修后没有关好。",
            "问：你还有什么需要说明的？答：没有，会按期整改。",
        ],
        _ => &[],
    };
    json!({
        "number": number + 1,
        "enterprise": number,
        "tablet": number % 2,
        "day": number / 4,
        "start": format!("{hour:02}:{:02}", rng.below(12) * 5),
        "kind": if number % 5 == 4 { "complaint" } else { "planned" },
        "person_in_charge": { "name": enterprise.legal_representative, "role": rng.pick(ROLES) },
        "signature": if number == 1 { "refused" } else { "strokes" },
        "items": items,
        "findings": findings,
        "statement": statement,
        "video": number == 0 || number == 3,
        "audio": number == 0,
    })
}

#[cfg(test)]
mod tests {
    use super::super::enterprises::invent;
    use super::*;

    #[test]
    fn each_enterprise_is_inspected_and_findings_match_the_checklist() {
        let plan = plan(9, &invent(9, 12));
        let inspections = plan["inspections"].as_array().unwrap();
        assert_eq!(inspections.len(), 12);
        for inspection in inspections {
            let violated = |item: &&Value| item["result"] == "violation";
            let found = inspection["findings"].as_array().unwrap();
            assert_eq!(
                inspection["items"].as_array().unwrap().iter().filter(violated).count(),
                found.len()
            );
            for finding in found {
                assert!(finding["rectify_days"].as_u64().unwrap() >= 1);
                assert!(ITEMS.iter().any(|item| finding["item"] == *item));
            }
        }
        assert_eq!(inspections[1]["signature"], "refused");
        assert_eq!(inspections[2]["findings"].as_array().unwrap().len(), 0);
        for whole in [0, 3] {
            assert_eq!(inspections[whole]["statement"].as_array().unwrap().len(), 3);
            assert_eq!(inspections[whole]["video"], true);
        }
        let films_by = |tablet: u64| {
            inspections
                .iter()
                .filter(|one| one["tablet"] == tablet && one["video"] == true)
                .count()
        };
        assert_eq!([films_by(0), films_by(1)], [1, 1]);
    }

    #[test]
    fn every_id_is_the_packs() {
        let pack = crate::shipped::workspace_root().join("core/packs/cn-work-safety");
        let table = |name: &str| std::fs::read_to_string(pack.join(name)).unwrap();
        let (items, violations, grades) = (table("items.toml"), table("violations.toml"), table("grades.toml"));
        let has = |table: &str, id: &str| table.lines().any(|line| line.trim() == format!("id = \"{id}\""));
        for item in ITEMS {
            assert!(has(&items, item), "items.toml has no {item}");
        }
        for found in VIOLATIONS {
            assert!(
                has(&violations, found.violation),
                "violations.toml has no {}",
                found.violation
            );
            assert!(has(&grades, found.grade), "grades.toml has no {}", found.grade);
        }
    }

    #[test]
    fn the_checklist_covers_what_can_be_found() {
        for violation in VIOLATIONS {
            assert!(ITEMS.contains(&violation.item), "{}", violation.item);
        }
    }
}
