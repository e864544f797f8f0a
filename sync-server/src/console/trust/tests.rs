//! Every verdict, bracket form, acquisition and receipt, in both languages, word for word as console.md section 2 has them.

use fieldseal_core::catalogue::Lang;
use fieldseal_proof::bundle::{Bound, TimeBasis, TimeBracket, Verdict};

use super::*;
use crate::console::words::Words;

const ZH: Words = Words { lang: Lang::Zh };
const EN: Words = Words { lang: Lang::En };

/// Judgement, word, code word, sentence zh, sentence en, shape, edge, tone.
type Case = (
    Judgement,
    [&'static str; 2],
    &'static str,
    [&'static str; 2],
    &'static str,
    &'static str,
    &'static str,
);

fn cases() -> Vec<Case> {
    let verdict = |v| Judgement::Verdict(v, vec!["甲所".into(), "乙院".into()]);
    vec![
        (
            verdict(Verdict::Invalid),
            ["无效", "INVALID"],
            "INVALID",
            [
                "检验不通过：至少一处字节、签名或证明不符。",
                "Failed: at least one byte, signature or proof does not match.",
            ],
            "octagon",
            "solid",
            "bad",
        ),
        (
            verdict(Verdict::Diverged),
            ["相互矛盾", "DIVERGED"],
            "DIVERGED",
            [
                "各项单独通过，但两项已签名的事实互相矛盾（列出）。",
                "Each part passes, but two signed facts contradict (listed).",
            ],
            "not-equal",
            "double",
            "bad",
        ),
        (
            verdict(Verdict::Unanchored),
            ["未锚定", "UNANCHORED"],
            "UNANCHORED",
            [
                "内容前后一致，但连不到您提供的信任根或日志；持有人重新签署也会如此。",
                "Consistent, but not tied to the trust root or log you supplied; a bundle re-signed by its bearer looks like this.",
            ],
            "empty-circle",
            "dashed",
            "warn",
        ),
        (
            verdict(Verdict::Anchored),
            ["已锚定", "ANCHORED"],
            "ANCHORED",
            [
                "密钥连到您提供的信任根，各项已列入日志；时间与日志完整性由运营方自述。",
                "Keys chain to your trust root and items are in the log; time, and that there is only one log, are the operator's word.",
            ],
            "half-circle",
            "solid",
            "info",
        ),
        (
            verdict(Verdict::Witnessed),
            ["已见证", "WITNESSED"],
            "WITNESSED",
            [
                "同上，且另有 2 家独立机构（甲所、乙院）联署该日志。",
                "As above, and 2 independent organisations (甲所, 乙院) cosigned the log.",
            ],
            "full-circle",
            "solid",
            "ok",
        ),
        (
            Judgement::NotChecked,
            ["未检验", "not checked"],
            "",
            ["读到了，但没有检验。", "Read but not checked."],
            "dash",
            "dotted",
            "none",
        ),
        (
            Judgement::Withheld("某法".into()),
            ["依法不予提供", "lawfully withheld"],
            "",
            [
                "依据：某法；其余内容仍可检验。",
                "Basis: 某法; the rest still verifies.",
            ],
            "hatched-box",
            "solid",
            "none",
        ),
        (
            Judgement::Disposed("某法".into()),
            ["已依法处置", "lawfully disposed"],
            "",
            [
                "依据：某法；其余内容仍可检验。",
                "Basis: 某法; the rest still verifies.",
            ],
            "hatched-box",
            "solid",
            "none",
        ),
    ]
}

/// As text is in markup.
fn escaped(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html).map_or_else(|_| String::new(), |shown| shown.to_string())
}

#[test]
fn every_verdict_has_its_words_shape_and_tone() {
    for (judgement, words, code, sentences, shape, edge, tone) in cases() {
        for (at, lang) in [ZH, EN].into_iter().enumerate() {
            let shown = VerdictPanel::by_server(lang, &judgement, Vec::new()).to_string();
            assert_eq!(
                (judgement.word(lang.lang).as_str(), judgement.code()),
                (words[at], code)
            );
            assert!(shown.contains(&format!("<strong>{}</strong>", words[at])), "{shown}");
            assert!(shown.contains(&escaped(sentences[at])), "{shown}");
            assert!(
                shown.contains(&format!("class=\"verdict {tone} edge-{edge}\"")),
                "{shown}"
            );
            assert!(shown.contains(&format!("shape-{shape}\"")), "{shown}");
            assert!(code.is_empty() || shown.contains(&format!(">{code}<")), "{shown}");
            let ends = [
                "由本服务器计算；听证请用独立工具核对",
                "computed by this server; for a hearing check with independent tools",
            ];
            assert!(shown.contains(ends[at]), "{shown}");
            let tag = VerdictTag::counted(lang, &judgement, 41).to_string();
            assert!(
                tag.contains(words[at]) && tag.contains("41") && tag.contains(&format!("verdict-tag {tone}")),
                "{tag}"
            );
        }
    }
    let shapes: std::collections::BTreeSet<&str> = cases().iter().map(|case| case.4).collect();
    assert_eq!(
        shapes.len(),
        7,
        "no two verdicts share a shape, but for the two that are one kind"
    );
    let green: Vec<&str> = cases()
        .iter()
        .filter(|case| case.6 == "ok")
        .map(|case| case.2)
        .collect();
    assert_eq!(green, ["WITNESSED"], "green is kept for what others have witnessed");
}

#[test]
fn what_is_not_known_is_never_better() {
    assert_eq!(
        Judgement::of_word("SPLENDID"),
        Judgement::Verdict(Verdict::Invalid, vec![])
    );
    assert_eq!(
        Judgement::of_word("witnessed"),
        Judgement::Verdict(Verdict::Invalid, vec![])
    );
    assert_eq!(Judgement::of_word(""), Judgement::NotChecked);
    assert_eq!(
        Judgement::of_word("ANCHORED"),
        Judgement::Verdict(Verdict::Anchored, vec![])
    );
}

#[test]
fn every_form_of_the_bracket_has_its_words() {
    // 2026-03-02 09:00:04 and 2026-03-09 17:41:30, Beijing time.
    let low = |basis| {
        Some(Bound {
            unix_ms: 1_772_413_204_000,
            basis,
            tree: 12_345,
            who: None,
        })
    };
    let high = |basis| {
        Some(Bound {
            unix_ms: 1_773_049_290_000,
            basis,
            tree: 12_345,
            who: None,
        })
    };
    let bracket = |not_before, not_after| TimeBracket { not_before, not_after };
    let (own, stamp, sign) = (TimeBasis::Claimed, TimeBasis::Stamped, TimeBasis::Cosigned);
    let forms = [
        (
            bracket(low(stamp), high(sign)),
            true,
            "固化时间区间：不早于 2026-03-02 09:00:04 +08:00（依据：时间戳）；不晚于 2026-03-09 17:41:30 +08:00（依据：联署）。",
            "Sealed not before 2026-03-02 09:00:04 +08:00 (by: stamped); not after 2026-03-09 17:41:30 +08:00 (by: cosigned).",
            [Some("proven left"), Some("proven right")],
        ),
        (
            bracket(low(own), high(own)),
            true,
            "固化时间区间：不早于 2026-03-02 09:00:04 +08:00（依据：服务器自述）；不晚于 2026-03-09 17:41:30 +08:00（依据：服务器自述）。",
            "Sealed not before 2026-03-02 09:00:04 +08:00 (by: server's own claim); not after 2026-03-09 17:41:30 +08:00 (by: server's own claim).",
            [Some("claimed left"), Some("claimed right")],
        ),
        (
            bracket(None, high(own)),
            true,
            "固化时间区间：无可证下界；不晚于 2026-03-09 17:41:30 +08:00（依据：服务器自述）。",
            "No proven lower bound; sealed not after 2026-03-09 17:41:30 +08:00 (by: server's own claim).",
            [None, Some("claimed right")],
        ),
        (
            bracket(low(own), None),
            false,
            "固化时间区间：不早于 2026-03-02 09:00:04 +08:00（依据：服务器自述）；尚未列入日志。",
            "Sealed not before 2026-03-02 09:00:04 +08:00 (by: server's own claim). Not yet sealed in the log.",
            [Some("claimed left"), None],
        ),
        (
            bracket(None, None),
            false,
            "无可证下界；尚未列入日志。",
            "No proven lower bound. Not yet sealed in the log.",
            [None, None],
        ),
        (
            bracket(None, None),
            true,
            "只能证明先后，不能证明时刻",
            "Order only, no time",
            [None, None],
        ),
    ];
    for (bracket, logged, zh, en, ends) in forms {
        for (words, sentence) in [(ZH, zh), (EN, en)] {
            let shown = BracketFigure::new(words, "x", &bracket, logged, None).to_string();
            assert!(
                shown.contains(&format!("<figcaption>{}</figcaption>", escaped(sentence))),
                "{shown}"
            );
            assert_eq!(
                shown.matches("open-end").count(),
                ends.iter().filter(|end| end.is_none()).count(),
                "{shown}"
            );
            for end in ends.into_iter().flatten() {
                assert!(shown.contains(&format!("class=\"end {end}\"")), "{end}: {shown}");
            }
            assert!(!shown.contains("<text") && !shown.contains("style="), "{shown}");
        }
    }
}

#[test]
fn the_tablets_clock_is_a_claim_beside_the_bracket() {
    let bound = |unix_ms| {
        Some(Bound {
            unix_ms,
            basis: TimeBasis::Claimed,
            tree: 12_345,
            who: None,
        })
    };
    let bracket = TimeBracket {
        not_before: bound(1_772_413_204_000),
        not_after: bound(1_773_049_290_000),
    };
    let clock = |ms, words| BracketFigure::new(words, "x", &bracket, true, Some(ms)).to_string();
    let inside = clock(1_772_600_000_000, ZH);
    assert!(
        inside.contains("设备时钟（自述）2026-03-04 12:53:20 +08:00，在区间内"),
        "{inside}"
    );
    let early = clock(1_772_413_204_000 - 192_000, ZH);
    assert!(early.contains("早于下界 3 分 12 秒"), "{early}");
    let late = clock(1_773_049_290_000 + 192_000, EN);
    assert!(
        late.contains("3 min 12 s after the upper bound") && late.contains("Device clock (claim)"),
        "{late}"
    );
    for shown in [inside, early, late] {
        assert!(
            shown.contains("<span class=\"claim\">") && shown.contains("clock-mark"),
            "{shown}"
        );
    }
    let meaning = "内容最迟在上界前已存在；内容本身可能早于下界（例如导入、翻拍）。";
    assert!(clock(1_772_600_000_000, ZH).contains(meaning));
}

#[test]
fn only_what_was_made_on_the_spot_looks_so() {
    for (how, zh, en, solid) in [
        (Some("camera"), "现场拍摄", "captured", true),
        (Some("recorder"), "现场录制", "recorded", true),
        (Some("imported"), "导入", "imported", false),
        (Some("scanned"), "扫描", "scanned", false),
        (Some("received"), "他人提供", "received", false),
        (Some("camera2"), "取得方式不明", "acquisition unknown", false),
        (None, "取得方式不明", "acquisition unknown", false),
    ] {
        for (words, word) in [(ZH, zh), (EN, en)] {
            let shown = AcquisitionTag::new(words, how).to_string();
            assert!(shown.contains(word), "{shown}");
            assert_eq!(
                shown.contains("dashed") && shown.contains("arrow-in"),
                !solid,
                "{shown}"
            );
            assert!(shown.contains("tag made"), "a neutral tone: {shown}");
        }
    }
}

#[test]
fn receipts_and_bases_say_exactly_what_they_mean() {
    let zh = ["服务器已接收", "已列入日志", "文件已到达", "可从平板移除"];
    let en = [
        "received (signed promise)",
        "sealed in the log",
        "file arrived",
        "safe to evict",
    ];
    for (receipt, (zh, en)) in Receipt::ALL.into_iter().zip(zh.into_iter().zip(en)) {
        assert_eq!((receipt.word(ZH).as_str(), receipt.word(EN).as_str()), (zh, en));
    }
    let pending = |logged, arrived| {
        ReceiptList::of(ZH, logged, arrived)
            .to_string()
            .matches("pending")
            .count()
    };
    assert_eq!(
        [
            pending(true, true),
            pending(true, false),
            pending(false, true),
            pending(false, false)
        ],
        [0, 2, 2, 3]
    );
    let bases: Vec<String> = Basis::ALL
        .iter()
        .map(|basis| BasisCell::new(ZH, *basis).to_string())
        .collect();
    for (shown, word) in bases.iter().zip(["自述", "签名", "日志", "时间戳", "联署", "未检验"]) {
        assert!(shown.contains(word), "{shown}");
        assert_eq!(shown.contains("basis claim"), word == "自述", "{shown}");
    }
}

#[test]
fn what_is_not_proven_is_always_open() {
    let shown = NotProven::new(ZH, false).to_string();
    assert!(
        shown.contains("不证明什么") && shown.contains("没有未提交的其他材料") && !shown.contains("<details"),
        "{shown}"
    );
    assert!(!NotProven::new(ZH, true).to_string().contains("没有未提交的其他材料"));
    assert_eq!(NotProven::new(EN, false).to_string().matches("<li>").count(), 8);
}
