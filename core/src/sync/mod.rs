//! Sync as a state machine without I/O: what to send next, and what an answer means.
//!
//! ```text
//! server → key log → (heads, after a restore) → health → push → feed → packs → time note, checkpoint, own places in the log → blobs → health
//! ```
//!
//! | module | what for |
//! |---|---|
//! | [`session`] | [`SyncSession`]: the order, retries, numbering of requests |
//! | `records` | server's name, key log, push with its receipts, feed, packs |
//! | `log` | time notes, consistency of checkpoints, inclusion of own operations, all from tiles |
//! | [`health`] | what the device tells about itself |
//! | `blobs` | evidence: have, create, send in slices by class, receipts |
//! | `pace` | how long a slice may be, by what the line carries |
//! | [`store`] | what it needs from the device's store |
//! | [`message`] | requests and answers as data |
//! | [`fault`] | what can go wrong, by what to do about it |
//! | [`limits`] | every limit and waiting time with its reason |
//!
//! Nothing is believed before it is checked: receipts and notes against the key log and the enrolment, frames before
//! they are imported, every checkpoint against the one held.

pub mod backoff;
mod blobs;
pub mod fault;
pub mod health;
pub mod limits;
mod log;
pub mod message;
mod pace;
mod records;
pub mod report;
pub mod session;
pub mod store;
pub mod tiles;
mod wire;

pub use fault::{Fault, StoreFault};
pub use health::Health;
pub use message::{NoAnswer, Request, Response};
pub use report::{Alarm, Ending, Progress, SyncReport};
pub use session::{Step, SyncOptions, SyncSession};
pub use store::SyncStore;

#[cfg(test)]
mod tests;
