//! Renders one document from files, for people who write templates.
//!
//! ```text
//! cargo run --release -p fieldseal-render --example render_document -- \
//!     core/packs/cn-work-safety/templates inspection_record core/render/tests/data/inspection_record.json out.pdf
//! ```
//!
//! A fifth argument, a number, renders that often and prints the time of each render in milliseconds.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fieldseal_render::{FontSet, RenderRequest, Renderer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, name, data, out, times) = match arguments.as_slice() {
        [folder, name, data, out] => (folder, name, data, out, 1),
        [folder, name, data, out, times] => (folder, name, data, out, times.parse()?),
        _ => return Err("usage: render_document TEMPLATES NAME DATA.json OUT.pdf [TIMES]".into()),
    };
    let started = Instant::now();
    let fonts = FontSet::discover(&font_folders())?;
    eprintln!("fonts {} ms", started.elapsed().as_millis());

    let renderer = Renderer::new(fonts);
    let files = read_folder(Path::new(folder))?;
    let data: serde_json::Value = serde_json::from_slice(&std::fs::read(data)?)?;
    let request = RenderRequest {
        template_name: name,
        files: &files,
        data: &data,
        title: name,
        date: (2026, 3, 4),
    };
    for _ in 0..times {
        let started = Instant::now();
        let document = renderer.render(&request)?;
        eprintln!(
            "{} ms, {} pages, {} bytes",
            started.elapsed().as_millis(),
            document.pages,
            document.pdf.len()
        );
        std::fs::write(out, &document.pdf)?;
    }
    Ok(())
}

/// Debian's font folder, or the folders that FIELDSEAL_FONTS lists.
fn font_folders() -> Vec<PathBuf> {
    match std::env::var_os("FIELDSEAL_FONTS") {
        Some(list) => std::env::split_paths(&list).collect(),
        None => vec![PathBuf::from("/usr/share/fonts")],
    }
}

fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, std::io::Error> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|n| n.to_str())) {
            files.insert(name.to_owned(), std::fs::read(&path)?);
        }
    }
    Ok(files)
}
