//! A range of original bytes, read out of a sealed object: only the segments that it touches, each checked before a byte leaves.

use std::sync::Arc;

use futures_util::stream::{self, Stream};

use super::sealed::HEAD_MOST;
use super::{BlobError, BlobStore, Opened, SEGMENT, VaultKey};

/// Where a blob lies and how long its original is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub object: String,
    pub size: u64,
}

/// Opens the original bytes `[from, to)`; one segment is in memory at a time.
///
/// # Errors
/// When the object is gone or its head does not open. A segment that does not open ends the stream with an error.
pub async fn open_range(
    store: Arc<dyn BlobStore>,
    vault: &VaultKey,
    stored: Stored,
    from: u64,
    to: u64,
) -> Result<impl Stream<Item = std::io::Result<Vec<u8>>> + Send + 'static, BlobError> {
    let head = store.read(&stored.object, 0, HEAD_MOST).await?;
    let file = Opened::open(&head, vault).map_err(|e| BlobError::Io(e.to_string()))?;
    let to = to.min(stored.size);
    Ok(stream::try_unfold((from, file), move |(at, file)| {
        let (store, stored) = (store.clone(), stored.clone());
        async move {
            if at >= to {
                return Ok(None);
            }
            let number = (at / SEGMENT as u64) as u32;
            let (place, length) = file.place(number, stored.size);
            let sealed = store
                .read(&stored.object, place, length)
                .await
                .map_err(std::io::Error::other)?;
            let last = u64::from(number) + 1 >= stored.size.div_ceil(SEGMENT as u64);
            let plain = file
                .open_segment(number, last, &sealed)
                .map_err(std::io::Error::other)?;
            let start = (at - u64::from(number) * SEGMENT as u64) as usize;
            let end = plain.len().min(start + (to - at) as usize);
            let part = plain.get(start..end).unwrap_or_default().to_vec();
            if part.is_empty() {
                return Err(std::io::Error::other("a stored file is shorter than its row"));
            }
            Ok(Some((part, (at + (end - start) as u64, file))))
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::{FutureExt, TryStreamExt};

    use super::super::{Answer, Incoming, MemoryBlobs};
    use super::*;
    use fieldseal_core::random::OsRandom;

    /// Counts what is read of the objects.
    struct Counting(MemoryBlobs, Mutex<Vec<(u64, usize)>>);

    impl BlobStore for Counting {
        fn append(&self, name: &str, end: u64, bytes: Vec<u8>) -> Answer<'_, ()> {
            self.0.append(name, end, bytes)
        }
        fn staged(&self, name: &str) -> Answer<'_, u64> {
            self.0.staged(name)
        }
        fn read_staged(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>> {
            self.0.read_staged(name, from, length)
        }
        fn discard(&self, name: &str) -> Answer<'_, ()> {
            self.0.discard(name)
        }
        fn publish(&self, name: &str) -> Answer<'_, ()> {
            self.0.publish(name)
        }
        fn size(&self, name: &str) -> Answer<'_, u64> {
            self.0.size(name)
        }
        fn read(&self, name: &str, from: u64, length: usize) -> Answer<'_, Vec<u8>> {
            self.1.lock().unwrap().push((from, length));
            self.0.read(name, from, length)
        }
        fn names(&self) -> Answer<'_, Vec<String>> {
            self.0.names()
        }
        fn staged_names(&self) -> Answer<'_, Vec<String>> {
            self.0.staged_names()
        }
    }

    #[test]
    fn a_range_reads_only_what_it_touches() {
        let vault = VaultKey([3; 32]);
        let plain: Vec<u8> = (0..5 * SEGMENT + 100).map(|i| (i * 7 % 253) as u8).collect();
        let size = plain.len() as u64;
        let (mut incoming, mut object) = Incoming::create(size, &vault, &OsRandom).unwrap();
        object.extend(incoming.push(&plain).unwrap());
        let store = Arc::new(Counting(MemoryBlobs::default(), Mutex::default()));
        store.append("a", 0, object).now_or_never().unwrap().unwrap();
        store.publish("a").now_or_never().unwrap().unwrap();
        let stored = Stored {
            object: "a".into(),
            size,
        };
        for (from, to) in [
            (0, 1),
            (0, size),
            (SEGMENT as u64 - 1, SEGMENT as u64 + 1),
            (size - 1, size),
            (70_000, 200_000),
        ] {
            store.1.lock().unwrap().clear();
            let read = async {
                let parts = open_range(store.clone(), &vault, stored.clone(), from, to)
                    .await
                    .unwrap();
                parts.try_collect::<Vec<_>>().await.unwrap().concat()
            };
            assert_eq!(
                read.now_or_never().unwrap(),
                plain[from as usize..to as usize],
                "{from}..{to}"
            );
            let touched = (to - 1) / SEGMENT as u64 - from / SEGMENT as u64 + 1;
            assert_eq!(
                store.1.lock().unwrap().len() as u64,
                touched + 1,
                "the head and {touched} segments"
            );
        }
    }
}
