//! BagIt 1.0 (RFC 8493): every file is listed, every listed file is there, every hash is right.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::report::Findings;
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

/// A bag whose names were checked and whose listed files were hashed; only files in `good` may be relied on.
pub(super) struct Bag {
    /// Hash and size of every file whose hash is the listed one.
    pub good: BTreeMap<String, (Digest32, u64)>,
    /// The tag manifest's bytes.
    pub tag_manifest: Vec<u8>,
}

impl Bag {
    /// Sum of the checked files' sizes.
    pub fn bytes(&self) -> u64 {
        self.good.values().map(|(_, size)| size).sum()
    }

    /// Paths below a folder.
    pub fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.good
            .keys()
            .filter_map(move |p| Some((p.as_str(), p.strip_prefix(folder)?)))
    }
}

/// Checks names, completeness and hashes.
pub(super) fn check(source: &dyn BundleSource, findings: &mut Findings) -> Bag {
    let paths = source.paths();
    check_names(&paths, findings);
    let there: BTreeSet<&str> = paths.iter().take(MAX_FILES).map(String::as_str).collect();
    if source.read(BAGIT, 1024).ok().as_deref() != Some(BAGIT_TEXT.as_bytes()) {
        findings.invalid("bag.declaration", BAGIT, "is missing or not that of a BagIt 1.0 bag");
    }
    if there.contains("fetch.txt") {
        findings.invalid("bag.fetch", "fetch.txt", "a bundle must hold its files, not fetch them");
    }
    let tag_manifest = source.read(TAG_MANIFEST, MAX_MANIFEST).unwrap_or_default();
    let mut listed = manifest(source, MANIFEST, findings);
    listed.retain(|path, _| path.starts_with("data/") || refuse_misplaced(path, findings));
    let tags = manifest(source, TAG_MANIFEST, findings);
    let untagged = [BAGIT, MANIFEST].into_iter().filter(|p| !tags.contains_key(*p));
    untagged.for_each(|p| findings.invalid("bag.unlisted", p, "is not covered by the tag manifest"));
    listed.extend(tags);
    for path in &there {
        if !listed.contains_key(*path) && *path != TAG_MANIFEST && *path != SIGNATURE {
            findings.invalid("bag.unlisted", *path, "is in the bundle, but no manifest lists it");
        }
    }
    let wanted: Vec<(String, Digest32)> = listed.into_iter().collect();
    Bag {
        good: hash_all(source, &wanted, findings),
        tag_manifest,
    }
}

fn refuse_misplaced(path: &str, findings: &mut Findings) -> bool {
    findings.invalid("bag.manifest", path, "the payload manifest lists a file outside data/");
    false
}

fn check_names(paths: &[String], findings: &mut Findings) {
    if paths.len() > MAX_FILES {
        findings.invalid(
            "bag.too_many_files",
            paths.len().to_string(),
            "a bundle holds at most 200,000 files",
        );
    }
    let mut seen = HashSet::new();
    for path in paths {
        if !path_is_safe(path) {
            let shown: String = path.escape_debug().take(200).collect();
            findings.invalid(
                "bag.unsafe_path",
                shown,
                "absolute, climbing, or with characters that are not allowed",
            );
        }
        if !seen.insert(path.to_lowercase()) {
            findings.invalid(
                "bag.ambiguous_name",
                path,
                "two names are the same when case is ignored",
            );
        }
    }
}

fn manifest(source: &dyn BundleSource, name: &str, findings: &mut Findings) -> BTreeMap<String, Digest32> {
    let bytes = match source.read(name, MAX_MANIFEST) {
        Ok(bytes) => bytes,
        Err(error) => {
            findings.invalid("bag.manifest", name, error.reason);
            return BTreeMap::new();
        }
    };
    let mut out = BTreeMap::new();
    for (i, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
        let entry = line.split_once("  ").and_then(|(hash, path)| {
            Some((
                path.to_owned(),
                from_hex(hash)?.try_into().ok().filter(|_| path_is_safe(path))?,
            ))
        });
        match entry {
            Some((path, hash)) if out.len() < MAX_FILES => {
                if out.insert(path.clone(), hash).is_some() {
                    findings.invalid("bag.manifest", name, format!("lists {path} twice"));
                }
            }
            _ => findings.invalid("bag.manifest", name, format!("line {} is malformed or unsafe", i + 1)),
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
            Ok(_) => findings.invalid("bag.changed", path, "its bytes are not those the manifest lists"),
            Err(error) => findings.invalid("bag.missing", path, format!("is listed, but {}", error.reason)),
        }
    }
    good
}
