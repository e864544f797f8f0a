//! From files to pack bytes and back, with limits before anything is read.

use std::collections::BTreeMap;

use fieldseal_proof::cbor::{self, MapReader, MapWriter, Value};
use fieldseal_proof::hash::h;
use fieldseal_proof::ids::PackHash;

use super::PackError;
use super::tables::PackHead;

/// Most files of a pack.
pub const MAX_PACK_FILES: usize = 2_000;
/// Most bytes of a pack.
pub const MAX_PACK_BYTES: usize = 32 * 1024 * 1024;
/// Notes for people beside the data; they are not part of the pack.
const LEFT_OUT: [&str; 2] = ["README.md", ".DS_Store"];

/// The files of a pack by their names inside it. Whoever reads a folder fills this; names use `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackSource {
    files: BTreeMap<String, Vec<u8>>,
}

impl PackSource {
    /// Takes files by name. A `README.md` in any folder is left out; any other name must be of `a-z0-9._-/`.
    pub fn read(files: BTreeMap<String, Vec<u8>>) -> Result<PackSource, PackError> {
        let mut kept = BTreeMap::new();
        for (name, bytes) in files {
            if LEFT_OUT.contains(&name.rsplit('/').next().unwrap_or_default()) {
                continue;
            }
            if !is_name(&name) {
                return Err(PackError::Name { file: name });
            }
            kept.insert(name, bytes);
        }
        if kept.len() > MAX_PACK_FILES {
            return Err(PackError::TooMany {
                what: "files",
                count: kept.len(),
                most: MAX_PACK_FILES,
            });
        }
        let size: usize = kept.values().map(Vec::len).sum();
        if size > MAX_PACK_BYTES {
            return Err(PackError::TooMany {
                what: "bytes",
                count: size,
                most: MAX_PACK_BYTES,
            });
        }
        Ok(PackSource { files: kept })
    }

    /// The pack bytes. They depend on the files alone.
    pub fn build(&self) -> Result<Vec<u8>, PackError> {
        let head: PackHead = super::rule_pack::table(&self.files, "pack.toml")?;
        let files = self
            .files
            .iter()
            .map(|(name, bytes)| Value::Array(vec![Value::text(name), Value::bytes(bytes)]));
        let pack = MapWriter::default()
            .put(0, Value::Uint(0))
            .put(1, Value::text(head.id))
            .put(2, Value::text(head.jurisdiction))
            .put(3, Value::text(head.version))
            .put(4, Value::text(head.in_force_from))
            .put_opt(5, head.in_force_to.map(Value::text))
            .put(6, Value::Array(files.collect()))
            .encode();
        if pack.len() > MAX_PACK_BYTES {
            return Err(PackError::TooMany {
                what: "bytes",
                count: pack.len(),
                most: MAX_PACK_BYTES,
            });
        }
        super::RulePack::parse(&pack)?;
        Ok(pack)
    }

    /// The files of pack bytes, after checking everything about their form.
    pub fn open(pack: &[u8]) -> Result<(Outside, PackSource), PackError> {
        if pack.len() > MAX_PACK_BYTES {
            return Err(PackError::TooMany {
                what: "bytes",
                count: pack.len(),
                most: MAX_PACK_BYTES,
            });
        }
        let form = |detail: String| PackError::Form { detail };
        let value = cbor::decode(pack).map_err(|error| form(error.to_string()))?;
        let map = MapReader::new(&value, "pack").map_err(|error| form(error.to_string()))?;
        let text = |key| {
            map.text(key)
                .map(str::to_owned)
                .map_err(|error| form(error.to_string()))
        };
        let version = map.uint(0).map_err(|error| form(error.to_string()))?;
        if version != 0 {
            return Err(form(format!("format version {version}; this program reads version 0")));
        }
        let outside = Outside {
            id: text(1)?,
            jurisdiction: text(2)?,
            version: text(3)?,
            in_force_from: text(4)?,
            in_force_to: map
                .opt_text(5)
                .map_err(|error| form(error.to_string()))?
                .map(str::to_owned),
        };
        let listed = map.array(6).map_err(|error| form(error.to_string()))?;
        if listed.len() > MAX_PACK_FILES {
            return Err(PackError::TooMany {
                what: "files",
                count: listed.len(),
                most: MAX_PACK_FILES,
            });
        }
        let mut files = BTreeMap::new();
        let mut before: Option<&str> = None;
        for entry in listed {
            let (name, bytes) = match entry.as_array() {
                Some([Value::Text(name), Value::Bytes(bytes)]) => (name, bytes),
                _ => return Err(form("a file is not [name, bytes]".into())),
            };
            if !is_name(name) {
                return Err(PackError::Name { file: name.clone() });
            }
            if before.is_some_and(|before| before >= name.as_str()) {
                return Err(form(format!("file names are not ascending at {name}")));
            }
            before = Some(name);
            files.insert(name.clone(), bytes.clone());
        }
        Ok((outside, PackSource { files }))
    }

    /// The files by name.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }
}

/// What the pack bytes say before any file is read; it has to agree with `pack.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    pub id: String,
    pub jurisdiction: String,
    pub version: String,
    pub in_force_from: String,
    pub in_force_to: Option<String>,
}

/// The content address of pack bytes.
pub fn pack_hash(pack: &[u8]) -> PackHash {
    PackHash::from_bytes(h("fieldseal/v0/pack", &[pack]))
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-' | '/');
    !name.is_empty()
        && name.len() <= 200
        && name.chars().all(plain)
        && name
            .split('/')
            .all(|segment| !segment.is_empty() && segment != "." && !segment.contains(".."))
}
