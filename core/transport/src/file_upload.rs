//! A file of this machine to the server, continued wherever an earlier attempt stopped: what a rescue file holds.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use fieldseal_core::sync::backoff::Backoff;
use fieldseal_core::sync::fault::Fault;
use fieldseal_core::sync::limits::{UPLOAD_CHUNK, UPLOAD_SLICE};
use fieldseal_core::sync::message::{Method, Payload, Response, upload_path};
use fieldseal_proof::encoding::base64;
use fieldseal_proof::ids::{BlobHash, DeviceId};

use crate::call::Caller;
use crate::jitter::random;

/// One file on its way.
struct Sending {
    blob: BlobHash,
    size: u64,
    file: Arc<File>,
    /// The device that named it, where another one hands it in.
    named_by: Option<DeviceId>,
    /// Where the server has begun it.
    place: Option<String>,
    /// What the server has; only its own word counts, and after a cut it is asked again.
    offset: Option<u64>,
    /// Most bytes of the next part: what a cut may cost.
    slice: u64,
}

impl Caller {
    /// Sends a file as a blob. A half that the server has from an earlier attempt, also of another process, is not sent again; a
    /// cut within it is followed by the question how much has arrived. `named_by` is the device whose record names the file, where
    /// a supervisor hands it in. `moved` is told how many bytes the server has.
    ///
    /// # Errors
    /// [`Fault`]; what has arrived stays at the server and is continued the next time.
    pub fn upload(
        &self,
        blob: BlobHash,
        size: u64,
        file: Arc<File>,
        named_by: Option<DeviceId>,
        moved: &mut dyn FnMut(u64),
    ) -> Result<(), Fault> {
        let mut sending = Sending {
            blob,
            size,
            file,
            named_by,
            place: None,
            offset: None,
            slice: UPLOAD_SLICE,
        };
        let mut backoff = Backoff::new(random());
        let mut most = 0;
        loop {
            let fault = match self.advance(&mut sending) {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    if let Some(at) = sending.offset.filter(|at| *at > most) {
                        most = at;
                        backoff.reset();
                        moved(at);
                    }
                    continue;
                }
                Err(fault) => fault,
            };
            match &fault {
                Fault::Refused { status: 409, code, .. } if code == "upload_offset" => sending.offset = None,
                // Whole in the meantime (the answer was lost), or expired: begun anew, the server says which.
                Fault::Refused { status: 404 | 410, .. } if sending.place.is_some() => {
                    (sending.place, sending.offset) = (None, None);
                }
                transient if transient.is_transient() => {
                    sending.offset = None;
                    sending.slice = (sending.slice / 4).max(UPLOAD_CHUNK as u64);
                }
                _ => return Err(fault),
            }
            match backoff.failed(fault.floor()) {
                Some(wait) => self.pause(wait)?,
                None => return Err(fault),
            }
        }
    }

    /// The next exchange; whether the server has everything.
    fn advance(&self, sending: &mut Sending) -> Result<bool, Fault> {
        let Some(place) = sending.place.clone() else {
            return self.begin(sending);
        };
        let Some(offset) = sending.offset else {
            let answer = self.tus(Method::Head, &place, Vec::new(), Payload::Empty, None)?;
            let at = offset_of(&answer, sending.size).ok_or_else(|| untrue("its offset is not within the file"))?;
            sending.offset = Some(at);
            return Ok(at == sending.size);
        };
        let length = (sending.size - offset).min(sending.slice);
        let payload = Payload::Blob {
            sha256: sending.blob,
            offset,
            length,
        };
        let headers = vec![
            ("Upload-Offset", offset.to_string()),
            ("Content-Type", "application/offset+octet-stream".to_owned()),
        ];
        let part = Part {
            file: Arc::clone(&sending.file),
            at: offset,
        };
        let answer = self.tus(Method::Patch, &place, headers, payload, Some(Box::new(part)))?;
        let at = offset_of(&answer, sending.size).filter(|at| *at > offset);
        let at = at.ok_or_else(|| untrue("its offset does not move"))?;
        sending.offset = Some(at);
        Ok(at == sending.size)
    }

    fn begin(&self, sending: &mut Sending) -> Result<bool, Fault> {
        let mut metadata = format!("sha256 {}", base64(sending.blob.to_string().as_bytes()));
        if let Some(device) = sending.named_by {
            metadata = format!("{metadata},for {}", base64(device.to_string().as_bytes()));
        }
        let headers = vec![
            ("Upload-Length", sending.size.to_string()),
            ("Upload-Metadata", metadata),
        ];
        let created = match self.tus(Method::Post, "/v1/uploads", headers, Payload::Empty, None) {
            Err(Fault::Refused { code, .. }) if code == "already_done" => return Ok(true),
            created => created?,
        };
        let place = created.header("location").and_then(upload_path);
        sending.place = Some(place.ok_or_else(|| untrue("created without a place"))?);
        sending.offset = offset_of(&created, sending.size);
        Ok(sending.offset == Some(sending.size))
    }
}

fn offset_of(answer: &Response, size: u64) -> Option<u64> {
    let at = answer.header("upload-offset")?.parse().ok()?;
    (at <= size).then_some(at)
}

fn untrue(why: &str) -> Fault {
    Fault::Untrue {
        what: "upload",
        why: why.to_owned(),
    }
}

/// A file from a place on, read by position: a reader that a cut has left behind moves nobody else's place.
struct Part {
    file: Arc<File>,
    at: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        #[cfg(unix)]
        let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, self.at)?;
        #[cfg(windows)]
        let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
