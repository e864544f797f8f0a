//! What the command line, the console and the applications say alike about a verdict and a time bracket (console.md section 2).
//!
//! Nobody else puts these sentences together. How a moment is written is the caller's: the command line writes UTC, a page the
//! zone of its agency.

use fieldseal_proof::bundle::{Bound, TimeBasis, TimeBracket, Verdict};

use super::{Lang, Param, text};

/// What no proof here shows, as codes below `not_proven.`; `omission` is shown only where no roll speaks.
const NOT_PROVEN: [&str; 7] = [
    "scene",
    "before_sealing",
    "moment",
    "position",
    "holder",
    "lawful",
    "violation",
];

/// The word of a verdict.
pub fn verdict_word(lang: Lang, verdict: Verdict) -> String {
    text(lang, &format!("verdict.{}", verdict.as_str().to_lowercase()), &[])
}

/// The sentence of a verdict; `witnesses` are the independent organisations that cosigned.
pub fn verdict_sentence(lang: Lang, verdict: Verdict, witnesses: &[String]) -> String {
    let names = [
        ("count", Param::Count(witnesses.len() as u64)),
        ("names", Param::text(witnesses.join(", "))),
    ];
    let code = format!("verdict.{}.sentence", verdict.as_str().to_lowercase());
    text(lang, &code, &names)
}

/// `时间证明：…` for the weakest basis among what was checked; `None`: no proven time.
pub fn time_proof(lang: Lang, basis: Option<TimeBasis>) -> String {
    let kind = basis.map_or_else(|| text(lang, "time.none", &[]), |basis| time_basis(lang, basis));
    text(lang, "time.proof", &[("kind", Param::text(kind))])
}

/// Whose word a time is.
pub fn time_basis(lang: Lang, basis: TimeBasis) -> String {
    let code = match basis {
        TimeBasis::Claimed => "bracket.by_server",
        TimeBasis::Stamped => "basis.stamped",
        TimeBasis::Cosigned => "basis.cosigned",
    };
    text(lang, code, &[])
}

/// When something was sealed. `logged`: it has its place in the log.
pub fn bracket_sentence(lang: Lang, bracket: &TimeBracket, logged: bool, moment: impl Fn(u64) -> String) -> String {
    let time = |bound: Bound| Param::text(moment(bound.unix_ms));
    let by = |bound: Bound| Param::text(time_basis(lang, bound.basis));
    let lower = |low: Bound| [("lower", time(low)), ("lower_by", by(low))];
    let upper = |high: Bound| [("upper", time(high)), ("upper_by", by(high))];
    match (bracket.not_before, bracket.not_after) {
        (Some(low), Some(high)) => text(lang, "bracket.both", &[lower(low), upper(high)].concat()),
        (None, Some(high)) => text(lang, "bracket.no_lower", &upper(high)),
        (Some(low), None) if logged => text(lang, "bracket.order_after", &lower(low)),
        (Some(low), None) => text(lang, "bracket.not_logged", &lower(low)),
        (None, None) if logged => text(lang, "bracket.order_only", &[]),
        (None, None) => text(lang, "bracket.neither", &[]),
    }
}

/// Where the device's clock stands beside the bracket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockPlace {
    /// Milliseconds before the lower bound.
    Before(u64),
    Inside,
    /// Milliseconds after the upper bound.
    After(u64),
    /// The bracket is open on a side on which it would have to be.
    Unknown,
}

impl ClockPlace {
    /// The place of a clock's claim.
    pub fn of(clock_ms: u64, bracket: &TimeBracket) -> Self {
        let span = |long: Option<u64>| long.filter(|span| *span > 0);
        let before = bracket
            .not_before
            .and_then(|low| span(low.unix_ms.checked_sub(clock_ms)));
        let after = bracket
            .not_after
            .and_then(|high| span(clock_ms.checked_sub(high.unix_ms)));
        match (before, after) {
            (Some(span), _) => Self::Before(span),
            (_, Some(span)) => Self::After(span),
            _ if bracket.not_before.is_some() && bracket.not_after.is_some() => Self::Inside,
            _ => Self::Unknown,
        }
    }
}

/// What the device's clock claims, beside the bracket.
pub fn clock_sentence(lang: Lang, clock_ms: u64, bracket: &TimeBracket, moment: impl Fn(u64) -> String) -> String {
    let time = ("time", Param::text(moment(clock_ms)));
    match ClockPlace::of(clock_ms, bracket) {
        ClockPlace::Before(span) => text(lang, "clock.before", &[time, ("span", Param::Span(span))]),
        ClockPlace::After(span) => text(lang, "clock.after", &[time, ("span", Param::Span(span))]),
        ClockPlace::Inside => text(lang, "clock.inside", &[time]),
        ClockPlace::Unknown => text(lang, "clock.claim", &[time]),
    }
}

/// What this does not prove, in the fixed order.
pub fn not_proven(lang: Lang, complete_by_roll: bool) -> Vec<String> {
    let omission = (!complete_by_roll).then_some("omission");
    let codes = NOT_PROVEN.into_iter().chain(omission);
    codes
        .map(|what| text(lang, &format!("not_proven.{what}"), &[]))
        .collect()
}
