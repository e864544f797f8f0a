//! Numbered SQL files, applied once, each in one transaction with its version.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Every migration in order; the version of a database is how many it has seen. A file is never edited after a release.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/001_first.sql"),
    include_str!("../../migrations/002_inspection_view.sql"),
    include_str!("../../migrations/003_strays.sql"),
];

/// Brings a database to the newest version.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (version, sql) in (1..).zip(MIGRATIONS) {
        if version <= found {
            continue;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have migrated while this one waited for the lock.
        let now: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if now < version {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", version)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldseal_proof::hash::sha256;
    use fieldseal_proof::ids::to_hex;

    #[test]
    fn migrations_are_never_edited() {
        let pinned = [
            "3d53a725ac436d544eedb20aa95b5a72b7509b7438350c83d28671045a2f3169",
            "116776896a2a383d1d4b0c2647680a8188e2b20bc8466a380b05aa94349fed58",
            "fb7987ee915d9cecf054902ddbe9c765595e6c6e8e8019558c9aab8dbf0bc31a",
        ];
        let found: Vec<String> = MIGRATIONS.iter().map(|sql| to_hex(&sha256(sql.as_bytes()))).collect();
        assert_eq!(found, pinned);
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(
            migrate(&mut connection),
            Err(StoreError::Newer { found: 99, .. })
        ));
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))
            .unwrap();
        assert_eq!(tables, 0);
    }
}
