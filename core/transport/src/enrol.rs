//! Enrolment over the wire: the device's own request, its officers', and how far they have come.

use fieldseal_core::device::{Enrolling, FieldDevice};
use fieldseal_core::sync::Fault;

pub use fieldseal_core::device::{EnrolmentRound, RefusedRequest};

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, Endpoint, runtime};

/// Where a device's server is, with the token it was given.
pub fn endpoint(device: &FieldDevice) -> Endpoint {
    let card = device.card();
    Endpoint {
        url: card.url.clone(),
        tls_sha256: card.tls_sha256,
        token: device.token(),
    }
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
    #[error("the administrator refused this device's request {}: {}", .0.request, .0.reason)]
    Refused(RefusedRequest),
}

/// Sends what has not been sent, and asks whether the device is approved. Safe to repeat at any time.
///
/// # Errors
/// [`EnrolmentError`]; a request that reached the server is remembered before the next one is sent.
pub fn enrol(device: &FieldDevice, cancel: &Cancel) -> Result<EnrolmentRound, EnrolmentError> {
    let mut connection = Connection::open(&endpoint(device))?;
    let runtime = runtime()?;
    let mut enrolling = Enrolling::default();
    while let Some(request) = enrolling.next_request(device)? {
        connection.set_token(device.token());
        let answer = runtime.block_on(connection.exchange(&request, None, cancel, &mut |_| {}));
        enrolling.handle_response(device, answer.map_err(Fault::from)?)?;
    }
    // A name that is still being looked up cannot be given up, and must not hold the caller.
    runtime.shutdown_background();
    match &enrolling.round().refused {
        Some(refused) => Err(EnrolmentError::Refused(refused.clone())),
        None => Ok(enrolling.round().clone()),
    }
}
