//! Many commands in one process: a file with one JSON object a line, in the words of the command line.
//!
//! `{"command": "finding", "inspection": "@site-1", "text": …, "as": "leak"}`: `as` gives what the line made a name,
//! `@name` stands for it afterwards (`@name.case` for another member of its answer). `officer` and `clock` are those of
//! the line. Each line is durable by itself; a line that fails is reported with its number and the rest goes on.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use fieldseal_core::catalogue::Param;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::desk::Desk;
use crate::failure::Failure;
use crate::files;
use crate::shell::{Outcome, Shell};

/// Longest line; a statement of many pages fits.
const LONGEST_LINE: usize = 1024 * 1024;

#[derive(Debug, Args)]
pub struct BatchArgs {
    /// File with one JSON object a line
    file: PathBuf,
    /// File with what names stand for; read before and written after
    #[arg(long, value_name = "FILE")]
    names: Option<PathBuf>,
    /// JSON object of PINs by certificate number
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,
    /// Exit code 0 although lines failed
    #[arg(long)]
    keep_going_ok: bool,
}

impl BatchArgs {
    /// PINs by certificate number.
    pub fn pins(&self) -> Result<BTreeMap<String, String>, Failure> {
        self.pins
            .as_deref()
            .map(files::read_json)
            .transpose()
            .map(Option::unwrap_or_default)
    }
}

/// Runs every line. The answers go to standard output one a line, the summary is the outcome.
pub fn run<V: DeserializeOwned>(
    shell: &Shell,
    desk: &Desk<'_>,
    args: &BatchArgs,
    mut act: impl FnMut(Option<&str>, V) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    let file = File::open(&args.file).map_err(|error| Failure::file(&args.file, &error))?;
    let mut names: BTreeMap<String, Value> = match &args.names {
        Some(path) if path.is_file() => files::read_json(path)?,
        _ => BTreeMap::new(),
    };
    let (mut done, mut failed) = (0_u64, 0_u64);
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|error| Failure::file(&args.file, &error))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = one(desk, &line, &mut names, &mut act);
        let mut said = match answer {
            Ok(json) => {
                done += 1;
                json
            }
            Err(failure) => {
                failed += 1;
                let text = failure.text(shell.lang);
                shell.remark(&format!("{}:{}: {text}", args.file.display(), number + 1));
                crate::shell::error_json(&failure, &text)
            }
        };
        said["line"] = (number + 1).into();
        let _ = writeln!(std::io::stdout().lock(), "{said}");
        shell.progress(&format!("{done}"));
    }
    shell.progress_over();
    if let Some(path) = &args.names {
        files::replace(path, format!("{:#}\n", json!(names)).as_bytes())?;
    }
    let exit = u8::from(failed > 0 && !args.keep_going_ok);
    let words = shell.say("完成 / 失败", "done / failed");
    Ok(Outcome {
        exit,
        ..Outcome::new(json!({ "done": done, "failed": failed })).line(format!("{words}  {done} / {failed}"))
    })
}

fn one<V: DeserializeOwned>(
    desk: &Desk<'_>,
    line: &str,
    names: &mut BTreeMap<String, Value>,
    act: &mut impl FnMut(Option<&str>, V) -> Result<Outcome, Failure>,
) -> Result<Value, Failure> {
    if line.len() > LONGEST_LINE {
        return Err(Failure::usage("usage.line_long", []));
    }
    let wrong =
        |error: serde_json::Error| Failure::usage("usage.line_form", [("detail", Param::text(error.to_string()))]);
    let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(wrong)?;
    for value in fields.values_mut() {
        resolve(value, names)?;
    }
    let mut take = |key: &str| fields.remove(key).and_then(|value| value.as_str().map(str::to_owned));
    let (name, officer, clock) = (take("as"), take("officer"), take("clock"));
    if let Some(clock) = clock {
        desk.clock.set(&clock)?;
    }
    let verb: V = serde_json::from_value(Value::Object(fields)).map_err(wrong)?;
    let outcome = act(officer.as_deref(), verb)?;
    if let Some(name) = name {
        names.insert(name, outcome.json.clone());
    }
    Ok(outcome.json)
}

/// Puts what a name stands for in its place: `@site` its id, `@site.case` another member.
fn resolve(value: &mut Value, names: &BTreeMap<String, Value>) -> Result<(), Failure> {
    match value {
        Value::String(text) => {
            let Some(name) = text.strip_prefix('@') else {
                return Ok(());
            };
            if let Some(escaped) = name.strip_prefix('@') {
                *value = Value::String(format!("@{escaped}"));
                return Ok(());
            }
            // A name may hold dots itself: the whole of it is looked for first.
            let (name, member) = match names.contains_key(name) {
                true => (name, "id"),
                false => name.rsplit_once('.').unwrap_or((name, "id")),
            };
            let found = names.get(name).and_then(|made| made.get(member)).cloned();
            *value = found.ok_or_else(|| {
                Failure::usage(
                    "usage.name_unknown",
                    [("name", Param::text(format!("{name}.{member}")))],
                )
            })?;
            Ok(())
        }
        Value::Array(values) => values.iter_mut().try_for_each(|value| resolve(value, names)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_what_was_made() {
        let names = BTreeMap::from([
            ("site".to_owned(), json!({ "id": "i", "case": "c" })),
            ("a.b".to_owned(), json!({ "id": "dotted" })),
        ]);
        let put = |text: &str| {
            let mut value = json!(text);
            resolve(&mut value, &names).map(|()| value)
        };
        assert_eq!(put("@site").unwrap(), "i");
        assert_eq!(put("@site.case").unwrap(), "c");
        assert_eq!(put("@a.b").unwrap(), "dotted");
        assert_eq!(put("@@home").unwrap(), "@home");
        assert_eq!(put("plain").unwrap(), "plain");
        assert_eq!(put("@nobody").unwrap_err().code(), "usage");
        let mut list = json!(["@site", "x"]);
        resolve(&mut list, &names).unwrap();
        assert_eq!(list, json!(["i", "x"]));
    }
}
