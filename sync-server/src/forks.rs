//! Proofs that a device equivocated, as they are handed out: what ingest wrote down when it saw the second operation, with the key
//! log beside it, so that the file stands alone (`core/docs/formats/operation.md`, Fork proof).

use fieldseal_proof::cbor;
use fieldseal_proof::fork::{ForkError, ForkProof, ShownFork};
use fieldseal_proof::ids::{DeviceId, IncarnationId};

use crate::ingest::receipt_key;
use crate::ledger::{ChainKey, LedgerError, LedgerStore, Register, space};

/// A contradiction between two operations of one device.
pub struct KeptFork {
    /// Chain of the operation that arrived second.
    pub chain: ChainKey,
    /// Its sequence number.
    pub seq: u64,
    /// The file.
    pub proof: ForkProof,
    /// What it shows: it was checked when it was read.
    pub shown: ShownFork,
}

/// All of them, by device, life and sequence number.
///
/// # Errors
/// When the ledger cannot be read, or what stands there proves nothing.
pub async fn all(ledger: &dyn LedgerStore) -> Result<Vec<KeptFork>, LedgerError> {
    let rows = ledger
        .registers(space::EQUIVOCATION, Vec::new(), usize::MAX >> 1)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.extend(read(ledger, &row).await?);
    }
    Ok(found)
}

/// The one at a place.
///
/// # Errors
/// As [`all`].
pub async fn find(ledger: &dyn LedgerStore, chain: ChainKey, seq: u64) -> Result<Option<KeptFork>, LedgerError> {
    match ledger.register(space::EQUIVOCATION, receipt_key(chain, seq)).await? {
        Some(row) => read(ledger, &row).await,
        None => Ok(None),
    }
}

/// The name of the file.
pub fn file_name(chain: ChainKey, seq: u64) -> String {
    format!("fork-{}-{}-{seq}.cbor", chain.device, chain.incarnation)
}

/// One, checked. `None` where the two do not contradict each other: an earlier program took the operation that another branch has at
/// the next number for the one that follows.
async fn read(ledger: &dyn LedgerStore, row: &Register) -> Result<Option<KeptFork>, LedgerError> {
    let corrupt = |why: String| LedgerError::Corrupt(format!("a proof of equivocation: {why}"));
    let (chain, seq) = place(&row.key).ok_or_else(|| corrupt("its key".into()))?;
    let frames = cbor::split_sequence(&row.value).map_err(|why| corrupt(why.to_string()))?;
    let [first, second] = frames[..] else {
        return Err(corrupt("it does not hold two operations".into()));
    };
    let key_log = ledger.key_log(0).await?;
    let key_log = key_log.iter().map(|row| row.frame.as_slice());
    let proof = ForkProof::of([first, second], key_log).map_err(|why| corrupt(why.to_string()))?;
    match proof.verify() {
        Ok(shown) => Ok(Some(KeptFork {
            chain,
            seq,
            proof,
            shown,
        })),
        Err(ForkError::NoFork) => Ok(None),
        Err(why) => Err(corrupt(why.to_string())),
    }
}

/// Device, incarnation and sequence number of a key.
fn place(key: &[u8]) -> Option<(ChainKey, u64)> {
    let (device, rest) = key.split_first_chunk::<16>()?;
    let (incarnation, seq) = rest.split_first_chunk::<16>()?;
    let chain = ChainKey {
        device: DeviceId::from_bytes(*device),
        incarnation: IncarnationId::from_bytes(*incarnation),
    };
    Some((chain, u64::from_be_bytes(seq.try_into().ok()?)))
}
