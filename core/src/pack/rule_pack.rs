//! A pack that was read: typed tables and the questions the engine asks.

use std::collections::{BTreeMap, HashMap};

use fieldseal_proof::ids::PackHash;
use serde::de::DeserializeOwned;

use super::tables::{
    ClauseTable, DocumentTable, GradeTable, ItemTable, NumberTable, RemedyTable, TextTable, ViolationTable,
};
use super::{
    Agency, Checklist, Clause, DocumentDefinition, EvidenceKind, Grade, InspectionItem, NumberSeries, PackHead,
    PackSource, Remedy, Thresholds, Violation, Words, pack_hash,
};
use crate::domain::Day;

/// Why pack bytes are not a pack. Names the file, and the key or id where there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    #[error("the pack is malformed: {detail}")]
    Form { detail: String },
    #[error("the pack has {count} {what}; the most is {most}")]
    TooMany {
        what: &'static str,
        count: usize,
        most: usize,
    },
    #[error("“{file}” is no file name of a pack: use a-z, 0-9, dot, hyphen, underscore and / only")]
    Name { file: String },
    #[error("the pack lacks {file}")]
    Missing { file: String },
    #[error("{file} cannot be read: {detail}")]
    Table { file: String, detail: String },
    #[error("{file}: {id} stands twice")]
    Twice { file: &'static str, id: String },
    #[error("{file}: {id} refers to {what} “{target}”, which the pack does not have")]
    Reference {
        file: &'static str,
        id: String,
        what: &'static str,
        target: String,
    },
    #[error("{file}: {id}: {detail}")]
    Value {
        file: &'static str,
        id: String,
        detail: String,
    },
}

/// The typed tables of one pack.
#[derive(Debug, Clone)]
pub struct RulePack {
    pub(super) hash: PackHash,
    pub(super) head: PackHead,
    pub(super) clauses: Table<Clause>,
    pub(super) checklists: Table<Checklist>,
    pub(super) items: Table<InspectionItem>,
    pub(super) violations: Table<Violation>,
    pub(super) grades: Table<Grade>,
    pub(super) documents: Table<DocumentDefinition>,
    pub(super) series: Table<NumberSeries>,
    pub(super) remedies: Table<Remedy>,
    pub(super) evidence_kinds: Table<EvidenceKind>,
    pub(super) sentences: Table<Words>,
    pub(super) refusal_reasons: Table<Words>,
    pub(super) thresholds: Thresholds,
    pub(super) agency: Agency,
    pub(super) import: BTreeMap<String, BTreeMap<String, String>>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl RulePack {
    /// Reads pack bytes and checks that every table holds together.
    pub fn parse(pack: &[u8]) -> Result<RulePack, PackError> {
        let (outside, source) = PackSource::open(pack)?;
        let files = source.files();
        let head: PackHead = table(files, "pack.toml")?;
        let agrees = head.id == outside.id
            && head.jurisdiction == outside.jurisdiction
            && head.version == outside.version
            && head.in_force_from == outside.in_force_from
            && head.in_force_to == outside.in_force_to;
        if !agrees {
            return Err(PackError::Form {
                detail: "pack.toml says something else than the pack around it".into(),
            });
        }
        let clauses: ClauseTable = table(files, "clauses.toml")?;
        let items: ItemTable = table(files, "items.toml")?;
        let violations: ViolationTable = table(files, "violations.toml")?;
        let grades: GradeTable = table(files, "grades.toml")?;
        let thresholds: Thresholds = table(files, "thresholds.toml")?;
        let documents: DocumentTable = table(files, "documents.toml")?;
        let numbers: NumberTable = table(files, "numbers.toml")?;
        let remedies: RemedyTable = table(files, "remedies.toml")?;
        let texts: TextTable = table(files, "texts.toml")?;
        let pack = RulePack {
            hash: pack_hash(pack),
            head,
            clauses: Table::new("clauses.toml", clauses.clause, |c| &c.id)?,
            checklists: Table::new("items.toml", items.checklist, |c| &c.id)?,
            items: Table::new("items.toml", items.item, |i| &i.id)?,
            violations: Table::new("violations.toml", violations.violation, |v| &v.id)?,
            grades: Table::new("grades.toml", grades.grade, |g| &g.id)?,
            documents: Table::new("documents.toml", documents.document, |d| &d.id)?,
            series: Table::new("numbers.toml", numbers.series, |s| &s.id)?,
            remedies: Table::new("remedies.toml", remedies.remedy, |r| &r.id)?,
            evidence_kinds: Table::new("texts.toml", texts.evidence_kind, |k| &k.id)?,
            sentences: Table::named("texts.toml", texts.sentence.into_iter().map(|n| (n.id, n.text)))?,
            refusal_reasons: Table::named("texts.toml", texts.refusal_reason.into_iter().map(|n| (n.id, n.text)))?,
            thresholds,
            agency: texts.agency,
            import: texts.import,
            files: files.clone(),
        };
        pack.check()?;
        Ok(pack)
    }

    /// The content address.
    pub fn hash(&self) -> PackHash {
        self.hash
    }

    /// What it is and when it applies.
    pub fn head(&self) -> &PackHead {
        &self.head
    }

    /// Roles that attest that credentials were shown.
    pub fn credentials_attested_by(&self) -> &[String] {
        &self.head.credentials_attested_by
    }

    /// Whether it applies on a day.
    pub fn in_force(&self, day: Day) -> bool {
        let date = |text: &str| Day::parse("date", text).ok();
        date(&self.head.in_force_from).is_some_and(|from| from <= day)
            && self
                .head
                .in_force_to
                .as_deref()
                .and_then(date)
                .is_none_or(|to| day <= to)
    }

    /// A clause by id.
    pub fn clause(&self, id: &str) -> Option<&Clause> {
        self.clauses.get(id)
    }

    /// Every clause, in the order of the file.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses.rows
    }

    /// The checklists, in the order of the file.
    pub fn checklists(&self) -> &[Checklist] {
        &self.checklists.rows
    }

    /// An inspection item by id.
    pub fn item(&self, id: &str) -> Option<&InspectionItem> {
        self.items.get(id)
    }

    /// Every inspection item, in the order of the file.
    pub fn items(&self) -> &[InspectionItem] {
        &self.items.rows
    }

    /// A violation by id.
    pub fn violation(&self, id: &str) -> Option<&Violation> {
        self.violations.get(id)
    }

    /// Every violation, in the order of the file.
    pub fn violations(&self) -> &[Violation] {
        &self.violations.rows
    }

    /// A grade by id.
    pub fn grade(&self, id: &str) -> Option<&Grade> {
        self.grades.get(id)
    }

    /// Every grade, in the order of the file.
    pub fn grades(&self) -> &[Grade] {
        &self.grades.rows
    }

    /// Numbers that the engine needs.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// A document definition by id.
    pub fn document(&self, id: &str) -> Option<&DocumentDefinition> {
        self.documents.get(id)
    }

    /// Every document definition.
    pub fn documents(&self) -> &[DocumentDefinition] {
        &self.documents.rows
    }

    /// A number series by id.
    pub fn series(&self, id: &str) -> Option<&NumberSeries> {
        self.series.get(id)
    }

    /// The remedies of a document, with the agency's words filled in.
    pub fn remedy(&self, id: &str) -> Option<Vec<super::RemedyPart>> {
        let fill = |text: &str| {
            text.replace("{reconsideration_body}", &self.agency.reconsideration_body)
                .replace("{court}", &self.agency.court)
        };
        let remedy = self.remedies.get(id)?;
        Some(
            remedy
                .part
                .iter()
                .map(|p| super::RemedyPart {
                    text: fill(&p.text),
                    fill: p.fill,
                })
                .collect(),
        )
    }

    /// A kind of evidence by id.
    pub fn evidence_kind(&self, id: &str) -> Option<&EvidenceKind> {
        self.evidence_kinds.get(id)
    }

    /// The kinds of evidence, in the order of the file.
    pub fn evidence_kinds(&self) -> &[EvidenceKind] {
        &self.evidence_kinds.rows
    }

    /// A sentence by id, e.g. `credentials`.
    pub fn sentence(&self, id: &str) -> Option<&Words> {
        self.sentences.get(id)
    }

    /// A reason for refusing to sign, by id.
    pub fn refusal_reason(&self, id: &str) -> Option<&Words> {
        self.refusal_reasons.get(id)
    }

    /// The reasons offered, in the order of the file.
    pub fn refusal_reasons(&self) -> &[Words] {
        &self.refusal_reasons.rows
    }

    /// The agency that uses the pack.
    pub fn agency(&self) -> &Agency {
        &self.agency
    }

    /// How a value of a foreign table maps onto an id of this pack: `import("osha.citation_type", "Serious")`. A row `*` stands
    /// for every other value.
    pub fn import(&self, table: &str, value: &str) -> Option<&str> {
        let table = self.import.get(table)?;
        table.get(value).or_else(|| table.get("*")).map(String::as_str)
    }

    /// A file of the pack: templates, and files this version does not know.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    /// Every file by name.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Name and first hash digits, as printed on documents: `cn-work-safety 9c41f2a7`.
    pub fn short_name(&self) -> String {
        format!("{} {}", self.head.id, &self.hash.to_string()[..8])
    }
}

/// Packs at hand. A rule is chosen by date.
#[derive(Debug, Clone, Default)]
pub struct PackShelf {
    packs: Vec<RulePack>,
}

impl PackShelf {
    /// Adds a pack; one that is there already is left as it is.
    pub fn add(&mut self, pack: RulePack) {
        if self.by_hash(&pack.hash).is_none() {
            self.packs.push(pack);
        }
    }

    /// The pack a case is pinned to.
    pub fn by_hash(&self, hash: &PackHash) -> Option<&RulePack> {
        self.packs.iter().find(|pack| pack.hash == *hash)
    }

    /// The pack of a jurisdiction for a day: in force, and of those the one that came into force last; of equals the greater
    /// version.
    pub fn chosen(&self, jurisdiction: &str, day: Day) -> Option<&RulePack> {
        self.packs
            .iter()
            .filter(|pack| pack.head.jurisdiction == jurisdiction && pack.in_force(day))
            .max_by_key(|pack| (pack.head.in_force_from.clone(), pack.head.version.clone(), pack.hash))
    }

    /// Every pack.
    pub fn packs(&self) -> &[RulePack] {
        &self.packs
    }
}

/// Rows with an index by id.
#[derive(Debug, Clone)]
pub(super) struct Table<T> {
    pub rows: Vec<T>,
    places: HashMap<String, usize>,
}

impl<T> Table<T> {
    fn new(file: &'static str, rows: Vec<T>, id: impl Fn(&T) -> &String) -> Result<Table<T>, PackError> {
        let ids: Vec<String> = rows.iter().map(|row| id(row).clone()).collect();
        Table::named(file, ids.into_iter().zip(rows))
    }

    fn named(file: &'static str, named: impl Iterator<Item = (String, T)>) -> Result<Table<T>, PackError> {
        let mut table = Table {
            rows: Vec::new(),
            places: HashMap::new(),
        };
        for (id, row) in named {
            if !is_id(&id) {
                return Err(PackError::Value {
                    file,
                    id,
                    detail: "an id is 1…80 of a-z, 0-9, dot, hyphen, underscore".into(),
                });
            }
            if table.places.insert(id.clone(), table.rows.len()).is_some() {
                return Err(PackError::Twice { file, id });
            }
            table.rows.push(row);
        }
        Ok(table)
    }

    pub(super) fn get(&self, id: &str) -> Option<&T> {
        self.places.get(id).map(|&place| &self.rows[place])
    }
}

fn is_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    (1..=80).contains(&id.len()) && id.chars().all(plain)
}

pub(super) fn table<T: DeserializeOwned>(files: &BTreeMap<String, Vec<u8>>, file: &str) -> Result<T, PackError> {
    let bytes = files
        .get(file)
        .ok_or_else(|| PackError::Missing { file: file.to_owned() })?;
    let wrong = |detail: String| PackError::Table {
        file: file.to_owned(),
        detail,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(text).map_err(|error| wrong(error.to_string()))
}
