//! The one thread that writes. Commits that wait at the same time share one transaction and one fsync.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::LedgerError;
use super::rows::failed;

/// Commits that may wait. Beyond it callers wait to be let in, which is what bounds the memory of a burst.
const QUEUE: usize = 256;
/// Commits that share a transaction at most: bounds how long the first of them waits for its fsync.
const GROUP: usize = 64;

type Finish = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;
/// Runs inside the transaction; says whether its changes stay, and what to tell the caller afterwards.
type Job = Box<dyn FnOnce(&Connection) -> (bool, Finish) + Send>;

pub(super) struct Writer {
    jobs: SyncSender<Job>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, LedgerError> {
        let (jobs, queue) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("ledger-writer".into())
            .spawn(move || write_all(connection, queue))
            .map_err(|e| LedgerError::Broken(e.to_string()))?;
        Ok(Self { jobs })
    }

    /// Runs `f` in a transaction of its own or shared with others (then in a savepoint); the answer comes after the commit.
    pub(super) fn run<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, LedgerError> + Send + 'static,
    ) -> impl Future<Output = Result<T, LedgerError>> + Send + 'static {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = f(connection);
            let keep = done.is_ok();
            let finish: Finish = Box::new(move |committed| {
                // A caller that went away does not need the answer; what it asked for is durable all the same.
                let _ = tell.send(committed.and(done));
            });
            (keep, finish)
        });
        let jobs = self.jobs.clone();
        async move {
            let gone = || LedgerError::Broken("the writer has stopped".into());
            match jobs.try_send(job) {
                Ok(()) => {}
                Err(std::sync::mpsc::TrySendError::Full(job)) => {
                    let queued = tokio::task::spawn_blocking(move || jobs.send(job)).await;
                    queued.map_err(|_| gone())?.map_err(|_| gone())?;
                }
                Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return Err(gone()),
            }
            told.await.map_err(|_| gone())?
        }
    }
}

fn write_all(connection: Connection, queue: Receiver<Job>) {
    while let Ok(first) = queue.recv() {
        let mut jobs = vec![first];
        while jobs.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            jobs.push(next);
        }
        let (finishers, outcome) = transact(&connection, jobs);
        let broken = matches!(outcome, Err(LedgerError::Broken(_)));
        for finish in finishers {
            finish(outcome.clone());
        }
        if broken {
            // After a failed write or fsync nobody knows what is on the disk. Whoever starts the process again reads it.
            tracing::error!(code = "ledger_broken", "the ledger writer stops");
            return;
        }
    }
    // A clean end: fold the WAL back, so that a copy of the one file is whole.
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

fn transact(connection: &Connection, jobs: Vec<Job>) -> (Vec<Finish>, Result<(), LedgerError>) {
    let mut finishers = Vec::with_capacity(jobs.len());
    let step = |sql: &str| {
        connection
            .prepare_cached(sql)
            .and_then(|mut s| s.execute([]))
            .map(|_| ())
            .map_err(failed)
    };
    if let Err(e) = step("BEGIN IMMEDIATE") {
        let refuse = |job: Job| -> Finish { job_refused(job, connection) };
        return (jobs.into_iter().map(refuse).collect(), Err(e));
    }
    let mut outcome = Ok(());
    for job in jobs {
        outcome = outcome.and_then(|()| step("SAVEPOINT job"));
        let (keep, finish) = job(connection);
        finishers.push(finish);
        if !keep {
            outcome = outcome.and_then(|()| step("ROLLBACK TO job"));
        }
        outcome = outcome.and_then(|()| step("RELEASE job"));
    }
    outcome = outcome.and_then(|()| step("COMMIT"));
    if outcome.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    (finishers, outcome)
}

/// The transaction could not begin: the job runs nowhere. It still has to be told, so it runs against a savepoint that is
/// rolled back at once.
fn job_refused(job: Job, connection: &Connection) -> Finish {
    let _ = connection.execute_batch("SAVEPOINT refused");
    let (_, finish) = job(connection);
    let _ = connection.execute_batch("ROLLBACK TO refused; RELEASE refused");
    finish
}
