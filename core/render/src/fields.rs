//! Checks the data of a request against the template's field table and makes it ready for the page.
//!
//! Ready means: every optional leaf is there (empty), signatures and QR texts have become SVG,
//! and every text holds only characters that the fonts can draw.

use serde_json::{Map, Value};

use crate::table::{Kind, Node};
use crate::{Coverage, RenderError, Stroke, qr_svg, strokes_svg};

/// Longest text, in characters, where the table names no bound.
const DEFAULT_TEXT: usize = 2_000;
/// Longest list where the table names no bound.
const DEFAULT_LIST: usize = 1_000;

/// Returns the data as the template sees it.
///
/// # Errors
///
/// [`RenderError::Field`] with the path of the first field that is missing, unknown, of the wrong type or out of bounds.
pub(crate) fn prepare(template: &str, table: &Node, data: &Value, coverage: &Coverage) -> Result<Value, RenderError> {
    let check = Check { template, coverage };
    check.value(table, data, "")
}

struct Check<'a> {
    template: &'a str,
    coverage: &'a Coverage,
}

impl Check<'_> {
    fn fault(&self, path: &str, problem: impl Into<String>) -> RenderError {
        let path = if path.is_empty() { "(the whole data)" } else { path };
        RenderError::Field {
            template: self.template.to_owned(),
            path: path.to_owned(),
            problem: problem.into(),
        }
    }

    fn value(&self, node: &Node, value: &Value, path: &str) -> Result<Value, RenderError> {
        match node.kind() {
            Kind::Object => self.object(node, value, path),
            Kind::List => self.list(node, value, path),
            Kind::Integer => match value.as_u64() {
                Some(n) if n < 1 << 53 => Ok(value.clone()),
                _ => Err(self.wrong(path, "a whole number from 0 below 2^53", value)),
            },
            Kind::Boolean => match value {
                Value::Bool(_) => Ok(value.clone()),
                _ => Err(self.wrong(path, "true or false", value)),
            },
            Kind::Strokes => self.strokes(value, path),
            kind => match value {
                Value::String(text) => self.string(kind, node, text, path),
                _ => Err(self.wrong(path, "a text", value)),
            },
        }
    }

    fn object(&self, node: &Node, value: &Value, path: &str) -> Result<Value, RenderError> {
        let Value::Object(given) = value else {
            return Err(self.wrong(path, "a group of fields", value));
        };
        let below = |name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}.{name}")
            }
        };
        if let Some(name) = given.keys().find(|name| !node.fields.contains_key(*name)) {
            let known: Vec<&str> = node.fields.keys().map(String::as_str).collect();
            return Err(self.fault(
                &below(name),
                format!("is unknown here; known are: {}", known.join(", ")),
            ));
        }
        let mut ready = Map::new();
        for (name, child) in &node.fields {
            let path = below(name);
            let value = given.get(name).filter(|v| !is_empty(v));
            match value {
                Some(value) => {
                    ready.insert(name.clone(), self.value(child, value, &path)?);
                }
                None if child.required() => {
                    return Err(self.fault(&first_required(child, path), "is required but missing or empty"));
                }
                None => {
                    if let Some(blank) = blank(child) {
                        ready.insert(name.clone(), blank);
                    }
                }
            }
        }
        Ok(Value::Object(ready))
    }

    fn list(&self, node: &Node, value: &Value, path: &str) -> Result<Value, RenderError> {
        let (Value::Array(given), Some(entry)) = (value, &node.entry) else {
            return Err(self.wrong(path, "a list", value));
        };
        let max = node.max.unwrap_or(DEFAULT_LIST);
        if given.len() < node.min || given.len() > max {
            return Err(self.fault(
                path,
                format!("has {} entries; {} to {max} are expected", given.len(), node.min),
            ));
        }
        given
            .iter()
            .enumerate()
            .map(|(n, value)| self.value(entry, value, &format!("{path}[{n}]")))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array)
    }

    fn string(&self, kind: Kind, node: &Node, text: &str, path: &str) -> Result<Value, RenderError> {
        let right = match kind {
            Kind::Date => is_date(text),
            Kind::Minute => is_minute(text),
            Kind::Sha256 => text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            _ => true,
        };
        if !right {
            let expected = match kind {
                Kind::Date => "a day like 2026-03-04",
                Kind::Minute => "a minute like 2026-03-04T09:10",
                _ => "64 lower-case hexadecimal digits",
            };
            return Err(self.fault(path, format!("must be {expected}, not {:?}", short(text))));
        }
        if kind == Kind::Qr {
            return qr_svg(text)
                .map(Value::String)
                .map_err(|e| self.fault(path, format!("cannot be drawn: {e}")));
        }
        let (length, max) = (text.chars().count(), node.max.unwrap_or(DEFAULT_TEXT));
        if length > max {
            return Err(self.fault(path, format!("has {length} characters; at most {max} fit this form")));
        }
        Ok(Value::String(self.coverage.printable(text).into_owned()))
    }

    fn strokes(&self, value: &Value, path: &str) -> Result<Value, RenderError> {
        let strokes: Vec<Stroke> = serde_json::from_value(value.clone())
            .map_err(|_| self.wrong(path, "a list of strokes [[[x, y, t_ms], ...], ...]", value))?;
        strokes_svg(&strokes)
            .map(Value::String)
            .map_err(|e| self.fault(path, format!("cannot be drawn: {e}")))
    }

    fn wrong(&self, path: &str, expected: &str, value: &Value) -> RenderError {
        self.fault(path, format!("must be {expected}, not {}", short(&value.to_string())))
    }
}

/// Null, an empty text and an empty list all mean "left blank on the form".
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// What the template sees for an optional field that was left out; groups stay absent.
fn blank(node: &Node) -> Option<Value> {
    match node.kind() {
        Kind::Object => None,
        Kind::List => Some(Value::Array(Vec::new())),
        Kind::Boolean => Some(Value::Bool(false)),
        _ => Some(Value::String(String::new())),
    }
}

/// The first required leaf below a missing group, so that the error names a field one can fill in.
fn first_required(node: &Node, path: String) -> String {
    match node.fields.iter().find(|(_, child)| child.required()) {
        Some((name, child)) if node.kind() == Kind::Object => first_required(child, format!("{path}.{name}")),
        _ => path,
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_minute(text: &str) -> bool {
    let Some((day, time)) = text.split_once('T') else {
        return false;
    };
    let Some((hour, minute)) = time.split_once(':') else {
        return false;
    };
    is_date(day) && digits(hour, 2).is_some_and(|h| h < 24) && digits(minute, 2).is_some_and(|m| m < 60)
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn short(text: &str) -> String {
    let head: String = text.chars().take(60).collect();
    if head.len() < text.len() { head + "…" } else { head }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::table::parse;

    fn ready(data: Value) -> Result<Value, String> {
        let table = parse(
            "t.fields.json",
            br#"{"fields":[
                {"path":"name","type":"text","required":true,"max":5},
                {"path":"day","type":"date"},
                {"path":"from","type":"minute"},
                {"path":"hash","type":"sha256"},
                {"path":"size","type":"integer"},
                {"path":"people","type":"list","min":1,"max":2},
                {"path":"people[].card","type":"text","required":true},
                {"path":"people[].sign","type":"strokes"},
                {"path":"refusal","type":"object","required":false},
                {"path":"refusal.reason","type":"text","required":true}]}"#,
        )
        .unwrap();
        prepare("t", &table, &data, &Coverage::from_ranges(&[(' ', '~')])).map_err(|e| e.to_string())
    }

    #[test]
    fn blanks_are_filled_in_and_pictures_drawn() {
        let got = ready(json!({"name": "a\u{202e}", "people": [{"card": "7", "sign": [[[1, 2, 0]]]}]})).unwrap();
        assert_eq!(got["name"], "a[U+202E]");
        assert_eq!(got["day"], "");
        assert!(got["people"][0]["sign"].as_str().unwrap().starts_with("<svg"));
        assert!(got.get("refusal").is_none());
    }

    #[test]
    fn each_fault_names_its_field() {
        for (data, path) in [
            (json!({}), "`name` is required"),
            (json!({"name": ""}), "`name` is required"),
            (json!({"name": "abcdef"}), "`name` has 6 characters"),
            (json!({"name": 3}), "`name` must be a text"),
            (json!({"name": "a", "nmae": 1}), "`nmae` is unknown"),
            (json!({"name": "a", "day": "2026-02-29"}), "`day` must be a day"),
            (
                json!({"name": "a", "from": "2026-02-28T24:00"}),
                "`from` must be a minute",
            ),
            (json!({"name": "a", "hash": "AB"}), "`hash` must be 64"),
            (json!({"name": "a", "size": -1}), "`size` must be a whole number"),
            (
                json!({"name": "a", "people": [{"card": "1"}, {}]}),
                "`people[1].card` is required",
            ),
            (json!({"name": "a", "people": [{}, {}, {}]}), "`people` has 3 entries"),
            (
                json!({"name": "a", "people": [{"card": "1", "sign": [[[1, 2]]]}]}),
                "`people[0].sign` must be",
            ),
            (json!({"name": "a", "refusal": {}}), "`refusal.reason` is required"),
            (json!([]), "`(the whole data)` must be"),
        ] {
            let error = ready(data).unwrap_err();
            assert!(error.contains(path), "{error} should contain {path}");
        }
    }

    #[test]
    fn days_of_the_calendar() {
        assert!(is_date("2024-02-29") && is_date("2000-02-29"));
        assert!(!is_date("2100-02-29") && !is_date("2026-13-01") && !is_date("2026-1-1") && !is_date("２026-01-01"));
    }
}
