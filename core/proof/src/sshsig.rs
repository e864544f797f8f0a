//! SSHSIG (OpenSSH `PROTOCOL.sshsig`): the bundle's signature, which `ssh-keygen -Y verify` checks.

use crate::encoding::{base64, from_base64};
use crate::suite::{PublicKey, SignError, SignatureError, Signer, Suite};
use sha2::{Digest, Sha512};

/// The namespace of a hearing bundle's signature.
pub const NAMESPACE: &str = "fieldseal.bundle";

const MAGIC: &[u8] = b"SSHSIG";
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "-----END SSH SIGNATURE-----";

/// A signature file that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshsigError {
    /// Not an SSHSIG of the form that is written here: Ed25519, sha512, this namespace.
    #[error("bundle signature: {0}")]
    Form(&'static str),
    /// The signature does not hold.
    #[error("bundle signature: {0}")]
    Signature(#[from] SignatureError),
}

/// Signs a message; the result is the armored file.
pub fn sign(message: &[u8], signer: &dyn Signer) -> Result<String, SignError> {
    let signature = signer.sign_raw(&signed_data(message))?;
    let mut blob = [MAGIC, &1u32.to_be_bytes()].concat();
    string(&mut blob, &public_key_blob(signer.public()));
    string(&mut blob, NAMESPACE.as_bytes());
    string(&mut blob, b"");
    string(&mut blob, b"sha512");
    let mut inner = Vec::new();
    string(&mut inner, b"ssh-ed25519");
    string(&mut inner, &signature);
    string(&mut blob, &inner);
    let text = base64(&blob);
    let lines: Vec<&str> = text.as_bytes().chunks(70).filter_map(|c| std::str::from_utf8(c).ok()).collect();
    Ok(format!("{BEGIN}{}\n{END}\n", lines.join("\n")))
}

/// Checks an armored signature over a message and gives the key that made it; whose key it is is decided elsewhere.
pub fn verify(message: &[u8], armored: &str) -> Result<PublicKey, SshsigError> {
    let form = SshsigError::Form;
    if armored.len() > 16 * 1024 {
        return Err(form("it is over 16 KiB"));
    }
    let inner = armored
        .strip_prefix(BEGIN)
        .and_then(|s| s.trim_end().strip_suffix(END))
        .ok_or(form("no SSH SIGNATURE armour"))?;
    let blob = from_base64(&inner.split('\n').collect::<String>()).ok_or(form("the armour is not base64"))?;
    let rest = blob
        .strip_prefix(MAGIC)
        .and_then(|r| r.strip_prefix(&1u32.to_be_bytes()[..]))
        .ok_or(form("not an SSHSIG of version 1"))?;
    let mut reader = Reader(rest);
    let key = reader.string().and_then(read_public_key).ok_or(form("the key is not Ed25519"))?;
    let namespace = reader.string().ok_or(form("it is cut off"))?;
    let reserved = reader.string().ok_or(form("it is cut off"))?;
    let algorithm = reader.string().ok_or(form("it is cut off"))?;
    let mut signature = Reader(reader.string().ok_or(form("it is cut off"))?);
    if namespace != NAMESPACE.as_bytes() {
        return Err(form("the namespace is not fieldseal.bundle"));
    }
    if !reserved.is_empty() || algorithm != b"sha512" || !reader.0.is_empty() {
        return Err(form("reserved field, hash or length is not as written here"));
    }
    let (kind, bytes) = (signature.string(), signature.string());
    if kind != Some(b"ssh-ed25519") || !signature.0.is_empty() {
        return Err(form("the signature is not Ed25519"));
    }
    let key = PublicKey::parse(Suite::Ed25519, key)?;
    key.verify_raw(&signed_data(message), bytes.ok_or(form("it is cut off"))?)?;
    Ok(key)
}

/// A line of an `allowed_signers` file for this key.
pub fn allowed_signers_line(principal: &str, key: &PublicKey) -> String {
    format!("{principal} namespaces=\"{NAMESPACE}\" ssh-ed25519 {}\n", base64(&public_key_blob(key)))
}

/// Whether an `allowed_signers` file lists the key for this namespace or for every one. A line with another option (a
/// certificate authority, a term of validity) lists nothing: what it asks for cannot be checked here.
pub fn is_allowed(allowed_signers: &str, key: &PublicKey) -> bool {
    let blob = base64(&public_key_blob(key));
    let lists = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some(at) = fields.iter().position(|f| *f == "ssh-ed25519").filter(|at| (1..=2).contains(at)) else {
            return false;
        };
        let option = fields[1..at].first().map(|f| f.strip_prefix("namespaces=").unwrap_or_default());
        let namespace = option.is_none_or(|o| o.trim_matches('"').split(',').any(|n| n == NAMESPACE));
        !fields[0].starts_with('#') && fields.get(at + 1) == Some(&blob.as_str()) && namespace
    };
    allowed_signers.lines().any(lists)
}

fn signed_data(message: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    string(&mut out, NAMESPACE.as_bytes());
    string(&mut out, b"");
    string(&mut out, b"sha512");
    string(&mut out, &Sha512::digest(message));
    out
}

fn public_key_blob(key: &PublicKey) -> Vec<u8> {
    let mut out = Vec::new();
    string(&mut out, b"ssh-ed25519");
    string(&mut out, key.as_bytes());
    out
}

fn read_public_key(blob: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader(blob);
    let (kind, key) = (reader.string()?, reader.string()?);
    (kind == b"ssh-ed25519" && reader.0.is_empty()).then_some(key)
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (bytes, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Ed25519Signer;

    #[test]
    fn a_changed_message_or_namespace_is_refused() {
        let signer = Ed25519Signer::from_seed(&[5; 32]).unwrap();
        let file = sign(b"manifest", &signer).unwrap();
        assert_eq!(verify(b"manifest", &file).unwrap(), *signer.public());
        assert_eq!(verify(b"manifesu", &file), Err(SshsigError::Signature(SignatureError::Mismatch)));
        let line = allowed_signers_line("example.org/county/0", signer.public());
        assert!(is_allowed(&line, signer.public()));
        assert!(!is_allowed(&line.replace("fieldseal.bundle", "file"), signer.public()));
        assert!(!is_allowed(&format!("#{line}"), signer.public()));
    }
}
