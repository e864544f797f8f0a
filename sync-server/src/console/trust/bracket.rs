//! The time bracket: text first, figure second. The figure holds no text, so it may shrink.

use askama::Template;
use askama::filters::HtmlSafe;
use fieldseal_core::catalogue::trust::{ClockPlace, bracket_sentence, clock_sentence};
use fieldseal_proof::bundle::{TimeBasis, TimeBracket};

use crate::console::words::Words;

/// Where the two ends stand in a drawing 320 units wide.
const LEFT: u64 = 72;
const RIGHT: u64 = 248;

/// How an end of the bracket is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Attested by somebody else: a full bar.
    Proven,
    /// The server's own word: a hollow bar.
    Claimed,
    /// Nothing bounds it: the line runs on, dashed, with an arrow.
    Open,
}

impl End {
    fn of(basis: Option<TimeBasis>) -> Self {
        match basis {
            Some(TimeBasis::Claimed) => End::Claimed,
            Some(_) => End::Proven,
            None => End::Open,
        }
    }
}

/// The bracket of one operation.
#[derive(Debug, Clone, Template)]
#[template(path = "trust/bracket.html")]
pub struct BracketFigure {
    /// Makes the ids of title and description its own on the page.
    id: String,
    title: String,
    sentence: String,
    clock: Option<String>,
    meaning: String,
    left: End,
    right: End,
    /// Where the device's clock stands in the drawing.
    clock_x: Option<u64>,
}

impl HtmlSafe for BracketFigure {}

impl BracketFigure {
    /// `logged`: the operation lies below a published checkpoint. `clock_ms`: the tablet's claim.
    pub fn new(
        words: Words,
        id: impl Into<String>,
        bracket: &TimeBracket,
        logged: bool,
        clock_ms: Option<u64>,
    ) -> Self {
        let moment = |ms| words.stamp(ms);
        Self {
            id: id.into(),
            title: words.t("bracket.title"),
            sentence: bracket_sentence(words.lang, bracket, logged, &[], moment),
            clock: clock_ms.map(|clock| clock_sentence(words.lang, clock, bracket, moment)),
            meaning: words.t("bracket.meaning"),
            left: End::of(bracket.not_before.map(|bound| bound.basis)),
            right: End::of(bracket.not_after.map(|bound| bound.basis)),
            clock_x: clock_ms.and_then(|clock| clock_place(clock, bracket)),
        }
    }
}

/// Inside the bracket in proportion, outside it at a fixed place beside: the distance stands in the sentence.
fn clock_place(clock_ms: u64, bracket: &TimeBracket) -> Option<u64> {
    match ClockPlace::of(clock_ms, bracket) {
        ClockPlace::Before(_) => Some(LEFT - 40),
        ClockPlace::After(_) => Some(RIGHT + 40),
        ClockPlace::Inside => {
            let (low, high) = (bracket.not_before?.unix_ms, bracket.not_after?.unix_ms);
            let share = (clock_ms - low).saturating_mul(RIGHT - LEFT) / (high - low).max(1);
            Some(LEFT + share)
        }
        ClockPlace::Unknown => None,
    }
}

/// The bracket in one line, for lists and tiles: the end that is proven, or the words for its lack.
pub fn short(words: Words, bracket: &TimeBracket, logged: bool) -> String {
    match bracket.not_after {
        Some(high) => words.t1("bracket.short", "upper", words.minute(high.unix_ms)),
        None if logged => words.t("bracket.order_only"),
        None => words.t("bracket.unlogged"),
    }
}
