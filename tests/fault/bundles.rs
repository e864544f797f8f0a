//! Bundles that came damaged or were made to do harm: each gets its exit code and a reason that names it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::hearing;
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_tests::Said;
use fieldseal_tests::world::{A, World, told};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use crate::{capture, noise};

fn verify(world: &World, bundle: &Path) -> Said {
    let (bundle, trust) = (bundle.display().to_string(), world.arg("trust"));
    world.fieldseal("", &["verify", &bundle, "--trust", &trust, "--lang", "en"])
}

/// The finding with a code that begins so must be there, and the verdict INVALID.
fn invalid(said: Said, code: &str) {
    let said = said.expect_code(2);
    let findings = said.json["findings"].as_array().unwrap();
    let named = findings
        .iter()
        .any(|finding| finding["code"].as_str().unwrap().starts_with(code));
    assert!(
        named && said.json["verdict"] == "INVALID",
        "no {code}: {}",
        said.json["findings"]
    );
}

#[test]
fn harmful_bundles_are_refused_by_name() {
    let world = World::new("fault-bundle", 1);
    let inspection = world.inspections[0].clone();
    let photo = world.samples.of(Kind::Photo).next().unwrap().path.display().to_string();
    world.officer(A, &capture(&inspection, &photo)).ok();
    let finding = [
        "finding",
        &inspection,
        "--item",
        "e1",
        "--text",
        "通道堵塞",
        "--grade",
        "general",
    ];
    world.officer(A, &finding).ok();
    world.officer(A, &["check", &inspection, "s1", "ok"]).ok();
    world.drain(A);
    world.drain_laptop();
    let case = world.case(A, &inspection);
    let bundle = world.at("bundle");
    world
        .supervisor(&["export", &case, "--out", &bundle.display().to_string()])
        .ok();
    let whole = world.at("bundle.zip");
    for good in [&bundle, &whole] {
        verify(&world, good).expect_code(0);
    }
    // A bit here and there, an item left out and all signed anew, the whole signed by its bearer.
    for said in told(hearing::attack(&world.stage)) {
        println!("{said}");
    }

    // Folders.
    let copy = |name: &str| {
        let to = world.at(name);
        copy_folder(&bundle, &to).unwrap();
        to
    };
    let cut = copy("cut-file");
    let evidence = fs::read_dir(cut.join("data/evidence"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = fs::read(&evidence).unwrap();
    fs::write(&evidence, &bytes[..bytes.len() / 2]).unwrap();
    invalid(verify(&world, &cut), "bag.changed");
    let fewer = copy("fewer-files");
    fs::remove_dir_all(fewer.join("data/operations")).unwrap();
    invalid(verify(&world, &fewer), "bag.");
    let bare = copy("no-manifest");
    fs::remove_file(bare.join("manifest-sha256.txt")).unwrap();
    invalid(verify(&world, &bare), "bag.");
    let linked = copy("linked");
    let target = linked.join("data/evidence/link");
    symlink("/etc/hostname", &target).unwrap();
    let said = verify(&world, &linked).refused(1, "bundle_unreadable");
    assert!(said.contains("data/evidence/link"), "{said}");

    // Zips.
    let bytes = fs::read(&whole).unwrap();
    let cut = world.at("cut.zip");
    for length in [0, 1, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&cut, &bytes[..length]).unwrap();
        verify(&world, &cut).refused(1, "bundle_unreadable");
    }
    let with = |name: &str, entry: &str, content: &[u8]| {
        let path = world.at(name);
        repack(&whole, &path, entry, content);
        path
    };
    // Every path out of the folder is an error, and nothing is written anywhere: a verifier only reads.
    for (name, entry) in [
        ("up.zip", "../evil"),
        ("deep.zip", "data/../../evil"),
        ("root.zip", "/evil"),
    ] {
        let said = verify(&world, &with(name, entry, b"evil"));
        assert!(
            matches!(said.code, Some(1 | 2)),
            "{entry}: {:?} {}",
            said.code,
            said.stdout
        );
        assert!(said.stdout.contains("evil"), "{entry} is named: {}", said.stdout);
        assert!(!world.at("evil").exists() && !Path::new("/evil").exists());
    }
    // Ten kilobytes that say they are two hundred megabytes.
    let bomb = with("bomb.zip", "data/evidence/bomb", &vec![0; 200 << 20]);
    assert!(fs::metadata(&bomb).unwrap().len() < bytes.len() as u64 + (1 << 20));
    let said = verify(&world, &bomb);
    assert!(said.took.as_secs() < 20, "it took {:?}", said.took);
    invalid(said, "bag.");
    // Two entries of one name: one tool would unpack the first, another the last.
    let twice = with("twice.zip", "bagit.txX", b"another declaration");
    let renamed = replaced(&fs::read(&twice).unwrap(), b"bagit.txX", b"bagit.txt");
    fs::write(&twice, renamed).unwrap();
    let told = verify(&world, &twice).refused(1, "bundle_unreadable");
    assert!(told.contains("duplicate"), "{told}");
    let lying = with("lying.zip", "data/evidence/bomb", &noise(1, 1000));
    claim_more(&lying);
    let said = verify(&world, &lying).refused(1, "bundle_unreadable");
    assert!(said.contains("bomb"), "{said}");
}

/// The same archive with one entry more.
fn repack(from: &Path, to: &Path, entry: &str, content: &[u8]) {
    let mut old = ZipArchive::new(File::open(from).unwrap()).unwrap();
    let mut new = ZipWriter::new(File::create(to).unwrap());
    let mut top = String::new();
    for index in 0..old.len() {
        let mut file = old.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        if let Some(at) = name.find("bagit.txt") {
            name[..at].clone_into(&mut top);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        new.start_file(name, SimpleFileOptions::default()).unwrap();
        new.write_all(&bytes).unwrap();
    }
    let entry = if entry.starts_with(['.', '/']) {
        entry.to_owned()
    } else {
        format!("{top}{entry}")
    };
    new.start_file(entry, SimpleFileOptions::default()).unwrap();
    new.write_all(content).unwrap();
    new.finish().unwrap();
}

/// The bytes with every occurrence of one name replaced by another of the same length.
fn replaced(bytes: &[u8], name: &[u8], other: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|at| bytes[*at..].starts_with(name))
        .collect();
    assert_eq!(
        (places.len(), name.len()),
        (2, other.len()),
        "local header and directory"
    );
    places
        .iter()
        .for_each(|at| out[*at..at + other.len()].copy_from_slice(other));
    out
}

/// Makes the directory entry of the last file claim four gigabytes.
fn claim_more(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    bytes[at + 24..at + 28].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    fs::write(path, bytes).unwrap();
}
