//! How fast a person finds a case among many.

use std::path::Path;
use std::time::Instant;

use fieldseal_proof::ids::CaseId;
use fieldseal_sync_server::ledger::sqlite::SqliteLedger;
use fieldseal_sync_server::ledger::{Commit, LedgerStore, LineKind, LineOrder, LineQuery, LineRow, SearchWords, tag};
use fieldseal_sync_server::projection::CaseSummary;
use fieldseal_tests::Folder;
use rusqlite::{Connection, params};

use crate::Scale;
use crate::report::Figure;

/// Lines committed together.
const STEP: usize = 1_000;

/// What is typed: common and rare words of two characters, parts of names, numbers in several ways of writing, codes, addresses,
/// a word with a filter, the list by due date and far down in it.
pub const TYPED: [&str; 14] = [
    "化工",
    "有限公司",
    "恒泰",
    "木业",
    "恒泰化工",
    "临江 机械",
    "云应急检记〔2026〕4711号",
    "【２０２６】815号",
    "9135010",
    "MA2B",
    "纬三路18",
    "工业园区",
    "恒",
    "",
];

/// Indexes as many cases as the scale says in the ledger at `at`, and asks for each of [`TYPED`] in every round.
pub fn search(at: &Path, scale: &Scale) -> Result<Vec<Figure>, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let runtime = runtime.map_err(|e| e.to_string())?;
    let folder = Folder::new("bench-search");
    std::fs::create_dir_all(folder.join("")).map_err(|e| e.to_string())?;
    let ledger = SqliteLedger::open(at).map_err(|e| e.to_string())?;
    let plain = Connection::open(folder.join("plain.sqlite")).map_err(|e| e.to_string())?;
    let failed = |e: rusqlite::Error| e.to_string();
    plain
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE line (number INTEGER PRIMARY KEY, due INTEGER, text TEXT)",
        )
        .map_err(failed)?;
    let what = format!("index of {} cases", scale.cases);
    let mut index = Figure::new(what, "k/s", &["the same texts into a bare table"]);
    let begun = Instant::now();
    for from in (0..scale.cases).step_by(STEP) {
        let lines = (from..(from + STEP).min(scale.cases)).map(line).collect();
        let commit = Commit {
            lines,
            ..Commit::default()
        };
        runtime.block_on(ledger.commit(commit)).map_err(|e| e.to_string())?;
    }
    let indexed = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for from in (0..scale.cases).step_by(STEP) {
        plain.execute_batch("BEGIN").map_err(failed)?;
        for number in from..(from + STEP).min(scale.cases) {
            let row = line(number);
            plain
                .execute(
                    "INSERT INTO line VALUES (?1, ?2, ?3)",
                    params![number as i64, row.due, row.texts.join("\n")],
                )
                .map_err(failed)?;
        }
        plain.execute_batch("COMMIT").map_err(failed)?;
    }
    let cases = scale.cases as f64 / 1_000.0;
    index.round(cases / indexed, &[cases / begun.elapsed().as_secs_f64()]);

    let limits = ["LIKE over the bare table, p95"];
    let mut slowest = Figure::new("find a page of 50 and count, p95", "ms", &limits);
    let mut middle = Figure::new(
        "find a page of 50 and count, p50",
        "ms",
        &["LIKE over the bare table, p50"],
    );
    for _ in 0..scale.rounds.max(3) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for (place, typed) in TYPED.iter().cycle().take(TYPED.len() * 4).enumerate() {
            let query = query(place, typed);
            let begun = Instant::now();
            let page = runtime.block_on(ledger.lines(query)).map_err(|e| e.to_string())?;
            ours.push(begun.elapsed().as_secs_f64() * 1e3);
            if page.total == 0 {
                return Err(format!("nothing was found for {typed:?}"));
            }
            let begun = Instant::now();
            let _: (i64, i64) = plain
                .prepare_cached("SELECT count(*), ifnull(min(due), 0) FROM line WHERE text LIKE '%' || ?1 || '%'")
                .and_then(|mut scan| scan.query_row(params![typed], |row| Ok((row.get(0)?, row.get(1)?))))
                .map_err(failed)?;
            theirs.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        slowest.round(share(&mut ours, 95), &[share(&mut theirs, 95)]);
        middle.round(share(&mut ours, 50), &[share(&mut theirs, 50)]);
    }
    Ok(vec![index, middle, slowest])
}

/// Every fourth time round: plain, by last arrival, with an officer and problems only, a page far down.
fn query(place: usize, typed: &str) -> LineQuery {
    let mut query = LineQuery::new(LineKind::Case, SearchWords::parse(typed));
    match place / TYPED.len() {
        1 => query.order = LineOrder::Seen,
        2 if typed.chars().count() == 2 => query.tags = vec![tag('o', &[3; 16])],
        3 if typed.is_empty() || typed == "有限公司" => query.skip = 1_000,
        _ => {}
    }
    query
}

/// The time that so many of a hundred do not pass.
pub fn share(times: &mut [f64], percent: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times
        .get((times.len() * percent).div_ceil(100).saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

/// A case like those of a county: names, codes, addresses and numbers that repeat as they do there.
fn line(number: usize) -> LineRow {
    const TOWNS: [&str; 8] = ["云岭", "临江", "西山", "东湖", "南坪", "北川", "青石", "白沙"];
    const NAMES: [&str; 12] = [
        "恒泰", "宏达", "鑫源", "红星", "永兴", "天和", "金盛", "华茂", "远山", "近水", "平湖", "盛世",
    ];
    const TRADES: [&str; 10] = [
        "化工", "机械", "木业", "五金", "纺织", "食品", "仓储", "建材", "塑料", "粮油",
    ];
    let pick = |from: &[&'static str], salt: usize| from[(number.wrapping_mul(2_654_435_761) >> salt) % from.len()];
    let (town, name, trade) = (pick(&TOWNS, 3), pick(&NAMES, 9), pick(&TRADES, 17));
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64).to_be_bytes());
    LineRow {
        kind: LineKind::Case,
        id,
        scope: id,
        stage: (number % 4) as u8,
        due: (!number.is_multiple_of(3)).then_some(20_000 + (number % 400) as i32),
        day: Some(19_900 + (number % 500) as i32),
        seen_ms: 1_700_000_000_000 + number as u64,
        problems: u64::from(number.is_multiple_of(17)),
        texts: vec![
            format!("{town}县{name}{trade}有限公司"),
            format!("9135010{:03}MA2B{:06}", number % 10, number),
            format!("{town}县临江工业园区纬三路{}号", number % 300),
            format!("云应急检记〔2026〕{number}号"),
            format!("{name}{trade}安全生产检查"),
        ],
        tags: vec![tag('o', &[(number % 40) as u8; 16])],
        shown: shown(id, format!("{town}县{name}{trade}有限公司")),
    }
}

/// What the list shows of it, as the register holds it.
fn shown(id: [u8; 16], party: String) -> Vec<u8> {
    let summary = CaseSummary {
        case: CaseId::from_bytes(id).to_string(),
        party: Some(party),
        stage: "in_progress".into(),
        ..CaseSummary::default()
    };
    serde_json::to_vec(&summary).unwrap_or_default()
}
