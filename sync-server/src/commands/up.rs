//! `up`: one command from an empty folder to a server that answers. What is there already is not made again, so the same
//! command starts it every day.
//!
//! Between the making and the serving lies the ceremony: the root key is on another machine and must stay there. `up` says
//! which file it waits for, takes the key log as soon as it lies there whole, and goes on by itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::init::Init;
use super::leash::Leash;
use super::serve::Serve;
use super::{Failure, Outcome, Report, adopt};
use crate::config::Layout;
use crate::ledger::LedgerStore;
use crate::ledger::sqlite::SqliteLedger;

/// How often the place of the key log is looked at.
const LOOK: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(super) struct Up {
    #[command(flatten)]
    init: Init,
    /// Where the ceremony's key log will lie (default: `key-log.cbor-seq` in the folder).
    #[arg(long)]
    key_log: Option<PathBuf>,
    #[command(flatten)]
    leash: Leash,
}

impl Up {
    pub(super) async fn run(self) -> Outcome {
        let (dir, listen) = (self.init.dir().to_owned(), self.init.listen().to_owned());
        let mut held = self.leash.watch();
        let layout = Layout::new(&dir);
        if !layout.config().exists() {
            self.init.run()?.lines.iter().for_each(|line| println!("{line}"));
        }
        if !adopted(&layout).await? {
            let file = self.key_log.unwrap_or_else(|| dir.join("key-log.cbor-seq"));
            println!("等待密钥日志 waiting for the key log: {}", file.display());
            let report = tokio::select! {
                taken = first_key_log(&dir, &file) => taken?,
                () = held.let_go() => return Ok(Report::done(json!({ "stopped": true }), Vec::new())),
            };
            report.lines.iter().for_each(|line| println!("{line}"));
        }
        Serve::at(dir, listen, self.leash).run_held(held).await
    }
}

/// Whether the server knows its tenant already; its key log has grown since, so the ceremony's file is not asked again.
async fn adopted(layout: &Layout) -> Result<bool, Failure> {
    let ledger = SqliteLedger::open(&layout.ledger()).map_err(Failure::open)?;
    let held = ledger.key_log(0).await.map_err(Failure::open)?;
    Ok(!held.is_empty())
}

/// Waits for the file and takes it. One that is still being copied is looked at again; one that stands still and is wrong is told.
async fn first_key_log(dir: &Path, file: &Path) -> Outcome {
    let mut seen = None;
    loop {
        let size = std::fs::metadata(file).ok().map(|about| about.len());
        if size.is_some() {
            match adopt::run(dir, file).await {
                Err(failure) if seen == size => return Err(failure),
                Err(_) => {}
                done => return done,
            }
        }
        seen = size;
        tokio::time::sleep(LOOK).await;
    }
}
