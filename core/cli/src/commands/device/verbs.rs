//! What an inspector does, one structure per verb. The same structures are read from the command line and from the lines
//! of a batch, so that both always know the same words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;

/// A verb that writes an operation.
#[derive(Debug, Subcommand, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Verb {
    /// Begins an inspection that nobody assigned
    Begin(Begin),
    /// Records that credentials were shown and the content was told
    Credentials(Credentials),
    /// Answers an item of the checklist
    Check(Check),
    /// Records a finding, or writes one anew
    Finding(Finding),
    /// Seals evidence from a file or from standard input
    Capture(Capture),
    /// Records lines of a statement
    Statement(Statement),
    /// Orders something to be put right by a day
    Order(Order),
    /// Records what became of something that an earlier visit ordered
    Review(Review),
    /// Chooses between values that two tablets wrote
    Decide(Decide),
    /// Makes a document as PDF and issues it
    Document(Document),
    /// Records a handwritten signature on a document
    Sign(Sign),
    /// Records that somebody refused to sign
    Refuse(Refuse),
    /// Signs operations with the officer's key
    Attest(Attest),
    /// Keeps an edit as a draft
    Set(Set),
    /// Signs the drafts of an inspection
    Commit(OfInspection),
    /// Closes an inspection over everything that is held of it
    Close(OfInspection),
    /// Adds an enterprise to the registry
    EnterpriseAdd(EnterpriseAdd),
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// Enterprise of the registry
    #[arg(long, value_name = "ID", required_unless_present = "new_enterprise")]
    pub enterprise: Option<String>,
    /// Name of an enterprise that nobody knows yet
    #[arg(long, value_name = "NAME", conflicts_with = "enterprise")]
    pub new_enterprise: Option<String>,
    /// Credit code of the new enterprise
    #[arg(long)]
    pub credit_code: Option<String>,
    /// Address of the new enterprise
    #[arg(long)]
    pub address: Option<String>,
    /// Where on the site
    #[arg(long)]
    pub place: Option<String>,
    /// What the inspection is called
    #[arg(long)]
    pub title: Option<String>,
    /// Planned day
    #[arg(long)]
    pub planned: Option<String>,
    /// Remark
    #[arg(long)]
    pub remark: Option<String>,
    /// Certificate numbers of the officers (default: everybody on this device)
    #[arg(long = "with", value_name = "CERT")]
    #[serde(default)]
    pub officers: Vec<String>,
    /// Items of the rule pack (default: all)
    #[arg(long, num_args = 1..)]
    #[serde(default)]
    pub items: Vec<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub inspection: String,
    /// Who was shown them
    #[arg(long)]
    pub shown_to: String,
    /// What was told (default: the rule pack's sentence)
    #[arg(long)]
    pub told: Option<String>,
    /// Certificate numbers shown (default: everybody on this device)
    #[arg(long = "with", value_name = "CERT")]
    #[serde(default)]
    pub officers: Vec<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    pub inspection: String,
    /// Item of the rule pack
    pub item: String,
    /// ok, violation or not_applicable
    pub result: String,
    #[arg(long)]
    pub note: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub inspection: String,
    /// Item of the rule pack
    #[arg(long)]
    pub item: Option<String>,
    /// What was found
    #[arg(long)]
    pub text: String,
    /// Hazard grade of the rule pack
    #[arg(long)]
    pub grade: String,
    /// Where on the site
    #[arg(long)]
    pub place: Option<String>,
    /// An earlier finding that is written anew
    #[arg(long, value_name = "ID")]
    pub finding: Option<String>,
    /// Violation of the rule pack (default: the item's)
    #[arg(long)]
    pub violation: Option<String>,
    /// Clause of the rule pack (default: the item's)
    #[arg(long)]
    pub clause: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    pub inspection: String,
    /// The file; `-` reads standard input
    #[arg(long)]
    pub file: PathBuf,
    /// camera, recorder, imported, scanned or received
    #[arg(long)]
    pub acquisition: String,
    /// Kind of evidence of the rule pack
    #[arg(long)]
    pub kind: String,
    /// What it shows
    #[arg(long)]
    pub title: String,
    /// What it is to prove
    #[arg(long)]
    pub proves: Option<String>,
    /// The finding it belongs to
    #[arg(long, value_name = "ID")]
    pub finding: Option<String>,
    /// Latitude in degrees, as the device says
    #[arg(long, allow_negative_numbers = true)]
    pub lat: Option<f64>,
    /// Longitude in degrees, as the device says
    #[arg(long, allow_negative_numbers = true)]
    pub lon: Option<f64>,
    /// Accuracy in metres, as the device says
    #[arg(long)]
    pub accuracy: Option<f64>,
    /// The evidence it was made from
    #[arg(long, value_name = "ID")]
    pub derived_from: Option<String>,
    /// The recording that it writes down
    #[arg(long, value_name = "ID")]
    pub transcript_of: Option<String>,
    /// Length of a recording
    #[arg(long)]
    pub duration_ms: Option<u64>,
    /// How many bytes standard input will give; refused when they do not fit
    #[arg(long, value_name = "N")]
    pub expect_bytes: Option<u64>,
    /// What the camera writes in a second; with the length, how many bytes to expect
    #[arg(long, value_name = "N")]
    pub bytes_per_second: Option<u64>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub inspection: String,
    /// Who speaks
    #[arg(long)]
    pub person: String,
    /// In which role
    #[arg(long)]
    pub role: Option<String>,
    /// What is said; again for each line
    #[arg(long = "line", required = true)]
    pub line: Vec<String>,
    /// An earlier statement that goes on
    #[arg(long, value_name = "ID")]
    pub statement: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    pub inspection: String,
    /// The finding that it answers
    #[arg(long, value_name = "ID")]
    pub finding: Option<String>,
    /// What is to be done
    #[arg(long)]
    pub text: String,
    /// By which day
    #[arg(long, value_name = "DATE")]
    pub due: Option<String>,
    /// Grade of the rule pack (default: the finding's)
    #[arg(long)]
    pub grade: Option<String>,
    /// Clause of the rule pack (default: the finding's)
    #[arg(long)]
    pub clause: Option<String>,
    /// An earlier order that goes on (default: the inspection's)
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    pub inspection: String,
    /// Field in conflict, as `show` lists it
    pub path: String,
    /// One of its values, or another
    pub value: String,
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// The inspection at which it was looked at again
    pub inspection: String,
    /// The earlier order, as `show` lists it
    #[arg(long, value_name = "ID")]
    pub order: String,
    /// The item of the order
    #[arg(long, value_name = "ID")]
    pub item: String,
    /// fulfilled, partly or not_fulfilled
    #[arg(long)]
    pub result: String,
    #[arg(long)]
    pub note: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopt {
    /// SHA-256 of the file, as `evidence list` shows it
    pub sha256: String,
    /// Where it belongs (default: as its capture noted)
    #[arg(long, value_name = "ID")]
    pub inspection: Option<String>,
    /// camera, recorder, imported, scanned or received (default: as its capture noted)
    #[arg(long)]
    pub acquisition: Option<String>,
    /// Kind of evidence of the rule pack (default: as its capture noted)
    #[arg(long)]
    pub kind: Option<String>,
    /// What it shows (default: as its capture noted)
    #[arg(long)]
    pub title: Option<String>,
    /// What it is to prove
    #[arg(long)]
    pub proves: Option<String>,
    /// The finding it belongs to
    #[arg(long, value_name = "ID")]
    pub finding: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    pub inspection: String,
    /// Kind of document of the rule pack
    #[arg(long = "type", value_name = "TYPE")]
    #[serde(rename = "type")]
    pub kind: String,
    /// Folder for a copy to show and sign
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Further font folders
    #[arg(long, value_name = "DIR")]
    #[serde(default)]
    pub fonts: Vec<PathBuf>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    pub document: String,
    /// Role of the signer, by the rule pack's document
    #[arg(long)]
    pub role: String,
    #[arg(long)]
    pub name: String,
    /// JSON of the strokes
    #[arg(long, value_name = "FILE")]
    pub strokes: PathBuf,
    /// Folder for a copy with the signature drawn in
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Further font folders
    #[arg(long, value_name = "DIR")]
    #[serde(default)]
    pub fonts: Vec<PathBuf>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    pub document: String,
    /// Role of the person, by the rule pack's document
    #[arg(long)]
    pub role: String,
    /// Who refused (default: the role)
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long)]
    pub reason: String,
    #[arg(long)]
    pub witness: String,
    /// Evidence of the refusal
    #[arg(long, value_name = "ID")]
    pub evidence: Option<String>,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attest {
    /// Operations, 64 hex digits each
    #[arg(required = true)]
    pub targets: Vec<String>,
    /// made, approved, refused or dissents
    #[arg(long, default_value = "made")]
    #[serde(default = "made")]
    pub meaning: String,
    /// Role in which it is signed (default: the one enrolled)
    #[arg(long)]
    pub role: Option<String>,
}

fn made() -> String {
    "made".to_owned()
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub inspection: String,
    /// Field, like `finding/<id>/text`
    pub path: String,
    pub value: String,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfInspection {
    pub inspection: String,
}

#[derive(Debug, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnterpriseAdd {
    #[arg(long)]
    pub name: String,
    #[arg(long)]
    pub credit_code: Option<String>,
    #[arg(long)]
    pub address: Option<String>,
    #[arg(long)]
    pub head: Option<String>,
    #[arg(long)]
    pub phone: Option<String>,
    #[arg(long)]
    pub industry: Option<String>,
}
