//! C2SP tlog-tiles: how a log is laid out as static files.

use crate::hash::Digest32;
use crate::merkle::node_hash;

/// Tiles are 256 hashes wide and 8 levels high.
pub const WIDTH: u64 = 256;

/// Path of tile `index` of a tile level; `width` below 256 names a partial tile.
///
/// ```
/// use fieldseal_proof::tile::path;
/// assert_eq!(path(0, 1234067, 256), "tile/0/x001/x234/067");
/// assert_eq!(path(1, 5, 17), "tile/1/005.p/17");
/// ```
pub fn path(level: u8, index: u64, width: u64) -> String {
    format!("tile/{level}/{}", number(index, width))
}

/// Path of an entry bundle.
pub fn entries_path(index: u64, width: u64) -> String {
    format!("tile/entries/{}", number(index, width))
}

fn number(index: u64, width: u64) -> String {
    let mut out = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        out = format!("x{:03}/{out}", rest % 1000);
        rest /= 1000;
    }
    if width < WIDTH { format!("{out}.p/{width}") } else { out }
}

/// Which tile holds the node, and where in it: (tile level, tile index, subtree level inside the tile, first hash, number of hashes).
pub fn locate(level: u8, index: u64) -> (u8, u64, u8, usize, usize) {
    let (tile_level, inside) = (level / 8, level % 8);
    let first = index << inside;
    (tile_level, first / WIDTH, inside, (first % WIDTH) as usize, 1 << inside)
}

/// The hash of a node from the hashes of its tile that lie below it.
pub fn fold(hashes: &[Digest32]) -> Option<Digest32> {
    hashes.len().is_power_of_two().then(|| fold_complete(hashes))
}

fn fold_complete(hashes: &[Digest32]) -> Digest32 {
    match hashes {
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&fold_complete(left), &fold_complete(right))
        }
    }
}

/// An entry bundle: each entry as 16-bit length and bytes.
pub fn encode_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend_from_slice(&(entry.len() as u16).to_be_bytes());
        out.extend_from_slice(entry);
    }
    out
}
