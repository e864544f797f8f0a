//! Rule packs that are published here, parsed once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_core::pack::{PackFile, RulePack};
use fieldseal_proof::ids::PackHash;

use crate::ledger::{LedgerError, LedgerStore, space};

/// Parsed packs by their hash. A hash names its bytes, so nothing here is ever stale.
#[derive(Default)]
pub struct PackShelf {
    parsed: Mutex<HashMap<PackHash, Arc<RulePack>>>,
}

impl PackShelf {
    /// A pack; `None` when it was not published here or cannot be read.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn get(&self, ledger: &dyn LedgerStore, hash: PackHash) -> Result<Option<Arc<RulePack>>, LedgerError> {
        if let Some(held) = self.held(&hash) {
            return Ok(Some(held));
        }
        let Some(register) = ledger.register(space::PACK, hash.as_bytes().to_vec()).await? else {
            return Ok(None);
        };
        let parsed = tokio::task::spawn_blocking(move || {
            let file = PackFile::decode(&register.value).ok()?;
            RulePack::parse(file.pack()).ok()
        });
        let parsed = parsed.await.map_err(|e| LedgerError::Corrupt(e.to_string()))?;
        let Some(pack) = parsed.map(Arc::new) else {
            return Ok(None);
        };
        let mut shelf = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.insert(hash, pack.clone());
        Ok(Some(pack))
    }

    /// Every pack that is published here.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn all(&self, ledger: &dyn LedgerStore) -> Result<Vec<Arc<RulePack>>, LedgerError> {
        let mut all = Vec::new();
        for register in ledger.registers(space::PACK, Vec::new(), 100).await? {
            if let Ok(hash) = register.key.as_slice().try_into() {
                all.extend(self.get(ledger, PackHash::from_bytes(hash)).await?);
            }
        }
        Ok(all)
    }

    fn held(&self, hash: &PackHash) -> Option<Arc<RulePack>> {
        let shelf = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.get(hash).cloned()
    }
}
