//! A bag writer of a page: lays a story out as a bundle and signs it.

use std::collections::BTreeMap;

use fieldseal_proof::bundle::{BAGIT, BAGIT_TEXT, MANIFEST, SIGNATURE, TAG_MANIFEST};
use fieldseal_proof::checkpoint::{AttestationKind, anchor};
use fieldseal_proof::dsse::{OPERATION, pae};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{Commitment, Epoch, Link};
use fieldseal_proof::merkle::{prove_consistency, prove_inclusion};
use fieldseal_proof::operation::{Operation, link_next};
use fieldseal_proof::receipt::BatchReceipt;
use fieldseal_proof::sshsig;
use fieldseal_proof::suite::Signer;
use fieldseal_proof::tlog_proof::TlogProof;

use super::actors::{MORNING, ORIGIN, ed25519, id, tenant};
use super::story::{Chain, PDF, PHOTO, Story};
use super::{Result, hex};

/// The files of a bundle by path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Everything below `data/`.
pub fn payload(story: &Story) -> Result<Files> {
    let mut files = Files::new();
    files.insert("data/index.json".to_owned(), b"{}\n".to_vec());
    files.insert("data/views/case.json".to_owned(), b"{}\n".to_vec());
    files.insert("data/checkpoint".to_owned(), story.note.to_bytes());
    files.insert("data/key-log.cbor-seq".to_owned(), story.ledger.bytes());
    for (size, index) in &story.heads {
        files.insert(format!("data/key-log/{size}.tlog-proof"), proof(story, *index)?);
    }
    for (operation, index) in &story.shipped {
        let id = operation.id();
        files.insert(format!("data/operations/{id}.cbor"), operation.frame());
        files.insert(format!("data/proofs/{id}.tlog-proof"), proof(story, *index)?);
    }
    for (note, size) in &story.times {
        let anchor = anchor(AttestationKind::TimeNote, note);
        files.insert(format!("data/attestations/{anchor}.time-note"), note.clone());
        if *size < story.checkpoint.size && *size > 1 {
            let hashes = prove_consistency(*size, story.checkpoint.size, &story.tree)?;
            let lines: String = hashes.iter().map(|h| base64(h) + "\n").collect();
            files.insert(format!("data/consistency/{size}.txt"), lines.into_bytes());
        }
    }
    for chain in &story.chains {
        files.extend(chain_files(story, chain)?);
    }
    files.insert(format!("data/evidence/{}.jpg", hex(sha256(PHOTO))), PHOTO.to_vec());
    files.insert(format!("data/documents/{}.pdf", hex(sha256(PDF))), PDF.to_vec());
    Ok(files)
}

fn proof(story: &Story, index: u64) -> Result<Vec<u8>> {
    let hashes = prove_inclusion(index, story.checkpoint.size, &story.tree)?;
    let note = story.note.clone();
    Ok(TlogProof { index, hashes, note }.to_bytes())
}

/// The chain's list, its receipt, and what openssl is shown of its last operation.
fn chain_files(story: &Story, chain: &Chain) -> Result<Files> {
    let stem = format!("{}.{}", chain.author.device, chain.author.incarnation);
    let of = |o: &&(Operation, u64)| {
        let h = o.0.header();
        (h.device, h.incarnation) == (chain.author.device, chain.author.incarnation)
    };
    let in_chain = |o: &&(Operation, u64)| chain.commitments.contains(&o.0.commitment());
    let last = story.shipped.iter().filter(of).filter(in_chain).max_by_key(|(o, _)| o.header().seq);
    let (last, _) = last.ok_or("every device of the story has an operation in the case")?;
    let lines = std::iter::once(chain.start.to_string()).chain(chain.commitments.iter().map(Commitment::to_string));
    let mut files = Files::new();
    files.insert(format!("data/chains/{stem}.txt"), lines.map(|l| l + "\n").collect::<String>().into_bytes());
    files.extend(head_files(&stem, last, &*chain.author.signer));
    let (name, bytes) = receipt(chain, chain.author.link, story.deadline_ms)?;
    files.insert(name, bytes);
    Ok(files)
}

/// The three files of `data/heads/` for an operation.
pub fn head_files(stem: &str, operation: &Operation, signer: &dyn Signer) -> Files {
    let key = signer.public();
    Files::from([
        (format!("data/heads/{stem}.pae"), pae(OPERATION, operation.header_bytes())),
        (format!("data/heads/{stem}.sig"), key.signature_for_openssl(operation.signature())),
        (format!("data/heads/{stem}.pub.pem"), key.to_pem().into_bytes()),
    ])
}

/// The server's receipt for a whole chain.
pub fn receipt(chain: &Chain, link: Link, deadline_ms: u64) -> Result<(String, Vec<u8>)> {
    debug_assert_eq!(chain.commitments.iter().fold(chain.start, |l, c| link_next(&l, c)), chain.author.link);
    let last_seq = chain.author.seq - 1;
    let receipt = BatchReceipt {
        tenant: tenant(),
        origin: ORIGIN.to_owned(),
        log_key: ed25519("log")?.public().key_id(),
        epoch: Epoch::from_bytes(id("epoch")),
        device: chain.author.device,
        incarnation: chain.author.incarnation,
        first_seq: 0,
        last_seq,
        link,
        received_ms: MORNING + 1000,
        deadline_ms,
        fork: None,
    };
    let name = format!("data/receipts/{}.{}.{last_seq}.cbor", receipt.device, receipt.incarnation);
    Ok((name, receipt.sign(&ed25519("server")?)?))
}

/// Adds tag files, manifests and the signature.
pub fn close(mut files: Files, signer: &dyn Signer) -> Result<Files> {
    files.insert(BAGIT.to_owned(), BAGIT_TEXT.as_bytes().to_vec());
    files.insert("bag-info.txt".to_owned(), b"Source-Organization: test vectors\n".to_vec());
    files.insert("README.md".to_owned(), "# 听证证据包 / Hearing bundle\n".into());
    let list = |files: &Files, payload: bool| -> Vec<u8> {
        let of = files.iter().filter(|(path, _)| path.starts_with("data/") == payload);
        of.map(|(path, bytes)| format!("{}  {path}\n", hex(sha256(bytes)))).collect::<String>().into_bytes()
    };
    files.insert(MANIFEST.to_owned(), list(&files, true));
    files.insert(TAG_MANIFEST.to_owned(), list(&files, false));
    let signature = sshsig::sign(&files[TAG_MANIFEST], signer)?;
    files.insert(SIGNATURE.to_owned(), signature.into_bytes());
    Ok(files)
}
