//! A signed pack.

use fieldseal_proof::cbor::{self, MapReader, MapWriter, Value};
use fieldseal_proof::dsse;
use fieldseal_proof::ids::{KeyId, PackHash};
use fieldseal_proof::key_log::{KeyLog, Purpose};
use fieldseal_proof::suite::{SignError, SignatureError, Signer};

use super::{MAX_PACK_BYTES, PackError, RulePack, pack_hash};

/// Pack bytes with the signature of an administrator or of the root key. Nothing in it counts before [`PackFile::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackFile {
    pack: Vec<u8>,
    signature: Vec<u8>,
    key: KeyId,
}

/// Why a pack file does not count.
#[derive(Debug, thiserror::Error)]
pub enum PackFileError {
    #[error("this is not a pack file: {0}")]
    Form(String),
    #[error("the pack is signed by key {key}, which this tenant's key log does not know")]
    UnknownKey { key: KeyId },
    #[error("the pack is signed by key {key}, which was revoked")]
    Revoked { key: KeyId },
    #[error("the pack is signed by key {key}, which is no administrator's key and not the root key")]
    NotAllowed { key: KeyId },
    #[error("the pack's signature does not match: {0}")]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Pack(#[from] PackError),
}

impl PackFileError {
    /// The catalogue's code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Form(_) => "pack_form",
            Self::UnknownKey { .. } | Self::NotAllowed { .. } => "pack_key",
            Self::Revoked { .. } => "pack_key_revoked",
            Self::Signature(_) => "pack_signature",
            Self::Pack(_) => "pack_content",
        }
    }
}

impl PackFile {
    /// Signs pack bytes; what does not parse as a pack is not signed.
    pub fn sign(pack: Vec<u8>, signer: &dyn Signer) -> Result<PackFile, SignPackError> {
        RulePack::parse(&pack)?;
        let signature = signer.sign(dsse::PACK, &pack)?.to_vec();
        Ok(PackFile {
            signature,
            key: signer.public().key_id(),
            pack,
        })
    }

    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        MapWriter::default()
            .put(0, Value::bytes(&self.pack))
            .put(1, Value::bytes(&self.signature))
            .put(2, Value::bytes(self.key.as_bytes()))
            .encode()
    }

    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<PackFile, PackFileError> {
        if bytes.len() > MAX_PACK_BYTES + 1024 {
            return Err(PackFileError::Form(format!(
                "{} bytes, the most is {MAX_PACK_BYTES}",
                bytes.len()
            )));
        }
        let form = |error: &dyn std::fmt::Display| PackFileError::Form(error.to_string());
        let value = cbor::decode(bytes).map_err(|error| form(&error))?;
        let map = MapReader::only(&value, "pack file", 2).map_err(|error| form(&error))?;
        Ok(PackFile {
            pack: map.bytes(0).map_err(|error| form(&error))?.to_vec(),
            signature: map.bytes(1).map_err(|error| form(&error))?.to_vec(),
            key: KeyId::from_bytes(map.fixed(2).map_err(|error| form(&error))?),
        })
    }

    /// Checks the signature against the tenant's key log and reads the tables.
    pub fn verify(&self, keys: &KeyLog) -> Result<RulePack, PackFileError> {
        let key = self.key;
        let enrolled = keys.key(&key).ok_or(PackFileError::UnknownKey { key })?;
        if enrolled.revoked_at.is_some() {
            return Err(PackFileError::Revoked { key });
        }
        if !matches!(enrolled.record.purpose, Purpose::Admin | Purpose::Root) {
            return Err(PackFileError::NotAllowed { key });
        }
        enrolled.record.key()?.verify(dsse::PACK, &self.pack, &self.signature)?;
        Ok(RulePack::parse(&self.pack)?)
    }

    /// The content address.
    pub fn hash(&self) -> PackHash {
        pack_hash(&self.pack)
    }

    /// The pack bytes.
    pub fn pack(&self) -> &[u8] {
        &self.pack
    }
}

/// Why a pack was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignPackError {
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Key(#[from] SignError),
}
