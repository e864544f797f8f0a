//! What the ids of an operation stand for. A name is for reading only: the id is what is signed, so it stays beside the name.

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldseal_core::domain::view::People;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, EvidenceId, OfficerId};
use fieldseal_proof::operation::Operation;

use super::super::cases::Wording;
use super::super::error::PageError;
use super::super::words::Words;
use super::state;
use crate::api::App;

/// A text, and the id that it is the name of.
pub struct Named {
    pub text: String,
    pub id: Option<String>,
    /// The language of a text of the pack, which may lack the page's.
    pub lang: Option<&'static str>,
}

impl Named {
    /// A value that says all itself.
    pub fn plain(text: String) -> Self {
        Self {
            text,
            id: None,
            lang: None,
        }
    }

    /// The name in front of the id; the id alone where nothing is known by it.
    pub fn of(name: Option<String>, id: impl ToString) -> Self {
        match name.filter(|name| !name.is_empty()) {
            Some(text) => Self {
                text,
                id: Some(id.to_string()),
                lang: None,
            },
            None => Self::plain(id.to_string()),
        }
    }
}

/// Names of everything that one operation names by id.
pub struct Names {
    words: Words,
    pub people: People,
    tablets: Wording,
    enterprises: BTreeMap<EnterpriseId, String>,
    evidence: BTreeMap<EvidenceId, String>,
    pack: Option<Arc<RulePack>>,
    party: Option<String>,
}

impl Names {
    /// Reads them. Which kind of thing an id is, the path says that it stands at; ids of two kinds may be the same bytes.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of(app: &App, words: Words, operation: &Operation) -> Result<Self, PageError> {
        let header = operation.header();
        let mut names = Self {
            words,
            people: People::of(&app.server.ingest.key_log().log),
            tablets: Wording::load(app, words).await?,
            enterprises: BTreeMap::new(),
            evidence: BTreeMap::new(),
            pack: None,
            party: None,
        };
        if let Some(hash) = header.pack {
            names.pack = app.shelves.packs.get(&*app.server.ledger, hash).await?;
        }
        if let Some(case) = header.case {
            names.party = party(app, case).await?;
        }
        let Some(body) = operation.body() else { return Ok(names) };
        let mut pieces = Vec::new();
        for field in body.fields() {
            if let Some(id) = subject(&field.path) {
                names.learn(app, id).await?;
            }
            let value = body.get(&field.path);
            let ids = value.iter().flat_map(ids_in);
            match kind_at(&field.path) {
                Some(Thing::Enterprise) => {
                    for id in ids {
                        names.learn(app, EnterpriseId::from_bytes(id)).await?;
                    }
                }
                Some(Thing::Evidence) => pieces.extend(ids.map(EvidenceId::from_bytes)),
                _ => {}
            }
        }
        if let Some(case) = header.case.filter(|_| !pieces.is_empty())
            && let Some(fold) = state::of(app, case).await?
        {
            let titled = |id: EvidenceId| Some((id, fold.text(&format!("evidence/{id}/title"))?));
            names.evidence = pieces.into_iter().filter_map(titled).collect();
        }
        Ok(names)
    }

    /// The enterprise's name and code, as the registry has them.
    async fn learn(&mut self, app: &App, id: EnterpriseId) -> Result<(), PageError> {
        let Some(known) = state::enterprise(app, id).await? else {
            return Ok(());
        };
        let said = |field: &str| {
            known
                .get(field)
                .filter(|all| !all.is_empty())
                .map(|all| all.join(" / "))
        };
        let text = match (said("name"), said("credit_code")) {
            (Some(name), Some(code)) if self.words.zh() => format!("{name}（{code}）"),
            (Some(name), Some(code)) => format!("{name} ({code})"),
            (name, code) => name.or(code).unwrap_or_default(),
        };
        self.enterprises.insert(id, text);
        Ok(())
    }

    /// The party of the operation's case.
    pub fn party(&self) -> Option<String> {
        self.party.clone()
    }

    /// The enterprise that a path is about.
    pub fn subject(&self, path: &str) -> Option<Named> {
        let id = subject(path)?;
        let name = self.enterprises.get(&id)?;
        Some(Named::of(Some(name.clone()), id))
    }

    /// A value whose path says that it is made of ids: each with its name. `None` for every other one.
    pub fn value(&self, path: &str, value: &Value) -> Option<Vec<Named>> {
        if let Some(Thing::Item) = kind_at(path) {
            let item = |id: &Value| {
                let id = id.as_text()?;
                let item = self.pack.as_ref()?.item(id)?;
                let spoken = Words {
                    lang: item.text.language(self.words.lang),
                };
                Some(Named {
                    text: item.text.text(self.words.lang).to_owned(),
                    id: Some(id.to_owned()),
                    lang: Some(spoken.tag()),
                })
            };
            return value.as_array()?.iter().map(item).collect();
        }
        let kind = kind_at(path)?;
        let ids = ids_in(value);
        let count = value.as_array().map_or(1, <[Value]>::len);
        // Whatever is not an id at such a path is shown as it is.
        (ids.len() == count && count > 0).then(|| ids.into_iter().map(|id| self.named(kind, id)).collect())
    }

    fn named(&self, kind: Thing, id: [u8; 16]) -> Named {
        match kind {
            Thing::Officer => {
                let id = OfficerId::from_bytes(id);
                let person = self.people.get(&id);
                let said = person.map(|one| format!("{} {}", one.name, one.certificate).trim().to_owned());
                Named::of(said, id)
            }
            Thing::Device => {
                let id = DeviceId::from_bytes(id);
                Named::of(self.tablets.devices.get(&id).cloned(), id)
            }
            Thing::Enterprise => {
                let id = EnterpriseId::from_bytes(id);
                Named::of(self.enterprises.get(&id).cloned(), id)
            }
            Thing::Evidence | Thing::Item => {
                let id = EvidenceId::from_bytes(id);
                Named::of(self.evidence.get(&id).cloned(), id)
            }
        }
    }
}

/// What an id is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    Officer,
    Device,
    Enterprise,
    Evidence,
    /// Of the pack's checklist: a text.
    Item,
}

/// What the ids at a path are of (merge.md, the paths of each kind).
fn kind_at(path: &str) -> Option<Thing> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["inspection", "officer"] | ["attest", "officer"] | ["credentials", _, "officers"] => Some(Thing::Officer),
        ["inspection", "device"] | ["lease", _, "device"] => Some(Thing::Device),
        ["inspection", "enterprise"] | ["enterprise", _, "same_as"] => Some(Thing::Enterprise),
        ["inspection", "item"] => Some(Thing::Item),
        ["freeze" | "custody" | "finding" | "signature", _, "evidence"] => Some(Thing::Evidence),
        ["evidence", _, "derived_from" | "transcript_of"] => Some(Thing::Evidence),
        _ => None,
    }
}

/// The enterprise whose record a path belongs to.
fn subject(path: &str) -> Option<EnterpriseId> {
    let mut parts = path.split('/');
    (parts.next() == Some("enterprise")).then(|| parts.next()?.parse().ok())?
}

/// The ids that a value is or holds.
fn ids_in(value: &Value) -> Vec<[u8; 16]> {
    let id = |value: &Value| value.as_bytes()?.try_into().ok();
    match value.as_array() {
        Some(all) => all.iter().filter_map(id).collect(),
        None => id(value).into_iter().collect(),
    }
}

async fn party(app: &App, case: CaseId) -> Result<Option<String>, PageError> {
    let id = case.to_string();
    let name = state::party_name(app, &id).await?;
    Ok((name != id).then_some(name))
}
