//! Bundles and trust folders.

use std::collections::BTreeMap;

use fieldseal_proof::bundle::{BundleSource, Extras, Report, SourceError, Trust, Witness, verify};
use fieldseal_proof::ids::{OpId, from_hex};
use fieldseal_proof::note::VerifierKey;
use serde_json::{Value, json};

use crate::check::{Checked, Input, refuse};
use crate::objects::key;

/// A bundle in memory.
struct Memory(BTreeMap<String, Vec<u8>>);

impl BundleSource for Memory {
    fn paths(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    fn stream(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<(), SourceError> {
        let bytes =
            self.0.get(path).ok_or_else(|| SourceError { path: path.to_owned(), reason: "is not there".to_owned() })?;
        sink(bytes);
        Ok(())
    }
}

/// The files that a vector gives: whole, or as changes to those of another vector.
fn files(input: &Value) -> Result<Memory, String> {
    let mut all = BTreeMap::new();
    if let Some(base) = input["base"].as_str() {
        let text = std::fs::read_to_string(crate::folder().join(base)).map_err(refuse)?;
        let vector: Value = serde_json::from_str(&text).map_err(refuse)?;
        all = files(&vector["input"])?.0;
    }
    for (path, bytes) in ["files", "changes"].iter().filter_map(|f| input[*f].as_object()).flatten() {
        match bytes.as_str() {
            Some(text) => drop(all.insert(path.clone(), from_hex(text).ok_or("a file is not hex")?)),
            None => drop(all.remove(path)),
        }
    }
    if let Some(many) = input["numbered"].as_object() {
        let prefix = many["prefix"].as_str().ok_or("no prefix")?;
        all.extend((0..many["count"].as_u64().ok_or("no count")?).map(|n| (format!("{prefix}{n}"), Vec::new())));
    }
    Ok(Memory(all))
}

fn trust_of(input: &Value) -> Result<Trust, String> {
    let input = Input(&input["trust"]);
    let tenant = input.text("tenant")?.parse().map_err(refuse)?;
    let root = key(&Input(&input.0["root"]), "")?;
    let signers = input.text("allowed_signers")?.to_owned();
    let mut trust = Trust::new(tenant, root, input.text("log_vkey")?, signers).map_err(refuse)?;
    let policy = &input.0["policy"];
    trust.quorum = policy["quorum"].as_u64().unwrap_or(0) as usize;
    for witness in policy["witnesses"].as_array().into_iter().flatten() {
        trust.witnesses.push(Witness {
            key: VerifierKey::parse(Input(witness).text("vkey")?).map_err(refuse)?,
            organisation: Input(witness).text("organisation")?.to_owned(),
            same_operator: witness["same_operator"] == true,
        });
    }
    Ok(trust)
}

pub fn trust(input: &Input<'_>) -> Checked {
    let trust = trust_of(input.0)?;
    Ok(json!({"root_key_id": trust.root.key_id().to_string(), "log": trust.log.name()}))
}

/// Verdict and finding codes, and for a bundle that stands also its facts.
pub fn bundle(input: &Input<'_>) -> Checked {
    let extras = Extras { paper: input.0["paper"].as_str().map(str::to_owned), ..Extras::default() };
    let report = verify(&files(input.0)?, &trust_of(input.0)?, &extras);
    let mut codes: Vec<&str> = report.findings.iter().map(|f| f.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let mut out = json!({"verdict": report.verdict.as_str(), "findings": codes});
    if codes.is_empty() {
        facts(&report, &mut out);
    }
    Ok(out)
}

fn facts(report: &Report, out: &mut Value) {
    let operations = report.operations.iter().map(|o| {
        json!({
            "id": o.id.to_string(),
            "index": o.index,
            "not_before": o.bracket.not_before.map(|b| b.unix_ms),
            "not_after": o.bracket.not_after.map(|b| b.unix_ms),
        })
    });
    out["time"] = json!(report.time.map(|t| t.as_str()));
    out["tree_size"] = json!(report.tree_size);
    out["complete_by_roll"] = json!(report.complete_by_roll);
    out["operations"] = operations.collect();
    let value = |(id, path): &(OpId, String)| json!([id.to_string(), path]);
    out["withheld"] = report.withheld.iter().map(value).collect();
    if !report.disposed.is_empty() {
        out["disposed"] = report.disposed.iter().map(value).collect();
    }
    let awaiting =
        report.operations.iter().flat_map(|o| o.awaiting.iter().map(move |who| json!([o.id.to_string(), who])));
    out["awaiting"] = awaiting.collect();
    let mut not_checked = report.not_checked.clone();
    not_checked.sort();
    out["not_checked"] = json!(not_checked);
    out["late"] = report.late.iter().map(|id| json!(id.to_string())).collect();
}
