//! Exports under way and done. They live as long as the process: a restart forgets them and the person asks again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_core::catalogue::{Message, Param};
use fieldseal_core::random::{RandomError, array};
use fieldseal_proof::bundle::Report;
use fieldseal_proof::ids::{CaseId, to_hex};

use super::{HearingError, own_trust, verify_file};
use crate::export::{ExportError, Wish, export_case};
use crate::incident::kinds;
use crate::server::Server;

/// Bundles that are kept for download; the oldest goes first.
const KEPT: usize = 8;

/// How an export stands.
#[derive(Debug, Clone)]
pub enum State {
    /// The roll is signed and the files are gathered.
    Writing,
    /// The verifier has read so many bytes of so many.
    Verifying {
        read: u64,
        of: u64,
    },
    Done(Arc<Done>),
    Failed(String),
    /// Not begun, and why: nothing is wrong with the server or the case.
    Refused(Message),
}

/// A bundle that can be fetched.
#[derive(Debug)]
pub struct Done {
    pub zip: PathBuf,
    pub bytes: u64,
    pub files: usize,
    /// Size of the checkpoint that it stands under.
    pub checkpoint: u64,
    /// SHA-256 of the tag manifest, hex: the bundle's name in the log and on paper.
    pub tag_manifest_sha256: String,
    pub report: Report,
}

/// One export.
#[derive(Debug, Clone)]
pub struct Job {
    pub case: CaseId,
    /// Who asked, as the access log says it: nobody else sees the job.
    pub who: String,
    pub begun_ms: u64,
    pub state: State,
}

/// All of them.
#[derive(Default)]
pub struct Jobs {
    all: Mutex<BTreeMap<String, Job>>,
}

impl Jobs {
    /// Begins an export; returns its name. The caller has written it into the access log. `at`: size of an earlier checkpoint.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn begin(
        self: &Arc<Self>,
        server: &Arc<Server>,
        case: CaseId,
        at: Option<u64>,
        who: String,
    ) -> Result<String, RandomError> {
        let name: [u8; 16] = array(&*server.random)?;
        let name = hex::encode(name);
        let begun_ms = server.clock.now().wall_ms;
        let job = Job {
            case,
            who: who.clone(),
            begun_ms,
            state: State::Writing,
        };
        self.make_room();
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), job);
        let (jobs, server, key) = (self.clone(), server.clone(), name.clone());
        tokio::spawn(async move {
            let wish = Wish {
                case,
                at,
                despite_awaited: false,
                by: &who,
            };
            let state = match work(&jobs, &server, wish, &key).await {
                Ok(done) => State::Done(Arc::new(done)),
                Err(error) => match refusal(&error) {
                    Some(message) => State::Refused(message),
                    None => {
                        tracing::error!(what = kinds(&error), "an export failed");
                        State::Failed(error.to_string())
                    }
                },
            };
            jobs.set(&key, state);
        });
        Ok(name)
    }

    /// A job of this person.
    pub fn find(&self, name: &str, who: &str) -> Option<Job> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name).filter(|job| job.who == who).cloned()
    }

    /// The newest finished export of a case by this person.
    pub fn newest(&self, case: CaseId, who: &str) -> Option<(String, Job)> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let of_case = all.iter().filter(|(_, job)| job.case == case && job.who == who);
        of_case
            .max_by_key(|(_, job)| job.begun_ms)
            .map(|(name, job)| (name.clone(), job.clone()))
    }

    fn set(&self, name: &str, state: State) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(job) = all.get_mut(name) {
            job.state = state;
        }
    }

    /// Removes the oldest finished ones and their files.
    fn make_room(&self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over: Vec<(u64, String)> = all
            .iter()
            .filter(|(_, job)| matches!(job.state, State::Done(_) | State::Failed(_) | State::Refused(_)))
            .map(|(name, job)| (job.begun_ms, name.clone()))
            .collect();
        over.sort_unstable();
        let surplus = (over.len() + 1).saturating_sub(KEPT);
        for (_, name) in over.into_iter().take(surplus) {
            if let Some(State::Done(done)) = all.remove(&name).map(|job| job.state) {
                // A file that is gone already is as good as removed; one that cannot be is swept at the next start.
                let _ = std::fs::remove_file(&done.zip);
            }
        }
    }
}

/// Removes what a process before this one left in the folder of exports: nobody can ask for it any more.
pub fn sweep(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    for file in files.flatten().map(|file| file.path()) {
        if file.extension().is_some_and(|ending| ending == "zip") {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// What the person who asked can do something about, in the catalogue's words; `None` for a fault.
fn refusal(error: &HearingError) -> Option<Message> {
    let size = |size: &u64| [("size", Param::Count(*size))];
    match error {
        HearingError::Export(ExportError::Awaiting(_)) => Some(Message::new("export_awaits", [])),
        HearingError::Export(ExportError::NoSuchCheckpoint(of)) => Some(Message::new("no_such_checkpoint", size(of))),
        HearingError::Export(ExportError::NoRoll(of)) => Some(Message::new("no_roll_then", size(of))),
        _ => None,
    }
}

async fn work(jobs: &Arc<Jobs>, server: &Arc<Server>, wish: Wish<'_>, name: &str) -> Result<Done, HearingError> {
    let exported = export_case(server, wish, &server.layout.root.join("exports")).await?;
    let unreadable = |e: &dyn std::fmt::Display| HearingError::Unreadable(e.to_string());
    let bytes = std::fs::metadata(&exported.zip).map_err(|e| unreadable(&e))?.len();
    jobs.set(name, State::Verifying { read: 0, of: bytes });
    let trust = own_trust(server)?;
    let (told, key) = (jobs.clone(), name.to_owned());
    let shown = AtomicU64::new(0);
    let progress = move |read: u64| {
        // Once a mebibyte is often enough for a person.
        if read >= shown.load(Ordering::Relaxed) + (1 << 20) {
            shown.store(read, Ordering::Relaxed);
            told.set(
                &key,
                State::Verifying {
                    read: read.min(bytes),
                    of: bytes,
                },
            );
        }
    };
    let zip = exported.zip.clone();
    let verified = tokio::task::spawn_blocking(move || verify_file(&zip, &trust, Arc::new(progress)));
    let report = verified.await.map_err(|e| unreadable(&e))??;
    Ok(Done {
        zip: exported.zip,
        bytes,
        files: exported.summary.files,
        checkpoint: exported.checkpoint,
        tag_manifest_sha256: to_hex(&exported.summary.tag_manifest_sha256),
        report,
    })
}
