//! A blob from the server into a file.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fieldseal_core::sync::limits::{IDLE_TIMEOUT, TRIES};
use fieldseal_proof::ids::BlobHash;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, RANGE};
use sha2::{Digest, Sha256};

use crate::TransportError;
use crate::cancel::Cancel;
use crate::connection::{Connection, chain, runtime};

/// Why a blob did not arrive. What arrived of it stays beside the target and is continued the next time.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No connection, or it was cut too often.
    #[error("offline: {0}")]
    Offline(String),
    /// The server does not give it.
    #[error("the server refused with status {0}")]
    Refused(u16),
    /// The bytes are not those of the hash; they were set aside.
    #[error("the bytes are not those of the hash")]
    Changed,
    /// It is longer than was said.
    #[error("longer than the {0} bytes that were said")]
    TooLong(u64),
    /// The file cannot be written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// No connection can even be tried.
    #[error(transparent)]
    SetUp(#[from] TransportError),
    /// The user ended it.
    #[error("ended by the user")]
    Cancelled,
}

/// Loads a blob of `size` bytes into `target`, continuing a begun one, and puts it in place only when its hash is right.
///
/// # Errors
/// [`DownloadError`].
pub fn download(
    connection: &Connection,
    blob: BlobHash,
    size: u64,
    target: &Path,
    cancel: &Cancel,
    progress: &mut dyn FnMut(u64),
) -> Result<(), DownloadError> {
    let part = part_of(target);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&part)?;
    let runtime = runtime()?;
    let mut failures = 0;
    loop {
        let begun = file.seek(SeekFrom::End(0))?;
        if begun >= size {
            break;
        }
        match runtime.block_on(fetch(connection, blob, begun, size, &mut file, cancel, progress)) {
            Ok(()) => {}
            Err(DownloadError::Offline(why)) => {
                failures = if file.seek(SeekFrom::End(0))? > begun {
                    1
                } else {
                    failures + 1
                };
                if failures >= TRIES {
                    return Err(DownloadError::Offline(why));
                }
            }
            Err(other) => return Err(other),
        }
    }
    file.sync_all()?;
    if hash(&mut file)? != *blob.as_bytes() {
        std::fs::rename(&part, target.with_extension("changed"))?;
        return Err(DownloadError::Changed);
    }
    Ok(std::fs::rename(&part, target)?)
}

async fn fetch(
    connection: &Connection,
    blob: BlobHash,
    begun: u64,
    size: u64,
    file: &mut File,
    cancel: &Cancel,
    progress: &mut dyn FnMut(u64),
) -> Result<(), DownloadError> {
    let offline = |why: reqwest::Error| DownloadError::Offline(chain(&why));
    let path = format!("/v1/blobs/{blob}");
    let url = connection
        .url(&path)
        .ok_or_else(|| DownloadError::Offline("no address".into()))?;
    let mut request = connection.client().get(url).header(RANGE, format!("bytes={begun}-"));
    if let Some(token) = connection.token() {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let mut answer = within(cancel, request.send()).await?.map_err(offline)?;
    let mut at = match answer.status() {
        StatusCode::PARTIAL_CONTENT => begun,
        // A server may ignore ranges: then it begins at the beginning.
        StatusCode::OK => 0,
        status if status.is_server_error() => return Err(DownloadError::Offline(status.to_string())),
        status => return Err(DownloadError::Refused(status.as_u16())),
    };
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    while let Some(chunk) = within(cancel, answer.chunk()).await?.map_err(offline)? {
        at += chunk.len() as u64;
        if at > size {
            return Err(DownloadError::TooLong(size));
        }
        file.write_all(&chunk)?;
        progress(at);
    }
    Ok(())
}

async fn within<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Result<T, DownloadError> {
    tokio::select! {
        () = cancel.ended() => Err(DownloadError::Cancelled),
        done = tokio::time::timeout(IDLE_TIMEOUT, work) => {
            done.map_err(|_| DownloadError::Offline(format!("silence for {} s", IDLE_TIMEOUT.as_secs())))
        }
    }
}

fn hash(file: &mut File) -> std::io::Result<[u8; 32]> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

fn part_of(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    target.with_file_name(name)
}
