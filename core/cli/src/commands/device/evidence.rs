//! Evidence files that no operation names yet.

use clap::Subcommand;
use fieldseal_core::device::NewEvidence;
use serde_json::json;

use super::verbs::Adopt;
use super::write::{id, id_opt, made};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::shell::Outcome;

#[derive(Debug, Subcommand)]
pub enum EvidenceCommand {
    /// Lists the files that belong to no inspection yet
    List,
    /// Gives a file its inspection and seals it
    Adopt(Adopt),
}

/// Runs a command.
pub fn run(desk: &Desk<'_>, officer: Option<&str>, command: &EvidenceCommand) -> Result<Outcome, Failure> {
    match command {
        EvidenceCommand::List => list(desk),
        EvidenceCommand::Adopt(args) => {
            if let Some(certificate) = officer {
                desk.at_work(certificate)?;
            }
            adopt(desk, args)
        }
    }
}

fn list(desk: &Desk<'_>) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let mut items = Vec::new();
    for orphan in desk.device.orphans()? {
        let noted = orphan.intent.as_ref();
        let title = noted.map(|noted| noted.title.as_str());
        outcome = outcome.line(format!(
            "{}  {}  {}  {}",
            orphan.sha256,
            orphan.size,
            orphan.media_type,
            title.unwrap_or_default()
        ));
        items.push(json!({
            "sha256": orphan.sha256.to_string(), "size": orphan.size, "media_type": orphan.media_type,
            "since_ms": orphan.since_ms, "title": title,
            "inspection": noted.map(|noted| noted.inspection.to_string()),
            "acquisition": noted.map(|noted| noted.acquisition.as_str()), "kind": noted.map(|noted| &noted.kind),
        }));
    }
    if items.is_empty() {
        outcome = outcome.line(desk.shell.text("empty.orphans", &[]));
    }
    outcome.json = json!({ "items": items });
    Ok(outcome)
}

fn adopt(desk: &Desk<'_>, args: &Adopt) -> Result<Outcome, Failure> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let (acquisition, kind, title) = (text(&args.acquisition), text(&args.kind), text(&args.title));
    let proves = text(&args.proves);
    let new = NewEvidence {
        acquisition: &acquisition,
        kind: &kind,
        title: &title,
        proves: &proves,
        finding: id_opt(args.finding.as_deref())?,
        ..NewEvidence::default()
    };
    let adopted = desk
        .device
        .adopt(id(&args.sha256)?, id_opt(args.inspection.as_deref())?, &new)?;
    let mut outcome = made(desk, adopted.evidence, adopted.operation);
    for remark in &adopted.remarks {
        outcome = outcome.line(remark.message().text(desk.shell.lang));
    }
    outcome.json["sha256"] = adopted.sha256.to_string().into();
    Ok(outcome)
}
