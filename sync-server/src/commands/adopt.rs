//! `adopt`: the ceremony's key log enters the server. It must name this server's own keys, or nothing is taken.

use std::path::Path;

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
    let config = Config::load(&layout).map_err(Failure::of)?;
    let (device, incarnation) = config.ids().map_err(Failure::of)?;
    let keys = ServerKeys::load(&layout.keys(), device, incarnation).map_err(Failure::of)?;
    let sequence = std::fs::read(file).map_err(|e| Failure::of(format!("{}: {e}", file.display())))?;
    let log = KeyLog::read(&sequence).map_err(Failure::of)?;
    names_this_server(&log, &config, &keys)?;
    let ledger = SqliteLedger::open(&layout.ledger()).map_err(Failure::of)?;
    let held = ledger.key_log(0).await.map_err(Failure::of)?;
    let before: Vec<u8> = held.iter().flat_map(|row| row.frame.clone()).collect();
    let Some(rest) = sequence.strip_prefix(before.as_slice()) else {
        let zh = "这份密钥日志不是本服务器已有日志的延续。没有改动。请取得最新的密钥日志后再签。";
        let en = "This key log does not continue the one the server holds. Nothing was changed. Sign on top of the newest one.";
        return Err(Failure::new("key_log_refused", zh, en));
    };
    if !rest.is_empty() {
        let known = if before.is_empty() {
            KeyLog::new(log.tenant())
        } else {
            KeyLog::read(&before).map_err(Failure::of)?
        };
        let CheckedFrames { frames, leaves, .. } =
            check_frames(&known, rest).map_err(|(index, why)| Failure::of(format!("entry {index}: {why}")))?;
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
            .map_err(Failure::of)?;
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
            let zh =
                format!("密钥日志没有委托本服务器的 {which} 密钥。没有改动。请用本服务器的 request.json 重新委托。");
            let en = format!(
                "The key log does not delegate this server's {which} key. Nothing was changed. Delegate with this server's request.json."
            );
            Err(Failure::new("not_delegated", zh, en))
        }
    }
}
