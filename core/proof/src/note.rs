//! C2SP signed notes: checkpoints, time notes and cosignatures are texts signed this way (`formats/log.md`).

use crate::encoding::{base64, from_base64};
use crate::hash::{Digest32, sha256};
use crate::suite::{PublicKey, SignError, Signer, Suite};

/// Longest note in bytes.
pub const MAX_NOTE: usize = 64 * 1024;
/// Most signature lines.
pub const MAX_LINES: usize = 64;

const ED25519: u8 = 0x01;
const COSIGNATURE_V1: u8 = 0x04;

/// A note or key that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The text does not have the form of a note.
    #[error("note: {0}")]
    Form(&'static str),
    /// No line of this key.
    #[error("note: no signature by {0}")]
    NotSigned(String),
    /// A line of this key whose signature does not hold.
    #[error("note: the signature by {0} does not hold")]
    BadSignature(String),
}

/// A key that signs notes, as `name+hash+base64`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    algorithm: u8,
    key: PublicKey,
}

impl VerifierKey {
    /// The key of a log or time note.
    pub fn ed25519(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        Self::checked(name, ED25519, key)
    }

    /// The key of a witness (cosignature/v1).
    pub fn cosigner(name: &str, key: PublicKey) -> Result<Self, NoteError> {
        Self::checked(name, COSIGNATURE_V1, key)
    }

    fn checked(name: &str, algorithm: u8, key: PublicKey) -> Result<Self, NoteError> {
        if !name_is_allowed(name) || key.suite() != Suite::Ed25519 {
            return Err(NoteError::Form("the key name or suite is not allowed"));
        }
        Ok(Self { name: name.to_owned(), algorithm, key })
    }

    /// Reads `name+hash+base64`; the hash must be right.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let form = NoteError::Form("the verifier key is not name+hash+base64");
        let mut parts = vkey.trim_end().splitn(3, '+');
        let (Some(name), Some(hash), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form);
        };
        let data = from_base64(data).ok_or(form.clone())?;
        let (&algorithm, key) = data.split_first().ok_or(form.clone())?;
        if algorithm != ED25519 && algorithm != COSIGNATURE_V1 {
            return Err(NoteError::Form("the verifier key has an unknown algorithm"));
        }
        let key = PublicKey::parse(Suite::Ed25519, key)
            .map_err(|_| NoteError::Form("the verifier key is weak or malformed"))?;
        let vkey = Self::checked(name, algorithm, key)?;
        if format!("{:08x}", vkey.hash()) != hash {
            return Err(NoteError::Form("the hash of the verifier key is wrong"));
        }
        Ok(vkey)
    }

    /// `name+hash+base64`.
    pub fn to_vkey(&self) -> String {
        format!("{}+{:08x}+{}", self.name, self.hash(), base64(&[&[self.algorithm], self.key.as_bytes()].concat()))
    }

    /// The key name; for a log its origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether it is a witness's key.
    pub fn is_cosigner(&self) -> bool {
        self.algorithm == COSIGNATURE_V1
    }

    /// First four bytes of `SHA-256(name ‖ 0x0A ‖ algorithm ‖ key)`.
    pub fn hash(&self) -> u32 {
        let digest: Digest32 = sha256(&[self.name.as_bytes(), &[0x0a, self.algorithm], self.key.as_bytes()].concat());
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

fn name_is_allowed(name: &str) -> bool {
    !name.is_empty()
        && !name.contains('+')
        && !name.chars().any(char::is_whitespace)
        && !name.chars().any(char::is_control)
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    hash: u32,
    signature: Vec<u8>,
}

/// A note in its form; no signature has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    lines: Vec<Line>,
}

impl SignedNote {
    /// Reads a note: text, blank line, signature lines, nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::Form("it is over 64 KiB"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Form("it is not UTF-8"))?;
        if note.chars().any(|c| c.is_control() && c != '\n') {
            return Err(NoteError::Form("it holds a control character"));
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Form("no blank line before the signatures"))?;
        let (text, signatures) = (&note[..split + 1], &note[split + 2..]);
        let body = signatures.strip_suffix('\n').ok_or(NoteError::Form("the last line does not end"))?;
        let lines = body.split('\n').map(signature_line).collect::<Option<Vec<_>>>();
        let lines = lines.ok_or(NoteError::Form("a signature line is malformed"))?;
        if lines.len() > MAX_LINES {
            return Err(NoteError::Form("more than 64 signature lines"));
        }
        let twice = |i: usize, line: &Line| lines[..i].iter().any(|l| l.name == line.name && l.hash == line.hash);
        if lines.iter().enumerate().any(|(i, line)| twice(i, line)) {
            return Err(NoteError::Form("two signature lines of one key"));
        }
        Ok(Self { text: text.to_owned(), lines })
    }

    /// Signs a text that ends with a line end.
    pub fn sign(text: &str, name: &str, signer: &dyn Signer) -> Result<Self, SignError> {
        let key = VerifierKey::ed25519(name, signer.public().clone()).map_err(|e| SignError(e.to_string()))?;
        let signature = signer.sign_raw(text.as_bytes())?;
        let line = Line { name: name.to_owned(), hash: key.hash(), signature: signature.to_vec() };
        Ok(Self { text: text.to_owned(), lines: vec![line] })
    }

    /// The signed text, with its last line end.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The note's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{}\n", self.text);
        for line in &self.lines {
            let data = [&line.hash.to_be_bytes()[..], &line.signature].concat();
            out.push_str(&format!("— {} {}\n", line.name, base64(&data)));
        }
        out.into_bytes()
    }

    fn line(&self, key: &VerifierKey) -> Result<&Line, NoteError> {
        let of = |l: &&Line| l.name == key.name && l.hash == key.hash();
        self.lines.iter().find(of).ok_or_else(|| NoteError::NotSigned(key.name.clone()))
    }

    /// Checks the line of a log or time key.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let bad = |_| NoteError::BadSignature(key.name.clone());
        key.key.verify_raw(self.text.as_bytes(), &self.line(key)?.signature).map_err(bad)
    }

    /// Checks a witness's line and gives its time in unix seconds.
    pub fn verify_cosignature(&self, key: &VerifierKey) -> Result<u64, NoteError> {
        let bad = || NoteError::BadSignature(key.name.clone());
        let line = self.line(key)?;
        let (time, signature) = line.signature.split_at_checked(8).ok_or_else(bad)?;
        let seconds = u64::from_be_bytes(time.try_into().map_err(|_| bad())?);
        let message = cosigned_message(seconds, &self.text);
        key.key.verify_raw(message.as_bytes(), signature).map_err(|_| bad())?;
        Ok(seconds)
    }
}

fn cosigned_message(unix_seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}")
}

fn signature_line(line: &str) -> Option<Line> {
    let (name, data) = line.strip_prefix("— ")?.split_once(' ')?;
    let data = from_base64(data)?;
    let (hash, signature) = data.split_at_checked(4)?;
    let hash = u32::from_be_bytes(hash.try_into().ok()?);
    (name_is_allowed(name) && !signature.is_empty()).then(|| Line {
        name: name.to_owned(),
        hash,
        signature: signature.to_vec(),
    })
}
