//! What the server promises: `receipts.md`.

use fieldseal_proof::cbor::{self, Value};
use fieldseal_proof::dsse;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{BlobHash, Commitment, DeviceId, Epoch, IncarnationId, Link};
use fieldseal_proof::operation::{link_next, link_origin};
use fieldseal_proof::receipt::{BatchReceipt, BlobReceipt, IndexReceipt};
use fieldseal_proof::suite::{PublicKey, Signer};
use serde_json::json;

use super::actors::{MORNING, ORIGIN, ed25519, id, seed, tenant};
use super::notes::{log_vkey, sample_checkpoint, text_of};
use super::{Result, Vector, hex};

pub fn vectors() -> Result<Vec<Vector>> {
    let mut out = batch()?;
    out.extend(blob()?);
    out.extend(index()?);
    Ok(out)
}

/// The bytes and the signature of a framed receipt, as they are.
fn framed(receipt: &[u8], signature: &[u8]) -> Vec<u8> {
    cbor::encode(&Value::Map(vec![(0, Value::bytes(receipt)), (1, Value::bytes(signature))]))
}

/// The signed bytes inside a frame, with one key replaced.
fn inner(frame: &[u8], change: Option<(u64, Value)>) -> Result<Vec<u8>> {
    let frame = cbor::decode(frame)?;
    let bytes = frame.as_map().and_then(|m| m.first()).and_then(|(_, v)| v.as_bytes()).ok_or("a frame holds bytes")?;
    let Value::Map(mut fields) = cbor::decode(bytes)? else {
        return Err("a receipt is a map".into());
    };
    if let Some((key, value)) = change {
        fields.retain(|(k, _)| *k != key);
        fields.push((key, value));
        fields.sort_by_key(|(k, _)| *k);
    }
    Ok(cbor::encode(&Value::Map(fields)))
}

fn batch() -> Result<Vec<Vector>> {
    const PAGE: &str = "receipts.md, (1) Batch receipt";
    let server = ed25519("server")?;
    let device = DeviceId::from_bytes(id("tablet one"));
    let start = link_origin(&tenant(), &device);
    let commitments: Vec<Commitment> =
        (0..4).map(|i| Commitment::from_bytes(seed(&format!("commitment {i}")))).collect();
    let link = commitments.iter().fold(start, |link, c| link_next(&link, c));
    let receipt = BatchReceipt {
        tenant: tenant(),
        origin: ORIGIN.to_owned(),
        log_key: ed25519("log")?.public().key_id(),
        epoch: Epoch::from_bytes(id("epoch")),
        device,
        incarnation: IncarnationId::from_bytes(id("tablet one, first life")),
        first_seq: 2,
        last_seq: 3,
        link,
        received_ms: MORNING,
        deadline_ms: MORNING + 86_400_000,
        fork: None,
    };
    let given = |v: Vector, bytes: &[u8], key: &PublicKey| {
        v.with("receipt", hex(bytes))
            .with("suite", key.suite().number())
            .with("public", hex(key.as_bytes()))
            .with("start", start.to_string())
            .with("commitments", commitments.iter().map(Commitment::to_string).collect::<Vec<_>>())
    };
    let good = |name, what, receipt: &BatchReceipt| -> Result<Vector> {
        let v = given(Vector::valid("batch-receipt", name, PAGE, what), &receipt.sign(&server)?, server.public());
        Ok(v.gives("device", receipt.device.to_string())
            .gives("incarnation", receipt.incarnation.to_string())
            .gives("first_seq", receipt.first_seq)
            .gives("last_seq", receipt.last_seq)
            .gives("link", receipt.link.to_string())
            .gives("received_ms", receipt.received_ms)
            .gives("deadline_ms", receipt.deadline_ms)
            .gives("fork", receipt.fork.map(|(seq, c)| json!({"seq": seq, "first": c.to_string()}))))
    };
    let bytes = receipt.sign(&server)?;
    let bad = |name, what, bytes: Vec<u8>, reason| {
        given(Vector::invalid("batch-receipt", name, PAGE, what, reason), &bytes, server.public())
    };
    let resigned = |key: u64, value: Value| -> Result<Vec<u8>> {
        let receipt = inner(&bytes, Some((key, value)))?;
        Ok(framed(&receipt, &server.sign(dsse::RECEIPT, &receipt)?))
    };
    let plain = inner(&bytes, None)?;
    let later = inner(&bytes, Some((11, Value::Uint(MORNING + 999_999_999))))?;
    let signature = server.sign(dsse::RECEIPT, &plain)?;
    Ok(vec![
        good("two-operations", "The server received operations 2 and 3 of a chain.", &receipt)?,
        good(
            "forked-branch",
            "A receipt for a forked branch names the fork; its link is not the reader's.",
            &BatchReceipt {
                link: Link::from_bytes(seed("the other branch")),
                fork: Some((3, commitments[3])),
                ..receipt.clone()
            },
        )?,
        good(
            "beyond-the-readers-chain",
            "The reader's chain ends before last seq: the link cannot be compared, the receipt holds.",
            &BatchReceipt { last_seq: 9, link: Link::from_bytes(seed("later")), ..receipt.clone() },
        )?,
        bad(
            "other-link",
            "The server received another history of this device.",
            resigned(9, Value::bytes(seed("another history")))?,
            "receipt-link",
        ),
        bad("deadline-changed", "Another deadline under the signature.", framed(&later, &signature), "mismatch"),
        bad("range-turned-round", "A first seq after the last.", resigned(7, Value::Uint(4))?, "receipt-range"),
        bad("version-1", "Version 1.", resigned(0, Value::Uint(1))?, "version"),
        bad(
            "fork-after-the-last",
            "A fork at a seq after the last of the receipt.",
            resigned(12, Value::Array(vec![Value::Uint(9), Value::bytes([7; 32])]))?,
            "receipt-fork",
        ),
        bad(
            "unknown-frame-key",
            "A field beside receipt and signature, which nothing signs.",
            cbor::encode(&Value::Map(vec![
                (0, Value::bytes(&plain)),
                (1, Value::bytes(signature)),
                (2, Value::Uint(0)),
            ])),
            "frame-key",
        ),
        bad(
            "fork-malformed",
            "A fork without the commitment it left.",
            resigned(12, Value::Array(vec![Value::Uint(3)]))?,
            "receipt-fork",
        ),
        bad(
            "cross-protocol",
            "A receipt signed as a blob receipt.",
            framed(&plain, &server.sign(dsse::BLOB_RECEIPT, &plain)?),
            "mismatch",
        ),
        bad(
            "signed-by-the-log-key",
            "The log key promises nothing.",
            framed(&plain, &ed25519("log")?.sign(dsse::RECEIPT, &plain)?),
            "mismatch",
        ),
        bad("signature-missing", "No signature.", cbor::encode(&Value::Map(vec![(0, Value::bytes(&plain))])), "field"),
    ])
}

fn blob() -> Result<Vec<Vector>> {
    const PAGE: &str = "receipts.md, Blob receipt";
    let server = ed25519("server")?;
    let photo = b"a photograph".as_slice();
    let receipt = BlobReceipt {
        tenant: tenant(),
        sha256: BlobHash::from_bytes(sha256(photo)),
        size: photo.len() as u64,
        received_ms: MORNING,
        epoch: Epoch::from_bytes(id("epoch")),
    };
    let bytes = receipt.sign(&server)?;
    let given = |v: Vector, bytes: &[u8], blob: &[u8]| {
        v.with("receipt", hex(bytes))
            .with("suite", 1)
            .with("public", hex(server.public().as_bytes()))
            .with("blob", hex(blob))
    };
    let bad = |name, what, bytes: &[u8], blob: &[u8], reason| {
        given(Vector::invalid("blob-receipt", name, PAGE, what, reason), bytes, blob)
    };
    let plain = inner(&bytes, None)?;
    let signature = server.sign(dsse::BLOB_RECEIPT, &plain)?;
    let resized = inner(&bytes, Some((3, Value::Uint(13))))?;
    let lying = framed(&resized, &server.sign(dsse::BLOB_RECEIPT, &resized)?);
    Ok(vec![
        given(
            Vector::valid("blob-receipt", "photograph", PAGE, "The server has the bytes of a photograph."),
            &bytes,
            photo,
        )
        .gives("sha256", receipt.sha256.to_string())
        .gives("size", receipt.size)
        .gives("received_ms", receipt.received_ms),
        bad("other-bytes", "A receipt for other bytes.", &bytes, b"a photogram!", "blob-hash"),
        bad("other-size", "A size that is not that of the bytes.", &lying, photo, "blob-size"),
        bad("size-changed", "Another size under the signature.", &framed(&resized, &signature), photo, "mismatch"),
        bad(
            "cross-protocol",
            "A blob receipt signed as a batch receipt.",
            &framed(&plain, &server.sign(dsse::RECEIPT, &plain)?),
            photo,
            "mismatch",
        ),
        bad(
            "hash-of-20-bytes",
            "A hash that is too short.",
            &{
                let short = inner(&bytes, Some((2, Value::bytes([1; 20]))))?;
                framed(&short, &server.sign(dsse::BLOB_RECEIPT, &short)?)
            },
            photo,
            "field",
        ),
    ])
}

fn index() -> Result<Vec<Vector>> {
    const PAGE: &str = "receipts.md, (2) Index receipt";
    let checkpoint = sample_checkpoint();
    let note = fieldseal_proof::note::SignedNote::sign(&checkpoint.text(), ORIGIN, &ed25519("log")?)?;
    let vkey = log_vkey()?;
    let of = |runs: &[(u64, u64, u64)]| -> Result<Vec<u8>> {
        Ok(IndexReceipt {
            device: DeviceId::from_bytes(id("tablet one")),
            incarnation: IncarnationId::from_bytes(id("tablet one, first life")),
            runs: runs.to_vec(),
            checkpoint: text_of(&note)?.into_bytes(),
        }
        .encode())
    };
    let given = |v: Vector, bytes: Vec<u8>| v.with("receipt", hex(bytes)).with("vkey", vkey.clone());
    let bad = |name, what, runs: &[(u64, u64, u64)], reason| -> Result<Vector> {
        Ok(given(Vector::invalid("index-receipt", name, PAGE, what, reason), of(runs)?))
    };
    let runs = [(100, 0, 3), (200, 3, 1), (4710, 9, 1)];
    let places = json!([[0, 100], [2, 102], [3, 200], [4, null], [9, 4710]]);
    Ok(vec![
        given(
            Vector::valid(
                "index-receipt",
                "three-runs",
                PAGE,
                "Five operations stand in three runs of the log; seq 4 is not covered.",
            ),
            of(&runs)?,
        )
        .with("ask", json!([0, 2, 3, 4, 9]))
        .gives("runs", json!(runs))
        .gives("index_of", places)
        .gives("size", checkpoint.size),
        given(Vector::valid("index-receipt", "no-run", PAGE, "Nothing is in the log yet."), of(&[])?)
            .with("ask", json!([0]))
            .gives("runs", json!([]))
            .gives("index_of", json!([[0, null]]))
            .gives("size", checkpoint.size),
        bad("overlapping-runs", "Two runs that both hold seq 2.", &[(100, 0, 3), (200, 2, 1)], "runs")?,
        bad("runs-unordered", "Runs that do not ascend by seq.", &[(200, 3, 1), (100, 0, 3)], "runs")?,
        bad("empty-run", "A run of nothing.", &[(100, 0, 0)], "run")?,
        bad("run-overflows", "A run whose end does not fit 64 bits.", &[(u64::MAX, 0, 2)], "run")?,
        bad(
            "run-beyond-the-checkpoint",
            "A run that ends after the size of the checkpoint.",
            &[(4710, 0, 2)],
            "run-beyond",
        )?,
        given(
            Vector::invalid(
                "index-receipt",
                "checkpoint-changed",
                PAGE,
                "A checkpoint whose signature does not hold.",
                "note-signature",
            ),
            IndexReceipt {
                device: DeviceId::from_bytes(id("tablet one")),
                incarnation: IncarnationId::from_bytes(id("tablet one, first life")),
                runs: runs.to_vec(),
                checkpoint: text_of(&note)?.replace("4711", "4712").into_bytes(),
            }
            .encode(),
        ),
    ])
}
