//! `export`: the hearing bundle of a case, from a server that is not running.

use std::path::Path;

use fieldseal_proof::ids::{CaseId, to_hex};
use serde_json::json;

use fieldseal_core::catalogue::Param;

use super::{Failure, Outcome, Report};
use crate::export::ExportError;
use crate::ledger::{Access, Commit};
use crate::server::Server;

/// Whoever sits at the server; who that is, its own records say.
const BY: &str = "command line";

pub(super) async fn run(dir: &Path, case: &str, out: &Path) -> Outcome {
    let no_such_case = |case: &str| Failure::new("no_such_case", [("case", Param::text(case))]);
    let case: CaseId = case.parse().map_err(|_| no_such_case(case))?;
    let (server, workers) = Server::open(dir).await.map_err(Failure::open)?;
    let access = Access {
        at_ms: server.clock.now().wall_ms,
        who: BY.into(),
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
        .map_err(Failure::open)?;
    let summary = crate::export::export_folder(&server, case, BY, out)
        .await
        .map_err(|error| match error {
            ExportError::NoSuchCase => no_such_case(&case.to_string()),
            other => Failure::of(other),
        })?;
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
