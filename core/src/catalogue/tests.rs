use std::collections::BTreeSet;

use super::table::{GROUPS, TABLE, group, placeholders};
use super::*;

/// Words that promise more than a signature can hold, and the phrases in which they are allowed.
const BANNED: &str = include_str!("banned.txt");

#[test]
fn every_file_parses_and_no_code_stands_twice() {
    let mut seen = BTreeSet::new();
    for (name, file) in GROUPS {
        let sentences = group(file).unwrap_or_else(|error| panic!("messages/{name}.toml: {error}"));
        assert!(!sentences.is_empty(), "{name} is empty");
        for code in sentences.into_keys() {
            assert!(seen.insert(code.clone()), "{code} stands twice");
        }
    }
    assert!(seen.len() > 100);
}

#[test]
fn both_languages_say_the_same_things() {
    for (code, sentence) in TABLE.iter() {
        let declared: BTreeSet<String> = sentence.params.keys().cloned().collect();
        assert_eq!(placeholders(&sentence.zh), declared, "{code} zh");
        assert_eq!(placeholders(&sentence.en), declared, "{code} en");
        for kind in sentence.params.values() {
            assert!(
                ["text", "label", "count", "bytes", "span"].contains(&kind.as_str()),
                "{code}: {kind}"
            );
        }
        assert!(
            !sentence.zh.trim().is_empty() && !sentence.en.trim().is_empty(),
            "{code}"
        );
        // A value alone, like a size, says nothing that would have to be translated.
        let own = declared.iter().fold(sentence.zh.clone(), |rest, name| {
            rest.replace(&format!("{{{name}}}"), "")
        });
        assert!(
            own.is_empty() || own.chars().any(|c| c >= '\u{2e80}'),
            "{code}: the Chinese sentence is not Chinese"
        );
    }
}

/// The banned words that a text says.
fn banned(text: &str) -> Vec<&'static str> {
    let lines = BANNED.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (allowed, words): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with("- "));
    let mut rest = text.to_lowercase();
    for phrase in allowed {
        rest = rest.replace(&phrase[2..], "");
    }
    let said = |word: &&str| match word.is_ascii() {
        true => rest
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .any(|one| one == *word),
        false => rest.contains(*word),
    };
    words.into_iter().filter(said).collect()
}

#[test]
fn no_banned_word() {
    assert_eq!(
        banned("A Tamper-proof 区块链, verified by nobody, verified"),
        ["区块链", "tamper-proof", "verified"]
    );
    assert!(banned("画面真实、未经摆拍；authenticated").is_empty());
    for (code, sentence) in TABLE.iter() {
        for text in [&sentence.zh, &sentence.en] {
            assert_eq!(banned(text), Vec::<&str>::new(), "{code}: {text}");
        }
        assert!(
            !sentence.zh.contains(['!', '！']) && !sentence.en.contains('!'),
            "{code} shouts"
        );
    }
}

#[test]
fn a_sentence_is_filled_and_an_unknown_code_is_named() {
    assert_eq!(
        text(Lang::Zh, "offline", &[("count", Param::Count(12))]),
        "没有网络。12 项只存在本机，联网后自动发送。"
    );
    assert_eq!(
        text(Lang::En, "offline", &[("count", Param::Count(12))]),
        "No network. 12 items exist only on this tablet and will be sent when connected."
    );
    assert!(text(Lang::En, "offline", &[]).contains("{count}"));
    assert!(text(Lang::En, "from_the_future", &[]).contains("from_the_future"));
    let message = Message::new("field_empty", [("field", Param::label("name"))]);
    assert!(message.text(Lang::Zh).contains(&text(Lang::Zh, "label.name", &[])));
}

#[test]
fn braces_in_values_are_not_templates() {
    let shown = text(Lang::En, "not_found", &[("what", Param::text("{what}"))]);
    assert!(shown.contains("{what}"));
}

/// Groups whose plain codes are errors and remarks: what a person reads when something did not go as wished.
const ERRORS: [&str; 6] = ["input", "device", "app", "sync", "cli", "server"];

/// Sentences of those groups that are shorter, each for its reason.
const SHORTER: [(&str, &str); 18] = [
    ("offline", "its words are fixed by the design: two parts in one clause"),
    (
        "wrong_server",
        "its words are fixed by the design: nothing was sent, and nobody can mend it here",
    ),
    (
        "storage_low",
        "its words are fixed by the design: a warning, nothing has failed",
    ),
    (
        "clock_jump",
        "its words are fixed by the design: there is nothing to do",
    ),
    ("blob_changed", "its words are fixed by the design"),
    (
        "db_damaged",
        "its words are fixed by the design: two parts in one clause",
    ),
    (
        "no_such_page",
        "a page that is looked at: nothing was done that could be lost",
    ),
    ("clock_by_hand", "a remark about a claim: there is nothing to do"),
    ("revoked", "its words are fixed by the design"),
    (
        "epoch_changed",
        "a remark: the device does by itself what is to be done",
    ),
    ("upload_resumed", "progress"),
    ("records_first", "progress"),
    ("sync_done", "a result"),
    ("exported", "a result"),
    ("fsck_clean", "a result"),
    ("fingerprint_compare", "an instruction, nothing has happened"),
    ("number_exhausted", "the next sync leases more by itself"),
    ("log_unreachable", "the server tries again by itself"),
];

/// Words that tell what became of the data.
const SAFE_ZH: [&str; 22] = [
    "没有",
    "不受影响",
    "未改动",
    "未采用",
    "未导入",
    "保留",
    "保存",
    "都在",
    "不变",
    "照常",
    "已接收",
    "可用",
    "固化",
    "写入",
    "写在本机",
    "在本机",
    "仍用",
    "仍可",
    "已上交",
    "不会重发",
    "可以导出",
    "不动",
];
const SAFE_EN: [&str; 27] = [
    "nothing",
    "not affected",
    "unaffected",
    "unchanged",
    "not changed",
    "kept",
    "keeps",
    "saved",
    "sealed",
    "stay",
    "is here",
    "on this device",
    "not taken",
    "not written",
    "was not",
    "were not",
    "is taken",
    "came before",
    "usable",
    "not lost",
    "no row",
    "no file",
    "written",
    "safe",
    "not imported",
    "handed in",
    "may export",
];
/// What the last part begins or goes with when it says what to do, or that it will be done.
const DO_ZH: [&str; 6] = ["请", "自动", "可以", "待", "届时", "如"];
const DO_EN: &str = "add ask begin bring call capture change check choose close commit compare connect copy correct deal delegate do \
                     enrol enter export fetch fill finish get give go have import keep let make name note open put restart return \
                     run scan see send set settle shorten show sign start stop sync tell to try type update upload use wait write";
/// What is done without the reader.
const BY_ITSELF_EN: [&str; 5] = ["will be", "you can", "you may", "goes on", "sent once"];

/// The parts of a sentence, as a reader takes them in.
fn parts<'a>(text: &'a str, ends: &[&str]) -> Vec<&'a str> {
    let mut parts = vec![text];
    for end in ends {
        parts = parts.into_iter().flat_map(|part| part.split(end)).collect();
    }
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

/// What an error lacks of the form, or nothing.
fn lacks(sentence: &super::table::Sentence) -> Vec<&'static str> {
    let (zh, en) = (
        parts(&sentence.zh, &["。", "；"]),
        parts(&sentence.en, &[". ", "; ", ": "]),
    );
    let lower = sentence.en.to_lowercase();
    let first = |part: &str| part.split([' ', ',', '.']).next().unwrap_or_default().to_lowercase();
    let acts = DO_EN.split_whitespace().collect::<BTreeSet<_>>();
    let found = [
        ("three parts in Chinese", zh.len() >= 3),
        ("three parts in English", en.len() >= 3),
        (
            "what is safe, in Chinese",
            SAFE_ZH.iter().any(|word| sentence.zh.contains(word)),
        ),
        (
            "what is safe, in English",
            SAFE_EN.iter().any(|word| lower.contains(word)),
        ),
        (
            "what to do, in Chinese",
            DO_ZH.iter().any(|word| sentence.zh.contains(word)),
        ),
        (
            "what to do, in English",
            en.iter().skip(1).any(|part| acts.contains(first(part).as_str()))
                || BY_ITSELF_EN.iter().any(|words| lower.contains(words)),
        ),
    ];
    found
        .into_iter()
        .filter(|(_, holds)| !holds)
        .map(|(what, _)| what)
        .collect()
}

#[test]
fn an_error_says_what_happened_what_is_safe_and_what_to_do() {
    let mut faults = Vec::new();
    let mut checked = 0;
    for (name, file) in GROUPS.iter().filter(|(name, _)| ERRORS.contains(name)) {
        for (code, sentence) in group(file).unwrap() {
            // A code with a point is a word or a line of a report.
            if code.contains('.') || SHORTER.iter().any(|(short, _)| *short == code) {
                continue;
            }
            checked += 1;
            let lacking = lacks(&sentence);
            if !lacking.is_empty() {
                faults.push(format!("{name} {code} lacks {}", lacking.join(", ")));
            }
        }
    }
    assert!(faults.is_empty(), "\n  {}\n", faults.join("\n  "));
    assert!(checked > 150, "{checked}");
    for (short, why) in SHORTER {
        assert!(
            exists(short) && !why.is_empty(),
            "{short} is allowed to be shorter and is not there"
        );
    }
}

#[test]
fn the_form_is_missed_where_it_is_missing() {
    let sentence = |zh: &str, en: &str| super::table::Sentence {
        zh: zh.into(),
        en: en.into(),
        params: Default::default(),
    };
    assert_eq!(
        lacks(&sentence(
            "坏了。没有改动。请再试。",
            "It broke. Nothing was changed. Try again."
        )),
        [""; 0]
    );
    let bare = lacks(&sentence("坏了。", "It broke."));
    assert_eq!(bare.len(), 6, "{bare:?}");
    let silent = lacks(&sentence("坏了。真的。请再试。", "It broke. Really. Try again."));
    assert_eq!(silent, ["what is safe, in Chinese", "what is safe, in English"]);
}

/// The basis words of console.md section 2: who stamped, which checkpoint and who cosigned it, or the server's own word.
#[test]
fn a_bracket_names_who_attests_each_end() {
    use fieldseal_proof::bundle::{Bound, TimeBasis, TimeBracket};
    let bound = |basis, who| Bound {
        unix_ms: 0,
        basis,
        tree: 12_345,
        who,
    };
    let names = ["甲所".to_owned(), "乙院".to_owned()];
    let sentence = |lang, low, high| {
        let bracket = TimeBracket {
            not_before: Some(low),
            not_after: Some(high),
        };
        trust::bracket_sentence(lang, &bracket, true, &names, |_| "T".into())
    };
    let (stamped, cosigned) = (bound(TimeBasis::Stamped, Some(0)), bound(TimeBasis::Cosigned, Some(1)));
    assert_eq!(
        sentence(Lang::Zh, stamped, cosigned),
        "固化时间区间：不早于 T（依据：甲所时间戳）；不晚于 T（依据：检查点 12,345，乙院联署）。"
    );
    assert_eq!(
        sentence(Lang::En, stamped, cosigned),
        "Sealed not before T (by: time stamp of 甲所); not after T (by: checkpoint 12,345, cosigned by 乙院)."
    );
    // A name that the report does not know is none.
    let unknown = bound(TimeBasis::Cosigned, Some(9));
    assert!(
        sentence(Lang::Zh, bound(TimeBasis::Claimed, None), unknown)
            .ends_with("服务器自述）；不晚于 T（依据：联署）。")
    );
    let sentence = trust::verdict_sentence(Lang::Zh, fieldseal_proof::bundle::Verdict::Witnessed, &names);
    assert!(sentence.contains("2 家独立机构（甲所、乙院）联署"), "{sentence}");
}
