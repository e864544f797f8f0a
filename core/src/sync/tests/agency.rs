//! One agency with its keys, and devices that write operations.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::TenantId;
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use fieldseal_testkit::{Author, Ceremony, signer};

pub const ORIGIN: &str = "example.org/county/0";

/// All keys of the agency, from fixed seeds.
pub struct Agency {
    pub tenant: TenantId,
    pub ingest: Ed25519Signer,
    pub log: Ed25519Signer,
    pub time: Ed25519Signer,
    pub tablet: Author,
    pub other: Author,
    /// Key log frames.
    pub key_log: Vec<Vec<u8>>,
}

impl Agency {
    pub fn new() -> Self {
        let tenant = TenantId::from_bytes([1; 16]);
        let (tablet, other) = (Author::new(tenant, 21), Author::new(tenant, 31));
        let mut ceremony = Ceremony::new(tenant, 10);
        ceremony.server(2, ORIGIN, [11, 12, 13, 14]);
        ceremony.device(&tablet, "tablet");
        ceremony.device(&other, "tablet");
        Self {
            tenant,
            ingest: signer(11),
            log: signer(12),
            time: signer(13),
            tablet,
            other,
            key_log: ceremony.frames().to_vec(),
        }
    }

    pub fn log_key(&self) -> VerifierKey {
        VerifierKey::ed25519(ORIGIN, self.log.public().clone()).unwrap()
    }
}

/// The author's next operation; `size` bytes of text make it heavy.
pub fn heavy(author: &mut Author, size: usize) -> Operation {
    author.write(
        "note.record",
        vec![("note/a/text".into(), Value::text("x".repeat(size)))],
    )
}
