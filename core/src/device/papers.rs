//! What a document needs before it can be printed, and its issue afterwards. The typesetter is whoever calls.
//!
//! ```text
//! prepare_document ─▶ Typesetting ─▶ (render) ─▶ issue_prepared ─▶ shown, signed on glass ─▶ signed_copy ─▶ (render) ─▶ sign_document
//! ```

use fieldseal_proof::ids::{BlobHash, DocumentId, InspectionId, OpId};

use super::{DeviceError, FieldDevice, IssuedDocument, NewDocument, PaperPlace};
use crate::catalogue::Param;
pub use crate::domain::Typesetting;
use crate::domain::view::{InspectionView, Officer, People};
use crate::domain::{ChainStrip, DocumentContext, Minute, Refusal, Strokes, document_data, template_hash};
use crate::pack::{DocumentDefinition, DocumentNumber, RulePack, format_number};

/// A document that is about to be printed. Its number is burnt.
#[derive(Debug, Clone)]
pub struct PreparedDocument {
    /// What to print.
    pub typesetting: Typesetting,
    /// Where it stands in the device's chain, as it says itself.
    pub place: PaperPlace,
    /// Number in print.
    pub number: Option<String>,
    inspection: InspectionId,
    kind: String,
    template: BlobHash,
    rests_on: Vec<OpId>,
}

/// A document as it was printed.
#[derive(Debug, Clone, Copy)]
pub struct Printed<'a> {
    /// The PDF.
    pub pdf: &'a [u8],
    /// Number of pages.
    pub pages: u64,
    /// Hash over the fonts.
    pub fonts: BlobHash,
    /// The typesetter and its version.
    pub typesetter: &'a str,
}

impl FieldDevice {
    /// Gathers what a document of an inspection says, and takes its number.
    ///
    /// # Errors
    /// `not_in_pack`, `number_exhausted`, or the first thing that stands in the way; nothing is burnt then.
    pub fn prepare_document(&self, inspection: InspectionId, kind: &str) -> Result<PreparedDocument, DeviceError> {
        let pack = self.pack()?;
        let definition = pack.document(kind).ok_or_else(|| {
            let params = [("what", Param::label("type")), ("id", Param::text(kind))];
            DeviceError::new("not_in_pack", params)
        })?;
        let held = self.inspection(inspection)?;
        let people = self.people()?;
        let view = InspectionView::of(&held.state, Some(&pack), &people);
        let place = self.paper_place()?;
        let chain = ChainStrip {
            head: place.chain,
            counter: place.chain_counter,
            device: self.identity().label,
        };
        let day = self.today(&pack);
        let year = u64::try_from(day.date().year()).unwrap_or_default();
        let minute = |ms: Option<u64>| ms.and_then(|ms| Minute::of_ms(ms, pack.head().utc_offset_minutes));
        let (from, to) = (minute(view.began_ms()), minute(view.ended_ms()));
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
        let likely = self.likely_number(definition, &pack, year)?;
        document_data(kind, &context(likely.as_ref())).map_err(first_of)?;
        let number = match (&definition.number, &likely) {
            (Some(series), Some(_)) => {
                let taken = self.take_number(series, year)?;
                pack.series(series)
                    .map(|series| format_number(series, pack.agency(), year, taken.number))
            }
            _ => None,
        };
        let data = document_data(kind, &context(number.as_ref())).map_err(first_of)?;
        Ok(PreparedDocument {
            typesetting: Typesetting::of(&pack, definition, data, day),
            place,
            number: number.map(|number| number.text),
            inspection,
            kind: kind.to_owned(),
            template: template_hash(&pack),
            rests_on: held.operations.iter().map(|row| row.operation.id()).collect(),
        })
    }

    /// Issues a document that was prepared and printed.
    ///
    /// # Errors
    /// As [`FieldDevice::issue_document`].
    pub fn issue_prepared(
        &self,
        prepared: &PreparedDocument,
        printed: &Printed<'_>,
    ) -> Result<IssuedDocument, DeviceError> {
        let fields = prepared.typesetting.data.to_string();
        self.issue_document(
            prepared.inspection,
            &NewDocument {
                place: &prepared.place,
                kind: &prepared.kind,
                number: prepared.number.as_deref(),
                template: prepared.template,
                fields: &fields,
                pdf: printed.pdf,
                pages: printed.pages,
                fonts: printed.fonts,
                typesetter: printed.typesetter,
                rests_on: &prepared.rests_on,
            },
        )
    }

    /// The document as it was issued, with the signatures it has and this one drawn in; `None` where the form has no place
    /// for the role.
    ///
    /// # Errors
    /// `not_found` for a document that is not held here.
    pub fn signed_copy(
        &self,
        document: DocumentId,
        role: &str,
        name: &str,
        strokes: &Strokes,
    ) -> Result<Option<Typesetting>, DeviceError> {
        let (inspection, _) = self.issued(document)?;
        let pack = self.pack()?;
        let state = self.inspection(inspection)?.state;
        let field = |name: &str| state.text(&format!("document/{document}/{name}"));
        let (Some(kind), Some(fields)) = (field("type"), field("fields")) else {
            return Ok(None);
        };
        let Some(mut copy) = Typesetting::again(&pack, &kind, &fields, self.today(&pack)) else {
            return Ok(None);
        };
        let view = InspectionView::of(&state, Some(&pack), &self.people()?);
        let documents = view.documents.iter().filter(|one| one.document == document);
        for signature in documents.flat_map(|one| &one.signatures) {
            if let (Some(role), Some(name), Some(strokes)) = (&signature.role, &signature.name, &signature.strokes) {
                copy.draw(role, name, strokes);
            }
        }
        Ok(copy.draw(role, name, strokes).then_some(copy))
    }

    /// Everybody in the key log, and the officers of this device whose approval is still on its way.
    ///
    /// # Errors
    /// When the key log cannot be read.
    pub fn people(&self) -> Result<People, DeviceError> {
        let mut people = People::of(&self.store.key_log()?);
        for record in self.officers() {
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
        &self,
        definition: &DocumentDefinition,
        pack: &RulePack,
        year: u64,
    ) -> Result<Option<DocumentNumber>, DeviceError> {
        let Some(series) = definition.number.as_deref().and_then(|id| pack.series(id)) else {
            return Ok(None);
        };
        let left = self.store.numbers_left(&series.id, year)?;
        if left == 0 && definition.number_required {
            return Err(DeviceError::text("number_exhausted", "form", &series.id));
        }
        Ok((left > 0).then(|| format_number(series, pack.agency(), year, 0)))
    }
}

fn first_of(refusals: Vec<Refusal>) -> DeviceError {
    let first = refusals.into_iter().next();
    first.map_or_else(|| DeviceError::not_found("document"), DeviceError::from)
}
