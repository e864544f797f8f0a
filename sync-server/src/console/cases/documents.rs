//! The documents of a case: number, state, the PDF by its hash, who signed and whether it was this very file.
//!
//! A state is what signed records prove. Drafts stay on their tablet, and no record of this version is a proof of service or says
//! that one document corrects another: such states are never shown, and the page says so.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use fieldseal_core::catalogue::trust;
use fieldseal_core::domain::view::DocumentView;

use super::{CaseBar, OpenCase, Tab, open};
use crate::api::App;
use crate::console::error::{PageError, url_escaped};
use crate::console::page::{Page, html};
use crate::console::trust::{BracketFigure, ReceiptList, SignedBy};
use crate::console::visitor::Desk;
use crate::console::words::Words;
use crate::projection::CaseFile;
use crate::reprint::{Reprint, Reprinted};
use crate::tlog::bracket;

struct Signature {
    who: String,
    role: String,
    outcome: String,
    refused: bool,
    reason: Option<String>,
    witness: Option<String>,
    same_pdf: bool,
    signed_copy: Option<String>,
}

struct Document {
    id: String,
    name: String,
    number: Option<String>,
    state: DocumentState,
    later: Option<Later>,
    pages: Option<u64>,
    sha256: Option<String>,
    pdf: Option<String>,
    not_here: bool,
    made: SignedBy,
    /// Printed again here: the sentence, and whether it is a fault.
    reprint: Option<(String, bool)>,
    attested: Vec<SignedBy>,
    signatures: Vec<Signature>,
    figure: BracketFigure,
    receipts: ReceiptList,
}

/// A document of the same kind that was made after one, in the same inspection.
struct Later {
    called: String,
    /// It is called by its number, which is Chinese on every page.
    numbered: bool,
    /// Its place on the page.
    href: String,
}

/// Where a document stands, by the signatures that are held.
struct DocumentState {
    word: String,
    /// Somebody has yet to sign.
    open: bool,
    /// Somebody refused to.
    refused: bool,
}

impl DocumentState {
    /// `missing`: who has neither signed nor refused; `refused`: who refused.
    fn of(words: Words, missing: &[String], refused: &[String]) -> Self {
        let listed = |names: &[String]| trust::listed(words.lang, names);
        let word = match (missing.is_empty(), refused.is_empty()) {
            (false, _) => words.t1("document.awaiting", "who", listed(missing)),
            (true, false) => words.t1("document.refused", "who", listed(refused)),
            (true, true) => words.t("document.signed"),
        };
        Self {
            word,
            open: !missing.is_empty(),
            refused: !refused.is_empty(),
        }
    }
}

#[derive(Template)]
#[template(path = "cases/documents.html")]
struct DocumentsPage {
    page: Page,
    bar: CaseBar,
    documents: Vec<Document>,
}

/// `GET /console/cases/{case}/documents`
pub async fn page(State(app): State<App>, desk: Desk, Path(case): Path<String>) -> Result<Response, PageError> {
    let opened = open(&app, &desk, &case, Tab::Documents).await?;
    let printed = app
        .reprints
        .of_case(&app.server.ingest, &app.shelves.packs, &opened.file);
    let printed = printed.await?;
    let mut documents = Vec::new();
    for document in &opened.file.view.view.documents {
        let of_document = printed.iter().filter(|one| one.document == document.document);
        documents.push(shown(&app, &opened, document, worst(of_document)).await?);
    }
    html(&DocumentsPage {
        documents,
        page: opened.page,
        bar: opened.bar,
    })
}

/// Of a document and its signed copies: a fault before what is lacking here, that before the same bytes.
fn worst<'a>(printed: impl Iterator<Item = &'a Reprinted>) -> Option<&'a Reprint> {
    printed
        .map(|one| &one.reprint)
        .max_by_key(|reprint| (reprint.is_fault(), **reprint != Reprint::Same))
}

/// The next document of the same kind that the same inspection made. That it was made is proven; that it corrects is not.
fn later(file: &CaseFile, document: &DocumentView, name: &str) -> Option<Later> {
    let inspection = |of: &DocumentView| {
        file.entry(&of.operation)
            .and_then(|entry| entry.operation.header().inspection)
    };
    let kind = document.kind.as_ref()?;
    let after = file
        .view
        .view
        .documents
        .iter()
        .skip_while(|one| one.document != document.document);
    let same = |one: &&DocumentView| one.kind.as_ref() == Some(kind) && inspection(one) == inspection(document);
    let next = after.skip(1).find(same)?;
    Some(Later {
        numbered: next.number.is_some(),
        called: next.number.clone().unwrap_or_else(|| name.to_owned()),
        href: format!("#d-{}", next.document),
    })
}

async fn shown(
    app: &App,
    opened: &OpenCase,
    document: &DocumentView,
    reprint: Option<&Reprint>,
) -> Result<Document, PageError> {
    let OpenCase { file, wording, .. } = opened;
    let words = wording.words;
    let entry = file.entry(&document.operation).ok_or(PageError::NotFound)?;
    let header = entry.operation.header();
    let logged = entry.leaf < app.server.published.borrow().size;
    let sealed = bracket(&*app.server.ledger, header.anchor, entry.leaf).await?;
    let here = match &document.pdf_sha256 {
        Some(sha256) => app.server.uploads.blob(sha256.as_bytes()).await?.is_some(),
        None => false,
    };
    let kind = document.kind.as_deref();
    let name = kind.map_or_else(
        || words.t("label.type"),
        |id| {
            let known = file.pack.as_deref().and_then(|pack| pack.document(id));
            known.map_or_else(
                || id.to_owned(),
                |definition| definition.name.text(words.lang).to_owned(),
            )
        },
    );
    let role = |role: &String| match role.parse() {
        Ok(id) => wording.officer(file, &id),
        Err(_) => words.t(&format!("role.{role}")),
    };
    let mut missing: Vec<String> = document.awaiting.iter().chain(&document.unsigned).map(role).collect();
    missing.sort();
    missing.dedup();
    let refusals = document
        .signatures
        .iter()
        .filter(|one| one.outcome.as_deref() == Some("refused"));
    let mut refused: Vec<String> = refusals.filter_map(|one| one.role.as_ref().map(role)).collect();
    refused.sort();
    refused.dedup();
    let called = format!("{name} {}", document.number.as_deref().unwrap_or_default());
    let link = |hash: &fieldseal_proof::ids::BlobHash| {
        format!("/console/originals/{hash}?name={}", url_escaped(called.trim()))
    };
    let signatures = document.signatures.iter().map(|signature| Signature {
        who: signature.name.clone().unwrap_or_else(|| words.t("value.empty")),
        role: signature.role.as_ref().map_or_else(String::new, role),
        outcome: words.t(&format!("sign.{}", signature.outcome.as_deref().unwrap_or("signed"))),
        refused: signature.outcome.as_deref() == Some("refused"),
        reason: signature.reason.clone(),
        witness: signature.witness.clone(),
        same_pdf: signature.same_pdf,
        signed_copy: signature.signed_pdf_sha256.as_ref().map(link),
    });
    Ok(Document {
        id: document.document.to_string(),
        number: document.number.clone(),
        state: DocumentState::of(words, &missing, &refused),
        later: later(file, document, &name),
        name,
        pages: document.pages,
        sha256: document.pdf_sha256.map(|hash| hash.to_string()),
        pdf: document.pdf_sha256.as_ref().filter(|_| here).map(link),
        not_here: !here,
        made: wording.signed_by(app, &header.device, &header.incarnation),
        reprint: reprint.map(|reprint| (words.t(&format!("reprint.{}", reprint.code())), reprint.is_fault())),
        attested: wording.attesters(app, file, &document.operation),
        signatures: signatures.collect(),
        figure: BracketFigure::new(
            words,
            format!("d{}", entry.leaf),
            &sealed,
            logged,
            Some(header.clock.wall_ms),
        ),
        receipts: ReceiptList::of(words, logged, here),
    })
}
