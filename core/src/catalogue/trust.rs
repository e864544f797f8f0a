//! What the command line, the console and the applications say alike about a verdict and a time bracket (console.md section 2).
//!
//! Nobody else puts these sentences together. How a moment is written is the caller's: the command line writes UTC, a page the
//! zone of its agency.

use std::collections::BTreeMap;

use fieldseal_proof::bundle::{Bound, Report, TimeBasis, TimeBracket, Verdict};
use fieldseal_proof::key_log::Custody;

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
        ("names", Param::text(listed(lang, witnesses))),
    ];
    let code = format!("verdict.{}.sentence", verdict.as_str().to_lowercase());
    text(lang, &code, &names)
}

/// Names in a row, as the language writes them.
pub fn listed(lang: Lang, names: &[String]) -> String {
    names.join(match lang {
        Lang::Zh => "、",
        Lang::En => ", ",
    })
}

/// `时间证明：…` for the weakest basis among what was checked, with who attested it; `None`: no proven time.
pub fn time_proof(lang: Lang, report: &Report) -> String {
    let ends = report.operations.iter().filter_map(|one| one.bracket.not_after);
    let mut who: Vec<String> = ends
        .filter(|end| Some(end.basis) == report.time)
        .filter_map(|end| report.organisations.get(end.who?).cloned())
        .collect();
    who.sort_unstable();
    who.dedup();
    let kind = by_basis(lang, report.time, &who);
    text(lang, "time.proof", &[("kind", Param::text(kind))])
}

/// Whose word the upper bounds of the operations are, and of how many each: the operator's first, then the others by name, then
/// those that nobody bounds.
pub fn attesters(lang: Lang, report: &Report) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<(bool, Option<TimeBasis>, String), u64> = BTreeMap::new();
    for end in report.operations.iter().map(|one| one.bracket.not_after) {
        let who = end.and_then(|end| report.organisations.get(end.who?).cloned());
        let basis = end.map(|end| end.basis);
        let key = (end.is_none(), basis, by_basis(lang, basis, who.as_slice()));
        *counts.entry(key).or_default() += 1;
    }
    counts.into_iter().map(|((_, _, name), count)| (name, count)).collect()
}

/// A basis with the names of those who attested it.
fn by_basis(lang: Lang, basis: Option<TimeBasis>, who: &[String]) -> String {
    let named = [("who", Param::text(listed(lang, who)))];
    match (basis, who.is_empty()) {
        (None, _) => text(lang, "time.none", &[]),
        (Some(TimeBasis::Claimed), _) => text(lang, "time.claimed", &[]),
        (Some(TimeBasis::Stamped), true) => text(lang, "basis.stamped", &[]),
        (Some(TimeBasis::Stamped), false) => text(lang, "time.stamped", &named),
        (Some(TimeBasis::Cosigned), true) => text(lang, "basis.cosigned", &[]),
        (Some(TimeBasis::Cosigned), false) => text(lang, "time.cosigned", &named),
    }
}

/// Whose word an end of a bracket is, by name where it is not the operator's, and for a cosignature of which checkpoint. `organisations`: the names that the report knows.
pub fn time_basis(lang: Lang, bound: &Bound, organisations: &[String]) -> String {
    let who = bound.who.and_then(|who| organisations.get(who));
    match (bound.basis, who) {
        (TimeBasis::Claimed, _) => text(lang, "bracket.by_server", &[]),
        (TimeBasis::Stamped, None) => text(lang, "basis.stamped", &[]),
        (TimeBasis::Stamped, Some(who)) => text(lang, "bracket.by_stamp", &[("who", Param::text(who))]),
        (TimeBasis::Cosigned, None) => text(lang, "basis.cosigned", &[]),
        (TimeBasis::Cosigned, Some(who)) => {
            let params = [("size", Param::Count(bound.tree)), ("who", Param::text(who))];
            text(lang, "bracket.by_checkpoint", &params)
        }
    }
}

/// When something was sealed. `logged`: it has its place in the log; `organisations`: the names that the report knows.
pub fn bracket_sentence(
    lang: Lang,
    bracket: &TimeBracket,
    logged: bool,
    organisations: &[String],
    moment: impl Fn(u64) -> String,
) -> String {
    let time = |bound: Bound| Param::text(moment(bound.unix_ms));
    let by = |bound: Bound| Param::text(time_basis(lang, &bound, organisations));
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

/// How many signatures were made by keys that the server holds. Such a signature says no more than that the server took somebody
/// to be acting, so a verdict tells it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServerHeld {
    /// Operations under a device key that the server holds, its own operations among them.
    pub operations: u64,
    /// Signatures of people under a key that the server holds.
    pub people: u64,
}

impl ServerHeld {
    /// Counts a verifier's report.
    pub fn of(report: &Report) -> Self {
        let server = Custody::Server.as_str();
        Self {
            operations: report.operations.iter().filter(|one| one.custody == server).count() as u64,
            people: report.attests.iter().filter(|one| one.custody == server).count() as u64,
        }
    }

    /// Whether there is one.
    pub fn any(self) -> bool {
        self.operations + self.people > 0
    }

    /// The line of a verdict that says so.
    pub fn sentence(self, lang: Lang) -> String {
        let counts = [
            ("operations", Param::Count(self.operations)),
            ("people", Param::Count(self.people)),
        ];
        text(lang, "verify.server_held", &counts)
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
