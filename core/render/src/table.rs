//! The field table of a template: `<name>.fields.json`, which fields exist, of which type, within which bounds.
//!
//! ```json
//! {"fields": [
//!   {"path": "party.name",            "type": "text",   "required": true, "max": 200, "meaning": "被检查单位"},
//!   {"path": "officers",              "type": "list",   "required": true, "min": 2, "max": 4},
//!   {"path": "officers[].certificate","type": "text",   "required": true},
//!   {"path": "responsible.refusal",   "type": "object", "required": false}
//! ]}
//! ```
//!
//! A parent without a line of its own is an object, required when one of its fields is.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::RenderError;

/// The type of a field and what its values look like in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A string of at most `max` characters (2,000 when not given).
    Text,
    /// A whole number, not negative, below 2^53.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A day, `"2026-03-04"`.
    Date,
    /// A minute of local time, `"2026-03-04T09:10"`.
    Minute,
    /// 64 lower-case hexadecimal digits.
    Sha256,
    /// A text that is drawn as a QR code.
    Qr,
    /// A signature: `[[[x, y, t_ms], ...], ...]`; an empty list or null is "not signed".
    Strokes,
    /// A list of `min` to `max` objects (or texts, when `path[]` itself has a line).
    List,
    /// A group of fields.
    Object,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fields: Vec<Line>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    path: String,
    r#type: Kind,
    #[serde(default)]
    required: bool,
    min: Option<usize>,
    max: Option<usize>,
    /// For people: what the field means. Not used here.
    #[serde(default, rename = "meaning")]
    _meaning: String,
}

/// One place of the data: its type, its bounds and the places below it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub kind: Option<Kind>,
    pub required: Option<bool>,
    pub min: usize,
    pub max: Option<usize>,
    /// Fields of an object.
    pub fields: BTreeMap<String, Node>,
    /// The entry of a list.
    pub entry: Option<Box<Node>>,
}

impl Node {
    /// The type; a place without a line of its own is an object.
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Object)
    }

    /// Whether the data must have it; an object without a line of its own is as required as its fields.
    pub fn required(&self) -> bool {
        self.required
            .unwrap_or_else(|| self.fields.values().any(Node::required))
    }
}

/// Reads a field table.
pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Node, RenderError> {
    let fault = |problem: String| RenderError::FieldTable {
        file: file.to_owned(),
        problem,
    };
    let table: Table = serde_json::from_slice(bytes).map_err(|e| fault(e.to_string()))?;
    let mut root = Node::default();
    for line in table.fields {
        let node = place(&mut root, &line.path)
            .ok_or_else(|| fault(format!("the path `{}` is malformed; write a.b or a[].b", line.path)))?;
        if node.kind.is_some() {
            return Err(fault(format!("the path `{}` is listed twice", line.path)));
        }
        node.kind = Some(line.r#type);
        node.required = Some(line.required);
        node.min = line.min.unwrap_or(0);
        node.max = line.max;
    }
    check_shape(&root, "", &fault)?;
    Ok(root)
}

/// The node at `a.b[].c`, made if need be.
fn place<'a>(root: &'a mut Node, path: &str) -> Option<&'a mut Node> {
    let mut node = root;
    for part in path.split('.') {
        let (name, list) = match part.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (part, false),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(plain) {
            return None;
        }
        node = node.fields.entry(name.to_owned()).or_default();
        if list {
            node = node.entry.get_or_insert_default();
        }
    }
    Some(node)
}

/// A list has entries and no fields, an object fields and no entries, everything else neither.
fn check_shape(node: &Node, path: &str, fault: &impl Fn(String) -> RenderError) -> Result<(), RenderError> {
    let agrees = match node.kind() {
        Kind::List => node.fields.is_empty() && node.entry.is_some(),
        Kind::Object => node.entry.is_none() && !node.fields.is_empty(),
        _ => node.fields.is_empty() && node.entry.is_none(),
    };
    if !agrees {
        return Err(fault(format!("`{path}`: its type and the paths below it do not agree")));
    }
    for (name, child) in &node.fields {
        check_shape(
            child,
            &format!("{path}{}{name}", if path.is_empty() { "" } else { "." }),
            fault,
        )?;
    }
    if let Some(entry) = &node.entry {
        check_shape(entry, &format!("{path}[]"), fault)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        parse("t.fields.json", json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn faults_of_a_table_are_named() {
        assert!(error("{").contains("t.fields.json"));
        assert!(error(r#"{"fields":[{"path":"a","type":"txt"}]}"#).contains("txt"));
        assert!(error(r#"{"fields":[{"path":"a..b","type":"text"}]}"#).contains("a..b"));
        assert!(error(r#"{"fields":[{"path":"a","type":"text"},{"path":"a","type":"text"}]}"#).contains("twice"));
        assert!(error(r#"{"fields":[{"path":"a","type":"list"}]}"#).contains("do not agree"));
        assert!(
            error(r#"{"fields":[{"path":"a","type":"text"},{"path":"a.b","type":"text"}]}"#).contains("do not agree")
        );
    }

    #[test]
    fn a_parent_is_as_required_as_its_fields() {
        let table = br#"{"fields":[{"path":"a.b","type":"text","required":true},{"path":"c.d","type":"text"}]}"#;
        let root = parse("t", table).unwrap();
        assert!(root.fields["a"].required());
        assert!(!root.fields["c"].required());
    }
}
