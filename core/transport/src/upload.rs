//! A request body that is read from the vault as the socket takes it.
//!
//! A thread decrypts; one chunk waits in the channel and one is in its hands, so a blob of any size costs half a
//! megabyte. How much was handed over is what the idle watch looks at.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fieldseal_core::sync::limits::UPLOAD_CHUNK;
use futures_util::stream;
use tokio::sync::mpsc;

/// Counts what happens on a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity {
    bytes: Arc<AtomicU64>,
}

impl Activity {
    pub(crate) fn moved(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// The body, and where a failed read is told.
pub(crate) fn body(
    mut reader: Box<dyn Read + Send>,
    length: u64,
    activity: Activity,
) -> (reqwest::Body, mpsc::Receiver<String>) {
    let (chunks, receiver) = mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let (failed, failures) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut left = length;
        while left > 0 {
            let mut chunk = vec![0; UPLOAD_CHUNK.min(usize::try_from(left).unwrap_or(UPLOAD_CHUNK))];
            let read = reader.read_exact(&mut chunk).map(|()| chunk);
            let failure = read.as_ref().err().map(ToString::to_string);
            left -= read.as_ref().map_or(left, |chunk| chunk.len() as u64);
            if let Some(why) = failure {
                // Told first, so that the cut body that follows is not taken for a cut line.
                let _ = failed.blocking_send(why);
            }
            // A closed channel is a cut connection: nobody wants the rest.
            if chunks.blocking_send(read).is_err() {
                return;
            }
        }
    });
    let stream = stream::unfold(receiver, move |mut receiver| {
        let activity = activity.clone();
        async move {
            let chunk = receiver.recv().await?;
            activity.moved(chunk.as_ref().map_or(0, Vec::len));
            Some((chunk, receiver))
        }
    });
    (reqwest::Body::wrap_stream(stream), failures)
}
