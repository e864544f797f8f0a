//! The rule packs that this device holds, and which of them is in force.

use fieldseal_proof::ids::PackHash;

use super::{DeviceError, FieldDevice};
use crate::pack::{PackFile, RulePack};

impl FieldDevice {
    /// Packs held, by name.
    ///
    /// # Errors
    /// When the database does.
    pub fn packs(&self) -> Result<Vec<(String, PackHash)>, DeviceError> {
        let mut packs = Vec::new();
        for hash in self.store.packs()? {
            let file = PackFile::decode(&self.store.pack(hash)?).ok();
            let rules = file.and_then(|file| RulePack::parse(file.pack()).ok());
            packs.extend(rules.map(|rules| (rules.head().id.clone(), hash)));
        }
        packs.sort();
        Ok(packs)
    }

    /// Puts a pack in force, by its name or hash; of several of one name the last by hash.
    ///
    /// # Errors
    /// `not_found` for a pack that is not held here.
    pub fn choose_pack(&self, chosen: &str) -> Result<PackHash, DeviceError> {
        let held = self.packs()?;
        let found = held
            .iter()
            .rev()
            .find(|(id, hash)| id == chosen || hash.to_string() == chosen);
        let (_, hash) = found.ok_or_else(|| DeviceError::not_found(chosen))?;
        self.store.use_pack(*hash)?;
        self.store.set_fact("pack_chosen", hash.as_bytes())?;
        Ok(*hash)
    }

    /// Until somebody chooses, the pack in force is the first by name of those held.
    ///
    /// # Errors
    /// When the database does.
    pub fn settle_pack(&self) -> Result<(), DeviceError> {
        if self.store.fact("pack_chosen")?.is_some() {
            return Ok(());
        }
        if let Some((_, hash)) = self.packs()?.into_iter().next() {
            self.store.use_pack(hash)?;
        }
        Ok(())
    }
}
