//! Who holds a device: the officers whose keys in force lie on it.

use fieldseal_proof::ids::{DeviceId, OfficerId};
use fieldseal_proof::key_log::Purpose;

use crate::ingest::KeyLogState;
use crate::ledger::{LedgerError, LedgerStore, space};

/// An officer who holds a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    pub officer: OfficerId,
    /// The entry of the key log that enrolled the key on this device.
    pub entry: u64,
}

/// The officers who hold a device. Whoever went on with another tablet holds this one no longer, once the key on it is revoked.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn holders(
    ledger: &dyn LedgerStore,
    keys: &KeyLogState,
    device: DeviceId,
) -> Result<Vec<Holder>, LedgerError> {
    let carried = ledger
        .registers_under(space::CARRIED, device.as_bytes().to_vec())
        .await?;
    let held = carried.iter().filter_map(|row| {
        let officer = row.key.strip_prefix(device.as_bytes().as_slice())?;
        let officer = OfficerId::from_bytes(officer.try_into().ok()?);
        // A row that an earlier program wrote does not say which key: any of the officer's will do.
        let stands = keys.log.keys().filter(|(_, key)| {
            let own = key.record.purpose == Purpose::Officer && key.subject == Some(*officer.as_bytes());
            own && key.revoked_at.is_none() && (row.value.is_empty() || key.record.public == row.value)
        });
        let entry = stands.map(|(_, key)| key.enrolled_at).min()?;
        Some(Holder { officer, entry })
    });
    Ok(held.collect())
}
