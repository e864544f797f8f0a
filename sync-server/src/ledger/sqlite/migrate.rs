//! Numbered SQL steps. The list is the version; a released step is never edited (a test pins the hashes).

use rusqlite::Connection;

use super::super::LedgerError;
use super::rows::failed;

/// All steps in order. Step n brings a ledger from `user_version` n−1 to n, in one transaction with the version.
pub(super) const STEPS: &[(&str, &str)] = &[
    (
        "0001_ledger",
        include_str!("../../../migrations/sqlite/0001_ledger.sql"),
    ),
    ("0002_views", include_str!("../../../migrations/sqlite/0002_views.sql")),
    (
        "0003_search",
        include_str!("../../../migrations/sqlite/0003_search.sql"),
    ),
    ("0004_work", include_str!("../../../migrations/sqlite/0004_work.sql")),
];

/// Brings the schema up to date.
///
/// # Errors
/// A ledger of a newer program is refused and left as it is.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), LedgerError> {
    let version: u32 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(failed)?;
    if version as usize > STEPS.len() {
        return Err(LedgerError::Corrupt(format!(
            "schema version {version} is of a newer program (this one knows {}); nothing was changed",
            STEPS.len()
        )));
    }
    for (at, (_, sql)) in STEPS.iter().enumerate().skip(version as usize) {
        let step = connection.transaction().map_err(failed)?;
        step.execute_batch(sql).map_err(failed)?;
        step.pragma_update(None, "user_version", at as u32 + 1)
            .map_err(failed)?;
        step.commit().map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldseal_proof::hash::sha256;

    /// A step that was released is history. To change the schema add a step; to add one, add its hash here.
    #[test]
    fn steps_are_never_edited() {
        let pinned = include_str!("../../../migrations/sqlite/PINNED");
        let actual: String = STEPS
            .iter()
            .map(|(name, sql)| format!("{} {name}\n", hex::encode(sha256(sql.as_bytes()))))
            .collect();
        assert_eq!(actual, pinned);
    }

    #[test]
    fn a_newer_ledger_is_refused_and_untouched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        let refused = migrate(&mut connection).unwrap_err();
        assert!(refused.to_string().contains("newer program"), "{refused}");
        let tables: u32 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 0);
    }

    #[test]
    fn stepwise_and_fresh_end_in_the_same_schema() {
        let schema = |connection: &Connection| -> Vec<String> {
            let mut statement = connection
                .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
                .unwrap();
            statement
                .query_map([], |row| row.get(0))
                .unwrap()
                .map(Result::unwrap)
                .collect()
        };
        let mut fresh = Connection::open_in_memory().unwrap();
        migrate(&mut fresh).unwrap();
        for released in 0..STEPS.len() {
            let mut old = Connection::open_in_memory().unwrap();
            for (_, sql) in &STEPS[..released] {
                old.execute_batch(sql).unwrap();
            }
            old.pragma_update(None, "user_version", released as u32).unwrap();
            migrate(&mut old).unwrap();
            assert_eq!(schema(&fresh), schema(&old), "from version {released}");
        }
    }
}
