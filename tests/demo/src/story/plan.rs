//! The plan of inspections (`samples/inspections.rs`), worked off: what one tablet does on one day is one batch.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cast::TABLETS;
use super::days::day;
use super::field::Hand;
use super::stage::{Stage, Told, list, text};

/// The inspections of the plan, in the order in which they were assigned.
pub struct Plan(Vec<Value>);

impl Plan {
    /// Reads it from the file that the samples hold.
    pub fn read(path: &Path) -> Told<Self> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let plan = fs::read_to_string(path).map_err(|e| failed(&e))?;
        let plan: Value = serde_json::from_str(&plan).map_err(|e| failed(&e))?;
        Ok(Self(list(&plan, "inspections")?.clone()))
    }

    /// The day of an inspection, as a date.
    pub fn day(&self, number: usize) -> String {
        day(number_of(&self.0[number], "day"))
    }

    /// How many days it takes.
    pub fn days(&self) -> u64 {
        self.0.iter().map(|one| number_of(one, "day") + 1).max().unwrap_or(0)
    }

    /// What a tablet is to do on a day, but for those that are `done` otherwise.
    pub fn of(&self, tablet: usize, on: u64, done: &[usize]) -> Vec<usize> {
        let due = |one: &Value| number_of(one, "tablet") == tablet as u64 && number_of(one, "day") == on;
        let all = self.0.iter().enumerate();
        all.filter(|(n, one)| due(one) && !done.contains(n))
            .map(|(n, _)| n)
            .collect()
    }
}

/// Media for the inspections of the plan: photographs are handed round, none of them stands in another act.
pub struct Supply {
    photos: Vec<PathBuf>,
    film: PathBuf,
    sound: PathBuf,
    next: Cell<usize>,
}

impl Supply {
    /// At least one photograph, a film and a recording.
    pub fn new(photos: Vec<PathBuf>, film: PathBuf, sound: PathBuf) -> Told<Self> {
        if photos.is_empty() {
            return Err("the plan has no photographs".into());
        }
        let next = Cell::new(0);
        Ok(Self {
            photos,
            film,
            sound,
            next,
        })
    }

    fn photo(&self) -> &Path {
        let n = self.next.get();
        self.next.set(n + 1);
        &self.photos[n % self.photos.len()]
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worked {
    /// Inspections.
    pub inspections: usize,
    /// Lines of the batches.
    pub lines: u64,
    /// Findings.
    pub findings: usize,
    /// Files sealed at the site.
    pub evidence: usize,
}

impl Worked {
    /// Adds what was done elsewhere.
    pub fn add(&mut self, other: Self) {
        self.inspections += other.inspections;
        self.lines += other.lines;
        self.findings += other.findings;
        self.evidence += other.evidence;
    }
}

/// A tablet's day: every inspection of `due`, each to its closing but for those of `open`.
pub fn work(
    hand: &Hand<'_>,
    plan: &Plan,
    due: &[usize],
    open: &[usize],
    assigned: &[String],
    supply: &Supply,
) -> Told<Worked> {
    let stage = hand.stage;
    let mut book = Book {
        hand,
        lines: Vec::new(),
    };
    for &n in due {
        book.inspection(n, &plan.0[n], &assigned[n], supply, !open.contains(&n))?;
    }
    let name = format!(
        "{}-day-{}",
        hand.tablet.name,
        due.first().map_or(0, |n| number_of(&plan.0[*n], "day") + 1)
    );
    let file = stage.path(&format!("{name}.jsonl"));
    let lines: Vec<String> = book.lines.iter().map(Value::to_string).collect();
    fs::write(&file, lines.join("\n")).map_err(|e| e.to_string())?;
    let pins = Pins::lay_down(stage)?;
    let (file, pins_file) = (file.display().to_string(), pins.0.display().to_string());
    let words = ["device", "batch", "--dir", &hand.dir, &file, "--pins", &pins_file];
    let done = stage.batch(&name, hand.tablet.officers[0].pin, &words)?.whole(&name)?;
    let of = |verb: &str| book.lines.iter().filter(|line| line["command"] == verb).count();
    Ok(Worked {
        inspections: due.len(),
        lines: done.done,
        findings: of("finding"),
        evidence: of("capture"),
    })
}

/// PINs of all officers in a file, for a batch in which several work; gone when it is dropped.
pub struct Pins(pub PathBuf);

impl Pins {
    /// Writes the file.
    pub fn lay_down(stage: &Stage) -> Told<Self> {
        let officers = TABLETS.iter().flat_map(|tablet| tablet.officers);
        let pins: BTreeMap<&str, &str> = officers.map(|officer| (officer.certificate, officer.pin)).collect();
        let path = stage.path("pins.json");
        fs::write(&path, json!(pins).to_string()).map_err(|e| e.to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The lines of a batch.
struct Book<'a> {
    hand: &'a Hand<'a>,
    lines: Vec<Value>,
}

impl Book<'_> {
    /// A line of one of the two officers, at the next moment of the tablet's clock.
    fn write(&mut self, officer: usize, mut line: Value) {
        line["officer"] = self.hand.tablet.officers[officer].certificate.into();
        line["clock"] = self.hand.clock().into();
        self.lines.push(line);
    }

    fn both_attest(&mut self, name: &str) {
        let target = format!("@{name}.operation");
        for officer in [0, 1] {
            self.write(
                officer,
                json!({ "command": "attest", "targets": [target], "meaning": "made" }),
            );
        }
    }

    fn inspection(&mut self, n: usize, planned: &Value, id: &str, supply: &Supply, close: bool) -> Told<()> {
        let start = text(planned, "start")?;
        let (hour, minute) = start.split_once(':').ok_or("a start is an hour and a minute")?;
        let number = |word: &str| word.parse::<u32>().map_err(|e| format!("{start}: {e}"));
        self.hand.not_before((number(hour)?, number(minute)?));
        let person = text(&planned["person_in_charge"], "name")?;
        let name = |what: &str| format!("i{n}-{what}");
        self.write(
            0,
            json!({ "command": "credentials", "inspection": id, "shown_to": person, "as": name("shown") }),
        );
        self.both_attest(&name("shown"));
        for item in list(planned, "items")? {
            self.write(
                0,
                json!({ "command": "check", "inspection": id, "item": item["item"], "result": item["result"] }),
            );
        }
        for (k, found) in list(planned, "findings")?.iter().enumerate() {
            self.finding(&name(&format!("found-{k}")), found, planned, id, supply)?;
        }
        self.recordings(planned, id, supply);
        let said = list(planned, "statement")?;
        if !said.is_empty() {
            let role = &planned["person_in_charge"]["role"];
            self.write(
                0,
                json!({ "command": "statement", "inspection": id, "person": person, "role": role, "line": said }),
            );
        }
        let ordered = !list(planned, "findings")?.is_empty();
        let mut papers = vec![("inspection_record", "responsible")];
        papers.extend(ordered.then_some(("rectification_order", "responsible")));
        papers.extend(ordered.then_some(("electronic_data_list", "holder")));
        for (kind, role) in papers {
            self.paper(&name(kind), kind, role, &person, id);
        }
        if close {
            self.write(0, json!({ "command": "close", "inspection": id }));
        }
        Ok(())
    }

    /// A finding with its photographs and what is ordered.
    fn finding(&mut self, name: &str, found: &Value, planned: &Value, id: &str, supply: &Supply) -> Told<()> {
        self.write(
            0,
            json!({
                "command": "finding", "inspection": id, "item": found["item"], "violation": found["violation"],
                "grade": found["grade"], "place": found["place"], "text": found["text"], "as": name,
            }),
        );
        for photo in 0..number_of(found, "photos") {
            let title = format!("{} {}", text(found, "place")?, photo + 1);
            self.write(
                photo as usize % 2,
                json!({
                    "command": "capture", "inspection": id, "file": supply.photo(), "acquisition": "camera",
                    "kind": "audio_visual", "title": title, "proves": found["text"], "finding": format!("@{name}"),
                    "lat": 25.0453, "lon": 102.7097, "accuracy": 8.0,
                }),
            );
        }
        let due = day(number_of(planned, "day") + number_of(found, "rectify_days"));
        self.write(0, json!({
            "command": "order", "inspection": id, "finding": format!("@{name}"), "text": found["rectify"], "due": due,
        }));
        Ok(())
    }

    fn recordings(&mut self, planned: &Value, id: &str, supply: &Supply) {
        for (key, file, title) in [
            ("video", &supply.film, "检查过程录像"),
            ("audio", &supply.sound, "现场负责人陈述录音"),
        ] {
            if planned[key] == true {
                self.write(
                    1,
                    json!({
                        "command": "capture", "inspection": id, "file": file, "acquisition": "recorder",
                        "kind": "audio_visual", "title": title, "proves": "检查经过",
                    }),
                );
            }
        }
    }

    /// A document, signed by both officers and the person, attested by both officers.
    fn paper(&mut self, name: &str, kind: &str, role: &str, person: &str, id: &str) {
        let out = self.hand.stage.path("documents");
        let strokes = self.hand.stage.path("strokes.json");
        self.write(
            0,
            json!({ "command": "document", "inspection": id, "type": kind, "out": out, "as": name }),
        );
        let [first, second] = self.hand.tablet.officers.map(|officer| officer.name);
        for (officer, role, who) in [(0, "officer", first), (1, "second_officer", second), (0, role, person)] {
            self.write(
                officer,
                json!({
                    "command": "sign", "document": format!("@{name}"), "role": role, "name": who, "strokes": strokes,
                    "out": out,
                }),
            );
        }
        self.both_attest(name);
    }
}

fn number_of(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or(0)
}
