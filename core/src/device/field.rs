//! What an inspector does on site, each a signed operation.

use fieldseal_proof::ids::{EvidenceId, FindingId, InspectionId, ItemId, OpId};

use super::{DeviceError, FieldDevice};
use crate::domain::{
    Certificate, CheckAnswer, CheckResult, CredentialsShown, Day, FindingRecord, Line, OrderDraft, OrderItem,
    Paragraph, StatementRecord,
};
use crate::keyring::OfficerRecord;

/// Who showed which certificates to whom, and what was told.
#[derive(Debug, Clone, Default)]
pub struct NewCredentials<'a> {
    /// Certificate numbers shown; the officers must be on this device.
    pub certificates: &'a [&'a str],
    /// To whom.
    pub shown_to: &'a str,
    /// What was told.
    pub told: &'a str,
}

/// A finding as typed.
#[derive(Debug, Clone, Default)]
pub struct NewFinding<'a> {
    /// An earlier finding that is written anew; a new one otherwise.
    pub finding: Option<FindingId>,
    /// What was found.
    pub text: &'a str,
    /// Hazard grade, an id of the rule pack.
    pub grade: &'a str,
    /// Checklist item, an id of the rule pack.
    pub item: Option<&'a str>,
    /// Violation, an id of the rule pack; the item's if left out.
    pub violation: Option<&'a str>,
    /// Clause, an id of the rule pack; the item's if left out.
    pub clause: Option<&'a str>,
    /// Where on the site.
    pub place: &'a str,
    /// Evidence that belongs to it.
    pub evidence: &'a [EvidenceId],
}

/// One line of a questioning record.
#[derive(Debug, Clone, Default)]
pub struct NewStatement<'a> {
    /// An earlier statement that goes on; a new one otherwise.
    pub statement: Option<ItemId>,
    /// Who speaks.
    pub person: &'a str,
    /// In which role.
    pub role: &'a str,
    /// What is said, one operation per line, in order.
    pub lines: &'a [&'a str],
}

/// One thing to be put right.
#[derive(Debug, Clone, Default)]
pub struct NewOrderItem<'a> {
    /// What is to be done.
    pub text: &'a str,
    /// By which day, `YYYY-MM-DD`.
    pub due: Option<&'a str>,
    /// Clause, an id of the rule pack.
    pub clause: Option<&'a str>,
    /// Hazard grade, an id of the rule pack.
    pub grade: Option<&'a str>,
    /// The finding it answers.
    pub finding: Option<FindingId>,
}

impl FieldDevice {
    /// Records that credentials were shown and the content told.
    ///
    /// # Errors
    /// `officer_unknown`, `too_few_officers`, or a field that is not accepted.
    pub fn show_credentials(&self, inspection: InspectionId, new: &NewCredentials<'_>) -> Result<OpId, DeviceError> {
        let pack = self.pack()?;
        let records = new.certificates.iter().map(|c| self.officer(c));
        let records: Vec<OfficerRecord> = records.collect::<Result<_, DeviceError>>()?;
        // What is sealed is what was said: a pack's sentence has places for who says it.
        let between = if pack.head().language.starts_with("zh") {
            "、"
        } else {
            ", "
        };
        let names: Vec<&str> = records.iter().map(|record| record.name.as_str()).collect();
        let told = new
            .told
            .replace("{agency}", &pack.agency().name)
            .replace("{officers}", &names.join(between))
            .replace("{certificates}", &new.certificates.join(between));
        let act = CredentialsShown {
            id: ItemId::from_bytes(self.fresh_id()?),
            officers: records.iter().map(|record| record.officer).collect(),
            certificates: new
                .certificates
                .iter()
                .map(|c| Certificate::parse(c))
                .collect::<Result<_, _>>()?,
            shown_to: Line::parse("shown_to", new.shown_to)?,
            told: Paragraph::parse("told", &told)?,
        }
        .act(&pack)?;
        self.record(inspection, act)
    }

    /// Answers an item of the checklist: `ok`, `violation` or `not_applicable`.
    ///
    /// # Errors
    /// `not_in_pack`, `choice_unknown`.
    pub fn check(&self, inspection: InspectionId, item: &str, result: &str, note: &str) -> Result<OpId, DeviceError> {
        let answer = CheckAnswer {
            item: item.to_owned(),
            result: CheckResult::parse(result)?,
            note: Paragraph::parse_opt("note", note)?,
        };
        self.record(inspection, answer.act(&*self.pack()?)?)
    }

    /// Records a finding, or writes one anew.
    ///
    /// # Errors
    /// `not_in_pack`, `not_in_force`, or a field that is not accepted.
    pub fn finding(&self, inspection: InspectionId, new: &NewFinding<'_>) -> Result<(FindingId, OpId), DeviceError> {
        let finding = match new.finding {
            Some(finding) => finding,
            None => FindingId::from_bytes(self.fresh_id()?),
        };
        let pack = self.pack()?;
        let record = FindingRecord {
            finding,
            text: Paragraph::parse("text", new.text)?,
            grade: new.grade.to_owned(),
            item: new.item.map(str::to_owned),
            violation: new.violation.map(str::to_owned),
            clause: new.clause.map(str::to_owned),
            place: Line::parse_opt("place", new.place)?,
            evidence: new.evidence.to_vec(),
        };
        let act = record.act(&pack, self.today(&pack))?;
        Ok((finding, self.record(inspection, act)?))
    }

    /// Records lines of a statement, each signed as it is said.
    ///
    /// # Errors
    /// A field that is not accepted; the lines before it are kept.
    pub fn statement(
        &self,
        inspection: InspectionId,
        new: &NewStatement<'_>,
    ) -> Result<(ItemId, Vec<OpId>), DeviceError> {
        let statement = match new.statement {
            Some(statement) => statement,
            None => ItemId::from_bytes(self.fresh_id()?),
        };
        let mut ids = Vec::new();
        for line in new.lines {
            let record = StatementRecord {
                statement,
                person: Line::parse("person", new.person)?,
                role: Line::parse_opt("role", new.role)?,
                line: Paragraph::parse("line", line)?,
            };
            ids.push(self.record(inspection, record.act())?);
        }
        Ok((statement, ids))
    }

    /// Drafts an order to put things right, with a date per item.
    ///
    /// # Errors
    /// `not_in_pack`, `due_before_order`, `due_too_late`, `due_missing`.
    pub fn order(
        &self,
        inspection: InspectionId,
        order: Option<ItemId>,
        items: &[NewOrderItem<'_>],
    ) -> Result<(ItemId, OpId), DeviceError> {
        let order = match order {
            Some(order) => order,
            None => ItemId::from_bytes(self.fresh_id()?),
        };
        let pack = self.pack()?;
        let ordered = self.today(&pack);
        let items = items.iter().map(|new| {
            Ok(OrderItem {
                item: ItemId::from_bytes(self.fresh_id()?),
                text: Paragraph::parse("text", new.text)?,
                due: new.due.map(|due| Day::parse("due", due)).transpose()?,
                clause: new.clause.map(str::to_owned),
                grade: new.grade.map(str::to_owned),
                finding: new.finding,
            })
        });
        let items = items.collect::<Result<_, DeviceError>>()?;
        let act = OrderDraft { order, items }.act(&pack, ordered)?;
        Ok((order, self.record(inspection, act)?))
    }
}
