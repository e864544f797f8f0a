//! The tenant's registry: enterprises and leased numbers.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, EnterpriseId, ItemId};

use super::{Act, CreditCode, Kind, Line, Refusal};
use crate::catalogue::Param;

/// An enterprise as somebody knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnterpriseRecord {
    pub enterprise: EnterpriseId,
    pub name: Line,
    pub credit_code: Option<CreditCode>,
    /// As entered, kept whenever it differs from the code or is none.
    pub credit_code_raw: Option<Line>,
    pub address: Option<Line>,
    pub head: Option<Line>,
    pub phone: Option<Line>,
    pub industry: Option<Line>,
}

impl EnterpriseRecord {
    pub fn act(self) -> Act {
        let at = |field: &str| format!("enterprise/{}/{field}", self.enterprise);
        Act::new(Kind::EnterpriseRecord)
            .text(at("name"), self.name)
            .text_opt(at("credit_code"), self.credit_code.map(|code| code.to_string()))
            .text_opt(at("credit_code_raw"), self.credit_code_raw)
            .text_opt(at("address"), self.address)
            .text_opt(at("head"), self.head)
            .text_opt(at("phone"), self.phone)
            .text_opt(at("industry"), self.industry)
    }
}

/// A block of document numbers that one device may use. A number once printed is never used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberLease {
    pub id: ItemId,
    pub device: DeviceId,
    /// Id of the pack's number series.
    pub form: String,
    pub year: u64,
    pub first: u64,
    pub last: u64,
    /// The words before the year, as the pack writes them.
    pub prefix: String,
}

impl NumberLease {
    pub fn act(self) -> Result<Act, Refusal> {
        if self.first == 0 || self.last < self.first {
            return Err(Refusal::new(
                "range_order",
                [("first", Param::Count(self.first)), ("last", Param::Count(self.last))],
            ));
        }
        let at = |field: &str| format!("lease/{}/{field}", self.id);
        Ok(Act::new(Kind::NumberLease)
            .put(at("device"), Value::bytes(self.device.as_bytes()))
            .text(at("form"), self.form)
            .put(at("year"), Value::Uint(self.year))
            .put(at("first"), Value::Uint(self.first))
            .put(at("last"), Value::Uint(self.last))
            .text(at("prefix"), self.prefix))
    }
}
