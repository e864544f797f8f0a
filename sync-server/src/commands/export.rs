//! `export`: the hearing bundle of a case, from a server that is not running.

use std::path::Path;

use fieldseal_proof::ids::{CaseId, to_hex};
use serde_json::json;

use fieldseal_core::catalogue::Param;

use super::{Failure, Outcome, Report};
use crate::export::{ExportError, Wish, checkpoint_size, export_folder};
use crate::ledger::{Access, Commit};
use crate::server::Server;

/// Whoever sits at the server; who that is, its own records say.
const BY: &str = "command line";

/// `at` is the size of a checkpoint, or a file that holds one, such as an earlier bundle's `data/checkpoint`.
pub(super) async fn run(dir: &Path, case: &str, at: Option<&str>, despite_awaited: bool, out: &Path) -> Outcome {
    let no_such_case = |case: &str| Failure::new("no_such_case", [("case", Param::text(case))]);
    let case: CaseId = case.parse().map_err(|_| no_such_case(case))?;
    let (server, workers) = Server::open(dir).await.map_err(Failure::open)?;
    let at = at.map(|at| size_of(&server, at)).transpose()?;
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
    let wish = Wish {
        case,
        at,
        despite_awaited,
        by: BY,
    };
    let size = |size| [("size", Param::Count(size))];
    let (summary, checkpoint) = export_folder(&server, wish, out).await.map_err(|error| match error {
        ExportError::NoSuchCase => no_such_case(&case.to_string()),
        ExportError::NoSuchCheckpoint(of) => Failure::new("no_such_checkpoint", size(of)),
        ExportError::NoRoll(of) => Failure::new("no_roll_then", size(of)),
        ExportError::Awaiting(_) => Failure::new("export_awaits", []),
        other => Failure::of(other),
    })?;
    workers.stop().await;
    let id = to_hex(&summary.tag_manifest_sha256);
    Ok(Report::done(
        json!({ "bundle": out, "tag_manifest_sha256": id, "files": summary.files, "bytes": summary.payload_bytes,
            "checkpoint": checkpoint }),
        vec![format!(
            "{} · {} files · {} bytes · checkpoint {checkpoint} · {id}",
            out.display(),
            summary.files,
            summary.payload_bytes
        )],
    ))
}

fn size_of(server: &Server, at: &str) -> Result<u64, Failure> {
    if let Ok(size) = at.parse() {
        return Ok(size);
    }
    let path = Path::new(at);
    let note = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
    checkpoint_size(server, &note).map_err(Failure::of)
}
