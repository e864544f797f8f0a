//! Data that tries to break the page or to make it say something else.

use serde_json::json;

use crate::support::{CHINESE, RENDERER, render, render_loose, render_with, sample, squeezed, text};
use fieldseal_render::{MAX_DATA_BYTES, RenderError};

#[test]
fn markup_in_data_prints_literally() {
    let markup = "#panic() $x^2$ *bold* _it_ @ref <label> \\u{41} `raw` #import \"x\" // no comment = heading";
    let mut data = sample("inspection_record");
    data["findings"] = markup.into();
    data["party"]["name"] = markup.into();
    let page = squeezed(&text(&render("inspection_record", &data).pdf));
    assert_eq!(page.matches(&squeezed(markup)).count(), 2, "{page}");
}

#[test]
fn characters_without_a_form_are_spelled_out() {
    let mut data = sample("inspection_record");
    data["party"]["name"] = "甲\u{0}公司\u{202e}限有\u{2066}😀👨\u{200d}👩ｱ\u{feff}e\u{301}𠮷".into();
    let page = squeezed(&text(&render("inspection_record", &data).pdf));
    for part in [
        "甲[U+0000]公司[U+202E]限有[U+2066][U+1F600][U+1F468][U+200D][U+1F469]",
        "[U+FEFF]",
        "𠮷",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
}

#[test]
fn a_very_long_text_flows_over_pages() {
    let mut data = sample("inspection_record");
    data["findings"] = "检查情况记录文字共十个".repeat(10_000).into();
    let document = render("inspection_record", &data);
    assert!((80..=200).contains(&document.pages), "{}", document.pages);
    assert!(squeezed(&text(&document.pdf)).contains(&format!("共{0}页第{0}页", document.pages)));
}

#[test]
fn a_long_run_without_spaces_stays_on_the_paper() {
    let mut data = sample("inspection_record");
    data["party"]["name"] = "A1".repeat(100).into();
    data["findings"] = "x".repeat(5_000).into();
    let document = render("inspection_record", &data);
    let page = squeezed(&text(&document.pdf));
    assert!(page.contains(&"A1".repeat(100)));
    // pdftotext leaves out nothing, so a run beyond the edge would still be "found": look at the boxes.
    let boxes = crate::support::poppler("pdftotext", &["-bbox"], &document.pdf, &["-"]);
    let right = boxes
        .split("xMax=\"")
        .skip(1)
        .filter_map(|part| part.split('"').next()?.parse::<f64>().ok())
        .fold(0.0, f64::max);
    assert!(right <= 595.3 - 70.0, "right edge at {right} points");
}

#[test]
fn too_much_is_refused_in_words() {
    let mut data = sample("inspection_record");
    data["findings"] = "字".repeat(MAX_DATA_BYTES / 2).into();
    let error = render_with(&RENDERER, CHINESE, "inspection_record", &data).unwrap_err();
    assert!(matches!(error, RenderError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("4194304"), "{error}");

    let pages = render_loose(
        "#for _ in range(401) { pagebreak() }",
        r#"{"fields":[{"path":"a","type":"text"}]}"#,
        &json!({}),
    );
    assert!(
        pages
            .unwrap_err()
            .to_string()
            .contains("402 is more than the limit of 400")
    );
}

#[test]
fn a_missing_field_is_named_not_a_trace() {
    let mut data = sample("rectification_order");
    data["items"][1].as_object_mut().unwrap().remove("deadline");
    let error = render_with(&RENDERER, CHINESE, "rectification_order", &data).unwrap_err();
    assert_eq!(
        error.to_string(),
        "rectification_order: field `items[1].deadline` is required but missing or empty"
    );
}
