//! A clock in 1970 and in 2090: a claim like any other. Records are sealed, accepted and keep their order.

use fieldseal_tests::world::{A, World, text};

#[test]
fn a_clock_in_1970_and_2090_is_only_a_claim() {
    let mut world = World::new("fault-clock", 1);
    let inspection = world.inspections[0].clone();
    let mut ids = Vec::new();
    let clocks = [
        ("1970-01-01T00:00:00Z", "violation"),
        ("2090-01-01T00:00:00Z", "not_applicable"),
        ("2026-11-24T09:00:00+08:00", "ok"),
    ];
    for (clock, result) in clocks {
        let words = ["check", &inspection, "s1", result, "--clock", clock];
        ids.push(text(&world.officer(A, &words).ok()["operation"]));
        let status = world.device(A, &["status", "--clock", clock]).ok();
        assert_eq!(status["clock"], "by_hand", "{status}");
    }
    world.drain(A);
    world.drain_laptop();
    let case = world.case(A, &inspection);
    let shown = world.supervisor(&["show", &case]).ok();
    assert_eq!(
        shown["conflicts"].as_array().unwrap().len(),
        0,
        "each answer followed the one before: {shown}"
    );
    let checks = shown["checks"].as_array().unwrap();
    let answer = checks.iter().find(|check| check["item"] == "s1");
    assert!(
        answer.is_some_and(|check| check.to_string().contains("\"ok\"")),
        "the last in order counts, whatever the clocks said: {checks:?}"
    );
    world.offline(|world| {
        let exported = world.exported(&case);
        let claims: Vec<u64> = ids.iter().map(|id| exported[id].header().clock.wall_ms).collect();
        assert!(claims[0] < 86_400_000, "1970 stands as claimed: {claims:?}");
        assert!(claims[1] > 3_786_000_000_000, "2090 stands as claimed: {claims:?}");
        let order: Vec<u64> = ids.iter().map(|id| exported[id].header().seq).collect();
        assert!(order.is_sorted(), "{order:?}");
        world.arrived_once(&case, &ids);
    });
    world.server_clean();
}
