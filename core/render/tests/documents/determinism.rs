//! The same request gives the same bytes: again, with another renderer, in another process.

use std::process::Command;

use crate::support::{AMERICAN, CHINESE, RENDERER, fonts, render, render_with, sample};
use fieldseal_render::Renderer;

const ALL: [(&str, &str); 4] = [
    (CHINESE, "inspection_record"),
    (CHINESE, "rectification_order"),
    (CHINESE, "electronic_data_list"),
    (AMERICAN, "inspection_report"),
];

fn hashes(renderer: &Renderer) -> String {
    ALL.iter()
        .map(|(pack, name)| render_with(renderer, pack, name, &sample(name)).unwrap_or_else(|e| panic!("{e}")))
        .map(|document| hex(&document.sha256))
        .collect::<Vec<_>>()
        .join(" ")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn twice_and_with_another_renderer() {
    let first = hashes(&RENDERER);
    assert_eq!(first, hashes(&RENDERER));
    let other = Renderer::new(fonts());
    assert_eq!(first, hashes(&other));
    assert_eq!(RENDERER.fonts().fingerprint(), other.fonts().fingerprint());
}

/// Set in the process that [`in_another_process`] starts; the same test then prints instead of comparing.
const CHILD: &str = "FIELDSEAL_RENDER_CHILD";

#[test]
fn in_another_process() {
    if std::env::var_os(CHILD).is_some() {
        println!("\nHASHES {}", hashes(&Renderer::new(fonts())));
        return;
    }
    let child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "determinism::in_another_process", "--nocapture"])
        .env(CHILD, "1")
        .env("TZ", "Pacific/Auckland")
        .env("LANG", "C")
        .current_dir(std::env::temp_dir())
        .output()
        .expect("child process");
    let printed = String::from_utf8_lossy(&child.stdout);
    assert!(
        printed.contains(&format!("HASHES {}\n", hashes(&RENDERER))),
        "{printed}"
    );
}

#[test]
fn from_several_threads_at_once() {
    let first = hashes(&RENDERER);
    let others: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| hashes(&RENDERER))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("thread"))
            .collect()
    });
    assert!(others.iter().all(|other| *other == first));
}

#[test]
fn the_order_of_json_keys_plays_no_part() {
    let data = sample("inspection_record");
    let mut turned = serde_json::Map::new();
    for (key, value) in data.as_object().expect("an object").iter().rev() {
        turned.insert(key.clone(), value.clone());
    }
    let first = render("inspection_record", &data);
    assert_eq!(first.sha256, render("inspection_record", &turned.into()).sha256);
}

#[test]
fn the_hash_is_of_the_bytes_and_follows_the_data() {
    let data = sample("inspection_record");
    let document = render("inspection_record", &data);
    use sha2::Digest as _;
    assert_eq!(document.sha256, <[u8; 32]>::from(sha2::Sha256::digest(&document.pdf)));

    let mut other = data.clone();
    other["responsible"]["signature"][0][0][0] = 2_000.into();
    assert_ne!(document.sha256, render("inspection_record", &other).sha256);
}
