//! Enrolment over the wire: the device's own request, its officers', and how far they have come.

use fieldseal_core::device::{DeviceEnrolment, FieldDevice, OfficerEnrolment};
use fieldseal_core::keyring::EnrolmentState;
use fieldseal_core::sync::{Fault, StoreFault};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::suite::PublicKey;
use serde_json::{Value, json};

use crate::TransportError;
use crate::call::Caller;
use crate::cancel::Cancel;
use crate::connection::Endpoint;

/// Where a device's server is, with the token it was given.
pub fn endpoint(device: &FieldDevice) -> Endpoint {
    let card = device.card();
    Endpoint {
        url: card.url.clone(),
        tls_sha256: card.tls_sha256,
        token: device.token(),
    }
}

/// What a round of enrolment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnrolmentRound {
    /// Requests sent.
    pub sent: u64,
    /// The administrator has approved this device.
    pub approved: bool,
}

/// Why a round did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The exchange failed; what was sent is remembered.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// No connection can even be tried.
    #[error(transparent)]
    SetUp(#[from] TransportError),
    /// The administrator refused the request.
    #[error("the administrator refused this device's request {0}")]
    Refused(String),
}

/// Sends what has not been sent, and asks whether the device is approved. Safe to repeat at any time.
///
/// # Errors
/// [`EnrolmentError`]; a request that reached the server is remembered before the next one is sent.
pub fn enrol(device: &FieldDevice, cancel: &Cancel) -> Result<EnrolmentRound, EnrolmentError> {
    let mut round = EnrolmentRound::default();
    let kept = |error| Fault::Store(StoreFault::from(error));
    if device.enrolment_state().map_err(kept)? == EnrolmentState::New {
        let request = device.enrolment().map_err(kept)?;
        let caller = Caller::open(
            &Endpoint {
                token: None,
                ..endpoint(device)
            },
            cancel.clone(),
        )?;
        let answer = caller.post("/v1/enrol", &device_json(&request))?;
        device
            .enrolment_submitted(text(&answer, "request")?, answer["token"].as_str())
            .map_err(kept)?;
        round.sent += 1;
    }
    let caller = Caller::open(&endpoint(device), cancel.clone())?;
    round.approved = device.enrolment_state().map_err(kept)? == EnrolmentState::Approved;
    if !round.approved
        && let Some(request) = device.enrolment_request()
    {
        // Asked with the code: the token opens only once the administrator has signed.
        let answer = caller.get(&format!("/v1/enrol/{request}?code={}", device.card().code))?;
        match text(&answer, "state")? {
            "approved" => round.approved = true,
            "refused" => return Err(EnrolmentError::Refused(request)),
            _ => {}
        }
    }
    if round.approved {
        for officer in device.officer_enrolments() {
            let answer = caller.post("/v1/enrol", &officer_json(&officer))?;
            device
                .officer_submitted(officer.record.officer, text(&answer, "request")?)
                .map_err(kept)?;
            round.sent += 1;
        }
    }
    Ok(round)
}

fn device_json(request: &DeviceEnrolment) -> Value {
    let identity = &request.identity;
    json!({
        "code": request.code,
        "kind": "device",
        "device": identity.device.to_string(),
        "incarnation": identity.incarnation.to_string(),
        "role": identity.role.as_str(),
        "label": identity.label,
        "operation": key_json(&request.operation),
        "cosigner": key_json(&request.cosigner),
        "proof": base64(&request.proof),
    })
}

fn officer_json(request: &OfficerEnrolment) -> Value {
    let record = &request.record;
    json!({
        "kind": "officer",
        "officer": record.officer.to_string(),
        "role": record.role,
        "name": record.name,
        "certificate": record.certificate,
        "key": key_json(&record.key),
        "attrs": base64(&request.attrs),
        "attrs_root": request.attrs_root.to_string(),
    })
}

fn key_json(key: &PublicKey) -> Value {
    json!({ "suite": key.suite().number(), "public": base64(key.as_bytes()) })
}

fn text<'a>(answer: &'a Value, member: &'static str) -> Result<&'a str, Fault> {
    let missing = || Fault::Untrue {
        what: "enrolment answer",
        why: format!("it has no {member}"),
    };
    answer[member].as_str().ok_or_else(missing)
}
