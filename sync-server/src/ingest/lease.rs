//! Number leases: a tablet gets a range of document numbers that nobody else gets, so that it can number offline.

use fieldseal_core::random::uuid;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, IncarnationId, ItemId, OpId};

use super::{AuthorError, Ingest, OwnOperation};
use crate::ledger::{Commit, LedgerError, Swap, space};

/// What a tablet asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    pub device: DeviceId,
    /// The life of the device that asks: two copies of a tablet have one device id and MUST NOT number from one lease. `None` from
    /// an older program.
    pub incarnation: Option<IncarnationId>,
    /// Which series of numbers, as the rule pack names it.
    pub form: String,
    pub year: u64,
    /// 1…1,000.
    pub count: u64,
    /// What the pack puts before the number, if it is the server's to say.
    pub prefix: String,
}

/// A leased range, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub operation: OpId,
    pub first: u64,
    pub last: u64,
}

impl Ingest {
    /// Leases the next range of a series; the lease is an operation in the feed.
    ///
    /// # Errors
    /// As [`Ingest::author`]; numbers are never given twice, also where the answer is lost.
    pub async fn lease(&self, request: LeaseRequest) -> Result<Lease, AuthorError> {
        let key = format!("{}/{}", request.form, request.year).into_bytes();
        loop {
            let held = self.ledger.register(space::NUMBER, key.clone()).await?;
            let (version, first) = match &held {
                Some(register) => (register.version, read(&register.value)?),
                None => (0, 1),
            };
            let last = first + request.count - 1;
            let item = ItemId::from_bytes(uuid(&*self.random).map_err(|e| AuthorError::Seal(e.to_string()))?);
            let path = |name: &str| format!("lease/{item}/{name}");
            let mut fields = vec![
                (path("device"), Value::bytes(request.device.as_bytes())),
                (path("form"), Value::text(&request.form)),
                (path("year"), Value::Uint(request.year)),
                (path("first"), Value::Uint(first)),
                (path("last"), Value::Uint(last)),
                (path("prefix"), Value::text(&request.prefix)),
            ];
            let life = request.incarnation;
            fields.extend(life.map(|life| (path("incarnation"), Value::bytes(life.as_bytes()))));
            let operation = OwnOperation {
                kind: "number.lease",
                case: None,
                inspection: None,
                supersedes: Vec::new(),
                fields,
                audience: Some(request.device),
            };
            let next = Swap::update(space::NUMBER, key.clone(), version, (last + 1).to_string());
            match self.author(vec![operation], Commit::of(vec![next])).await {
                Ok(ids) => {
                    return Ok(Lease {
                        operation: ids[0],
                        first,
                        last,
                    });
                }
                Err(AuthorError::Ledger(LedgerError::Conflict(_))) => {}
                Err(other) => return Err(other),
            }
        }
    }
}

fn read(value: &[u8]) -> Result<u64, LedgerError> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| LedgerError::Corrupt("a number register".into()))
}
