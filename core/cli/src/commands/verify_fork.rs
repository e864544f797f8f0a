//! `fieldseal verify-fork`: a proof that a device signed two histories, against trust that comes from elsewhere.

use std::path::PathBuf;

use clap::Args;
use fieldseal_core::bundle::read_trust;
use fieldseal_core::catalogue::Param;
use fieldseal_proof::bundle::{Trust, Verdict};
use fieldseal_proof::fork::{ForkProof, ShownFork};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::files;
use crate::shell::{Outcome, Shell, Tone};

#[derive(Debug, Args)]
pub struct VerifyForkArgs {
    /// The proof, as the server hands it out
    file: PathBuf,
    /// Trust folder, from elsewhere
    #[arg(long, value_name = "DIR")]
    trust: PathBuf,
}

/// 0: the proof holds · 2: something in it does not · 4: it holds, under another root.
pub fn run(shell: &Shell, args: &VerifyForkArgs) -> Result<Outcome, Failure> {
    let trust = read_trust(&args.trust)?;
    let bytes = files::read(&args.file)?;
    let shown = match ForkProof::decode(&bytes).and_then(|proof| proof.verify()) {
        Ok(shown) => shown,
        Err(why) => {
            let detail = why.to_string();
            let json = json!({ "verdict": Verdict::Invalid.as_str(), "proven": false, "detail": detail });
            let line = shell.text("fork.invalid", &[("detail", Param::text(detail))]);
            return Ok(Outcome {
                exit: Verdict::Invalid.exit_code(Verdict::Diverged),
                ..Outcome::new(json).line(shell.tone(Tone::Bad, &line))
            });
        }
    };
    let anchored = is_anchored(&shown, &trust);
    let device = shown.operations[0].header().device.to_string();
    let verdict = if anchored {
        Verdict::Diverged
    } else {
        Verdict::Unanchored
    };
    let mut outcome = Outcome::new(json!({
        "verdict": verdict.as_str(), "proven": anchored, "fork": shown.fork.as_str(),
        "tenant": shown.tenant.to_string(), "device": device, "root": shown.root.fingerprint(),
        "operations": operations(&shown),
    }));
    outcome = match anchored {
        true => outcome.line(shell.tone(
            Tone::Bad,
            &shell.text("fork.proven", &[("device", Param::text(&device))]),
        )),
        false => outcome.line(shell.tone(Tone::Caution, &shell.text("fork.unanchored", &[]))),
    };
    for operation in &shown.operations {
        let header = operation.header();
        outcome = outcome.line(format!(
            "  {}  {} {}  {}",
            operation.id(),
            header.incarnation,
            header.seq,
            header.kind
        ));
    }
    Ok(Outcome {
        exit: match anchored {
            true => 0,
            // Lower than required, as for a bundle.
            false => Verdict::Unanchored.exit_code(Verdict::Anchored),
        },
        ..outcome.line(shell.text("fork.meaning", &[]))
    })
}

fn is_anchored(shown: &ShownFork, trust: &Trust) -> bool {
    shown.tenant == trust.tenant && shown.root == trust.root
}

fn operations(shown: &ShownFork) -> Vec<Value> {
    let one = |operation: &fieldseal_proof::operation::VerifiedOperation| {
        let header = operation.header();
        json!({
            "id": operation.id().to_string(), "incarnation": header.incarnation.to_string(), "seq": header.seq,
            "kind": header.kind, "counter": header.counter, "case": header.case.map(|case| case.to_string()),
            "clock_ms": header.clock.wall_ms,
        })
    };
    shown.operations.iter().map(one).collect()
}
