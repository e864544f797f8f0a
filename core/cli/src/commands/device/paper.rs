//! Documents at the device: from the folded view through the rule pack's template to a PDF that is issued, shown and
//! signed.

use std::path::{Path, PathBuf};

use fieldseal_core::catalogue::{Lang, Param};
use fieldseal_core::device::NewDocument;
use fieldseal_core::domain::view::{InspectionView, Officer, People};
use fieldseal_core::domain::{ChainStrip, DocumentContext, Minute, Strokes, document_data};
use fieldseal_core::pack::{DocumentDefinition, DocumentNumber, RulePack, format_number};
use fieldseal_proof::hash::h;
use fieldseal_proof::ids::{BlobHash, DocumentId, InspectionId, OpId, to_hex};
use fieldseal_render::{FontSet, RenderRequest, RenderedDocument, Renderer};
use serde_json::{Value, json};

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
    let device = &desk.device;
    let pack = device.pack()?;
    let unknown = || Failure::usage(format!("the rule pack has no document {:?}", args.kind));
    let definition = pack.document(&args.kind).ok_or_else(unknown)?.clone();
    let held = device.inspection(inspection)?;
    let people = people(desk)?;
    let view = InspectionView::of(&held.state, Some(&pack), &people);
    let place = device.paper_place()?;
    let chain = ChainStrip {
        head: place.chain,
        counter: place.chain_counter,
        device: device.identity().label,
    };
    let day = device.today(&pack);
    let minute = |ms: Option<u64>| ms.and_then(|ms| Minute::of_ms(ms, pack.head().utc_offset_minutes));
    let year = u64::try_from(day.date().year()).unwrap_or_default();
    let (from, to) = (minute(view.began_ms()), minute(view.last_ms));
    let context = |number| DocumentContext {
        view: &view,
        pack: &pack,
        people: &people,
        chain: &chain,
        number,
        signed: None,
        from,
        to,
        day,
    };
    // A number is burnt once it is taken, so whatever else could stand in the way is found first, under a likely one.
    let likely = likely_number(desk, &definition, &pack, year)?;
    document_data(&args.kind, &context(likely.as_ref())).map_err(first_of)?;
    let number = match (&definition.number, &likely) {
        (Some(series), Some(_)) => {
            let taken = device.take_number(series, year)?;
            pack.series(series)
                .map(|series| format_number(series, pack.agency(), year, taken.number))
        }
        _ => None,
    };
    let data = document_data(&args.kind, &context(number.as_ref())).map_err(first_of)?;
    let rendered = render(desk, &args.fonts, &pack, &definition, &data, day.date())?;
    let fields = data.to_string();
    let rests_on: Vec<OpId> = held.operations.iter().map(|row| row.operation.id()).collect();
    let issued = device.issue_document(
        inspection,
        &NewDocument {
            place: &place,
            kind: &args.kind,
            number: number.as_ref().map(|number| number.text.as_str()),
            template: template_hash(&pack),
            fields: &fields,
            pdf: &rendered.pdf,
            pages: rendered.pages as u64,
            fonts: BlobHash::from_bytes(desk.renderer(|| renderer(&args.fonts))?.fonts().fingerprint()),
            rests_on: &rests_on,
        },
    )?;
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
        .line(format!("{words}  {}", place.words));
    let json = &mut outcome.json;
    json["pdf"] = json!(pdf);
    json["pdf_sha256"] = issued.pdf_sha256.to_string().into();
    json["pages"] = rendered.pages.into();
    json["number"] = json!(number.map(|number| number.text));
    json["words"] = place.words.into();
    Ok(outcome)
}

/// A person signs the very PDF that was shown; a copy with the strokes drawn in is sealed beside it.
pub fn sign(desk: &Desk<'_>, args: &Sign) -> Result<Outcome, Failure> {
    let document: DocumentId = id(&args.document)?;
    let text = String::from_utf8(files::read(&args.strokes)?).map_err(|error| Failure::form(&args.strokes, error))?;
    let strokes = Strokes::from_json(&text)?;
    let (inspection, shown) = desk.device.issued(document)?;
    let signed = signed_copy(desk, args, inspection, document, &strokes)?;
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

/// Everybody in the key log, and the officers of this device whose approval is still on its way.
pub fn people(desk: &Desk<'_>) -> Result<People, Failure> {
    let mut people = People::of(&desk.device.store().key_log()?);
    for record in desk.device.officers() {
        if people.get(&record.officer).is_none() {
            people.add(Officer {
                officer: record.officer,
                name: record.name,
                certificate: record.certificate,
                role: record.role,
                key_fingerprint: record.key.fingerprint(),
                revoked: false,
            });
        }
    }
    Ok(people)
}

/// The number that the document would get, without taking it.
fn likely_number(
    desk: &Desk<'_>,
    definition: &DocumentDefinition,
    pack: &RulePack,
    year: u64,
) -> Result<Option<DocumentNumber>, Failure> {
    let Some(series) = definition.number.as_deref().and_then(|id| pack.series(id)) else {
        return Ok(None);
    };
    let left = desk.device.store().numbers_left(&series.id, year)?;
    if left == 0 && definition.number_required {
        return Err(Failure::new("number_exhausted", [("form", Param::text(&series.id))]));
    }
    Ok((left > 0).then(|| format_number(series, pack.agency(), year, 0)))
}

fn first_of(refusals: Vec<fieldseal_core::domain::Refusal>) -> Failure {
    refusals
        .into_iter()
        .next()
        .map_or_else(|| Failure::usage("the document cannot be made"), Failure::from)
}

/// The stored fields of the document as it was issued, with this signature drawn in; `None` where the form has no place
/// for the role.
fn signed_copy(
    desk: &Desk<'_>,
    args: &Sign,
    inspection: InspectionId,
    document: DocumentId,
    strokes: &Strokes,
) -> Result<Option<RenderedDocument>, Failure> {
    let pack = desk.device.pack()?;
    let state = desk.device.inspection(inspection)?.state;
    let field = |name: &str| state.text(&format!("document/{document}/{name}"));
    let (Some(kind), Some(fields)) = (field("type"), field("fields")) else {
        return Ok(None);
    };
    let Some(definition) = pack.document(&kind) else {
        return Ok(None);
    };
    let Ok(mut data) = serde_json::from_str::<Value>(&fields) else {
        return Ok(None);
    };
    let view = InspectionView::of(&state, Some(&pack), &people(desk)?);
    let earlier = view
        .documents
        .iter()
        .filter(|one| one.document == document)
        .flat_map(|one| &one.signatures);
    for signature in earlier {
        if let (Some(role), Some(name), Some(strokes)) = (&signature.role, &signature.name, &signature.strokes) {
            draw(&mut data, role, name, strokes);
        }
    }
    if !draw(&mut data, &args.role, &args.name, strokes) {
        return Ok(None);
    }
    let day = desk.device.today(&pack).date();
    render(desk, &args.fonts, &pack, definition, &data, day).map(Some)
}

/// Puts strokes where the form has a place for the role: a field of the role's name, or the officer's row.
fn draw(data: &mut Value, role: &str, name: &str, strokes: &Strokes) -> bool {
    if let Some(place) = data.get_mut(role).and_then(Value::as_object_mut) {
        place.insert("name".into(), name.into());
        place.insert("signature".into(), strokes.to_json());
        return true;
    }
    let rows = data
        .get_mut("officers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten();
    let mut of_officer = rows.filter(|row| row["name"] == name && matches!(role, "officer" | "second_officer"));
    of_officer.next().is_some_and(|row| {
        row["signature"] = strokes.to_json();
        true
    })
}

fn render(
    desk: &Desk<'_>,
    fonts: &[PathBuf],
    pack: &RulePack,
    definition: &DocumentDefinition,
    data: &Value,
    day: jiff::civil::Date,
) -> Result<RenderedDocument, Failure> {
    let templates = pack
        .files()
        .iter()
        .filter_map(|(name, bytes)| Some((name.strip_prefix("templates/")?.to_owned(), bytes.clone())));
    let lang = Lang::from_tag(&pack.head().language);
    let request = RenderRequest {
        template_name: &definition.template,
        files: &templates.collect(),
        data,
        title: definition.name.text(lang),
        date: (day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs()),
    };
    let renderer = desk.renderer(|| renderer(fonts))?;
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

/// Hash over the pack's template files: what the document was typeset from.
fn template_hash(pack: &RulePack) -> BlobHash {
    let files = pack.files().iter().filter(|(name, _)| name.starts_with("templates/"));
    let items: Vec<&[u8]> = files
        .flat_map(|(name, bytes)| [name.as_bytes(), bytes.as_slice()])
        .collect();
    BlobHash::from_bytes(h("fieldseal/v0/template", &items))
}

/// A copy for people; the sealed one lies in the vault.
fn copy(desk: &Desk<'_>, out: Option<&Path>, name: &str, pdf: &[u8]) -> Result<PathBuf, Failure> {
    let folder = out.map_or_else(|| desk.device.folder().join("papers"), Path::to_owned);
    std::fs::create_dir_all(&folder).map_err(|error| Failure::file(&folder, &error))?;
    let path = folder.join(name);
    files::replace(&path, pdf)?;
    Ok(path)
}
