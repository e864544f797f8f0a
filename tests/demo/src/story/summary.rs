//! What was done, in numbers, with the time of each act, and where everything is.

use std::time::Duration;

use super::cast::AGENCY;
use super::plan::Worked;
use super::stage::Stage;
use crate::steps::duration;

/// What the acts found out.
pub struct Facts<'a> {
    /// Inspections that the supervisor assigned.
    pub assigned: usize,
    /// What the tablets did of them.
    pub worked: Worked,
    /// The case that was exported.
    pub case: &'a str,
    /// Verdict on its bundle.
    pub verdict: &'a str,
    /// A line for each tampered copy.
    pub attacks: &'a [String],
    /// Lines on real input, if there was any.
    pub mass: &'a [String],
    /// The acts before this one, with their times.
    pub acts: &'a [(String, Duration)],
}

/// The summary, line by line.
pub fn lines(stage: &Stage, facts: &Facts<'_>) -> Vec<String> {
    let tally = stage.tally();
    let mut lines = vec![
        format!(
            "{AGENCY}: {} of {} inspections worked by two officers on each of two tablets, {} findings",
            facts.worked.inspections, facts.assigned, facts.worked.findings
        ),
        format!(
            "{} operations acknowledged: {} documents, {} signatures, {} refusals, {} attests with an officer's key, {} orders, {} statements",
            tally.count(),
            tally.of("document"),
            tally.of("sign"),
            tally.of("refuse"),
            tally.of("attest"),
            tally.of("order"),
            tally.of("statement")
        ),
        format!(
            "{} files sealed under {} different hashes",
            tally.hashes().values().sum::<u64>(),
            tally.hashes().len()
        ),
        format!(
            "verdict {} on case {}; {} copies refused as they must be",
            facts.verdict,
            facts.case,
            facts.attacks.len()
        ),
    ];
    lines.extend(facts.mass.iter().map(|line| format!("--data: {line}")));
    lines.push(String::new());
    lines.extend(
        facts
            .acts
            .iter()
            .map(|(title, took)| format!("{:>9}  {title}", duration(*took))),
    );
    lines.push(String::new());
    for (what, name) in [
        ("bundle", "bundle"),
        ("trust", "trust"),
        ("documents", "documents"),
        ("tampered", "tampered"),
        ("logs", "logs"),
    ] {
        lines.push(format!("{what:10} {}", stage.path(name).display()));
    }
    lines
}
