//! TLS by certificate files: openssl's, renewed over the same key, and another key.

use std::fs;

use fieldseal_tests::world::{A, World, tool};

#[test]
fn a_certificate_renewed_over_the_same_key_keeps_every_tablet_connected() {
    let mut world = World::new("e2e-renewal", 1);
    let inspection = world.inspections[0].clone();
    let keys = world.at("server/keys");
    let served = fs::read(keys.join("tls.crt")).unwrap();
    let renew = |subject: &str, days: &str| {
        let words = [
            "req", "-x509", "-new", "-key", "tls.key", "-subj", subject, "-days", days, "-out", "tls.crt",
        ];
        tool(&keys, "openssl", &words);
    };
    // What operating.md says: another certificate over the same key, then a restart.
    world.offline(|_| renew("/CN=renewed.example", "30"));
    assert_ne!(fs::read(keys.join("tls.crt")).unwrap(), served);
    world.officer(A, &["check", &inspection, "s1", "ok"]).ok();
    world.drain(A);
    world.drain_laptop();

    // Another key is another server: nothing is sent to it, nothing is lost, and with the old key all goes on.
    let old = fs::read(keys.join("tls.key")).unwrap();
    world.offline(|_| {
        tool(
            &keys,
            "openssl",
            &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "tls.key"],
        );
        renew("/CN=renewed.example", "30");
    });
    world.officer(A, &["check", &inspection, "e1", "ok"]).ok();
    let said = world.device(A, &["sync"]);
    assert!(said.stdout.contains("wrong_server"), "{}{}", said.stdout, said.stderr);
    world.offline(|_| {
        fs::write(keys.join("tls.key"), &old).unwrap();
        renew("/CN=renewed.example", "30");
    });
    world.drain(A);
    world.server_clean();
}
