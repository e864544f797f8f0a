//! The packs' field tables, their README and the samples agree.

use crate::support::{AMERICAN, CHINESE, templates};

#[test]
fn the_readme_lists_every_field_of_every_template() {
    let files = templates(CHINESE);
    let readme = String::from_utf8(files["README.md"].clone()).expect("README");
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".fields.json")) {
        let table: serde_json::Value = serde_json::from_slice(bytes).expect("field table");
        let template = name.trim_end_matches(".fields.json");
        let chapter = readme
            .split(&format!("\n## {template}\n"))
            .nth(1)
            .expect("a chapter per template");
        let chapter = chapter.split("\n## ").next().expect("chapter");
        for field in table["fields"].as_array().expect("fields") {
            let path = field["path"].as_str().expect("path");
            let kind = field["type"].as_str().expect("type");
            let row = format!(
                "| `{path}` | {kind} | {} |",
                if field["required"] == true { "yes" } else { "" }
            );
            assert!(chapter.contains(&row), "{template}: the README lacks {row}");
        }
    }
}

#[test]
fn every_template_has_a_field_table() {
    for pack in [CHINESE, AMERICAN] {
        let files = templates(pack);
        for name in files
            .keys()
            .filter_map(|name| name.strip_suffix(".typ"))
            .filter(|name| *name != "common")
        {
            assert!(files.contains_key(&format!("{name}.fields.json")), "{pack}: {name}");
        }
    }
}
