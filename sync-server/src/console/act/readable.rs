//! The readable form of exactly the bytes that are signed.

use fieldseal_core::catalogue::{Lang, exists};
use fieldseal_core::domain::view::People;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{OfficerId, to_hex};
use fieldseal_proof::operation::Operation;

use super::super::error::PageError;
use super::super::words::Words;
use super::names::{Named, Names};
use crate::api::App;

/// One field of an operation.
pub struct Line {
    pub path: String,
    pub label: String,
    /// What the path is about, where the path names it by id.
    pub about: Option<Named>,
    pub values: Vec<Named>,
}

/// An operation as a person reads it; made from its encoded bytes, not from the form.
pub struct Readable {
    pub kind: String,
    pub id: String,
    pub lines: Vec<Line>,
    pub place: Vec<(String, Named)>,
    pub header_hex: String,
}

impl Readable {
    /// Reads an operation back from its bytes. What its ids stand for is read from the registry, and each id stays beside its name.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of(app: &App, operation: &Operation, words: Words) -> Result<Self, PageError> {
        let shown = Operation::parse(&operation.frame()).unwrap_or_else(|_| operation.clone());
        let names = Names::of(app, words, &shown).await?;
        let header = shown.header();
        let fields = shown.body().map(|body| body.fields()).unwrap_or_default();
        let values = |path: &str| match shown.body().and_then(|body| body.get(path)) {
            None => vec![Named::plain(words.t("value.withheld"))],
            Some(value) => names
                .value(path, &value)
                .unwrap_or_else(|| vec![Named::plain(value_of(words, &names.people, path, &value))]),
        };
        let lines = fields.iter().filter(|field| !field.path.is_empty()).map(|field| Line {
            label: label(words, &field.path),
            about: names.subject(&field.path),
            values: values(&field.path),
            path: field.path.clone(),
        });
        let lines = lines.collect();
        let mut place = vec![
            (words.t("console.sign.seq"), Named::plain(header.seq.to_string())),
            (
                words.t("console.sign.claimed"),
                Named::plain(words.moment(header.clock.wall_ms)),
            ),
        ];
        let case = header.case.map(|case| Named::of(names.party(), case));
        place.extend(case.map(|case| (words.t("console.sign.case"), case)));
        let inspection = header.inspection.map(|id| Named::plain(id.to_string()));
        place.extend(inspection.map(|id| (words.t("console.sign.inspection"), id)));
        if !header.supersedes.is_empty() {
            let count = Named::plain(header.supersedes.len().to_string());
            place.push((words.t("console.sign.supersedes"), count));
        }
        Ok(Self {
            kind: kind(words, &header.kind),
            id: shown.id().to_string(),
            lines,
            place,
            header_hex: to_hex(shown.header_bytes()),
        })
    }
}

/// Name of a kind; one that the catalogue does not know stays as it is.
pub fn kind(words: Words, kind: &str) -> String {
    let code = format!("kind.{kind}");
    if exists(&code) { words.t(&code) } else { kind.to_owned() }
}

/// Name of a path: its last segment's label, else the path.
pub fn label(words: Words, path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or(path);
    for code in [format!("label.{last}"), format!("field.{last}")] {
        if exists(&code) {
            return words.t(&code);
        }
    }
    path.to_owned()
}

/// The text of the checklist's item that a path is about, as the pack words it.
pub fn item_of(words: Words, pack: Option<&RulePack>, path: &str) -> Option<String> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["check", id, _] => pack?.item(id).map(|item| item.text.text(words.lang).to_owned()),
        _ => None,
    }
}

/// A value of a path: a code of the formats gets its word, and stays beside it, because the code is what is signed.
pub fn value_of(words: Words, people: &People, path: &str, value: &Value) -> String {
    let shown = text(words, people, value);
    match word(words, path, &shown) {
        Some(word) if words.zh() => format!("{word}（{shown}）"),
        Some(word) => format!("{word} ({shown})"),
        None => shown,
    }
}

/// The same for a list, where nothing is signed: the word alone.
pub fn word_of(words: Words, people: &People, path: &str, value: &Value) -> String {
    let shown = text(words, people, value);
    word(words, path, &shown).unwrap_or(shown)
}

/// The word of a code that is a value of this path.
fn word(words: Words, path: &str, code: &str) -> Option<String> {
    let known = match path.split('/').collect::<Vec<_>>()[..] {
        ["check", _, "result"] => format!("check.{code}"),
        ["decide", "state"] => format!("console.act.state.{code}"),
        ["evidence", _, "acquisition"] => format!("acquisition.{code}"),
        _ => return None,
    };
    exists(&known).then(|| words.t(&known))
}

/// A value for people: names for officers, hex for other bytes.
pub fn text(words: Words, people: &People, value: &Value) -> String {
    let joint = if words.lang == Lang::Zh { "、" } else { ", " };
    match value {
        Value::Uint(n) => n.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Bytes(bytes) => match <[u8; 16]>::try_from(bytes.as_slice()) {
            Ok(id) => people.get(&OfficerId::from_bytes(id)).map_or_else(
                || OfficerId::from_bytes(id).to_string(),
                |o| format!("{} {}", o.name, o.certificate),
            ),
            Err(_) => to_hex(bytes),
        },
        Value::Array(all) => all
            .iter()
            .map(|one| text(words, people, one))
            .collect::<Vec<_>>()
            .join(joint),
        other => other.as_int().map_or_else(|| words.t("value.empty"), |n| n.to_string()),
    }
}
