//! Merkle trees and their proofs, and proof files: `log.md`.

use fieldseal_proof::checkpoint::Checkpoint;
use fieldseal_proof::encoding::base64;
use fieldseal_proof::hash::Digest32;
use fieldseal_proof::merkle::{MemoryTree, leaf_hash, prove_consistency, prove_inclusion, root_at};
use fieldseal_proof::note::SignedNote;
use fieldseal_proof::tlog_proof::TlogProof;

use super::actors::{ORIGIN, ed25519, seed};
use super::notes::{log_vkey, text_of};
use super::{Result, Vector, hex};

const PAGE: &str = "log.md";

/// Leaf data as the log has them: 32 bytes each.
pub fn leaf(i: u64) -> Digest32 {
    seed(&format!("leaf {i}"))
}

fn tree(size: u64) -> MemoryTree {
    let mut tree = MemoryTree::default();
    (0..size).for_each(|i| tree.push(&leaf(i)));
    tree
}

fn hashes(list: &[Digest32]) -> Vec<String> {
    list.iter().map(hex).collect()
}

pub fn vectors() -> Result<Vec<Vector>> {
    let mut out: Vec<Vector> = [0, 1, 2, 3, 7, 8, 9].into_iter().map(root_vector).collect();
    out.extend(inclusion()?);
    out.extend(consistency()?);
    out.extend(proof_files()?);
    Ok(out)
}

fn root_vector(size: u64) -> Vector {
    let what = format!("The root over {size} leaves of 32 bytes.");
    Vector::valid("tree", &format!("{size}-leaves"), PAGE, &what)
        .with("leaves", (0..size).map(|i| hex(leaf(i))).collect::<Vec<_>>())
        .gives("root", hex(tree(size).root()))
}

fn given_inclusion(v: Vector, leaf: &[u8], index: u64, size: u64, proof: &[Digest32], root: &Digest32) -> Vector {
    v.with("leaf", hex(leaf))
        .with("index", index)
        .with("size", size)
        .with("proof", hashes(proof))
        .with("root", hex(root))
}

fn inclusion() -> Result<Vec<Vector>> {
    let mut out = Vec::new();
    for (index, size) in [(0, 1), (1, 2), (2, 3), (6, 7), (0, 8), (7, 8), (8, 9), (255, 256), (256, 257), (100, 300)] {
        let whole = tree(size);
        let proof = prove_inclusion(index, size, &whole)?;
        let what = format!("Leaf {index} in a tree of {size}.");
        let v = Vector::valid("inclusion", &format!("{index}-of-{size}"), PAGE, &what);
        let v = given_inclusion(v, &leaf(index), index, size, &proof, &whole.root());
        out.push(v.gives("leaf_hash", hex(leaf_hash(&leaf(index)))));
    }
    let whole = tree(7);
    let (proof, root) = (prove_inclusion(4, 7, &whole)?, whole.root());
    let bad = |name, what, data: &[u8], index, size, proof: &[Digest32], reason| {
        given_inclusion(Vector::invalid("inclusion", name, PAGE, what, reason), data, index, size, proof, &root)
    };
    let longer = [&proof[..], &[[0; 32]]].concat();
    let swapped: Vec<Digest32> = proof.iter().rev().copied().collect();
    out.extend([
        bad("index-is-size", "An index that is not below the size.", &leaf(4), 7, 7, &proof, "index-out-of-tree"),
        bad("empty-tree", "An empty tree holds nothing.", &leaf(0), 0, 0, &[], "index-out-of-tree"),
        bad("hash-too-many", "A hash after the last.", &leaf(4), 4, 7, &longer, "proof-length"),
        bad("hash-too-few", "The last hash is missing.", &leaf(4), 4, 7, &proof[..proof.len() - 1], "proof-length"),
        bad("other-leaf", "The proof of another leaf.", &leaf(5), 4, 7, &proof, "proof-root"),
        bad("other-index", "The proof under another index.", &leaf(4), 5, 7, &proof, "proof-root"),
        bad("hashes-swapped", "The hashes in the other order.", &leaf(4), 4, 7, &swapped, "proof-root"),
        bad(
            "node-as-leaf",
            "Two leaf hashes given as leaf data: leaves and nodes are hashed apart.",
            &[leaf_hash(&leaf(4)), leaf_hash(&leaf(5))].concat(),
            2,
            4,
            &proof[1..],
            "proof-root",
        ),
        bad("other-size", "The proof for a tree of another size.", &leaf(4), 4, 5, &proof, "proof-length"),
    ]);
    Ok(out)
}

fn consistency() -> Result<Vec<Vector>> {
    let whole = tree(9);
    let given = |v: Vector, old: u64, old_root: &Digest32, new: u64, new_root: &Digest32, proof: &[Digest32]| {
        v.with("old", old)
            .with("old_root", hex(old_root))
            .with("new", new)
            .with("new_root", hex(new_root))
            .with("proof", hashes(proof))
    };
    let mut out = Vec::new();
    for (old, new) in [(1, 2), (1, 9), (3, 7), (4, 8), (6, 9), (7, 8), (8, 9), (9, 9)] {
        let what = format!("The tree of {old} is the beginning of the tree of {new}.");
        let v = Vector::valid("consistency", &format!("{old}-to-{new}"), PAGE, &what);
        let proof = prove_consistency(old, new, &whole)?;
        out.push(given(v, old, &root_at(old, &whole)?, new, &root_at(new, &whole)?, &proof));
    }
    let (proof, old_root, new_root) = (prove_consistency(6, 9, &whole)?, root_at(6, &whole)?, whole.root());
    let other_root = root_at(5, &whole)?;
    let bad = |name, what, old, old_root: &Digest32, new, proof: &[Digest32], reason| {
        given(Vector::invalid("consistency", name, PAGE, what, reason), old, old_root, new, &new_root, proof)
    };
    out.extend([
        bad(
            "other-old-root",
            "An old tree with another root: history was rewritten.",
            6,
            &other_root,
            9,
            &proof,
            "proof-root",
        ),
        bad("hash-too-few", "The last hash is missing.", 6, &old_root, 9, &proof[..proof.len() - 1], "proof-length"),
        bad(
            "hash-too-many",
            "A hash after the last.",
            6,
            &old_root,
            9,
            &[&proof[..], &[[0; 32]]].concat(),
            "proof-length",
        ),
        bad("no-hash", "No hash for different sizes.", 6, &old_root, 9, &[], "proof-length"),
        bad("shrinking", "An old tree that is larger than the new one.", 10, &old_root, 9, &proof, "proof-sizes"),
        bad("from-nothing", "An empty old tree proves nothing.", 0, &old_root, 9, &[], "proof-sizes"),
        bad("same-size-other-root", "The same size with two roots: a split view.", 9, &old_root, 9, &[], "proof-root"),
        bad("same-size-with-hashes", "Hashes where none are needed.", 9, &new_root, 9, &proof, "proof-length"),
    ]);
    Ok(out)
}

fn proof_files() -> Result<Vec<Vector>> {
    let mut out = Vec::new();
    let checkpoint_of = |size: u64| -> Result<(MemoryTree, Checkpoint, SignedNote)> {
        let whole = tree(size);
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: whole.root() };
        let note = SignedNote::sign(&checkpoint.text(), ORIGIN, &ed25519("log")?)?;
        Ok((whole, checkpoint, note))
    };
    let vkey = log_vkey()?;
    let given = |v: Vector, proof: String, data: &[u8], note: String| {
        v.with("proof", proof).with("leaf", hex(data)).with("checkpoint", note).with("vkey", vkey.clone())
    };
    for (index, size) in [(0, 1), (2, 5), (7, 8), (8, 9)] {
        let (whole, _, note) = checkpoint_of(size)?;
        let hashes = prove_inclusion(index, size, &whole)?;
        let proof = TlogProof { index, hashes, note: note.clone() };
        let what = format!("The proof file of leaf {index} in a log of {size}.");
        let v = Vector::valid("tlog-proof", &format!("{index}-of-{size}"), PAGE, &what);
        let v = given(v, String::from_utf8(proof.to_bytes())?, &leaf(index), text_of(&note)?);
        out.push(v.gives("index", index).gives("size", size).gives("root", hex(whole.root())));
    }
    let (whole, _, note) = checkpoint_of(5)?;
    let (_, _, larger) = checkpoint_of(6)?;
    let hashes = prove_inclusion(2, 5, &whole)?;
    let file = |index: u64, hashes: &[Digest32], note: &SignedNote| {
        let proof = TlogProof { index, hashes: hashes.to_vec(), note: note.clone() };
        String::from_utf8(proof.to_bytes())
    };
    let good = file(2, &hashes, &note)?;
    let checkpoint = text_of(&note)?;
    let bad = |name, what, proof: String, reason| {
        given(Vector::invalid("tlog-proof", name, PAGE, what, reason), proof, &leaf(2), checkpoint.clone())
    };
    let wrong_line = format!("{}\n", base64(&hashes[0][..31]));
    out.extend([
        bad(
            "extra-line",
            "An extra line: nothing would authenticate it.",
            good.replacen("\nindex", "\nextra Zm9v\nindex", 1),
            "proof-index-line",
        ),
        bad("other-version", "Another first line.", good.replacen("@v1", "@v2", 1), "proof-first-line"),
        bad(
            "index-leading-zero",
            "A second spelling of the index.",
            good.replacen("index 2", "index 02", 1),
            "proof-index",
        ),
        bad(
            "hash-of-31-bytes",
            "A hash that is too short.",
            good.replacen(&format!("{}\n", base64(&hashes[0])), &wrong_line, 1),
            "proof-hashes",
        ),
        bad("64-hashes", "More hashes than any tree needs.", file(2, &[[0; 32]; 64], &note)?, "proof-hashes"),
        bad("hash-too-few", "The last hash is missing.", file(2, &hashes[..hashes.len() - 1], &note)?, "proof-length"),
        bad(
            "hash-too-many",
            "A hash after the last.",
            file(2, &[&hashes[..], &[[0; 32]]].concat(), &note)?,
            "proof-length",
        ),
        bad("index-is-size", "An index that is not below the size.", file(5, &hashes, &note)?, "index-out-of-tree"),
        bad("other-index", "Another index.", file(3, &hashes, &note)?, "proof-root"),
        bad(
            "other-checkpoint",
            "A proof under another checkpoint than the one it is given for.",
            file(2, &hashes, &larger)?,
            "other-checkpoint",
        ),
        bad(
            "checkpoint-missing",
            "No checkpoint.",
            good.split_once("\n\n").map_or("", |(head, _)| head).to_owned(),
            "proof-no-checkpoint",
        ),
        given(
            Vector::invalid("tlog-proof", "other-leaf", PAGE, "The proof of another leaf.", "proof-root"),
            good,
            &leaf(3),
            checkpoint.clone(),
        ),
    ]);
    Ok(out)
}
