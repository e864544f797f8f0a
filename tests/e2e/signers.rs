//! Who has to sign is the rule pack's datum: one officer under one pack, two under another. The tablet that holds the pack
//! and the verifier that was never given one say the same.

use fieldseal_tests::world::{A, World, text};
use serde_json::{Value, json};

#[test]
fn one_officer_completes_an_inspection_where_the_pack_asks_for_one() {
    let world = World::new("e2e-signers", 1);
    // Two officers under the Chinese pack: the first one's signature is not enough.
    let chinese = world.inspections[0].clone();
    let shown = world
        .officer(A, &["credentials", &chinese, "--shown-to", "钱守业"])
        .ok();
    world.officer(A, &["attest", &text(&shown["operation"])]).ok();
    assert_eq!(
        view(&world, &chinese)["credentials"][0]["awaiting"],
        json!(["second_officer"])
    );

    // One compliance officer under the American one.
    world.device(A, &["pack", "us-osha"]).ok();
    let begun = [
        "begin",
        "--new-enterprise",
        "Acme LLC",
        "--title",
        "planned",
        "--place",
        "1 Main St",
    ];
    let inspection = text(&world.officer(A, &begun).ok()["id"]);
    let credentials = ["credentials", &inspection, "--shown-to", "J. Doe"];
    let shown = text(&world.officer(A, &credentials).ok()["operation"]);
    let finding = [
        "finding",
        &inspection,
        "--text",
        "Exit route blocked by drums.",
        "--grade",
        "serious",
        "--clause",
        "1910.37",
    ];
    world.officer(A, &finding).ok();
    let document = ["document", &inspection, "--type", "inspection_report"];
    let issued = text(&world.officer(A, &document).ok()["operation"]);
    assert_eq!(
        waiting(&view(&world, &inspection)),
        [json!(["officer"]), json!(["officer"])]
    );
    world.officer(A, &["attest", &shown]).ok();
    world.officer(A, &["attest", &issued]).ok();
    assert_eq!(waiting(&view(&world, &inspection)), [json!([]), json!([])]);

    world.drain(A);
    world.drain_laptop();
    for (inspection, expected) in [
        (
            &inspection,
            vec![("credentials.show", json!([])), ("document.issue", json!([]))],
        ),
        (&chinese, vec![("credentials.show", json!(["second_officer"]))]),
    ] {
        let case = world.case(A, inspection);
        let bundle = world.arg(&format!("bundle-{case}"));
        world.supervisor(&["export", &case, "--out", &bundle]).ok();
        let report = world
            .fieldseal("", &["verify", &bundle, "--trust", &world.arg("trust")])
            .ok();
        let operations = report["operations"].as_array().unwrap();
        let signed = operations
            .iter()
            .filter(|op| op["kind"] == "credentials.show" || op["kind"] == "document.issue");
        let found: Vec<(&str, Value)> = signed
            .map(|op| (op["kind"].as_str().unwrap(), op["awaiting"].clone()))
            .collect();
        assert_eq!(found, expected, "{report}");
    }
}

fn view(world: &World, inspection: &str) -> Value {
    world.device(A, &["show", inspection]).ok()
}

fn waiting(view: &Value) -> [Value; 2] {
    ["credentials", "documents"].map(|part| view[part][0]["awaiting"].clone())
}
