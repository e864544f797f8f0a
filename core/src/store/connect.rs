//! Opening the database: key, pragmas, migrations.
//!
//! | pragma | value | why |
//! |---|---|---|
//! | key | raw 32 bytes | the key is random, so no stretching is needed |
//! | journal_mode | WAL | readers do not wait for a writer |
//! | synchronous | FULL | an acknowledged operation survives a power cut |
//! | foreign_keys | ON | SQLite leaves it off unless told, for each connection (<https://sqlite.org/foreignkeys.html>) |
//! | temp_store | MEMORY | nothing unencrypted reaches the disk |
//! | busy_timeout | as given | a second process waits a bounded time |

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use zeroize::Zeroizing;

use super::{StoreError, StorePorts, migrate};

/// A mark beside the database: check every page at the next start.
pub(super) const SUSPECT: &str = "store.suspect";

/// Opens a database, making it if there is none, and brings it to the newest version.
pub(super) fn open(path: &Path, key: &[u8; 32], ports: &StorePorts) -> Result<Connection, StoreError> {
    let mut connection = open_raw(path, key, ports)?;
    // The first read is where a wrong key or a damaged first page shows.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let suspect = path.with_file_name(SUSPECT);
    if suspect.exists() {
        check_every_page(&connection)?;
        std::fs::remove_file(&suspect).map_err(StoreError::file("removing", &suspect))?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if let Some(pages) = ports.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    migrate::migrate(&mut connection)?;
    Ok(connection)
}

/// Opens a database with its key and nothing else.
pub(super) fn open_raw(path: &Path, key: &[u8; 32], ports: &StorePorts) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_millis(ports.wait_ms))?;
    let mut statement = Zeroizing::new(String::with_capacity(96));
    statement.push_str("PRAGMA key = \"x'");
    for byte in key {
        // Writing to a string cannot fail.
        let _ = write!(statement, "{byte:02x}");
    }
    statement.push_str("'\"");
    connection.execute_batch(&statement)?;
    // SQLCipher would write its findings to standard error; they come back as errors here.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    Ok(connection)
}

/// Reads every page: its authentication code, and the shape of the trees.
pub(super) fn check_every_page(connection: &Connection) -> Result<(), StoreError> {
    let first: Option<String> = {
        let mut statement = connection.prepare("PRAGMA cipher_integrity_check")?;
        let mut rows = statement.query([])?;
        rows.next()?.map(|row| row.get(0)).transpose()?
    };
    if let Some(fault) = first {
        return Err(StoreError::Damaged(fault));
    }
    let shape: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if shape == "ok" {
        Ok(())
    } else {
        Err(StoreError::Damaged(shape))
    }
}
