//! A template reads the pack's files and its data, and nothing else.

use serde_json::json;

use crate::support::{RENDERER, render_loose};
use fieldseal_render::{RenderError, RenderRequest};

const FIELDS: &str = r#"{"fields":[{"path":"a","type":"text"}]}"#;

fn message(source: &str) -> String {
    match render_loose(source, FIELDS, &json!({})) {
        Ok(_) => panic!("{source} rendered"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn other_files_are_refused() {
    for source in [
        "#read(\"/etc/hostname\")",
        "#read(\"other.txt\")",
        "#include \"x.typ\"",
        "#image(\"/etc/a.png\")",
    ] {
        let error = message(source);
        assert!(error.starts_with("t.typ:1: "), "{error}");
        assert!(error.contains("is not among the files of the rule pack"), "{error}");
    }
    let error = message("#read(\"../../etc/hostname\")");
    assert!(error.starts_with("t.typ:1: "), "{error}");
    let error = message("#import \"@preview/cetz:0.3.0\": canvas");
    assert!(error.contains("t.typ:1"), "{error}");
}

#[test]
fn faults_of_a_template_name_file_and_line() {
    let error = message("first\n\n#panic(\"no\")");
    assert!(
        error.starts_with("t.typ:3: ") && error.contains("Correct the template"),
        "{error}"
    );
    let error = message("#while true { }");
    assert!(error.contains("t.typ:1"), "{error}");
    let error = message("#set text(font: \"Comic Sans MS\")\nabc");
    assert!(error.contains("unknown font family: comic sans ms"), "{error}");
}

#[test]
fn the_date_comes_from_the_request() {
    let source = "#set text(font: \"Noto Serif CJK SC\")\n#datetime.today().display()";
    let document = render_loose(source, FIELDS, &json!({})).unwrap();
    assert!(crate::support::text(&document.pdf).contains("2026-03-04"));
}

#[test]
fn a_title_cannot_break_the_metadata() {
    let files = std::collections::BTreeMap::from([
        ("t.typ".to_owned(), b"x".to_vec()),
        ("t.fields.json".to_owned(), FIELDS.as_bytes().to_vec()),
    ]);
    let data = json!({});
    let title = "a\0</dc:title>\u{202e}";
    let document = RENDERER
        .render(&RenderRequest {
            template_name: "t",
            files: &files,
            data: &data,
            title,
            date: (2026, 3, 4),
        })
        .unwrap_or_else(|e| panic!("{e}"));
    let info = crate::support::poppler("pdfinfo", &[], &document.pdf, &[]);
    assert!(info.contains("a[U+0000]</dc:title>[U+202E]"), "{info}");
}

#[test]
fn bad_requests_are_named() {
    let data = json!({});
    let files = std::collections::BTreeMap::from([("t.typ".to_owned(), Vec::new())]);
    let request = RenderRequest {
        template_name: "t",
        files: &files,
        data: &data,
        title: "t",
        date: (2026, 2, 30),
    };
    let error = |request: RenderRequest| RENDERER.render(&request).unwrap_err();
    assert!(error(request).to_string().contains("2026-2-30"));
    assert!(matches!(
        error(RenderRequest {
            date: (2026, 3, 4),
            ..request
        }),
        RenderError::FieldTable { .. }
    ));
    assert!(matches!(
        error(RenderRequest {
            date: (2026, 3, 4),
            template_name: "u",
            ..request
        }),
        RenderError::NoTemplate { .. }
    ));
    assert!(matches!(
        error(RenderRequest {
            date: (2026, 3, 4),
            title: "",
            ..request
        }),
        RenderError::Request(_)
    ));
}

#[test]
fn a_pack_cannot_hide_the_data() {
    let files = std::collections::BTreeMap::from([
        ("t.typ".to_owned(), b"x".to_vec()),
        ("t.fields.json".to_owned(), FIELDS.as_bytes().to_vec()),
        ("data.json".to_owned(), b"{}".to_vec()),
    ]);
    let data = json!({});
    let error = RENDERER
        .render(&RenderRequest {
            template_name: "t",
            files: &files,
            data: &data,
            title: "t",
            date: (2026, 3, 4),
        })
        .unwrap_err();
    assert!(matches!(error, RenderError::FileName { .. }), "{error}");
}
