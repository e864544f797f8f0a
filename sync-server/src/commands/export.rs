//! `export`: the hearing bundle of a case, from a server that is not running.

use std::path::Path;

use fieldseal_proof::ids::{CaseId, to_hex};
use serde_json::json;

use super::{Failure, Outcome, Report};
use crate::ledger::{Access, Commit};
use crate::server::Server;

pub(super) async fn run(dir: &Path, case: &str, out: &Path) -> Outcome {
    let case: CaseId = case.parse().map_err(Failure::of)?;
    let (server, workers) = Server::open(dir).await.map_err(Failure::of)?;
    let access = Access {
        at_ms: server.clock.now().wall_ms,
        who: "command line".into(),
        action: "case.export".into(),
        target: case.to_string(),
    };
    server
        .ledger
        .commit(Commit {
            accesses: vec![access],
            ..Commit::default()
        })
        .await
        .map_err(Failure::of)?;
    let summary = crate::export::export_folder(&server, case, out)
        .await
        .map_err(Failure::of)?;
    workers.stop().await;
    let id = to_hex(&summary.tag_manifest_sha256);
    Ok(Report::done(
        json!({ "bundle": out, "tag_manifest_sha256": id, "files": summary.files, "bytes": summary.payload_bytes }),
        vec![format!(
            "{} · {} files · {} bytes · {id}",
            out.display(),
            summary.files,
            summary.payload_bytes
        )],
    ))
}
