//! The verdict for people, in the order of `core/docs/cli.md`: verdict, counts, time, withheld, not checked, not proven, how to repeat.

use fieldseal_core::catalogue::{Lang, Param, text};
use fieldseal_proof::bundle::{Bound, ItemReport, Report, TimeBasis, TimeBracket, Verdict};
use jiff::Timestamp;

use crate::output::Output;

const NOT_PROVEN: [&str; 7] = [
    "scene",
    "before_sealing",
    "moment",
    "position",
    "holder",
    "lawful",
    "violation",
];

/// The whole text.
pub fn of(report: &Report, lang: Lang, output: &Output) -> String {
    let say = |code: &str, params: &[(&'static str, Param)]| text(lang, code, params);
    let code = report.verdict.as_str().to_lowercase();
    let word = match lang {
        Lang::Zh => format!("{} {}", say(&format!("verdict.{code}"), &[]), report.verdict.as_str()),
        Lang::En => report.verdict.as_str().to_owned(),
    };
    let mut out = vec![output.bold(&word), sentence(report, lang), String::new()];
    for finding in &report.findings {
        out.push(format!("  {}  {}", finding.verdict.as_str(), finding.code));
        out.push(format!("    {}: {}", finding.subject, finding.detail));
    }
    if !report.findings.is_empty() {
        out.push(String::new());
    }
    out.push(say("verify.counts", &counts(report)));
    out.push(say(
        "verify.log",
        &[
            ("origin", Param::text(&report.origin)),
            ("size", Param::Count(report.tree_size)),
        ],
    ));
    let roll = if report.complete_by_roll {
        "verify.complete"
    } else {
        "completeness.not_claimed"
    };
    out.push(say(roll, &[]));
    for name in &report.same_operator_witnesses {
        out.push(format!("{name}: {}", say("trust.same_operator", &[])));
    }
    let kind = report.time.map_or_else(|| say("time.none", &[]), |t| basis(t, lang));
    out.push(say("time.proof", &[("kind", Param::text(kind))]));
    out.push(String::new());
    out.extend(report.items.iter().flat_map(|item| item_lines(item, lang)));
    section(
        &mut out,
        say("verify.withheld", &[]),
        report.withheld.iter().map(|(id, path)| format!("{path} ({id})")),
    );
    section(
        &mut out,
        say("verdict.not_checked", &[]),
        report.not_checked.iter().cloned(),
    );
    let omission = (!report.complete_by_roll).then_some("omission");
    let not_proven = NOT_PROVEN
        .into_iter()
        .chain(omission)
        .map(|key| say(&format!("not_proven.{key}"), &[]));
    section(&mut out, say("not_proven.title", &[]), not_proven);
    out.push(say("verify.repeat", &[]));
    out.join("\n")
}

fn sentence(report: &Report, lang: Lang) -> String {
    let code = format!("verdict.{}.sentence", report.verdict.as_str().to_lowercase());
    let names = Param::text(report.witnesses.join(", "));
    let params: &[(&'static str, Param)] = match report.verdict {
        Verdict::Witnessed => &[("count", Param::Count(report.witnesses.len() as u64)), ("names", names)],
        _ => &[],
    };
    text(lang, &code, params)
}

fn counts(report: &Report) -> [(&'static str, Param); 4] {
    [
        ("operations", Param::Count(report.operations.len() as u64)),
        ("items", Param::Count(report.items.len() as u64)),
        ("files", Param::Count(report.files as u64)),
        ("bytes", Param::Bytes(report.bytes)),
    ]
}

/// What it is, how it was acquired, when it was sealed, and what the tablet's clock claims.
fn item_lines(item: &ItemReport, lang: Lang) -> Vec<String> {
    let say = |code: &str, params: &[(&'static str, Param)]| text(lang, code, params);
    let acquisition = match (item.class, item.acquisition.as_deref()) {
        ("evidence", Some(how)) => say(&format!("acquisition.{how}"), &[]),
        _ => say(&format!("verify.class.{}", item.class), &[]),
    };
    let title = item.title.as_deref().unwrap_or(&item.id);
    let hash = item.sha256.as_deref().unwrap_or("-");
    let supplied = if item.path.is_some() {
        String::new()
    } else {
        format!(" · {}", say("verify.not_supplied", &[]))
    };
    vec![
        format!("{title} · {acquisition}{supplied}"),
        format!("  SHA-256 {hash}"),
        format!("  {}", bracket_text(&item.bracket, lang)),
        format!("  {}", clock_text(item, lang)),
    ]
}

fn bracket_text(bracket: &TimeBracket, lang: Lang) -> String {
    let time = |b: Bound| Param::text(moment(b.unix_ms));
    let by = |b: Bound| Param::text(basis(b.basis, lang));
    match (bracket.not_before, bracket.not_after) {
        (Some(low), Some(high)) => text(
            lang,
            "bracket.both",
            &[
                ("lower", time(low)),
                ("lower_by", by(low)),
                ("upper", time(high)),
                ("upper_by", by(high)),
            ],
        ),
        (None, Some(high)) => text(
            lang,
            "bracket.no_lower",
            &[("upper", time(high)), ("upper_by", by(high))],
        ),
        (Some(low), None) => text(
            lang,
            "bracket.order_after",
            &[("lower", time(low)), ("lower_by", by(low))],
        ),
        (None, None) => text(lang, "bracket.order_only", &[]),
    }
}

fn clock_text(item: &ItemReport, lang: Lang) -> String {
    let time = ("time", Param::text(moment(item.clock_ms)));
    let (low, high) = (item.bracket.not_before, item.bracket.not_after);
    let before = low
        .filter(|b| item.clock_ms < b.unix_ms)
        .map(|b| b.unix_ms - item.clock_ms);
    let after = high
        .filter(|b| item.clock_ms > b.unix_ms)
        .map(|b| item.clock_ms - b.unix_ms);
    match (before, after) {
        (Some(span), _) => text(lang, "clock.before", &[time, ("span", Param::Span(span))]),
        (_, Some(span)) => text(lang, "clock.after", &[time, ("span", Param::Span(span))]),
        _ if low.is_some() && high.is_some() => text(lang, "clock.inside", &[time]),
        _ => text(lang, "clock.claim", &[time]),
    }
}

fn basis(basis: TimeBasis, lang: Lang) -> String {
    match basis {
        TimeBasis::Claimed => text(lang, "bracket.by_server", &[]),
        TimeBasis::Stamped => text(lang, "basis.stamped", &[]),
        TimeBasis::Cosigned => text(lang, "basis.cosigned", &[]),
    }
}

/// A moment with its offset from UTC, to the second; out of range as milliseconds.
fn moment(unix_ms: u64) -> String {
    let stamp = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    stamp.map_or_else(
        || format!("{unix_ms} ms"),
        |t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

fn section(out: &mut Vec<String>, title: String, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.map(|l| format!("  {l}")).collect();
    if !lines.is_empty() {
        out.push(String::new());
        out.push(title);
        out.extend(lines);
    }
}
