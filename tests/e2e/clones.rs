//! Copies of a tablet, and folders that are put back: each goes on under a key of its own, and nothing that was written is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::cast::TABLETS;
use fieldseal_demo::story::ceremony;
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_tests::Said;
use fieldseal_tests::world::{A, World, number, text, told, until};
use serde_json::{Value, json};

/// A folder of tablet A, wherever it lies.
struct Tablet<'a> {
    world: &'a World,
    folder: PathBuf,
}

impl Tablet<'_> {
    fn run(&self, words: &[&str]) -> Said {
        let dir = self.folder.display().to_string();
        self.world
            .fieldseal("", &[&["device"], words, &["--dir", &dir]].concat())
    }

    fn officer(&self, words: &[&str]) -> Said {
        let dir = self.folder.display().to_string();
        let officer = TABLETS[A].officers[0];
        let at = ["--dir", &dir, "--officer", officer.certificate];
        self.world.fieldseal(officer.pin, &[&["device"], words, &at].concat())
    }

    fn says(&self, inspection: &str, line: &str) -> String {
        let words = ["statement", inspection, "--person", "钱守业", "--line", line];
        text(&self.officer(&words).ok()["operation"])
    }

    fn photo(&self, inspection: &str, n: usize) -> String {
        let photo = self
            .world
            .samples
            .of(Kind::Photo)
            .nth(n)
            .unwrap()
            .path
            .display()
            .to_string();
        let words = [
            "capture",
            inspection,
            "--file",
            &photo,
            "--acquisition",
            "camera",
            "--kind",
            "audio_visual",
            "--title",
            "现场照片",
            "--proves",
            "现场状况",
        ];
        text(&self.officer(&words).ok()["operation"])
    }

    fn incarnation(&self) -> String {
        text(&self.run(&["status"]).ok()["incarnation"])
    }

    /// Syncs until nothing waits any more.
    #[track_caller]
    fn drain(&self) -> Value {
        let report = self.run(&["sync", "--wait", "60"]).expect_code(0).json;
        for kind in ["operations", "unsealed", "blobs"] {
            assert_eq!(report["waiting"][kind], 0, "{kind} still wait: {report}");
        }
        report
    }

    #[track_caller]
    fn clean(&self) {
        let checked = self.run(&["fsck"]).ok();
        assert_eq!(checked["clean"], true, "{checked}");
    }

    /// A sync in which this life ended: what was written is handed in, and the new key waits for the administrator.
    #[track_caller]
    fn ends_its_life(&self) -> Value {
        let before = self.incarnation();
        let report = self.run(&["sync", "--wait", "60"]).expect_code(0).json;
        assert_eq!(
            (&report["new_life"], &report["approved"]),
            (&json!(true), &json!(false)),
            "{report}"
        );
        assert_eq!(report["waiting"]["blobs"], 0, "{report}");
        assert_eq!(
            report["waiting"]["operations"], 1,
            "only what opens the new life: {report}"
        );
        assert_ne!(self.incarnation(), before);
        report
    }
}

fn at(world: &World, folder: PathBuf) -> Tablet<'_> {
    Tablet { world, folder }
}

/// Ids of the operations that are set aside in a case, with the reason.
fn set_aside(world: &World, case: &str) -> BTreeMap<String, String> {
    world.drain_laptop();
    let shown = world.supervisor(&["show", case]).ok();
    let one = |one: &Value| (text(&one["operation"]), text(&one["reason"]));
    shown["quarantined"].as_array().unwrap().iter().map(one).collect()
}

fn lines(world: &World, case: &str) -> Vec<String> {
    let shown = world.supervisor(&["show", case]).ok();
    let statements = shown["statements"].as_array().unwrap().iter();
    let mut lines: Vec<String> = statements.map(|one| one["lines"].to_string()).collect();
    lines.sort();
    lines
}

fn approve(world: &World) -> usize {
    let words = ["approve", "--all"];
    let said = told(ceremony::admin(&world.stage, "admin-approve", "card.json", &words));
    said["approved"].as_array().unwrap().len()
}

/// The proofs of every fork, as files.
fn proofs(world: &World, folder: &str) -> Vec<Value> {
    let out = world.arg(folder);
    let words = ["forks", "--out", &out];
    let said = told(ceremony::admin(&world.stage, "admin-forks", "card.json", &words));
    said["items"].as_array().unwrap().clone()
}

/// A tablet is copied whole; both write on, both come to the network.
#[test]
fn two_copies_that_wrote_on_lose_nothing_and_go_on_under_keys_of_their_own() {
    let mut world = World::new("e2e-clones", 1);
    let inspection = world.inspections[0].clone();
    let twin_folder = world.at("twin");
    copy_folder(&world.tablet(A), &twin_folder).unwrap();
    let case = world.case(A, &inspection);
    let (ids, branch) = {
        let (one, twin) = (at(&world, world.tablet(A)), at(&world, twin_folder.clone()));
        let mut ids = vec![one.says(&inspection, "甲一"), one.photo(&inspection, 0)];
        let branch = [
            twin.says(&inspection, "乙一"),
            twin.photo(&inspection, 1),
            twin.says(&inspection, "乙二"),
        ];
        let before = one.drain();
        assert_eq!(
            (&before["new_life"], &before["alarms"]),
            (&json!(false), &json!([])),
            "{before}"
        );
        // The copy comes second: its branch is taken, its life is over.
        let report = twin.ends_its_life();
        assert!(
            number(&report["received"]) >= 3 && report["blobs_sent"] == 1,
            "{report}"
        );
        assert_eq!(report["alarms"][0]["code"], "forked", "{report}");
        let away = twin.says(&inspection, "乙三，新密钥批准之前");
        // The first one learns of it from the feed, and ends its life as well: its key is in two hands.
        ids.push(one.says(&inspection, "甲二"));
        one.ends_its_life();
        assert_ne!(one.incarnation(), twin.incarnation());
        assert_eq!(approve(&world), 2, "a key for each of them");
        for tablet in [&one, &twin] {
            let report = tablet.drain();
            assert_eq!(
                (&report["new_life"], &report["approved"]),
                (&json!(false), &json!(true)),
                "{report}"
            );
        }
        ids.extend([away, one.says(&inspection, "甲三"), twin.says(&inspection, "乙四")]);
        for tablet in [&one, &twin, &one] {
            let report = tablet.drain();
            assert_eq!(report["new_life"], false, "{report}");
            tablet.clean();
        }
        (ids, branch)
    };
    // Both branches are on the server; that of the copy is set aside, what both wrote afterwards counts.
    let expected: BTreeMap<String, String> = branch.iter().map(|id| (id.clone(), "fork".to_owned())).collect();
    until("the branch is set aside", || {
        (set_aside(&world, &case) == expected).then_some(())
    });
    let counted = lines(&world, &case).concat();
    for line in ["甲一", "甲二", "甲三", "乙三", "乙四"] {
        assert!(counted.contains(line), "{line} is not in the view: {counted}");
    }
    assert!(!counted.contains("乙一"), "{counted}");
    // A supervisor who has heard both sides lets what the copy recorded count.
    for id in &branch {
        world
            .supervisor(&[
                "quarantine",
                id,
                "release",
                "--reason",
                "两份记录均属实，分别由两人形成",
            ])
            .ok();
    }
    until("the release is heard", || {
        set_aside(&world, &case).is_empty().then_some(())
    });
    assert!(lines(&world, &case).concat().contains("乙一"));
    // The proof needs nothing but itself and the trust folder.
    let found = proofs(&world, "proofs");
    assert_eq!((found.len(), &found[0]["fork"]), (1, &json!("seq")), "{found:?}");
    let (file, trust) = (text(&found[0]["file"]), world.arg("trust"));
    let all: Vec<String> = ids.iter().chain(&branch).cloned().collect();
    world.offline(|world| {
        let shown = world.fieldseal("", &["verify-fork", &file, "--trust", &trust]).ok();
        assert_eq!(
            (&shown["verdict"], &shown["proven"]),
            (&json!("DIVERGED"), &json!(true)),
            "{shown}"
        );
        assert_eq!(shown["operations"][1]["id"], branch[0], "{shown}");
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let changed = world.arg("changed.cbor");
        fs::write(&changed, bytes).unwrap();
        let refused = world
            .fieldseal("", &["verify-fork", &changed, "--trust", &trust])
            .expect_code(2);
        assert_eq!(
            (&refused.json["verdict"], &refused.json["proven"]),
            (&json!("INVALID"), &json!(false))
        );
        let other = other_trust(world);
        let elsewhere = world
            .fieldseal("", &["verify-fork", &file, "--trust", &other])
            .expect_code(4);
        assert_eq!(elsewhere.json["verdict"], "UNANCHORED", "{}", elsewhere.json);
        world.arrived_once(&case, &all);
    });
    world.server_clean();
}

/// A trust folder of another agency: the same, but for its id.
fn other_trust(world: &World) -> String {
    let folder = world.at("other-trust");
    copy_folder(&world.at("trust"), &folder).unwrap();
    let path = folder.join("tenant.json");
    let mut tenant: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let id = text(&tenant["tenant"]);
    let last = if id.ends_with('0') { "1" } else { "0" };
    tenant["tenant"] = format!("{}{last}", &id[..id.len() - 1]).into();
    fs::write(&path, tenant.to_string()).unwrap();
    folder.display().to_string()
}

fn replace(folder: &Path, by: &Path) {
    fs::remove_dir_all(folder).unwrap();
    copy_folder(by, folder).unwrap();
}

/// The whole folder is put back from a backup, and the inspector writes on before there is a network.
#[test]
fn an_older_folder_that_is_put_back_and_written_on_goes_on_in_a_new_life() {
    let mut world = World::new("e2e-put-back", 1);
    let inspection = world.inspections[0].clone();
    let backup = world.at("backup");
    let case = world.case(A, &inspection);
    let mut ids = Vec::new();
    {
        let tablet = at(&world, world.tablet(A));
        ids.push(tablet.says(&inspection, "备份之前"));
        tablet.drain();
        copy_folder(&tablet.folder, &backup).unwrap();
        ids.push(tablet.says(&inspection, "备份之后"));
        ids.push(tablet.photo(&inspection, 0));
        tablet.drain();
        let life = tablet.incarnation();
        // Put back and not written on: what is lacking comes back, and the life goes on.
        replace(&tablet.folder, &backup);
        assert_eq!(tablet.drain()["new_life"], false);
        assert_eq!(tablet.incarnation(), life);
        ids.push(tablet.says(&inspection, "取回之后"));
        tablet.drain();
        tablet.clean();
        // Put back once more, and written on.
        replace(&tablet.folder, &backup);
        ids.push(tablet.says(&inspection, "恢复之后"));
        ids.push(tablet.photo(&inspection, 1));
        tablet.ends_its_life();
        ids.push(tablet.says(&inspection, "新密钥批准之前"));
        assert_eq!(approve(&world), 1);
        tablet.drain();
        ids.push(tablet.says(&inspection, "新密钥之下"));
        tablet.drain();
        tablet.clean();
        let shown = tablet.run(&["show", &inspection]).ok();
        assert_eq!(
            shown["evidence"].as_array().unwrap().len(),
            1,
            "what the other branch sealed counts: {shown}"
        );
    }
    let aside = until("both are set aside", || {
        Some(set_aside(&world, &case)).filter(|aside| aside.len() == 2)
    });
    assert!(ids[4..6].iter().all(|id| aside.contains_key(id)), "{aside:?}");
    assert_eq!(proofs(&world, "proofs").len(), 1);
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}

/// What a backup tool tears apart: files of the vault of another moment than the database.
#[test]
fn torn_copies_lose_nothing_that_was_handed_in() {
    let mut world = World::new("e2e-torn", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let backup = world.at("backup");
    let mut ids = Vec::new();
    {
        let tablet = at(&world, world.tablet(A));
        let vault = tablet.folder.join("vault");
        copy_folder(&tablet.folder, &backup).unwrap();
        ids.push(tablet.photo(&inspection, 0));
        tablet.drain();
        // The database is newer than the vault: it says itself what is missing, and goes on in its life.
        let (life, whole) = (tablet.incarnation(), world.at("whole"));
        copy_folder(&tablet.folder, &whole).unwrap();
        replace(&vault, &backup.join("vault"));
        ids.push(tablet.says(&inspection, "库新于文件"));
        assert_eq!(tablet.drain()["new_life"], false);
        assert_eq!(tablet.incarnation(), life);
        // The vault is newer than the database, keys and tail: the file is found again and kept, and what is written about it is
        // written in a new life as soon as the server says that this one has other records at that place.
        let newer = world.at("newer-vault");
        copy_folder(&whole.join("vault"), &newer).unwrap();
        replace(&tablet.folder, &backup);
        replace(&vault, &newer);
        ids.push(tablet.says(&inspection, "文件新于库"));
        tablet.ends_its_life();
        assert_eq!(approve(&world), 1);
        tablet.drain();
        ids.push(tablet.says(&inspection, "新密钥之下"));
        let report = tablet.drain();
        assert_eq!(report["new_life"], false, "{report}");
        tablet.clean();
        let shown = tablet.run(&["show", &inspection]).ok();
        assert_eq!(shown["evidence"].as_array().unwrap().len(), 1, "{shown}");
    }
    let aside = until("the branch is set aside", || {
        Some(set_aside(&world, &case)).filter(|aside| aside.contains_key(&ids[2]))
    });
    assert!(
        aside.contains_key(&ids[2]) && aside.values().all(|reason| reason == "fork"),
        "{aside:?}"
    );
    world.offline(|world| world.arrived_once(&case, &ids));
    world.server_clean();
}
