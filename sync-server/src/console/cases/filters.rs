//! The filter row of the case list: everything is in the address, so a link, a reload and the language switch keep it.

use fieldseal_core::domain::Day;
use fieldseal_core::domain::view::People;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::ids::{DeviceId, OfficerId};
use serde::Deserialize;

use super::Wording;
use crate::console::error::url_escaped;
use crate::console::words::Words;
use crate::ledger::{LineKind, LineOrder, LineQuery, SearchWords, tag};
use crate::projection::{STAGES, day_number};

/// Rows of a page.
pub const ROWS: u64 = 50;

/// What the address says. Everything is optional, and what cannot be read is as if it were not there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    pub q: String,
    pub stage: String,
    pub due: String,
    pub officer: String,
    /// A second officer who works on the same cases: a squad, as far as the records know one.
    pub with: String,
    pub tablet: String,
    pub violation: String,
    pub problems: String,
    pub from: String,
    pub to: String,
    pub order: String,
    pub page: u64,
    /// When the page was made that asks what is new: server clock, milliseconds.
    pub since: u64,
}

/// A choice of a select.
pub struct Choice {
    pub value: String,
    pub text: String,
    pub chosen: bool,
}

/// A condition that is set, and the address without it.
pub struct Chip {
    pub text: String,
    pub href: String,
}

impl Asked {
    /// The question to the index. `skip` and `limit` are the page's.
    pub fn query(&self) -> LineQuery {
        let mut query = LineQuery::new(LineKind::Case, SearchWords::parse(&self.q));
        query.stage = STAGES.iter().position(|stage| *stage == self.stage).map(|at| at as u8);
        query.due_by = day_number(&self.due);
        query.from = day_number(&self.from);
        query.to = day_number(&self.to);
        query.problems_only = !self.problems.is_empty();
        let person = |text: &str| text.parse::<OfficerId>().ok().map(|id| tag('o', id.as_bytes()));
        let tablet = self.tablet.parse::<DeviceId>().ok().map(|id| tag('d', id.as_bytes()));
        let violation = (!self.violation.is_empty()).then(|| tag('v', self.violation.as_bytes()));
        query.tags = [person(&self.officer), person(&self.with), tablet, violation]
            .into_iter()
            .flatten()
            .collect();
        query.order = match self.order.as_str() {
            "seen" => LineOrder::Seen,
            _ => LineOrder::Due,
        };
        query.limit = ROWS;
        query.skip = self.page.min(1_000_000) * ROWS;
        query
    }

    fn pairs(&self) -> [(&'static str, &str); 11] {
        [
            ("q", &self.q),
            ("stage", &self.stage),
            ("due", &self.due),
            ("officer", &self.officer),
            ("with", &self.with),
            ("tablet", &self.tablet),
            ("violation", &self.violation),
            ("problems", &self.problems),
            ("from", &self.from),
            ("to", &self.to),
            ("order", &self.order),
        ]
    }

    /// The address with one part replaced; an empty value leaves it out.
    pub fn link(&self, path: &str, name: &str, value: &str) -> String {
        let kept = self
            .pairs()
            .into_iter()
            .filter(|(part, _)| *part != name)
            .chain([(name, value)]);
        let parts: Vec<String> = kept
            .filter(|(_, value)| !value.is_empty())
            .map(|(part, value)| format!("{part}={}", url_escaped(value)))
            .collect();
        if parts.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", parts.join("&"))
        }
    }

    /// The conditions that are set.
    pub fn chips(
        &self,
        words: Words,
        wording: &Wording,
        people: &People,
        packs: &[std::sync::Arc<RulePack>],
    ) -> Vec<Chip> {
        let mut chips = Vec::new();
        let mut add = |name: &str, label: &str, shown: String| {
            let text = if shown.is_empty() {
                words.t(label)
            } else {
                format!("{}{}{shown}", words.t(label), words.t("list.colon"))
            };
            chips.push(Chip {
                text,
                href: self.link("/console/cases", name, ""),
            });
        };
        if !self.q.trim().is_empty() {
            add("q", "console.cases.words", self.q.trim().to_owned());
        }
        if STAGES.contains(&self.stage.as_str()) {
            add(
                "stage",
                "console.cases.stage",
                words.t(&format!("stage.{}", self.stage)),
            );
        }
        let day = |text: &str| Day::parse("date", text).ok().map(|day| day.to_string());
        if let Some(due) = day(&self.due) {
            add("due", "console.cases.due_by", due);
        }
        for (name, label, chosen) in [
            ("officer", "label.officers", &self.officer),
            ("with", "console.cases.with", &self.with),
        ] {
            if let Ok(id) = chosen.parse::<OfficerId>() {
                let person = people.get(&id).map(|person| person.name.clone());
                add(name, label, person.unwrap_or_else(|| id.to_string()));
            }
        }
        if let Ok(id) = self.tablet.parse::<DeviceId>() {
            add("tablet", "console.cases.tablet", wording.device(&id));
        }
        if !self.violation.is_empty() {
            add(
                "violation",
                "label.violation",
                violation_name(words, packs, &self.violation),
            );
        }
        if !self.problems.is_empty() {
            add("problems", "console.cases.problems_only", String::new());
        }
        if let Some(from) = day(&self.from) {
            add("from", "console.cases.from", from);
        }
        if let Some(to) = day(&self.to) {
            add("to", "console.cases.to", to);
        }
        chips
    }
}

/// Stages to choose from; the first choice is none.
pub fn stages(words: Words, asked: &Asked) -> Vec<Choice> {
    STAGES
        .iter()
        .map(|stage| Choice {
            value: (*stage).to_owned(),
            text: words.t(&format!("stage.{stage}")),
            chosen: asked.stage == *stage,
        })
        .collect()
}

/// Officers by name; `asked` is the one who is chosen.
pub fn officers(people: &People, asked: &str) -> Vec<Choice> {
    let mut choices: Vec<Choice> = people
        .all()
        .map(|person| Choice {
            value: person.officer.to_string(),
            text: if person.name.is_empty() {
                person.certificate.clone()
            } else {
                person.name.clone()
            },
            chosen: asked == person.officer.to_string(),
        })
        .collect();
    choices.sort_by(|a, b| a.text.cmp(&b.text));
    choices
}

/// Tablets by label.
pub fn tablets(wording: &Wording, asked: &Asked) -> Vec<Choice> {
    let mut choices: Vec<Choice> = wording
        .devices
        .iter()
        .map(|(id, label)| Choice {
            value: id.to_string(),
            text: label.clone(),
            chosen: asked.tablet == id.to_string(),
        })
        .collect();
    choices.sort_by(|a, b| a.text.cmp(&b.text));
    choices
}

/// Violations of every pack that is published here.
pub fn violations(words: Words, packs: &[std::sync::Arc<RulePack>], asked: &Asked) -> Vec<Choice> {
    let mut choices: Vec<Choice> = packs
        .iter()
        .flat_map(|pack| pack.violations())
        .map(|violation| Choice {
            value: violation.id.clone(),
            text: super::cut(violation.name.text(words.lang), 40),
            chosen: asked.violation == violation.id,
        })
        .collect();
    choices.sort_by(|a, b| a.value.cmp(&b.value));
    choices.dedup_by(|a, b| a.value == b.value);
    choices
}

/// The name of a violation, or its id.
pub fn violation_name(words: Words, packs: &[std::sync::Arc<RulePack>], id: &str) -> String {
    let found = packs.iter().find_map(|pack| pack.violation(id));
    found.map_or_else(|| id.to_owned(), |violation| violation.name.text(words.lang).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_keeps_what_it_does_not_change() {
        let asked = Asked {
            q: "化工 & co".into(),
            stage: "closed".into(),
            page: 3,
            ..Asked::default()
        };
        assert_eq!(
            asked.link("/console/cases", "stage", ""),
            "/console/cases?q=%E5%8C%96%E5%B7%A5%20%26%20co"
        );
        assert_eq!(asked.link("/console/cases", "q", ""), "/console/cases?stage=closed");
        let query = asked.query();
        assert_eq!((query.stage, query.skip, query.limit), (Some(2), 150, 50));
        let odd = Asked {
            stage: "x".into(),
            due: "soon".into(),
            officer: "me".into(),
            page: u64::MAX,
            ..Asked::default()
        };
        let query = odd.query();
        assert_eq!((query.stage, query.due_by, query.tags.len()), (None, None, 0));
    }
}
