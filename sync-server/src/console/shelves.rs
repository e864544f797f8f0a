//! What the pages keep in memory: nothing here is lost when the process ends, only made again.

use std::path::Path;
use std::sync::Arc;

use super::evidence::{Openings, PreviewShelf};
use crate::hearing::{Jobs, sweep};
use crate::projection::PackShelf;

/// Shared by all requests.
#[derive(Default)]
pub struct Shelves {
    pub packs: PackShelf,
    pub previews: PreviewShelf,
    pub openings: Openings,
    pub exports: Arc<Jobs>,
}

impl Shelves {
    /// Empty ones; bundles that an earlier process left behind go, because nobody can ask for them any more.
    pub fn open(root: &Path) -> Self {
        sweep(&root.join("exports"));
        Self::default()
    }
}
