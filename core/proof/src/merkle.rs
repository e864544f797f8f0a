//! RFC 6962 trees over SHA-256: roots, inclusion and consistency proofs.
//!
//! Proofs are made from any source of complete subtree hashes, so the same code serves memory, SQLite and tiles.

use sha2::{Digest, Sha256};

use crate::hash::Digest32;

/// Longest inclusion proof: a tree of 2^63 leaves.
pub const MAX_INCLUSION: usize = 63;
/// Longest consistency proof.
pub const MAX_CONSISTENCY: usize = 127;

/// A proof that does not prove what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The index is not inside the tree.
    #[error("the index is not below the tree size")]
    IndexOutOfTree,
    /// The old tree is larger than the new one, or empty.
    #[error("the sizes do not allow a consistency proof")]
    Sizes,
    /// Too many or too few hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// `SHA-256(0x00 ‖ leaf)`.
pub fn leaf_hash(leaf: &[u8]) -> Digest32 {
    Sha256::new().chain_update([0]).chain_update(leaf).finalize().into()
}

/// `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Digest32, right: &Digest32) -> Digest32 {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Root of the empty tree: the hash of nothing.
pub fn empty_root() -> Digest32 {
    Sha256::digest([]).into()
}

/// Root over leaf hashes.
///
/// ```
/// use fieldseal_proof::merkle::*;
/// let leaves = [b"a", b"b", b"c"].map(|l| leaf_hash(l));
/// assert_eq!(tree_hash(leaves), node_hash(&node_hash(&leaves[0], &leaves[1]), &leaves[2]));
/// ```
pub fn tree_hash(leaves: impl IntoIterator<Item = Digest32>) -> Digest32 {
    let mut range = CompactRange::default();
    leaves.into_iter().for_each(|leaf| range.push(leaf, |_, _, _| {}));
    range.root()
}

/// The right edge of a growing tree: all that is needed to append.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    /// Roots of the complete subtrees from left to right, one per set bit of `size`.
    peaks: Vec<Digest32>,
}

impl CompactRange {
    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash; `node(level, index, hash)` is called for every subtree that became complete, the leaf first.
    pub fn push(&mut self, leaf: Digest32, mut node: impl FnMut(u8, u64, &Digest32)) {
        let (mut hash, mut level, mut index) = (leaf, 0u8, self.size);
        node(level, index, &hash);
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            (level, index) = (level + 1, index >> 1);
            node(level, index, &hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root; for no leaves the hash of nothing.
    pub fn root(&self) -> Digest32 {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => empty_root(),
            Some(last) => peaks.fold(*last, |right, left| node_hash(left, &right)),
        }
    }

    /// The right edge of a stored tree of this size.
    pub fn load<S: NodeSource>(size: u64, source: &S) -> Result<Self, S::Error> {
        let mut peaks = Vec::new();
        let mut start = 0;
        for level in (0..64).rev().filter(|l| size >> l & 1 == 1) {
            peaks.push(source.node(level, start >> level)?);
            start += 1 << level;
        }
        Ok(Self { size, peaks })
    }
}

/// Gives the hash of a complete subtree: `level` 0 are leaves, `index` counts subtrees of that level.
pub trait NodeSource {
    /// What can go wrong when reading.
    type Error;
    /// The hash of the complete subtree.
    fn node(&self, level: u8, index: u64) -> Result<Digest32, Self::Error>;
}

/// Root of the first `size` leaves.
pub fn root_at<S: NodeSource>(size: u64, source: &S) -> Result<Digest32, S::Error> {
    Ok(CompactRange::load(size, source)?.root())
}

/// Hash of the leaves `start..end`, where `start` is a multiple of the least power of two not below the length.
fn range_hash<S: NodeSource>(start: u64, end: u64, source: &S) -> Result<Digest32, S::Error> {
    let length = end - start;
    if length.is_power_of_two() {
        let level = length.trailing_zeros() as u8;
        return source.node(level, start >> level);
    }
    let split = largest_power_below(length);
    let left = range_hash(start, start + split, source)?;
    Ok(node_hash(&left, &range_hash(start + split, end, source)?))
}

/// The largest power of two below `n`, for `n ≥ 2`.
fn largest_power_below(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// Proof that leaf `index` is in the tree of `size` leaves (RFC 6962 §2.1.1); `index < size` must hold.
pub fn prove_inclusion<S: NodeSource>(index: u64, size: u64, source: &S) -> Result<Vec<Digest32>, S::Error> {
    let (mut start, mut end) = (0, size);
    let mut proof = Vec::new();
    while end - start > 1 {
        let middle = start + largest_power_below(end - start);
        if index < middle {
            proof.push(range_hash(middle, end, source)?);
            end = middle;
        } else {
            proof.push(range_hash(start, middle, source)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// Checks an inclusion proof (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: &Digest32,
    index: u64,
    size: u64,
    proof: &[Digest32],
    root: &Digest32,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfTree);
    }
    let (mut node, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// Proof that the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962 §2.1.2); `0 < old ≤ new` must hold.
pub fn prove_consistency<S: NodeSource>(old: u64, new: u64, source: &S) -> Result<Vec<Digest32>, S::Error> {
    let (mut start, mut end, mut whole) = (0, new, true);
    let mut proof = Vec::new();
    while end != old {
        let middle = start + largest_power_below(end - start);
        if old <= middle {
            proof.push(range_hash(middle, end, source)?);
            end = middle;
        } else {
            proof.push(range_hash(start, middle, source)?);
            (start, whole) = (middle, false);
        }
    }
    if !whole {
        proof.push(range_hash(start, end, source)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Checks a consistency proof (RFC 9162 §2.1.4.2).
pub fn verify_consistency(
    old: u64,
    old_root: &Digest32,
    new: u64,
    new_root: &Digest32,
    proof: &[Digest32],
) -> Result<(), ProofError> {
    if old == 0 || old > new {
        return Err(ProofError::Sizes);
    }
    if old == new {
        return match proof {
            [] if old_root == new_root => Ok(()),
            [] => Err(ProofError::Root),
            _ => Err(ProofError::Length),
        };
    }
    let (first, rest) = match (old.is_power_of_two(), proof) {
        (true, rest) => (*old_root, rest),
        (false, [first, rest @ ..]) => (*first, rest),
        (false, []) => return Err(ProofError::Length),
    };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 if old_hash == *old_root && new_hash == *new_root => Ok(()),
        0 => Err(ProofError::Root),
        _ => Err(ProofError::Length),
    }
}

/// A whole tree in memory, for small trees and tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    range: CompactRange,
    nodes: std::collections::HashMap<(u8, u64), Digest32>,
}

impl MemoryTree {
    /// Appends leaf data.
    pub fn push(&mut self, leaf: &[u8]) {
        let nodes = &mut self.nodes;
        self.range.push(leaf_hash(leaf), |level, index, hash| {
            nodes.insert((level, index), *hash);
        });
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.range.size()
    }

    /// The root.
    pub fn root(&self) -> Digest32 {
        self.range.root()
    }
}

impl NodeSource for MemoryTree {
    type Error = ProofError;
    fn node(&self, level: u8, index: u64) -> Result<Digest32, ProofError> {
        self.nodes.get(&(level, index)).copied().ok_or(ProofError::IndexOutOfTree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proof_of_every_small_tree_holds_and_no_other() {
        let mut tree = MemoryTree::default();
        let mut roots = vec![empty_root()];
        for i in 0..40u8 {
            tree.push(&[i]);
            roots.push(tree.root());
        }
        for size in 1..=40u64 {
            assert_eq!(root_at(size, &tree).unwrap(), roots[size as usize]);
            for index in 0..size {
                let proof = prove_inclusion(index, size, &tree).unwrap();
                let leaf = leaf_hash(&[index as u8]);
                assert_eq!(verify_inclusion(&leaf, index, size, &proof, &roots[size as usize]), Ok(()));
                assert!(verify_inclusion(&leaf_hash(b"other"), index, size, &proof, &roots[size as usize]).is_err());
                let longer = [&proof[..], &[leaf]].concat();
                assert_eq!(
                    verify_inclusion(&leaf, index, size, &longer, &roots[size as usize]),
                    Err(ProofError::Length)
                );
                if let Some((_, shorter)) = proof.split_last() {
                    assert!(verify_inclusion(&leaf, index, size, shorter, &roots[size as usize]).is_err());
                }
                let old = index + 1;
                let proof = prove_consistency(old, size, &tree).unwrap();
                assert_eq!(verify_consistency(old, &roots[old as usize], size, &roots[size as usize], &proof), Ok(()));
                if old != size {
                    assert!(
                        verify_consistency(old, &roots[old as usize - 1], size, &roots[size as usize], &proof).is_err()
                    );
                }
            }
            assert_eq!(
                verify_inclusion(&leaf_hash(&[0]), size, size, &[], &roots[size as usize]),
                Err(ProofError::IndexOutOfTree)
            );
        }
    }
}
