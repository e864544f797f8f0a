//! Every other door of the command line, and what may come in by it: the office, imports, files, a server that is away.
//!
//! Each row of a table must be refused with its exit code, its stable code, and a sentence that names the thing. All rows
//! are tried before the test fails, so that one look shows every gap.

use std::fs;
use std::path::Path;

use fieldseal_demo::story::cast::CEREMONY_PASSWORD;
use fieldseal_tests::world::{A, World, text};
use fieldseal_tests::{Cli, Said};

use crate::{capture, noise, statements};

/// What must be said of something: exit code, code, and a word that the sentence must hold.
type Must<'a> = (i32, &'a str, &'a str);

/// Compares what was said with what must be, in Chinese and in the form of an error; gives the difference.
fn differs(name: &str, said: &Said, (exit, code, word): Must<'_>) -> Option<String> {
    let error = &said.json["error"];
    // The server's commands say both languages.
    let told = error["text"]
        .as_str()
        .or_else(|| error["zh"].as_str())
        .unwrap_or_default();
    let good = said.code == Some(exit)
        && error["code"] == code
        && told.contains(word)
        && told.len() > 12
        && told.len() < 2000
        && !told.contains('{')
        && !said.stderr.contains("panicked");
    (!good).then(|| {
        let (out, err) = (cut(&said.stdout), cut(&said.stderr));
        format!(
            "{name}: wanted {exit} {code} {word:?}\n    got {:?} {out}\n    {err}",
            said.code
        )
    })
}

fn cut(text: &str) -> String {
    text.trim().chars().take(600).collect()
}

/// Panics with every difference.
#[track_caller]
fn all_good(differences: impl IntoIterator<Item = Option<String>>) {
    let found: Vec<String> = differences.into_iter().flatten().collect();
    assert!(found.is_empty(), "{} gaps:\n{}", found.len(), found.join("\n"));
}

fn admin(world: &World, words: &[&str]) -> Said {
    let (dir, card) = (world.arg("admin"), world.arg("admin/card.json"));
    let words = [&["admin"], words, &["--admin", &dir, "--card", &card]].concat();
    world.fieldseal(CEREMONY_PASSWORD, &words)
}

#[test]
fn what_is_named_and_not_there_is_said_by_name() {
    let world = World::new("fault-names", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    world.drain_laptop();
    let nobody = "0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa";
    let operation = "ab".repeat(32);
    let missing = world.arg("no-such-file");
    let photo = world.arg("photo.bin");
    fs::write(&photo, noise(1, 1000)).unwrap();
    let mut unknown_kind = capture(&inspection, &photo);
    unknown_kind[7] = "moonlight";
    let mut unknown_way = capture(&inspection, &photo);
    unknown_way[5] = "telepathy";
    let tablet: [(&[&str], Must<'_>); 9] = [
        (&unknown_kind, (1, "not_in_pack", "moonlight")),
        (&unknown_way, (1, "choice_unknown", "telepathy")),
        (&capture(&inspection, &missing), (1, "file_missing", "no-such-file")),
        (&capture(nobody, &photo), (1, "not_found", nobody)),
        (
            &["document", &inspection, "--type", "love_letter"],
            (1, "not_in_pack", "love_letter"),
        ),
        (
            &["check", &inspection, "no-such-item", "ok"],
            (1, "not_in_pack", "no-such-item"),
        ),
        (
            &["statement", "not-an-id", "--person", "钱", "--line", "话"],
            (64, "usage", "not-an-id"),
        ),
        (&["attest", &operation], (1, "not_found", &operation)),
        (
            &["check", &inspection, "s1", "ok", "--clock", "yesterday"],
            (64, "usage", "yesterday"),
        ),
    ];
    let office: [(&[&str], Must<'_>); 8] = [
        (&["show", nobody], (1, "not_found", nobody)),
        (
            &["decide", &case, "no/such/path", "x", "--reason", "无"],
            (1, "no_conflict", "no/such/path"),
        ),
        (
            &["quarantine", &operation, "release", "--reason", "无"],
            (1, "not_found", &operation),
        ),
        (&["return", nobody, "--reason", "无"], (1, "not_found", nobody)),
        (
            &["join", "--keep", nobody, "--other", nobody, "--reason", "无"],
            (1, "not_found", nobody),
        ),
        (
            &[
                "assign",
                "--enterprise",
                "没有这家",
                "--device",
                nobody,
                "--officers",
                "X",
            ],
            (1, "not_found", "没有这家"),
        ),
        (
            &["export", nobody, "--out", &world.arg("out")],
            (1, "not_found", nobody),
        ),
        (&["hand-in", &missing], (1, "file_missing", "no-such-file")),
    ];
    let before = world.device(A, &["status"]).ok()["counts"].clone();
    all_good(
        tablet
            .iter()
            .map(|(words, must)| differs(&words.join(" "), &world.officer(A, words), *must)),
    );
    let after = world.device(A, &["status"]).ok()["counts"].clone();
    assert_eq!(before, after, "nothing was sealed by a refused command");
    all_good(
        office
            .iter()
            .map(|(words, must)| differs(&words.join(" "), &world.supervisor(words), *must)),
    );
    world.device_clean(A);
}

#[test]
fn files_that_are_not_what_they_should_be_are_refused_whole() {
    let world = World::new("fault-files", 1);
    let inspection = world.inspections[0].clone();
    world.officer(A, &["check", &inspection, "s1", "ok"]).ok();
    let stick = world.arg("stick.fsr");
    world.device(A, &["rescue", "--out", &stick]).ok();
    let put = |name: &str, bytes: &[u8]| {
        fs::write(world.at(name), bytes).unwrap();
        world.arg(name)
    };
    let whole = fs::read(&stick).unwrap();
    let (empty, zeros) = (put("empty", b""), put("zeros", &vec![0; 10 << 20]));
    let random = put("random", &noise(2, 100_000));
    let cut_stick = put("cut.fsr", &whole[..whole.len() - 1]);
    let half_json = put("half.json", br#"{"url": "https://127.0.0"#);
    let (trust, bundle) = (world.arg("trust"), world.arg("no-bundle"));
    let bad_trust = world.at("bad-trust");
    fieldseal_demo::story::stage::copy_folder(&world.at("trust"), &bad_trust).unwrap();
    fs::write(bad_trust.join("tenant.json"), b"{").unwrap();
    let bad_trust = bad_trust.display().to_string();
    let rows: [(&[&str], Must<'_>); 12] = [
        (
            &["verify", &bundle, "--trust", &trust],
            (1, "file_missing", "no-bundle"),
        ),
        (&["verify", &random, "--trust", &trust], (1, "bundle_unreadable", "")),
        (&["verify", &zeros, "--trust", &trust], (1, "bundle_unreadable", "")),
        (
            &["verify", &random, "--trust", &bundle],
            (1, "file_missing", "no-bundle"),
        ),
        (
            &["verify", &random, "--trust", &bad_trust],
            (1, "file_unreadable", "tenant.json"),
        ),
        (&["fsck", &bundle], (1, "file_missing", "no-bundle")),
        (&["pack", "show", &random], (1, "pack_content", "random")),
        (&["pack", "show", &empty], (1, "pack_content", "empty")),
        (&["pack", "show", &bundle], (1, "file_missing", "no-bundle")),
        (
            &["pack", "build", &trust, "--out", &world.arg("p")],
            (1, "pack_content", "pack.toml"),
        ),
        (
            &[
                "root",
                "delegate",
                "--root",
                &world.arg("root"),
                "--request",
                &half_json,
            ],
            (1, "file_unreadable", "half.json"),
        ),
        (
            &["admin", "pending", "--admin", &world.arg("admin"), "--card", &half_json],
            (1, "file_unreadable", "half.json"),
        ),
    ];
    all_good(
        rows.iter()
            .map(|(words, must)| differs(&words[..2].join(" "), &world.fieldseal(CEREMONY_PASSWORD, words), *must)),
    );
    let sticks = [
        (&empty, (1, "rescue_broken", "0")),
        (&zeros, (1, "rescue_broken", "0")),
        (&random, (1, "rescue_broken", "0")),
        (&cut_stick, (1, "rescue_broken", "")),
    ];
    all_good(
        sticks
            .iter()
            .map(|(path, must)| differs(path, &world.supervisor(&["hand-in", path]), *must)),
    );
    let batch = world.officer(A, &["batch", &random]);
    assert_eq!(batch.code, Some(1), "{}", cut(&batch.stdout));
    // After all that the card of the administrator is the one that works.
    admin(&world, &["pending"]).ok();
    world.supervisor(&["hand-in", &stick]).ok();
}

#[test]
fn tables_are_taken_row_by_row_and_what_is_wrong_is_listed() {
    let world = World::new("fault-tables", 0);
    let put = |name: &str, bytes: &[u8]| {
        fs::write(world.at(name), bytes).unwrap();
        world.arg(name)
    };
    let long = "长".repeat(10 << 20 >> 2);
    let table =
        format!("企业名称,统一社会信用代码\n甲厂,\n{long},\n\"乙厂\u{1}\",\n丙厂,91110000000000000X\n\"丁厂,\n");
    let said = admin(&world, &["import-enterprises", &put("long.csv", table.as_bytes())]).ok();
    assert_eq!(said["taken"], 2, "甲厂 and 丙厂, whose code is kept as entered: {said}");
    let reasons = said["refused"].to_string();
    assert_eq!(said["refused"].as_array().unwrap().len(), 3, "{said}");
    assert!(
        reasons.len() < 2000,
        "the 10 MB are not repeated: {} bytes",
        reasons.len()
    );
    // 企业名称 in GBK, as Chinese spreadsheets save it.
    let gbk = put("gbk.csv", b"\xc6\xf3\xd2\xb5\xc3\xfb\xb3\xc6\n\xbc\xd7\xb3\xa7\n");
    let rows = [
        (gbk, (1, "bad_request", "UTF-8")),
        (put("none.csv", b"a,b\n1,2\n"), (1, "bad_request", "企业名称")),
        (put("huge.csv", &vec![b'x'; 20 << 20]), (1, "body_too_large", "")),
        (world.arg("missing.csv"), (1, "file_missing", "missing.csv")),
    ];
    all_good(
        rows.iter()
            .map(|(path, must)| differs(path, &admin(&world, &["import-enterprises", path]), *must)),
    );
    osha_tables(&world, &put);
}

fn osha_tables(world: &World, put: &dyn Fn(&str, &[u8]) -> String) {
    let pack = fieldseal_tests::workspace_root()
        .join("core/packs/us-osha")
        .display()
        .to_string();
    let rows = |n| {
        format!(
            "{n},2024-03-{:02},\"Acme {n} LLC, 1 Main St\",311111,Planned\n",
            n % 28 + 1
        )
    };
    let head = "inspection_nr,date_opened,site_address,naics,inspection_type\n";
    let good_inspections = head.to_owned() + &(100..160).map(rows).collect::<String>();
    let good_violations = "inspection_nr,citation_id,citation_type,standard_cited,issuance_date,abatement_due_date\n";
    let inspections = put("inspections.csv", good_inspections.as_bytes());
    let violations = put("violations.csv", good_violations.as_bytes());
    let import = |inspections: &str, violations: &str, out: &str| {
        let words = [
            "import",
            "osha",
            "--inspections",
            inspections,
            "--violations",
            violations,
        ];
        let more = ["--pack", &pack, "--tablet", "t=01-A,01-B", "--out", out];
        world.fieldseal("", &[&words[..], &more].concat())
    };
    let cut = good_inspections.len() * 2 / 3;
    let torn = put("torn.csv", &good_inspections.as_bytes()[..cut]);
    let said = import(&torn, &violations, &world.arg("osha-torn")).ok();
    let (rows, taken) = (&said["inspections"], said["inspections"]["taken"].as_u64().unwrap());
    assert!(taken > 0, "{said}");
    assert_eq!(
        rows["rows"].as_u64().unwrap(),
        taken + rows["refused"].as_u64().unwrap(),
        "each row is taken or listed: {said}"
    );
    let mut long = good_inspections.clone().into_bytes();
    long.extend(noise(1, 10 << 20).iter().map(|byte| b'a' + byte % 26));
    let long = put("longest.csv", &long);
    let said = import(&long, &violations, &world.arg("osha-long")).ok();
    assert!(said["inspections"]["refused"].as_u64().unwrap() >= 1, "{said}");
    let left = fs::read_to_string(world.at("osha-long/not_imported.jsonl")).unwrap();
    assert!(left.len() < 100_000, "the 10 MB are not repeated: {} bytes", left.len());
    let none = put("columns.csv", b"a,b\n1,2\n");
    all_good([
        differs(
            "columns",
            &import(&none, &violations, &world.arg("x")),
            (1, "import_columns", ""),
        ),
        differs(
            "swapped",
            &import(&violations, &inspections, &world.arg("x")),
            (1, "import_columns", ""),
        ),
        differs(
            "there already",
            &import(&inspections, &violations, &world.arg("osha-torn")),
            (1, "folder_not_empty", "osha-torn"),
        ),
    ]);
}

#[test]
fn a_stopped_server_is_said_at_every_door_and_nothing_is_lost() {
    let mut world = World::new("fault-stopped", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    let ids: Vec<String> = world
        .batch(A, &statements(&inspection, 3))
        .iter()
        .filter_map(|answer| answer["operation"].as_str().map(str::to_owned))
        .collect();
    let stick = world.arg("stick.fsr");
    world.device(A, &["rescue", "--out", &stick]).ok();
    world.drain_laptop();
    let invited = admin(&world, &["invite", "--label", "新"]).ok();
    let enrolment = text(&invited["text"]);
    world.stage.stop_server().unwrap();
    let csv = world.arg("more.csv");
    fs::write(&csv, "企业名称\n甲厂\n").unwrap();
    let pack = fieldseal_tests::workspace_root()
        .join("core/packs/us-osha")
        .display()
        .to_string();
    let away: Must<'_> = (75, "server_unreachable", "127.0.0.1");
    let office: [&[&str]; 5] = [
        &["pending"],
        &["invite", "--label", "另一台"],
        &["import-enterprises", &csv],
        &["publish-pack", &pack],
        &["devices"],
    ];
    all_good(
        office
            .iter()
            .map(|words| differs(words[0], &admin(&world, words), away)),
    );
    // An enrolment is kept on the tablet and sent with its first sync.
    let new = world.arg("new-tablet");
    let asked = ["device", "enrol", "--dir", &new, "--text", &enrolment];
    assert_eq!(world.fieldseal("", &asked).ok()["request"], serde_json::Value::Null);
    all_good([
        differs("hand-in", &world.supervisor(&["hand-in", &stick]), away),
        differs(
            "export",
            &world.supervisor(&["export", &case, "--out", &world.arg("out")]),
            away,
        ),
    ]);
    assert!(!world.at("out").exists(), "no half bundle is left");
    for said in [world.device(A, &["sync"]), world.supervisor(&["sync"])] {
        assert_eq!(said.code, Some(75), "{}", said.stdout);
        assert_eq!(said.json["state"], "offline", "{}", said.stdout);
    }
    world.serve();
    // The same commands, once the server is back; the invitation was not used up.
    let sent = world.fieldseal("", &["device", "sync", "--dir", &new]);
    println!(
        "enrolment sent with the first sync: {:?} {}",
        sent.code,
        sent.stdout.trim()
    );
    let pending = admin(&world, &["pending"]).ok();
    assert_eq!(pending["items"].as_array().unwrap().len(), 1, "{pending}");
    assert_eq!(world.supervisor(&["hand-in", &stick]).ok()["operations"], 3);
    world.drain(A);
    world.offline(|world| world.arrived_once(&case, &ids));
}

#[test]
fn a_servers_folder_a_backup_and_a_key_log_that_are_not_whole_are_refused() {
    let mut world = World::new("fault-folder", 1);
    let inspection = world.inspections[0].clone();
    let case = world.case(A, &inspection);
    world.officer(A, &["check", &inspection, "s1", "ok"]).ok();
    world.drain(A);
    let (server, backup) = (world.arg("server"), world.arg("backup"));
    world.server_command(&["backup", "--dir", &server, "--out", &backup]);
    let cut = |name: &str| {
        let to = world.at("cut-backup");
        let _ = fs::remove_dir_all(&to);
        fieldseal_demo::story::stage::copy_folder(Path::new(&backup), &to).unwrap();
        let file = to.join(name);
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        to.display().to_string()
    };
    let random = world.arg("random");
    fs::write(&random, noise(5, 5000)).unwrap();
    let cli = Cli::server(world.at("server-logs"));
    let run = |words: &[&str]| cli.run(words);
    let (fresh, missing) = (world.arg("fresh"), world.arg("no-such"));
    let torn = cut("ledger.sqlite");
    all_good([
        differs(
            "torn backup",
            &run(&["restore", "--from", &torn, "--dir", &fresh]),
            (1, "restore_refused", "ledger.sqlite"),
        ),
        differs(
            "no backup",
            &run(&["restore", "--from", &missing, "--dir", &fresh]),
            (1, "restore_refused", "no-such"),
        ),
        differs(
            "no folder",
            &run(&["serve", "--dir", &missing]),
            (1, "server_folder", "no-such"),
        ),
        differs(
            "adopt",
            &run(&["adopt", "--dir", &server, "--key-log", &random]),
            (1, "key_log_unreadable", "random"),
        ),
        differs(
            "export",
            &run(&[
                "export",
                "--dir",
                &server,
                "--case",
                "0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa",
                "--out",
                &fresh,
            ]),
            (1, "server_at_work", "进程"),
        ),
        differs(
            "again",
            &run(&["init", "--dir", &server, "--origin", "x.test/1"]),
            (1, "folder_not_empty", "server"),
        ),
    ]);
    assert!(
        !world.at("fresh/ledger.sqlite").exists(),
        "a refused restore leaves no ledger"
    );
    world.offline(|world| {
        let said = run(&[
            "export",
            "--dir",
            &server,
            "--case",
            "0199aaaa-aaaa-7aaa-8aaa-aaaaaaaaaaaa",
            "--out",
            &fresh,
        ]);
        all_good([differs("no case", &said, (1, "no_such_case", "0199aaaa"))]);
        assert!(!world.exported(&case).is_empty());
    });
}
