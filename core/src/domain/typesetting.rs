//! What a typesetter is handed for a document, the first time on the tablet and again by whoever wants to see the same bytes:
//! the server, a laptop, a court's expert. All of it follows from the signed fields and the rule pack.

use std::collections::BTreeMap;

use fieldseal_proof::hash::h;
use fieldseal_proof::ids::BlobHash;
use serde_json::Value;

use super::{Day, Strokes};
use crate::catalogue::Lang;
use crate::pack::{DocumentDefinition, RulePack};

/// Everything that decides the bytes of a document, apart from the fonts and the typesetter's version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typesetting {
    /// Template of the pack, without its ending.
    pub template: String,
    /// The pack's template files by name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The typed fields.
    pub data: Value,
    /// Title of the PDF.
    pub title: String,
    /// Year, month, day in the PDF's metadata.
    pub date: (i32, u8, u8),
}

impl Typesetting {
    /// A document of this pack. `day` counts where the fields name no day of their own.
    pub fn of(pack: &RulePack, definition: &DocumentDefinition, data: Value, day: Day) -> Self {
        let files = pack.files().iter();
        let templates =
            files.filter_map(|(name, bytes)| Some((name.strip_prefix("templates/")?.to_owned(), bytes.clone())));
        let day = own_day(&data).unwrap_or(day).date();
        Self {
            template: definition.template.clone(),
            files: templates.collect(),
            title: definition.name.text(Lang::from_tag(&pack.head().language)).to_owned(),
            date: (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs()),
            data,
        }
    }

    /// An issued document from its signed fields; `None` when the pack has no such kind or the fields are no JSON.
    pub fn again(pack: &RulePack, kind: &str, fields: &str, day: Day) -> Option<Self> {
        let data = serde_json::from_str(fields).ok()?;
        Some(Self::of(pack, pack.document(kind)?, data, day))
    }

    /// Puts strokes where the form has a place for the role: a field of the role's name, or the officer's row. Returns whether
    /// there is one.
    pub fn draw(&mut self, role: &str, name: &str, strokes: &Strokes) -> bool {
        if let Some(place) = self.data.get_mut(role).and_then(Value::as_object_mut) {
            place.insert("name".into(), name.into());
            place.insert("signature".into(), strokes.to_json());
            return true;
        }
        let rows = self.data.get_mut("officers").and_then(Value::as_array_mut);
        let mut of_officer = rows
            .into_iter()
            .flatten()
            .filter(|row| row["name"] == name && matches!(role, "officer" | "second_officer"));
        of_officer.next().is_some_and(|row| {
            row["signature"] = strokes.to_json();
            true
        })
    }
}

/// Hash over the pack's template files: what a document was typeset from.
pub fn template_hash(pack: &RulePack) -> BlobHash {
    let files = pack.files().iter().filter(|(name, _)| name.starts_with("templates/"));
    let items: Vec<&[u8]> = files
        .flat_map(|(name, bytes)| [name.as_bytes(), bytes.as_slice()])
        .collect();
    BlobHash::from_bytes(h("fieldseal/v0/template", &items))
}

/// The day that the document itself bears.
fn own_day(data: &Value) -> Option<Day> {
    let named = ["issued_on", "signed_on"]
        .iter()
        .find_map(|field| data.get(field)?.as_str());
    Day::parse("due", named?).ok()
}
