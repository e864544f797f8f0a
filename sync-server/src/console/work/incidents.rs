//! What devices did that needs a look: two records under one number, the use of a revoked key, a clock that is off, a gap.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fieldseal_core::catalogue::Param;
use fieldseal_proof::ids::{DeviceId, OpId};

use super::cases::age;
use super::list::{Bench, Row};
use super::records::set_aside;
use crate::api::App;
use crate::api::devices::Told;
use crate::console::access::{Deed, log};
use crate::console::accounts::Role;
use crate::console::devices::SKEW_SHOWN_MS;
use crate::console::error::PageError;
use crate::console::links;
use crate::console::visitor::Desk;
use crate::forks;
use crate::ingest::assess::Reason;
use crate::ledger::{ChainKey, RunState, space};

/// What happened. The order is that of the list: the gravest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// Two records under one number, from this one on.
    Fork { first: u64, main: u64, run: u64 },
    /// Records that came after their key was revoked.
    Revoked { count: u64, newest: OpId },
    /// The device's clock is off by so many milliseconds, as it told at this time.
    Clock { off: u64, told_ms: u64 },
    /// Records from this one on, without those before.
    Gap { first: u64, main: u64, run: u64 },
}

/// An incident of a device.
pub(super) struct Incident {
    what: What,
    device: DeviceId,
    chain: Option<ChainKey>,
}

/// All of them, in the order of the list.
pub(super) async fn all(app: &App) -> Result<Vec<Incident>, PageError> {
    let ledger = &app.server.ledger;
    let mut found = Vec::new();
    for chain in ledger.all_chains().await? {
        let main = chain.main().map_or(0, |run| run.last_seq);
        for run in chain.runs.iter().filter(|run| run.state != RunState::Main) {
            let (first, run_number) = (run.first_seq, run.number);
            found.push(Incident {
                what: match run.state {
                    RunState::Fork => What::Fork {
                        first,
                        main,
                        run: run_number,
                    },
                    _ => What::Gap {
                        first,
                        main,
                        run: run_number,
                    },
                },
                device: chain.key.device,
                chain: Some(chain.key),
            });
        }
    }
    let mut revoked: std::collections::BTreeMap<DeviceId, (u64, OpId)> = std::collections::BTreeMap::new();
    for (id, aside) in set_aside(app).await? {
        let device = aside.device.parse::<DeviceId>();
        if let (Some(Reason::Revoked), Ok(device)) = (aside.reason(), device) {
            let (count, newest) = revoked.entry(device).or_insert((0, id));
            (*count, *newest) = (*count + 1, id);
        }
    }
    found.extend(revoked.into_iter().map(|(device, (count, newest))| Incident {
        what: What::Revoked { count, newest },
        device,
        chain: None,
    }));
    for row in ledger.registers(space::HEALTH, Vec::new(), usize::MAX >> 1).await? {
        let told = serde_json::from_slice::<Told>(&row.value);
        let device = row.key.as_slice().try_into().map(DeviceId::from_bytes);
        if let (Ok(told), Ok(device)) = (told, device)
            && told.skew_ms.unsigned_abs() > SKEW_SHOWN_MS
        {
            let (off, told_ms) = (told.skew_ms.unsigned_abs(), told.reported_ms);
            found.push(Incident {
                what: What::Clock { off, told_ms },
                device,
                chain: None,
            });
        }
    }
    found.sort_by(|a, b| (&a.what, a.device).cmp(&(&b.what, b.device)));
    Ok(found)
}

pub(super) async fn rows(bench: &Bench<'_>, skip: u64, limit: u64) -> Result<Vec<Row>, PageError> {
    let page = all(bench.app)
        .await?
        .into_iter()
        .skip(skip as usize)
        .take(limit as usize);
    let mut rows = Vec::new();
    for incident in page {
        rows.push(row(bench, &incident).await?);
    }
    Ok(rows)
}

async fn row(bench: &Bench<'_>, incident: &Incident) -> Result<Row, PageError> {
    let (words, device) = (bench.words, bench.wording.device(&incident.device));
    let (code, why, since) = match &incident.what {
        What::Fork { first, main, run } => (
            "fork",
            words.t2("console.work.fork.why", "first", first, "main", main),
            first_of(bench, incident, *first, *run).await?,
        ),
        What::Gap { first, main, run } => (
            "gap",
            words.t2("console.work.gap.why", "first", first, "main", main),
            first_of(bench, incident, *first, *run).await?,
        ),
        What::Revoked { count, newest } => (
            "revoked",
            words.t1("console.work.revoked.why", "count", count),
            bench.arrival(*newest).await?.0,
        ),
        What::Clock { off, told_ms } => (
            "clock",
            words.t1("console.work.clock.why", "span", Param::Span(*off)),
            *told_ms,
        ),
    };
    Ok(Row {
        proof: proof_of(bench, incident).await?,
        href: match &incident.what {
            What::Revoked { .. } => "/console/worklist/quarantine".into(),
            _ => format!("/console/devices#d-{}", incident.device),
        },
        what: words.t(&format!("console.work.{code}")),
        party: device.clone(),
        why,
        since: age(words, since, bench.app.server.clock.now().wall_ms),
        who: device,
        next: words.t(&format!("console.work.{code}.next")),
    })
}

/// The file that proves a fork to whoever was not there.
async fn proof_of(bench: &Bench<'_>, incident: &Incident) -> Result<Option<(String, String)>, PageError> {
    let (What::Fork { first, .. }, Some(chain)) = (&incident.what, incident.chain) else {
        return Ok(None);
    };
    let found = forks::find(&*bench.app.server.ledger, chain, *first).await?;
    let word = || bench.words.t("console.work.fork.proof");
    Ok(found.map(|fork| (links::fork(fork.chain, fork.seq), word())))
}

/// `GET /console/forks/{device}/{incarnation}/{seq}`: the proof, to be checked elsewhere.
pub async fn fork_proof(
    State(app): State<App>,
    desk: Desk,
    Path((device, incarnation, seq)): Path<(String, String, u64)>,
) -> Result<Response, PageError> {
    desk.staff.needs(Role::Supervisor)?;
    let chain = ChainKey {
        device: device.parse().map_err(|_| PageError::NotFound)?,
        incarnation: incarnation.parse().map_err(|_| PageError::NotFound)?,
    };
    let fork = forks::find(&*app.server.ledger, chain, seq).await?;
    let fork = fork.ok_or(PageError::NotFound)?;
    let name = forks::file_name(chain, seq);
    log(&app, &desk.staff, Deed::Listed, name.clone()).await?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            "sandbox; default-src 'none'".to_owned(),
        ),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, fork.proof.encode()).into_response())
}

/// When the first record of a run arrived.
async fn first_of(bench: &Bench<'_>, incident: &Incident, first: u64, run: u64) -> Result<u64, PageError> {
    let Some(chain) = incident.chain else { return Ok(0) };
    let stored = bench.app.server.ledger.stored(chain, first, first).await?;
    match stored.iter().find(|one| one.run == run) {
        Some(one) => Ok(bench.arrival(one.id).await?.0),
        None => Ok(0),
    }
}
