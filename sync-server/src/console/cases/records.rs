//! The records of a case: each field with its value, who holds it, on what it rests, and what it said before.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fieldseal_core::merge::{Outcome, Resolved};
use fieldseal_proof::ids::OpId;

use super::{CaseBar, OpenCase, Tab, open};
use crate::api::App;
use crate::console::accounts::Role;
use crate::console::error::PageError;
use crate::console::links;
use crate::console::page::{Page, html};
use crate::console::trust::{Basis, BasisCell, SignedBy};
use crate::console::visitor::Desk;

/// The parts of a record in the order in which an inspection makes them.
const PARTS: [&str; 9] = [
    "inspection",
    "party",
    "credentials",
    "check",
    "finding",
    "statement",
    "order",
    "review",
    "note",
];

/// A value that stands, or once stood.
struct Value {
    text: String,
    by: Vec<SignedBy>,
    when: String,
    withheld: bool,
}

struct Field {
    label: String,
    values: Vec<Value>,
    basis: BasisCell,
    /// The values have different writers: each says its own.
    apart: bool,
    /// Values that newer ones replaced, newest first.
    earlier: Vec<Value>,
    conflict: bool,
    contradiction: bool,
    decide: Option<String>,
}

/// One thing: the party, one finding, one item of an order.
struct Thing {
    heading: String,
    fields: Vec<Field>,
    awaiting: Vec<String>,
}

struct Part {
    id: &'static str,
    word: String,
    things: Vec<Thing>,
}

#[derive(Template)]
#[template(path = "cases/records.html")]
struct RecordsPage {
    page: Page,
    bar: CaseBar,
    parts: Vec<Part>,
    conflicts: Vec<(String, Option<String>)>,
}

/// `GET /console/cases/{case}/records`
pub async fn page(State(app): State<App>, desk: Desk, Path(case): Path<String>) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Records).await?;
    let may_decide = desk.staff.account.role == Role::Supervisor;
    let reader = Reader::new(&app, &opened, may_decide);
    let parts: Vec<Part> = PARTS
        .iter()
        .map(|part| reader.part(part))
        .filter(|part| !part.things.is_empty())
        .collect();
    let conflicts = opened.file.view.view.clashes.iter().map(|clash| {
        let decide = (clash.decidable && may_decide).then(|| reader.decide(&clash.path));
        (reader.label(&clash.path), decide)
    });
    let conflicts = conflicts.collect();
    html(&RecordsPage {
        parts,
        conflicts,
        page: opened.page,
        bar: opened.bar,
    })
}

/// Every write of a path, in order of arrival.
type Writes = BTreeMap<String, Vec<(OpId, Option<Vec<u8>>)>>;

/// Turns paths into fields.
struct Reader<'a> {
    app: &'a App,
    opened: &'a OpenCase,
    published: u64,
    may_decide: bool,
    writes: Writes,
}

impl<'a> Reader<'a> {
    fn new(app: &'a App, opened: &'a OpenCase, may_decide: bool) -> Self {
        let mut writes = Writes::new();
        for entry in &opened.file.entries {
            for field in entry.operation.body().iter().flat_map(|body| body.fields()) {
                let value = match &field.value {
                    fieldseal_proof::body::FieldValue::Shown { value, .. } => Some(value.clone()),
                    fieldseal_proof::body::FieldValue::Withheld(_) => None,
                };
                writes.entry(field.path.clone()).or_default().push((entry.id(), value));
            }
        }
        Self {
            app,
            opened,
            published: app.server.published.borrow().size,
            may_decide,
            writes,
        }
    }

    fn part(&self, part: &'static str) -> Part {
        let (file, words) = (&self.opened.file, self.opened.wording.words);
        let mut by_thing: BTreeMap<String, Vec<(&str, &Resolved)>> = BTreeMap::new();
        for (path, resolved) in file
            .state
            .under(part)
            .filter(|(_, resolved)| !resolved.held().is_empty())
        {
            by_thing.entry(thing_of(path)).or_default().push((path, resolved));
        }
        let mut things: Vec<(Option<_>, Thing)> = by_thing
            .into_iter()
            .map(|(thing, fields)| {
                let first = fields.iter().flat_map(|(_, r)| r.held()).flat_map(|held| &held.by);
                let first = first.filter_map(|id| file.state.operation(id)).map(|op| op.key).min();
                let awaiting = match part {
                    "credentials" => file
                        .view
                        .view
                        .credentials
                        .iter()
                        .flat_map(|c| c.awaiting.clone())
                        .collect(),
                    _ => Vec::new(),
                };
                let shown = Thing {
                    heading: self.heading(part, &thing),
                    fields: fields
                        .into_iter()
                        .map(|(path, resolved)| self.field(path, resolved))
                        .collect(),
                    awaiting: awaiting
                        .iter()
                        .map(|role: &String| words.t(&format!("role.{role}")))
                        .collect(),
                };
                (first, shown)
            })
            .collect();
        things.sort_by_key(|thing| thing.0);
        let many = things.len() > 1;
        let mut things: Vec<Thing> = things.into_iter().map(|(_, thing)| thing).collect();
        if many && part != "check" {
            for (number, thing) in things.iter_mut().enumerate() {
                thing.heading = format!("{} {}", thing.heading, number + 1);
            }
        }
        Part {
            id: part,
            word: words.t(&format!("records.part.{part}")),
            things,
        }
    }

    fn heading(&self, part: &str, thing: &str) -> String {
        match (part, thing.split('/').nth(1)) {
            ("check", Some(item)) => self.opened.wording.item(self.opened.file.pack.as_deref(), item),
            _ => self.opened.wording.words.t(&format!("records.one.{part}")),
        }
    }

    fn field(&self, path: &str, resolved: &Resolved) -> Field {
        let words = self.opened.wording.words;
        let values: Vec<Value> = resolved
            .held()
            .iter()
            .map(|held| self.value(path, held.value.as_deref(), &held.by))
            .collect();
        let standing: Vec<&OpId> = resolved.held().iter().flat_map(|held| &held.by).collect();
        let replaced = self.writes.get(path).into_iter().flatten().rev();
        let earlier: Vec<Value> = replaced
            .filter(|(id, _)| !standing.contains(&id))
            .map(|(id, value)| self.value(path, value.as_deref(), &[*id]))
            .collect();
        let logged = standing.iter().all(|id| {
            self.opened
                .file
                .entry(id)
                .is_some_and(|entry| entry.leaf < self.published)
        });
        let claimed = matches!(
            path.rsplit('/').next(),
            Some("claimed_ms" | "latitude_e7" | "longitude_e7" | "accuracy_m")
        );
        let basis = match (claimed, logged) {
            (true, _) => Basis::Claim,
            (false, true) => Basis::Logged,
            (false, false) => Basis::Signed,
        };
        let conflict = matches!(resolved.outcome, Outcome::Conflict(_));
        let apart = values.iter().any(|value| value.by != values[0].by);
        Field {
            apart,
            label: self.opened.wording.field(path),
            values,
            basis: BasisCell::new(words, basis),
            earlier,
            conflict,
            contradiction: matches!(resolved.outcome, Outcome::Contradiction(_)),
            decide: (conflict && self.may_decide).then(|| self.decide(path)),
        }
    }

    fn value(&self, path: &str, bytes: Option<&[u8]>, by: &[OpId]) -> Value {
        let OpenCase { file, wording, .. } = self.opened;
        let decoded = bytes.and_then(|bytes| fieldseal_proof::cbor::decode(bytes).ok());
        let entry = by.first().and_then(|id| file.entry(id));
        let device = entry.map(|entry| {
            let header = entry.operation.header();
            wording.signed_by(self.app, &header.device, &header.incarnation)
        });
        let signers = by.iter().flat_map(|id| wording.attesters(self.app, file, id));
        let by = device.into_iter().chain(signers).collect();
        Value {
            withheld: bytes.is_none(),
            text: decoded.map_or_else(String::new, |value| wording.value(file, path, &value)),
            by,
            when: entry.map_or_else(String::new, |entry| wording.words.minute(entry.received_ms)),
        }
    }

    fn label(&self, path: &str) -> String {
        let words = self.opened.wording.words;
        let part = path.split('/').next().unwrap_or_default();
        let group = words.t(&format!("records.one.{part}"));
        format!("{group} · {}", self.opened.wording.field(path))
    }

    /// Where a supervisor decides it.
    fn decide(&self, path: &str) -> String {
        links::decide(&self.opened.file.case, path)
    }
}

/// The thing that a path is about: its part and id, for an order its item as well.
fn thing_of(path: &str) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let keep = match segments.as_slice() {
        ["order" | "review", _, "item", _, ..] => 4,
        ["inspection" | "party", ..] => 1,
        _ => 2,
    };
    segments[..keep.min(segments.len())].join("/")
}
