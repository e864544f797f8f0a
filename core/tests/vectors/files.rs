//! Rule packs, evidence files and rescue files: `pack.md`, `vault.md`.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use fieldseal_core::device::{RescueReader, RescueRecord};
use fieldseal_core::pack::{PackFile, PackSource};
use fieldseal_core::random::{Random, RandomError};
use fieldseal_core::vault::{FileSystem, OnFailure, Vault};
use fieldseal_proof::cbor::{self, Value as Item};
use fieldseal_proof::dsse;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{TenantId, to_hex};
use fieldseal_proof::key_log::{Custody, Entry, KeyLog, KeyLogFrame, KeyRecord, Purpose};
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde_json::{Value, json};

use crate::{Vector, bytes, object};

pub const VAULT_KEY: [u8; 32] = [5; 32];

/// Not random at all: vectors must be the same each time.
pub struct Counted(pub AtomicU8);

impl Random for Counted {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        out.fill(self.0.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

pub fn vectors() -> Vec<Vector> {
    [packs(), vaults(), rescues()].into_iter().flatten().collect()
}

fn signer(byte: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&[byte; 32]).unwrap()
}

/// Root (1), administrator (2), an administrator who was revoked (3).
fn key_log() -> Vec<u8> {
    let mut log = KeyLog::new(TenantId::from_bytes([1; 16]));
    let mut out = Vec::new();
    let mut add = |action: &str, keys: Vec<KeyRecord>, target| {
        let subject = (action == "admin").then_some([log.size() as u8; 16]);
        let entry = Entry {
            tenant: log.tenant(),
            index: log.size(),
            prev: log.head(),
            action: action.to_owned(),
            subject,
            keys,
            role: None,
            incarnation: None,
            attrs_root: None,
            signer: signer(1).public().key_id(),
            wall_ms: 0,
            target,
            name: None,
        };
        let frame = KeyLogFrame::sign(&entry, None, &signer(1)).unwrap();
        log.append(&frame).unwrap();
        out.extend(frame.encode());
    };
    let key = |purpose, byte| vec![KeyRecord::new(purpose, signer(byte).public(), Custody::Software)];
    add("root", key(Purpose::Root, 1), None);
    add("admin", key(Purpose::Admin, 2), None);
    add("admin", key(Purpose::Admin, 3), None);
    add("revoke", Vec::new(), Some(signer(3).public().key_id()));
    out
}

fn pack_bytes(files: &[(&str, &str)]) -> Vec<u8> {
    let text = |s: &str| Item::text(s);
    let files = files
        .iter()
        .map(|(name, content)| Item::Array(vec![text(name), Item::bytes(content)]));
    let head = ["test", "CN", "1", "2026-01-01"].map(text);
    let mut map = vec![(0, Item::Uint(0))];
    map.extend(head.into_iter().zip(1..).map(|(value, key)| (key, value)));
    map.push((6, Item::Array(files.collect())));
    cbor::encode(&Item::Map(map))
}

fn packs() -> Vec<Vector> {
    let file = |pack: &[u8], key: u8, payload_type: &str| {
        let signature = signer(key).sign(payload_type, pack).unwrap();
        let id = signer(key).public().key_id();
        let map = vec![
            (0, Item::bytes(pack)),
            (1, Item::bytes(signature)),
            (2, Item::bytes(id.as_bytes())),
        ];
        cbor::encode(&Item::Map(map))
    };
    let good = pack_bytes(&[("notes.txt", "for people"), ("other/x.bin", "\u{1}\u{2}")]);
    let mut changed = file(&good, 2, dsse::PACK);
    let place = changed.windows(6).position(|w| w == b"people").unwrap();
    changed[place] ^= 1;
    let vector = |name, what, file: &[u8], reason| {
        let input = object([("file", json!(to_hex(file))), ("key_log", json!(to_hex(&key_log())))]);
        Vector {
            kind: "pack",
            name,
            page: "pack.md",
            what,
            input,
            reason,
        }
    };
    let good_file = file(&good, 2, dsse::PACK);
    let mut more = cbor::decode(&good_file).unwrap().as_map().unwrap().to_vec();
    more.push((3, Item::Uint(0)));
    let more = cbor::encode(&Item::Map(more));
    let empty_segment = pack_bytes(&[("notes//a.txt", "x")]);
    let unordered = pack_bytes(&[("other/x.bin", "x"), ("notes.txt", "x")]);
    let climbing = pack_bytes(&[("../notes.txt", "x")]);
    vec![
        vector(
            "signed",
            "A pack of two unknown files, which are kept.",
            &file(&good, 2, dsse::PACK),
            None,
        ),
        vector(
            "changed",
            "A letter of a file was changed.",
            &changed,
            Some("pack_signature"),
        ),
        vector(
            "signed-by-nobody",
            "A key that is in no key log.",
            &file(&good, 9, dsse::PACK),
            Some("pack_key"),
        ),
        vector(
            "signed-by-a-revoked-key",
            "An administrator who was revoked.",
            &file(&good, 3, dsse::PACK),
            Some("pack_key_revoked"),
        ),
        vector(
            "cross-protocol",
            "Signed as a key log entry.",
            &file(&good, 2, dsse::KEY_LOG_ENTRY),
            Some("pack_signature"),
        ),
        vector(
            "files-unordered",
            "File names that do not ascend.",
            &file(&unordered, 2, dsse::PACK),
            Some("pack_content"),
        ),
        vector(
            "unknown-file-key",
            "A field beside pack, signature and key id, which nothing signs.",
            &more,
            Some("pack_form"),
        ),
        vector(
            "empty-segment",
            "A file name with an empty segment.",
            &file(&empty_segment, 2, dsse::PACK),
            Some("pack_content"),
        ),
        vector(
            "file-climbs",
            "A file name with two dots.",
            &file(&climbing, 2, dsse::PACK),
            Some("pack_content"),
        ),
    ]
}

pub fn check_pack(input: &Value) -> Result<Value, String> {
    let keys = KeyLog::read(&bytes(input, "key_log")).unwrap();
    let file = PackFile::decode(&bytes(input, "file")).map_err(|e| e.code().to_owned())?;
    // The tables inside are not asked for: a vector of them would be a whole rule pack.
    let content = PackSource::open(file.pack());
    match file.verify(&keys) {
        Err(error) if error.code() != "pack_content" || content.is_err() => return Err(error.code().to_owned()),
        _ => {}
    }
    let (_, source) = content.map_err(|e| e.to_string())?;
    Ok(json!({"hash": file.hash().to_string(), "files": source.files().keys().collect::<Vec<_>>()}))
}

pub fn vault(folder: &std::path::Path) -> Vault {
    let random = Arc::new(Counted(AtomicU8::new(1)));
    Vault::open(folder, zeroize::Zeroizing::new(VAULT_KEY), random, Arc::new(FileSystem)).unwrap()
}

fn vaults() -> Vec<Vector> {
    let folder = tempfile::tempdir().unwrap();
    let sealed = |plain: &[u8]| {
        let file = vault(folder.path()).write(&mut &plain[..], OnFailure::Discard).unwrap();
        let path = folder.path().join(&file.name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        bytes
    };
    let short = sealed(b"a photograph");
    let segment = 65_536 + 16;
    let long = sealed(&[7; 65_536 + 10]);
    let head = long.len() - segment - 26;
    let mut other_head = short.clone();
    other_head[20] ^= 1;
    let mut other_byte = short.clone();
    *other_byte.last_mut().unwrap() ^= 1;
    let vector = |name, what, file: &[u8], reason| {
        let input = object([("file", json!(to_hex(file))), ("vault_key", json!(to_hex(&VAULT_KEY)))]);
        Vector {
            kind: "vault",
            name,
            page: "vault.md",
            what,
            input,
            reason,
        }
    };
    vec![
        vector("one-segment", "Twelve bytes.", &short, None),
        vector("empty", "No bytes: one empty segment.", &sealed(b""), None),
        vector(
            "last-segment-missing",
            "A file cut behind its first segment.",
            &long[..head + segment],
            Some("refused"),
        ),
        vector(
            "segment-after-the-last",
            "The last segment a second time.",
            &[&short[..], &short[short.len() - 28..]].concat(),
            Some("refused"),
        ),
        vector(
            "head-changed",
            "A bit of the head was changed.",
            &other_head,
            Some("refused"),
        ),
        vector(
            "byte-changed",
            "A bit of a segment was changed.",
            &other_byte,
            Some("refused"),
        ),
    ]
}

pub fn check_vault(input: &Value) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault(folder.path());
    let name = format!("{}.fse", "0".repeat(32));
    std::fs::write(folder.path().join(&name), bytes(input, "file")).unwrap();
    let file = vault.verify(&name).map_err(|e| format!("refused: {e}"))?;
    if input["escrow_secret"].is_string() {
        crate::escrow::check_head(&bytes(input, "file"), &bytes(input, "escrow_secret"))?;
    }
    Ok(json!({"sha256": file.sha256.to_string(), "size": file.size}))
}

fn rescues() -> Vec<Vector> {
    let record = |kind: u8, bytes: &[u8]| [&[kind][..], &(bytes.len() as u64).to_be_bytes(), bytes].concat();
    let blob = [&sha256(b"a photograph")[..], b"a photograph"].concat();
    let body = [
        b"FSRV0\n".to_vec(),
        record(3, b"{\"device\":\"x\"}"),
        record(1, b"\xa0"),
        record(2, &blob),
    ]
    .concat();
    let whole = [&body[..], &record(255, &sha256(&body))].concat();
    let mut changed = whole.clone();
    changed[20] ^= 1;
    let draft = |fields: &[(u64, Item)]| record(4, &cbor::encode(&Item::Map(fields.to_vec())));
    let fields = vec![
        (0, Item::Uint(0)),
        (1, Item::bytes([1; 16])),
        (2, Item::bytes([2; 16])),
        (3, Item::text("inspection/remark")),
        (4, Item::text("没写完")),
        (5, Item::Uint(1_795_000_000_000)),
    ];
    let ended = |body: Vec<u8>| [&body[..], &record(255, &sha256(&body))].concat();
    let start = b"FSRV0\n".to_vec();
    let beside = [
        start.clone(),
        record(3, b"{\"device\":\"x\"}"),
        record(5, b"{\"kind\":\"officer\"}"),
        draft(&fields),
        record(6, b"{\"what\":\"drafts\",\"size\":0,\"code\":\"db_damaged\"}"),
    ];
    let beside = ended(beside.concat());
    let no_inspection: Vec<(u64, Item)> = fields.iter().filter(|(key, _)| *key != 2).cloned().collect();
    let no_inspection = ended([start.clone(), draft(&no_inspection)].concat());
    let more: Vec<(u64, Item)> = fields.iter().cloned().chain([(6, Item::Uint(0))]).collect();
    let more = ended([start, draft(&more)].concat());
    let unknown = [&body[..], &record(9, b"?")].concat();
    let huge = [&body[..], &[1], &u64::MAX.to_be_bytes()].concat();
    let vector = |name, what, file: &[u8], reason| Vector {
        kind: "rescue",
        name,
        page: "vault.md",
        what,
        input: object([("file", json!(to_hex(file)))]),
        reason,
    };
    let broken = Some("rescue_broken");
    vec![
        vector("identity-operation-and-blob", "One record of each type.", &whole, None),
        vector(
            "request-draft-and-left-out",
            "An enrolment request, an edit that nobody signed, and a word on what is lacking.",
            &beside,
            None,
        ),
        vector(
            "draft-without-inspection",
            "A draft that belongs nowhere.",
            &no_inspection,
            broken,
        ),
        vector(
            "draft-with-more",
            "A draft with a key that its page does not name.",
            &more,
            broken,
        ),
        vector("cut-off", "The end is missing.", &whole[..whole.len() - 1], broken),
        vector("no-end", "No end record.", &body, broken),
        vector("changed", "A byte before the end was changed.", &changed, broken),
        vector("unknown-type", "A record of an unknown type.", &unknown, broken),
        vector(
            "operation-of-2-to-the-64",
            "A record that claims 2^64 - 1 bytes: refused before anything is allocated.",
            &huge,
            broken,
        ),
        vector("other-magic", "Another first line.", b"FSRV1\n", broken),
    ]
}

pub fn check_rescue(input: &Value) -> Result<Value, String> {
    let file = bytes(input, "file");
    let code = |e: fieldseal_core::device::DeviceError| e.code().to_owned();
    let mut reader = RescueReader::new(&file[..]).map_err(code)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record().map_err(code)? {
        records.push(match record {
            RescueRecord::Identity(json) => json!({"identity": String::from_utf8(json).unwrap()}),
            RescueRecord::Operation(frame) => json!({"operation": to_hex(&frame)}),
            RescueRecord::Draft(draft) => json!({
                "draft": draft.path, "case": draft.case.to_string(), "inspection": draft.inspection.to_string(),
                "value": to_hex(&cbor::encode(&draft.value)), "edited_ms": draft.edited_ms,
            }),
            RescueRecord::Enrolment(json) => json!({"request": String::from_utf8(json).unwrap()}),
            RescueRecord::LeftOut(json) => json!({"left_out": String::from_utf8(json).unwrap()}),
            RescueRecord::Blob { sha256, size } => {
                let mut content = Vec::new();
                reader.blob().read_to_end(&mut content).unwrap();
                json!({"blob": sha256.to_string(), "size": size, "bytes": to_hex(&content)})
            }
        });
    }
    Ok(json!({ "records": records }))
}
