//! BagIt 1.0 (RFC 8493): every file is listed, every listed file is there, every hash is right.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::findings::Findings;
use super::source::{BundleSource, MAX_FILES, MAX_MANIFEST, path_is_safe};
use crate::hash::{Digest32, StreamHash};
use crate::ids::from_hex;

/// The payload manifest.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// The tag manifest, which the bundle's signature covers.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// The signature over the tag manifest.
pub const SIGNATURE: &str = "tagmanifest-sha256.txt.sig";
/// First file of every bag.
pub const BAGIT: &str = "bagit.txt";
/// Its only content.
pub const BAGIT_TEXT: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";

/// A bag whose names were checked and whose listed files were hashed. Only files in `good` can be read.
pub(super) struct Bag<'a> {
    source: &'a dyn BundleSource,
    /// Hash and size of every file whose hash is the listed one.
    pub good: BTreeMap<String, (Digest32, u64)>,
    /// The tag manifest's bytes.
    pub tag_manifest: Vec<u8>,
    /// Files that a check rests on.
    used: RefCell<BTreeSet<String>>,
}

impl Bag<'_> {
    /// The bytes of a good file of at most `limit` bytes.
    pub fn read(&self, path: &str, limit: u64) -> Result<Vec<u8>, String> {
        if !self.good.contains_key(path) {
            return Err("is not in the bundle, or not as listed".into());
        }
        self.mark(path);
        self.source.read(path, limit).map_err(|e| e.reason)
    }

    /// Notes that a check rests on a file.
    pub fn mark(&self, path: &str) {
        self.used.borrow_mut().insert(path.to_owned());
    }

    /// Good files that nothing rests on.
    pub fn not_checked(&self) -> Vec<String> {
        let tags = [BAGIT, MANIFEST];
        let unused = |p: &&String| !self.used.borrow().contains(*p) && !tags.contains(&p.as_str());
        self.good.keys().filter(unused).cloned().collect()
    }

    /// Sum of the checked files' sizes.
    pub fn bytes(&self) -> u64 {
        self.good.values().map(|(_, size)| size).sum()
    }

    /// Paths below a folder, whole and without the folder.
    pub fn under<'b>(&'b self, folder: &'b str) -> impl Iterator<Item = (&'b str, &'b str)> {
        self.good.keys().filter_map(move |p| Some((p.as_str(), p.strip_prefix(folder)?)))
    }
}

/// Checks names, completeness and hashes.
pub(super) fn check<'a>(source: &'a dyn BundleSource, findings: &mut Findings) -> Bag<'a> {
    let paths = source.paths();
    check_names(&paths, findings);
    let there: BTreeSet<&str> = paths.iter().take(MAX_FILES).map(String::as_str).collect();
    if source.read(BAGIT, 1024).ok().as_deref() != Some(BAGIT_TEXT.as_bytes()) {
        findings.add("bag.declaration", BAGIT);
    }
    if there.contains("fetch.txt") {
        findings.add("bag.fetch", "fetch.txt");
    }
    let tag_manifest = source.read(TAG_MANIFEST, MAX_MANIFEST).unwrap_or_default();
    let mut listed = manifest(source, MANIFEST, true, findings);
    let tags = manifest(source, TAG_MANIFEST, false, findings);
    let untagged = [BAGIT, MANIFEST].into_iter().filter(|p| !tags.contains_key(*p));
    untagged.for_each(|p| findings.add("bag.unlisted", p));
    listed.extend(tags);
    let unlisted = |p: &&&str| !listed.contains_key(**p) && ![BAGIT, MANIFEST, TAG_MANIFEST, SIGNATURE].contains(*p);
    there.iter().filter(unlisted).for_each(|p| findings.add("bag.unlisted", p));
    let wanted: Vec<(String, Digest32)> = listed.into_iter().collect();
    let good = hash_all(source, &wanted, findings);
    Bag { source, good, tag_manifest, used: RefCell::default() }
}

fn check_names(paths: &[String], findings: &mut Findings) {
    if paths.len() > MAX_FILES {
        findings.add("bag.too_many_files", paths.len());
    }
    let mut seen = HashSet::new();
    for path in paths {
        if !path_is_safe(path) {
            findings.add("bag.unsafe_path", path.escape_debug().take(200).collect::<String>());
        }
        if !seen.insert(path.to_lowercase()) {
            findings.add("bag.ambiguous_name", path);
        }
    }
}

/// Reads a manifest: of the payload, whose files lie below `data/`, or of the tag files, which do not.
fn manifest(
    source: &dyn BundleSource,
    name: &str,
    payload: bool,
    findings: &mut Findings,
) -> BTreeMap<String, Digest32> {
    let mut out = BTreeMap::new();
    let text = match source.read(name, MAX_MANIFEST).map(String::from_utf8) {
        Ok(Ok(text)) if text.ends_with('\n') => text,
        Ok(_) => {
            findings.add_with("bag.manifest", name, "it is not UTF-8, or its last line does not end");
            return out;
        }
        Err(error) => {
            findings.add_with("bag.manifest", name, error.reason);
            return out;
        }
    };
    for (i, line) in text.split_terminator('\n').enumerate() {
        let entry = line.split_once("  ").and_then(|(hash, path)| {
            let hash: Digest32 = from_hex(hash)?.try_into().ok()?;
            (path_is_safe(path) && path.starts_with("data/") == payload).then(|| (path.to_owned(), hash))
        });
        let doubled = entry.is_none_or(|(path, hash)| out.len() == MAX_FILES || out.insert(path, hash).is_some());
        if doubled {
            findings.add_with("bag.manifest", name, format!("line {}", i + 1));
        }
    }
    out
}

/// Hashes the listed files, two at a time: hashing is what a large bundle costs.
fn hash_all(
    source: &dyn BundleSource,
    wanted: &[(String, Digest32)],
    findings: &mut Findings,
) -> BTreeMap<String, (Digest32, u64)> {
    let (even, odd): (Vec<_>, Vec<_>) = wanted.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let hash_part = |part: Vec<(usize, &(String, Digest32))>| {
        let mut out = Vec::with_capacity(part.len());
        for (_, (path, expected)) in part {
            let mut hash = StreamHash::default();
            let read = source.stream(path, &mut |chunk| hash.update(chunk));
            out.push((path.clone(), *expected, read.map(|()| hash.finish())));
        }
        out
    };
    let results = std::thread::scope(|scope| {
        let second = scope.spawn(|| hash_part(odd));
        let mut all = hash_part(even);
        match second.join() {
            Ok(rest) => all.extend(rest),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        all
    });
    let mut good = BTreeMap::new();
    for (path, expected, result) in results {
        match result {
            Ok((hash, size)) if hash == expected => drop(good.insert(path, (hash, size))),
            Ok(_) => findings.add("bag.changed", path),
            Err(error) => findings.add_with("bag.missing", path, error.reason),
        }
    }
    good
}
