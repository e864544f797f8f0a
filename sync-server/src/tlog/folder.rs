//! Tiles, entry bundles and the checkpoint as files, laid out as they are served (C2SP tlog-tiles).
//!
//! Everything but `checkpoint` can be derived again from the ledger, so a write that is repeated writes the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use fieldseal_proof::hash::Digest32;
use fieldseal_proof::merkle::{CompactRange, NodeSource, leaf_hash};
use fieldseal_proof::tile::{WIDTH, encode_entries, entries_path, fold, locate, path};

/// A tile could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    #[error("{0} is not there")]
    Missing(String),
    #[error("{0} has the wrong length")]
    Length(String),
    #[error("{path}: {why}")]
    Io { path: String, why: String },
}

/// The folder that is served under `/tile` and `/checkpoint`.
#[derive(Debug, Clone)]
pub struct TileFolder {
    root: PathBuf,
}

impl TileFolder {
    /// Uses a folder, creating it if needed.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn open(root: &Path) -> Result<Self, TileError> {
        std::fs::create_dir_all(root).map_err(|e| io("tiles", &e))?;
        Ok(Self {
            root: root.to_path_buf(),
        })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file by its path below the folder, as the wire names it. The caller has checked the path's form.
    ///
    /// # Errors
    /// `Missing` where there is none.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, TileError> {
        std::fs::read(self.root.join(name)).map_err(|e| match e.kind() {
            ErrorKind::NotFound => TileError::Missing(name.to_owned()),
            _ => io(name, &e),
        })
    }

    /// The published checkpoint, if any.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, TileError> {
        match self.read("checkpoint") {
            Ok(bytes) => Ok(Some(bytes)),
            Err(TileError::Missing(_)) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Puts a checkpoint in place of the one before: temporary file, fsync, rename, fsync of the folder.
    ///
    /// # Errors
    /// When the disk refuses; the old checkpoint then stays.
    pub fn publish_checkpoint(&self, note: &[u8]) -> Result<(), TileError> {
        let mut names = Names::default();
        self.replace("checkpoint", note, &mut names)?;
        names.sync()
    }

    /// Writes the tiles and bundles that `leaves` complete or extend, beginning at `range`, and returns the range after them.
    /// Partial tiles are written for the last size only.
    ///
    /// # Errors
    /// When the disk refuses, or when the tiles to the left of `range` are not there.
    pub fn extend(&self, mut range: CompactRange, leaves: &[[u8; 32]]) -> Result<CompactRange, TileError> {
        let start = range.size();
        let mut names = Names::default();
        let mut rows: BTreeMap<(u8, u64), Vec<Digest32>> = BTreeMap::new();
        for leaf in leaves {
            range.push(leaf_hash(leaf), |level, index, hash| {
                if level % 8 == 0 {
                    rows.entry((level / 8, index / WIDTH)).or_default().push(*hash);
                }
            });
        }
        for ((level, index), added) in rows {
            let last = (range.size() >> (8 * u32::from(level))).min((index + 1) * WIDTH);
            let width = last - index * WIDTH;
            let before = width - added.len() as u64;
            let mut hashes = if before == 0 {
                Vec::new()
            } else {
                self.row(level, index, before)?
            };
            hashes.extend(added);
            self.replace(&path(level, index, width), hashes.as_flattened(), &mut names)?;
        }
        self.extend_entries(start, leaves, &mut names)?;
        // A checkpoint must never be on disk before the names of the tiles it speaks of.
        names.sync()?;
        Ok(range)
    }

    fn extend_entries(&self, start: u64, leaves: &[[u8; 32]], names: &mut Names) -> Result<(), TileError> {
        let stop = start + leaves.len() as u64;
        let mut at = start;
        while at < stop {
            let bundle = at / WIDTH;
            let end = ((bundle + 1) * WIDTH).min(stop);
            let mut entries = if at.is_multiple_of(WIDTH) {
                Vec::new()
            } else {
                self.bundle(bundle, at % WIDTH)?
            };
            entries.extend_from_slice(&leaves[(at - start) as usize..(end - start) as usize]);
            let bytes = encode_entries(entries.iter().map(<[u8; 32]>::as_slice));
            self.replace(&entries_path(bundle, end - bundle * WIDTH), &bytes, names)?;
            at = end;
        }
        Ok(())
    }

    /// The first `width` leaves of a bundle.
    ///
    /// # Errors
    /// When no bundle of that or a greater width is there.
    pub fn bundle(&self, index: u64, width: u64) -> Result<Vec<[u8; 32]>, TileError> {
        let (bytes, name) = self.widest(width, |w| entries_path(index, w))?;
        let (entries, []) = bytes.as_chunks::<34>() else {
            return Err(TileError::Length(name));
        };
        let strip = |entry: &[u8; 34]| {
            entry
                .strip_prefix(&[0, 32])
                .and_then(|leaf| <[u8; 32]>::try_from(leaf).ok())
        };
        let leaves: Option<Vec<[u8; 32]>> = entries.iter().take(width as usize).map(strip).collect();
        leaves
            .filter(|l| l.len() as u64 == width)
            .ok_or(TileError::Length(name))
    }

    /// The first `width` hashes of a tile.
    fn row(&self, level: u8, index: u64, width: u64) -> Result<Vec<Digest32>, TileError> {
        let (bytes, name) = self.widest(width, |w| path(level, index, w))?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || (hashes.len() as u64) < width {
            return Err(TileError::Length(name));
        }
        Ok(hashes[..width as usize].to_vec())
    }

    /// Reads the file of this width, else a wider one: narrower ones are dropped once the whole tile is there.
    fn widest(&self, width: u64, name: impl Fn(u64) -> String) -> Result<(Vec<u8>, String), TileError> {
        for w in [width, WIDTH].into_iter().chain(width + 1..WIDTH) {
            match self.read(&name(w)) {
                Ok(bytes) => return Ok((bytes, name(w))),
                Err(TileError::Missing(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Err(TileError::Missing(name(width)))
    }

    /// Puts a file in its place. Its bytes are durable afterwards; its name is once `names` are.
    fn replace(&self, name: &str, bytes: &[u8], names: &mut Names) -> Result<(), TileError> {
        let target = self.root.join(name);
        let temporary = self.root.join(format!(".{}.new", name.replace('/', "-")));
        let folder = target.parent().unwrap_or(&self.root);
        let mut write = || -> std::io::Result<()> {
            let new = !folder.is_dir();
            std::fs::create_dir_all(folder)?;
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_data()?;
            std::fs::rename(&temporary, &target)?;
            let above = folder
                .ancestors()
                .skip(1)
                .take_while(|above| above.starts_with(&self.root));
            names.changed.insert(folder.to_path_buf());
            names.changed.extend(above.filter(|_| new).map(Path::to_path_buf));
            Ok(())
        };
        write().map_err(|e| io(name, &e))?;
        // A whole tile makes its partial ones superfluous (C2SP tlog-tiles, "Partial Tiles").
        if !name.contains(".p/") && name.starts_with("tile/") {
            let partial = self.root.join(format!("{name}.p"));
            names.changed.remove(&partial);
            names.superfluous.push(partial);
        }
        Ok(())
    }
}

/// Folders whose names changed: each is made durable once, however many of its files were written.
#[derive(Default)]
struct Names {
    changed: BTreeSet<PathBuf>,
    superfluous: Vec<PathBuf>,
}

impl Names {
    fn sync(self) -> Result<(), TileError> {
        for folder in self.changed {
            let synced = File::open(&folder).and_then(|folder| folder.sync_all());
            synced.map_err(|e| io(&folder.display().to_string(), &e))?;
        }
        // Only now: whoever starts again reads the partial ones until the whole ones are surely there.
        for folder in self.superfluous {
            let _ = std::fs::remove_dir_all(folder);
        }
        Ok(())
    }
}

impl NodeSource for TileFolder {
    type Error = TileError;

    fn node(&self, level: u8, index: u64) -> Result<Digest32, TileError> {
        let (tile_level, tile, _, first, count) = locate(level, index);
        let hashes = self.row(tile_level, tile, (first + count) as u64)?;
        fold(&hashes[first..]).ok_or_else(|| TileError::Length(path(tile_level, tile, WIDTH)))
    }
}

fn io(path: &str, error: &std::io::Error) -> TileError {
    TileError::Io {
        path: path.to_owned(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldseal_proof::hash::sha256;
    use fieldseal_proof::merkle::{
        MemoryTree, prove_consistency, prove_inclusion, verify_consistency, verify_inclusion,
    };

    #[test]
    fn tiles_in_any_steps_give_the_tree_and_its_proofs() {
        for steps in [
            vec![1, 1, 1],
            vec![255, 1, 1],
            vec![256, 256],
            vec![300, 700, 1],
            vec![66_000, 3],
        ] {
            let folder = tempfile::tempdir().unwrap();
            let tiles = TileFolder::open(folder.path()).unwrap();
            let (mut range, mut tree, mut sizes) = (CompactRange::default(), MemoryTree::default(), vec![]);
            for step in steps {
                let leaves: Vec<[u8; 32]> = (0..step)
                    .map(|i: u64| sha256(&(range.size() + i).to_be_bytes()))
                    .collect();
                leaves.iter().for_each(|l| tree.push(l));
                range = tiles.extend(range, &leaves).unwrap();
                assert_eq!(range.root(), tree.root());
                assert_eq!(CompactRange::load(range.size(), &tiles).unwrap(), range);
                sizes.push((range.size(), range.root()));
            }
            let (size, root) = (range.size(), range.root());
            for index in [0, size / 2, size - 1] {
                let leaf = tiles.bundle(index / WIDTH, index % WIDTH + 1).unwrap()[(index % WIDTH) as usize];
                let proof = prove_inclusion(index, size, &tiles).unwrap();
                verify_inclusion(&leaf_hash(&leaf), index, size, &proof, &root).unwrap();
            }
            for (old, old_root) in sizes {
                let proof = prove_consistency(old, size, &tiles).unwrap();
                verify_consistency(old, &old_root, size, &root, &proof).unwrap();
            }
        }
    }

    #[test]
    fn writing_again_writes_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let tiles = TileFolder::open(folder.path()).unwrap();
        let leaves: Vec<[u8; 32]> = (0..600u32).map(|i| sha256(&i.to_be_bytes())).collect();
        let half = tiles.extend(CompactRange::default(), &leaves[..300]).unwrap();
        let whole = tiles.extend(half.clone(), &leaves[300..]).unwrap();
        assert_eq!(tiles.extend(half, &leaves[300..]).unwrap(), whole);
        assert_eq!(tiles.extend(CompactRange::default(), &leaves).unwrap(), whole);
    }
}
