//! `fieldseal operation`: one signed operation as DSSE JSON and for reading, for whoever checks it with other tools.

use std::path::PathBuf;

use clap::Args;
use fieldseal_core::operation::{dsse, from_dsse, readable};
use fieldseal_proof::dsse::{OPERATION, pae};
use fieldseal_proof::operation::Operation;
use fieldseal_proof::suite::{Suite, der_signature};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::files;
use crate::shell::{Outcome, Shell, Tone};

#[derive(Debug, Args)]
pub struct OperationArgs {
    /// A frame (`data/operations/<id>.cbor` of a bundle) or an operation as DSSE JSON
    file: PathBuf,
    /// New file for the bytes that were signed
    #[arg(long, value_name = "FILE")]
    pae: Option<PathBuf>,
    /// New file for the signature in openssl's form
    #[arg(long, value_name = "FILE")]
    sig: Option<PathBuf>,
}

/// Nothing is verified here: `fieldseal verify` and openssl do that.
pub fn run(shell: &Shell, args: OperationArgs) -> Result<Outcome, Failure> {
    let bytes = files::read(&args.file)?;
    // A frame is a CBOR map; its first byte is no character that JSON begins with.
    let read = match std::str::from_utf8(&bytes) {
        Ok(text) if text.trim_start().starts_with('{') => from_dsse(text),
        _ => Operation::parse(&bytes).map_err(|error| error.to_string()),
    };
    let operation = read.map_err(|error| Failure::form(&args.file, error))?;
    if let Some(path) = &args.pae {
        files::create(path, &pae(OPERATION, operation.header_bytes()))?;
    }
    if let Some(path) = &args.sig {
        let signature = operation.signature();
        match operation.header().suite {
            Suite::Ed25519 => files::create(path, signature)?,
            Suite::P256 => files::create(path, &der_signature(signature))?,
        }
    }
    let (envelope, said) = (dsse(&operation), readable(&operation));
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
    let readable = said
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| *name != "fields" && !value.is_null());
    let mut outcome = Outcome::new(json!({ "dsse": envelope, "operation": said }))
        .line(pretty(&envelope))
        .line(String::new());
    for (name, value) in readable {
        outcome = outcome.line(format!("{name}  {}", words(value)));
    }
    for (path, value) in said["fields"].as_object().into_iter().flatten() {
        outcome = outcome.line(format!("{}  {}", shell.tone(Tone::Strong, path), words(value)));
    }
    Ok(outcome)
}

fn words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
