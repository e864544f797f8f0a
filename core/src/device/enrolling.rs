//! Enrolment as a conversation: the device's own request, its officers', and how far they have come (wire.md).

use fieldseal_proof::encoding::base64;
use fieldseal_proof::suite::PublicKey;
use serde_json::{Value, json};

use super::{DeviceEnrolment, FieldDevice, OfficerEnrolment};
use crate::catalogue::Param;
use crate::keyring::{EnrolmentState, OfficerRecord};
use crate::sync::fault::{DEVICE_REVOKED, Fault, REQUEST_UNKNOWN, StoreFault, checked};
use crate::sync::limits;
use crate::sync::message::{Expect, Method, Payload, Request, Response};

/// What came out of an enrolment's conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnrolmentRound {
    /// Requests sent.
    pub sent: u64,
    /// The administrator has approved this device.
    pub approved: bool,
    /// The administrator refused this device's request.
    pub refused: Option<RefusedRequest>,
}

/// A request that an administrator said no to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The server's id of the request.
    pub request: String,
    /// The administrator's words.
    pub reason: String,
}

impl RefusedRequest {
    /// What `enrolment_refused` of the catalogue says it with.
    pub fn params(&self) -> [(&'static str, Param); 2] {
        [
            ("request", Param::text(&self.request)),
            ("reason", Param::text(&self.reason)),
        ]
    }
}

/// Sends what has not been sent, and asks whether the device is approved. Safe to begin again at any time: a request that
/// reached the server is remembered before the next one is made.
#[derive(Debug, Default)]
pub struct Enrolling {
    round: EnrolmentRound,
    asked: Option<Ask>,
    looked: bool,
    /// The server said that this device's key is revoked: it enrols nobody any more.
    over: bool,
}

#[derive(Debug)]
enum Ask {
    Device,
    State { request: String },
    Officer(Box<OfficerRecord>),
}

impl Enrolling {
    /// What to send next; `None` when nothing is left to ask. The token to send it with is [`FieldDevice::token`].
    ///
    /// # Errors
    /// [`Fault::Store`] when the device's own files cannot be read.
    pub fn next_request(&mut self, device: &FieldDevice) -> Result<Option<Request>, Fault> {
        if self.over {
            return Ok(None);
        }
        let kept = |error| Fault::Store(StoreFault::from(error));
        let state = device.enrolment_state().map_err(kept)?;
        if state == EnrolmentState::New {
            // A further life shows the token of the earlier ones; the code was good for the first.
            let request = match device.enrolled_earlier() {
                true => device.further_enrolment(),
                false => device.enrolment(),
            };
            let request = request.map_err(kept)?;
            self.asked = Some(Ask::Device);
            return Ok(Some(post("/v1/enrol", &device_json(&request))));
        }
        self.round.approved |= state == EnrolmentState::Approved;
        if !self.round.approved && !self.looked {
            self.looked = true;
            if let Some(request) = device.enrolment_request() {
                // A first life asks with the code: its token opens only once the administrator has signed.
                let code = match device.enrolled_earlier() {
                    true => String::new(),
                    false => format!("?code={}", device.card().code),
                };
                let path = format!("/v1/enrol/{request}{code}");
                self.asked = Some(Ask::State { request });
                return Ok(Some(blank(Method::Get, &path, Payload::Empty)));
            }
        }
        if self.round.approved
            && let Some(officer) = device.officer_enrolments().into_iter().next()
        {
            let request = post("/v1/enrol", &officer_json(&officer));
            self.asked = Some(Ask::Officer(Box::new(officer.record)));
            return Ok(Some(request));
        }
        Ok(None)
    }

    /// Takes the answer to the request of the last [`Enrolling::next_request`].
    ///
    /// # Errors
    /// [`Fault`]: the server said no, or something else than was promised.
    pub fn handle_response(&mut self, device: &FieldDevice, answer: Response) -> Result<(), Fault> {
        let Some(ask) = self.asked.take() else { return Ok(()) };
        let kept = |error| Fault::Store(StoreFault::from(error));
        let answer = match checked(Expect::Json, answer) {
            // A server that was restored has forgotten the request: it is made once more, and what was signed meanwhile is sent.
            Err(Fault::Refused { code, .. }) if code == REQUEST_UNKNOWN && matches!(ask, Ask::State { .. }) => {
                return device.enrolment_forgotten().map_err(kept);
            }
            // What it has signed is still sent: the session goes on, and says it at its end.
            Err(Fault::Refused { code, .. }) if code == DEVICE_REVOKED => {
                self.over = true;
                return Ok(());
            }
            other => other?,
        };
        let answer: Value = serde_json::from_slice(&answer.body).map_err(|why| untrue(why.to_string()))?;
        match ask {
            Ask::Device => {
                let request = text(&answer, "request")?;
                device
                    .enrolment_submitted(request, answer["token"].as_str())
                    .map_err(kept)?;
                self.round.sent += 1;
            }
            Ask::State { request } => match text(&answer, "state")? {
                "approved" => self.round.approved = true,
                "refused" => {
                    let reason = answer["reason"].as_str().unwrap_or_default().to_owned();
                    self.round.refused = Some(RefusedRequest { request, reason });
                }
                _ => {}
            },
            Ask::Officer(record) => {
                let request = text(&answer, "request")?;
                device.officer_submitted(record.officer, request).map_err(kept)?;
                self.round.sent += 1;
            }
        }
        Ok(())
    }

    /// How far it has come.
    pub fn round(&self) -> &EnrolmentRound {
        &self.round
    }
}

/// `POST` of JSON, for JSON.
pub(super) fn post(path: &str, body: &Value) -> Request {
    let payload = Payload::Bytes {
        media_type: "application/json",
        bytes: body.to_string().into_bytes(),
    };
    blank(Method::Post, path, payload)
}

fn blank(method: Method, path: &str, payload: Payload) -> Request {
    Request {
        id: 0,
        method,
        path: path.to_owned(),
        headers: Vec::new(),
        payload,
        expect: Expect::Json,
        answer_limit: limits::answer::JSON,
        silence: std::time::Duration::ZERO,
    }
}

/// A device's request as it is posted (wire.md).
pub(super) fn device_json(request: &DeviceEnrolment) -> Value {
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
        "custody": request.custody.as_str(),
        "proof": base64(&request.proof),
    })
}

/// An officer's request as it is posted (wire.md).
pub(super) fn officer_json(request: &OfficerEnrolment) -> Value {
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
    answer[member]
        .as_str()
        .ok_or_else(|| untrue(format!("it has no {member}")))
}

fn untrue(why: String) -> Fault {
    Fault::Untrue {
        what: "enrolment answer",
        why,
    }
}
