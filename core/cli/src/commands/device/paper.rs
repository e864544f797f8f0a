//! Documents at the device: prepared by the library, printed here, issued, shown and signed.

use std::path::{Path, PathBuf};

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{Printed, Typesetting};
use fieldseal_core::domain::Strokes;
use fieldseal_proof::ids::{BlobHash, DocumentId, InspectionId, to_hex};
use fieldseal_render::{FontSet, RenderRequest, RenderedDocument, Renderer};
use serde_json::json;

use super::verbs::{Document, Refuse, Sign};
use super::write::{id, id_opt, made};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::files;
use crate::shell::Outcome;

/// Where fonts are looked for on this system.
const FONTS: &str = "/usr/share/fonts";

/// Makes a document and issues it.
pub fn document(desk: &Desk<'_>, args: &Document) -> Result<Outcome, Failure> {
    let inspection: InspectionId = id(&args.inspection)?;
    // The fonts are looked for first: a number is burnt once the document is prepared.
    let step = |zh, en| desk.shell.progress(&desk.shell.say(zh, en));
    step("正在读取字体", "reading fonts");
    let renderer = desk.renderer(|| renderer(&args.fonts))?;
    let prepared = desk.device.prepare_document(inspection, &args.kind)?;
    step("正在排版", "typesetting");
    let rendered = render(&renderer, &prepared.typesetting)?;
    let printed = Printed {
        pdf: &rendered.pdf,
        pages: rendered.pages as u64,
        fonts: BlobHash::from_bytes(renderer.fonts().fingerprint()),
        typesetter: &renderer.typesetter(),
    };
    step("正在固化", "sealing");
    let issued = desk.device.issue_prepared(&prepared, &printed)?;
    desk.shell.progress_over();
    let pdf = copy(
        desk,
        args.out.as_deref(),
        &format!("{}-{}.pdf", args.kind, issued.document),
        &rendered.pdf,
    )?;
    let words = desk.shell.say("链首", "chain head");
    let mut outcome = made(desk, issued.document, issued.operation)
        .line(format!("PDF  {}", pdf.display()))
        .line(format!("SHA-256  {}", issued.pdf_sha256))
        .line(format!("{words}  {}", prepared.place.words));
    let json = &mut outcome.json;
    json["pdf"] = json!(pdf);
    json["pdf_sha256"] = issued.pdf_sha256.to_string().into();
    json["pages"] = rendered.pages.into();
    json["number"] = json!(prepared.number);
    json["words"] = prepared.place.words.into();
    Ok(outcome)
}

/// A person signs the very PDF that was shown; a copy with the strokes drawn in is sealed beside it.
pub fn sign(desk: &Desk<'_>, args: &Sign) -> Result<Outcome, Failure> {
    let document: DocumentId = id(&args.document)?;
    let text = String::from_utf8(files::read(&args.strokes)?).map_err(|error| Failure::form(&args.strokes, error))?;
    let strokes = Strokes::from_json(&text)?;
    let (_, shown) = desk.device.issued(document)?;
    let signed = match desk.device.signed_copy(document, &args.role, &args.name, &strokes)? {
        Some(typesetting) => Some(render(&*desk.renderer(|| renderer(&args.fonts))?, &typesetting)?),
        None => None,
    };
    let pdf = signed.as_ref().map(|rendered| rendered.pdf.as_slice());
    let operation = desk
        .device
        .sign_document(document, &args.role, &args.name, shown, strokes, pdf)?;
    let mut outcome = made(desk, document, operation);
    outcome.json["pdf_sha256"] = shown.to_string().into();
    if let Some(rendered) = signed {
        let name = format!("{document}-signed-{}.pdf", args.role);
        let path = copy(desk, args.out.as_deref(), &name, &rendered.pdf)?;
        outcome = outcome.line(format!("PDF  {}", path.display()));
        outcome.json["signed_pdf"] = json!(path);
        outcome.json["signed_pdf_sha256"] = to_hex(&rendered.sha256).into();
    }
    Ok(outcome)
}

/// A person refuses to sign: reason, witness and evidence stand in place of strokes.
pub fn refuse(desk: &Desk<'_>, args: &Refuse) -> Result<Outcome, Failure> {
    let document: DocumentId = id(&args.document)?;
    let name = args.name.as_deref().unwrap_or(&args.role);
    let evidence = id_opt(args.evidence.as_deref())?;
    let operation = desk
        .device
        .refuse_document(document, &args.role, name, &args.reason, &args.witness, evidence)?;
    Ok(made(desk, document, operation))
}

fn render(renderer: &Renderer, typesetting: &Typesetting) -> Result<RenderedDocument, Failure> {
    let request = RenderRequest {
        template_name: &typesetting.template,
        files: &typesetting.files,
        data: &typesetting.data,
        title: &typesetting.title,
        date: typesetting.date,
    };
    renderer
        .render(&request)
        .map_err(|error| Failure::new("render_failed", [("detail", Param::text(error.to_string()))]))
}

fn renderer(further: &[PathBuf]) -> Result<Renderer, Failure> {
    let dirs: Vec<PathBuf> = further.iter().cloned().chain([PathBuf::from(FONTS)]).collect();
    let fonts = FontSet::discover(&dirs).map_err(|error| {
        let command = Param::text("apt-get install -y fonts-noto-cjk");
        Failure::new(
            "missing_tool",
            [("what", Param::text(error.to_string())), ("command", command)],
        )
    })?;
    Ok(Renderer::new(fonts))
}

/// A copy for people; the sealed one lies in the vault.
fn copy(desk: &Desk<'_>, out: Option<&Path>, name: &str, pdf: &[u8]) -> Result<PathBuf, Failure> {
    let folder = out.map_or_else(|| desk.device.folder().join("papers"), Path::to_owned);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, &error))?;
    let path = folder.join(name);
    files::replace(&path, pdf)?;
    Ok(path)
}
