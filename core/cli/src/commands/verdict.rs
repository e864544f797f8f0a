//! The verdict for people: verdict, what lowers it, counts, time, items, withheld, not checked, not proven, how to repeat.

use fieldseal_core::catalogue::Param;
use fieldseal_proof::bundle::{Bound, ItemReport, Report, TimeBasis, TimeBracket, Verdict};
use jiff::Timestamp;

use crate::shell::{Shell, Tone};

/// What no proof here shows; `omission` only where no roll speaks.
const NOT_PROVEN: [&str; 7] = [
    "scene",
    "before_sealing",
    "moment",
    "position",
    "holder",
    "lawful",
    "violation",
];

/// The whole text, line by line. Words come before symbols; colour never stands alone.
pub fn lines(shell: &Shell, report: &Report) -> Vec<String> {
    let mut out = headline(shell, report);
    for finding in &report.findings {
        out.push(format!("  {}  {}", finding.verdict.as_str(), finding.code));
        out.push(format!("    {}: {}", finding.subject, finding.detail));
    }
    out.push(String::new());
    out.extend(counts(shell, report));
    out.push(time_line(shell, report));
    let complete = if report.complete_by_roll {
        "verify.complete"
    } else {
        "completeness.not_claimed"
    };
    out.push(shell.text(complete, &[]));
    for witness in &report.same_operator_witnesses {
        out.push(format!("{witness}  {}", shell.text("trust.same_operator", &[])));
    }
    out.push(String::new());
    out.extend(report.items.iter().flat_map(|item| item_lines(shell, item)));
    let withheld = report.withheld.iter().map(|(id, path)| format!("{path} ({id})"));
    section(&mut out, shell, "verify.withheld", withheld.collect());
    section(&mut out, shell, "verdict.not_checked", report.not_checked.clone());
    let omission = (!report.complete_by_roll).then_some("omission");
    let not_proven = NOT_PROVEN.into_iter().chain(omission);
    let not_proven = not_proven.map(|what| shell.text(&format!("not_proven.{what}"), &[]));
    section(&mut out, shell, "not_proven.title", not_proven.collect());
    out.push(String::new());
    out.push(shell.text("verify.repeat", &[]));
    out
}

fn headline(shell: &Shell, report: &Report) -> Vec<String> {
    let word = report.verdict.as_str();
    let key = format!("verdict.{}", word.to_lowercase());
    let names = [
        ("count", Param::Count(report.witnesses.len() as u64)),
        ("names", Param::text(report.witnesses.join(", "))),
    ];
    // Green is kept for what others have witnessed.
    let tone = match report.verdict {
        Verdict::Witnessed => Tone::Good,
        Verdict::Anchored => Tone::Known,
        Verdict::Unanchored => Tone::Caution,
        Verdict::Diverged | Verdict::Invalid => Tone::Bad,
    };
    // The code word stands beside a translation, so that two readers of two languages can compare.
    let shown = shell.text(&key, &[]);
    let shown = if shown == word {
        shown
    } else {
        format!("{shown}  {word}")
    };
    vec![shell.tone(tone, &shown), shell.text(&format!("{key}.sentence"), &names)]
}

fn counts(shell: &Shell, report: &Report) -> Vec<String> {
    let awaiting = report.operations.iter().filter(|o| !o.awaiting.is_empty()).count();
    let absent = report.items.iter().filter(|i| i.path.is_none()).count();
    let counts = [
        ("operations", Param::Count(report.operations.len() as u64)),
        ("items", Param::Count(report.items.len() as u64)),
        ("files", Param::Count(report.files as u64)),
        ("bytes", Param::Bytes(report.bytes)),
    ];
    let log = [
        ("origin", Param::text(&report.origin)),
        ("size", Param::Count(report.tree_size)),
    ];
    let mut out = vec![shell.text("verify.counts", &counts), shell.text("verify.log", &log)];
    let attests = report.attests.len();
    out.push(shell.say(
        &format!("人员签署 {attests} 项；等待签署 {awaiting} 项。"),
        &format!("{attests} attestations by people; {awaiting} operations await a signature."),
    ));
    if absent > 0 {
        out.push(format!("{}  {absent}", shell.text("verify.not_supplied", &[])));
    }
    out
}

fn time_line(shell: &Shell, report: &Report) -> String {
    let kind = report
        .time
        .map_or_else(|| shell.text("time.none", &[]), |b| basis(shell, b));
    shell.text("time.proof", &[("kind", Param::text(kind))])
}

/// What it is, how it was acquired, when it was sealed, and what the tablet's clock claims beside it.
fn item_lines(shell: &Shell, item: &ItemReport) -> Vec<String> {
    let how = match (item.class, item.acquisition.as_deref()) {
        ("evidence", Some(how)) => shell.text(&format!("acquisition.{how}"), &[]),
        (class, _) => shell.text(&format!("verify.class.{class}"), &[]),
    };
    let title = item.title.as_deref().unwrap_or(&item.id);
    let supplied = match item.path {
        Some(_) => String::new(),
        None => format!(" · {}", shell.text("verify.not_supplied", &[])),
    };
    vec![
        format!("{} · {how}{supplied}", shell.tone(Tone::Strong, title)),
        format!("  SHA-256 {}", item.sha256.as_deref().unwrap_or("-")),
        format!("  {}", bracket_text(shell, &item.bracket)),
        format!("  {}", clock_text(shell, item.clock_ms, &item.bracket)),
    ]
}

/// When something was sealed, as text.
pub fn bracket_text(shell: &Shell, bracket: &TimeBracket) -> String {
    let time = |bound: Bound| Param::text(moment(bound.unix_ms));
    let by = |bound: Bound| Param::text(basis(shell, bound.basis));
    match (bracket.not_before, bracket.not_after) {
        (Some(low), Some(high)) => shell.text(
            "bracket.both",
            &[
                ("lower", time(low)),
                ("lower_by", by(low)),
                ("upper", time(high)),
                ("upper_by", by(high)),
            ],
        ),
        (None, Some(high)) => shell.text("bracket.no_lower", &[("upper", time(high)), ("upper_by", by(high))]),
        (Some(low), None) => shell.text("bracket.order_after", &[("lower", time(low)), ("lower_by", by(low))]),
        (None, None) => shell.text("bracket.order_only", &[]),
    }
}

/// What the tablet's clock claims, beside the bracket.
pub fn clock_text(shell: &Shell, clock_ms: u64, bracket: &TimeBracket) -> String {
    let time = ("time", Param::text(moment(clock_ms)));
    let (low, high) = (bracket.not_before, bracket.not_after);
    let before = low
        .and_then(|bound| bound.unix_ms.checked_sub(clock_ms))
        .filter(|span| *span > 0);
    let after = high
        .and_then(|bound| clock_ms.checked_sub(bound.unix_ms))
        .filter(|span| *span > 0);
    match (before, after) {
        (Some(span), _) => shell.text("clock.before", &[time, ("span", Param::Span(span))]),
        (_, Some(span)) => shell.text("clock.after", &[time, ("span", Param::Span(span))]),
        _ if low.is_some() && high.is_some() => shell.text("clock.inside", &[time]),
        _ => shell.text("clock.claim", &[time]),
    }
}

fn basis(shell: &Shell, basis: TimeBasis) -> String {
    let code = match basis {
        TimeBasis::Claimed => "bracket.by_server",
        TimeBasis::Stamped => "basis.stamped",
        TimeBasis::Cosigned => "basis.cosigned",
    };
    shell.text(code, &[])
}

/// A moment in UTC, to the second.
fn moment(unix_ms: u64) -> String {
    let time = i64::try_from(unix_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(
        || format!("{unix_ms} ms"),
        |t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
    )
}

fn section(out: &mut Vec<String>, shell: &Shell, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        out.push(String::new());
        out.push(shell.tone(Tone::Strong, &shell.text(title, &[])));
        out.extend(lines.into_iter().map(|line| format!("  {line}")));
    }
}
