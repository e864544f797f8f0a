//! A server in memory that speaks the wire, whose answers a test may bend, drop or repeat.

use std::collections::BTreeMap;

use fieldseal_proof::cbor;
use fieldseal_proof::checkpoint::{Checkpoint, TimeNote};
use fieldseal_proof::encoding::{base64, from_base64};
use fieldseal_proof::hash::{Digest32, sha256};
use fieldseal_proof::ids::{BlobHash, Commitment, Epoch, Link, PackHash};
use fieldseal_proof::merkle::{CompactRange, leaf_hash};
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::operation::Operation;
use fieldseal_proof::receipt::{BatchReceipt, BlobReceipt, IndexReceipt};
use fieldseal_proof::suite::{Ed25519Signer, Signer};
use serde_json::json;

use super::agency::{Agency, ORIGIN};
use super::memory::Memory;
use crate::sync::message::{Method, Payload, Request, Response};

/// The server's memory. Everything it says is made from this.
#[derive(Clone)]
pub struct Server {
    pub epoch: Epoch,
    /// Leaves of the log, with the frame of an operation where it is one.
    pub leaves: Vec<(Commitment, Vec<u8>)>,
    /// The tablet's chain.
    pub chain: Vec<Operation>,
    pub uploads: BTreeMap<String, (BlobHash, u64, Vec<u8>)>,
    pub blobs: BTreeMap<BlobHash, Vec<u8>>,
    pub packs: Vec<(PackHash, Vec<u8>)>,
    /// Evidence bytes that arrived, also those sent again.
    pub patched: u64,
    /// What the tablet told about itself.
    pub told: Vec<serde_json::Value>,
    /// Names of what was asked, in order.
    pub asked: Vec<String>,
    pub page_operations: usize,
}

impl Server {
    pub fn new() -> Self {
        Self {
            epoch: Epoch::from_bytes([5; 16]),
            leaves: Vec::new(),
            chain: Vec::new(),
            uploads: BTreeMap::new(),
            blobs: BTreeMap::new(),
            packs: Vec::new(),
            patched: 0,
            told: Vec::new(),
            asked: Vec::new(),
            page_operations: 7,
        }
    }

    /// Takes somebody else's operation in.
    pub fn log(&mut self, operation: &Operation) {
        self.leaves.push((operation.commitment(), operation.frame()));
    }

    /// Answers; `store` lends the bytes of a blob, of which the first `arrived` get through.
    pub fn answer(&mut self, agency: &Agency, store: &Memory, request: &Request, arrived: u64) -> Response {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        self.asked.push(format!(
            "{} {}",
            request.method.as_str(),
            parts[..parts.len().min(2)].join("/")
        ));
        match (request.method, parts.as_slice()) {
            (Method::Get, ["v1", "server"]) => self.json(json!({
                "tenant": agency.tenant.to_string(), "origin": ORIGIN, "epoch": self.epoch_hex(),
                "time_note": self.time_note(agency), "new": {"field": 1},
            })),
            (Method::Get, ["v1", "key-log"]) => {
                let from: usize = query["from"].parse().unwrap();
                self.ok("application/cbor-seq", agency.key_log[from..].concat())
            }
            (Method::Post, ["v1", "health"]) => {
                self.told.push(serde_json::from_slice(&bytes(request)).unwrap());
                self.json(json!({"skew_ms": -1500}))
            }
            (Method::Post, ["v1", "log", _, _]) => self.push(agency, bytes(request)),
            (Method::Get, ["v1", "log", _, _, "head"]) => match self.chain.last() {
                Some(last) => self.json(json!({"seq": last.header().seq, "link": last.link().to_string()})),
                None => self.problem(404, "no_chain"),
            },
            (Method::Get, ["v1", "log", _, _, "receipts"]) => self.receipts(agency, query["from"].parse().unwrap()),
            (Method::Get, ["v1", "feed"]) => self.feed(agency, query.get("cursor").copied()),
            (Method::Get, ["v1", "packs", hash]) => {
                let pack = self.packs.iter().find(|(pack, _)| pack.to_string() == *hash).unwrap();
                self.ok("application/octet-stream", pack.1.clone())
            }
            (Method::Get, ["checkpoint"]) => self.ok("text/plain; charset=utf-8", self.checkpoint(agency)),
            (Method::Get, ["tile", ..]) => self.tile(&parts[1..]),
            (Method::Post, ["v1", "blobs", "have"]) => {
                let asked: serde_json::Value = serde_json::from_slice(&bytes(request)).unwrap();
                let asked = asked["sha256"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(|hash| hash.as_str());
                let missing: Vec<&str> = asked
                    .filter(|hash| !self.blobs.keys().any(|b| b.to_string() == *hash))
                    .collect();
                self.json(json!({ "missing": missing }))
            }
            (Method::Post, ["v1", "uploads"]) => self.create(request),
            (Method::Head, ["v1", "uploads", id]) => self.offset(id),
            (Method::Patch, ["v1", "uploads", id]) => self.patch(store, request, id, arrived),
            (Method::Delete, ["v1", "uploads", id]) => {
                self.uploads.remove(*id);
                self.tus(204, &[])
            }
            (Method::Get, ["v1", "blobs", hash, "receipt"]) => {
                match self.blobs.iter().find(|(b, _)| b.to_string() == *hash) {
                    None => self.problem(404, "no_blob"),
                    Some((blob, content)) => {
                        let receipt = BlobReceipt {
                            tenant: agency.tenant,
                            sha256: *blob,
                            size: content.len() as u64,
                            received_ms: 1,
                            epoch: self.epoch,
                        };
                        self.ok("application/cbor", receipt.sign(&agency.ingest).unwrap())
                    }
                }
            }
            _ => self.problem(404, "not_found"),
        }
    }

    fn push(&mut self, agency: &Agency, body: Vec<u8>) -> Response {
        let operations: Vec<Operation> = cbor::split_sequence(&body)
            .unwrap()
            .into_iter()
            .map(|frame| Operation::parse(frame).unwrap())
            .collect();
        let first = operations[0].header().seq;
        let mut results = Vec::new();
        for operation in operations {
            let seq = operation.header().seq;
            let outcome = match self.chain.get(seq as usize) {
                Some(held) if held.commitment() == operation.commitment() => "duplicate",
                Some(_) => "forked",
                None => {
                    assert_eq!(seq, self.chain.len() as u64, "a gap was pushed");
                    self.leaves.push((operation.commitment(), operation.frame()));
                    self.chain.push(operation);
                    "accepted"
                }
            };
            results.push(json!({"seq": seq, "outcome": outcome}));
        }
        let last = first + results.len() as u64 - 1;
        let link = self.chain[last as usize].link();
        let receipt = self
            .batch_receipt(agency, first, last, link)
            .sign(&agency.ingest)
            .unwrap();
        self.json(json!({
            "head": {"seq": last, "link": link.to_string()}, "results": results, "receipt": base64(&receipt),
            "checkpoint": String::from_utf8(self.checkpoint(agency)).unwrap(), "time_note": self.time_note(agency),
        }))
    }

    pub fn batch_receipt(&self, agency: &Agency, first_seq: u64, last_seq: u64, link: Link) -> BatchReceipt {
        BatchReceipt {
            tenant: agency.tenant,
            origin: ORIGIN.into(),
            log_key: agency.log.public().key_id(),
            epoch: self.epoch,
            device: agency.tablet.device,
            incarnation: agency.tablet.incarnation,
            first_seq,
            last_seq,
            link,
            received_ms: 1,
            deadline_ms: 2,
            fork: None,
        }
    }

    fn feed(&self, agency: &Agency, cursor: Option<&str>) -> Response {
        let from: usize = cursor.map_or(0, |cursor| cursor.trim_start_matches("c%2F").parse().unwrap());
        let to = self.leaves.len().min(from + self.page_operations);
        let items: Vec<_> = (from..to)
            .map(|index| json!({"index": index, "frame": base64(&self.leaves[index].1)}))
            .collect();
        let packs: Vec<String> = self.packs.iter().map(|(pack, _)| pack.to_string()).collect();
        self.json(json!({
            "epoch": self.epoch_hex(), "cursor": format!("c/{to}"), "until": format!("c/{}", self.leaves.len()),
            "items": items, "key_log_size": agency.key_log.len(), "packs": packs,
            "checkpoint": String::from_utf8(self.checkpoint(agency)).unwrap(), "time_note": self.time_note(agency),
        }))
    }

    fn receipts(&self, agency: &Agency, from: u64) -> Response {
        let place = |operation: &Operation| self.leaves.iter().position(|(c, _)| *c == operation.commitment());
        let runs = self
            .chain
            .iter()
            .skip(from as usize)
            .filter_map(|op| Some((place(op)? as u64, op.header().seq, 1)))
            .collect();
        let (device, incarnation) = (agency.tablet.device, agency.tablet.incarnation);
        let receipt = IndexReceipt {
            device,
            incarnation,
            runs,
            checkpoint: self.checkpoint(agency),
        };
        self.ok("application/cbor", receipt.encode())
    }

    pub fn checkpoint(&self, agency: &Agency) -> Vec<u8> {
        let mut range = CompactRange::default();
        self.leaves
            .iter()
            .for_each(|(c, _)| range.push(leaf_hash(c.as_bytes()), |_, _, _| {}));
        let text = Checkpoint {
            origin: ORIGIN.into(),
            size: range.size(),
            root: range.root(),
        }
        .text();
        SignedNote::sign(&text, ORIGIN, &agency.log).unwrap().to_bytes()
    }

    fn time_note(&self, agency: &Agency) -> String {
        time_note(&agency.time, self.leaves.len() as u64)
    }

    fn tile(&self, parts: &[&str]) -> Response {
        let (level, rest) = (parts[0].parse::<u8>().unwrap(), parts[1..].join("/"));
        let (index, width) = rest
            .split_once(".p/")
            .map_or((rest.as_str(), 256), |(i, w)| (i, w.parse().unwrap()));
        let index: u64 = index.replace(['x', '/'], "").parse().unwrap();
        let mut nodes: BTreeMap<(u8, u64), Digest32> = BTreeMap::new();
        let mut range = CompactRange::default();
        for (commitment, _) in &self.leaves {
            range.push(leaf_hash(commitment.as_bytes()), |level, index, hash| {
                nodes.insert((level, index), *hash);
            });
        }
        let hashes: Vec<Digest32> = (0..width)
            .filter_map(|i| nodes.get(&(level * 8, index * 256 + i)).copied())
            .collect();
        if hashes.len() < width as usize {
            return self.problem(404, "no_tile");
        }
        Response {
            headers: vec![("content-type".into(), "application/octet-stream".into())],
            status: 200,
            body: hashes.concat(),
        }
    }

    fn create(&mut self, request: &Request) -> Response {
        let header = |name: &str| request.headers.iter().find(|(key, _)| *key == name).unwrap().1.clone();
        let metadata = header("Upload-Metadata");
        let hash = from_base64(metadata.split([' ', ',']).nth(1).unwrap()).unwrap();
        let blob: BlobHash = String::from_utf8(hash).unwrap().parse().unwrap();
        let length: u64 = header("Upload-Length").parse().unwrap();
        let id = format!("u{}", self.asked.len());
        self.uploads.insert(id.clone(), (blob, length, Vec::new()));
        if length == 0 {
            self.blobs.insert(blob, Vec::new());
        }
        self.tus(
            201,
            &[
                ("location", format!("https://elsewhere.example/v1/uploads/{id}")),
                ("upload-offset", "0".to_owned()),
            ],
        )
    }

    fn offset(&self, id: &str) -> Response {
        match self.uploads.get(id) {
            Some((_, _, held)) => self.tus(200, &[("upload-offset", held.len().to_string())]),
            None => self.tus(404, &[]),
        }
    }

    fn patch(&mut self, store: &Memory, request: &Request, id: &str, arrived: u64) -> Response {
        let Payload::Blob {
            sha256: blob,
            offset,
            length,
        } = request.payload
        else {
            panic!("{request:?}")
        };
        let Some((named, size, held)) = self.uploads.get_mut(id) else {
            return self.problem(404, "no_upload");
        };
        if offset != held.len() as u64 {
            return self.problem(409, "offset");
        }
        let end = (offset + length.min(arrived)) as usize;
        held.extend_from_slice(&store.bytes_of(blob)[offset as usize..end]);
        self.patched += end as u64 - offset;
        let at = held.len();
        if at as u64 == *size {
            let content = held.clone();
            if sha256(&content) != *named.as_bytes() {
                return self.problem(460, "checksum");
            }
            let named = *named;
            self.blobs.insert(named, content);
        }
        self.tus(204, &[("upload-offset", at.to_string())])
    }

    fn epoch_hex(&self) -> String {
        self.epoch.to_string().replace('-', "")
    }

    fn ok(&self, media_type: &str, body: Vec<u8>) -> Response {
        let headers = vec![
            ("content-type".into(), media_type.into()),
            ("fieldseal-epoch".into(), self.epoch_hex()),
        ];
        Response {
            status: 200,
            headers,
            body,
        }
    }

    fn json(&self, body: serde_json::Value) -> Response {
        self.ok("application/json", body.to_string().into_bytes())
    }

    pub fn problem(&self, status: u16, code: &str) -> Response {
        Response {
            status,
            ..self.ok(
                "application/problem+json",
                json!({ "code": code }).to_string().into_bytes(),
            )
        }
    }

    fn tus(&self, status: u16, headers: &[(&str, String)]) -> Response {
        let mut all = vec![("tus-resumable".to_owned(), "1.0.0".to_owned())];
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Response {
            status,
            headers: all,
            body: Vec::new(),
        }
    }
}

pub fn time_note(key: &Ed25519Signer, size: u64) -> String {
    let note = TimeNote {
        origin: ORIGIN.into(),
        unix_ms: 1_700_000_000_000 + size,
        size,
        root: [0; 32],
    };
    let signed = SignedNote::sign(&note.text(), &TimeNote::key_name(ORIGIN), key).unwrap();
    String::from_utf8(signed.to_bytes()).unwrap()
}

fn bytes(request: &Request) -> Vec<u8> {
    match &request.payload {
        Payload::Bytes { bytes, .. } => bytes.clone(),
        other => panic!("{other:?}"),
    }
}
