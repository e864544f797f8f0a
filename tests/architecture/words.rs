//! The law is data: no statute, grade or threshold in Rust.

use crate::source::{is_test, without_tests};
use crate::{files, no_faults};

/// Where words for people may stand: the catalogue of messages.
const CATALOGUE: &str = "core/src/catalogue/";

/// Grades of a hazard and kinds of penalty, which a pack names.
const PACK_WORDS: &[&str] = &[
    "重大事故隐患",
    "较大隐患",
    "一般隐患",
    "重大隐患",
    "安全生产法",
    "行政处罚法",
    "行政强制法",
    "万元",
    "责令停产",
];

/// `第…条`: an article of a statute.
fn cites_an_article(line: &str) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find('第') {
        rest = &rest[at + '第'.len_utf8()..];
        let number: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || "〇零一二三四五六七八九十百".contains(*c))
            .collect();
        if !number.is_empty() && rest[number.len()..].starts_with(['条', '款']) {
            return true;
        }
    }
    false
}

/// Everything that ships.
const FOLDERS: [&str; 7] = [
    "core/src",
    "core/proof/src",
    "core/render/src",
    "core/transport/src",
    "core/cli/src",
    "sync-server/src",
    "ffi/src",
];

/// What a number that the law sets is called, in a name of Rust. A pack names its own in `thresholds.toml` and `grades.toml`.
const LEGAL_NUMBERS: &[&str] = &[
    "least_officers",
    "longest_days",
    "retention_years",
    "same_pair_warning",
    "statutory",
    "penalty",
    "fine_",
    "second_officer",
];

/// A rule of the law as a number or a role: such a name beside a literal, or the role of a second officer in a list of
/// required ones. That the role exists is the specification's (operation.md); that an act takes it is a pack's.
fn sets_a_legal_number(line: &str) -> Option<&'static str> {
    let lower = line.to_lowercase();
    let name = LEGAL_NUMBERS.iter().find(|name| lower.contains(**name))?;
    if *name == "second_officer" {
        // `&["officer", "second_officer"]` says who has to sign; a pattern or one word alone only knows the role.
        return lower.contains("[\"officer\", \"second_officer\"]").then_some(*name);
    }
    let after = &lower[lower.find(name)? + name.len()..];
    let value = after.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == ')');
    let value = value.trim_start();
    let compared = ["==", "!=", "<=", ">=", "<", ">", "=", ":"]
        .iter()
        .find_map(|sign| value.strip_prefix(*sign));
    let mut literal = compared?.trim_start();
    // `: u64 = 30` is a typed constant.
    if let Some((kind, value)) = literal.split_once('=')
        && kind.trim().chars().all(char::is_alphanumeric)
    {
        literal = value.trim_start();
    }
    // `: u64` declares; none and one are no threshold of a law: a pack without officers is none at all.
    let digits: String = literal
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '_')
        .collect();
    digits
        .replace('_', "")
        .parse::<u64>()
        .ok()
        .filter(|n| *n > 1)
        .map(|_| *name)
}

#[test]
fn the_law_stands_in_packs_alone() {
    let mut faults = Vec::new();
    for folder in FOLDERS {
        // A test may quote what a pack says.
        let counts = |path: &str| !path.starts_with(CATALOGUE) && !is_test(path);
        for file in files(folder, ".rs").iter().filter(|file| counts(&file.path)) {
            for (number, line) in without_tests(&file.text) {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                let found = PACK_WORDS.iter().find(|word| line.contains(**word)).copied();
                let found = found.or_else(|| cites_an_article(line).then_some("an article"));
                if let Some(word) = found.or_else(|| sets_a_legal_number(line)) {
                    faults.push(format!("{}:{number}: {word}", file.path));
                }
            }
        }
    }
    no_faults(
        &faults,
        "A statute, a grade or a threshold is a pack's datum (core/packs): ask the pack for it by its id.",
    );
}

/// A sentence of the catalogue says what the program did or wants; what the law demands it takes from the pack.
#[test]
fn the_catalogue_states_no_rule_of_the_law() {
    const DEMANDS: &[&str] = &[
        "须注明",
        "应当注明",
        "不得少于",
        "不得超过",
        "must state",
        "no fewer than two",
    ];
    let mut faults = Vec::new();
    for file in files(CATALOGUE, ".toml") {
        for (number, line) in file.text.lines().enumerate() {
            let cited = cites_an_article(line).then_some("an article");
            let word = DEMANDS.iter().find(|word| line.contains(**word)).copied().or(cited);
            let word = word.or_else(|| PACK_WORDS[4..].iter().find(|word| line.contains(**word)).copied());
            faults.extend(word.map(|word| format!("{}:{}: {word}", file.path, number + 1)));
        }
    }
    no_faults(
        &faults,
        "What evidence or a document has to state is a pack's sentence: take it as a parameter.",
    );
}

#[test]
fn legal_numbers_are_recognised() {
    assert!(sets_a_legal_number("let least_officers = 2;").is_some());
    assert!(sets_a_legal_number("if thresholds.least_officers >= 2 {").is_some());
    assert!(sets_a_legal_number("const LONGEST_DAYS: u64 = 30;").is_some());
    assert!(sets_a_legal_number("    retention_years: 5,").is_some());
    assert!(sets_a_legal_number("        \"document.issue\" => &[\"officer\", \"second_officer\"],").is_some());
    assert!(sets_a_legal_number("    pub least_officers: u64,").is_none());
    assert!(sets_a_legal_number("if self.thresholds.least_officers == 0 {").is_none());
    assert!(sets_a_legal_number("matches!(role, \"officer\" | \"second_officer\")").is_none());
}

#[test]
fn articles_are_recognised() {
    assert!(cites_an_article("依据《安全生产法》第六十五条"));
    assert!(cites_an_article("第99条"));
    assert!(!cites_an_article("第一次检查，第二名执法人员"));
}
