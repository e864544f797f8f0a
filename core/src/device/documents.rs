//! Documents: issued once, frozen by hash, signed or refused by those who were shown exactly that PDF.

use fieldseal_proof::cbor::Value;
use fieldseal_proof::ids::{BlobHash, DocumentId, EvidenceId, InspectionId, ItemId, Link, OpId};
use fieldseal_proof::operation::link_words;

use super::{DeviceError, FieldDevice, operation_of};
use crate::catalogue::Param;
use crate::domain::{DocumentIssue, DocumentSign, Line, Paragraph, SignOutcome, Strokes};
use crate::evidence::Capture;
use crate::merge::Scope;
use crate::store::{AppendWith, BlobState, LeasedNumber, insert_blob};
use crate::vault::OnFailure;

/// Where in the device's chain a paper stands; printed on it, so that the paper pins everything before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaperPlace {
    /// Id of the document to be made.
    pub document: DocumentId,
    /// Device link before it.
    pub chain: Link,
    /// The link as eight words.
    pub words: String,
    /// Sequence number that the next operation had when this was asked.
    pub chain_counter: u64,
}

/// A rendered document that is to be issued.
#[derive(Debug, Clone)]
pub struct NewDocument<'a> {
    /// Its place, as printed on it.
    pub place: &'a PaperPlace,
    /// Type, an id of the rule pack.
    pub kind: &'a str,
    /// Number in print, from a lease.
    pub number: Option<&'a str>,
    /// Hash of the template.
    pub template: BlobHash,
    /// The typed fields it was rendered from, as JSON.
    pub fields: &'a str,
    /// The PDF.
    pub pdf: &'a [u8],
    /// Number of pages.
    pub pages: u64,
    /// Hash over the fonts.
    pub fonts: BlobHash,
    /// The typesetter and its version.
    pub typesetter: &'a str,
    /// The operations it rests on.
    pub rests_on: &'a [OpId],
}

/// A document that is issued now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedDocument {
    /// Its id.
    pub document: DocumentId,
    /// The operation.
    pub operation: OpId,
    /// Hash of the PDF.
    pub pdf_sha256: BlobHash,
}

impl FieldDevice {
    /// The place of a document that is about to be rendered.
    ///
    /// # Errors
    /// When the database does.
    pub fn paper_place(&self) -> Result<PaperPlace, DeviceError> {
        let tip = self.store.tip(self.identity().incarnation)?;
        let (chain_counter, chain) = tip.ok_or_else(|| DeviceError::new("not_enrolled", []))?;
        let document = DocumentId::from_bytes(self.fresh_id()?);
        Ok(PaperPlace {
            document,
            chain,
            words: link_words(&chain),
            chain_counter,
        })
    }

    /// Burns and gives the next leased number of a form.
    ///
    /// # Errors
    /// `number_exhausted`.
    pub fn take_number(&self, form: &str, year: u64) -> Result<LeasedNumber, DeviceError> {
        Ok(self.store.take_number(form, year)?)
    }

    /// Issues a rendered document: the PDF goes into the vault, then the operation names its hash.
    ///
    /// # Errors
    /// `not_in_pack`, `document_changed` when the place is none of this device's chain, `storage_full`.
    pub fn issue_document(
        &self,
        inspection: InspectionId,
        new: &NewDocument<'_>,
    ) -> Result<IssuedDocument, DeviceError> {
        let case = self.store.case_of(inspection)?;
        let incarnation = self.identity().incarnation;
        let before = match new.place.chain_counter.checked_sub(1) {
            Some(seq) => self.store.own_link(incarnation, seq)?.map(|(link, _)| link),
            None => Some(new.place.chain),
        };
        if before != Some(new.place.chain) {
            return Err(DeviceError::new("document_changed", []));
        }
        let capture = Capture::take(&self.vault, &mut &new.pdf[..], OnFailure::Discard)?;
        let issue = DocumentIssue {
            document: new.place.document,
            kind: new.kind.to_owned(),
            number: new.number.map(str::to_owned),
            template: new.template,
            fields: new.fields.to_owned(),
            pdf_sha256: capture.sha256(),
            pages: new.pages,
            fonts: new.fonts,
            typesetter: new.typesetter.to_owned(),
            chain: new.place.chain,
            chain_counter: new.place.chain_counter,
            rests_on: new.rests_on.to_vec(),
        };
        let act = issue.act(&*self.pack()?)?;
        let now_ms = self.clock.now().wall_ms;
        let along = |tx: &rusqlite::Transaction<'_>| {
            insert_blob(
                tx,
                capture.file(),
                capture.media_type(),
                BlobState::Sealed,
                true,
                now_ms,
            )
        };
        let with = AppendWith {
            session: self.session(),
            along: Some(&along),
            ..AppendWith::default()
        };
        let new_operation = operation_of(act).in_inspection(case, inspection);
        let operation = self.store.append_with(new_operation, &with, &|_| Ok(()))?;
        Ok(IssuedDocument {
            document: new.place.document,
            operation,
            pdf_sha256: capture.sha256(),
        })
    }

    /// A person signs a document with strokes over exactly the PDF that was shown. The signed PDF, if one was rendered, goes
    /// into the vault beside it.
    ///
    /// # Errors
    /// `document_changed` when the PDF shown is not the one issued, `document_signed` when the role has answered already,
    /// `strokes_form`.
    pub fn sign_document(
        &self,
        document: DocumentId,
        role: &str,
        name: &str,
        shown: BlobHash,
        strokes: Strokes,
        signed_pdf: Option<&[u8]>,
    ) -> Result<OpId, DeviceError> {
        let capture = signed_pdf
            .map(|pdf| Capture::take(&self.vault, &mut &pdf[..], OnFailure::Discard))
            .transpose()?;
        let outcome = SignOutcome::Signed {
            strokes,
            signed_pdf_sha256: capture.as_ref().map(Capture::sha256),
        };
        self.answer(document, role, name, shown, outcome, capture.as_ref())
    }

    /// A person refuses to sign; reason, witness and evidence stand in the place of strokes.
    ///
    /// # Errors
    /// As [`FieldDevice::sign_document`].
    pub fn refuse_document(
        &self,
        document: DocumentId,
        role: &str,
        name: &str,
        reason: &str,
        witness: &str,
        evidence: Option<EvidenceId>,
    ) -> Result<OpId, DeviceError> {
        let (_, shown) = self.issued(document)?;
        let outcome = SignOutcome::Refused {
            reason: Paragraph::parse("reason", reason)?,
            witness: Line::parse("witness", witness)?,
            evidence,
        };
        self.answer(document, role, name, shown, outcome, None)
    }

    /// The inspection of an issued document and the hash of its PDF.
    ///
    /// # Errors
    /// `not_found`.
    pub fn issued(&self, document: DocumentId) -> Result<(InspectionId, BlobHash), DeviceError> {
        let path = format!("document/{document}/pdf_sha256");
        for (case, inspection) in self.store.inspections()? {
            for write in self.store.heads_under(Some(case), &path)? {
                let header = self.store.operation(write.id)?.operation.header().clone();
                let sha256 = write
                    .value
                    .as_ref()
                    .and_then(Value::as_bytes)
                    .and_then(|b| b.try_into().ok());
                if let (Some(sha256), true) = (sha256, header.inspection == Some(inspection)) {
                    return Ok((inspection, BlobHash::from_bytes(sha256)));
                }
            }
        }
        Err(DeviceError::not_found(document))
    }

    fn answer(
        &self,
        document: DocumentId,
        role: &str,
        name: &str,
        shown: BlobHash,
        outcome: SignOutcome,
        signed_pdf: Option<&Capture>,
    ) -> Result<OpId, DeviceError> {
        let (inspection, pdf_sha256) = self.issued(document)?;
        if shown != pdf_sha256 {
            return Err(DeviceError::new("document_changed", []));
        }
        let case = self.store.case_of(inspection)?;
        if let Some(who) = self.answered(case, inspection, document, role)? {
            return Err(DeviceError::new("document_signed", [("who", Param::text(who))]));
        }
        let sign = DocumentSign {
            id: ItemId::from_bytes(self.fresh_id()?),
            document,
            role: role.to_owned(),
            name: Line::parse("name", name)?,
            pdf_sha256,
            outcome,
        };
        let new = operation_of(sign.act()?).in_inspection(case, inspection);
        let now_ms = self.clock.now().wall_ms;
        let along = |tx: &rusqlite::Transaction<'_>| match signed_pdf {
            Some(capture) => insert_blob(
                tx,
                capture.file(),
                capture.media_type(),
                BlobState::Sealed,
                true,
                now_ms,
            ),
            None => Ok(()),
        };
        let with = AppendWith {
            session: self.session(),
            along: Some(&along),
            ..AppendWith::default()
        };
        Ok(self.store.append_with(new, &with, &|_| Ok(()))?)
    }

    /// Who signed or refused a document in a role.
    fn answered(
        &self,
        case: fieldseal_proof::ids::CaseId,
        inspection: InspectionId,
        document: DocumentId,
        role: &str,
    ) -> Result<Option<String>, DeviceError> {
        let state = self.store.state(Scope::Inspection(case, inspection))?;
        let of_document = state.members("signature").into_iter().find(|id| {
            state.bytes(&format!("signature/{id}/document")) == Some(*document.as_bytes())
                && state.text(&format!("signature/{id}/role")).as_deref() == Some(role)
        });
        Ok(of_document.map(|id| state.text(&format!("signature/{id}/name")).unwrap_or_default()))
    }
}
