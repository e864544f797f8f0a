use std::collections::BTreeSet;

use super::table::{GROUPS, TABLE, group, placeholders};
use super::*;

/// Words that promise more than a signature can hold.
const BANNED: [&str; 11] = [
    "真实",
    "防伪",
    "不可篡改",
    "已验证",
    "上链",
    "区块链",
    "authentic",
    "genuine",
    "tamper-proof",
    "guaranteed",
    "verified",
];
/// The one sentence that must name what is *not* proven may use the word.
const MAY_DENY: [&str; 1] = ["not_proven.scene"];

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

#[test]
fn no_banned_word() {
    for (code, sentence) in TABLE.iter().filter(|(code, _)| !MAY_DENY.contains(&code.as_str())) {
        for word in BANNED {
            let said = sentence.zh.contains(word)
                || sentence
                    .en
                    .to_lowercase()
                    .split(|c: char| !c.is_alphanumeric() && c != '-')
                    .any(|w| w == word);
            assert!(!said, "{code} says {word}");
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
