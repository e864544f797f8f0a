//! Everything a tablet does with no network: drafts, operations, evidence, rule packs, merge, local store, sync as a state machine.
//!
//! ```text
//! capture → seal → append → push ─HTTP→ (server)
//! ```
//!
//! The library never reads environment, home folder, wall clock or standard output: time comes in through [`clock`].

pub mod bundle;
pub mod catalogue;
pub mod clock;
pub mod device;
pub mod domain;
pub mod escrow;
pub mod evidence;
pub mod keyring;
pub mod media;
pub mod merge;
pub mod operation;
pub mod pack;
pub mod random;
pub mod store;
pub mod sync;
pub mod vault;
pub mod watch;
