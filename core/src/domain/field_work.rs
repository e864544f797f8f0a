//! What inspectors write at a site.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, EnterpriseId, EvidenceId, FindingId, ItemId, OfficerId};

use super::act::{id_array, people_array};
use super::evidence::{bounded, choice};
use super::{Act, Certificate, CreditCode, Day, Kind, Line, Paragraph, Refusal};
use crate::catalogue::Param;
use crate::pack::RulePack;

/// The first operation of an incarnation.
pub fn device_open(label: Line, app: Line) -> Act {
    Act::new(Kind::DeviceOpen)
        .text("device/label", label)
        .text("device/app", app)
}

/// The inspected party, copied into the inspection so that the record says what was known that day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Party {
    pub name: Option<Line>,
    pub credit_code: Option<CreditCode>,
    pub address: Option<Line>,
    /// The principal head (主要负责人).
    pub head: Option<Line>,
    pub position: Option<Line>,
    pub phone: Option<Line>,
}

/// An inspection as assigned by a supervisor, or begun by an officer when nobody assigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectionPlan {
    pub enterprise: EnterpriseId,
    pub title: Line,
    pub place: Option<Line>,
    pub planned: Option<Day>,
    pub remark: Option<Paragraph>,
    pub officers: Vec<OfficerId>,
    pub devices: Vec<DeviceId>,
    /// Inspection items of the pack.
    pub items: Vec<String>,
    pub party: Party,
}

impl InspectionPlan {
    /// As an assignment by a supervisor.
    pub fn assign(self, pack: &RulePack) -> Result<Act, Refusal> {
        self.act(Kind::InspectionAssign, pack)
    }

    /// As begun by the tablet itself.
    pub fn begin(self, pack: &RulePack) -> Result<Act, Refusal> {
        self.act(Kind::InspectionBegin, pack)
    }

    fn act(self, kind: Kind, pack: &RulePack) -> Result<Act, Refusal> {
        bounded("officers", self.officers.len(), 16)?;
        bounded("items", self.items.len(), 200)?;
        for item in &self.items {
            known("item", item, pack.item(item).is_some())?;
        }
        let mut items = self.items;
        items.sort_unstable();
        items.dedup();
        let mut act = Act::new(kind)
            .put("inspection/enterprise", Value::bytes(self.enterprise.as_bytes()))
            .text("inspection/title", self.title)
            .text_opt("inspection/place", self.place)
            .text_opt("inspection/planned", self.planned.map(|day| day.to_string()))
            .text_opt("inspection/remark", self.remark)
            .put("inspection/officer", people_array(&self.officers))
            .put(
                "inspection/item",
                Value::Array(items.into_iter().map(Value::text).collect()),
            )
            .text_opt("party/name", self.party.name)
            .text_opt("party/credit_code", self.party.credit_code.map(|code| code.to_string()))
            .text_opt("party/address", self.party.address)
            .text_opt("party/head", self.party.head)
            .text_opt("party/position", self.party.position)
            .text_opt("party/phone", self.party.phone);
        if !self.devices.is_empty() {
            act = act.put(
                "inspection/device",
                id_array(self.devices.iter().map(|d| d.as_bytes().as_slice())),
            );
        }
        Ok(act)
    }
}

/// Credentials shown and content told, before the first question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsShown {
    pub id: ItemId,
    pub officers: Vec<OfficerId>,
    pub certificates: Vec<Certificate>,
    pub shown_to: Line,
    /// The words that were said; the pack has the sentence.
    pub told: Paragraph,
}

impl CredentialsShown {
    pub fn act(self, pack: &RulePack) -> Result<Act, Refusal> {
        let least = pack.thresholds().least_officers;
        let mut officers = self.officers.clone();
        officers.sort_unstable();
        officers.dedup();
        if (officers.len() as u64) < least || (self.certificates.len() as u64) < least {
            return Err(Refusal::new("too_few_officers", [("least", Param::Count(least))]));
        }
        let at = |field: &str| format!("credentials/{}/{field}", self.id);
        let certificates = self.certificates.iter().map(|c| Value::text(c.as_str())).collect();
        Ok(Act::new(Kind::CredentialsShow)
            .signed_by(pack.credentials_attested_by())
            .put(
                at("officers"),
                Value::Array(self.officers.iter().map(|o| Value::bytes(o.as_bytes())).collect()),
            )
            .put(at("certificates"), Value::Array(certificates))
            .text(at("shown_to"), self.shown_to)
            .text(at("told"), self.told))
    }
}

/// The answer to a checklist item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CheckResult {
    Ok,
    Violation,
    NotApplicable,
}

impl CheckResult {
    const ALL: [CheckResult; 3] = [Self::Ok, Self::Violation, Self::NotApplicable];

    /// The value in `check/*/result` and, after `check.`, the catalogue's code.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Violation => "violation",
            Self::NotApplicable => "not_applicable",
        }
    }

    pub fn parse(text: &str) -> Result<CheckResult, Refusal> {
        choice("item", text, &Self::ALL, Self::as_str)
    }
}

/// One item of a checklist, answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    pub item: String,
    pub result: CheckResult,
    pub note: Option<Paragraph>,
}

impl CheckAnswer {
    pub fn act(self, pack: &RulePack) -> Result<Act, Refusal> {
        known("item", &self.item, pack.item(&self.item).is_some())?;
        Ok(Act::new(Kind::CheckAnswer)
            .text(format!("check/{}/result", self.item), self.result.as_str())
            .text_opt(format!("check/{}/note", self.item), self.note))
    }
}

/// Something found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingRecord {
    pub finding: FindingId,
    pub text: Paragraph,
    pub grade: String,
    /// The checklist item it was found at; gives violation and clause where those are left out.
    pub item: Option<String>,
    pub violation: Option<String>,
    pub clause: Option<String>,
    pub place: Option<Line>,
    pub evidence: Vec<EvidenceId>,
}

impl FindingRecord {
    /// The operation, with every id checked against the pack on the day of the finding.
    pub fn act(self, pack: &RulePack, day: Day) -> Result<Act, Refusal> {
        known("grade", &self.grade, pack.grade(&self.grade).is_some())?;
        let item = match &self.item {
            Some(id) => Some(pack.item(id).ok_or_else(|| unknown("item", id))?),
            None => None,
        };
        let violation = self.violation.or_else(|| item.and_then(|item| item.violation.clone()));
        if let Some(id) = &violation {
            known("violation", id, pack.violation(id).is_some())?;
        }
        let clause = self.clause.or_else(|| item.map(|item| item.duty.clone()));
        if let Some(id) = &clause {
            clause_in_force(pack, id, day)?;
        }
        let at = |field: &str| format!("finding/{}/{field}", self.finding);
        let mut act = Act::new(Kind::FindingRecord)
            .text(at("text"), self.text)
            .text(at("grade"), self.grade)
            .text_opt(at("item"), self.item)
            .text_opt(at("violation"), violation)
            .text_opt(at("clause"), clause)
            .text_opt(at("place"), self.place);
        if !self.evidence.is_empty() {
            act = act.put(
                at("evidence"),
                id_array(self.evidence.iter().map(|e| e.as_bytes().as_slice())),
            );
        }
        Ok(act)
    }
}

/// One or more lines of a person's statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementRecord {
    pub statement: ItemId,
    pub person: Line,
    pub role: Option<Line>,
    pub line: Paragraph,
}

impl StatementRecord {
    pub fn act(self) -> Act {
        let at = |field: &str| format!("statement/{}/{field}", self.statement);
        Act::new(Kind::StatementRecord)
            .text(at("person"), self.person)
            .text_opt(at("role"), self.role)
            .text(at("line"), self.line)
    }
}

/// One thing to put right by a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderItem {
    pub item: ItemId,
    pub text: Paragraph,
    pub due: Option<Day>,
    pub clause: Option<String>,
    pub grade: Option<String>,
    pub finding: Option<FindingId>,
}

/// A rectification order in the making; the document is issued from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderDraft {
    pub order: ItemId,
    pub items: Vec<OrderItem>,
}

impl OrderDraft {
    /// The operation. `ordered` is the day of the order: no due day lies before it, and the pack's grades say which items need one
    /// and how far away it may lie.
    pub fn act(self, pack: &RulePack, ordered: Day) -> Result<Act, Refusal> {
        bounded("items", self.items.len(), 150)?;
        let mut act = Act::new(Kind::OrderDraft);
        for item in self.items {
            if let Some(id) = &item.clause {
                clause_in_force(pack, id, ordered)?;
            }
            if let Some(id) = &item.grade {
                let grade = pack.grade(id).ok_or_else(|| unknown("grade", id))?;
                check_due(item.due, ordered, &grade.name.zh, grade.dated_order, grade.longest_days)?;
            }
            if let Some(due) = item.due {
                Day::due(&due.to_string(), ordered)?;
            }
            let at = |field: &str| format!("order/{}/item/{}/{field}", self.order, item.item);
            act = act
                .text(at("text"), item.text)
                .text_opt(at("due"), item.due.map(|day| day.to_string()))
                .text_opt(at("clause"), item.clause)
                .text_opt(at("grade"), item.grade)
                .put_opt(at("finding"), item.finding.map(|f| Value::bytes(f.as_bytes())));
        }
        Ok(act)
    }
}

/// What a review found about an ordered item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReviewResult {
    Fulfilled,
    Partly,
    NotFulfilled,
}

impl ReviewResult {
    const ALL: [ReviewResult; 3] = [Self::Fulfilled, Self::Partly, Self::NotFulfilled];

    /// The value in `review/*/item/*/result`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fulfilled => "fulfilled",
            Self::Partly => "partly",
            Self::NotFulfilled => "not_fulfilled",
        }
    }

    pub fn parse(text: &str) -> Result<ReviewResult, Refusal> {
        choice("result", text, &Self::ALL, Self::as_str)
    }
}

/// An ordered item of an earlier visit, looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReview {
    pub order: ItemId,
    pub item: ItemId,
    pub result: ReviewResult,
    pub note: Option<Paragraph>,
}

impl OrderReview {
    /// The operation; it belongs to the inspection at which the item was looked at again.
    pub fn act(self) -> Act {
        let at = |field: &str| format!("review/{}/item/{}/{field}", self.order, self.item);
        Act::new(Kind::OrderReview)
            .text(at("result"), self.result.as_str())
            .text_opt(at("note"), self.note)
    }
}

/// A remark that belongs to no form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub id: ItemId,
    pub text: Paragraph,
}

impl Note {
    pub fn act(self) -> Act {
        Act::new(Kind::NoteRecord).text(format!("note/{}/text", self.id), self.text)
    }
}

pub(super) fn check_due(
    due: Option<Day>,
    ordered: Day,
    grade: &str,
    dated: bool,
    longest: Option<u64>,
) -> Result<(), Refusal> {
    let grade_param = ("grade", Param::text(grade));
    let Some(due) = due else {
        return if dated {
            Err(Refusal::new("due_missing", [grade_param]))
        } else {
            Ok(())
        };
    };
    let days = due.days_after(ordered);
    match longest {
        Some(most) if days > most as i64 => Err(Refusal::new(
            "due_too_late",
            [
                ("due", Param::text(due.to_string())),
                ("most", Param::Count(most)),
                grade_param,
            ],
        )),
        _ => Ok(()),
    }
}

pub(super) fn clause_in_force(pack: &RulePack, id: &str, day: Day) -> Result<(), Refusal> {
    let Some(clause) = pack.clause(id) else {
        return if pack.head().open_clauses {
            Line::parse("clause", id).map(drop)
        } else {
            Err(unknown("clause", id))
        };
    };
    if clause.in_force(day) {
        return Ok(());
    }
    Err(Refusal::new(
        "not_in_force",
        [("id", Param::text(id)), ("date", Param::text(day.to_string()))],
    ))
}

pub(super) fn known(what: &'static str, id: &str, there: bool) -> Result<(), Refusal> {
    if there { Ok(()) } else { Err(unknown(what, id)) }
}

pub(super) fn unknown(what: &'static str, id: &str) -> Refusal {
    Refusal::new("not_in_pack", [("what", Param::label(what)), ("id", Param::text(id))])
}
