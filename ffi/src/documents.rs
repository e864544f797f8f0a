//! Documents: printed on the device, signed on glass over exactly the PDF that was shown, or refused.

use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fieldseal_core::catalogue::Param;
use fieldseal_core::device::{Printed, Typesetting};
use fieldseal_core::domain::Strokes;
use fieldseal_core::watch::Moved;
use fieldseal_proof::ids::{BlobHash, DocumentId, EvidenceId, InspectionId, to_hex};
use fieldseal_render::{FontSet, RenderRequest, RenderedDocument, Renderer};

use crate::device::Device;
use crate::error::FieldsealError;
use crate::guard::guarded;
use crate::host::{Cancel, ProgressListener};
use crate::stream::Looker;
use crate::work::id_opt;

/// How often somebody who waits for the typesetter looks whether the user still wants it.
const LOOKED: Duration = Duration::from_millis(20);
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
    /// Prints a document of an inspection and issues it. Its number is burnt, also when printing fails afterwards. The listener
    /// is told the steps `fonts`, `typesetting` and `sealing`; a cancel before the last of them ends it within a tenth of a
    /// second, and nothing is issued.
    #[uniffi::method(default(listener = None, cancel = None))]
    pub fn issue_document(
        &self,
        inspection: String,
        kind: String,
        listener: Option<Arc<dyn ProgressListener>>,
        cancel: Option<Arc<Cancel>>,
    ) -> Result<Issued, FieldsealError> {
        guarded(|| {
            let inspection: InspectionId = inspection.parse()?;
            let mut steps = Steps(Looker::new("typesetting", listener, cancel));
            let (fonts, folders) = (Arc::clone(&self.renderer), self.font_folders.clone());
            let renderer = steps.run("fonts", move || renderer(&fonts, &folders))?;
            let prepared = self.device.prepare_document(inspection, &kind)?;
            let (typesetter, typesetting) = (Arc::clone(&renderer), prepared.typesetting.clone());
            let rendered = steps.run("typesetting", move || render(&typesetter, &typesetting))?;
            steps.begin("sealing")?;
            let printed = Printed {
                pdf: &rendered.pdf,
                pages: rendered.pages as u64,
                fonts: BlobHash::from_bytes(renderer.fonts().fingerprint()),
                typesetter: &renderer.typesetter(),
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
                Some(typesetting) => {
                    let renderer = renderer(&self.renderer, &self.font_folders)?;
                    Some(render(&renderer, &typesetting)?)
                }
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

/// The typesetter with its fonts, once they were read.
pub(crate) type HeldRenderer = Arc<Mutex<Option<Arc<Renderer>>>>;

/// The typesetter with its fonts, which take a moment to read: read once.
fn renderer(held: &HeldRenderer, font_folders: &[String]) -> Result<Arc<Renderer>, FieldsealError> {
    let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(renderer) = &*held {
        return Ok(Arc::clone(renderer));
    }
    let folders: Vec<PathBuf> = match font_folders.is_empty() {
        true => FONT_FOLDERS
            .iter()
            .map(PathBuf::from)
            .filter(|folder| folder.is_dir())
            .collect(),
        false => font_folders.iter().map(PathBuf::from).collect(),
    };
    let fonts = FontSet::discover(&folders).map_err(|error| failed(&error))?;
    let renderer = Arc::new(Renderer::new(fonts));
    *held = Some(Arc::clone(&renderer));
    Ok(renderer)
}

/// The steps of printing. The typesetter cannot be interrupted, so it works beside, and who waits for it may leave.
struct Steps(Looker);

impl Steps {
    /// Tells that a step begins, unless the user wishes to stop.
    fn begin(&mut self, step: &str) -> Result<(), FieldsealError> {
        let steps = &mut self.0;
        let going_on = steps.tell(step, Moved::default()).is_continue() && !steps.is_cancelled();
        steps.settle("document_cancelled", Ok(()))?;
        match going_on {
            true => Ok(()),
            false => Err(FieldsealError::new("document_cancelled", &[])),
        }
    }

    /// Waits for the work of a step, or for the wish to stop; what is left of the work then ends by itself and is not used.
    fn run<T: Send + 'static>(
        &mut self,
        step: &str,
        work: impl FnOnce() -> Result<T, FieldsealError> + Send + 'static,
    ) -> Result<T, FieldsealError> {
        self.begin(step)?;
        let (done, waiting) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("fieldseal-print".into())
            .spawn(move || {
                // Nobody listens any more when the user left.
                let _ = done.send(guarded(work));
            });
        thread.map_err(|error| FieldsealError::host("thread", &error.to_string()))?;
        loop {
            match waiting.recv_timeout(LOOKED) {
                Ok(outcome) => return outcome,
                Err(RecvTimeoutError::Timeout) if self.0.is_cancelled() => {
                    return Err(FieldsealError::new("document_cancelled", &[]));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(FieldsealError::host("print", "its thread ended")),
            }
        }
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
