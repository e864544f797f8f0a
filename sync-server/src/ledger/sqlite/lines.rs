//! Lines and their full-text index.

use fieldseal_proof::hash::sha256;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::super::words::grams;
use super::super::{FoundLine, LineCounts, LineKind, LineOrder, LinePage, LineQuery, LineRow};
use super::rows::{fixed, uint};

type Read<T> = rusqlite::Result<T>;

/// Rows of a kind lie between its number and the next one's, times this.
const RANGE: i64 = 1 << 40;
/// Stands for no date, and sorts after every date.
const NEVER: i32 = i32::MAX;

pub(super) fn put(c: &Connection, row: &LineRow) -> Read<()> {
    let kind = row.kind as i64;
    let known: Option<(i64, Vec<u8>)> = c
        .prepare_cached("SELECT number, digest FROM line WHERE kind = ?1 AND id = ?2")?
        .query_row(params![kind, row.id], |found| Ok((found.get(0)?, found.get(1)?)))
        .optional()?;
    if row.texts.is_empty() {
        return known.map_or(Ok(()), |(number, _)| remove(c, number));
    }
    let text = grams(row.texts.iter().map(String::as_str));
    let tags = row.tags.join(" ");
    let digest = sha256([text.as_bytes(), b"\n", tags.as_bytes()].concat().as_slice());
    let number = match &known {
        Some((number, _)) => *number,
        None => c
            .prepare_cached("SELECT ifnull(max(number), ?1) + 1 FROM line WHERE number > ?1 AND number < ?1 + ?2")?
            .query_row(params![kind * RANGE, RANGE], |found| found.get(0))?,
    };
    c.prepare_cached(
        "INSERT OR REPLACE INTO line (number, kind, id, scope, stage, due, day, seen_ms, problems, digest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        number,
        kind,
        row.id,
        row.scope,
        row.stage,
        row.due.unwrap_or(NEVER),
        row.day.unwrap_or(NEVER),
        row.seen_ms as i64,
        row.problems as i64,
        digest
    ])?;
    if !row.shown.is_empty() {
        c.prepare_cached("INSERT OR REPLACE INTO line_shown (number, shown) VALUES (?1, ?2)")?
            .execute(params![number, row.shown])?;
    }
    if known.is_some_and(|(_, held)| held == digest) {
        return Ok(());
    }
    c.prepare_cached("INSERT OR REPLACE INTO line_text (rowid, grams, tags) VALUES (?1, ?2, ?3)")?
        .execute(params![number, text, tags])?;
    Ok(())
}

fn remove(c: &Connection, number: i64) -> Read<()> {
    for table in ["line", "line_shown"] {
        c.prepare_cached(&format!("DELETE FROM {table} WHERE number = ?1"))?
            .execute(params![number])?;
    }
    c.prepare_cached("DELETE FROM line_text WHERE rowid = ?1")?
        .execute(params![number])?;
    Ok(())
}

pub(super) fn drop_all(c: &Connection) -> Read<()> {
    c.execute_batch(
        "DELETE FROM line; DELETE FROM line_shown; INSERT INTO line_text (line_text) VALUES ('delete-all');",
    )
}

/// One page and how many lines there are in all.
pub(super) fn find(c: &Connection, query: &LineQuery) -> Read<LinePage> {
    let (from, conditions, values) = conditions(query);
    let count = format!("SELECT count(*) FROM {from} WHERE {conditions}");
    let total = c
        .prepare_cached(&count)?
        .query_row(params_from_iter(&values), |row| uint(row, 0))?;
    let order = match query.order {
        LineOrder::Due => "l.due, l.seen_ms DESC, l.number",
        LineOrder::Seen => "l.seen_ms DESC, l.number",
        LineOrder::Oldest => "l.seen_ms, l.number",
    };
    let page = format!("SELECT l.number FROM {from} WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?");
    let mut paged = values;
    paged.extend([query.limit, query.skip].map(|n| Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))));
    let numbers: Vec<i64> = c
        .prepare_cached(&page)?
        .query_map(params_from_iter(&paged), |row| row.get(0))?
        .collect::<Read<_>>()?;
    let mut read = c.prepare_cached(
        "SELECT l.id, l.scope, coalesce(s.shown, r.value, X'') FROM line l LEFT JOIN line_shown s ON s.number = l.number \
         LEFT JOIN register r ON r.space = 'case' AND r.key = l.id WHERE l.number = ?1",
    )?;
    let line = |number: i64| {
        read.query_row(params![number], |row| {
            Ok(FoundLine {
                id: fixed(row, 0)?,
                scope: fixed(row, 1)?,
                shown: row.get(2)?,
            })
        })
    };
    Ok(LinePage {
        total,
        lines: numbers.into_iter().map(line).collect::<Read<_>>()?,
    })
}

/// Tables, conditions and their values. The index is asked only when there are words or tags; the row only when it decides.
fn conditions(query: &LineQuery) -> (&'static str, String, Vec<Value>) {
    let mut expression: Vec<String> = Vec::new();
    if !query.words.is_empty() {
        expression.push(format!("grams : ({})", query.words.expression()));
    }
    let tags = query
        .tags
        .iter()
        .filter(|tag| !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    expression.extend(tags.map(|tag| format!("tags : \"{tag}\"")));
    let kind = query.kind as i64;
    let (from, mut conditions, mut values) = if expression.is_empty() {
        ("line l", vec!["l.kind = ?"], vec![Value::Integer(kind)])
    } else {
        // CROSS JOIN keeps this order: the index first, then each row by its number.
        let found = "line_text t CROSS JOIN line l ON l.number = t.rowid";
        let values = vec![
            Value::Text(expression.join(" AND ")),
            Value::Integer(kind * RANGE),
            Value::Integer((kind + 1) * RANGE),
        ];
        (found, vec!["line_text MATCH ?", "t.rowid > ?", "t.rowid < ?"], values)
    };
    let mut also = |condition: &'static str, value: Option<i64>| {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(Value::Integer(value));
        }
    };
    also("l.stage = ?", query.stage.map(i64::from));
    also("l.due <= ?", query.due_by.map(i64::from));
    also("l.day >= ?", query.from.map(i64::from));
    // A range of days leaves out what has none.
    also("l.day < ?", query.from.map(|_| i64::from(NEVER)));
    also("l.day <= ?", query.to.map(i64::from));
    also("l.problems > ?", query.problems_only.then_some(0));
    (from, conditions.join(" AND "), values)
}

pub(super) fn counts(c: &Connection, kind: LineKind, today: i32) -> Read<LineCounts> {
    let kind = kind as i64;
    let stages = c
        .prepare_cached("SELECT stage, count(*) FROM line WHERE kind = ?1 GROUP BY stage ORDER BY stage")?
        .query_map(params![kind], |row| Ok((row.get(0)?, uint(row, 1)?)))?
        .collect::<Read<_>>()?;
    let overdue = c
        .prepare_cached("SELECT count(*) FROM line WHERE kind = ?1 AND due < ?2")?
        .query_row(params![kind, today], |row| uint(row, 0))?;
    let dues = c
        .prepare_cached(
            "SELECT due, count(*) FROM line WHERE kind = ?1 AND due >= ?2 AND due < ?3 GROUP BY due ORDER BY due",
        )?
        .query_map(params![kind, today, NEVER], |row| Ok((row.get(0)?, uint(row, 1)?)))?
        .collect::<Read<_>>()?;
    Ok(LineCounts { stages, overdue, dues })
}
