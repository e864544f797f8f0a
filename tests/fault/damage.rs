//! A full disk and a database with bytes of somebody else's in it: what was acknowledged is there in the end.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use fieldseal_demo::story::cast::TABLETS;
use fieldseal_demo::story::ceremony;
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_tests::world::{A, B, World, acknowledged, text, told};

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
        // What the server keeps free for records is more than this whole disk.
        let config = fs::read_to_string(moved.join("server.toml")).unwrap();
        let kept = config.lines().map(|line| match line.split_once(" = ") {
            Some(("keep_free_bytes", _)) => "keep_free_bytes = 1048576",
            _ => line,
        });
        fs::write(moved.join("server.toml"), kept.collect::<Vec<_>>().join("\n")).unwrap();
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
    // What fits is on the stick, and what does not is told.
    let said = world.device(A, &["rescue", "--out", &at("second.fsr")]).expect_code(73);
    assert_eq!(said.json["left_out"][0]["code"], "storage_full", "{}", said.json);
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
    let file = world.arg("piece.bin");
    fs::write(&file, noise(11, 100_000)).unwrap();
    let (mut ids, mut offered) = (Vec::new(), Vec::new());
    for n in [A, B] {
        // Some of it is at the server, some only on the tablet.
        ids.extend(written(&world.batch(n, &statements(&inspection, 60))));
        ids.push(text(&world.officer(n, &capture(&inspection, &file)).ok()["operation"]));
        world.drain(n);
        offered.extend(written(&world.batch(n, &statements(&inspection, 20))));
        let set = ["set", &inspection, "inspection/remark", "还没有签"];
        world.device(n, &set).ok();
    }
    overwrite_the_middle(&world.tablet(A).join("store.db"));
    cut_in_half(&world.tablet(B).join("store.db"));
    for (n, what) in [(A, "overwritten in the middle"), (B, "cut in half")] {
        meet_the_damage(&world, n, what);
        // What came over goes on at once, in a new life where its last operations may be lost; what was in the missing half says so
        // and comes back with a sync.
        let words = ["statement", &inspection, "--person", "钱守业", "--line", "修复以后"];
        let known = world.device(n, &["show", &inspection]).code == Some(0);
        println!("{what}: the inspection came over: {known}");
        assert!(known || n == B, "{what}: one bad stretch costs no inspection");
        if !known {
            world.officer(n, &words).refused(1, "not_found");
            heal(&mut world, n);
        }
        ids.push(text(&world.officer(n, &words).ok()["operation"]));
        heal(&mut world, n);
        let shown = world.device(n, &["show", &inspection]).ok();
        let statements = shown["statements"].as_array().unwrap().len();
        println!("{what}: {statements} statements held");
        assert!(statements >= 61, "{what}: only {statements} statements are held");
        let status = world.device(n, &["status"]).ok();
        assert_eq!(
            status["unsealed_files"], 0,
            "{what}: the photograph has its record: {status}"
        );
        assert_eq!(status["blobs_waiting"], 0, "{what}: and its receipt: {status}");
    }
    world.offline(|world| {
        world.arrived_once(&case, &ids);
        let exported = world.exported(&case);
        let came = offered.iter().filter(|id| exported.contains_key(*id)).count();
        println!(
            "{came} of {} that only the tablets had were found again and offered",
            offered.len()
        );
        assert!(came >= offered.len() / 4, "{came} of {}", offered.len());
    });
    world.server_clean();
}

/// Everything else in the database can be read although the page that all of SQLite begins with is gone.
#[test]
fn a_database_without_its_first_page_gives_back_everything_else() {
    let mut world = World::new("fault-first-page", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let file = world.arg("piece.bin");
    fs::write(&file, noise(12, 100_000)).unwrap();
    let ids = written(&world.batch(A, &statements(&inspection, 40)));
    let photograph = text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]);
    world
        .device(A, &["set", &inspection, "inspection/remark", "还没有签"])
        .ok();
    let before = world.device(A, &["status"]).ok();
    let path = world.tablet(A).join("store.db");
    let database = fs::OpenOptions::new().write(true).open(&path).unwrap();
    database.write_all_at(&noise(5, 4096), 0).unwrap();
    drop(database);
    // Nothing was sent: what comes back comes from the other pages.
    let status = world.device(A, &["status"]).ok();
    assert!(
        world.tablet(A).join("damaged-1/store.db").is_file(),
        "the original is kept"
    );
    assert_eq!(status["counts"]["draft"], 1, "the draft was found again: {status}");
    assert_eq!(status["device"], before["device"]);
    let shown = world.device(A, &["show", &inspection]).ok();
    assert_eq!(shown["statements"].as_array().unwrap().len(), 40, "{shown}");
    assert_eq!(shown["evidence"].as_array().unwrap().len(), 1, "{shown}");
    heal(&mut world, A);
    let all: Vec<String> = ids.into_iter().chain([photograph]).collect();
    world.offline(|world| world.arrived_once(&case, &all));
    world.device_clean(A);
    world.server_clean();
}

/// Neither database nor its side files: what the server has comes back, the chain goes on in a new life, and no place of the
/// old one is signed twice.
#[test]
fn a_tablet_that_lost_its_whole_database_fetches_its_own_work_back() {
    let mut world = World::new("fault-gone", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let file = world.arg("piece.bin");
    fs::write(&file, noise(13, 100_000)).unwrap();
    let mut ids = written(&world.batch(A, &statements(&inspection, 30)));
    ids.push(text(&world.officer(A, &capture(&inspection, &file)).ok()["operation"]));
    world.drain(A);
    let before = world.device(A, &["status"]).ok();
    for name in ["store.db", "store.db-wal", "store.db-shm", "store.tail"] {
        let _ = fs::remove_file(world.tablet(A).join(name));
    }
    let fetched = world.device(A, &["sync"]).ok();
    assert_eq!(
        fetched["approved"], false,
        "the new life's key is not approved yet: {fetched}"
    );
    let after = world.device(A, &["status"]).ok();
    assert_eq!(after["device"], before["device"]);
    assert_ne!(after["incarnation"], before["incarnation"], "a new life");
    let shown = world.device(A, &["show", &inspection]).ok();
    assert_eq!(shown["statements"].as_array().unwrap().len(), 30, "{shown}");
    assert_eq!(after["unsealed_files"], 0, "the photograph has its record: {after}");
    heal(&mut world, A);
    let words = ["statement", &inspection, "--person", "钱守业", "--line", "重新开始"];
    ids.push(text(&world.officer(A, &words).ok()["operation"]));
    world.drain(A);
    let (in_log, sealed) = world.in_log(A);
    assert_eq!(in_log, sealed, "both lives are in the log");
    world.device_clean(A);
    world.offline(|world| {
        world.arrived_once(&case, &ids);
        let mut places: Vec<_> = world
            .exported(&case)
            .values()
            .map(|op| (op.header().device, op.header().incarnation, op.header().seq))
            .collect();
        let all = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), all, "no place was signed twice");
    });
    world.server_clean();
}

/// The operations that a batch's answers acknowledge.
fn written(answers: &[serde_json::Value]) -> Vec<String> {
    let operations = answers.iter().filter_map(|answer| answer["operation"].as_str());
    operations.map(str::to_owned).collect()
}

/// The first command may meet it only on the way; fsck reads everything, and the next start repairs.
fn meet_the_damage(world: &World, n: usize, what: &str) {
    let mut said = world.device(n, &["fsck", "--lang", "en"]);
    if !said.stderr.contains("database is damaged") {
        said = world.device(n, &["fsck", "--lang", "en"]);
    }
    assert!(
        said.stderr.contains("database is damaged"),
        "{what}: {}\n{}",
        said.stdout,
        said.stderr
    );
    if !world.tablet(n).join("damaged-1/store.db").is_file() {
        world.device(n, &["status"]).ok();
    }
    let aside = world.tablet(n).join("damaged-1/store.db");
    assert!(aside.is_file(), "{what}: the original is kept");
}

/// A sync, the administrator's approval of the new life where there is one, and a sync to the end.
fn heal(world: &mut World, n: usize) {
    let report = world.device(n, &["sync"]).ok();
    assert_eq!(report["state"], "done", "{report}");
    if report["approved"] == false {
        told(ceremony::admin(
            &world.stage,
            "admin-approve",
            "card.json",
            &["approve", "--all"],
        ));
    }
    world.drain(n);
    let status = world.device(n, &["status"]).ok();
    assert_eq!(status["healing"], false, "{status}");
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
