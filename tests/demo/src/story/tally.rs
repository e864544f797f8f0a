//! What the programs acknowledged, by their own answers: every operation with its verb, every file with its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

/// Operations and files that were sealed.
#[derive(Debug, Default)]
pub struct Tally {
    operations: BTreeMap<String, String>,
    hashes: BTreeMap<String, u64>,
    twice: Vec<String>,
}

impl Tally {
    /// Takes note of what a command of a tablet or of the laptop answered; of a batch, of every whole line.
    pub fn hear(&mut self, words: &[&str], stdout: &str) {
        let [noun, verb, ..] = words else { return };
        if !["device", "supervisor"].contains(noun) {
            return;
        }
        let batch = (*verb == "batch").then(|| commands(words));
        // What was being written when a process died is no acknowledgement.
        let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        for answer in whole.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let number = answer["line"].as_u64().and_then(|line| usize::try_from(line).ok());
            let verb = match (&batch, number) {
                (Some(commands), Some(line)) => commands.get(line.wrapping_sub(1)).map_or("batch", String::as_str),
                _ => verb,
            };
            self.take(verb, &answer);
        }
    }

    fn take(&mut self, verb: &str, answer: &Value) {
        let several = answer["operations"].as_array();
        let ids: BTreeSet<&str> = several
            .into_iter()
            .flatten()
            .chain([&answer["operation"]])
            .filter_map(Value::as_str)
            .collect();
        for id in ids {
            if self.operations.insert(id.to_owned(), verb.to_owned()).is_some() {
                self.twice.push(id.to_owned());
            }
        }
        for key in ["sha256", "pdf_sha256", "signed_pdf_sha256"] {
            // A signature names the document that was shown; the document itself was sealed when it was issued.
            let sealed = !(verb == "sign" && key == "pdf_sha256") && answer["operation"].is_string();
            if let Some(hash) = answer[key].as_str().filter(|_| sealed) {
                *self.hashes.entry(hash.to_owned()).or_insert(0) += 1;
            }
        }
    }

    /// Ids of all operations.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// How many operations.
    pub fn count(&self) -> usize {
        self.operations.len()
    }

    /// How many operations of a verb.
    pub fn of(&self, verb: &str) -> usize {
        self.operations.values().filter(|one| *one == verb).count()
    }

    /// The verb that made an operation.
    pub fn verb(&self, id: &str) -> Option<&str> {
        self.operations.get(id).map(String::as_str)
    }

    /// SHA-256 of every file that was sealed, with how often.
    pub fn hashes(&self) -> &BTreeMap<String, u64> {
        &self.hashes
    }

    /// Ids that were acknowledged more than once: there must be none.
    pub fn twice(&self) -> &[String] {
        &self.twice
    }
}

/// The verb of each line of a batch's file.
fn commands(words: &[&str]) -> Vec<String> {
    let file = words.iter().find(|word| word.ends_with(".jsonl"));
    let text = file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let verb = |line: &str| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.and_then(|line| line["command"].as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    text.lines().map(verb).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_once_and_half_lines_not_at_all() {
        let mut tally = Tally::default();
        tally.hear(
            &["device", "capture"],
            "{\"id\":\"e\",\"operation\":\"aa\",\"sha256\":\"h\"}\n",
        );
        tally.hear(
            &["device", "sign"],
            "{\"operation\":\"bb\",\"pdf_sha256\":\"p\",\"signed_pdf_sha256\":\"q\"}\n",
        );
        tally.hear(
            &["device", "statement"],
            "{\"operation\":\"dd\",\"operations\":[\"cc\",\"dd\"]}\n",
        );
        tally.hear(&["device", "check"], "{\"operation\":\"ee\"");
        tally.hear(&["admin", "approve"], "{\"operation\":\"ff\"}\n");
        assert_eq!(tally.operations().collect::<Vec<_>>(), ["aa", "bb", "cc", "dd"]);
        assert_eq!(
            (tally.count(), tally.of("statement"), tally.verb("bb")),
            (4, 2, Some("sign"))
        );
        assert_eq!(tally.hashes().keys().collect::<Vec<_>>(), ["h", "q"]);
        assert!(tally.twice().is_empty());
        tally.hear(&["device", "capture"], "{\"operation\":\"aa\"}\n");
        assert_eq!(tally.twice(), ["aa"]);
    }
}
