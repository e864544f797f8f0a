//! The rule pack in force, as lists that an app lets people choose from.

use fieldseal_core::pack;

use crate::device::Device;
use crate::error::FieldsealError;
use crate::guard::guarded;

/// A word or sentence of a pack. Either may be empty.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Words {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

impl From<&pack::Words> for Words {
    fn from(words: &pack::Words) -> Self {
        Self {
            zh: words.zh.clone(),
            en: words.en.clone(),
        }
    }
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PackItem {
    /// Id.
    pub id: String,
    /// The checklist that it belongs to.
    pub checklist: Words,
    /// What to look at.
    pub text: Words,
    /// How.
    pub method: Words,
    /// The grade proposed when it is not in order; the officer decides.
    pub grade: Option<String>,
    /// The duty that it follows from, as cited.
    pub duty: Words,
}

/// A grade of hazard.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PackGrade {
    /// Id.
    pub id: String,
    /// Name.
    pub name: Words,
    /// Greater is graver.
    pub rank: u32,
    /// An order about it needs a due day.
    pub dated_order: bool,
}

/// A kind of evidence.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PackEvidenceKind {
    /// Id.
    pub id: String,
    /// Name.
    pub name: Words,
    /// A recording of this kind needs a transcript.
    pub transcript: bool,
}

/// A document of the pack.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct PackDocument {
    /// Id.
    pub id: String,
    /// Name.
    pub name: Words,
    /// Roles that sign on the document itself, or refuse to.
    pub signed_by: Vec<String>,
    /// Roles that attest with their keys.
    pub attested_by: Vec<String>,
}

/// The rule pack in force.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct RulePackInfo {
    /// Id.
    pub id: String,
    /// Content address, hex.
    pub hash: String,
    /// Version.
    pub version: String,
    /// Title.
    pub title: Words,
    /// The language of its documents, `zh` or `en`.
    pub language: String,
    /// Today where the agency is, `YYYY-MM-DD`, by the device's clock.
    pub today: String,
    /// Checklist items.
    pub items: Vec<PackItem>,
    /// Grades.
    pub grades: Vec<PackGrade>,
    /// Kinds of evidence.
    pub evidence_kinds: Vec<PackEvidenceKind>,
    /// Documents.
    pub documents: Vec<PackDocument>,
    /// Reasons offered when somebody refuses to sign.
    pub refusal_reasons: Vec<Words>,
}

/// A pack that this device holds.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct HeldPack {
    /// Id.
    pub id: String,
    /// Content address, hex.
    pub hash: String,
    /// In force here.
    pub in_force: bool,
}

#[uniffi::export]
impl Device {
    /// The rule pack in force.
    pub fn rule_pack(&self) -> Result<RulePackInfo, FieldsealError> {
        guarded(|| {
            let pack = self.device.pack()?;
            let none = Words {
                zh: String::new(),
                en: String::new(),
            };
            let items = pack.items().iter().map(|item| PackItem {
                id: item.id.clone(),
                checklist: pack
                    .checklists()
                    .iter()
                    .find(|list| list.id == item.checklist)
                    .map_or_else(|| none.clone(), |list| (&list.name).into()),
                text: (&item.text).into(),
                method: (&item.method).into(),
                grade: item.grade.clone(),
                duty: pack
                    .clause(&item.duty)
                    .map_or_else(|| none.clone(), |clause| (&clause.cite).into()),
            });
            let grades = pack.grades().iter().map(|grade| PackGrade {
                id: grade.id.clone(),
                name: (&grade.name).into(),
                rank: grade.rank,
                dated_order: grade.dated_order,
            });
            let kinds = pack.evidence_kinds().iter().map(|kind| PackEvidenceKind {
                id: kind.id.clone(),
                name: (&kind.name).into(),
                transcript: kind.transcript,
            });
            let documents = pack.documents().iter().map(|document| PackDocument {
                id: document.id.clone(),
                name: (&document.name).into(),
                signed_by: document.signed_by.clone(),
                attested_by: document.attested_by.clone(),
            });
            Ok(RulePackInfo {
                id: pack.head().id.clone(),
                hash: pack.hash().to_string(),
                version: pack.head().version.clone(),
                title: (&pack.head().title).into(),
                language: pack.head().language.clone(),
                today: self.device.today(&pack).to_string(),
                items: items.collect(),
                grades: grades.collect(),
                evidence_kinds: kinds.collect(),
                documents: documents.collect(),
                refusal_reasons: pack.refusal_reasons().iter().map(Words::from).collect(),
            })
        })
    }

    /// The packs that this device holds, by name.
    pub fn packs(&self) -> Result<Vec<HeldPack>, FieldsealError> {
        guarded(|| {
            let in_force = self.device.store().pack_in_force()?;
            let held = self.device.packs()?.into_iter().map(|(id, hash)| HeldPack {
                id,
                hash: hash.to_string(),
                in_force: in_force == Some(hash),
            });
            Ok(held.collect())
        })
    }

    /// Puts a pack in force, by id or hash.
    pub fn choose_pack(&self, pack: String) -> Result<(), FieldsealError> {
        guarded(|| {
            self.device.choose_pack(&pack)?;
            Ok(())
        })
    }
}
