//! The log as static files: `log.md`, Tiles.

use fieldseal_proof::hash::{Digest32, sha256};
use fieldseal_proof::merkle::{MemoryTree, NodeSource};
use fieldseal_proof::tile::{self, WIDTH};
use serde_json::{Value, json};

use super::{Result, Vector, hex};

const PAGE: &str = "log.md";

/// Leaf data of these vectors: the SHA-256 of the index in decimal digits.
pub fn leaf(index: u64) -> Digest32 {
    sha256(index.to_string().as_bytes())
}

/// Path and bytes of every file that publishes the tree of so many leaves: whole tiles, and the partial ones at its edge.
pub fn files(count: u64) -> Result<Vec<(String, Vec<u8>)>> {
    let mut tree = MemoryTree::default();
    (0..count).for_each(|i| tree.push(&leaf(i)));
    let mut out = Vec::new();
    let (mut level, mut nodes) = (0, count);
    while nodes > 0 {
        for index in 0..nodes.div_ceil(WIDTH) {
            let (first, end) = (index * WIDTH, nodes.min((index + 1) * WIDTH));
            let hashes: std::result::Result<Vec<_>, _> = (first..end).map(|n| tree.node(level * 8, n)).collect();
            out.push((tile::path(level, index, end - first), hashes?.concat()));
            if level == 0 {
                let leaves: Vec<Digest32> = (first..end).map(leaf).collect();
                let entries = tile::encode_entries(leaves.iter().map(|l| &l[..]));
                out.push((tile::entries_path(index, end - first), entries));
            }
        }
        (level, nodes) = (level + 1, nodes / WIDTH);
    }
    out.sort();
    Ok(out)
}

/// The published files by path, as hashes of their bytes.
pub fn listed(files: &[(String, Vec<u8>)]) -> Value {
    files
        .iter()
        .map(|(path, bytes)| (path.clone(), json!(hex(sha256(bytes)))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub fn vectors() -> Result<Vec<Vector>> {
    let mut out = Vec::new();
    for count in [1, 5, 256, 257, 600] {
        let what = format!("The tiles and entry bundles of a log of {count}.");
        let vector = Vector::valid("tiles", &format!("of-{count}"), PAGE, &what).with("count", count);
        out.push(vector.gives("files", listed(&files(count)?)));
    }
    for (level, index, width) in [(0, 0, 256), (0, 999, 256), (1, 1000, 17), (0, 1_234_067, 256), (2, 5, 1)] {
        let what = format!("Tile {index} of level {level}, {width} hashes wide.");
        let name = format!("level-{level}-index-{index}-width-{width}");
        let vector = Vector::valid("tile-path", &name, PAGE, &what);
        let vector = vector.with("level", level).with("index", index).with("width", width);
        out.push(vector.gives("path", tile::path(level, index, width)));
    }
    Ok(out)
}
