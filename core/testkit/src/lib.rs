//! What the tests of several rooms build the same way: keys from one number, a tenant's key log, and devices that write
//! operations in a row. Never shipped; a test that leans on it stays readable as "who wrote what, when".
//!
//! ```
//! use fieldseal_proof::{ids::TenantId, suite::Signer};
//! use fieldseal_testkit::{Author, Ceremony, signer, text};
//!
//! let tenant = TenantId::from_bytes([1; 16]);
//! let mut tablet = Author::new(tenant, 21);
//! let mut ceremony = Ceremony::new(tenant, 10);
//! ceremony.server(2, "example.org/county/0", [11, 12, 13, 14]);
//! ceremony.device(&tablet, "tablet");
//!
//! let note = tablet.write("note.record", vec![text("note/a/text", "通道堵塞")]);
//! let key = ceremony.log().operation_key(&tablet.device, &tablet.incarnation).unwrap().record.key().unwrap();
//! assert!(note.verify(&key).is_ok());
//! assert_eq!(key.key_id(), signer(21).public().key_id());
//! ```

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test, and says where")]

mod author;
mod ceremony;
mod keys;

pub use author::{Author, Draft, text};
pub use ceremony::Ceremony;
pub use keys::{record, signer};
