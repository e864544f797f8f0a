//! The bytes of a blob as they come from the server: by ranges, gone on with after a cut, and never laid down on the way.

use std::io::Read;

use fieldseal_core::sync::backoff::Backoff;
use fieldseal_core::sync::fault::{Fault, checked};
use fieldseal_core::sync::limits::answer;
use fieldseal_core::sync::message::{Expect, NoAnswer, Response};
use fieldseal_proof::ids::BlobHash;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, CONTENT_TYPE, RANGE};

use crate::call::Caller;
use crate::jitter::random;

/// An original on its way here. Reading it ends after `size` bytes; whether they are the right ones is for their hash to say.
pub struct Original<'a> {
    caller: &'a Caller,
    blob: BlobHash,
    size: u64,
    /// Bytes that were given on.
    at: u64,
    answer: Option<reqwest::Response>,
    chunk: Vec<u8>,
    used: usize,
    backoff: Backoff,
    fault: Option<Fault>,
    moved: &'a mut dyn FnMut(u64),
}

impl Caller {
    /// Begins to read a blob of `size` bytes at byte `from`; the first question is asked with the first read. What is under a
    /// hash never changes, so that a range asked for another day goes on with the same bytes; their hash is checked at the end.
    pub fn original<'a>(&'a self, blob: BlobHash, size: u64, from: u64, moved: &'a mut dyn FnMut(u64)) -> Original<'a> {
        Original {
            caller: self,
            blob,
            size,
            at: from,
            answer: None,
            chunk: Vec::new(),
            used: 0,
            backoff: Backoff::new(random()),
            fault: None,
            moved,
        }
    }
}

impl Original<'_> {
    /// Why the last read failed.
    pub fn fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// The next bytes, whatever it takes; none at the end.
    fn next(&mut self) -> Result<(), Fault> {
        while self.used == self.chunk.len() && self.at < self.size {
            let fault = match self.step() {
                Ok(()) => continue,
                Err(fault) => fault,
            };
            self.answer = None;
            if !fault.is_transient() {
                return Err(fault);
            }
            match self.backoff.failed(fault.floor()) {
                Some(wait) => self.caller.pause(wait)?,
                None => return Err(fault),
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), Fault> {
        let Some(answer) = &mut self.answer else {
            self.answer = Some(self.ask()?);
            return Ok(());
        };
        let chunk = self.caller.within(answer.chunk())?;
        let chunk = chunk.ok_or_else(|| Fault::Offline("the answer ended early".into()))?;
        if chunk.len() as u64 > self.size - self.at {
            return Err(untrue("longer than its record says"));
        }
        (self.chunk, self.used) = (chunk.to_vec(), 0);
        if !self.chunk.is_empty() {
            self.backoff.reset();
        }
        Ok(())
    }

    /// Asks for everything from here on.
    fn ask(&self) -> Result<reqwest::Response, Fault> {
        let connection = self.caller.connection();
        let no_address = || Fault::Offline("no address".into());
        let url = connection
            .url(&format!("/v1/blobs/{}", self.blob))
            .ok_or_else(no_address)?;
        let mut request = connection
            .client()
            .get(url)
            .header(RANGE, format!("bytes={}-", self.at));
        if let Some(token) = connection.token() {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut got = self.caller.within(request.send())?;
        let text = |name: &str| {
            let value = got.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let ours = text("fieldseal-epoch").is_some();
        let begins =
            text(CONTENT_RANGE.as_str()).is_some_and(|range| range.starts_with(&format!("bytes {}-", self.at)));
        match got.status() {
            status if status.is_success() && !ours => Err(Fault::Offline("an answer that is not the server's".into())),
            StatusCode::PARTIAL_CONTENT if begins => Ok(got),
            // A server may ignore ranges; then it begins at the beginning.
            StatusCode::OK if self.at == 0 => Ok(got),
            status if status.is_success() => Err(untrue("other bytes than were asked for")),
            status => {
                let headers = [CONTENT_TYPE.as_str(), "retry-after", "fieldseal-epoch"];
                let headers = headers
                    .iter()
                    .filter_map(|name| Some(((*name).to_owned(), text(name)?)));
                let headers = headers.collect();
                let mut body = Vec::new();
                while let Some(part) = self.caller.within(got.chunk())?
                    && body.len() + part.len() <= answer::PROBLEM
                {
                    body.extend_from_slice(&part);
                }
                let status = status.as_u16();
                let said = checked(Expect::Json, Response { status, headers, body });
                Err(said.err().unwrap_or_else(|| untrue("neither bytes nor a problem")))
            }
        }
    }
}

impl Read for Original<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if let Err(fault) = self.next() {
            let said = std::io::Error::other(fault.to_string());
            self.fault = Some(fault);
            return Err(said);
        }
        let rest = &self.chunk[self.used..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.used += count;
        self.at += count as u64;
        (self.moved)(self.at);
        Ok(count)
    }
}

impl Caller {
    /// Waits for the network, not for ever, and not against the user's will.
    fn within<T>(&self, work: impl Future<Output = Result<T, reqwest::Error>>) -> Result<T, Fault> {
        let patience = self.connection().silence();
        self.runtime().block_on(async {
            tokio::select! {
                () = self.cancel().ended() => Err(Fault::Cancelled),
                done = tokio::time::timeout(patience, work) => match done {
                    Ok(Ok(done)) => Ok(done),
                    Ok(Err(why)) => Err(self.connection().no_answer(&why).into()),
                    Err(_) => Err(NoAnswer::Offline(format!("silence for {} s", patience.as_secs())).into()),
                },
            }
        })
    }
}

fn untrue(why: &str) -> Fault {
    Fault::Untrue {
        what: "blob",
        why: why.to_owned(),
    }
}
