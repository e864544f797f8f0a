//! The verdict for people: verdict, what lowers it, counts, time, items, withheld, not checked, not proven, how to repeat.

use fieldseal_core::catalogue::{Param, trust};
use fieldseal_proof::bundle::{ItemReport, Report, TimeBracket, Verdict};
use fieldseal_proof::ids::OpId;
use jiff::Timestamp;

use crate::shell::{Shell, Tone};

/// The whole text, line by line. Words come before symbols; colour never stands alone.
pub fn lines(shell: &Shell, report: &Report) -> Vec<String> {
    let mut out = headline(shell, report);
    for finding in &report.findings {
        out.push(format!("  {}  {}", finding.verdict.as_str(), finding.code));
        out.push(format!("    {}: {}", finding.subject, finding.detail));
    }
    out.push(String::new());
    out.extend(counts(shell, report));
    out.push(trust::time_proof(shell.lang, report));
    let complete = if report.complete_by_roll {
        "verify.complete"
    } else {
        "completeness.not_claimed"
    };
    out.push(shell.text(complete, &[]));
    for witness in &report.same_operator_witnesses {
        out.push(format!("{witness}  {}", shell.text("trust.same_operator", &[])));
    }
    out.push(trust::ServerHeld::of(report).sentence(shell.lang));
    out.push(String::new());
    out.extend(report.items.iter().flat_map(|item| item_lines(shell, report, item)));
    let value = |(id, path): &(OpId, String)| format!("{path} ({id})");
    section(
        &mut out,
        shell,
        "verify.withheld",
        report.withheld.iter().map(value).collect(),
    );
    section(
        &mut out,
        shell,
        "verdict.withheld",
        report.disposed.iter().map(value).collect(),
    );
    section(&mut out, shell, "verdict.not_checked", report.not_checked.clone());
    let not_proven = trust::not_proven(shell.lang, report.complete_by_roll);
    section(&mut out, shell, "not_proven.title", not_proven);
    out.push(String::new());
    out.push(shell.text("verify.repeat", &[]));
    out
}

fn headline(shell: &Shell, report: &Report) -> Vec<String> {
    let word = report.verdict.as_str();
    // Green is kept for what others have witnessed.
    let tone = match report.verdict {
        Verdict::Witnessed => Tone::Good,
        Verdict::Anchored => Tone::Known,
        Verdict::Unanchored => Tone::Caution,
        Verdict::Diverged | Verdict::Invalid => Tone::Bad,
    };
    // The code word stands beside a translation, so that two readers of two languages can compare.
    let shown = trust::verdict_word(shell.lang, report.verdict);
    let shown = if shown == word {
        shown
    } else {
        format!("{shown}  {word}")
    };
    vec![
        shell.tone(tone, &shown),
        trust::verdict_sentence(shell.lang, report.verdict, &report.witnesses),
    ]
}

fn counts(shell: &Shell, report: &Report) -> Vec<String> {
    let awaiting = report.operations.iter().filter(|o| !o.awaiting.is_empty()).count();
    let missing = |i: &&ItemReport| i.path.is_none() && i.disposed_by.is_none();
    let absent = report.items.iter().filter(missing).count();
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
    let signed = [
        ("attests", Param::Count(attests as u64)),
        ("awaiting", Param::Count(awaiting as u64)),
    ];
    out.push(shell.text("verify.signed", &signed));
    if absent > 0 {
        out.push(format!("{}  {absent}", shell.text("verify.not_supplied", &[])));
    }
    out
}

/// What it is, how it was acquired, when it was sealed, and what the tablet's clock claims beside it.
fn item_lines(shell: &Shell, report: &Report, item: &ItemReport) -> Vec<String> {
    let how = match (item.class, item.acquisition.as_deref()) {
        ("evidence", Some(how)) => shell.text(&format!("acquisition.{how}"), &[]),
        (class, _) => shell.text(&format!("verify.class.{class}"), &[]),
    };
    let title = item.title.as_deref().unwrap_or(&item.id);
    let supplied = match (&item.path, item.disposed_by) {
        (Some(_), _) => String::new(),
        (None, Some(disposal)) => format!(" · {} ({disposal})", shell.text("verdict.withheld", &[])),
        (None, None) => format!(" · {}", shell.text("verify.not_supplied", &[])),
    };
    vec![
        format!("{} · {how}{supplied}", shell.tone(Tone::Strong, title)),
        format!("  SHA-256 {}", item.sha256.as_deref().unwrap_or("-")),
        format!("  {}", bracket_text(shell, &item.bracket, &report.organisations)),
        format!("  {}", clock_text(shell, item.clock_ms, &item.bracket)),
    ]
}

/// When something was sealed, as text. What a device or a bundle asks about has its place in the log.
pub fn bracket_text(shell: &Shell, bracket: &TimeBracket, organisations: &[String]) -> String {
    trust::bracket_sentence(shell.lang, bracket, true, organisations, moment)
}

/// What the tablet's clock claims, beside the bracket.
pub fn clock_text(shell: &Shell, clock_ms: u64, bracket: &TimeBracket) -> String {
    trust::clock_sentence(shell.lang, clock_ms, bracket, moment)
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
