//! The enrolment text: the server, its certificate, the tenant's root key and a code (wire.md).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldseal_proof::ids::{TenantId, from_hex};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::suite::{PublicKey, Suite};
use serde::Deserialize;

use super::DeviceError;
use crate::keyring::Role;

/// A card that was read and checked. A tablet accepts no other server and no other root.
#[derive(Debug, Clone)]
pub struct EnrolmentCard {
    /// Where the server is.
    pub url: String,
    /// SHA-256 of the SubjectPublicKeyInfo of its TLS certificate; of the whole certificate in cards from before.
    pub tls_sha256: [u8; 32],
    /// Agency.
    pub tenant: TenantId,
    /// The tenant's root key.
    pub root: PublicKey,
    /// Key of the central log; its name is the origin.
    pub log: VerifierKey,
    /// One-time code.
    pub code: String,
    /// What the administrator calls the device.
    pub label: String,
    /// What the device is for.
    pub role: Role,
}

#[derive(Deserialize)]
struct CardJson {
    url: String,
    tls_sha256: String,
    tenant: String,
    root: String,
    log_vkey: String,
    code: String,
    #[serde(default)]
    label: String,
    #[serde(default)]
    role: Option<String>,
}

impl EnrolmentCard {
    /// Reads the text that an administrator handed over.
    ///
    /// # Errors
    /// `enrolment_text` with what is wrong in it.
    pub fn parse(text: &str) -> Result<Self, DeviceError> {
        let wrong = |detail: &str| DeviceError::text("enrolment_text", "detail", detail);
        if text.len() > MAX_TEXT {
            return Err(wrong("too long"));
        }
        let inside = text
            .trim()
            .strip_prefix(PREFIX)
            .ok_or_else(|| wrong("it does not begin with fieldseal:enrol:1:"))?;
        let bytes = URL_SAFE_NO_PAD
            .decode(inside)
            .map_err(|_| wrong("it is not base64url"))?;
        let card: CardJson = serde_json::from_slice(&bytes).map_err(|e| wrong(&e.to_string()))?;
        if !card.url.starts_with("https://") {
            return Err(wrong("the address is not https"));
        }
        let root = from_hex(&card.root).ok_or_else(|| wrong("the root key is not hex"))?;
        // An Ed25519 key has 32 bytes, a compressed P-256 point 33.
        let suite = if root.len() == 33 { Suite::P256 } else { Suite::Ed25519 };
        Ok(Self {
            tls_sha256: from_hex(&card.tls_sha256)
                .and_then(|bytes| bytes.try_into().ok())
                .ok_or_else(|| wrong("the certificate's SHA-256 is not 64 hex digits"))?,
            tenant: card.tenant.parse().map_err(|_| wrong("the tenant is not a UUID"))?,
            root: PublicKey::parse(suite, &root).map_err(|e| wrong(&e.to_string()))?,
            log: VerifierKey::parse(&card.log_vkey).map_err(|e| wrong(&e.to_string()))?,
            role: match card.role.as_deref() {
                None | Some("tablet") => Role::Tablet,
                Some("supervisor") => Role::Supervisor,
                Some(_) => return Err(wrong("unknown role")),
            },
            url: card.url,
            code: card.code,
            label: card.label,
        })
    }
}

const PREFIX: &str = "fieldseal:enrol:1:";
const MAX_TEXT: usize = 8 * 1024;
