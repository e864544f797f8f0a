//! `adopt`: the ceremony's key log enters the server. It must name this server's own keys, or nothing is taken.

use std::path::Path;

use fieldseal_core::catalogue::Param;
use fieldseal_proof::ids::TenantId;
use fieldseal_proof::key_log::{KeyLog, Purpose};
use serde_json::json;

use super::{Failure, Outcome, Report};
use crate::config::{Config, Layout};
use crate::ingest::{CheckedFrames, check_frames};
use crate::keys::ServerKeys;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{Commit, KeyLogAppend, LedgerStore};

pub(super) async fn run(dir: &Path, file: &Path) -> Outcome {
    let layout = Layout::new(dir);
    let config = Config::load(&layout).map_err(Failure::open)?;
    let (device, incarnation) = config.ids().map_err(Failure::open)?;
    let keys =
        ServerKeys::load(&layout.keys(), device, incarnation).map_err(|error| Failure::detail("server_keys", error))?;
    let sequence = std::fs::read(file).map_err(|error| Failure::file(file, &error))?;
    let log = KeyLog::read(&sequence).map_err(|error| {
        let path = ("path", Param::text(file.display().to_string()));
        Failure::new("key_log_unreadable", [path, ("detail", Param::text(error.to_string()))])
    })?;
    names_this_server(&log, &config, &keys)?;
    let ledger = SqliteLedger::open(&layout.ledger()).map_err(Failure::open)?;
    let held = ledger.key_log(0).await.map_err(Failure::open)?;
    let before: Vec<u8> = held.iter().flat_map(|row| row.frame.clone()).collect();
    let Some(rest) = sequence.strip_prefix(before.as_slice()) else {
        return Err(Failure::new("key_log_other", []));
    };
    if !rest.is_empty() {
        let known = if before.is_empty() {
            KeyLog::new(log.tenant())
        } else {
            KeyLog::read(&before).map_err(|error| Failure::detail("ledger_unreadable", error))?
        };
        let CheckedFrames { frames, leaves, .. } = check_frames(&known, rest).map_err(|(index, why)| {
            Failure::new(
                "key_log_refused",
                [("index", Param::Count(index)), ("detail", Param::text(why))],
            )
        })?;
        let append = KeyLogAppend {
            expected: known.size(),
            frames,
            leaves,
        };
        ledger
            .commit(Commit {
                key_log: Some(append),
                ..Commit::default()
            })
            .await
            .map_err(Failure::open)?;
    }
    let tenant: TenantId = log.tenant();
    let root = log
        .root()
        .and_then(|root| root.record.key().ok())
        .map(|key| key.fingerprint())
        .unwrap_or_default();
    let lines = vec![
        format!("已采用密钥日志 adopted {} entries", log.size()),
        format!("租户 tenant: {tenant}"),
        format!("根密钥指纹 root key: {root}"),
    ];
    Ok(Report::done(
        json!({ "tenant": tenant.to_string(), "key_log_size": log.size(), "root_fingerprint": root }),
        lines,
    ))
}

fn names_this_server(log: &KeyLog, config: &Config, keys: &ServerKeys) -> Result<(), Failure> {
    let enrolled = |purpose: Purpose, public: Vec<u8>| {
        log.server_keys(purpose).iter().any(|key| {
            key.record.public == public
                && key.subject == Some(*keys.device.as_bytes())
                && key.name.as_deref() == Some(&config.origin)
        })
    };
    let all = [
        ("operation", enrolled(Purpose::Operation, keys.operation.public())),
        ("log", enrolled(Purpose::Log, keys.log.public())),
        ("time", enrolled(Purpose::Time, keys.time.public())),
        ("bundle", enrolled(Purpose::Bundle, keys.bundle.public())),
    ];
    match all.iter().find(|(_, held)| !held) {
        None if log.operation_key(&keys.device, &keys.incarnation).is_some() => Ok(()),
        other => {
            let which = other.map_or("operation", |(name, _)| name);
            Err(Failure::new("not_delegated", [("purpose", Param::text(which))]))
        }
    }
}
