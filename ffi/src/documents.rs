//! Documents: printed on the device, signed on glass over exactly the PDF that was shown, or refused.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{Printed, Typesetting};
use fieldseal_core::domain::Strokes;
use fieldseal_proof::ids::{BlobHash, DocumentId, EvidenceId, InspectionId, to_hex};
use fieldseal_render::{FontSet, RenderRequest, RenderedDocument, Renderer};

use crate::device::Device;
use crate::error::FieldsealError;
use crate::guard::guarded;
use crate::work::id_opt;

/// Where systems keep their fonts: Linux, Android, macOS.
const FONT_FOLDERS: [&str; 3] = ["/usr/share/fonts", "/system/fonts", "/System/Library/Fonts"];

/// A document that is issued now.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Issued {
    /// Its id.
    pub document: String,
    /// The operation.
    pub operation: String,
    /// Hash of the PDF, hex; `read_blob` gives the file back.
    pub pdf_sha256: String,
    /// The PDF, to be shown.
    pub pdf: Vec<u8>,
    /// Pages.
    pub pages: u64,
    /// Number in print.
    pub number: Option<String>,
    /// The device's chain head as eight words, as printed.
    pub words: String,
}

/// A signature that was taken.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Signed {
    /// The operation.
    pub operation: String,
    /// Hash of the PDF with the strokes drawn in, where the form has a place for the role.
    pub signed_pdf_sha256: Option<String>,
}

/// One touch of the pen.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Stroke {
    /// Its points, in order.
    pub points: Vec<StrokePoint>,
}

/// A point of a stroke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Record)]
pub struct StrokePoint {
    /// From the left, in 1/10,000 of the signing field.
    pub x: u32,
    /// From the top, in 1/10,000 of the signing field.
    pub y: u32,
    /// Milliseconds since the first touch; never going back.
    pub t_ms: u32,
}

#[uniffi::export]
impl Device {
    /// Prints a document of an inspection and issues it. Its number is burnt, also when printing fails afterwards.
    pub fn issue_document(&self, inspection: String, kind: String) -> Result<Issued, FieldsealError> {
        guarded(|| {
            let inspection: InspectionId = inspection.parse()?;
            let renderer = self.renderer()?;
            let prepared = self.device.prepare_document(inspection, &kind)?;
            let rendered = render(&renderer, &prepared.typesetting)?;
            let printed = Printed {
                pdf: &rendered.pdf,
                pages: rendered.pages as u64,
                fonts: BlobHash::from_bytes(renderer.fonts().fingerprint()),
            };
            let issued = self.device.issue_prepared(&prepared, &printed)?;
            Ok(Issued {
                document: issued.document.to_string(),
                operation: issued.operation.to_string(),
                pdf_sha256: issued.pdf_sha256.to_string(),
                pages: printed.pages,
                pdf: rendered.pdf,
                number: prepared.number,
                words: prepared.place.words,
            })
        })
    }

    /// A person signs a document with strokes over the PDF whose hash they were shown.
    pub fn sign_document(
        &self,
        document: String,
        role: String,
        name: String,
        shown_pdf_sha256: String,
        strokes: Vec<Stroke>,
    ) -> Result<Signed, FieldsealError> {
        guarded(|| {
            let document: DocumentId = document.parse()?;
            let shown: BlobHash = shown_pdf_sha256.parse()?;
            let points = |stroke: Stroke| stroke.points.into_iter().map(|p| [p.x, p.y, p.t_ms]).collect();
            let strokes = Strokes::new(strokes.into_iter().map(points).collect())?;
            let copy = match self.device.signed_copy(document, &role, &name, &strokes)? {
                Some(typesetting) => Some(render(&*self.renderer()?, &typesetting)?),
                None => None,
            };
            let pdf = copy.as_ref().map(|copy| copy.pdf.as_slice());
            let operation = self.device.sign_document(document, &role, &name, shown, strokes, pdf)?;
            Ok(Signed {
                operation: operation.to_string(),
                signed_pdf_sha256: copy.map(|copy| to_hex(&copy.sha256)),
            })
        })
    }

    /// A person refuses to sign: reason and witness stand in place of strokes. The operation.
    pub fn refuse_document(
        &self,
        document: String,
        role: String,
        name: String,
        reason: String,
        witness: String,
        evidence: Option<String>,
    ) -> Result<String, FieldsealError> {
        guarded(|| {
            let evidence = id_opt::<EvidenceId>(evidence.as_deref())?;
            let operation =
                self.device
                    .refuse_document(document.parse()?, &role, &name, &reason, &witness, evidence)?;
            Ok(operation.to_string())
        })
    }
}

impl Device {
    /// The typesetter with its fonts, which take a moment to read: read once.
    fn renderer(&self) -> Result<Arc<Renderer>, FieldsealError> {
        let mut held = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(renderer) = &*held {
            return Ok(Arc::clone(renderer));
        }
        let folders = match self.options.font_folders.is_empty() {
            true => FONT_FOLDERS
                .iter()
                .map(PathBuf::from)
                .filter(|folder| folder.is_dir())
                .collect(),
            false => self.options.font_folders.iter().map(PathBuf::from).collect::<Vec<_>>(),
        };
        let fonts = FontSet::discover(&folders);
        let fonts = fonts.map_err(|error| failed(&error))?;
        let renderer = Arc::new(Renderer::new(fonts));
        *held = Some(Arc::clone(&renderer));
        Ok(renderer)
    }
}

fn render(renderer: &Renderer, typesetting: &Typesetting) -> Result<RenderedDocument, FieldsealError> {
    let request = RenderRequest {
        template_name: &typesetting.template,
        files: &typesetting.files,
        data: &typesetting.data,
        title: &typesetting.title,
        date: typesetting.date,
    };
    renderer.render(&request).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> FieldsealError {
    FieldsealError::new("render_failed", &[("detail", Param::text(error.to_string()))])
}
