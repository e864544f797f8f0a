//! A server's parts put together, and the workers that follow its log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fieldseal_core::clock::{Clock, SystemClock};
use fieldseal_core::random::{OsRandom, Random, array};
use fieldseal_proof::ids::Epoch;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, Layout};
use crate::custody::Custody;
use crate::incident::kinds;
use crate::ingest::{Ingest, KeyLogState};
use crate::keys::ServerKeys;
use crate::ledger::blob::FolderBlobs;
use crate::ledger::sqlite::SqliteLedger;
use crate::ledger::{BlobStore, ChainKey, Commit, LedgerError, LedgerStore, Swap, space};
use crate::projection::Projection;
use crate::tlog::{LogError, Published, Sequencer, TileFolder, TimeNotes};
use crate::uploads::Uploads;

/// Key of the epoch in the `meta` space.
pub const EPOCH_KEY: &[u8] = b"epoch";
/// Checkpoints are made at most so often: a burst of pushes shares one, and each costs a few fsyncs.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(150);
/// After a failed step (a full disk) the workers try again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// How often expired uploads are looked for: a quarter of their lifetime, within these.
const SWEEP_LEAST: Duration = Duration::from_millis(250);
const SWEEP_MOST: Duration = Duration::from_secs(3600);

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    #[error("keys: {0}")]
    Keys(std::io::Error),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("blobs: {0}")]
    Blobs(#[from] crate::ledger::blob::BlobError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Projection(#[from] crate::projection::ProjectionError),
    #[error("the ceremony has not taken place: run `fieldseal-server adopt` with the root's key log first")]
    NotAdopted,
    #[error("another process works on this folder: {0}")]
    Locked(String),
    #[error("no randomness: {0}")]
    Random(#[from] fieldseal_core::random::RandomError),
}

/// A running server, without its sockets.
pub struct Server {
    pub config: Config,
    pub layout: Layout,
    pub keys: Arc<ServerKeys>,
    pub ledger: Arc<dyn LedgerStore>,
    pub blobs: Arc<dyn BlobStore>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub tiles: TileFolder,
    pub ingest: Arc<Ingest>,
    pub uploads: Uploads,
    pub custody: Custody,
    pub time: TimeNotes,
    pub epoch: Epoch,
    /// Of the token that opens `/metrics`.
    pub metrics_token_sha256: [u8; 32],
    /// The newest checkpoint.
    pub published: watch::Receiver<Published>,
    /// Up to where the feed may show: published, judged and folded.
    pub place: watch::Receiver<u64>,
    /// Set once when something failed after which the process must end.
    pub failed: watch::Sender<Option<String>>,
    /// Set when the server stops: long polls answer at once.
    pub draining: watch::Sender<bool>,
    _lock: std::fs::File,
}

/// What a server's workers do, step by step, for whoever drives it himself: a simulation under one seed says when each happens.
pub struct Steps {
    sequencer: Sequencer,
    projection: Projection,
    folded: watch::Sender<u64>,
    place: watch::Sender<u64>,
}

/// The workers of a server; they stop when told.
pub struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Server {
    /// Opens a server's folder, finishes what was begun, and starts its workers.
    ///
    /// # Errors
    /// Each names what is missing or contradicts itself.
    pub async fn open(root: &Path) -> Result<(Arc<Self>, Workers), OpenError> {
        let layout = Layout::new(root);
        let ledger: Arc<dyn LedgerStore> = Arc::new(SqliteLedger::open(&layout.ledger())?);
        let keep_free = Config::load(&layout)?.limits.keep_free_bytes;
        let blobs: Arc<dyn BlobStore> = Arc::new(FolderBlobs::open(&layout.blobs())?.keeping_free(keep_free));
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(&OsRandom)?);
        Self::with(layout, ledger, blobs, clock, random).await
    }

    /// The same on given stores and ports.
    ///
    /// # Errors
    /// As [`Server::open`].
    pub async fn with(
        layout: Layout,
        ledger: Arc<dyn LedgerStore>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(Arc<Self>, Workers), OpenError> {
        let (server, steps) = Self::at_rest(layout, ledger, blobs, clock, random).await?;
        let (stop, stopped) = watch::channel(false);
        let Steps {
            sequencer,
            projection,
            folded,
            place,
        } = steps;
        let tasks = vec![
            tokio::spawn(sequence(server.clone(), sequencer, stopped.clone())),
            tokio::spawn(project(server.clone(), projection, folded.clone(), stopped.clone())),
            tokio::spawn(show(
                server.ledger.clone(),
                server.published.clone(),
                folded.subscribe(),
                place,
                stopped.clone(),
            )),
            tokio::spawn(sweep(server.clone(), stopped.clone())),
            tokio::spawn(crate::checks::follow(server.clone(), stopped)),
        ];
        Ok((server, Workers { stop, tasks }))
    }

    /// The same without workers: nothing follows the log but what the caller does with [`Steps`].
    ///
    /// # Errors
    /// As [`Server::open`].
    pub async fn at_rest(
        layout: Layout,
        ledger: Arc<dyn LedgerStore>,
        blobs: Arc<dyn BlobStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(Arc<Self>, Steps), OpenError> {
        let lock = lock(&layout)?;
        let config = Config::load(&layout)?;
        let (device, incarnation) = config.ids()?;
        let keys = Arc::new(ServerKeys::load(&layout.keys(), device, incarnation).map_err(OpenError::Keys)?);
        let metrics_token_sha256 = crate::keys::metrics_token(&layout.keys(), &*random).map_err(OpenError::Keys)?;
        let key_log = KeyLogState::load(&*ledger).await?.ok_or(OpenError::NotAdopted)?;
        let epoch = epoch(&*ledger, &*random).await?;
        let tiles = TileFolder::open(&layout.tiles()).map_err(LogError::from)?;
        let own = Some(ChainKey { device, incarnation });
        let sequencer = Sequencer::start(ledger.clone(), tiles.clone(), &config.origin, keys.log.signer(), own).await?;
        let published = sequencer.watch();
        let ingest = Arc::new(Ingest::new(
            ledger.clone(),
            keys.clone(),
            clock.clone(),
            random.clone(),
            &config.origin,
            epoch,
            key_log,
        ));
        let projection = Projection::start(ingest.clone()).await?;
        let time = TimeNotes::new(
            ledger.clone(),
            clock.clone(),
            &config.origin,
            keys.time.signer(),
            published.clone(),
        );
        crate::office::enrolments::make_index(&*ledger).await?;
        let uploads = Uploads::new(ingest.clone(), blobs.clone(), config.limits);
        uploads.recover().await?;
        let (place, shown) = watch::channel(0);
        let failed = watch::Sender::new(None);
        let server = Arc::new(Self {
            config,
            layout,
            keys,
            ledger,
            blobs,
            clock,
            random,
            tiles,
            ingest,
            uploads,
            custody: Custody::default(),
            time,
            epoch,
            metrics_token_sha256,
            published,
            place: shown,
            failed,
            draining: watch::Sender::new(false),
            _lock: lock,
        });
        let steps = Steps {
            folded: watch::Sender::new(projection.place()),
            sequencer,
            projection,
            place,
        };
        Ok((server, steps))
    }

    /// The address that devices are told.
    ///
    /// # Errors
    /// When the card cannot be read.
    pub fn public_url(&self) -> std::io::Result<String> {
        let card = std::fs::read(self.layout.root.join("card.json"))?;
        let card: serde_json::Value = serde_json::from_slice(&card)?;
        let url = card["url"].as_str().unwrap_or_default();
        // It is shown inside a shell command.
        let plain = |c: char| c.is_ascii_alphanumeric() || ":/.-_[]".contains(c);
        Ok(url.chars().filter(|c| plain(*c)).collect())
    }

    /// SHA-256 of the certificate that clients see, hex: what a browser shows.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn tls_sha256(&self) -> std::io::Result<String> {
        use rustls_pki_types::pem::PemObject;
        let text = std::fs::read(self.layout.certificate())?;
        let first = rustls_pki_types::CertificateDer::from_pem_slice(&text)
            .map_err(|e| std::io::Error::other(format!("the TLS certificate: {e:?}")))?;
        Ok(hex::encode(fieldseal_proof::hash::sha256(&first)))
    }

    /// Ends the process soon: its state on disk is unknown until it is read again.
    fn fail(&self, worker: &str, what: String) {
        tracing::error!(worker, what, "a worker stopped");
        self.failed.send_replace(Some(format!("{worker}: {what}")));
    }
}

impl Steps {
    /// Integrates and publishes what was admitted since the last checkpoint; `false` when there was nothing.
    ///
    /// # Errors
    /// As [`Sequencer::step`].
    pub async fn sequence(&mut self) -> Result<bool, LogError> {
        self.sequencer.step().await
    }

    /// Judges and folds the next operations; `false` when there were none, and then what waited for something else was
    /// judged again.
    ///
    /// # Errors
    /// As [`Projection::step`]; after one the server is to be started again.
    pub async fn project(&mut self) -> Result<bool, crate::projection::ProjectionError> {
        if !self.projection.step().await? {
            self.projection.reconsider().await?;
            return Ok(false);
        }
        self.folded.send_replace(self.projection.place());
        Ok(true)
    }

    /// Lets the feed show what is both published and judged by now.
    ///
    /// # Errors
    /// When the ledger cannot be read; the feed then waits.
    pub async fn show(&mut self, server: &Server) -> Result<(), LedgerError> {
        let size = server.published.borrow().size;
        let arrived = server.ledger.arrived(size).await?;
        advance(&self.place, arrived, *self.folded.borrow());
        Ok(())
    }
}

impl Workers {
    /// Lets each finish its step, and waits.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

fn lock(layout: &Layout) -> Result<std::fs::File, OpenError> {
    let failed = |e: String| OpenError::Locked(e);
    let path = layout.lock();
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|e| failed(e.to_string()))?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(e) => Err(failed(e.to_string())),
    }
}

/// The server's epoch; made at the first start.
pub(crate) async fn epoch(ledger: &dyn LedgerStore, random: &dyn Random) -> Result<Epoch, OpenError> {
    if let Some(register) = ledger.register(space::META, EPOCH_KEY.to_vec()).await? {
        let bytes = register
            .value
            .as_slice()
            .try_into()
            .map_err(|_| LedgerError::Corrupt("the epoch".into()))?;
        return Ok(Epoch::from_bytes(bytes));
    }
    let bytes: [u8; 16] = array(random)?;
    ledger
        .commit(Commit::of(vec![Swap::create(space::META, EPOCH_KEY, bytes)]))
        .await?;
    Ok(Epoch::from_bytes(bytes))
}

async fn sequence(server: Arc<Server>, mut sequencer: Sequencer, mut stopped: watch::Receiver<bool>) {
    let mut admitted = server.ingest.follow();
    loop {
        match sequencer.step().await {
            Ok(true) => {
                pause(CHECKPOINT_PAUSE, &mut stopped).await;
            }
            Ok(false) => {
                if *stopped.borrow() {
                    return;
                }
                tokio::select! {
                    changed = admitted.changed() => if changed.is_err() { return },
                    _ = stopped.changed() => {}
                }
            }
            Err(LogError::Ledger(LedgerError::Full) | LogError::Tiles(_)) if !*stopped.borrow() => {
                tracing::warn!(code = "log_unreachable", "the log cannot advance; trying again");
                pause(TRY_AGAIN, &mut stopped).await;
            }
            // What froze the log is sizes of trees, and what to do about it.
            Err(error @ (LogError::Frozen(_) | LogError::Fenced)) => {
                return server.fail("sequencer", error.to_string());
            }
            Err(error) => return server.fail("sequencer", kinds(&error)),
        }
    }
}

async fn project(
    server: Arc<Server>,
    mut projection: Projection,
    folded: watch::Sender<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut admitted = server.ingest.follow();
    loop {
        match projection.step().await {
            Ok(true) => {
                folded.send_replace(projection.place());
                if *stopped.borrow() {
                    return;
                }
            }
            Ok(false) => {
                if *stopped.borrow() {
                    return;
                }
                tokio::select! {
                    changed = admitted.changed() => if changed.is_err() { return },
                    _ = stopped.changed() => {}
                }
                if let Err(error) = projection.reconsider().await {
                    return server.fail("projection", kinds(&error));
                }
            }
            Err(crate::projection::ProjectionError::Ledger(LedgerError::Full | LedgerError::Conflict(_)))
                if !*stopped.borrow() =>
            {
                pause(TRY_AGAIN, &mut stopped).await;
                match Projection::start(server.ingest.clone()).await {
                    Ok(again) => projection = again,
                    Err(error) => return server.fail("projection", kinds(&error)),
                }
            }
            Err(error) => return server.fail("projection", kinds(&error)),
        }
    }
}

/// The feed shows what is both published and judged.
async fn show(
    ledger: Arc<dyn LedgerStore>,
    mut published: watch::Receiver<Published>,
    mut folded: watch::Receiver<u64>,
    place: watch::Sender<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let size = published.borrow_and_update().size;
        // A read that fails is tried again with the next checkpoint; the feed waits so long.
        let arrived = ledger.arrived(size).await.unwrap_or(0);
        advance(&place, arrived, *folded.borrow_and_update());
        tokio::select! {
            changed = published.changed() => if changed.is_err() { return },
            changed = folded.changed() => if changed.is_err() { return },
            _ = stopped.changed() => return,
        }
    }
}

/// Moves the place of the feed; it never goes back.
fn advance(place: &watch::Sender<u64>, arrived: u64, folded: u64) {
    let next = arrived.min(folded).max(*place.borrow());
    place.send_if_modified(|now| std::mem::replace(now, next) != next);
}

/// Drops uploads that have expired.
async fn sweep(server: Arc<Server>, mut stopped: watch::Receiver<bool>) {
    let span = Duration::from_secs(server.config.limits.upload_keep_s / 4).clamp(SWEEP_LEAST, SWEEP_MOST);
    while !*stopped.borrow() {
        match server.uploads.sweep().await {
            Ok(swept) if swept.uploads > 0 => {
                metrics::counter!("uploads_expired_total").increment(swept.uploads);
                tracing::info!(
                    uploads = swept.uploads,
                    bytes = swept.bytes,
                    "expired uploads were dropped"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(
                what = kinds(&error),
                "expired uploads could not be dropped; the next sweep tries again"
            ),
        }
        pause(span, &mut stopped).await;
    }
}

async fn pause(span: Duration, stopped: &mut watch::Receiver<bool>) {
    tokio::select! {
        () = tokio::time::sleep(span) => {}
        _ = stopped.changed() => {}
    }
}
