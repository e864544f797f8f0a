//! DSSE pre-authentication encoding: what is really signed, bound to what it is for.

/// `"DSSEv1" SP len(type) SP type SP len(body) SP body`.
///
/// ```
/// assert_eq!(fieldseal_proof::dsse::pae("t/x", b"hi"), b"DSSEv1 3 t/x 2 hi");
/// ```
pub fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {} {} ", payload_type.len(), payload_type, body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

/// Signs operation headers.
pub const OPERATION: &str = "application/vnd.fieldseal.operation.v0+cbor";
/// Signs officers' attestations.
pub const ATTESTATION: &str = "application/vnd.fieldseal.attestation.v0+cbor";
/// Signs key log entries.
pub const KEY_LOG_ENTRY: &str = "application/vnd.fieldseal.key-log-entry.v0+cbor";
/// Signs batch receipts.
pub const RECEIPT: &str = "application/vnd.fieldseal.receipt.v0+cbor";
/// Signs blob receipts.
pub const BLOB_RECEIPT: &str = "application/vnd.fieldseal.blob-receipt.v0+cbor";
/// Signs rule packs.
pub const PACK: &str = "application/vnd.fieldseal.pack.v0+cbor";
/// Signs a device's request to be enrolled.
pub const ENROLMENT: &str = "application/vnd.fieldseal.enrolment.v0+cbor";
