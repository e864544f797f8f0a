//! A full disk and a database with bytes of somebody else's in it: what was acknowledged is there in the end.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use fieldseal_demo::story::cast::TABLETS;
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_tests::world::{A, B, World, acknowledged, text};

use crate::{capture, noise, statements};

/// A file system in memory, unmounted in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where mounting is not allowed, which is said.
    fn mount(at: &Path, megabytes: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            Ok(output) => {
                println!(
                    "SKIPPED: no small disk: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                );
                None
            }
            Err(error) => {
                println!("SKIPPED: no small disk: {error}");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_says_so_and_loses_nothing() {
    let mut world = World::new("fault-full", 1);
    let inspection = world.inspections[0].clone();
    // The rule pack keeps 200 MB free for records; evidence may have what is over.
    let Some(disk) = SmallDisk::mount(&world.at("disk"), 206) else {
        return;
    };
    let dir = disk.0.join("tablet");
    copy_folder(&world.tablet(A), &dir).unwrap();
    let dir = dir.display().to_string();
    let officer = TABLETS[A].officers[0];
    let run = |words: &[&str]| {
        let at = ["--dir", &dir, "--officer", officer.certificate];
        world.fieldseal(officer.pin, &[&["device"], words, &at].concat())
    };
    let file = world.arg("piece.bin");
    fs::write(&file, noise(7, 1 << 20)).unwrap();
    let mut ids = Vec::new();
    // Evidence is refused while there is still room for records.
    let full = loop {
        let said = run(&capture(&inspection, &file));
        match said.code {
            Some(0) => ids.push(text(&said.json["operation"])),
            _ => break said,
        }
        assert!(ids.len() < 100, "the disk never became full");
    };
    assert_eq!(full.code, Some(73), "{}{}", full.stdout, full.stderr);
    assert_eq!(full.json["error"]["code"], "storage_short");
    assert!(!ids.is_empty());
    // The rest of the room goes to records, until there is none for them either.
    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let lines = world.at("lines.jsonl");
    let text_of: Vec<String> = statements(&inspection, 400).iter().map(ToString::to_string).collect();
    fs::write(&lines, text_of.join("\n")).unwrap();
    let said = run(&["batch", &lines.display().to_string()]);
    ids.extend(acknowledged(&said.stdout));
    assert!(
        said.stdout.contains("storage_full") || said.json["error"]["code"] == "storage_full",
        "exit {:?}\n{}\n{}",
        said.code,
        said.stdout.lines().last().unwrap_or_default(),
        said.stderr
    );
    fs::remove_file(&ballast).unwrap();
    let checked = run(&["fsck"]).ok();
    assert_eq!(checked["clean"], true, "{checked}");
    let words = ["statement", &inspection, "--person", "钱守业", "--line", "有了空间"];
    ids.push(text(&run(&words).ok()["operation"]));
    run(&["sync", "--wait", "60"]).ok();
    let case = world.case(A, &inspection);
    println!("{} acknowledged on a disk that became full twice", ids.len());
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

#[test]
fn a_servers_full_disk_is_said_and_everything_follows_once_there_is_room() {
    let mut world = World::new("fault-server-full", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let Some(disk) = SmallDisk::mount(&world.at("disk"), 64) else {
        return;
    };
    let moved = disk.0.join("server");
    world.offline(|world| {
        copy_folder(&world.at("server"), &moved).unwrap();
        fs::rename(world.at("server"), world.at("server-before")).unwrap();
        symlink(&moved, world.at("server")).unwrap();
    });
    world.drain(A);
    let ballast = disk.0.join("ballast");
    fill(&ballast);
    let file = world.arg("film.bin");
    fs::write(&file, noise(11, 4 << 20)).unwrap();
    let mut ids = vec![text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"])];
    let answers = world.batch(A, &statements(&inspection, 40));
    ids.extend(
        answers
            .iter()
            .filter_map(|answer| answer["operation"].as_str().map(str::to_owned)),
    );
    let said = world.device(A, &["sync"]);
    println!("with a full disk: {:?} {}", said.code, said.stdout.trim());
    assert_eq!(said.code, Some(75), "{}", said.stdout);
    assert_eq!(said.json["fault"]["code"], "server_full", "{}", said.stdout);
    assert!(
        said.json["waiting"]["blobs"] == 1 || said.json["waiting"]["operations"] != 0,
        "{}",
        said.stdout
    );
    world.device_clean(A);
    // Half of the film fits: what fits is kept, the rest is told again.
    fs::remove_file(&ballast).unwrap();
    world.drain(A);
    // Nobody's word is needed to make a backup on a full disk fail aloud.
    fill(&ballast);
    let cli = fieldseal_tests::Cli::server(world.at("server-logs"));
    let out = disk.0.join("backup").display().to_string();
    let said = cli.run(["backup", "--dir", &world.arg("server"), "--out", &out]);
    assert!(matches!(said.code, Some(1 | 73)), "{:?} {}", said.code, said.stdout);
    assert!(said.stdout.contains("error"), "{} {}", said.stdout, said.stderr);
    fs::remove_file(&ballast).unwrap();
    // A stick of the supervisor's and the tablet's own that is too small.
    world.drain_laptop();
    let Some(stick) = SmallDisk::mount(&world.at("stick"), 1) else {
        return;
    };
    let at = |name: &str| stick.0.join(name).display().to_string();
    let said = world.supervisor(&["export", &case, "--out", &at("bundle")]);
    assert_eq!(said.code, Some(73), "{} {}", said.stdout, said.stderr);
    assert!(
        !stick.0.join("bundle").exists() && !stick.0.join("bundle.zip").exists(),
        "half a bundle is left"
    );
    let said = world.device(A, &["rescue", "--out", &at("stick.fsr")]);
    println!("a rescue of what is received: {:?} {}", said.code, said.stdout.trim());
    fs::write(&file, noise(12, 4 << 20)).unwrap();
    world.officer(A, &capture(&inspection, &file)).ok();
    world
        .device(A, &["rescue", "--out", &at("second.fsr")])
        .refused(73, "storage_full");
    world.drain(A);
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(path).unwrap();
    let mut size = 1 << 20;
    while size > 0 {
        if file.write_all(&vec![0xaa; size]).is_err() {
            size /= 2;
        }
    }
}

#[test]
fn a_damaged_database_is_set_aside_salvaged_and_healed_by_a_sync() {
    let mut world = World::new("fault-damage", 3);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let mut ids = Vec::new();
    // What the server has cannot be lost; what it has not is what can be salvaged.
    for n in [A, B] {
        ids.extend(
            world
                .batch(n, &statements(&inspection, 60))
                .iter()
                .filter_map(|answer| answer["operation"].as_str().map(str::to_owned)),
        );
        world.drain(n);
    }
    let before = [A, B].map(|n| world.in_log(n).1);
    overwrite_the_middle(&world.tablet(A).join("store.db"));
    cut_in_half(&world.tablet(B).join("store.db"));
    for (n, what) in [(A, "overwritten in the middle"), (B, "cut in half")] {
        // The first command may meet it only on the way; fsck reads everything.
        let mut said = world.device(n, &["fsck", "--lang", "en"]);
        if !said.stderr.contains("damaged") {
            said = world.device(n, &["fsck", "--lang", "en"]);
        }
        assert!(
            said.stderr.contains("database is damaged"),
            "{what}: {}\n{}",
            said.stdout,
            said.stderr
        );
        let aside = world.tablet(n).join("damaged-1/store.db");
        assert!(aside.is_file(), "{what}: the original is kept");
        // Whatever came over, the tablet works on and is made whole by the server.
        let words = ["statement", &inspection, "--person", "钱守业", "--line", "修复以后"];
        let written = world.officer(n, &words);
        println!("{what}: after the repair: {:?} {}", written.code, written.stdout.trim());
        if written.code == Some(0) {
            ids.push(text(&written.json["operation"]));
        }
        let report = world.device(n, &["sync", "--wait", "30"]);
        if n == B {
            // Without its first half nothing of the database can be read, its enrolment neither: the tablet needs a new
            // enrolment text. The original is kept, and what was received is at the server.
            assert_eq!(
                report.json["fault"]["code"], "code_unknown",
                "{what}: {}",
                report.stdout
            );
            continue;
        }
        assert_eq!(report.json["state"], "done", "{what}: {}", report.stdout);
        let shown = world.device(n, &["show", &inspection]).ok();
        let statements = shown["statements"].as_array().unwrap().len();
        println!("{what}: {statements} statements held, {:?} sealed before", before[n]);
        assert!(statements >= 60, "{what}: only {statements} statements are held");
    }
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

fn overwrite_the_middle(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let middle = file.metadata().unwrap().len() / 2;
    file.write_all_at(&noise(3, 10_000), middle).unwrap();
}

fn cut_in_half(path: &Path) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}
