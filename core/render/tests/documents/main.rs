//! The documents of the rule packs, rendered and read back with poppler's tools.

mod closed;
mod determinism;
mod hostile;
mod labels;
mod pages;
mod shape;
mod support;
