//! A case's operations, paths and values in the words of the field.

use std::collections::BTreeMap;

use fieldseal_core::catalogue::exists;
use fieldseal_core::domain::view::People;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::attest::Attestation;
use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{DeviceId, IncarnationId, ItemId, OfficerId, OpId, to_hex};
use fieldseal_proof::key_log::{Custody, Purpose};
use fieldseal_proof::operation::Operation;

use crate::api::App;
use crate::console::trust::SignedBy;
use crate::console::words::Words;
use crate::ledger::{LedgerError, space};
use crate::projection::{CaseFile, Entry};

/// Letters of a text that a one-line summary shows.
const SUMMARY: usize = 80;

/// Everything that turns ids into names on one page.
pub struct Wording {
    pub words: Words,
    /// Labels of tablets, as their enrolment says.
    pub devices: BTreeMap<DeviceId, String>,
}

impl Wording {
    /// Reads the tablets' labels.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn load(app: &App, words: Words) -> Result<Self, LedgerError> {
        let rows = app
            .server
            .ledger
            .registers(space::DEVICE, Vec::new(), usize::MAX >> 1)
            .await?;
        let label = |row: &crate::ledger::Register| {
            let id = DeviceId::from_bytes(row.key.as_slice().try_into().ok()?);
            let value: serde_json::Value = serde_json::from_slice(&row.value).ok()?;
            let label = value["label"].as_str().filter(|label| !label.is_empty())?;
            Some((id, label.to_owned()))
        };
        let mut devices: BTreeMap<DeviceId, String> = rows.iter().filter_map(label).collect();
        // The server's own devices never call over the wire: the key log says which they are.
        for (_, key) in app.server.ingest.key_log().log.keys() {
            let held = key.record.purpose == Purpose::Operation && key.record.custody == Custody::Server;
            if let Some(subject) = key.subject.filter(|_| held) {
                let code = if key.is_servers() {
                    "device.server"
                } else {
                    "device.console_short"
                };
                devices
                    .entry(DeviceId::from_bytes(subject))
                    .or_insert_with(|| words.t(code));
            }
        }
        Ok(Self { words, devices })
    }

    /// The tablet's label, or the beginning of its id.
    pub fn device(&self, id: &DeviceId) -> String {
        match self.devices.get(id) {
            Some(label) => label.clone(),
            None => id.to_string().chars().take(8).collect(),
        }
    }

    /// The device's key of an operation, and how it is kept.
    pub fn signed_by(&self, app: &App, device: &DeviceId, incarnation: &IncarnationId) -> SignedBy {
        let keys = app.server.ingest.key_log();
        let custody = keys
            .log
            .operation_key(device, incarnation)
            .map(|key| key.record.custody);
        SignedBy::device(self.words, &self.device(device), custody)
    }

    /// The person's key of an attestation, the device it was used on, and how the key is kept.
    pub fn attested_by(&self, app: &App, people: &People, attest: &Operation) -> Option<SignedBy> {
        let attestation = Attestation::read(attest.body()?).ok()?;
        let keys = app.server.ingest.key_log();
        let custody = keys.log.key(&attestation.key).map(|key| key.record.custody);
        let name = name_of(people, &attestation.officer);
        let device = self.device(&attest.header().device);
        Some(SignedBy::person(self.words, &name, &device, custody))
    }

    /// Everybody whose key attested an operation of a case.
    pub fn attesters(&self, app: &App, file: &CaseFile, id: &OpId) -> Vec<SignedBy> {
        let attests = file.state.attests(id);
        let entries = attests.iter().filter_map(|attest| file.entry(&attest.id));
        entries
            .filter_map(|entry| self.attested_by(app, &file.people, &entry.operation))
            .collect()
    }

    /// The officer's name, or the beginning of the id.
    pub fn officer(&self, file: &CaseFile, id: &OfficerId) -> String {
        name_of(&file.people, id)
    }

    /// What an operation is.
    pub fn kind(&self, kind: &str) -> String {
        let code = format!("kind.{kind}");
        if exists(&code) {
            self.words.t(&code)
        } else {
            kind.to_owned()
        }
    }

    /// What an operation is about, in one line; empty when its kind says all.
    pub fn summary(&self, file: &CaseFile, entry: &Entry) -> String {
        let Some(body) = entry.operation.body() else {
            return String::new();
        };
        let ending = |suffix: &str| {
            let field = body.fields().iter().find(|field| field.path.ends_with(suffix))?;
            body.get(&field.path)
        };
        let text = |suffix: &str| ending(suffix).and_then(|value| value.as_text().map(str::to_owned));
        let of_pack = |suffix: &str| {
            let field = body.fields().iter().find(|field| field.path.ends_with(suffix))?;
            Some(self.value(file, &field.path, &body.get(&field.path)?))
        };
        let said = match entry.kind() {
            "check.answer" => {
                let path = body
                    .fields()
                    .iter()
                    .find_map(|f| f.path.strip_prefix("check/")?.split('/').next());
                let item = path.map(|item| self.item(file.pack.as_deref(), item));
                join([item, of_pack("/result")])
            }
            "evidence.seal" => join([text("/title"), of_pack("/acquisition")]),
            "document.issue" => join([of_pack("/type"), text("/number")]),
            "document.sign" => join([text("/name"), of_pack("/role"), of_pack("/outcome")]),
            "custody.event" => join([of_pack("/event"), text("/by")]),
            "attest" => join([of_pack("attest/officer"), of_pack("attest/meaning")]),
            "field.decide" | "inspection.return" | "evidence.freeze" | "enterprise.join" | "quarantine.decide" => {
                join([text("/reason")])
            }
            "disposition" => join([of_pack("disposition/state"), of_pack("disposition/reason")]),
            "inspection.assign" | "inspection.begin" => join([text("inspection/title"), text("party/name")]),
            "order.review" => join([of_pack("/result"), text("/note")]),
            "credentials.show" => join([text("/shown_to")]),
            "statement.record" => join([text("/person"), text("/line")]),
            _ => join([text("/text"), text("/line")]),
        };
        cut(&said, SUMMARY)
    }

    /// What a field is called: `隐患 1 · 内容` is the caller's; this is the last part.
    pub fn field(&self, path: &str) -> String {
        let last = path.rsplit('/').next().unwrap_or(path);
        if path.starts_with("check/") && last == "result" {
            return self.words.t("records.result");
        }
        for code in [format!("label.{last}"), format!("records.{last}")] {
            if exists(&code) {
                return self.words.t(&code);
            }
        }
        last.to_owned()
    }

    /// An inspection item as the pack words it.
    pub fn item(&self, pack: Option<&RulePack>, id: &str) -> String {
        let item = pack.and_then(|pack| pack.item(id));
        item.map_or_else(|| id.to_owned(), |item| item.text.text(self.words.lang).to_owned())
    }

    /// A value as people read it: ids by their names, codes by their words.
    pub fn value(&self, file: &CaseFile, path: &str, value: &Value) -> String {
        let last = path.rsplit('/').next().unwrap_or(path);
        match value {
            Value::Text(text)
                if path.starts_with("review/") && last == "result" && exists(&format!("review.{text}")) =>
            {
                self.words.t(&format!("review.{text}"))
            }
            Value::Text(text) => self.coded(file, last, text),
            Value::Bytes(bytes) => match <[u8; 16]>::try_from(bytes.as_slice()) {
                Ok(id) if matches!(last, "officer" | "officers") => self.officer(file, &OfficerId::from_bytes(id)),
                Ok(id) if last == "device" => self.device(&DeviceId::from_bytes(id)),
                Ok(id) => ItemId::from_bytes(id).to_string(),
                Err(_) => to_hex(bytes),
            },
            Value::Array(items) => {
                let shown: Vec<String> = items.iter().map(|item| self.value(file, path, item)).collect();
                shown.join(if self.words.zh() { "、" } else { ", " })
            }
            Value::Uint(n) if last == "claimed_ms" => self.words.moment(*n),
            Value::Bool(true) => self.words.t("value.yes"),
            Value::Bool(false) => self.words.t("value.no"),
            Value::Map(_) => String::new(),
            number => number.as_int().map_or_else(String::new, |n| n.to_string()),
        }
    }

    fn coded(&self, file: &CaseFile, last: &str, text: &str) -> String {
        let lang = self.words.lang;
        let pack = file.pack.as_deref();
        let of_pack = match last {
            "grade" => pack.and_then(|p| p.grade(text)).map(|g| g.name.text(lang)),
            "violation" => pack.and_then(|p| p.violation(text)).map(|v| v.name.text(lang)),
            "clause" => pack.and_then(|p| p.clause(text)).map(|c| c.cite.text(lang)),
            "type" => pack.and_then(|p| p.document(text)).map(|d| d.name.text(lang)),
            "kind" => pack.and_then(|p| p.evidence_kind(text)).map(|k| k.name.text(lang)),
            "item" => pack.and_then(|p| p.item(text)).map(|i| i.text.text(lang)),
            _ => None,
        };
        if let Some(word) = of_pack {
            return word.to_owned();
        }
        let group = match last {
            "acquisition" => "acquisition",
            "event" => "custody",
            "result" => "check",
            "outcome" => "sign",
            "role" => "role",
            "meaning" => "meaning",
            "state" => "disposition",
            "reason" => "quarantine",
            _ => return text.to_owned(),
        };
        let code = format!("{group}.{text}");
        if exists(&code) {
            self.words.t(&code)
        } else {
            text.to_owned()
        }
    }
}

fn name_of(people: &People, id: &OfficerId) -> String {
    match people.get(id) {
        Some(person) if !person.name.is_empty() => person.name.clone(),
        _ => id.to_string().chars().take(8).collect(),
    }
}

fn join<const N: usize>(parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join(" · ")
}

/// At most so many letters, with a mark where more would follow.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
