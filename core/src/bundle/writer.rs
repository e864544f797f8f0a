//! Turns contents into files: names, manifests, signature.

use std::collections::BTreeMap;
use std::io::{self, Read};

use fieldseal_proof::bundle::{BAGIT, BAGIT_TEXT, MANIFEST, SIGNATURE, TAG_MANIFEST};
use fieldseal_proof::checkpoint::{Checkpoint, anchor};
use fieldseal_proof::dsse::{OPERATION, pae};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::{Digest32, StreamHash};
use fieldseal_proof::ids::{BlobHash, to_hex};
use fieldseal_proof::note::NoteError;
use fieldseal_proof::sshsig;
use fieldseal_proof::suite::{SignError, Signer};
use fieldseal_proof::tlog_proof::TlogProof;

use super::contents::{BlobClass, Contents, LoggedOperation};
use super::readme;

/// Where the files go: a folder, or a zip.
pub trait BundleSink {
    /// Stores one file; the path is relative, `/` between segments. Files come in the same order for the same contents.
    fn file(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()>;
}

/// Where a blob's original bytes are.
pub trait BlobReader {
    /// Opens the bytes for one reading from the start.
    fn open(&self, blob: &BlobHash) -> io::Result<Box<dyn Read + '_>>;
}

/// Why a bundle was not finished; what was written so far is no bundle, because it has no signature.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file could not be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which file of the bundle.
        path: String,
        /// What happened.
        error: io::Error,
    },
    /// A stored blob is not the bytes that were sealed.
    #[error("the stored bytes of {0} have changed; the bundle was not made, run fsck")]
    BlobChanged(BlobHash),
    /// The checkpoint is not one.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// The bundle key refused.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Files, tag files included.
    pub files: usize,
    /// Bytes of the payload.
    pub payload_bytes: u64,
    /// SHA-256 of the tag manifest: the bundle's identity.
    pub tag_manifest_sha256: Digest32,
}

/// Writes a bundle and signs it with the bundle key.
pub fn write(
    contents: &Contents,
    blobs: &dyn BlobReader,
    signer: &dyn Signer,
    sink: &mut dyn BundleSink,
) -> Result<Summary, BundleError> {
    let checkpoint = Checkpoint::of(&contents.checkpoint)?;
    let mut bag = BagWriter {
        sink,
        manifest: BTreeMap::new(),
        payload_bytes: 0,
        files: 0,
    };
    let mut index = serde_json::Map::new();
    bag.bytes("data/checkpoint", &contents.checkpoint.to_bytes())?;
    bag.bytes("data/key-log.cbor-seq", &contents.key_log)?;
    for (size, index, hashes) in &contents.key_log_proofs {
        let proof = TlogProof {
            index: *index,
            hashes: hashes.clone(),
            note: contents.checkpoint.clone(),
        };
        bag.bytes(&format!("data/key-log/{size}.tlog-proof"), &proof.to_bytes())?;
    }
    let mut operations: Vec<&LoggedOperation> = contents.operations.iter().collect();
    operations.sort_by_key(|o| o.index);
    for logged in &operations {
        let id = logged.operation.id();
        bag.bytes(&format!("data/operations/{id}.cbor"), &logged.operation.frame())?;
        let proof = TlogProof {
            index: logged.index,
            hashes: logged.inclusion.clone(),
            note: contents.checkpoint.clone(),
        };
        bag.bytes(&format!("data/proofs/{id}.tlog-proof"), &proof.to_bytes())?;
        let header = logged.operation.header();
        let about = serde_json::json!({"kind": header.kind, "device": header.device.to_string(), "seq": header.seq, "index": logged.index});
        index.insert(id.to_string(), about);
    }
    write_chains(contents, &operations, &mut bag)?;
    for (kind, bytes) in &contents.attestations {
        bag.bytes(
            &format!("data/attestations/{}.{}", anchor(*kind, bytes), kind.as_str()),
            bytes,
        )?;
    }
    for (size, hashes) in &contents.consistency {
        let lines: String = hashes.iter().map(|h| base64(h) + "\n").collect();
        bag.bytes(&format!("data/consistency/{size}.txt"), lines.as_bytes())?;
    }
    for (device, incarnation, last, bytes) in &contents.receipts {
        bag.bytes(&format!("data/receipts/{device}.{incarnation}.{last}.cbor"), bytes)?;
    }
    for blob in &contents.blobs {
        let folder = if blob.class == BlobClass::Evidence {
            "evidence"
        } else {
            "documents"
        };
        let path = format!("data/{folder}/{}.{}", blob.sha256, blob.extension);
        let reader = blobs.open(&blob.sha256).map_err(|error| BundleError::Io {
            path: path.clone(),
            error,
        })?;
        if bag.stream(&path, reader)? != *blob.sha256.as_bytes() {
            return Err(BundleError::BlobChanged(blob.sha256));
        }
    }
    bag.json("data/views/case.json", &contents.view)?;
    let about = serde_json::json!({
        "format": "fieldseal.bundle/0", "tenant": contents.keys.tenant().to_string(), "origin": checkpoint.origin,
        "case": contents.case.to_string(), "tree_size": checkpoint.size, "operations": index,
        "note": "A convenience for readers; nothing rests on this file.",
    });
    bag.json("data/index.json", &about)?;
    finish(contents, &checkpoint, signer, bag)
}

/// The chain files, and what openssl is shown of each chain's last operation.
fn write_chains(
    contents: &Contents,
    operations: &[&LoggedOperation],
    bag: &mut BagWriter<'_>,
) -> Result<(), BundleError> {
    for chain in &contents.chains {
        let name = format!("{}.{}", chain.device, chain.incarnation);
        let mut lines = format!("{}\n", chain.start);
        chain.commitments.iter().for_each(|c| lines.push_str(&format!("{c}\n")));
        bag.bytes(&format!("data/chains/{name}.txt"), lines.as_bytes())?;
        let of_chain = |o: &&&LoggedOperation| {
            let h = o.operation.header();
            (h.device, h.incarnation) == (chain.device, chain.incarnation)
        };
        let last = operations
            .iter()
            .filter(of_chain)
            .max_by_key(|o| o.operation.header().seq);
        let key = contents
            .keys
            .operation_key(&chain.device, &chain.incarnation)
            .and_then(|k| k.record.key().ok());
        if let (Some(last), Some(key)) = (last, key) {
            bag.bytes(
                &format!("data/heads/{name}.pae"),
                &pae(OPERATION, last.operation.header_bytes()),
            )?;
            bag.bytes(
                &format!("data/heads/{name}.sig"),
                &key.signature_for_openssl(last.operation.signature()),
            )?;
            bag.bytes(&format!("data/heads/{name}.pub.pem"), key.to_pem().as_bytes())?;
        }
    }
    Ok(())
}

fn finish(
    contents: &Contents,
    checkpoint: &Checkpoint,
    signer: &dyn Signer,
    mut bag: BagWriter<'_>,
) -> Result<Summary, BundleError> {
    let payload_files = bag.manifest.len();
    let payload_bytes = bag.payload_bytes;
    let manifest = manifest_text(&std::mem::take(&mut bag.manifest));
    let info = format!(
        "Source-Organization: {}\nExternal-Identifier: {}\nBag-Group-Identifier: {} {}\nPayload-Oxum: {payload_bytes}.{payload_files}\n",
        contents.keys.tenant(),
        contents.case,
        checkpoint.origin,
        checkpoint.size
    );
    bag.bytes(BAGIT, BAGIT_TEXT.as_bytes())?;
    bag.bytes("bag-info.txt", info.as_bytes())?;
    bag.bytes("README.md", readme::text(contents, checkpoint).as_bytes())?;
    bag.bytes(MANIFEST, manifest.as_bytes())?;
    let tag_manifest = manifest_text(&std::mem::take(&mut bag.manifest));
    let mut hash = StreamHash::default();
    hash.update(tag_manifest.as_bytes());
    let signature = sshsig::sign(tag_manifest.as_bytes(), signer)?;
    bag.bytes(TAG_MANIFEST, tag_manifest.as_bytes())?;
    bag.bytes(SIGNATURE, signature.as_bytes())?;
    Ok(Summary {
        files: bag.files,
        payload_bytes,
        tag_manifest_sha256: hash.finish().0,
    })
}

fn manifest_text(files: &BTreeMap<String, Digest32>) -> String {
    files
        .iter()
        .map(|(path, hash)| format!("{}  {path}\n", to_hex(hash)))
        .collect()
}

struct BagWriter<'a> {
    sink: &'a mut dyn BundleSink,
    manifest: BTreeMap<String, Digest32>,
    payload_bytes: u64,
    files: usize,
}

impl BagWriter<'_> {
    fn json(&mut self, path: &str, value: &serde_json::Value) -> Result<(), BundleError> {
        self.bytes(path, format!("{value:#}\n").as_bytes())
    }

    fn bytes(&mut self, path: &str, bytes: &[u8]) -> Result<(), BundleError> {
        self.stream(path, Box::new(bytes)).map(drop)
    }

    fn stream<'r>(&mut self, path: &str, reader: Box<dyn Read + 'r>) -> Result<Digest32, BundleError> {
        let mut hashing = HashingReader {
            inner: reader,
            hash: StreamHash::default(),
        };
        self.sink.file(path, &mut hashing).map_err(|error| BundleError::Io {
            path: path.to_owned(),
            error,
        })?;
        let (hash, size) = hashing.hash.finish();
        self.files += 1;
        self.payload_bytes += size;
        self.manifest.insert(path.to_owned(), hash);
        Ok(hash)
    }
}

struct HashingReader<'a> {
    inner: Box<dyn Read + 'a>,
    hash: StreamHash,
}

impl Read for HashingReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hash.update(&buffer[..n]);
        Ok(n)
    }
}
