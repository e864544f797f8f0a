//! Operations of the server itself: dispositions, leases, rolls, custody events. One author, one chain.

use fieldseal_core::random::array;
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BodyRoot, CaseId, DeviceId, InspectionId, Link, OpId};
use fieldseal_proof::operation::{ClockClaim, Header, Operation, link_origin};
use fieldseal_proof::suite::Suite;

use super::Ingest;
use super::admit::blobs_named;
use crate::ledger::{Chain, ChainKey, Commit, LedgerError, NewBatch, NewOperation, Run, RunState, StreamHead};

/// What the server wants to say; sequence, clock and signature are added.
#[derive(Debug, Clone)]
pub struct OwnOperation {
    pub kind: &'static str,
    pub case: Option<CaseId>,
    pub inspection: Option<InspectionId>,
    pub supersedes: Vec<OpId>,
    pub fields: Vec<(String, Value)>,
    /// A device that must get it although it is not named in the case.
    pub audience: Option<DeviceId>,
}

/// Why the server could not write. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorError {
    /// The ceremony has not taken place: the key log does not name this server's keys.
    #[error("the server's keys are not in the key log yet: adopt the ceremony's key log first")]
    NotAdopted,
    #[error("the operation could not be made: {0}")]
    Seal(String),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What the author remembers between operations.
#[derive(Debug, Default)]
pub(super) struct OwnChainState {
    hlc_ms: u64,
    hlc_counter: u16,
}

impl Ingest {
    /// The server's own chain.
    pub fn own_chain(&self) -> ChainKey {
        ChainKey {
            device: self.keys.device,
            incarnation: self.keys.incarnation,
        }
    }

    /// Signs and admits the server's own operations together with other changes; returns their ids.
    ///
    /// # Errors
    /// [`LedgerError::Conflict`] where `with` no longer holds: the caller reads again.
    pub async fn author(&self, operations: Vec<OwnOperation>, with: Commit) -> Result<Vec<OpId>, AuthorError> {
        let key = self.own_chain();
        let key_log = self.key_log();
        let enrolled = key_log
            .log
            .operation_key(&key.device, &key.incarnation)
            .ok_or(AuthorError::NotAdopted)?;
        if enrolled.record.public != self.keys.operation.public() {
            return Err(AuthorError::NotAdopted);
        }
        let mut state = self.own.lock().await;
        let chain = self.chain(key).await?;
        let mut streams = self.ledger.streams(key).await?;
        let (mut seq, mut prev) = next_place(&chain, link_origin(&self.tenant, &key.device));
        let mut batch = NewBatch {
            chain: chain.clone(),
            operations: Vec::new(),
            streams: Vec::new(),
            moved: Vec::new(),
            received_ms: self.now_ms(),
        };
        let mut operations = operations;
        if seq == 0 {
            operations.insert(0, opening());
        }
        let skipped = usize::from(seq == 0);
        let before = prev;
        for own in operations {
            let audience = own.audience;
            let (operation, stream) = self.seal(&mut state, own, seq, prev, &streams)?;
            let link = operation.link();
            let header = operation.header();
            streams.retain(|head| head.stream != stream);
            let id = operation.id();
            let head = StreamHead {
                chain: key,
                stream,
                case: header.case,
                counter: header.counter,
                id,
                leaf: u64::MAX,
            };
            streams.push(head);
            batch.streams.retain(|head| head.stream != stream);
            batch.streams.push(head);
            batch.operations.push(NewOperation {
                id,
                commitment: operation.commitment(),
                run: 0,
                seq,
                link,
                kind: header.kind.clone(),
                case: header.case,
                stream,
                counter: header.counter,
                audience,
                spoiled: false,
                blobs: blobs_named(&operation),
                frame: operation.frame(),
            });
            seq += 1;
            prev = link;
        }
        let ids: Vec<OpId> = batch
            .operations
            .iter()
            .skip(skipped)
            .map(|operation| operation.id)
            .collect();
        batch.chain.runs = vec![Run {
            number: 0,
            state: RunState::Main,
            first_seq: 0,
            before,
            last_seq: seq - 1,
            link: prev,
            fork: None,
        }];
        if let Some(main) = chain.main() {
            batch.chain.runs[0].before = main.before;
        }
        self.ledger
            .commit(Commit {
                batch: Some(batch),
                ..with
            })
            .await?;
        self.announce();
        Ok(ids)
    }

    fn seal(
        &self,
        state: &mut OwnChainState,
        own: OwnOperation,
        seq: u64,
        prev: Link,
        streams: &[StreamHead],
    ) -> Result<(Operation, [u8; 16]), AuthorError> {
        let failed = |e: String| AuthorError::Seal(e);
        let now = self.clock.now();
        // The server's chain is short-lived in memory only in its clock: the wall clock carries it across restarts.
        if now.wall_ms > state.hlc_ms {
            (state.hlc_ms, state.hlc_counter) = (now.wall_ms, 0);
        } else {
            state.hlc_counter = state.hlc_counter.saturating_add(1);
        }
        let seed = array(&*self.random).map_err(|e| failed(e.to_string()))?;
        let body = Body::build(seed, own.fields).map_err(|e| failed(e.to_string()))?;
        let mut header = Header {
            suite: Suite::Ed25519,
            tenant: self.tenant,
            device: self.keys.device,
            incarnation: self.keys.incarnation,
            seq,
            prev,
            kind: own.kind.to_owned(),
            schema: 0,
            case: own.case,
            inspection: own.inspection,
            counter: 0,
            session: None,
            hlc_ms: state.hlc_ms,
            hlc_counter: state.hlc_counter,
            clock: ClockClaim {
                wall_ms: now.wall_ms,
                boot: now.boot,
                monotonic_ms: now.monotonic_ms,
            },
            supersedes: own.supersedes,
            anchor: None,
            pack: None,
            app: concat!("fieldseal-server/", env!("CARGO_PKG_VERSION")).to_owned(),
            body_root: BodyRoot::from_bytes([0; 32]),
            signers: Vec::new(),
            unknown: Vec::new(),
        };
        header.supersedes.sort_unstable();
        header.supersedes.dedup();
        let stream = header.stream().id();
        header.counter = streams
            .iter()
            .find(|head| head.stream == stream)
            .map_or(0, |head| head.counter + 1);
        let operation =
            Operation::seal(header, body, &*self.keys.operation.signer()).map_err(|e| failed(e.to_string()))?;
        Ok((operation, stream))
    }
}

/// The first operation of an incarnation (merge.md, `device.open`).
fn opening() -> OwnOperation {
    OwnOperation {
        kind: "device.open",
        case: None,
        inspection: None,
        supersedes: Vec::new(),
        fields: vec![
            ("device/label".into(), Value::text("ingest")),
            (
                "device/app".into(),
                Value::text(concat!("fieldseal-server/", env!("CARGO_PKG_VERSION"))),
            ),
        ],
        audience: None,
    }
}

fn next_place(chain: &Chain, origin: Link) -> (u64, Link) {
    chain.main().map_or((0, origin), |main| (main.last_seq + 1, main.link))
}
