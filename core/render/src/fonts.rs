//! The fonts a template may use: a short list, chosen by family name, the same on tablet and server.
//!
//! A PDF embeds the outlines it uses, so the same request gives the same bytes only with the same font files.
//! [`FontSet::fingerprint`] names those files and belongs into the record of every document.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use typst::foundations::Bytes;
use typst::text::{Font, FontBook, FontStyle};
use typst::utils::LazyHash;

use crate::face_names::faces_named;
use crate::printable::CodePoints;
use crate::{Coverage, FontError};

/// The families of Debian's `fonts-noto-cjk` that the first rule packs name in their templates.
pub const DEFAULT_FAMILIES: [&str; 3] = ["Noto Sans CJK SC", "Noto Sans Mono CJK SC", "Noto Serif CJK SC"];

/// A font file larger than this is passed over; the largest real one (Noto Serif CJK Bold) has 27 MB.
const MAX_FONT_BYTES: u64 = 64 << 20;
/// Folders below a searched folder are followed this deep.
const MAX_DEPTH: usize = 6;

/// Loaded fonts: the upright regular and bold faces of the pinned families, in a fixed order.
///
/// Cloning is cheap; the font bytes are shared.
#[derive(Clone)]
pub struct FontSet(Arc<Inner>);

struct Inner {
    fonts: Vec<Font>,
    book: LazyHash<FontBook>,
    families: Vec<String>,
    coverage: Coverage,
    fingerprint: [u8; 32],
}

/// A face before the choice.
struct Face {
    family: String,
    weight: u16,
    /// SHA-256 of the file it is in.
    file: [u8; 32],
    font: Font,
}

impl Face {
    /// Family, weight and content decide, so that paths play no part.
    fn order(&self) -> (&str, u16, [u8; 32], u32) {
        (&self.family, self.weight, self.file, self.font.index())
    }
}

impl FontSet {
    /// Searches the folders (and the folders below) for the files that hold [`DEFAULT_FAMILIES`].
    ///
    /// # Errors
    ///
    /// [`FontError::MissingFamily`] when a family is not there; it names the Debian package.
    pub fn discover(dirs: &[PathBuf]) -> Result<Self, FontError> {
        Self::discover_families(dirs, &DEFAULT_FAMILIES)
    }

    /// Like [`FontSet::discover`], with the families that a rule pack pins.
    pub fn discover_families(dirs: &[PathBuf], families: &[&str]) -> Result<Self, FontError> {
        let mut files = BTreeSet::new();
        for dir in dirs {
            collect(dir, MAX_DEPTH, &mut files);
        }
        let searched = match dirs {
            [] => "no folder at all".to_owned(),
            dirs => dirs
                .iter()
                .map(|d| d.display().to_string())
                .collect::<Vec<_>>()
                .join(", "),
        };
        let mut contents = Vec::new();
        for path in files {
            let bytes = std::fs::read(&path).map_err(|source| FontError::Read { path, source })?;
            if !faces_named(&bytes, families).is_empty() {
                contents.push(bytes);
            }
        }
        Self::choose(contents, families, searched)
    }

    /// Takes font files that are already in memory (an application's own assets) with [`DEFAULT_FAMILIES`].
    ///
    /// # Errors
    ///
    /// As [`FontSet::discover`].
    pub fn load(files: Vec<Vec<u8>>) -> Result<Self, FontError> {
        Self::load_families(files, &DEFAULT_FAMILIES)
    }

    /// Like [`FontSet::load`], with the families that a rule pack pins.
    pub fn load_families(files: Vec<Vec<u8>>, families: &[&str]) -> Result<Self, FontError> {
        let searched = format!("the {} font files handed in", files.len());
        Self::choose(files, families, searched)
    }

    /// SHA-256 over the list of faces in use, each with family, weight, index in its file, and SHA-256 of the file.
    ///
    /// Equal fingerprints mean equal font bytes, whatever the paths; it is stored with every document.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.0.fingerprint
    }

    /// The pinned families, sorted.
    pub fn families(&self) -> &[String] {
        &self.0.families
    }

    /// Which characters these fonts draw.
    pub fn coverage(&self) -> &Coverage {
        &self.0.coverage
    }

    pub(crate) fn book(&self) -> &LazyHash<FontBook> {
        &self.0.book
    }

    pub(crate) fn font(&self, index: usize) -> Option<Font> {
        self.0.fonts.get(index).cloned()
    }

    fn choose(contents: Vec<Vec<u8>>, families: &[&str], searched: String) -> Result<Self, FontError> {
        let families: BTreeSet<&str> = families.iter().copied().collect();
        if families.is_empty() {
            return Err(FontError::NoFamilies);
        }
        let faces = chosen_faces(contents, &families);
        let missing: Vec<String> = families
            .iter()
            .filter(|name| !faces.iter().any(|face| face.family == **name))
            .map(|name| format!("{name:?}"))
            .collect();
        if !missing.is_empty() {
            return Err(FontError::MissingFamily {
                missing: missing.join(", "),
                searched,
            });
        }
        let fingerprint = fingerprint(&faces);
        let coverage = Coverage::from_families(&family_coverage(&faces));
        let fonts: Vec<Font> = faces.into_iter().map(|face| face.font).collect();
        Ok(Self(Arc::new(Inner {
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            families: families.into_iter().map(str::to_owned).collect(),
            coverage,
            fingerprint,
        })))
    }
}

/// One face for each (family, weight); of several files that offer it, the one with the smallest hash.
fn chosen_faces(contents: Vec<Vec<u8>>, families: &BTreeSet<&str>) -> Vec<Face> {
    let names: Vec<&str> = families.iter().copied().collect();
    let mut faces = Vec::new();
    for bytes in contents {
        let indices = faces_named(&bytes, &names);
        if indices.is_empty() {
            continue;
        }
        let file: [u8; 32] = Sha256::digest(&bytes).into();
        let bytes = Bytes::new(bytes);
        let fonts = indices.iter().filter_map(|&index| Font::new(bytes.clone(), index));
        faces.extend(fonts.filter(|font| wanted(font, families)).map(|font| Face {
            family: font.info().family.clone(),
            weight: font.info().variant.weight.to_number(),
            file,
            font,
        }));
    }
    faces.sort_by(|a, b| a.order().cmp(&b.order()));
    faces.dedup_by(|a, b| (&a.family, a.weight) == (&b.family, b.weight));
    faces
}

fn wanted(font: &Font, families: &BTreeSet<&str>) -> bool {
    let info = font.info();
    families.contains(info.family.as_str())
        && info.variant.style == FontStyle::Normal
        && matches!(info.variant.weight.to_number(), 400 | 700)
}

fn fingerprint(faces: &[Face]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"fieldseal fonts 0\n");
    for face in faces {
        hash.update(format!("{}\n{}\n{}\n", face.family, face.weight, face.font.index()).as_bytes());
        hash.update(face.file);
    }
    hash.finalize().into()
}

/// A family draws what each of its faces draws, because a template may set any text in bold.
fn family_coverage(faces: &[Face]) -> Vec<CodePoints> {
    let mut families: BTreeMap<&str, CodePoints> = BTreeMap::new();
    for face in faces {
        let drawn: CodePoints = face.font.info().coverage.iter().collect();
        families
            .entry(&face.family)
            .and_modify(|held| held.retain(&drawn))
            .or_insert(drawn);
    }
    families.into_values().collect()
}

/// Font files under `dir`. Folders and files that cannot be read are passed over: fonts of others are no concern.
fn collect(dir: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        if meta.is_dir() && depth > 0 {
            collect(&path, depth - 1, files);
        } else if meta.is_file() && meta.len() <= MAX_FONT_BYTES && is_font_name(&path) {
            files.insert(path);
        }
    }
}

fn is_font_name(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| ["ttf", "otf", "ttc", "otc"].contains(&e.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_font_names_the_package() {
        let error = FontSet::discover(&[PathBuf::from("/nowhere/at/all")]).err().unwrap();
        let text = error.to_string();
        assert!(
            text.contains("fonts-noto-cjk") && text.contains("/nowhere/at/all"),
            "{text}"
        );
    }

    #[test]
    fn only_font_files_are_looked_at() {
        assert!(is_font_name(Path::new("a/NotoSerifCJK-Bold.TTC")));
        assert!(!is_font_name(Path::new("a/readme.txt")));
    }
}
