//! What people do on their devices.

use fieldseal_core::merge::Scope;
use fieldseal_core::operation::NewOperation;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{CaseId, DeviceId, InspectionId, OpId};

use crate::dice::Dice;
use crate::tablet::Tablet;

/// An inspection in its case.
#[derive(Clone, Copy)]
pub struct Place {
    pub case: CaseId,
    pub inspection: InspectionId,
}

impl Place {
    pub fn new(dice: &mut Dice) -> Self {
        Self {
            case: CaseId::from_bytes(dice.id()),
            inspection: InspectionId::from_bytes(dice.id()),
        }
    }

    fn operation(self, kind: &str) -> NewOperation {
        NewOperation::new(kind).in_inspection(self.case, self.inspection)
    }

    /// Opens it for these devices, from the office (`inspection.assign`) or on site (`inspection.begin`).
    pub fn opening(self, kind: &str, devices: &[DeviceId]) -> NewOperation {
        let mut ids: Vec<Vec<u8>> = devices.iter().map(|id| id.as_bytes().to_vec()).collect();
        ids.sort();
        self.operation(kind)
            .field(
                "inspection/device",
                Value::Array(ids.into_iter().map(Value::Bytes).collect()),
            )
            .field("inspection/title", Value::text("检查"))
    }

    /// Something that an inspector writes. Few paths and few values, so that two of them meet.
    pub fn record(self, dice: &mut Dice) -> NewOperation {
        let item = *dice.pick(&["A1", "A2", "B1"]);
        match dice.below(10) {
            0..=3 => {
                let result = *dice.pick(&["ok", "violation", "not_applicable"]);
                self.operation("check.answer")
                    .field(format!("check/{item}/result"), Value::text(result))
            }
            4 | 5 => {
                let finding = format!("finding/{}", CaseId::from_bytes([dice.below(2) as u8; 16]));
                let grade = *dice.pick(&["general", "major"]);
                self.operation("finding.record")
                    .field(format!("{finding}/grade"), Value::text(grade))
                    .field(format!("{finding}/text"), Value::text("通道堵塞"))
            }
            6 => {
                let line = format!("第 {} 句", dice.below(1000));
                let statement = CaseId::from_bytes([7; 16]);
                self.operation("statement.record")
                    .field(format!("statement/{statement}/line"), Value::text(line))
            }
            7 => self
                .operation("check.answer")
                .field(format!("check/{item}/note"), Value::text(format!("{}", dice.below(50)))),
            _ => self.operation("note.record").field(
                format!("note/{}/text", CaseId::from_bytes([dice.below(3) as u8; 16])),
                Value::text(*dice.pick(&["甲", "乙"])),
            ),
        }
    }

    /// Sent back for correction: what comes after its closing counts again.
    pub fn sending_back(self, dice: &mut Dice) -> NewOperation {
        let at = CaseId::from_bytes(dice.id());
        NewOperation::new("inspection.return")
            .in_case(self.case)
            .field(
                format!("return/{at}/inspection"),
                Value::bytes(self.inspection.as_bytes()),
            )
            .field(format!("return/{at}/reason"), Value::text("补充"))
    }
}

/// An enterprise of the registry, which everybody reads and writes.
pub fn enterprise(dice: &mut Dice) -> NewOperation {
    let at = CaseId::from_bytes([dice.below(3) as u8; 16]);
    let name = *dice.pick(&["东升化工", "东升化工厂"]);
    NewOperation::new("enterprise.record").field(format!("enterprise/{at}/name"), Value::text(name))
}

/// A supervisor's decision about something that is set aside in a case, if anything is.
pub fn decision(laptop: &Tablet, place: Place) -> Option<NewOperation> {
    let device = laptop.device();
    let state = device
        .store()
        .state(Scope::Case(place.case))
        .expect("the store can be read");
    // Not what opens an inspection: once released it names nobody (a known defect, `tests/README.md`).
    let opens = |id: &&OpId| {
        state
            .operation(id)
            .is_none_or(|fact| matches!(fact.kind.as_str(), "inspection.assign" | "inspection.begin"))
    };
    let target = *state.quarantine().keys().find(|id| !opens(id))?;
    let decision = NewOperation::new("quarantine.decide")
        .in_case(place.case)
        .field("decide/reason", Value::text("已核实"))
        .field("decide/state", Value::text("released"))
        .field("decide/target", Value::bytes(target.as_bytes()));
    Some(decision)
}
