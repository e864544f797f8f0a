//! What an inspector does: inspections, drafts, and every act of the field. Each act is signed and durable when its call
//! returns.

use std::str::FromStr;

use fieldseal_core::device as core;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{EnterpriseId, EvidenceId, FindingId, IdError, InspectionId, ItemId, OpId};

use crate::device::Device;
use crate::error::FieldsealError;
use crate::guard::guarded;
use crate::views::{Draft, EnterpriseInfo, InspectionDetail, InspectionSummary};

/// What an act made: the thing, and the operation that says so.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Made {
    /// Id of the thing: inspection, finding, order, …
    pub id: String,
    /// Id of the operation.
    pub operation: String,
}

/// An inspection that nobody assigned.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewInspection {
    /// Enterprise of the registry.
    pub enterprise: String,
    /// What it is called; the enterprise's name if empty.
    #[uniffi(default = "")]
    pub title: String,
    /// Where.
    #[uniffi(default = "")]
    pub place: String,
    /// Planned day, `YYYY-MM-DD`.
    #[uniffi(default = None)]
    pub planned: Option<String>,
    /// Remark.
    #[uniffi(default = "")]
    pub remark: String,
    /// Certificate numbers of the officers; everybody on this device if empty.
    #[uniffi(default = [])]
    pub certificates: Vec<String>,
    /// Items of the rule pack; all if empty.
    #[uniffi(default = [])]
    pub items: Vec<String>,
}

/// Answer to an item of the checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum CheckResult {
    /// In order.
    Ok,
    /// Not in order.
    Violation,
    /// Does not apply here.
    NotApplicable,
}

/// A finding as typed.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewFinding {
    /// What was found.
    pub text: String,
    /// Hazard grade of the rule pack.
    pub grade: String,
    /// Checklist item.
    #[uniffi(default = None)]
    pub item: Option<String>,
    /// Violation; the item's if left out.
    #[uniffi(default = None)]
    pub violation: Option<String>,
    /// Clause; the item's if left out.
    #[uniffi(default = None)]
    pub clause: Option<String>,
    /// Where on the site.
    #[uniffi(default = "")]
    pub place: String,
    /// Evidence that belongs to it.
    #[uniffi(default = [])]
    pub evidence: Vec<String>,
    /// An earlier finding that is written anew.
    #[uniffi(default = None)]
    pub finding: Option<String>,
}

/// Lines of a questioning record.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewStatement {
    /// Who speaks.
    pub person: String,
    /// In which role.
    #[uniffi(default = "")]
    pub role: String,
    /// What is said, in order; each is signed as it is said.
    pub lines: Vec<String>,
    /// An earlier statement that goes on.
    #[uniffi(default = None)]
    pub statement: Option<String>,
}

/// One thing to be put right.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewOrderItem {
    /// What is to be done.
    pub text: String,
    /// By which day, `YYYY-MM-DD`.
    #[uniffi(default = None)]
    pub due: Option<String>,
    /// The finding it answers; its grade and clause are taken over.
    #[uniffi(default = None)]
    pub finding: Option<String>,
    /// Clause of the rule pack.
    #[uniffi(default = None)]
    pub clause: Option<String>,
    /// Grade of the rule pack.
    #[uniffi(default = None)]
    pub grade: Option<String>,
    /// An earlier order that goes on; the inspection's if left out.
    #[uniffi(default = None)]
    pub order: Option<String>,
}

/// An enterprise as typed on site.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct NewEnterprise {
    /// Name.
    pub name: String,
    /// Unified social credit code; a wrong one is kept as entered and marked.
    #[uniffi(default = "")]
    pub credit_code: String,
    /// Address.
    #[uniffi(default = "")]
    pub address: String,
    /// Principal head.
    #[uniffi(default = "")]
    pub head: String,
    /// Phone.
    #[uniffi(default = "")]
    pub phone: String,
    /// Industry.
    #[uniffi(default = "")]
    pub industry: String,
}

#[uniffi::export]
impl Device {
    /// The inspections that this device knows of, oldest first.
    pub fn inspections(&self) -> Result<Vec<InspectionSummary>, FieldsealError> {
        guarded(|| Ok(self.device.inspections()?.iter().map(InspectionSummary::of).collect()))
    }

    /// Everything held of an inspection, with the open orders of the last visits.
    pub fn inspection(&self, inspection: String) -> Result<InspectionDetail, FieldsealError> {
        guarded(|| InspectionDetail::read(&self.device, inspection.parse()?))
    }

    /// Begins an inspection that nobody assigned.
    pub fn begin(&self, new: NewInspection) -> Result<Made, FieldsealError> {
        guarded(|| {
            let device = &self.device;
            let enterprise: EnterpriseId = new.enterprise.parse()?;
            let everybody = device.everybody();
            let officers = if new.certificates.is_empty() {
                &everybody
            } else {
                &new.certificates
            };
            let items = if new.items.is_empty() {
                device.every_item()?
            } else {
                new.items
            };
            let title = match new.title.is_empty() {
                true => device.enterprise(enterprise)?.name.unwrap_or_default(),
                false => new.title,
            };
            let (_, inspection, operation) = device.begin(&core::NewInspection {
                enterprise: Some(enterprise),
                title: &title,
                place: &new.place,
                planned: new.planned.as_deref(),
                remark: &new.remark,
                certificates: &refs(officers),
                items: &refs(&items),
                ..core::NewInspection::default()
            })?;
            Ok(made(inspection, operation))
        })
    }

    /// Records that credentials were shown and the content told. Everybody on this device and the rule pack's sentence, if
    /// left out. The operation.
    pub fn show_credentials(
        &self,
        inspection: String,
        shown_to: String,
        told: Option<String>,
        certificates: Vec<String>,
    ) -> Result<String, FieldsealError> {
        guarded(|| {
            let everybody = self.device.everybody();
            let officers = if certificates.is_empty() {
                &everybody
            } else {
                &certificates
            };
            let told = match told {
                Some(told) => told,
                None => self.device.usual_words()?,
            };
            let new = core::NewCredentials {
                certificates: &refs(officers),
                shown_to: &shown_to,
                told: &told,
            };
            Ok(self.device.show_credentials(inspection.parse()?, &new)?.to_string())
        })
    }

    /// Answers an item of the checklist. The operation.
    pub fn check(
        &self,
        inspection: String,
        item: String,
        result: CheckResult,
        note: String,
    ) -> Result<String, FieldsealError> {
        guarded(|| {
            let result = match result {
                CheckResult::Ok => "ok",
                CheckResult::Violation => "violation",
                CheckResult::NotApplicable => "not_applicable",
            };
            let operation = self.device.check(inspection.parse()?, &item, result, &note)?;
            Ok(operation.to_string())
        })
    }

    /// Records a finding, or writes one anew.
    pub fn finding(&self, inspection: String, new: NewFinding) -> Result<Made, FieldsealError> {
        guarded(|| {
            let evidence = new.evidence.iter().map(|id| id.parse());
            let evidence: Vec<EvidenceId> = evidence.collect::<Result<_, IdError>>()?;
            let (finding, operation) = self.device.finding(
                inspection.parse()?,
                &core::NewFinding {
                    finding: id_opt::<FindingId>(new.finding.as_deref())?,
                    text: &new.text,
                    grade: &new.grade,
                    item: new.item.as_deref(),
                    violation: new.violation.as_deref(),
                    clause: new.clause.as_deref(),
                    place: &new.place,
                    evidence: &evidence,
                },
            )?;
            Ok(made(finding, operation))
        })
    }

    /// Records lines of a statement; the statement with its last operation.
    pub fn statement(&self, inspection: String, new: NewStatement) -> Result<Made, FieldsealError> {
        guarded(|| {
            let (statement, operations) = self.device.statement(
                inspection.parse()?,
                &core::NewStatement {
                    statement: id_opt::<ItemId>(new.statement.as_deref())?,
                    person: &new.person,
                    role: &new.role,
                    lines: &refs(&new.lines),
                },
            )?;
            let last = operations
                .last()
                .ok_or_else(|| FieldsealError::new("list_empty", &[]))?;
            Ok(made(statement, *last))
        })
    }

    /// Orders one thing to be put right by a day.
    pub fn order(&self, inspection: String, new: NewOrderItem) -> Result<Made, FieldsealError> {
        guarded(|| {
            let item = core::NewOrderItem {
                text: &new.text,
                due: new.due.as_deref(),
                clause: new.clause.as_deref(),
                grade: new.grade.as_deref(),
                finding: id_opt::<FindingId>(new.finding.as_deref())?,
            };
            let order = id_opt::<ItemId>(new.order.as_deref())?;
            let (order, operation) = self.device.order_item(inspection.parse()?, order, &item)?;
            Ok(made(order, operation))
        })
    }

    /// Chooses between values that two tablets wrote: `chosen` is one of a conflict's values, or another text. The operation.
    pub fn decide(
        &self,
        inspection: String,
        path: String,
        chosen: String,
        reason: String,
    ) -> Result<String, FieldsealError> {
        guarded(|| {
            let case = self.device.inspection(inspection.parse()?)?.row.case;
            Ok(self.device.decide_conflict(case, &path, &chosen, &reason)?.to_string())
        })
    }

    /// Closes an inspection over everything that this device holds of it. The operation.
    pub fn close_inspection(&self, inspection: String) -> Result<String, FieldsealError> {
        guarded(|| Ok(self.device.close(inspection.parse()?)?.to_string()))
    }

    /// Keeps an edit of a field such as `finding/<id>/text` or `inspection/remark`; durable when this returns, and freely
    /// corrected until it is committed.
    pub fn set_draft(&self, inspection: String, path: String, value: String) -> Result<(), FieldsealError> {
        guarded(|| {
            Ok(self
                .device
                .set_draft(inspection.parse()?, &path, &Value::text(&value))?)
        })
    }

    /// The edits that nobody signed yet, of one inspection or all.
    pub fn drafts(&self, inspection: Option<String>) -> Result<Vec<Draft>, FieldsealError> {
        guarded(|| {
            let inspection = id_opt::<InspectionId>(inspection.as_deref())?;
            Ok(self.device.drafts(inspection)?.iter().map(Draft::of).collect())
        })
    }

    /// Signs the drafts of an inspection; the operations.
    pub fn commit(&self, inspection: String) -> Result<Vec<String>, FieldsealError> {
        guarded(|| {
            let operations = self.device.commit(inspection.parse()?)?;
            Ok(operations.iter().map(ToString::to_string).collect())
        })
    }

    /// Adds an enterprise to the registry.
    pub fn enterprise_add(&self, new: NewEnterprise) -> Result<Made, FieldsealError> {
        guarded(|| {
            let (enterprise, operation) = self.device.enterprise_add(&core::NewEnterprise {
                name: &new.name,
                credit_code: &new.credit_code,
                address: &new.address,
                head: &new.head,
                phone: &new.phone,
                industry: &new.industry,
            })?;
            Ok(made(enterprise, operation))
        })
    }

    /// Enterprises whose name, code or address holds all words of the query; all of them without one.
    pub fn enterprises(&self, query: Option<String>) -> Result<Vec<EnterpriseInfo>, FieldsealError> {
        guarded(|| {
            let rows = self.device.enterprises(query.as_deref())?;
            Ok(rows.iter().map(EnterpriseInfo::of).collect())
        })
    }
}

pub(crate) fn made(id: impl ToString, operation: OpId) -> Made {
    Made {
        id: id.to_string(),
        operation: operation.to_string(),
    }
}

pub(crate) fn id_opt<T: FromStr<Err = IdError>>(text: Option<&str>) -> Result<Option<T>, IdError> {
    text.map(str::parse).transpose()
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
