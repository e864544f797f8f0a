//! An officer's PIN: wrong ones are told, cost time, and lose nothing.

use fieldseal_demo::story::cast::TABLETS;
use fieldseal_tests::world::{A, World};

#[test]
fn wrong_pins_are_told_and_after_three_there_is_a_wait() {
    let world = World::new("e2e-pin", 1);
    let officer = TABLETS[A].officers[0];
    let dir = world.tablet(A).display().to_string();
    let try_at = |pin: &str, clock: &str| {
        let words = [
            "device",
            "unlock",
            "--dir",
            &dir,
            "--officer",
            officer.certificate,
            "--clock",
            clock,
        ];
        world.fieldseal(pin, &words)
    };
    let begun = "2026-11-24T09:00:00+08:00";
    world
        .device(A, &["set", &world.inspections[0], "inspection/remark", "还没有签"])
        .ok();
    for left in ["2", "1", "0"] {
        let said = try_at("000000", begun);
        assert_eq!(said.json["error"]["params"]["left"], left, "{}", said.stdout);
        said.refused(1, "pin_wrong");
    }
    let told = try_at("000000", begun).refused(75, "pin_wait");
    assert!(told.contains("30"), "it says how long: {told}");
    // Now even the right one has to wait, and the same command may succeed later.
    try_at(officer.pin, begun).refused(75, "pin_wait");
    try_at(officer.pin, "2026-11-24T09:05:00+08:00").ok();
    // The right PIN ends the count, and the draft was never touched.
    let said = try_at("000000", "2026-11-24T09:06:00+08:00");
    assert_eq!(said.json["error"]["params"]["left"], "2", "{}", said.stdout);
    let drafts = world.device(A, &["drafts"]).ok();
    assert_eq!(drafts["items"][0]["value"], "还没有签", "{drafts}");
    // Another officer of the same tablet is not held up.
    let other = TABLETS[A].officers[1];
    let words = ["device", "unlock", "--dir", &dir, "--officer", other.certificate];
    world.fieldseal(other.pin, &words).ok();
    world.device_clean(A);
}
