//! Where a bundle goes: a folder, or one zip.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fieldseal_core::bundle::BundleSink;

/// A sink that has an end.
pub(super) trait ClosingSink {
    fn as_bundle(&mut self) -> &mut dyn BundleSink;
    fn close(self: Box<Self>) -> io::Result<()>;
}

pub(super) struct FolderSink {
    pub(super) root: PathBuf,
}

impl BundleSink for FolderSink {
    fn file(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()> {
        let target = self.root.join(path);
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = File::create_new(target)?;
        io::copy(bytes, &mut file)?;
        file.sync_data()
    }
}

impl ClosingSink for FolderSink {
    fn as_bundle(&mut self) -> &mut dyn BundleSink {
        self
    }
    fn close(self: Box<Self>) -> io::Result<()> {
        File::open(&self.root)?.sync_all()
    }
}

pub(super) struct ZipSink {
    zip: zip::ZipWriter<File>,
}

impl ZipSink {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            zip: zip::ZipWriter::new(File::create_new(path)?),
        })
    }
}

impl BundleSink for ZipSink {
    fn file(&mut self, path: &str, bytes: &mut dyn Read) -> io::Result<()> {
        // Stored, with the fixed date that zip gives by default: the same contents make the same zip, and media does not shrink.
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .large_file(true);
        self.zip.start_file(path, options).map_err(io::Error::other)?;
        io::copy(bytes, &mut self.zip)?;
        self.zip.flush()
    }
}

impl ClosingSink for ZipSink {
    fn as_bundle(&mut self) -> &mut dyn BundleSink {
        self
    }
    fn close(self: Box<Self>) -> io::Result<()> {
        self.zip.finish().map_err(io::Error::other)?.sync_all()
    }
}
