//! The server: the real one, driven step by step, on a disk that survives its kills.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use fieldseal_core::clock::Clock;
use fieldseal_core::random::Random;
use fieldseal_core::sync::message::Response;
use fieldseal_sync_server::config::Layout;
use fieldseal_sync_server::ledger::blob::MemoryBlobs;
use fieldseal_sync_server::ledger::sqlite::SqliteLedger;
use fieldseal_sync_server::ledger::{BlobStore, LedgerStore};
use fieldseal_sync_server::server::{Server, Steps};
use tokio::runtime::Runtime;
use tower::Service;

use crate::folder;
use crate::fuse::{Fuse, FusedBlobs, FusedLedger};
use crate::network::Call;

/// The machine that the server runs on.
pub struct Host {
    folder: PathBuf,
    home: PathBuf,
    lives: u32,
    blobs: Arc<MemoryBlobs>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    process: Option<Process>,
    backup: Option<Backup>,
    /// Every checkpoint that was ever published: size and root.
    pub published: BTreeMap<u64, [u8; 32]>,
}

struct Process {
    router: Router,
    steps: Steps,
    server: Arc<Server>,
    fuse: Arc<Fuse>,
    runtime: Runtime,
}

struct Backup {
    ledger: PathBuf,
    blobs: Arc<MemoryBlobs>,
}

/// One of the things a server does by itself.
#[derive(Debug, Clone, Copy)]
pub enum Chore {
    Sequence,
    Project,
    Show,
}

impl Host {
    /// A machine whose disk begins as a copy of `home`.
    pub fn new(folder: PathBuf, home: &Path, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let mut host = Self {
            home: folder.join("server-0"),
            folder,
            lives: 0,
            blobs: Arc::default(),
            clock,
            random,
            process: None,
            backup: None,
            published: BTreeMap::new(),
        };
        folder::copy(home, &host.home);
        host.start();
        host
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn server(&self) -> &Server {
        &self.process.as_ref().expect("the server runs").server
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the server runs")
    }

    fn start(&mut self) {
        let runtime = runtime();
        let fuse = Fuse::new();
        let layout = Layout::new(&self.home);
        let ledger = FusedLedger {
            inner: SqliteLedger::open(&layout.ledger()).expect("the ledger opens"),
            fuse: fuse.clone(),
        };
        let blobs = FusedBlobs {
            inner: self.blobs.clone(),
            fuse: fuse.clone(),
        };
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let opened = runtime.block_on(Server::at_rest(
            layout,
            Arc::new(ledger),
            Arc::new(blobs),
            clock,
            random,
        ));
        let (server, steps) = opened.unwrap_or_else(|e| panic!("the server does not start: {e}"));
        self.process = Some(Process {
            router: fieldseal_sync_server::api::router(server.clone()),
            steps,
            server,
            fuse,
            runtime,
        });
        self.note_published();
    }

    /// Answers a request; `None` when the server was killed at it, after `lives_on` more durable effects.
    pub fn ask(&mut self, call: &Call, cut: Option<usize>, lives_on: Option<u32>) -> Option<Response> {
        let process = self.process();
        if let Some(effects) = lives_on {
            process.fuse.light(effects);
        }
        let (mut router, fuse) = (process.router.clone(), process.fuse.clone());
        let answered = process.runtime.block_on(async move {
            tokio::select! {
                biased;
                () = fuse.burnt() => None,
                answer = async {
                    let answer = router.call(call.http(cut)).await.unwrap_or_else(|never| match never {});
                    read(answer).await
                } => Some(answer),
            }
        });
        process.fuse.put_out();
        if answered.is_none() {
            self.kill();
        }
        answered
    }

    /// Does one chore; `None` when the server was killed at it, else whether there was anything to do.
    pub fn work(&mut self, chore: Chore, lives_on: Option<u32>) -> Option<bool> {
        let process = self.process();
        if let Some(effects) = lives_on {
            process.fuse.light(effects);
        }
        let (steps, server, fuse) = (&mut process.steps, &process.server, process.fuse.clone());
        let done = process.runtime.block_on(async {
            let chore = async {
                match chore {
                    Chore::Sequence => steps.sequence().await.map_err(|e| e.to_string()),
                    Chore::Project => steps.project().await.map_err(|e| e.to_string()),
                    Chore::Show => steps.show(server).await.map(|()| false).map_err(|e| e.to_string()),
                }
            };
            tokio::select! {
                biased;
                () = fuse.burnt() => None,
                done = chore => Some(done),
            }
        });
        process.fuse.put_out();
        match done {
            Some(Ok(any)) => {
                self.note_published();
                Some(any)
            }
            Some(Err(why)) => panic!("the server cannot {chore:?}: {why}"),
            None => {
                self.kill();
                None
            }
        }
    }

    /// Everything that it can do by itself now.
    pub fn settle(&mut self) {
        while [Chore::Project, Chore::Sequence]
            .into_iter()
            .any(|chore| self.work(chore, None) == Some(true))
        {}
        self.work(Chore::Show, None);
    }

    /// Reads the stores.
    pub fn read<T>(&self, read: impl AsyncFnOnce(&dyn LedgerStore) -> T) -> T {
        let process = self.process.as_ref().expect("the server runs");
        process.runtime.block_on(read(&*process.server.ledger))
    }

    /// SIGKILL, and a start from what lies on the disk.
    pub fn kill(&mut self) {
        let next = self.next_home();
        folder::copy(&self.home, &next);
        self.leave();
        self.home = next;
        self.start();
    }

    /// Takes a backup: ledger and files of this moment. The tiles are kept apart and stay newer.
    pub fn back_up(&mut self) {
        let ledger = self.folder.join("backup.sqlite");
        let _ = std::fs::remove_file(&ledger);
        let path = ledger.clone();
        self.read(async |store| store.copy_to(path).await)
            .expect("a backup can be taken");
        let blobs = Arc::new(MemoryBlobs::default());
        let (from, to) = (self.blobs.clone(), blobs.clone());
        let copied = self.process().runtime.block_on(async move {
            for name in from.names().await? {
                let size = from.size(&name).await?;
                to.append(&name, 0, from.read(&name, 0, usize::try_from(size).unwrap_or(0)).await?)
                    .await?;
                to.publish(&name).await?;
            }
            Ok::<(), fieldseal_sync_server::ledger::blob::BlobError>(())
        });
        copied.expect("a backup can be taken");
        self.backup = Some(Backup { ledger, blobs });
    }

    pub fn has_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// The disk is lost: ledger from the backup, tiles from their own place, files as old as the ledger or as new as they were.
    pub fn restore(&mut self, files_too: bool) {
        let backup = self.backup.take().expect("there is a backup");
        let next = self.next_home();
        folder::copy(&self.home, &next);
        let layout = Layout::new(&next);
        self.leave();
        for name in ["ledger.sqlite-wal", "lock"] {
            let _ = std::fs::remove_file(next.join(name));
        }
        std::fs::copy(&backup.ledger, layout.ledger()).expect("the backup can be read");
        let (clock, random) = (self.clock.clone(), self.random.clone());
        let taken = runtime().block_on(fieldseal_sync_server::commands::take_up(&layout, clock, random));
        taken.unwrap_or_else(|e| panic!("the backup is refused: {e}"));
        if files_too {
            self.blobs = backup.blobs;
        }
        self.home = next;
        self.start();
    }

    fn next_home(&mut self) -> PathBuf {
        self.lives += 1;
        self.folder.join(format!("server-{}", self.lives))
    }

    /// The process is gone, and what was in its memory with it.
    fn leave(&mut self) {
        if let Some(process) = self.process.take() {
            // First the runtime with the tasks that hang on it, then what they held.
            let Process {
                runtime,
                router,
                steps,
                server,
                ..
            } = process;
            drop(runtime);
            drop((router, steps, server));
        }
        folder::drop_all(&self.home);
    }

    fn note_published(&mut self) {
        let published = self.server().published.borrow().clone();
        if published.size > 0 {
            let before = self.published.insert(published.size, published.root);
            assert!(
                before.is_none_or(|root| root == published.root),
                "two roots were published for {} leaves",
                published.size
            );
        }
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts")
}

async fn read(answer: axum::response::Response) -> Response {
    let (parts, body) = answer.into_parts();
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("an answer ends");
    Response {
        status: parts.status.as_u16(),
        headers: parts.headers.iter().map(header).collect(),
        body: body.to_vec(),
    }
}
