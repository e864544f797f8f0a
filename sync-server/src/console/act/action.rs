//! What a supervisor can do, from a form's text to the fields of an operation.

use std::collections::BTreeMap;

use fieldseal_core::catalogue::Message;
use fieldseal_core::domain::{
    Act, CreditCode, Day, EnterpriseJoin, EvidenceFreeze, FieldDecide, InspectionPlan, InspectionReturn, Kind, Line,
    Paragraph, Party, QuarantineDecide, Refusal,
};
use fieldseal_core::merge::Standing;
use fieldseal_core::random::uuid;
use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{CaseId, DeviceId, EnterpriseId, EvidenceId, InspectionId, ItemId, OfficerId, OpId};

use super::super::error::PageError;
use super::device::Draft;
use super::state;
use crate::api::App;
use crate::ledger::{LedgerError, space};

/// An action as a form asks for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    Decide {
        case: CaseId,
        path: String,
        choice: Choice,
        reason: String,
    },
    Settle {
        target: OpId,
        release: bool,
        reason: String,
    },
    Join {
        keep: EnterpriseId,
        other: EnterpriseId,
        reason: String,
    },
    SendBack {
        inspection: InspectionId,
        case: CaseId,
        reason: String,
        items: Vec<String>,
    },
    Freeze {
        case: CaseId,
        reason: String,
    },
    Assign(Box<Assignment>),
    /// Another day for the inspection of a case that is still open.
    Move {
        case: CaseId,
        day: String,
    },
}

/// Which value stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// One of those that are held: SHA-256 of its encoding, hex.
    Held(String),
    /// Another text.
    Other(String),
}

/// An inspection to be assigned, or one that gets another day or other people.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    pub enterprise: EnterpriseId,
    pub title: String,
    pub place: String,
    pub planned: String,
    pub remark: String,
    pub officers: Vec<OfficerId>,
    pub devices: Vec<DeviceId>,
    pub items: Vec<String>,
}

/// Why an action was not prepared.
pub enum Refused {
    /// What the person wrote does not do; the sentence says what.
    Input(Message),
    Page(PageError),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Input(refusal.message)
    }
}

impl From<PageError> for Refused {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

impl From<LedgerError> for Refused {
    fn from(error: LedgerError) -> Self {
        Self::Page(error.into())
    }
}

impl Action {
    /// What the person wrote, label by label: kept when somebody else was first.
    pub fn own_words(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Decide { choice, reason, .. } => {
                let mut words = vec![("label.reason", reason.clone())];
                if let Choice::Other(text) = choice {
                    words.insert(0, ("console.act.other_value", text.clone()));
                }
                words
            }
            Self::Settle { reason, .. } | Self::Join { reason, .. } | Self::Freeze { reason, .. } => {
                vec![("label.reason", reason.clone())]
            }
            Self::SendBack { reason, items, .. } => {
                vec![
                    ("label.reason", reason.clone()),
                    ("console.act.items", items.join("\n")),
                ]
            }
            Self::Move { day, .. } => vec![("label.planned", day.clone())],
            Self::Assign(plan) => vec![
                ("label.title", plan.title.clone()),
                ("label.planned", plan.planned.clone()),
                ("label.remark", plan.remark.clone()),
            ],
        }
    }

    /// Code of the button that signs it: the act's name, never "OK".
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Decide { .. } => "console.act.decide.do",
            Self::Settle { release: true, .. } => "console.act.release.do",
            Self::Settle { .. } => "console.act.keep.do",
            Self::Join { .. } => "console.act.join.do",
            Self::SendBack { .. } => "console.act.return.do",
            Self::Freeze { .. } => "console.act.freeze.do",
            Self::Assign(_) => "console.act.assign.do",
            Self::Move { .. } => "console.act.move.do",
        }
    }

    /// Code of the sentence about what follows from it.
    pub fn effect(&self) -> &'static str {
        match self {
            Self::Decide { .. } => "console.act.decide.effect",
            Self::Settle { release: true, .. } => "console.act.release.effect",
            Self::Settle { .. } => "console.act.keep.effect",
            Self::Join { .. } => "console.act.join.effect",
            Self::SendBack { .. } => "console.act.return.effect",
            Self::Freeze { .. } => "console.act.freeze.effect",
            Self::Assign(_) => "console.act.assign.effect",
            Self::Move { .. } => "console.act.move.effect",
        }
    }

    /// Where the person goes on afterwards.
    pub fn back(&self) -> String {
        match self {
            Self::Decide { case, .. } | Self::Freeze { case, .. } | Self::SendBack { case, .. } => {
                format!("/console/cases/{case}")
            }
            Self::Settle { .. } => "/console/worklist/quarantine".into(),
            Self::Join { keep, .. } => format!("/console/enterprises/{keep}"),
            Self::Assign(_) | Self::Move { .. } => "/console/assign".into(),
        }
    }

    /// What the action rests on, as it stands now. Two forms about one thing see the same; once somebody decided they no longer do.
    ///
    /// # Errors
    /// When the subject does not exist.
    pub async fn seen(&self, app: &App) -> Result<String, PageError> {
        let ledger = &*app.server.ledger;
        let tenant = *app.server.ingest.tenant().as_bytes();
        let held = |rows: Vec<crate::ledger::FieldRow>, path: &str| {
            rows.into_iter()
                .find(|row| row.path == path)
                .map_or_else(Vec::new, |row| row.held)
        };
        let bytes = match self {
            Self::Decide { case, path, .. } => {
                let rows = ledger.fields(*case.as_bytes(), path.clone()).await?;
                let held = held(rows, path);
                if held.is_empty() {
                    return Err(PageError::NotFound);
                }
                held
            }
            Self::Settle { target, .. } => {
                let row = ledger.register(space::QUARANTINE, target.as_bytes().to_vec()).await?;
                row.ok_or(PageError::NotFound)?.value
            }
            Self::Join { keep, other, .. } => {
                let mut both = Vec::new();
                for id in [keep, other] {
                    let path = format!("enterprise/{id}/same_as");
                    both.extend(held(ledger.fields(tenant, path.clone()).await?, &path));
                }
                both
            }
            Self::Move { case, .. } => {
                let path = "inspection/planned";
                held(ledger.fields(*case.as_bytes(), path.into()).await?, path)
            }
            Self::SendBack { .. } | Self::Freeze { .. } | Self::Assign(_) => Vec::new(),
        };
        Ok(hex::encode(&sha256(&bytes)[..8]))
    }

    /// The operation that says it.
    ///
    /// # Errors
    /// What the person wrote does not do, or the subject is not there.
    pub async fn draft(&self, app: &App) -> Result<Draft, Refused> {
        let item = || -> Result<ItemId, PageError> {
            uuid(&*app.server.random)
                .map(ItemId::from_bytes)
                .map_err(|e| PageError::internal(&e))
        };
        let paragraph = |text: &str| Paragraph::parse("reason", text);
        let mut draft = Draft::default();
        let act: Act = match self {
            Self::Decide {
                case,
                path,
                choice,
                reason,
            } => {
                let fold = state::of(app, *case).await?.ok_or(PageError::NotFound)?;
                let resolved = fold.get(path).ok_or(PageError::NotFound)?;
                let value = match choice {
                    Choice::Other(text) => Value::text(Line::parse("value", text)?.as_str()),
                    Choice::Held(hash) => resolved
                        .held()
                        .iter()
                        .filter_map(|held| held.decoded())
                        .find(|value| choice_id(value) == *hash)
                        .ok_or(PageError::conflict())?,
                };
                draft.case = Some(*case);
                // The decision lies in the stream of the inspection that is in conflict, so that its tablets see it.
                let first = resolved.held().iter().flat_map(|held| &held.by).next();
                draft.inspection = match first {
                    Some(id) => state::header(app, *id).await?.and_then(|header| header.inspection),
                    None => None,
                };
                let decide = FieldDecide {
                    id: item()?,
                    path: path.clone(),
                    value,
                    reason: paragraph(reason)?,
                };
                decide.act()?
            }
            Self::Settle {
                target,
                release,
                reason,
            } => {
                let header = state::header(app, *target).await?.ok_or(PageError::NotFound)?;
                (draft.case, draft.inspection) = (header.case, header.inspection);
                let state = if *release {
                    Standing::Released
                } else {
                    Standing::Quarantined
                };
                QuarantineDecide {
                    target: *target,
                    state,
                    reason: paragraph(reason)?,
                }
                .act()
            }
            Self::Join { keep, other, reason } => {
                for id in [keep, other] {
                    state::enterprise(app, *id).await?.ok_or(PageError::NotFound)?;
                }
                EnterpriseJoin {
                    id: item()?,
                    keep: *keep,
                    other: *other,
                    reason: paragraph(reason)?,
                }
                .act()?
            }
            Self::SendBack {
                inspection,
                case,
                reason,
                items,
            } => {
                (draft.case, draft.inspection) = (Some(*case), Some(*inspection));
                let back = InspectionReturn {
                    id: item()?,
                    inspection: *inspection,
                    reason: paragraph(reason)?,
                    items: items.clone(),
                };
                back.act()
            }
            Self::Freeze { case, reason } => {
                draft.case = Some(*case);
                let fold = state::of(app, *case).await?.ok_or(PageError::NotFound)?;
                let evidence: Vec<EvidenceId> = fold
                    .members("evidence")
                    .iter()
                    .filter_map(|id| id.parse().ok())
                    .collect();
                EvidenceFreeze {
                    id: item()?,
                    evidence,
                    state: fold.hash(),
                    reason: paragraph(reason)?,
                }
                .act()?
            }
            Self::Move { case, day } => return moved(app, *case, day).await,
            Self::Assign(plan) => {
                let fresh = || uuid(&*app.server.random).map_err(|e| PageError::internal(&e));
                draft.case = Some(CaseId::from_bytes(fresh()?));
                draft.inspection = Some(InspectionId::from_bytes(fresh()?));
                let pack = state::pack(app).await?;
                let pack = pack.ok_or_else(|| Refused::Input(Message::new("console.act.no_pack", [])))?;
                draft.pack = Some(pack.hash());
                plan.plan(app, &pack).await?.assign(&pack)?
            }
        };
        let (kind, fields) = act.into_parts();
        draft.kind = kind.as_str();
        draft.fields = fields;
        draft.supersedes = state::heads(app, draft.case, &draft.fields).await?;
        draft.anchor = state::anchor(app).await?;
        Ok(draft)
    }
}

/// An assignment that says nothing but another day; who and where stay as they were.
async fn moved(app: &App, case: CaseId, day: &str) -> Result<Draft, Refused> {
    let fold = state::of(app, case).await?.ok_or(PageError::NotFound)?;
    let mut inspections: Vec<InspectionId> = fold.operations().filter_map(|operation| operation.inspection).collect();
    inspections.sort_unstable();
    let day = Day::parse("planned", day)?.to_string();
    let fields = vec![("inspection/planned".to_owned(), Value::text(day))];
    Ok(Draft {
        kind: Kind::InspectionAssign.as_str(),
        case: Some(case),
        inspection: Some(*inspections.first().ok_or(PageError::NotFound)?),
        supersedes: state::heads(app, Some(case), &fields).await?,
        anchor: state::anchor(app).await?,
        fields,
        ..Draft::default()
    })
}

impl Assignment {
    async fn plan(&self, app: &App, pack: &fieldseal_core::pack::RulePack) -> Result<InspectionPlan, Refused> {
        let known = state::enterprise(app, self.enterprise)
            .await?
            .ok_or(PageError::NotFound)?;
        if self.officers.is_empty() || self.devices.is_empty() {
            return Err(Refused::Input(Message::new("console.act.assign.nobody", [])));
        }
        let items = if self.items.is_empty() {
            pack.items().iter().map(|item| item.id.clone()).collect()
        } else {
            self.items.clone()
        };
        Ok(InspectionPlan {
            enterprise: self.enterprise,
            title: Line::parse("title", &self.title)?,
            place: Line::parse_opt("place", &self.place)?,
            planned: match self.planned.trim() {
                "" => None,
                day => Some(Day::parse("planned", day)?),
            },
            remark: Paragraph::parse_opt("remark", &self.remark)?,
            officers: self.officers.clone(),
            devices: self.devices.clone(),
            items,
            party: party(&known)?,
        })
    }
}

/// What the registry knows of an enterprise, copied into the inspection.
fn party(known: &BTreeMap<String, Vec<String>>) -> Result<Party, Refusal> {
    let said = |field: &str| known.get(field).map(|texts| texts.join(" / ")).unwrap_or_default();
    Ok(Party {
        name: Line::parse_opt("name", &said("name"))?,
        credit_code: CreditCode::parse(&said("credit_code")).ok(),
        address: Line::parse_opt("address", &said("address"))?,
        head: Line::parse_opt("head", &said("head"))?,
        position: None,
        phone: Line::parse_opt("phone", &said("phone"))?,
    })
}

/// How a form names one of the values that are held.
pub fn choice_id(value: &Value) -> String {
    hex::encode(sha256(&cbor::encode(value)))
}
