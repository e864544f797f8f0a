//! What the server and the log say: notes, proofs, anchors, receipts.

use std::collections::BTreeMap;

use fieldseal_proof::checkpoint::{self, AttestationKind, Checkpoint, TimeNote};
use fieldseal_proof::hash::{Digest32, sha256};
use fieldseal_proof::ids::{Commitment, Link, to_hex};
use fieldseal_proof::merkle::{NodeSource, leaf_hash, root_at, tree_hash, verify_consistency, verify_inclusion};
use fieldseal_proof::note::{SignedNote, VerifierKey};
use fieldseal_proof::operation::link_next;
use fieldseal_proof::receipt::{BatchReceipt, BlobReceipt, IndexReceipt};
use fieldseal_proof::tile;
use fieldseal_proof::tlog_proof::TlogProof;
use serde_json::{Value, json};

use crate::check::{Checked, Input, refuse};
use crate::make_vectors::tiles;
use crate::objects::key;

fn vkey(input: &Input<'_>) -> Result<VerifierKey, String> {
    VerifierKey::parse(input.text("vkey")?).map_err(refuse)
}

/// The note under `field`, whose line of the key under `vkey` holds.
fn signed(input: &Input<'_>, field: &str) -> Result<SignedNote, String> {
    let bytes = input.text(field)?.as_bytes();
    let note = SignedNote::parse(bytes).map_err(refuse)?;
    assert_eq!(note.to_bytes(), bytes, "what is accepted has one encoding");
    note.verify(&vkey(input)?).map_err(refuse)?;
    Ok(note)
}

pub fn note(input: &Input<'_>) -> Checked {
    Ok(json!({"text": signed(input, "note")?.text()}))
}

pub fn verifier_key(input: &Input<'_>) -> Checked {
    let key = vkey(input)?;
    Ok(json!({
        "name": key.name(),
        "hash": format!("{:08x}", key.hash()),
        "algorithm": if key.is_cosigner() { 4 } else { 1 },
        "public": to_hex(key.key().as_bytes()),
    }))
}

pub fn checkpoint(input: &Input<'_>) -> Checked {
    let checkpoint = Checkpoint::of(&signed(input, "note")?).map_err(refuse)?;
    Ok(json!({"origin": checkpoint.origin, "size": checkpoint.size, "root": to_hex(&checkpoint.root)}))
}

pub fn time_note(input: &Input<'_>) -> Checked {
    let note = signed(input, "note")?;
    let time = TimeNote::of(&note).map_err(refuse)?;
    if TimeNote::key_name(&time.origin) != vkey(input)?.name() {
        return Err("the key is not the time key of the origin".into());
    }
    Ok(json!({
        "origin": time.origin,
        "unix_ms": time.unix_ms,
        "size": time.size,
        "root": to_hex(&time.root),
        "anchor": checkpoint::anchor(AttestationKind::TimeNote, &note.to_bytes()).to_string(),
    }))
}

pub fn cosignature(input: &Input<'_>) -> Checked {
    let note = SignedNote::parse(input.text("note")?.as_bytes()).map_err(refuse)?;
    let seconds = note.verify_cosignature(&vkey(input)?).map_err(refuse)?;
    let message = format!("cosignature/v1\ntime {seconds}\n{}", note.text());
    Ok(json!({"unix_seconds": seconds, "message": message}))
}

pub fn tree(input: &Input<'_>) -> Checked {
    let leaves = input.list("leaves")?;
    Ok(json!({"root": to_hex(&tree_hash(leaves.iter().map(|l| leaf_hash(l))))}))
}

pub fn inclusion(input: &Input<'_>) -> Checked {
    let leaf = leaf_hash(&input.bytes("leaf")?);
    let (index, size) = (input.number("index")?, input.number("size")?);
    verify_inclusion(&leaf, index, size, &input.hashes("proof")?, &input.hash("root")?).map_err(refuse)?;
    Ok(json!({"leaf_hash": to_hex(&leaf)}))
}

pub fn consistency(input: &Input<'_>) -> Checked {
    let (old, new) = (input.number("old")?, input.number("new")?);
    let proof = input.hashes("proof")?;
    verify_consistency(old, &input.hash("old_root")?, new, &input.hash("new_root")?, &proof).map_err(refuse)?;
    Ok(Value::Null)
}

pub fn tlog_proof(input: &Input<'_>) -> Checked {
    let checkpoint = Checkpoint::of(&signed(input, "checkpoint")?).map_err(refuse)?;
    let proof = TlogProof::parse(input.text("proof")?.as_bytes()).map_err(refuse)?;
    if Checkpoint::of(&proof.note).map_err(refuse)? != checkpoint {
        return Err("the proof is of another checkpoint".into());
    }
    proof.verify(&input.bytes("leaf")?, &checkpoint).map_err(refuse)?;
    Ok(json!({"index": proof.index, "size": checkpoint.size, "root": to_hex(&checkpoint.root)}))
}

pub fn anchor(input: &Input<'_>) -> Checked {
    let kind = AttestationKind::from_word(input.text("kind")?).ok_or("an unknown kind of attestation")?;
    let anchor = checkpoint::anchor(kind, &input.bytes("bytes")?);
    match input.hash("anchor") {
        Ok(named) if named != *anchor.as_bytes() => Err("the bytes do not hash to the anchor".into()),
        _ => Ok(json!({"anchor": anchor.to_string()})),
    }
}

pub fn batch_receipt(input: &Input<'_>) -> Checked {
    let receipt = BatchReceipt::open(&input.bytes("receipt")?, &key(input, "")?).map_err(refuse)?;
    let mut link = Link::from_bytes(input.hash("start")?);
    let mut own = Vec::new();
    for commitment in input.hashes("commitments")? {
        link = link_next(&link, &Commitment::from_bytes(commitment));
        own.push(link);
    }
    let mine = own.get(usize::try_from(receipt.last_seq).map_err(refuse)?);
    if receipt.fork.is_none() && mine.is_some_and(|l| *l != receipt.link) {
        return Err("the server received another history".into());
    }
    Ok(json!({
        "device": receipt.device.to_string(),
        "incarnation": receipt.incarnation.to_string(),
        "first_seq": receipt.first_seq,
        "last_seq": receipt.last_seq,
        "link": receipt.link.to_string(),
        "received_ms": receipt.received_ms,
        "deadline_ms": receipt.deadline_ms,
        "fork": receipt.fork.map(|(seq, c)| json!({"seq": seq, "first": c.to_string()})),
    }))
}

pub fn blob_receipt(input: &Input<'_>) -> Checked {
    let receipt = BlobReceipt::open(&input.bytes("receipt")?, &key(input, "")?).map_err(refuse)?;
    let blob = input.bytes("blob")?;
    if *receipt.sha256.as_bytes() != sha256(&blob) {
        return Err("the receipt is for other bytes".into());
    }
    if receipt.size != blob.len() as u64 {
        return Err("the receipt names another size".into());
    }
    Ok(json!({"sha256": receipt.sha256.to_string(), "size": receipt.size, "received_ms": receipt.received_ms}))
}

pub fn index_receipt(input: &Input<'_>) -> Checked {
    let (receipt, checkpoint) = IndexReceipt::open(&input.bytes("receipt")?, &vkey(input)?).map_err(refuse)?;
    let asked = input.0["ask"].as_array().ok_or("input ask is missing")?;
    let place = |seq: &Value| json!([seq, seq.as_u64().and_then(|s| receipt.index_of(s))]);
    Ok(json!({
        "runs": receipt.runs,
        "index_of": asked.iter().map(place).collect::<Vec<_>>(),
        "size": checkpoint.size,
    }))
}

/// The published files of a log, and that the tree can be read back from them: every node out of the tile that holds it.
pub fn tiles(input: &Input<'_>) -> Checked {
    let count = input.number("count")?;
    let files = tiles::files(count).map_err(refuse)?;
    let source = Published(files.iter().cloned().collect(), count);
    let leaves = (0..count).map(|i| leaf_hash(&tiles::leaf(i)));
    assert_eq!(root_at(count, &source), Ok(tree_hash(leaves)));
    Ok(json!({"files": tiles::listed(&files)}))
}

pub fn tile_path(input: &Input<'_>) -> Checked {
    let level = u8::try_from(input.number("level")?).map_err(refuse)?;
    Ok(json!({"path": tile::path(level, input.number("index")?, input.number("width")?)}))
}

/// The files of a log by path, and its size.
struct Published(BTreeMap<String, Vec<u8>>, u64);

impl NodeSource for Published {
    type Error = String;

    fn node(&self, level: u8, index: u64) -> Result<Digest32, String> {
        let (tile_level, tile_index, _, first, hashes) = tile::locate(level, index);
        let width = ((self.1 >> (8 * tile_level)) - tile_index * tile::WIDTH).min(tile::WIDTH);
        let path = tile::path(tile_level, tile_index, width);
        let bytes = self.0.get(&path).ok_or(format!("{path} is not published"))?;
        let hashes: Vec<Digest32> =
            bytes[32 * first..32 * (first + hashes)].chunks(32).map(|c| c.try_into().unwrap()).collect();
        tile::fold(&hashes).ok_or("not a whole subtree".into())
    }
}
