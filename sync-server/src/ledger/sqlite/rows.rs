//! Columns to values and back; errors of SQLite to errors of the ledger.

use fieldseal_proof::ids::{CaseId, Commitment, Link};
use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};

use super::super::{LedgerError, Run, RunState};

/// What an SQLite error means for the caller.
pub(super) fn failed(error: rusqlite::Error) -> LedgerError {
    use rusqlite::ErrorCode::*;
    match error.sqlite_error_code() {
        Some(DiskFull) => LedgerError::Full,
        Some(DatabaseCorrupt | NotADatabase | TypeMismatch) => LedgerError::Corrupt(error.to_string()),
        Some(_) => LedgerError::Broken(error.to_string()),
        None => LedgerError::Corrupt(error.to_string()),
    }
}

pub(super) fn uint(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(super) fn fixed<const N: usize>(row: &Row<'_>, column: usize) -> rusqlite::Result<[u8; N]> {
    let bytes = row.get_ref(column)?.as_blob()?;
    bytes
        .try_into()
        .map_err(|_| wrong(column, format!("{} bytes instead of {N}", bytes.len())))
}

pub(super) fn case(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<CaseId>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => Ok(Some(CaseId::from_bytes(fixed(row, column)?))),
    }
}

pub(super) fn wrong(column: usize, why: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, why.into())
}

/// The stored form of a run. Hashes in hex: the row is small and a person may have to read it.
#[derive(Serialize, Deserialize)]
struct StoredRun {
    number: u64,
    state: String,
    first_seq: u64,
    before: String,
    last_seq: u64,
    link: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fork: Option<(u64, String)>,
}

pub(super) fn runs_text(runs: &[Run]) -> Result<String, LedgerError> {
    let stored: Vec<StoredRun> = runs
        .iter()
        .map(|run| StoredRun {
            number: run.number,
            state: match run.state {
                RunState::Main => "main",
                RunState::Gap => "gap",
                RunState::Fork => "fork",
            }
            .into(),
            first_seq: run.first_seq,
            before: run.before.to_string(),
            last_seq: run.last_seq,
            link: run.link.to_string(),
            fork: run.fork.map(|(seq, first)| (seq, first.to_string())),
        })
        .collect();
    serde_json::to_string(&stored).map_err(|e| LedgerError::Corrupt(e.to_string()))
}

pub(super) fn runs(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Run>> {
    let text: String = row.get(column)?;
    let stored: Vec<StoredRun> = serde_json::from_str(&text).map_err(|e| wrong(column, e.to_string()))?;
    stored
        .iter()
        .map(|run| read_run(run).ok_or_else(|| wrong(column, text.clone())))
        .collect()
}

fn read_run(run: &StoredRun) -> Option<Run> {
    let link = |text: &str| text.parse::<Link>().ok();
    Some(Run {
        number: run.number,
        state: match run.state.as_str() {
            "main" => RunState::Main,
            "gap" => RunState::Gap,
            "fork" => RunState::Fork,
            _ => return None,
        },
        first_seq: run.first_seq,
        before: link(&run.before)?,
        last_seq: run.last_seq,
        link: link(&run.link)?,
        fork: match &run.fork {
            Some((seq, first)) => Some((*seq, first.parse::<Commitment>().ok()?)),
            None => None,
        },
    })
}
