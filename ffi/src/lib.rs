//! The device for Kotlin, Swift and Python: a thin, blocking façade over [`fieldseal_core::device::FieldDevice`].
//!
//! | module | what an app finds there |
//! |---|---|
//! | [`device`] | [`Device`](device::Device): enrol, open, status, what a start had to repair |
//! | [`people`] | officers, PINs, signatures with an officer's key |
//! | [`work`] | inspections, drafts, and every act of the field |
//! | [`views`] | what is shown of an inspection |
//! | [`evidence`] | capture from a stream or in pieces, import, read back, room left |
//! | [`documents`] | print, sign on glass, refuse (feature `render`) |
//! | [`rules`] | the rule pack in force, as lists to choose from |
//! | [`sync`] | `sync` over our own connection (feature `transport`), or [`SyncSession`](sync::SyncSession): the host owns the socket |
//! | [`verifier`] | a hearing bundle against trust from elsewhere |
//! | [`host`] | what the app gives: clock, key store, streams, listeners |
//! | [`error`] | [`FieldsealError`](error::FieldsealError): a stable code, typed parameters, the sentence in both languages |
//!
//! Calls block and may come from any thread; none is async. Ids are text in their one form. No rule stands here.

#![warn(missing_docs)]

pub mod device;
#[cfg(feature = "render")]
pub mod documents;
pub mod error;
pub mod evidence;
mod guard;
pub mod host;
pub mod people;
pub mod rules;
mod stream;
pub mod sync;
pub mod verifier;
pub mod views;
pub mod work;

uniffi::setup_scaffolding!("fieldseal");
