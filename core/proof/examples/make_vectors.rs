//! Writes the published test vectors to `core/proof/vectors`: `cargo run --release -p fieldseal-proof --example make_vectors`.
//!
//! Deterministic: keys, ids and times are fixed, so a second run changes no byte. `tests/vectors.rs` holds the files to it.

#[path = "make_vectors/mod.rs"]
mod make_vectors;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn main() -> make_vectors::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let vectors = make_vectors::all()?;
    // The folders of other types belong to the crates that own them.
    let kinds: BTreeSet<&str> = vectors.iter().map(make_vectors::Vector::kind).collect();
    for kind in kinds.into_iter().map(|kind| root.join(kind)).filter(|folder| folder.is_dir()) {
        fs::remove_dir_all(kind)?;
    }
    for vector in &vectors {
        let path = root.join(vector.path());
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, vector.text()?)?;
    }
    println!("{} vectors in {}", vectors.len(), root.display());
    Ok(())
}
