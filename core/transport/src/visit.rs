//! Drives a whole visit to the server over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use fieldseal_core::device::{FieldDevice, Visit, VisitOptions, VisitReport, VisitStep};
use fieldseal_core::sync::limits::IDLE_TIMEOUT;
use fieldseal_core::sync::message::Payload;
use fieldseal_core::sync::{NoAnswer, Progress, SyncStore};

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, runtime};
use crate::enrol::endpoint;
use crate::jitter::random;

/// Enrols as far as it goes, syncs, and sees to the stock of numbers.
///
/// `progress` is called at each step and about once a second while bytes move. Faults are in the report's ending. After
/// [`Cancel::cancel`] it returns at once: nothing that a socket or a name server is busy with is waited for.
///
/// # Errors
/// Only when no connection can even be tried.
pub fn visit(
    device: &Arc<FieldDevice>,
    options: VisitOptions,
    progress: &mut dyn FnMut(&Progress),
    cancel: &Cancel,
) -> Result<VisitReport, TransportError> {
    visit_with(device, options, IDLE_TIMEOUT, progress, cancel)
}

/// The same with another silence after which the line counts as dead.
///
/// # Errors
/// As [`visit`](fn@visit).
pub fn visit_with(
    device: &Arc<FieldDevice>,
    options: VisitOptions,
    silence: Duration,
    progress: &mut dyn FnMut(&Progress),
    cancel: &Cancel,
) -> Result<VisitReport, TransportError> {
    let connection = Connection::open_with(&endpoint(device), silence)?;
    let runtime = runtime()?;
    let report = runtime.block_on(visiting(device, connection, options, progress, cancel));
    // A name that is still being looked up cannot be given up, and must not hold the caller.
    runtime.shutdown_background();
    Ok(report)
}

async fn visiting(
    device: &Arc<FieldDevice>,
    mut connection: Connection,
    options: VisitOptions,
    progress: &mut dyn FnMut(&Progress),
    cancel: &Cancel,
) -> VisitReport {
    let mut visit = Visit::new(Arc::clone(device), options, Box::new(random));
    loop {
        if cancel.is_cancelled() {
            visit.cancel();
        }
        match visit.next_request() {
            VisitStep::Done(report) => {
                progress(&visit.progress());
                return *report;
            }
            VisitStep::Wait(wait) => tokio::select! {
                () = cancel.ended() => {}
                () = tokio::time::sleep(wait) => {}
            },
            VisitStep::Send(request) => {
                let at = visit.progress();
                progress(&at);
                let blob = match &request.payload {
                    Payload::Blob { sha256, offset, .. } => match visit.port().read_blob(*sha256, *offset) {
                        Ok(reader) => Some(reader),
                        Err(why) => {
                            visit.handle_response(request.id, Err(NoAnswer::Evidence(why.to_string())));
                            continue;
                        }
                    },
                    _ => None,
                };
                let mut moved = |bytes| {
                    progress(&Progress {
                        moving_bytes: bytes,
                        ..at.clone()
                    })
                };
                connection.set_token(device.token());
                let answer = connection.exchange(&request, blob, cancel, &mut moved).await;
                visit.handle_response(request.id, answer);
            }
        }
    }
}
