//! The spaces of registers: what each is keyed by and what stands in it. JSON unless said otherwise.

/// `epoch` (16 bytes), `tenant`, `assessed` and `projected` (cursors over the log, decimal text), `tree` (head of the log).
pub const META: &str = "meta";
/// SHA-256 of a bearer token → whose it is and what it may do.
pub const TOKEN: &str = "token";
/// SHA-256 of an invitation code → kind, role, label, until when, whether it was used.
pub const INVITATION: &str = "invitation";
/// Request id → what was asked and how it stands.
pub const ENROLMENT: &str = "enrolment";
/// Request id → `pending` or `refused` (text): those that an administrator may still approve. An index of `enrolment`.
pub const OPEN_REQUEST: &str = "open_request";
/// Upload id → an upload that is under way.
pub const UPLOAD: &str = "upload";
/// Device ‖ SHA-256 → upload id (text). An index of `upload`.
pub const UPLOAD_OF: &str = "upload_of";
/// SHA-256 of original bytes → object name, size, media type, receipt.
pub const BLOB: &str = "blob";
/// SHA-256 of original bytes ‖ device → the device has shown that it holds them: it sent all of them, or a supervisor did from its
/// rescue file. A text.
pub const HOLDER: &str = "holder";
/// Pack hash → pack file (bytes).
pub const PACK: &str = "pack";
/// Anchor → time attestation that this server gave out (bytes).
pub const ATTESTATION: &str = "attestation";
/// Tree size (8 bytes) ‖ time (8 bytes, milliseconds) → anchor of the time note that says so (bytes). Looked up for upper bounds.
pub const TIME: &str = "time";
/// Tree size (8 bytes) → the checkpoint signed for it (bytes).
pub const CHECKPOINT: &str = "checkpoint";
/// Device, incarnation, last seq → batch receipt (bytes).
pub const RECEIPT: &str = "receipt";
/// Device, incarnation, seq of the operation that came second → proof of equivocation: the two frames without their bodies, the
/// first one first.
pub const EQUIVOCATION: &str = "equivocation";
/// Device → last contact, label, role.
pub const DEVICE: &str = "device";
/// Device → what it last told about itself, and its clock beside the server's.
pub const HEALTH: &str = "health";
/// Operation id → how it stands, if it ever was set aside.
pub const QUARANTINE: &str = "quarantine";
/// Case → summary for the register.
pub const CASE: &str = "case";
/// Form and year → next free number.
pub const NUMBER: &str = "number";
/// Device ‖ officer → the officer's newest public key on that device; empty where an earlier program wrote the row.
pub const CARRIED: &str = "carried";
/// Inspection → the operation that closed it. Derived.
pub const CLOSING: &str = "closing";
/// Operation id → what a whole check of a sealed item came to, when and at which checkpoint.
pub const CHECKED: &str = "checked";
/// Case → it has sealed items that could not be checked yet (text).
pub const UNCHECKED: &str = "unchecked";
/// User name in lower case → a person's account in the console.
pub const ACCOUNT: &str = "account";
/// SHA-256 of a session's token → whose it is, since when.
pub const SESSION: &str = "session";
/// First two bytes of a user name's SHA-256 → wrong passwords in a row, and until when nobody may try.
pub const LOCKOUT: &str = "lockout";
