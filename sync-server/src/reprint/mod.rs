//! Issued documents printed again from their signed fields, and compared with the hash that the tablet signed.
//!
//! ```text
//! document.issue ─fields, pack, day─▶ Typesetting ─fonts of that fingerprint─▶ PDF ─SHA-256─▶ same bytes, or why it cannot be said
//! ```
//! A signature on glass is bound to the hash of a PDF. That the fields of the record give that very PDF nobody has to believe the
//! tablet: whoever has the pack, the fonts and the typesetter can see it. Where one of them is another here, that is said, and
//! never that the document differs.

mod paper;
mod press;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use fieldseal_proof::ids::{BlobHash, CaseId, DocumentId, OpId};
use tokio::sync::Semaphore;

pub use paper::papers;
pub use press::Press;

use crate::ingest::Ingest;
use crate::ledger::LedgerError;
use crate::projection::{CaseFile, PackShelf};
use crate::server::Server;

/// Results that are remembered; above it all are forgotten and come again when asked.
const REMEMBERED: usize = 20_000;

/// What became of printing a document again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reprint {
    /// The very bytes that the tablet signed.
    Same,
    /// With the same pack, fonts and typesetter: other bytes.
    Different { here: BlobHash },
    /// The tablet used font files that are not on this machine.
    OtherFonts,
    /// No fonts at all; the sentence names what to install.
    NoFonts(String),
    /// The tablet printed with another version of the typesetter than this one, and the bytes are not the same.
    OtherTypesetter { there: String, here: String },
    /// The pack of the record was not published here.
    NoPack,
    /// The template that was signed is not the pack's.
    OtherTemplate,
    /// Fields are withheld, contradict each other or are no JSON.
    Unreadable,
    /// The fields cannot be printed with the pack.
    Fails(String),
}

impl Reprint {
    /// One word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different { .. } => "different",
            Self::OtherFonts => "other_fonts",
            Self::NoFonts(_) => "no_fonts",
            Self::OtherTypesetter { .. } => "other_typesetter",
            Self::NoPack => "no_pack",
            Self::OtherTemplate => "other_template",
            Self::Unreadable => "unreadable",
            Self::Fails(_) => "fails",
        }
    }

    /// Whether the record contradicts itself, as against something that is lacking here.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Different { .. } | Self::OtherTemplate | Self::Fails(_))
    }

    /// What belongs to the word.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::Different { here } => Some(here.to_string()),
            Self::OtherTypesetter { there, here } => Some(format!("{there} / {here}")),
            Self::NoFonts(why) | Self::Fails(why) => Some(why.clone()),
            _ => None,
        }
    }
}

/// A PDF of a case, printed again.
#[derive(Debug, Clone)]
pub struct Reprinted {
    pub document: DocumentId,
    /// The operation that signed the hash: the issue, or a signature with its own copy.
    pub operation: OpId,
    /// The role whose strokes are drawn in; `None` for the document as it was issued.
    pub role: Option<String>,
    pub pdf_sha256: BlobHash,
    pub reprint: Reprint,
}

/// Prints for a server, one case at a time, and remembers what came out.
pub struct Reprints {
    fonts: Vec<PathBuf>,
    /// Fonts take some hundred megabytes while they are open.
    turn: Semaphore,
    known: Mutex<BTreeMap<OpId, Reprint>>,
}

impl Reprints {
    /// `fonts` are folders, each with one set of fonts of its own.
    pub fn new(fonts: Vec<PathBuf>) -> Self {
        Self {
            fonts,
            turn: Semaphore::new(1),
            known: Mutex::default(),
        }
    }

    /// Every PDF of a case. The first time takes about a second for the fonts and some tenths for each document; afterwards it
    /// is remembered, but for what was lacking here.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn of_case(
        &self,
        ingest: &Ingest,
        packs: &PackShelf,
        file: &CaseFile,
    ) -> Result<Vec<Reprinted>, LedgerError> {
        let papers = papers(ingest, packs, file).await?;
        let stopped = |e: &dyn std::fmt::Display| LedgerError::Broken(format!("printing again: {e}"));
        let _turn = self.turn.acquire().await.map_err(|e| stopped(&e))?;
        let known = self.known().clone();
        let fonts = self.fonts.clone();
        let printed = tokio::task::spawn_blocking(move || {
            let mut press = Press::new(fonts);
            let print = |paper: paper::Paper| {
                let held = known.get(&paper.operation).cloned();
                let reprint = held.unwrap_or_else(|| press.print(&paper));
                Reprinted {
                    document: paper.document,
                    operation: paper.operation,
                    role: paper.role,
                    pdf_sha256: paper.pdf_sha256,
                    reprint,
                }
            };
            papers.into_iter().map(print).collect::<Vec<_>>()
        });
        let printed = printed.await.map_err(|e| stopped(&e))?;
        let mut known = self.known();
        if known.len() + printed.len() > REMEMBERED {
            known.clear();
        }
        let lasting = printed
            .iter()
            .filter(|one| one.reprint == Reprint::Same || one.reprint.is_fault());
        known.extend(lasting.map(|one| (one.operation, one.reprint.clone())));
        Ok(printed)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<OpId, Reprint>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every PDF of every case, for `fsck`.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn everything(server: &Arc<Server>, cases: &[CaseId]) -> Result<Vec<(CaseId, Reprinted)>, LedgerError> {
    let mut press = Press::new(server.config.fonts.clone());
    let mut all = Vec::new();
    let packs = PackShelf::default();
    for case in cases {
        let Some(file) = CaseFile::load(&server.ingest, &packs, *case).await? else {
            continue;
        };
        for paper in papers(&server.ingest, &packs, &file).await? {
            let reprint = tokio::task::block_in_place(|| press.print(&paper));
            let printed = Reprinted {
                document: paper.document,
                operation: paper.operation,
                role: paper.role,
                pdf_sha256: paper.pdf_sha256,
                reprint,
            };
            all.push((*case, printed));
        }
    }
    Ok(all)
}
