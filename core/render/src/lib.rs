//! Statutory documents: typed fields and a rule pack's template become a PDF, the same bytes everywhere.
//!
//! A signature is bound to the hash of the very PDF that the signer was shown, so the tablet, the server and
//! a court's expert must all be able to make that PDF again from the record. This crate therefore takes
//! everything as an argument (fonts, template files, data, title, date) and reads no clock, environment,
//! network or file while rendering. The only function that touches a disk is [`FontSet::discover`].
//!
//! # From request to bytes
//!
//! ```text
//! data ── fields ──▶ checked, signatures and QR drawn ── printable ──▶ every character has a glyph
//!      └─ world ──▶ typst sees the pack's files and data.json, nothing else ──▶ layout ──▶ PDF/A-2b
//! ```
//!
//! How the Chinese forms compare with their official prints, and what differs on purpose: `docs/forms.md`.
//!
//! # Example
//!
//! ```no_run
//! use std::{collections::BTreeMap, path::PathBuf};
//! use fieldseal_render::{FontSet, RenderRequest, Renderer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let fonts = FontSet::discover(&[PathBuf::from("/usr/share/fonts")])?;
//! let renderer = Renderer::new(fonts);
//! let files: BTreeMap<String, Vec<u8>> = BTreeMap::from([
//!     ("note.typ".into(), br#"#set text(font: "Noto Serif CJK SC"); #json("data.json").subject"#.to_vec()),
//!     ("note.fields.json".into(), br#"{"fields":[{"path":"subject","type":"text","required":true}]}"#.to_vec()),
//! ]);
//! let data = serde_json::json!({"subject": "现场检查记录"});
//! let document = renderer.render(&RenderRequest {
//!     template_name: "note", files: &files, data: &data, title: "现场检查记录", date: (2026, 3, 4),
//! })?;
//! assert!(document.pdf.starts_with(b"%PDF-1.7"));
//! assert_eq!(document.pages, 1);
//! # Ok(())
//! # }
//! ```

mod error;
mod face_names;
mod fields;
mod fonts;
mod printable;
mod qr;
mod renderer;
mod strokes;
mod table;
mod world;

pub use error::{FontError, RenderError};
pub use fonts::{DEFAULT_FAMILIES, FontSet};
pub use printable::Coverage;
pub use qr::{MAX_QR_BYTES, qr_inline, qr_svg};
pub use renderer::{
    MAX_DATA_BYTES, MAX_FILES, MAX_PAGES, MAX_TEMPLATE_BYTES, RenderRequest, RenderedDocument, Renderer,
};
pub use strokes::{BOX_UNITS, MAX_POINTS, Stroke, strokes_svg};
