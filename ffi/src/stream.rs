//! Bytes of the host as the library reads them: counted, told, and stopped when the user wishes.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fieldseal_core::watch::Moved;

use crate::error::FieldsealError;
use crate::host::{ByteSource, Cancel, HostError, Progress, ProgressListener};

/// Bytes asked of a host at a time. Smaller pieces cost calls, larger ones memory.
pub(crate) const PIECE: u32 = 1024 * 1024;
/// A listener is told at most this often.
const TOLD: Duration = Duration::from_millis(100);

/// Why a watched stream ended before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The user's wish.
    Cancelled,
    /// The host's failure.
    Host(String),
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancelled => f.write_str("stopped by the user"),
            Self::Host(detail) => f.write_str(detail),
        }
    }
}

impl std::error::Error for Cut {}

/// A reader over a host's source. It holds one piece at a time.
pub(crate) struct HostReader {
    source: Arc<dyn ByteSource>,
    piece: Vec<u8>,
    at: usize,
    /// It gave nothing: it is not asked again.
    ended: bool,
}

impl HostReader {
    pub fn new(source: Arc<dyn ByteSource>) -> Self {
        Self {
            source,
            piece: Vec::new(),
            at: 0,
            ended: false,
        }
    }
}

impl Read for HostReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() && !self.ended {
            let read = self.source.read(PIECE);
            self.piece = read.map_err(|error| io::Error::other(Cut::Host(error.to_string())))?;
            self.at = 0;
            self.ended = self.piece.is_empty();
        }
        let count = out.len().min(self.piece.len() - self.at);
        out[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// A reader that counts, tells and can be stopped. After the end, `cut` says why it came early.
pub(crate) struct Watched<R> {
    inner: R,
    listener: Option<Arc<dyn ProgressListener>>,
    cancel: Option<Arc<Cancel>>,
    total_bytes: u64,
    bytes: u64,
    told: Option<Instant>,
    /// Why it ended early.
    pub cut: Option<Cut>,
}

impl<R: Read> Watched<R> {
    pub fn new(
        inner: R,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
        total_bytes: u64,
    ) -> Self {
        Self {
            inner,
            listener,
            cancel,
            total_bytes,
            bytes: 0,
            told: None,
            cut: None,
        }
    }

    /// Tells the listener how much there was.
    pub fn tell(&self) -> Result<(), HostError> {
        let Some(listener) = &self.listener else { return Ok(()) };
        listener.moved(Progress {
            step: "capture".to_owned(),
            bytes: self.bytes,
            total_bytes: self.total_bytes,
            operations_left: 0,
            bytes_per_s: None,
            left_ms: None,
        })
    }

    fn ended<T>(&mut self, cut: Cut) -> io::Result<T> {
        self.cut = Some(cut.clone());
        Err(io::Error::other(cut))
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.cancel.as_ref().is_some_and(|cancel| cancel.is_cancelled()) {
            return self.ended(Cut::Cancelled);
        }
        let count = self.inner.read(out).inspect_err(|error| {
            let cut = error.get_ref().and_then(|inner| inner.downcast_ref::<Cut>());
            self.cut = cut.cloned();
        })?;
        self.bytes += count as u64;
        if self.told.is_none_or(|told| told.elapsed() >= TOLD) {
            self.told = Some(Instant::now());
            if let Err(error) = self.tell() {
                return self.ended(Cut::Host(error.to_string()));
            }
        }
        Ok(count)
    }
}

/// Looks at long work for the app: tells its listener, and ends it when the user wishes or the listener fails.
pub(crate) struct Looker {
    step: &'static str,
    listener: Option<Arc<dyn ProgressListener>>,
    cancel: Option<Arc<Cancel>>,
    told: Option<Instant>,
    /// Why it was ended.
    cut: Option<Cut>,
}

impl Looker {
    pub fn new(step: &'static str, listener: Option<Arc<dyn ProgressListener>>, cancel: Option<Arc<Cancel>>) -> Self {
        Self {
            step,
            listener,
            cancel,
            told: None,
            cut: None,
        }
    }

    /// Whether the user wishes to stop.
    #[cfg(feature = "render")]
    pub fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|cancel| cancel.is_cancelled())
    }

    /// After a piece of the work: whether it goes on.
    pub fn moved(&mut self, moved: Moved) -> ControlFlow<()> {
        if self.cut.is_none() && self.cancel.as_ref().is_some_and(|cancel| cancel.is_cancelled()) {
            self.cut = Some(Cut::Cancelled);
        }
        let due = moved.bytes == moved.total || self.told.is_none_or(|told| told.elapsed() >= TOLD);
        if self.cut.is_none() && due && self.tell(self.step, moved).is_break() {
            return ControlFlow::Break(());
        }
        match self.cut {
            None => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(()),
        }
    }

    /// Tells the listener at once.
    pub fn tell(&mut self, step: &str, moved: Moved) -> ControlFlow<()> {
        self.told = Some(Instant::now());
        let Some(listener) = &self.listener else {
            return ControlFlow::Continue(());
        };
        let told = listener.moved(Progress {
            step: step.to_owned(),
            bytes: moved.bytes,
            total_bytes: moved.total,
            operations_left: 0,
            bytes_per_s: None,
            left_ms: None,
        });
        match told {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.cut = Some(Cut::Host(error.to_string()));
                ControlFlow::Break(())
            }
        }
    }

    /// What came of the work: a wish to stop under `code`, a listener that failed as the host's failure.
    pub fn settle<T>(&mut self, code: &str, outcome: Result<T, FieldsealError>) -> Result<T, FieldsealError> {
        match self.cut.take() {
            None => outcome,
            Some(Cut::Cancelled) => Err(FieldsealError::new(code, &[])),
            Some(Cut::Host(detail)) => Err(FieldsealError::host("progress listener", &detail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostError;

    struct Zeros(std::sync::atomic::AtomicU32);

    impl ByteSource for Zeros {
        fn read(&self, most: u32) -> Result<Vec<u8>, HostError> {
            match self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) {
                0 => Err(HostError::Failed {
                    detail: "the camera went away".into(),
                }),
                _ => Ok(vec![0; most as usize]),
            }
        }
    }

    #[test]
    fn a_wish_to_stop_and_a_hosts_failure_are_told_apart() {
        let cancel = Cancel::new();
        let reader = HostReader::new(Arc::new(Zeros(2.into())));
        let mut watched = Watched::new(reader, None, Some(Arc::clone(&cancel)), 0);
        let mut out = vec![0; PIECE as usize * 3];
        assert!(watched.read_exact(&mut out).is_err());
        assert_eq!(watched.cut, Some(Cut::Host("the camera went away".into())));
        cancel.cancel();
        assert!(watched.read(&mut out).is_err());
        assert_eq!(watched.cut, Some(Cut::Cancelled));
    }
}
