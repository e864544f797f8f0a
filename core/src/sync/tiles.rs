//! Nodes of the central tree from its tiles, as they arrive.
//!
//! A proof asks for nodes; a node whose tile is not here yet names the tile, the session fetches it, and the proof is
//! tried again. Nothing here is trusted: the proofs made from these nodes are verified against signed roots.

use std::collections::HashMap;

use fieldseal_proof::hash::Digest32;
use fieldseal_proof::merkle::{NodeSource, node_hash};
use fieldseal_proof::tile::{self, WIDTH};

use super::limits;

/// A tile: level (in steps of eight tree levels), index, and how many hashes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileName {
    /// Level of the tile.
    pub level: u8,
    /// Index of the tile in its level.
    pub index: u64,
    /// 1…256 hashes.
    pub width: u16,
}

impl TileName {
    /// Path on the server.
    pub fn path(&self) -> String {
        format!("/{}", tile::path(self.level, self.index, self.width.into()))
    }

    /// The same tile when it is whole: what remains after the log has grown over it.
    pub fn whole(self) -> Self {
        Self {
            width: WIDTH as u16,
            ..self
        }
    }
}

/// The nodes known so far.
#[derive(Default)]
pub struct Tiles {
    nodes: HashMap<(u8, u64), Digest32>,
    tiles_held: usize,
}

/// The nodes of the tree of `size` leaves; an unknown one names the tile it needs.
pub struct TreeAt<'a> {
    tiles: &'a Tiles,
    size: u64,
}

impl NodeSource for TreeAt<'_> {
    type Error = TileName;

    fn node(&self, level: u8, index: u64) -> Result<Digest32, TileName> {
        if let Some(hash) = self.tiles.nodes.get(&(level, index)) {
            return Ok(*hash);
        }
        let (tile_level, tile_index, ..) = tile::locate(level, index);
        let hashes = self.size.checked_shr(8 * u32::from(tile_level)).unwrap_or(0);
        let width = hashes.saturating_sub(tile_index * WIDTH).min(WIDTH) as u16;
        Err(TileName {
            level: tile_level,
            index: tile_index,
            width,
        })
    }
}

impl Tiles {
    /// The tree of `size` leaves, as far as it is known.
    pub fn at(&self, size: u64) -> TreeAt<'_> {
        TreeAt { tiles: self, size }
    }

    /// Forgets everything: a proof failed, so some tile was wrong.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.tiles_held = 0;
    }

    /// Takes a tile in and computes its inner nodes. `false` when its length is not the one of its name.
    pub fn insert(&mut self, name: TileName, bytes: &[u8]) -> bool {
        if bytes.len() != usize::from(name.width) * 32 || bytes.is_empty() {
            return false;
        }
        if self.tiles_held >= limits::TILES {
            self.clear();
        }
        let base = name.level * 8;
        let mut row: Vec<Digest32> = bytes
            .chunks_exact(32)
            .filter_map(|chunk| chunk.try_into().ok())
            .collect();
        let mut start = name.index * WIDTH;
        for step in 0..8 {
            for (at, hash) in row.iter().enumerate() {
                self.nodes.insert((base + step, start + at as u64), *hash);
            }
            row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
            start /= 2;
        }
        self.tiles_held += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use fieldseal_proof::merkle::{CompactRange, leaf_hash, prove_inclusion, verify_inclusion};

    use super::*;

    /// Serves the tiles of a tree of `size` leaves.
    fn serve(leaves: &[Digest32], name: TileName) -> Vec<u8> {
        let mut nodes = HashMap::new();
        let mut range = CompactRange::default();
        for leaf in leaves {
            range.push(*leaf, |level, index, hash| {
                nodes.insert((level, index), *hash);
            });
        }
        let start = name.index * WIDTH;
        (start..start + u64::from(name.width))
            .flat_map(|i| nodes[&(name.level * 8, i)])
            .collect()
    }

    #[test]
    fn proofs_come_from_tiles_alone() {
        for size in [1, 2, 255, 256, 257, 700, 70_000] {
            let leaves: Vec<Digest32> = (0..size as u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
            let mut range = CompactRange::default();
            leaves.iter().for_each(|leaf| range.push(*leaf, |_, _, _| {}));
            let mut tiles = Tiles::default();
            let mut fetched = 0;
            for index in [0, size as u64 / 2, size as u64 - 1] {
                let proof = loop {
                    match prove_inclusion(index, size as u64, &tiles.at(size as u64)) {
                        Ok(proof) => break proof,
                        Err(name) => {
                            fetched += 1;
                            assert!(tiles.insert(name, &serve(&leaves, name)), "{name:?}");
                        }
                    }
                };
                verify_inclusion(&leaves[index as usize], index, size as u64, &proof, &range.root()).unwrap();
            }
            assert!(fetched <= 12, "{fetched} tiles for {size} leaves");
        }
    }

    #[test]
    fn a_tile_of_the_wrong_length_is_not_taken() {
        let name = TileName {
            level: 0,
            index: 0,
            width: 3,
        };
        assert!(!Tiles::default().insert(name, &[0; 64]));
        assert!(Tiles::default().insert(name, &[0; 96]));
    }
}
