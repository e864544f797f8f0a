//! Objects in memory: for tests of everything that needs a blob store but no disk.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::ready;

use super::{Answer, BlobError, BlobStore, is_name};

/// Objects that are gone with the process.
#[derive(Default)]
pub struct MemoryBlobs {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    objects: BTreeMap<String, Vec<u8>>,
    staged: BTreeMap<String, Vec<u8>>,
}

impl MemoryBlobs {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(bytes: Option<&Vec<u8>>, from: u64, length: usize) -> Result<Vec<u8>, BlobError> {
    let bytes = bytes.ok_or(BlobError::Missing)?;
    let start = (from as usize).min(bytes.len());
    Ok(bytes[start..start.saturating_add(length).min(bytes.len())].to_vec())
}

impl BlobStore for MemoryBlobs {
    fn append(&self, name: &str, end: u64, bytes: Vec<u8>) -> Answer<'_, ()> {
        let append = || {
            if !is_name(name) {
                return Err(BlobError::Missing);
            }
            let mut held = self.held();
            let object = held.staged.entry(name.to_owned()).or_default();
            if (object.len() as u64) < end {
                return Err(BlobError::WrongOffset {
                    at: end,
                    end: object.len() as u64,
                });
            }
            object.truncate(end as usize);
            object.extend_from_slice(&bytes);
            Ok(())
        };
        ready(append()).boxed()
    }
    fn staged(&self, name: &str) -> Answer<'_, u64> {
        ready(Ok(self.held().staged.get(name).map_or(0, |o| o.len() as u64))).boxed()
    }
    fn read_staged(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>> {
        ready(cut(self.held().staged.get(name), from, length)).boxed()
    }
    fn discard(&self, name: &str) -> Answer<'_, ()> {
        self.held().staged.remove(name);
        ready(Ok(())).boxed()
    }
    fn publish(&self, name: &str) -> Answer<'_, ()> {
        let publish = || {
            let mut held = self.held();
            if held.objects.contains_key(name) {
                return Err(BlobError::Exists);
            }
            let object = held.staged.remove(name).ok_or(BlobError::Missing)?;
            held.objects.insert(name.to_owned(), object);
            Ok(())
        };
        ready(publish()).boxed()
    }
    fn size(&self, name: &str) -> Answer<'_, u64> {
        ready(
            self.held()
                .objects
                .get(name)
                .map(|o| o.len() as u64)
                .ok_or(BlobError::Missing),
        )
        .boxed()
    }
    fn read(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>> {
        ready(cut(self.held().objects.get(name), from, length)).boxed()
    }
    fn names(&self) -> Answer<'_, Vec<String>> {
        ready(Ok(self.held().objects.keys().cloned().collect())).boxed()
    }
    fn staged_names(&self) -> Answer<'_, Vec<String>> {
        ready(Ok(self.held().staged.keys().cloned().collect())).boxed()
    }
}
