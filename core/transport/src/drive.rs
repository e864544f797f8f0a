//! Runs a sync session to its end.

use std::time::{Duration, Instant};

use fieldseal_core::sync::backoff::Random;
use fieldseal_core::sync::limits::{BACKOFF_MOST, POLL_SECONDS};
use fieldseal_core::sync::message::Payload;
use fieldseal_core::sync::{Ending, NoAnswer, Progress, Step, SyncOptions, SyncReport, SyncSession, SyncStore};

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, Endpoint, runtime};

/// One session: everything that can be exchanged now.
///
/// `progress` is called at each step and about once a second while bytes move. Faults are in the report's ending.
///
/// # Errors
/// Only when no connection can even be tried.
pub fn sync_once(
    store: &mut dyn SyncStore,
    endpoint: &Endpoint,
    options: SyncOptions,
    progress: &mut dyn FnMut(&Progress),
    cancel: &Cancel,
) -> Result<SyncReport, TransportError> {
    let connection = Connection::open(endpoint)?;
    Ok(runtime()?.block_on(session(store, &connection, options, progress, cancel)))
}

/// Sessions until nothing waits here any more, or `patience` is over. While offline it tries again; while the server has
/// not sequenced yet, the feed is asked with a long poll, which ends as soon as it has.
///
/// The report sums up all sessions; its ending is that of the last.
///
/// # Errors
/// As [`sync_once`].
pub fn sync_wait(
    store: &mut dyn SyncStore,
    endpoint: &Endpoint,
    options: SyncOptions,
    patience: Duration,
    progress: &mut dyn FnMut(&Progress),
    cancel: &Cancel,
) -> Result<SyncReport, TransportError> {
    let connection = Connection::open(endpoint)?;
    let runtime = runtime()?;
    let begun = Instant::now();
    let mut total: Option<SyncReport> = None;
    let mut pause = Duration::from_millis(250);
    loop {
        let left = patience.saturating_sub(begun.elapsed());
        let online = total.as_ref().is_some_and(|report| report.ending == Ending::Done);
        let poll_s = if online { left.as_secs().min(POLL_SECONDS) } else { 0 };
        let options = SyncOptions {
            poll_s,
            ..options.clone()
        };
        let report = runtime.block_on(session(store, &connection, options.clone(), progress, cancel));
        let again = match &report.ending {
            Ending::Done if options.only_records => report.waiting.operations + report.waiting.unsealed > 0,
            Ending::Done => !report.waiting.is_nothing(),
            Ending::Stopped(fault) => fault.is_transient(),
        };
        let gained = report.received + report.sealed + report.blobs + report.fetched > 0;
        let report = report.after(total.take());
        if !again || begun.elapsed() >= patience || cancel.is_cancelled() {
            return Ok(report);
        }
        total = Some(report);
        pause = if gained {
            Duration::from_millis(250)
        } else {
            (pause * 2).min(BACKOFF_MOST)
        };
        let wait = pause.min(patience.saturating_sub(begun.elapsed()));
        runtime.block_on(async {
            tokio::select! {
                () = cancel.ended() => {}
                () = tokio::time::sleep(wait) => {}
            }
        });
    }
}

async fn session(
    store: &mut dyn SyncStore,
    connection: &Connection,
    options: SyncOptions,
    progress: &mut dyn FnMut(&Progress),
    cancel: &Cancel,
) -> SyncReport {
    let mut session = SyncSession::new(options, random());
    loop {
        if cancel.is_cancelled() {
            session.cancel();
        }
        match session.next_request(store) {
            Step::Done(report) => {
                progress(&session.progress());
                return *report;
            }
            Step::Wait(wait) => tokio::select! {
                () = cancel.ended() => {}
                () = tokio::time::sleep(wait) => {}
            },
            Step::Send(request) => {
                let at = session.progress();
                progress(&at);
                let blob = match &request.payload {
                    Payload::Blob { sha256, offset, .. } => match store.read_blob(*sha256, *offset) {
                        Ok(reader) => Some(reader),
                        Err(why) => {
                            session.handle_response(store, request.id, Err(NoAnswer::Evidence(why.to_string())));
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
                let answer = connection.exchange(&request, blob, cancel, &mut moved).await;
                session.handle_response(store, request.id, answer);
            }
        }
    }
}

/// Spreads the waits of many devices. Without randomness the waits are the longest: no secret hangs on this.
pub(crate) fn random() -> Random {
    Box::new(|| {
        let mut bytes = [0xff; 8];
        let _ = getrandom::fill(&mut bytes);
        u64::from_le_bytes(bytes)
    })
}
