//! The PDFs that a case signed the hash of, with everything that decides their bytes.

use fieldseal_core::domain::view::{DocumentView, SignatureView};
use fieldseal_core::domain::{Day, Typesetting, template_hash};
use fieldseal_core::merge::State;
use fieldseal_core::pack::RulePack;
use fieldseal_proof::ids::{BlobHash, DocumentId, OpId};

use super::Reprint;
use crate::ingest::Ingest;
use crate::ledger::LedgerError;
use crate::projection::{CaseFile, Entry, PackShelf};

/// A PDF whose hash was signed.
pub struct Paper {
    pub document: DocumentId,
    pub operation: OpId,
    /// The role whose strokes are drawn in.
    pub role: Option<String>,
    pub pdf_sha256: BlobHash,
    pub content: Result<Content, Reprint>,
}

/// What it is printed from.
pub struct Content {
    /// More than one where the record does not say which day, or which signatures of another tablet, were known.
    pub candidates: Vec<Typesetting>,
    pub fonts: BlobHash,
    /// Not in records from before it was signed too.
    pub typesetter: Option<String>,
}

/// The documents of a case as they were issued, and the copies with signatures drawn in.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn papers(ingest: &Ingest, packs: &PackShelf, file: &CaseFile) -> Result<Vec<Paper>, LedgerError> {
    let mut all = Vec::new();
    for document in &file.view.view.documents {
        let (Some(entry), Some(pdf_sha256)) = (file.entry(&document.operation), document.pdf_sha256) else {
            continue;
        };
        let pack = match entry.operation.header().pack {
            Some(hash) => packs.get(&*ingest.ledger, hash).await?,
            None => None,
        };
        let issued = issued(&file.state, document, entry, pack.as_deref());
        for (at, signature) in document.signatures.iter().enumerate() {
            let (Some(entry), Some(pdf_sha256)) = (file.entry(&signature.operation), signature.signed_pdf_sha256)
            else {
                continue;
            };
            let before = &document.signatures[..at];
            all.push(Paper {
                document: document.document,
                operation: signature.operation,
                role: signature.role.clone(),
                pdf_sha256,
                content: match &issued {
                    Ok(content) => signed(content, before, signature, entry, file),
                    Err(reprint) => Err(reprint.clone()),
                },
            });
        }
        all.push(Paper {
            document: document.document,
            operation: document.operation,
            role: None,
            pdf_sha256,
            content: issued,
        });
    }
    Ok(all)
}

fn issued(state: &State, document: &DocumentView, entry: &Entry, pack: Option<&RulePack>) -> Result<Content, Reprint> {
    let at = |field: &str| format!("document/{}/{field}", document.document);
    let pack = pack.ok_or(Reprint::NoPack)?;
    let (kind, fields) = (document.kind.as_deref(), state.text(&at("fields")));
    let (Some(kind), Some(fields)) = (kind, fields) else {
        return Err(Reprint::Unreadable);
    };
    let hash = |field: &str| state.bytes(&at(field)).map(BlobHash::from_bytes);
    let (Some(template), Some(fonts)) = (hash("template"), hash("fonts")) else {
        return Err(Reprint::Unreadable);
    };
    if template != template_hash(pack) {
        return Err(Reprint::OtherTemplate);
    }
    // A form that names no day of its own bears that of the print; begun before midnight it was issued a day later.
    let wall_ms = entry.operation.header().clock.wall_ms;
    let offset = pack.head().utc_offset_minutes;
    let days = [wall_ms, wall_ms.saturating_sub(DAY_MS)].map(|ms| Day::of_ms(ms, offset));
    let print = |day: Day| Typesetting::again(pack, kind, &fields, day);
    let mut candidates: Vec<Typesetting> = days.into_iter().flatten().filter_map(print).collect();
    candidates.dedup();
    match candidates.is_empty() {
        true => Err(Reprint::Unreadable),
        false => Ok(Content {
            candidates,
            fonts,
            typesetter: state.text(&at("typesetter")),
        }),
    }
}

const DAY_MS: u64 = 24 * 3600 * 1000;

/// The issued document with the strokes of those who signed before and of this signature. A tablet draws what it knows: surely
/// its own, perhaps those of another one.
fn signed(
    issued: &Content,
    before: &[SignatureView],
    signature: &SignatureView,
    entry: &Entry,
    file: &CaseFile,
) -> Result<Content, Reprint> {
    let same_chain = |of: &&SignatureView| {
        file.entry(&of.operation)
            .is_some_and(|other| other.chain == entry.chain)
    };
    let own: Vec<&SignatureView> = before.iter().filter(same_chain).collect();
    let every: Vec<&SignatureView> = before.iter().collect();
    let mut candidates = Vec::new();
    for typesetting in &issued.candidates {
        for known in [&every, &own] {
            let mut copy = typesetting.clone();
            let mut drawn = true;
            for one in known.iter().copied().chain([signature]) {
                if let (Some(role), Some(name), Some(strokes)) = (&one.role, &one.name, &one.strokes) {
                    drawn = copy.draw(role, name, strokes);
                }
            }
            if drawn {
                candidates.push(copy);
            }
        }
    }
    candidates.dedup();
    Ok(Content {
        candidates,
        fonts: issued.fonts,
        typesetter: issued.typesetter.clone(),
    })
}
