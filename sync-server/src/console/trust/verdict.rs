//! The verdict panel: shape, word, sentence, what was checked.

use askama::Template;
use askama::filters::HtmlSafe;
use fieldseal_core::catalogue::{Lang, Param, trust};
use fieldseal_proof::bundle::{Report, Verdict};

use super::shape::{Drawing, Shape};
use crate::console::words::Words;

/// What can be said about a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// What a verification came to, and the independent organisations that cosigned.
    Verdict(Verdict, Vec<String>),
    /// Read, and nothing more.
    NotChecked,
    /// Kept back lawfully; the basis.
    Withheld(String),
    /// Destroyed lawfully; the basis.
    Disposed(String),
}

impl Judgement {
    /// From a code word. A word that this version does not know is the worst there is, never a better one.
    pub fn of_word(word: &str) -> Self {
        match word {
            "" | "NOT_CHECKED" => Self::NotChecked,
            word => Self::Verdict(Verdict::from_word(word).unwrap_or(Verdict::Invalid), Vec::new()),
        }
    }

    pub fn shape(&self) -> Shape {
        match self {
            Self::Verdict(Verdict::Invalid, _) => Shape::Octagon,
            Self::Verdict(Verdict::Diverged, _) => Shape::NotEqual,
            Self::Verdict(Verdict::Unanchored, _) => Shape::EmptyCircle,
            Self::Verdict(Verdict::Anchored, _) => Shape::HalfCircle,
            Self::Verdict(Verdict::Witnessed, _) => Shape::FullCircle,
            Self::NotChecked => Shape::Dash,
            Self::Withheld(_) | Self::Disposed(_) => Shape::HatchedBox,
        }
    }

    /// Green is kept for what others have witnessed.
    pub fn tone(&self) -> &'static str {
        match self {
            Self::Verdict(Verdict::Invalid | Verdict::Diverged, _) => "bad",
            Self::Verdict(Verdict::Unanchored, _) => "warn",
            Self::Verdict(Verdict::Anchored, _) => "info",
            Self::Verdict(Verdict::Witnessed, _) => "ok",
            Self::NotChecked | Self::Withheld(_) | Self::Disposed(_) => "none",
        }
    }

    /// The edge of the panel.
    pub fn edge(&self) -> &'static str {
        match self {
            Self::Verdict(Verdict::Diverged, _) => "double",
            Self::Verdict(Verdict::Unanchored, _) => "dashed",
            Self::NotChecked => "dotted",
            _ => "solid",
        }
    }

    /// The word, in a language.
    pub fn word(&self, lang: Lang) -> String {
        let words = Words { lang };
        match self {
            Self::Verdict(verdict, _) => trust::verdict_word(lang, *verdict),
            Self::NotChecked => words.t("verdict.not_checked"),
            Self::Withheld(_) => words.t("verdict.withheld"),
            Self::Disposed(_) => words.t("verdict.disposed"),
        }
    }

    /// The code word, the same in both languages; empty where the catalogue's word is the only one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Verdict(verdict, _) => verdict.as_str(),
            _ => "",
        }
    }

    /// The sentence, in a language.
    pub fn sentence(&self, lang: Lang) -> String {
        let words = Words { lang };
        match self {
            Self::Verdict(verdict, witnesses) => trust::verdict_sentence(lang, *verdict, witnesses),
            Self::NotChecked => words.t("verdict.not_checked.sentence"),
            Self::Withheld(basis) | Self::Disposed(basis) => {
                words.all("verdict.withheld.sentence", &[("basis", Param::text(basis))])
            }
        }
    }
}

/// One thing that was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub what: String,
    pub result: String,
    /// It holds.
    pub holds: bool,
}

/// The whole panel.
#[derive(Debug, Clone, Template)]
#[template(path = "trust/verdict.html")]
pub struct VerdictPanel {
    words: Words,
    drawing: Drawing,
    tone: &'static str,
    edge: &'static str,
    word: String,
    code: &'static str,
    sentence: String,
    time: Option<String>,
    checked: Vec<Checked>,
    same_operator: Vec<String>,
    /// How many signatures are by keys that the server holds, and whether there is one.
    server_held: Option<(String, bool)>,
    by_server: bool,
}

impl HtmlSafe for VerdictPanel {}

impl VerdictPanel {
    /// A panel over what was checked here, one by one. It ends by saying that this server computed it.
    pub fn by_server(words: Words, judgement: &Judgement, checked: Vec<Checked>) -> Self {
        Self {
            words,
            drawing: judgement.shape().drawing(),
            tone: judgement.tone(),
            edge: judgement.edge(),
            word: judgement.word(words.lang),
            code: judgement.code(),
            sentence: judgement.sentence(words.lang),
            time: None,
            checked,
            same_operator: Vec::new(),
            server_held: None,
            by_server: true,
        }
    }

    /// With how many of the signatures that were checked are by keys of the server.
    #[must_use]
    pub fn held_by_server(self, held: trust::ServerHeld) -> Self {
        Self {
            server_held: Some(held_line(self.words, held)),
            ..self
        }
    }

    /// A panel over a verifier's report of a bundle: what lowers the verdict, and the time proof apart. The verifier ran here.
    pub fn of_report(words: Words, report: &Report) -> Self {
        let judgement = Judgement::Verdict(report.verdict, report.witnesses.clone());
        let findings = report.findings.iter().map(|finding| Checked {
            what: format!("{} {}", finding.verdict.as_str(), finding.code),
            result: format!("{}: {}", finding.subject, finding.detail),
            holds: false,
        });
        Self {
            time: Some(trust::time_proof(words.lang, report)),
            same_operator: report.same_operator_witnesses.clone(),
            server_held: Some(held_line(words, trust::ServerHeld::of(report))),
            ..Self::by_server(words, &judgement, findings.collect())
        }
    }
}

fn held_line(words: Words, held: trust::ServerHeld) -> (String, bool) {
    (held.sentence(words.lang), held.any())
}

/// A verdict in one line: in lists, tiles and the identity bar.
#[derive(Debug, Clone, Template)]
#[template(path = "trust/verdict_tag.html")]
pub struct VerdictTag {
    drawing: Drawing,
    tone: &'static str,
    word: String,
    code: &'static str,
    /// `· 41` beside the word; empty for a single thing.
    count: String,
}

impl HtmlSafe for VerdictTag {}

impl VerdictTag {
    pub fn new(words: Words, judgement: &Judgement) -> Self {
        Self {
            drawing: judgement.shape().drawing(),
            tone: judgement.tone(),
            word: judgement.word(words.lang),
            code: judgement.code(),
            count: String::new(),
        }
    }

    /// So many of this verdict.
    pub fn counted(words: Words, judgement: &Judgement, count: usize) -> Self {
        Self {
            count: count.to_string(),
            ..Self::new(words, judgement)
        }
    }
}
