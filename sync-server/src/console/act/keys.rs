//! A supervisor's own keys: in a browser that does not give them out, or, chosen and labelled, on the server.

use std::collections::HashSet;

use fieldseal_core::domain::view::People;
use fieldseal_core::random::{array, uuid};
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::dsse::ATTESTATION;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{ItemId, KeyId, OfficerId};
use fieldseal_proof::key_log::{Custody, Purpose};
use fieldseal_proof::suite::{Ed25519Signer, PublicKey, Signer};
use serde_json::json;
use zeroize::Zeroizing;

use super::super::access::{self, Deed};
use super::super::accounts::{self, Account};
use super::super::error::PageError;
use super::super::visitor::Staff;
use super::device::{ConsoleDevice, replace};
use crate::api::App;
use crate::ledger::{Commit, LedgerError, space};
use crate::office::enrolments::{self, Enrolment, OpenRequest};

/// A key of a person that an administrator approved.
#[derive(Debug, Clone)]
pub struct OwnKey {
    pub id: KeyId,
    pub officer: OfficerId,
    pub role: String,
    pub public: PublicKey,
    pub custody: Custody,
    pub revoked: bool,
}

/// A key that waits for approval.
#[derive(Debug, Clone)]
pub struct Asked {
    pub request: String,
    pub fingerprint: String,
    pub public: String,
    pub server_held: bool,
}

/// Every key of a person in the key log, newest first.
pub fn all(app: &App, account: &Account) -> Vec<OwnKey> {
    let Some(officer) = account.officer.as_deref().and_then(|id| id.parse::<OfficerId>().ok()) else {
        return Vec::new();
    };
    let state = app.server.ingest.key_log();
    let of = state
        .log
        .keys()
        .filter(|(_, key)| key.record.purpose == Purpose::Officer && key.subject == Some(*officer.as_bytes()));
    let mut keys: Vec<(u64, OwnKey)> = of
        .filter_map(|(id, key)| {
            let own = OwnKey {
                id: *id,
                officer,
                role: key.role.clone().unwrap_or_default(),
                public: key.record.key().ok()?,
                custody: key.record.custody,
                revoked: key.revoked_at.is_some(),
            };
            Some((key.enrolled_at, own))
        })
        .collect();
    keys.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Those that count now.
pub fn standing(app: &App, account: &Account) -> Vec<OwnKey> {
    all(app, account).into_iter().filter(|key| !key.revoked).collect()
}

/// Keys of a person that wait for approval.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn waiting(app: &App, account: &Account) -> Result<Vec<Asked>, LedgerError> {
    let open = enrolments::open(&*app.server.ledger).await?;
    let mine = open.into_iter().filter_map(|OpenRequest { id, enrolment, .. }| {
        let asked = &enrolment.asked;
        let own = enrolment.state == "pending" && Some(&enrolment.subject) == account.officer.as_ref();
        own.then(|| Asked {
            request: id,
            fingerprint: asked["fingerprint"].as_str().unwrap_or_default().to_owned(),
            public: asked["key"]["public"].as_str().unwrap_or_default().to_owned(),
            server_held: asked["custody"] == "server",
        })
    });
    Ok(mine.collect())
}

/// Public halves, in hex, of the keys that browsers asked for; a supervisor's laptop asks for its own in another way.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn made_in_browsers(app: &App) -> Result<HashSet<String>, LedgerError> {
    let rows = app
        .server
        .ledger
        .registers(space::ENROLMENT, Vec::new(), usize::MAX >> 1)
        .await?;
    let asked = rows
        .into_iter()
        .filter_map(|row| serde_json::from_slice::<Enrolment>(&row.value).ok())
        .filter(|enrolment| enrolment.kind == "officer" && enrolment.asked["label"] == super::device::LABEL);
    Ok(asked
        .filter_map(|enrolment| enrolment.asked["key"]["public"].as_str().map(str::to_owned))
        .collect())
}

/// Asks for a key to be enrolled, like an officer's: an administrator compares the fingerprint and signs.
///
/// # Errors
/// When the console is no device yet.
pub async fn ask(app: &App, staff: &Staff, public: &PublicKey, custody: Custody) -> Result<(), PageError> {
    let ledger = &*app.server.ledger;
    let made = ConsoleDevice::load(&app.server.layout).map_err(|e| PageError::internal(&e))?;
    let (device, _) = made.ok_or(PageError::not_yet("console.device.not_made"))?;
    let held = accounts::find(ledger, &staff.account.user).await?;
    let (mut account, version) = held.ok_or(PageError::NotFound)?;
    let certificate = account.certificate();
    let officer = officer_of(app, &account)?;
    account.officer = Some(officer.to_string());
    let seed = array(&*app.server.random).map_err(|e| PageError::internal(&e))?;
    let fields = vec![
        ("certificate".to_owned(), Value::text(&certificate)),
        ("name".to_owned(), Value::text(&account.name)),
    ];
    let attrs = Body::build(seed, fields).map_err(|e| PageError::internal(&e))?;
    // The same person and key asked again is the same request.
    let hash = sha256(&[officer.as_bytes().as_slice(), public.as_bytes()].concat());
    let request = ItemId::from_bytes(hash[..16].try_into().unwrap_or([0; 16])).to_string();
    let asked = json!({
        "kind": "officer", "officer": officer.to_string(), "role": "supervisor", "name": account.name, "certificate": certificate,
        "key": { "suite": public.suite().number(), "public": hex::encode(public.as_bytes()) }, "custody": custody.as_str(),
        "attrs": base64(&attrs.encode()), "attrs_root": attrs.root().to_string(), "fingerprint": public.fingerprint(),
        "label": super::device::LABEL,
    });
    let enrolment = Enrolment {
        kind: "officer".into(),
        state: "pending".into(),
        subject: officer.to_string(),
        incarnation: None,
        device: Some(device.chain.device.to_string()),
        asked,
        token: None,
        reason: None,
        refused_ms: None,
    };
    let mut registers = enrolments::rows(&request, &enrolment, true)?;
    registers.push(accounts::swap(&account, version)?);
    let commit = Commit {
        registers,
        accesses: vec![access::line(
            app,
            staff,
            Deed::Administered,
            format!("key {}", public.key_id()),
        )],
        ..Commit::default()
    };
    ledger.commit(commit).await?;
    Ok(())
}

/// Makes a key that the server keeps for a person. Labelled wherever it is used.
///
/// # Errors
/// When the folder cannot be written.
pub async fn ask_server_held(app: &App, staff: &Staff) -> Result<(), PageError> {
    let failed = |e: std::io::Error| PageError::internal(&e);
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(array(&*app.server.random).map_err(|e| PageError::internal(&e))?);
    let signer = Ed25519Signer::from_seed(&seed).map_err(|e| PageError::internal(&e))?;
    let folder = app.server.layout.keys().join("people");
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let name = format!("{}.key", signer.public().key_id());
    replace(&folder.join(name), hex::encode(*seed).as_bytes()).map_err(failed)?;
    ask(app, staff, signer.public(), Custody::Server).await
}

/// Signs a statement with a key that the server keeps.
///
/// # Errors
/// When it keeps no such key.
pub fn sign_server_held(app: &App, key: &OwnKey, statement: &[u8]) -> Result<Vec<u8>, PageError> {
    let path = app.server.layout.keys().join("people").join(format!("{}.key", key.id));
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| PageError::internal(&e))?);
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), &mut *seed).map_err(|e| PageError::internal(&e))?;
    let signer = Ed25519Signer::from_seed(&seed).map_err(|e| PageError::internal(&e))?;
    let signature = signer
        .sign(ATTESTATION, statement)
        .map_err(|e| PageError::internal(&e))?;
    Ok(signature.to_vec())
}

/// The person's id in the key log: that of the certificate number, if it is enrolled already (a laptop's key), else a new one.
fn officer_of(app: &App, account: &Account) -> Result<OfficerId, PageError> {
    if let Some(id) = account.officer.as_deref().and_then(|id| id.parse().ok()) {
        return Ok(id);
    }
    let people = People::of(&app.server.ingest.key_log().log);
    if let Some(known) = people.by_certificate(&account.certificate()) {
        return Ok(known.officer);
    }
    uuid(&*app.server.random)
        .map(OfficerId::from_bytes)
        .map_err(|e| PageError::internal(&e))
}
