//! Every implementation of the two contracts passes the one suite.

use std::sync::Arc;

use fieldseal_sync_server::ledger::blob::{FolderBlobs, MemoryBlobs};
use fieldseal_sync_server::ledger::conformance;
use fieldseal_sync_server::ledger::sqlite::SqliteLedger;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    conformance::ledger(Arc::new(
        SqliteLedger::open(&folder.path().join("ledger.sqlite")).unwrap(),
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_in_memory() {
    conformance::ledger(Arc::new(SqliteLedger::in_memory().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    conformance::blobs(Arc::new(FolderBlobs::open(folder.path()).unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_in_memory() {
    conformance::blobs(Arc::new(MemoryBlobs::default())).await;
}
