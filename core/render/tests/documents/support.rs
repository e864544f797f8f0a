//! What the tests share: the pack's files, sample data, one renderer, and poppler's tools to read a PDF back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use fieldseal_render::{FontSet, RenderError, RenderRequest, RenderedDocument, Renderer};
use serde_json::Value;

pub const CHINESE: &str = "cn-work-safety";
pub const AMERICAN: &str = "us-osha";

/// Fonts are loaded once for all tests; each file has some 20 MB.
pub static RENDERER: LazyLock<Renderer> = LazyLock::new(|| Renderer::new(fonts()));

pub fn fonts() -> FontSet {
    let folders: Vec<PathBuf> = match std::env::var_os("FIELDSEAL_FONTS") {
        Some(list) => std::env::split_paths(&list).collect(),
        None => vec![PathBuf::from("/usr/share/fonts")],
    };
    FontSet::discover(&folders).unwrap_or_else(|e| panic!("{e}"))
}

/// The template files of a pack by name.
pub fn templates(pack: &str) -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../packs")
        .join(pack)
        .join("templates");
    std::fs::read_dir(folder)
        .expect("templates folder")
        .map(|entry| entry.expect("entry").path())
        .map(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).expect("name").to_owned();
            (name, std::fs::read(path).expect("template file"))
        })
        .collect()
}

/// The sample data of a template, `tests/data/<name>.json`.
pub fn sample(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(path).expect("sample data")).expect("sample JSON")
}

pub fn render_with(renderer: &Renderer, pack: &str, name: &str, data: &Value) -> Result<RenderedDocument, RenderError> {
    renderer.render(&RenderRequest {
        template_name: name,
        files: &templates(pack),
        data,
        title: "安全生产行政执法文书",
        date: (2026, 3, 4),
    })
}

pub fn render(name: &str, data: &Value) -> RenderedDocument {
    render_with(&RENDERER, CHINESE, name, data).unwrap_or_else(|e| panic!("{e}"))
}

/// Renders one loose template with its field table, outside of any pack.
pub fn render_loose(source: &str, fields: &str, data: &Value) -> Result<RenderedDocument, RenderError> {
    let files = BTreeMap::from([
        ("t.typ".to_owned(), source.as_bytes().to_vec()),
        ("t.fields.json".to_owned(), fields.as_bytes().to_vec()),
    ]);
    RENDERER.render(&RenderRequest {
        template_name: "t",
        files: &files,
        data,
        title: "t",
        date: (2026, 3, 4),
    })
}

/// The text of the pages `first..=last` as poppler sees it, laid out like the page.
pub fn text_of(pdf: &[u8], first: usize, last: usize) -> String {
    let (first, last) = (first.to_string(), last.to_string());
    poppler("pdftotext", &["-layout", "-f", &first, "-l", &last], pdf, &["-"])
}

pub fn text(pdf: &[u8]) -> String {
    text_of(pdf, 1, 10_000)
}

/// Text without white space and without the invisible break opportunities that templates put into long runs.
pub fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '\u{200b}')
        .collect()
}

/// Runs a tool of poppler-utils on the PDF and returns what it prints.
pub fn poppler(tool: &str, before: &[&str], pdf: &[u8], after: &[&str]) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("fieldseal-render-{}-{count}.pdf", std::process::id()));
    std::fs::write(&path, pdf).expect("temporary PDF");
    let output = Command::new(tool).args(before).arg(&path).args(after).output();
    std::fs::remove_file(&path).expect("temporary PDF is ours");
    let output = output.unwrap_or_else(|e| panic!("{tool}: {e}; on Debian install poppler-utils"));
    assert!(
        output.status.success(),
        "{tool}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("poppler prints UTF-8")
}
