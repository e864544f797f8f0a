//! Continuation pages, page numbers, signatures, refusal, and what a PDF reader says about the file.

use serde_json::{Value, json};

use crate::support::{AMERICAN, RENDERER, poppler, render, render_with, sample, squeezed, text, text_of};

fn long_record(characters: usize) -> Value {
    let mut data = sample("inspection_record");
    let sentence = "仓库内物料堆放整齐，消防器材在有效期内，安全出口畅通。";
    let count = sentence.chars().count();
    data["findings"] = sentence.repeat(characters.div_ceil(count)).into();
    data
}

#[test]
fn a_long_record_continues_with_signatures_and_numbers_on_each_page() {
    let data = long_record(2_000);
    let document = render("inspection_record", &data);
    assert_eq!(document.pages, 3);
    for page in 1..=3 {
        let text = squeezed(&text_of(&document.pdf, page, page));
        assert!(text.contains(&format!("共3页第{page}页")), "{text}");
        assert!(
            text.contains("检查人员（签名）：") && text.contains("被检查单位现场负责人（签名）："),
            "{text}"
        );
        assert!(text.contains(data["chain"]["head"].as_str().unwrap()), "{text}");
        assert!(text.contains("2026年3月4日"), "{text}");
        assert_eq!(text.contains("续页"), page > 1, "{text}");
        assert_eq!(text.contains("（以下空白）"), page == 3, "{text}");
        // The whole text is there: each page holds a part, and the parts add up.
    }
    let sentences = squeezed(&text(&document.pdf)).matches("消防器材").count();
    assert_eq!(
        sentences,
        data["findings"].as_str().unwrap().matches("消防器材").count()
    );
}

#[test]
fn a_refusal_is_explained_and_not_signed() {
    let mut data = sample("inspection_record");
    data["responsible"] = json!({"name": "钱守业", "refusal": {
        "reason": "认为照片拍摄角度不当", "evidence": "执法记录仪录像 VID_0011", "witness": "周见证",
        "witness_signature": [[[1000, 5000, 0], [9000, 4000, 300]]]
    }});
    let document = render("inspection_record", &data);
    let page = squeezed(&text(&document.pdf));
    for part in [
        "拒绝签名（情况见记录）",
        "拒绝在本记录上签名，理由：认为照片拍摄角度不当",
        "VID_0011",
        "见证人：周见证",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    data["responsible"]["refusal"]["witness"] = Value::Null;
    let error = render_with(&RENDERER, crate::support::CHINESE, "inspection_record", &data).unwrap_err();
    assert!(error.to_string().contains("`responsible.refusal.witness`"), "{error}");
}

#[test]
fn problems_with_one_deadline_are_named_together() {
    let page = squeezed(&text(
        &render("rectification_order", &sample("rectification_order")).pdf,
    ));
    assert!(
        page.contains("第1、3项问题于2026年3月6日前、第2项问题于2026年3月20日前整改完毕"),
        "{page}"
    );
    assert!(page.contains("其中第2项属于重大事故隐患。"), "{page}");
    assert!(page.contains("（云岭）应急责改〔2026〕12号"), "{page}");
}

#[test]
fn every_hash_of_the_list_copies_as_one_string() {
    let mut data = sample("electronic_data_list");
    let items = data["items"].as_array().unwrap().clone();
    data["items"] = items.iter().cycle().take(40).cloned().collect();
    let document = render("electronic_data_list", &data);
    assert!(document.pages > 1);
    let page = text(&document.pdf);
    for item in &items {
        let hash = item["sha256"].as_str().unwrap();
        assert_eq!(
            page.matches(hash).count(),
            8,
            "{hash} stands unbroken on one line, eight times"
        );
    }
    assert_eq!(
        squeezed(&page).matches("非现场摄录").count(),
        16,
        "what was imported or received is marked"
    );
}

#[test]
fn a_reader_finds_archive_metadata_and_embedded_fonts() {
    let document = render("inspection_record", &sample("inspection_record"));
    let info = poppler("pdfinfo", &["-isodates"], &document.pdf, &[]);
    assert!(
        info.contains("安全生产行政执法文书") && info.contains("2026-03-04"),
        "{info}"
    );
    let raw = String::from_utf8_lossy(&document.pdf);
    assert!(raw.contains("<pdfaid:part>2</pdfaid:part>") && raw.contains("pdfaid:conformance>B"));
    assert!(
        raw.contains("/Lang (zh-CN)") || raw.contains("/Lang(zh-CN)"),
        "document language"
    );
    let fonts = poppler("pdffonts", &[], &document.pdf, &[]);
    let rows: Vec<&str> = fonts.lines().skip(2).collect();
    assert!(rows.len() >= 2, "{fonts}");
    for row in rows {
        assert!(
            row.contains("NotoS") && row.contains(" yes yes yes"),
            "embedded, subset, with a text map: {row}"
        );
    }
}

#[test]
fn another_legal_order_renders() {
    let data = sample("inspection_report");
    let document = render_with(&RENDERER, AMERICAN, "inspection_report", &data).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(document.pages, 1);
    let page = text(&document.pdf);
    for part in [
        "Inspection Report",
        "Northfield Castings LLC",
        "29 CFR 1910.37(a)(3)",
        "Page 1 of 1",
        data["chain"]["head"].as_str().unwrap(),
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(String::from_utf8_lossy(&document.pdf).contains("en-US"));
}
