//! What the typesetter can see: the pack's files, `data.json`, the pinned fonts and the request's date.

use std::collections::{BTreeMap, HashMap};

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, World};

use crate::{FontSet, RenderError};

/// The name under which a template reads its data.
pub(crate) const DATA_FILE: &str = "data.json";

/// One render's closed world. Nothing is read from outside while it lives.
pub(crate) struct ClosedWorld<'a> {
    library: &'a LazyHash<Library>,
    fonts: &'a FontSet,
    main: FileId,
    files: HashMap<FileId, Entry>,
    today: Datetime,
}

enum Entry {
    Source(Source),
    Other(Bytes),
}

impl<'a> ClosedWorld<'a> {
    /// A world with the pack's `files`, the prepared `data` and `main` (a name among the files).
    pub fn new(
        library: &'a LazyHash<Library>,
        fonts: &'a FontSet,
        files: &BTreeMap<String, Vec<u8>>,
        main: &str,
        data: Vec<u8>,
        today: Datetime,
    ) -> Result<Self, RenderError> {
        let mut entries = HashMap::new();
        for (name, bytes) in files {
            let entry = if name.ends_with(".typ") {
                let text = String::from_utf8(bytes.clone()).map_err(|_| refused(name, "is not UTF-8 text"))?;
                Entry::Source(Source::new(id(name)?, text))
            } else {
                Entry::Other(Bytes::new(bytes.clone()))
            };
            if entries.insert(id(name)?, entry).is_some() {
                return Err(refused(name, "means the same file as another name of the pack"));
            }
        }
        if entries.insert(id(DATA_FILE)?, Entry::Other(Bytes::new(data))).is_some() {
            return Err(refused(
                DATA_FILE,
                "is the name of the request's data; rename the pack's file",
            ));
        }
        Ok(Self {
            library,
            fonts,
            main: id(main)?,
            files: entries,
            today,
        })
    }

    fn entry(&self, id: FileId) -> FileResult<&Entry> {
        self.files.get(&id).ok_or_else(|| {
            FileError::Other(Some(
                format!(
                    "`{}` is not among the files of the rule pack, and a template can read nothing else",
                    id.vpath().get_without_slash()
                )
                .into(),
            ))
        })
    }
}

impl World for ClosedWorld<'_> {
    fn library(&self) -> &LazyHash<Library> {
        self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        self.fonts.book()
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        match self.entry(id)? {
            Entry::Source(source) => Ok(source.clone()),
            Entry::Other(_) => Err(FileError::NotSource),
        }
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        Ok(match self.entry(id)? {
            Entry::Source(source) => Bytes::from_string(source.clone()),
            Entry::Other(bytes) => bytes.clone(),
        })
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.font(index)
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        Some(self.today)
    }
}

fn id(name: &str) -> Result<FileId, RenderError> {
    let path = VirtualPath::new(name).map_err(|e| refused(name, &e.to_string()))?;
    Ok(FileId::new(RootedPath::new(VirtualRoot::Project, path)))
}

fn refused(name: &str, problem: &str) -> RenderError {
    RenderError::FileName {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}
