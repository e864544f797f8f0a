//! The tables of a pack as a jurist writes them. A key that is not named here is refused by file and key.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::catalogue::Lang;
use crate::domain::Day;

/// A word or sentence in the languages of the pack. The first language is the one that binds.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    #[serde(default)]
    pub zh: String,
    #[serde(default)]
    pub en: String,
}

impl Words {
    /// In a language, or in the other one where the pack has none.
    pub fn text(&self, lang: Lang) -> &str {
        match self.language(lang) {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }

    /// The language in which [`Words::text`] answers, so that a page can mark what is not in its own.
    pub fn language(&self, lang: Lang) -> Lang {
        match lang {
            Lang::Zh if self.zh.is_empty() => Lang::En,
            Lang::En if self.en.is_empty() => Lang::Zh,
            asked => asked,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.zh.is_empty() && self.en.is_empty()
    }
}

/// `pack.toml`: what the pack is and when it applies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackHead {
    pub id: String,
    pub jurisdiction: String,
    pub version: String,
    pub in_force_from: String,
    pub in_force_to: Option<String>,
    pub title: Words,
    /// The language its documents are written in: `zh` or `en`.
    pub language: String,
    /// Minutes east of UTC of the local time in its documents.
    pub utc_offset_minutes: i32,
    /// Clauses that `clauses.toml` does not have may be cited as they are written.
    #[serde(default)]
    pub open_clauses: bool,
    /// Roles that attest that credentials were shown; adds to the specification's least set.
    #[serde(default)]
    pub credentials_attested_by: Vec<String>,
    /// Who approved it; empty while nobody has.
    pub approved_by: String,
}

/// `clauses.toml`: a clause of a law, with its text and its source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    pub id: String,
    pub law: String,
    pub article: String,
    pub paragraph: Option<String>,
    /// As it is cited in a document.
    pub cite: Words,
    pub text: String,
    pub in_force_from: String,
    pub in_force_to: Option<String>,
    pub source: String,
}

impl Clause {
    /// Whether it is in force on a day.
    pub fn in_force(&self, day: Day) -> bool {
        let date = |text: &str| Day::parse("date", text).ok();
        date(&self.in_force_from).is_some_and(|from| from <= day)
            && self.in_force_to.as_deref().and_then(date).is_none_or(|to| day <= to)
    }
}

/// `items.toml`, a group of items that are walked together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    pub id: String,
    pub name: Words,
}

/// `items.toml`: one thing to look at, with the duty it follows from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InspectionItem {
    pub id: String,
    pub checklist: String,
    pub text: Words,
    /// How it is looked at.
    #[serde(default = "Words::none")]
    pub method: Words,
    /// Clause id of the duty.
    pub duty: String,
    pub violation: Option<String>,
    /// Grade proposed when it is not in order; the officer decides.
    pub grade: Option<String>,
}

/// `violations.toml`: what it is called when the duty is not met, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Violation {
    pub id: String,
    pub name: Words,
    /// Clause ids of the duty.
    pub duty: Vec<String>,
    /// Clause ids of the penalty.
    #[serde(default)]
    pub penalty: Vec<String>,
}

/// `grades.toml`: a grade of hazard or class of citation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    pub id: String,
    pub name: Words,
    /// Greater is graver.
    pub rank: u32,
    /// An order about it needs a due date.
    pub dated_order: bool,
    /// Most days between order and due date.
    pub longest_days: Option<u64>,
    /// Withdrawing people or suspending work has to be decided.
    pub suspension: bool,
    /// Printed in bold and counted apart in an order.
    pub emphasised: bool,
    #[serde(default)]
    pub note: String,
}

/// `thresholds.toml`: numbers that the engine needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Least number of officers at an inspection.
    pub least_officers: u64,
    /// Hours after which what exists only on a tablet is reported as too old.
    pub unsynced_hours: u64,
    /// Hours after which an officer has to enter the PIN again.
    pub session_hours: u64,
    /// Free bytes below which recording is warned about.
    pub storage_warning_bytes: u64,
    /// Free bytes that are kept for records and never used for media.
    pub storage_reserve_bytes: u64,
    /// Inspections of one enterprise by the same pair of officers in a row from which a warning is shown.
    pub same_pair_warning: u64,
    /// How long a case file is kept, in years; 0 means permanently.
    pub retention_years: u64,
    #[serde(default)]
    pub note: String,
}

/// `documents.toml`: a statutory document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentDefinition {
    pub id: String,
    pub name: Words,
    /// Template in `templates/`, without `.typ`.
    pub template: String,
    /// Number series, where the form has a number.
    pub number: Option<String>,
    /// The number must be there before it is issued.
    #[serde(default)]
    pub number_required: bool,
    /// Roles that attest with their keys; adds to the specification's least set.
    pub attested_by: Vec<String>,
    /// Roles that sign on the document itself, or refuse to.
    pub signed_by: Vec<String>,
    pub remedy: Option<String>,
    /// The clause or rule it is made under, as cited.
    pub basis: Option<String>,
    /// Documents or acts that come first.
    #[serde(default)]
    pub requires: Vec<String>,
}

/// `numbers.toml`: how a document number is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberSeries {
    pub id: String,
    /// The words before the year, `应急责改`.
    pub word: String,
    /// With `{region}`, `{word}`, `{year}` and `{n}`.
    pub pattern: String,
    /// A series that tablets lease in blocks.
    pub leased: bool,
}

/// `remedies.toml`: what the party is told about its remedies.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    pub id: String,
    pub part: Vec<RemedyPart>,
}

/// A piece of it; `fill` pieces are underlined on the form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemedyPart {
    /// With the words of [`Agency`] in braces, e.g. `{reconsideration_body}`.
    pub text: String,
    #[serde(default)]
    pub fill: bool,
}

/// `texts.toml`: the agency that uses the pack. A bureau sets its own before it publishes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    pub name: String,
    /// Short name of the region in document numbers.
    pub region: String,
    pub department: String,
    pub officer_title: String,
    pub reconsideration_body: String,
    pub court: String,
}

/// `texts.toml`: a kind of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceKind {
    pub id: String,
    pub name: Words,
    /// A recording of this kind needs a transcript.
    #[serde(default)]
    pub transcript: bool,
    /// What evidence of this kind has to state, as a sentence; none where the law does not say.
    pub particulars: Option<Words>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub id: String,
    pub text: Words,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClauseTable {
    #[serde(default)]
    pub clause: Vec<Clause>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemTable {
    #[serde(default)]
    pub checklist: Vec<Checklist>,
    #[serde(default)]
    pub item: Vec<InspectionItem>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ViolationTable {
    #[serde(default)]
    pub violation: Vec<Violation>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GradeTable {
    pub grade: Vec<Grade>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DocumentTable {
    #[serde(default)]
    pub document: Vec<DocumentDefinition>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberTable {
    #[serde(default)]
    pub series: Vec<NumberSeries>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RemedyTable {
    #[serde(default)]
    pub remedy: Vec<Remedy>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextTable {
    pub agency: Agency,
    pub evidence_kind: Vec<EvidenceKind>,
    /// Sentences by id: `credentials`, `record_opening`, …
    pub sentence: Vec<Named>,
    /// Reasons offered when somebody refuses to sign.
    #[serde(default)]
    pub refusal_reason: Vec<Named>,
    /// Import words: how a foreign table's values map onto ids of this pack.
    #[serde(default)]
    pub import: BTreeMap<String, BTreeMap<String, String>>,
}

impl Words {
    fn none() -> Words {
        Words {
            zh: String::new(),
            en: String::new(),
        }
    }
}
