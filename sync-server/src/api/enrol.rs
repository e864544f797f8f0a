//! Enrolment: a code becomes a request, a request becomes a key log entry that an administrator signs, an entry opens the token.

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::StatusCode;
use fieldseal_core::catalogue::Param;
use fieldseal_core::random::{array, uuid};
use fieldseal_proof::body::Body;
use fieldseal_proof::cbor::{MapWriter, Value as Cbor};
use fieldseal_proof::dsse::ENROLMENT;
use fieldseal_proof::hash::sha256;
use fieldseal_proof::ids::{DeviceId, IncarnationId, ItemId, OfficerId};
use fieldseal_proof::suite::{PublicKey, Suite};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::caller::Caller;
use super::problem::Problem;
use crate::ledger::{Commit, LedgerError, Swap, space};
use crate::office::enrolments::{self, Enrolment, Invitation, OpenRequest, binary};
use crate::office::tokens::Token;

#[derive(Deserialize)]
struct KeyAsked {
    #[serde(default = "ed25519")]
    suite: Value,
    public: String,
}

fn ed25519() -> Value {
    json!(1)
}

impl KeyAsked {
    fn key(&self) -> Result<PublicKey, Problem> {
        let suite = match &self.suite {
            Value::Number(n) => n.as_u64().and_then(|n| Suite::from_number(n).ok()),
            Value::String(word) if word == "ed25519" => Some(Suite::Ed25519),
            Value::String(word) if word == "p256" => Some(Suite::P256),
            _ => None,
        };
        let bytes =
            binary(&self.public).ok_or_else(|| Problem::bad_request("a public key is neither hex nor base64"))?;
        let suite = suite.ok_or_else(|| Problem::bad_request("unknown signature suite"))?;
        PublicKey::parse(suite, &bytes).map_err(|e| Problem::bad_request(e.to_string()))
    }
}

#[derive(Deserialize)]
struct DeviceRequest {
    code: String,
    device: String,
    incarnation: String,
    role: String,
    operation: KeyAsked,
    cosigner: KeyAsked,
    proof: String,
}

/// What a device request says, once its operation key has signed it.
struct Proven {
    device: DeviceId,
    incarnation: IncarnationId,
    operation: PublicKey,
    cosigner: PublicKey,
}

impl DeviceRequest {
    fn proven(&self, app: &App) -> Result<Proven, Problem> {
        let (operation, cosigner) = (self.operation.key()?, self.cosigner.key()?);
        let device: DeviceId = self
            .device
            .parse()
            .map_err(|_| Problem::bad_request("device is not a UUID"))?;
        let incarnation: IncarnationId = self
            .incarnation
            .parse()
            .map_err(|_| Problem::bad_request("incarnation is not a UUID"))?;
        let statement = MapWriter::default()
            .put(0, Cbor::Uint(0))
            .put(1, Cbor::bytes(app.server.ingest.tenant().as_bytes()))
            .put(2, Cbor::bytes(device.as_bytes()))
            .put(3, Cbor::bytes(incarnation.as_bytes()))
            .put(4, Cbor::bytes(operation.as_bytes()))
            .put(5, Cbor::bytes(cosigner.as_bytes()))
            .put(6, Cbor::text(&self.code))
            .encode();
        let proof = binary(&self.proof).unwrap_or_default();
        let unproven = |_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "proof_of_key", []);
        operation.verify(ENROLMENT, &statement, &proof).map_err(unproven)?;
        if operation == cosigner {
            return Err(Problem::bad_request("operation key and cosigner key must differ"));
        }
        Ok(Proven {
            device,
            incarnation,
            operation,
            cosigner,
        })
    }
}

#[derive(Deserialize)]
struct OfficerRequest {
    officer: String,
    role: String,
    key: KeyAsked,
    attrs: String,
    attrs_root: String,
}

/// `POST /v1/enrol`
pub async fn request(State(app): State<App>, request: Request) -> Result<Json<Value>, Problem> {
    let (mut parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, super::limits::JSON_BODY)
        .await
        .map_err(|_| Problem::bad_request("the body is too long"))?;
    let asked: Value = serde_json::from_slice(&bytes).map_err(|e| Problem::bad_request(e.to_string()))?;
    match asked["kind"].as_str() {
        Some("device") if asked["code"].as_str() == Some("") => {
            let caller = Caller::from_request_parts(&mut parts, &app).await?;
            further_life(&app, caller, asked).await
        }
        Some("device") => device(&app, asked).await,
        Some("officer") => {
            let caller = Caller::from_request_parts(&mut parts, &app).await?;
            officer(&app, caller, asked).await
        }
        _ => Err(Problem::bad_request("kind is neither device nor officer")),
    }
}

async fn device(app: &App, mut asked: Value) -> Result<Json<Value>, Problem> {
    let server = &app.server;
    let wish: DeviceRequest = serde_json::from_value(asked.clone()).map_err(|e| Problem::bad_request(e.to_string()))?;
    let key = sha256(wish.code.as_bytes());
    let unknown = || Problem::new(StatusCode::FORBIDDEN, "code_unknown", []);
    let held = server
        .ledger
        .register(space::INVITATION, key.to_vec())
        .await?
        .ok_or_else(unknown)?;
    let mut invitation: Invitation = serde_json::from_slice(&held.value).map_err(|e| Problem::internal(&e))?;
    let earlier = match &invitation.used {
        Some(request) => Some(find(app, request).await?.enrolment),
        None => None,
    };
    // The answer to a request may have been lost: the same device with the same keys gets a new token for its old request.
    let mine =
        |e: &Enrolment| e.subject == wish.device && e.asked["operation"]["public"] == asked["operation"]["public"];
    let again = earlier.as_ref().is_some_and(mine);
    if let Some(earlier) = earlier.as_ref().filter(|earlier| again && earlier.state == "refused") {
        return Err(refused(invitation.used.as_deref().unwrap_or_default(), earlier));
    }
    if (!again && (invitation.used.is_some() || invitation.expires_ms < server.clock.now().wall_ms))
        || invitation.role != wish.role
    {
        return Err(unknown());
    }
    let Proven {
        device,
        incarnation,
        operation,
        cosigner,
    } = wish.proven(app)?;
    let request = match earlier {
        Some(_) => invitation.used.clone().unwrap_or_default(),
        None => ItemId::from_bytes(uuid(&*server.random).map_err(|e| Problem::internal(&e))?).to_string(),
    };
    let secret: [u8; 32] = array(&*server.random).map_err(|e| Problem::internal(&e))?;
    let token = hex::encode(secret);
    let token_key = sha256(token.as_bytes());
    // A device that is in the key log already (it lost its answer after the approval) may use its token at once.
    let active = server
        .ingest
        .key_log()
        .log
        .operation_key(&device, &incarnation)
        .is_some_and(|k| k.record.public == operation.as_bytes());
    if let Some(fields) = asked.as_object_mut() {
        fields.remove("code");
        fields.remove("proof");
        fields.insert("label".into(), json!(invitation.label));
        fields.insert("fingerprint".into(), json!(operation.fingerprint()));
        fields.insert("cosigner_fingerprint".into(), json!(cosigner.fingerprint()));
    }
    let row = Token {
        role: wish.role,
        device: Some(device.to_string()),
        incarnation: Some(incarnation.to_string()),
        label: invitation.label.clone(),
        request: Some(request.clone()),
        active,
    };
    let enrolment = Enrolment {
        kind: "device".into(),
        state: if active { "approved" } else { "pending" }.into(),
        subject: device.to_string(),
        incarnation: Some(incarnation.to_string()),
        device: None,
        asked,
        token: Some(hex::encode(token_key)),
        reason: None,
        refused_ms: None,
    };
    invitation.used = Some(request.clone());
    let mut registers = enrolments::rows(&request, &enrolment, false)?;
    registers.push(Swap::update(
        space::INVITATION,
        key,
        held.version,
        to_json(&invitation)?,
    ));
    registers.push(Swap::create(space::TOKEN, token_key, to_json(&row)?));
    server.ledger.commit(Commit::of(registers)).await?;
    Ok(Json(json!({ "request": request, "token": token })))
}

/// A further life of an enrolled device: its database was lost, so its chain goes on under another key. The token says which
/// device asks; the administrator compares the fingerprint and signs, as for the first life.
async fn further_life(app: &App, caller: Caller, mut asked: Value) -> Result<Json<Value>, Problem> {
    let (caller, device) = caller.device()?;
    let wish: DeviceRequest = serde_json::from_value(asked.clone()).map_err(|e| Problem::bad_request(e.to_string()))?;
    let proven = wish.proven(app)?;
    if proven.device != device || wish.role != caller.token.role {
        return Err(Problem::forbidden("tablet"));
    }
    if let Some(fields) = asked.as_object_mut() {
        fields.remove("code");
        fields.remove("proof");
        fields.insert("label".into(), json!(caller.token.label));
        fields.insert("fingerprint".into(), json!(proven.operation.fingerprint()));
        fields.insert("cosigner_fingerprint".into(), json!(proven.cosigner.fingerprint()));
    }
    // The same life with the same key asked again is the same request.
    let named = [proven.incarnation.as_bytes().as_slice(), proven.operation.as_bytes()].concat();
    let request = ItemId::from_bytes(sha256(&named)[..16].try_into().unwrap_or([0; 16])).to_string();
    let enrolment = Enrolment {
        kind: "device".into(),
        state: "pending".into(),
        subject: device.to_string(),
        incarnation: Some(proven.incarnation.to_string()),
        device: Some(device.to_string()),
        asked,
        token: None,
        reason: None,
        refused_ms: None,
    };
    keep_once(app, &request, &enrolment).await
}

async fn officer(app: &App, caller: Caller, mut asked: Value) -> Result<Json<Value>, Problem> {
    let (_, device) = caller.device()?;
    let wish: OfficerRequest =
        serde_json::from_value(asked.clone()).map_err(|e| Problem::bad_request(e.to_string()))?;
    let officer: OfficerId = wish
        .officer
        .parse()
        .map_err(|_| Problem::bad_request("officer is not a UUID"))?;
    let key = wish.key.key()?;
    let attrs = binary(&wish.attrs)
        .and_then(|bytes| Body::decode(&bytes).ok())
        .ok_or_else(|| Problem::bad_request("attrs is not a body"))?;
    if attrs.root().to_string() != wish.attrs_root {
        return Err(Problem::bad_request("attrs_root is not the root of attrs"));
    }
    if wish.role.is_empty() || wish.role.len() > 64 {
        return Err(Problem::bad_request("role"));
    }
    if let Some(fields) = asked.as_object_mut() {
        fields.insert("fingerprint".into(), json!(key.fingerprint()));
    }
    // The same officer and key asked again is the same request.
    let request = ItemId::from_bytes(
        sha256(&[officer.as_bytes().as_slice(), key.as_bytes()].concat())[..16]
            .try_into()
            .unwrap_or([0; 16]),
    )
    .to_string();
    let enrolment = Enrolment {
        kind: "officer".into(),
        state: "pending".into(),
        subject: officer.to_string(),
        incarnation: None,
        device: Some(device.to_string()),
        asked,
        token: None,
        reason: None,
        refused_ms: None,
    };
    keep_once(app, &request, &enrolment).await
}

/// Keeps a request unless it is kept already, and names it.
async fn keep_once(app: &App, request: &str, enrolment: &Enrolment) -> Result<Json<Value>, Problem> {
    let commit = Commit {
        registers: enrolments::rows(request, enrolment, true)?,
        ..Commit::default()
    };
    match app.server.ledger.commit(commit).await {
        Ok(_) | Err(LedgerError::Conflict(_)) => Ok(Json(json!({ "request": request }))),
        Err(other) => Err(other.into()),
    }
}

#[derive(Deserialize)]
pub struct Code {
    code: Option<String>,
}

/// `GET /v1/enrol/{request}`
pub async fn state(
    State(app): State<App>,
    Path(request): Path<String>,
    Query(query): Query<Code>,
    http: Request,
) -> Result<Json<Value>, Problem> {
    let (mut parts, _) = http.into_parts();
    let allowed = match query.code {
        Some(code) => {
            let held = app
                .server
                .ledger
                .register(space::INVITATION, sha256(code.as_bytes()).to_vec())
                .await?;
            held.and_then(|r| serde_json::from_slice::<Invitation>(&r.value).ok())
                .is_some_and(|i| i.used.as_ref() == Some(&request))
        }
        None => {
            let caller = Caller::from_request_parts(&mut parts, &app).await?;
            let enrolment = find(&app, &request).await?.enrolment;
            caller.token.request.as_ref() == Some(&request)
                || (caller.token.active && enrolment.device == caller.token.device)
        }
    };
    if !allowed {
        return Err(Problem::new(StatusCode::NOT_FOUND, "request_unknown", []));
    }
    let enrolment = find(&app, &request).await?.enrolment;
    Ok(Json(match enrolment.state.as_str() {
        "refused" => json!({ "state": "refused", "code": "enrolment_refused", "reason": enrolment.reason }),
        state => json!({ "state": state }),
    }))
}

async fn find(app: &App, request: &str) -> Result<OpenRequest, Problem> {
    enrolments::find(&*app.server.ledger, request)
        .await?
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "request_unknown", []))
}

/// The administrator said no: the same answer to asking again and to asking how it stands.
fn refused(request: &str, enrolment: &Enrolment) -> Problem {
    let reason = enrolment.reason.clone().unwrap_or_default();
    let params = [("request", Param::text(request)), ("reason", Param::text(reason))];
    Problem::new(StatusCode::FORBIDDEN, "enrolment_refused", params)
}

pub(super) fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|e| Problem::internal(&e))
}
