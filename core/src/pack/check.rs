//! Whether a pack holds together: every reference has its target, every date and pattern its form.

use super::{PackError, RulePack};
use crate::domain::Day;

impl RulePack {
    pub(super) fn check(&self) -> Result<(), PackError> {
        self.check_head()?;
        self.check_clauses()?;
        self.check_items()?;
        self.check_documents()?;
        self.check_numbers()
    }

    fn check_head(&self) -> Result<(), PackError> {
        let head = &self.head;
        date("pack.toml", &head.id, &head.in_force_from)?;
        head.in_force_to
            .as_deref()
            .map_or(Ok(()), |day| date("pack.toml", &head.id, day))?;
        if !["zh", "en"].contains(&head.language.as_str()) {
            return Err(value(
                "pack.toml",
                &head.id,
                format!("language “{}” is neither zh nor en", head.language),
            ));
        }
        if head.utc_offset_minutes.abs() > 14 * 60 {
            return Err(value(
                "pack.toml",
                &head.id,
                format!("utc_offset_minutes {}", head.utc_offset_minutes),
            ));
        }
        if self.thresholds.least_officers == 0 {
            return Err(value("thresholds.toml", "least_officers", "must be at least 1".into()));
        }
        Ok(())
    }

    fn check_clauses(&self) -> Result<(), PackError> {
        for clause in &self.clauses.rows {
            date("clauses.toml", &clause.id, &clause.in_force_from)?;
            clause
                .in_force_to
                .as_deref()
                .map_or(Ok(()), |day| date("clauses.toml", &clause.id, day))?;
            if clause.cite.is_empty() || clause.text.trim().is_empty() || clause.source.trim().is_empty() {
                return Err(value(
                    "clauses.toml",
                    &clause.id,
                    "cite, text and source must not be empty".into(),
                ));
            }
        }
        for violation in &self.violations.rows {
            for id in violation.duty.iter().chain(&violation.penalty) {
                refers(
                    "violations.toml",
                    &violation.id,
                    "clause",
                    id,
                    self.clauses.get(id).is_some(),
                )?;
            }
        }
        Ok(())
    }

    fn check_items(&self) -> Result<(), PackError> {
        for item in &self.items.rows {
            let refers = |what, target: &str, there| refers("items.toml", &item.id, what, target, there);
            refers(
                "checklist",
                &item.checklist,
                self.checklists.get(&item.checklist).is_some(),
            )?;
            refers("clause", &item.duty, self.clauses.get(&item.duty).is_some())?;
            if let Some(id) = &item.violation {
                refers("violation", id, self.violations.get(id).is_some())?;
            }
            if let Some(id) = &item.grade {
                refers("grade", id, self.grades.get(id).is_some())?;
            }
        }
        Ok(())
    }

    fn check_documents(&self) -> Result<(), PackError> {
        for document in &self.documents.rows {
            let refers = |what, target: &str, there| refers("documents.toml", &document.id, what, target, there);
            for ending in ["typ", "fields.json"] {
                let file = format!("templates/{}.{ending}", document.template);
                refers("file", &file, self.files.contains_key(&file))?;
            }
            if let Some(id) = &document.number {
                refers("number series", id, self.series.get(id).is_some())?;
            }
            if let Some(id) = &document.remedy {
                refers("remedy", id, self.remedies.get(id).is_some())?;
            }
            if let Some(id) = &document.basis {
                refers("clause", id, self.clauses.get(id).is_some())?;
            }
            for id in &document.requires {
                refers("document", id, self.documents.get(id).is_some())?;
            }
            if document.number_required && document.number.is_none() {
                return Err(value(
                    "documents.toml",
                    &document.id,
                    "number_required without a number series".into(),
                ));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), PackError> {
        for series in &self.series.rows {
            if !series.pattern.contains("{year}") || !series.pattern.contains("{n}") {
                return Err(value(
                    "numbers.toml",
                    &series.id,
                    "the pattern needs {year} and {n}".into(),
                ));
            }
            if series.pattern.contains(['[', ']', '【', '】']) {
                return Err(value(
                    "numbers.toml",
                    &series.id,
                    "the year stands in 〔〕 (U+3014, U+3015)".into(),
                ));
            }
        }
        Ok(())
    }
}

fn date(file: &'static str, id: &str, text: &str) -> Result<(), PackError> {
    match Day::parse("date", text) {
        Ok(_) => Ok(()),
        Err(_) => Err(value(file, id, format!("“{text}” is not a date like 2026-03-04"))),
    }
}

fn value(file: &'static str, id: &str, detail: String) -> PackError {
    PackError::Value {
        file,
        id: id.to_owned(),
        detail,
    }
}

fn refers(file: &'static str, id: &str, what: &'static str, target: &str, there: bool) -> Result<(), PackError> {
    if there {
        return Ok(());
    }
    Err(PackError::Reference {
        file,
        id: id.to_owned(),
        what,
        target: target.to_owned(),
    })
}
