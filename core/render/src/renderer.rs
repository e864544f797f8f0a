//! A request becomes a PDF.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};
use typst::diag::{SourceDiagnostic, Warned};
use typst::foundations::{Datetime, Smart};
use typst::syntax::DiagSpan;
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, WorldExt};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use crate::world::ClosedWorld;
use crate::{FontSet, RenderError, fields, table};

/// The largest data of a request, in bytes of JSON.
pub const MAX_DATA_BYTES: usize = 4 << 20;
/// The largest sum of the pack's template files, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 4 << 20;
/// The most template files in one pack.
pub const MAX_FILES: usize = 256;
/// The most pages of one document.
pub const MAX_PAGES: usize = 400;
/// The longest title, in characters.
const MAX_TITLE: usize = 500;
/// The typesetter keeps intermediate results for this many later renders, then forgets them.
/// Without this a long-running server grows by several megabytes with every document.
const CACHE_RENDERS: usize = 4;

/// Everything that decides the bytes of a document, apart from the fonts.
#[derive(Debug, Clone, Copy)]
pub struct RenderRequest<'a> {
    /// The template's name without ending: `inspection_record` means `inspection_record.typ` and
    /// `inspection_record.fields.json`.
    pub template_name: &'a str,
    /// The pack's template files by name. Names are relative, with `/` between folders. A template can read
    /// these and `data.json`, nothing else. At most [`MAX_FILES`] files of together [`MAX_TEMPLATE_BYTES`].
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// The typed fields, as the template's field table describes them. At most [`MAX_DATA_BYTES`] as JSON.
    pub data: &'a serde_json::Value,
    /// The document's title in the PDF's metadata; 1 to 500 characters.
    pub title: &'a str,
    /// Year, month (1 to 12) and day (1 to 31) for the PDF's metadata and for `datetime.today()` in a template.
    pub date: (i32, u8, u8),
}

/// A finished document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedDocument {
    /// The file, PDF/A-2b.
    pub pdf: Vec<u8>,
    /// The number of pages.
    pub pages: usize,
    /// SHA-256 of `pdf`: what a signature is bound to.
    pub sha256: [u8; 32],
}

/// Renders documents with one set of fonts. It may be shared between threads.
pub struct Renderer {
    fonts: FontSet,
    library: LazyHash<Library>,
}

impl Renderer {
    /// A renderer with these fonts.
    pub fn new(fonts: FontSet) -> Self {
        Self {
            fonts,
            library: LazyHash::new(Library::default()),
        }
    }

    /// The fonts in use; their fingerprint belongs into the record of each document.
    pub fn fonts(&self) -> &FontSet {
        &self.fonts
    }

    /// The typesetter and its version, e.g. `typst 0.15.1`. Another version may give other bytes for the same request,
    /// so it belongs into the record beside the fingerprint of the fonts.
    pub fn typesetter(&self) -> String {
        format!("typst {}", typst::utils::version().raw())
    }

    /// Makes the document. The same request with the same fonts gives the same bytes, in every process.
    ///
    /// A warning of the typesetter (an unknown font, page numbers that do not settle) is an error here:
    /// a document that will be signed is either right or not made. Characters without a glyph and invisible
    /// ones are printed as `[U+XXXX]`, see [`Coverage::printable`](crate::Coverage::printable).
    ///
    /// A template is part of a signed rule pack and is trusted to end: the typesetter stops one endless loop, but not
    /// loops within loops.
    ///
    /// # Errors
    ///
    /// See [`RenderError`]; each names the file or field and what to do.
    pub fn render(&self, request: &RenderRequest) -> Result<RenderedDocument, RenderError> {
        check_bounds(request)?;
        let today = date(request.date)?;
        let data = self.prepared_data(request)?;
        let title = self.fonts.coverage().printable(request.title);
        let ident = ident(request.template_name, &data);
        let main = format!("{}.typ", request.template_name);
        let world = ClosedWorld::new(&self.library, &self.fonts, request.files, &main, data, today)?;

        let outcome = catch_unwind(AssertUnwindSafe(|| typeset(&world, &title, today, ident)));
        typst::comemo::evict(CACHE_RENDERS);
        let (pdf, pages) = outcome.unwrap_or_else(|panic| {
            Err(RenderError::Internal {
                template: request.template_name.to_owned(),
                message: panic_text(panic.as_ref()),
            })
        })?;
        let sha256 = Sha256::digest(&pdf).into();
        Ok(RenderedDocument { pdf, pages, sha256 })
    }

    fn prepared_data(&self, request: &RenderRequest) -> Result<Vec<u8>, RenderError> {
        let name = request.template_name;
        if !request.files.contains_key(&format!("{name}.typ")) {
            let known: Vec<&str> = request
                .files
                .keys()
                .filter_map(|file| file.strip_suffix(".typ"))
                .collect();
            return Err(RenderError::NoTemplate {
                name: name.to_owned(),
                known: known.join(", "),
            });
        }
        let table_file = format!("{name}.fields.json");
        let table = request.files.get(&table_file).ok_or_else(|| RenderError::FieldTable {
            file: table_file.clone(),
            problem: "is not among the files of the rule pack".to_owned(),
        })?;
        let table = table::parse(&table_file, table)?;
        let data = fields::prepare(name, &table, request.data, self.fonts.coverage())?;
        Ok(json_bytes(&data))
    }
}

fn check_bounds(request: &RenderRequest) -> Result<(), RenderError> {
    let bound = |what, size, limit, advice| {
        if size > limit {
            Err(RenderError::TooLarge {
                what,
                size,
                limit,
                advice,
            })
        } else {
            Ok(())
        }
    };
    let template_bytes = request.files.iter().map(|(name, bytes)| name.len() + bytes.len()).sum();
    bound(
        "template files, number",
        request.files.len(),
        MAX_FILES,
        "Hand in only the templates folder of the pack",
    )?;
    bound(
        "template files, bytes",
        template_bytes,
        MAX_TEMPLATE_BYTES,
        "Remove pictures or unused files from the pack",
    )?;
    bound(
        "data, bytes of JSON",
        json_bytes(request.data).len(),
        MAX_DATA_BYTES,
        "Split the document or shorten its texts",
    )?;
    if request.title.is_empty() || request.title.chars().count() > MAX_TITLE {
        return Err(RenderError::Request(format!(
            "the title must have 1 to {MAX_TITLE} characters"
        )));
    }
    Ok(())
}

fn date((year, month, day): (i32, u8, u8)) -> Result<Datetime, RenderError> {
    (0..=9999)
        .contains(&year)
        .then(|| Datetime::from_ymd(year, month, day))
        .flatten()
        .ok_or_else(|| RenderError::Request(format!("{year}-{month}-{day} is not a day of the calendar")))
}

/// A stable identity for the PDF's metadata: the same template and fields are the same document.
fn ident(template: &str, data: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(b"fieldseal document 0\n");
    hash.update((template.len() as u64).to_be_bytes());
    hash.update(template.as_bytes());
    hash.update(data);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn typeset(world: &ClosedWorld, title: &str, today: Datetime, ident: String) -> Result<(Vec<u8>, usize), RenderError> {
    let Warned { output, warnings } = typst::compile::<PagedDocument>(world);
    let mut document = output.map_err(|faults| template_error(world, faults.first()))?;
    if let Some(warning) = warnings.first() {
        return Err(template_error(world, Some(warning)));
    }
    let pages = document.pages().len();
    if pages > MAX_PAGES {
        return Err(RenderError::TooLarge {
            what: "document, pages",
            size: pages,
            limit: MAX_PAGES,
            advice: "Split the document or shorten its texts",
        });
    }
    let info = document.info_mut();
    info.title = Some(title.into());
    info.date = Smart::Custom(Some(today));
    let options = PdfOptions {
        ident: Smart::Custom(ident),
        creator: Smart::Custom(Some("fieldseal-render".to_owned())),
        timestamp: None,
        page_ranges: None,
        standards: PdfStandards::new(&[PdfStandard::A_2b])
            .map_err(|e| RenderError::Request(e.message().to_string()))?,
        tagged: true,
        pretty: false,
    };
    let pdf = typst_pdf::pdf(&document, &options).map_err(|faults| template_error(world, faults.first()))?;
    Ok((pdf, pages))
}

/// Turns a message of the typesetter into an error with file and line.
fn template_error(world: &ClosedWorld, fault: Option<&SourceDiagnostic>) -> RenderError {
    let Some(fault) = fault else {
        return RenderError::Template {
            file: "(export)".to_owned(),
            line: 0,
            message: "failed without a message".to_owned(),
            hints: String::new(),
        };
    };
    let (file, line) = position(world, fault.span).unwrap_or(("(export)".to_owned(), 0));
    RenderError::Template {
        file,
        line,
        message: fault.message.to_string(),
        hints: fault.hints.iter().map(|hint| format!("; {}", hint.v)).collect(),
    }
}

fn position(world: &ClosedWorld, span: DiagSpan) -> Option<(String, usize)> {
    let id = span.id()?;
    let file = id.vpath().get_without_slash().to_owned();
    let line = world.range(span).and_then(|range| {
        let bytes = world.file(id).ok()?;
        let before = bytes.as_slice().get(..range.start)?;
        Some(before.iter().filter(|&&byte| byte == b'\n').count() + 1)
    });
    Some((file, line.unwrap_or(0)))
}

/// The bytes of `data.json`. A JSON value always has a text form, so this cannot fail.
fn json_bytes(data: &serde_json::Value) -> Vec<u8> {
    data.to_string().into_bytes()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
        .to_owned()
}
