//! Long work that somebody watches: told in bytes, and ended when the watcher wishes.
//!
//! Whoever works asks after each piece of at most 64 KiB of evidence, or after each record, so a wish to stop is met within
//! one piece.

use std::ops::ControlFlow;

/// How far a piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// Bytes of evidence that are done.
    pub bytes: u64,
    /// Bytes of evidence in all; 0 when there are none.
    pub total: u64,
}

/// Looks at the work and says whether it goes on.
pub type Watcher<'a> = dyn FnMut(Moved) -> ControlFlow<()> + 'a;

/// Nobody watches; the work goes on to its end.
pub fn unwatched(_: Moved) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The work's side: counts, and asks.
pub(crate) struct Watch<'a, 'b> {
    watcher: &'a mut Watcher<'b>,
    moved: Moved,
}

impl<'a, 'b> Watch<'a, 'b> {
    pub fn new(watcher: &'a mut Watcher<'b>, total: u64) -> Self {
        Self {
            watcher,
            moved: Moved { bytes: 0, total },
        }
    }

    /// `bytes` more are done. A break is the wish to stop.
    pub fn done(&mut self, bytes: u64) -> ControlFlow<()> {
        self.moved.bytes += bytes;
        (self.watcher)(self.moved)
    }
}
