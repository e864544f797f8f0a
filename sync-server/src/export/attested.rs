//! What bounds the operations of a bundle in time, and what the server promised for them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fieldseal_core::bundle::LoggedOperation;
use fieldseal_proof::checkpoint::{AttestationKind, TimeNote};
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::ids::{DeviceId, IncarnationId};
use fieldseal_proof::merkle::prove_consistency;
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::receipt::BatchReceipt;

use super::ExportError;
use crate::ledger::{ChainKey, space};
use crate::server::Server;

pub(super) type Attested = (Vec<(AttestationKind, Vec<u8>)>, Vec<(u64, Vec<Digest32>)>);

/// The attestations that anchors name, and for each operation the earliest one whose tree holds it.
pub(super) async fn attestations(
    server: &Arc<Server>,
    operations: &[LoggedOperation],
    size: u64,
) -> Result<Attested, ExportError> {
    let named: BTreeSet<Vec<u8>> = operations
        .iter()
        .filter_map(|o| o.operation.header().anchor)
        .map(|a| a.as_bytes().to_vec())
        .collect();
    let mut notes: Vec<(u64, u64, Vec<u8>, bool)> = Vec::new();
    for register in server
        .ledger
        .registers(space::ATTESTATION, Vec::new(), usize::MAX >> 1)
        .await?
    {
        let note = SignedNote::parse(&register.value).and_then(|note| TimeNote::of(&note));
        let note = note.map_err(|e| ExportError::Corrupt(e.to_string()))?;
        if note.size <= size {
            notes.push((note.unix_ms, note.size, register.value, named.contains(&register.key)));
        }
    }
    notes.sort();
    let mut used: BTreeSet<usize> = (0..notes.len()).filter(|at| notes[*at].3).collect();
    for logged in operations {
        used.extend(notes.iter().position(|(_, of, _, _)| *of > logged.index));
    }
    let mut consistency: BTreeMap<u64, Vec<Digest32>> = BTreeMap::new();
    for at in &used {
        let of = notes[*at].1;
        if of != size && of > 0 {
            consistency.insert(of, prove_consistency(of, size, &server.tiles)?);
        }
    }
    let attestations = used
        .iter()
        .map(|at| (AttestationKind::TimeNote, notes[*at].2.clone()))
        .collect();
    Ok((attestations, consistency.into_iter().collect()))
}

/// Device, incarnation, last seq, framed receipt.
pub(super) type Receipts = Vec<(DeviceId, IncarnationId, u64, Vec<u8>)>;

/// The receipts over any of the operations, of pushes that lie whole below the checkpoint.
pub(super) async fn receipts(
    server: &Arc<Server>,
    operations: &[LoggedOperation],
    size: u64,
) -> Result<Receipts, ExportError> {
    let mut seqs: BTreeMap<ChainKey, BTreeSet<u64>> = BTreeMap::new();
    for logged in operations {
        let header = logged.operation.header();
        let chain = ChainKey {
            device: header.device,
            incarnation: header.incarnation,
        };
        seqs.entry(chain).or_default().insert(header.seq);
    }
    let mut out = Vec::new();
    for (chain, seqs) in seqs {
        let prefix = [chain.device.as_bytes().as_slice(), chain.incarnation.as_bytes()].concat();
        for register in server.ledger.registers_under(space::RECEIPT, prefix).await? {
            let receipt = BatchReceipt::peek(&register.value).map_err(|e| ExportError::Corrupt(e.to_string()))?;
            let (first, last) = (receipt.first_seq, receipt.last_seq);
            if seqs.range(first..=last).next().is_none() {
                continue;
            }
            let stored = server.ledger.stored(chain, last, last).await?;
            if stored.iter().any(|one| one.leaf < size) {
                out.push((chain.device, chain.incarnation, last, register.value));
            }
        }
    }
    Ok(out)
}
