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

#[test]
fn the_law_stands_in_packs_alone() {
    let mut faults = Vec::new();
    for folder in [
        "core/src",
        "core/proof/src",
        "core/render/src",
        "core/transport/src",
        "sync-server/src",
    ] {
        // A test may quote what a pack says.
        let counts = |path: &str| !path.starts_with(CATALOGUE) && !is_test(path);
        for file in files(folder, ".rs").iter().filter(|file| counts(&file.path)) {
            for (number, line) in without_tests(&file.text) {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                let found = PACK_WORDS.iter().find(|word| line.contains(**word)).copied();
                if let Some(word) = found.or_else(|| cites_an_article(line).then_some("an article")) {
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

#[test]
fn articles_are_recognised() {
    assert!(cites_an_article("依据《安全生产法》第六十五条"));
    assert!(cites_an_article("第99条"));
    assert!(!cites_an_article("第一次检查，第二名执法人员"));
}
