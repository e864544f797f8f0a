//! A restore of which one half is older than the other: a ledger older than the files, and files older than the ledger.

use std::path::Path;

use fieldseal_proof::hash::sha256;
use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::uploads::{create, named, patch, place_of};
use crate::world::*;

const FIRST: &[u8] = b"a photograph that the backup knows";
const SECOND: &[u8] = b"a photograph that came after the backup";

fn hash(bytes: &[u8]) -> String {
    hex::encode(sha256(bytes))
}

/// Sends a file whole where the server wants it; the status of the question.
async fn sent(world: &World, device: &Device, bytes: &[u8]) -> u16 {
    let begun = create(world, device, &hash(bytes), bytes.len()).await;
    let status = begun.status().as_u16();
    if status == 201 {
        let place = place_of(&begun);
        let answer = patch(world, device, &place, 0, bytes.to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }
    status
}

/// The files of a device that the server wants, as the device asks after a new epoch.
async fn missing(world: &World, device: &Device) -> Vec<String> {
    let asked = json!({ "sha256": [hash(FIRST), hash(SECOND)] });
    let have = world.ask(Method::POST, "/v1/blobs/have", &device.token).json(&asked);
    let (status, answer) = world.json(have).await;
    assert_eq!(status, 200, "{answer}");
    serde_json::from_value(answer["missing"].clone()).unwrap()
}

async fn whole(world: &World, device: &Device, bytes: &[u8]) -> bool {
    let path = format!("/v1/blobs/{}", hash(bytes));
    let answer = world.ask(Method::GET, &path, &device.token).send().await.unwrap();
    answer.status() == 200 && answer.bytes().await.unwrap() == bytes
}

/// Two files of one device, a backup between them. What the device pushed comes with it.
async fn begun(world: &mut World) -> (Device, Vec<Vec<u8>>) {
    let mut device = world.device(10, "tablet").await;
    let mut kept = device.clone();
    named(world, &mut device, FIRST).await;
    assert_eq!(sent(world, &device, FIRST).await, 201);
    let backup = world.folder.path().join("backup");
    let (dir, backup) = (world.dir().display().to_string(), backup.display().to_string());
    world.command(&["backup", "--dir", &dir, "--out", &backup]);
    named(world, &mut device, SECOND).await;
    assert_eq!(sent(world, &device, SECOND).await, 201);
    assert!(missing(world, &device).await.is_empty());
    let _ = world.feed(&device, &mut String::new()).await;
    world.stop();
    // The same frames once more, as the device would offer them.
    let frames = [FIRST, SECOND].map(|bytes| {
        let mut frames = if kept.seq == 0 { vec![kept.open()] } else { vec![] };
        frames.push(crate::uploads::seal(&mut kept, bytes));
        frames
    });
    (device, frames.concat())
}

/// Restores over what is left in the server's folder: only `kept` stays there.
fn restore(world: &World, kept: &[&str], more: &[&str]) -> Json {
    for entry in std::fs::read_dir(world.dir()).unwrap() {
        let path = entry.unwrap().path();
        if kept.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
    let (dir, backup) = (
        world.dir().display().to_string(),
        world.folder.path().join("backup").display().to_string(),
    );
    world.command(&[&["restore", "--from", &backup, "--dir", &dir], more].concat())
}

async fn healed(world: &mut World, device: &Device, frames: &[Vec<u8>]) {
    assert_eq!(world.push(device, frames).await.0, 200);
    for bytes in [FIRST, SECOND] {
        if missing(world, device).await.contains(&hash(bytes)) {
            assert_eq!(sent(world, device, bytes).await, 201);
        }
        assert!(whole(world, device, bytes).await);
    }
    assert!(missing(world, device).await.is_empty());
    world.fsck();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_older_than_the_files_is_healed_by_the_devices() {
    let mut world = World::new();
    let (device, frames) = begun(&mut world).await;
    let objects = |world: &World| files(&world.dir().join("blobs/objects"));
    let before = objects(&world);
    let report = restore(&world, &["tiles", "blobs"], &[]);
    assert_eq!(
        (&report["files_awaited"], objects(&world)),
        (&json!(0), before),
        "what survived stays"
    );
    world.start();
    assert!(whole(&world, &device, FIRST).await);
    healed(&mut world, &device, &frames).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_older_than_the_ledger_are_asked_of_the_devices_again() {
    let mut world = World::new();
    let (device, frames) = begun(&mut world).await;
    // The disk with the evidence of the backup is lost; its ledger is not.
    let objects = world.folder.path().join("backup/blobs/objects");
    std::fs::remove_dir_all(&objects).unwrap();
    let (dir, backup) = (
        world.dir().display().to_string(),
        world.folder.path().join("backup").display().to_string(),
    );
    std::fs::rename(world.dir(), world.folder.path().join("aside")).unwrap();
    let (code, refused) = world.attempt(&["restore", "--from", &backup, "--dir", &dir]);
    assert!(
        code != Some(0) && refused.to_string().contains("--without-files"),
        "{refused}"
    );
    let _ = std::fs::remove_dir_all(world.dir());
    std::fs::create_dir(world.dir()).unwrap();
    std::fs::rename(world.folder.path().join("aside/tiles"), world.dir().join("tiles")).unwrap();
    let report = restore(&world, &["tiles"], &["--without-files"]);
    assert_eq!(report["files_awaited"], 1, "{report}");
    world.start();
    assert!(!whole(&world, &device, FIRST).await);
    healed(&mut world, &device, &frames).await;
}

fn files(folder: &Path) -> usize {
    let shelves = std::fs::read_dir(folder).unwrap();
    shelves
        .map(|shelf| std::fs::read_dir(shelf.unwrap().path()).unwrap().count())
        .sum()
}
