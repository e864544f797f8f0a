//! A stranger verifies what the office exported: origin of each item, and the words on a paper.

use std::fs;

use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::field::strokes;
use fieldseal_tests::world::{A, World, text};
use serde_json::Value;

fn verify(world: &World, code: i32, more: &[&str]) -> Value {
    let (bundle, trust) = (world.arg("bundle"), world.arg("trust"));
    let words = [&["verify", &bundle, "--trust", &trust], more].concat();
    world.fieldseal("", &words).expect_code(code).json
}

/// The bundle under an earlier checkpoint is the earlier bundle, also after the case went on.
fn exported_again(world: &World, case: &str) {
    world.supervisor(&["freeze", case, "--reason", "听证"]).ok();
    world.drain_laptop();
    let checkpoint = world.arg("bundle/data/checkpoint");
    let again = world.arg("again");
    let words = ["export", case, "--at", &checkpoint, "--out", &again];
    let size = world.supervisor(&words).ok()["checkpoint"].clone();
    let zip = |name: &str| fs::read(world.at(name)).unwrap();
    assert!(
        zip("bundle.zip") == zip("again.zip"),
        "the same checkpoint gave another bundle"
    );
    let by_size = [
        "export",
        case,
        "--at",
        &size.to_string(),
        "--out",
        &world.arg("by-size"),
    ];
    world.supervisor(&by_size).ok();
    assert!(zip("bundle.zip") == zip("by-size.zip"));
    let words = ["export", case, "--at", "99999999", "--out", &world.arg("none")];
    world.supervisor(&words).refused(1, "no_such_checkpoint");
}

#[test]
fn an_imported_photograph_stays_imported_and_a_paper_is_checked_by_its_words() {
    let world = World::new("e2e-hearing", 1);
    let inspection = world.inspections[0].clone();
    for (kind, acquisition, of, title) in [
        (Kind::Photo, "camera", "audio_visual", "现场照片"),
        (Kind::GalleryPhoto, "imported", "electronic_data", "企业相册中的照片"),
    ] {
        let file = world.samples.of(kind).next().unwrap().path.display().to_string();
        let words = [
            "capture",
            &inspection,
            "--file",
            &file,
            "--acquisition",
            acquisition,
            "--kind",
            of,
            "--title",
            title,
            "--proves",
            "现场状况",
        ];
        world.officer(A, &words).ok();
    }
    world
        .officer(A, &["credentials", &inspection, "--shown-to", "钱守业"])
        .ok();
    let issued = world
        .officer(
            A,
            &[
                "document",
                &inspection,
                "--type",
                "electronic_data_list",
                "--out",
                &world.arg("papers"),
            ],
        )
        .ok();
    let (document, words) = (text(&issued["id"]), text(&issued["words"]));
    fs::write(world.at("strokes.json"), strokes().to_string()).unwrap();
    let pen = world.arg("strokes.json");
    let sign = [
        "sign",
        &document,
        "--role",
        "holder",
        "--name",
        "钱守业",
        "--strokes",
        &pen,
    ];
    world.officer(A, &sign).ok();
    world.drain(A);
    world.drain_laptop();
    let case = world.case(A, &inspection);
    world.supervisor(&["export", &case, "--out", &world.arg("bundle")]).ok();
    exported_again(&world, &case);

    let report = verify(&world, 0, &[]);
    assert_eq!(report["verdict"], "ANCHORED", "{}", report["findings"]);
    let items = report["items"].as_array().unwrap();
    let acquired = |title: &str| {
        let item = items.iter().find(|item| item["title"] == title);
        text(&item.unwrap_or_else(|| panic!("no {title}: {report}"))["acquisition"])
    };
    assert_eq!(acquired("企业相册中的照片"), "imported");
    assert_eq!(acquired("现场照片"), "camera");

    let report = verify(&world, 0, &["--paper", &words]);
    assert_eq!(report["verdict"], "ANCHORED", "{}", report["findings"]);
    // As a person reads it from the paper: other spaces and capitals.
    let read = words.to_uppercase().replace('-', " ");
    verify(&world, 0, &["--paper", &read]);
    // One word of another link.
    let split: Vec<&str> = words.split('-').collect();
    let mut other = split.clone();
    other.reverse();
    assert_ne!(split, other);
    let report = verify(&world, 3, &["--paper", &other.join("-")]);
    assert_eq!(report["verdict"], "DIVERGED", "{report}");
    let report = verify(&world, 2, &["--paper", "not words of any paper"]);
    assert_eq!(report["findings"][0]["code"], "paper.words", "{report}");
}
