//! The town: the demo's story up to the morning on which the supervisor signs in, and what a hostile world adds to it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::cast::{CEREMONY_PASSWORD, TABLETS};
use fieldseal_demo::story::field::{self, Hand, Media};
use fieldseal_demo::story::stage::copy_folder;
use fieldseal_tests::workspace_root;
use fieldseal_tests::world::{A, B, World, text, told, until};
use serde_json::{Value, json};

/// Password of everybody who signs in.
const PASSWORD: &str = "three mangoes under a blue roof";
/// User name, name, role.
const PEOPLE: [(&str, &str, &str, &str); 6] = [
    ("supervisor", "云应急督20160008", "方予安", "supervisor"),
    ("second", "云应急督20170021", "秦望舒", "supervisor"),
    ("held", "云应急督20180033", "顾南星", "supervisor"),
    ("keyless", "云应急督20190047", "江晚意", "supervisor"),
    ("legal", "fazhi01", "何守正", "legal"),
    ("administrator", "admin", "管理员", "administrator"),
];
/// A name that is markup, one that reads from the right, one with a glyph that no font has, and one like any other.
/// Characters that turn the direction by themselves are refused where names are entered.
const HOSTILE: [(&str, &str); 4] = [
    ("markup", "<script>alert(1)</script><img src=x onerror=alert(2)>厂"),
    ("turned", "شركة السهل 12 (平原) للكيماويات"),
    ("glyph", "\u{3106c}\u{e000}化工厂"),
    ("plain", "平原化工有限公司"),
];

/// Enterprises beside these, so that their list has more than one page.
const CROWD: usize = 60;
/// Items on which the tablets do not agree: for the race of two supervisors and for the mornings in two languages.
const DISPUTED: [&str; 2] = ["t2", "t3"];

/// Somebody works with a copy of tablet B's folder too: two records under one number, and the file that proves it.
fn copied(world: &World) {
    let copy = world.at("copied");
    copy_folder(&world.tablet(B), &copy).expect("the folder can be copied");
    let says = |line: &'static str| {
        ["statement", &world.inspections[1], "--person", "孙厂长", "--line", line].map(str::to_owned)
    };
    let words = says("平板上说的话");
    world.officer(B, &words.each_ref().map(String::as_str)).ok();
    world.drain(B);
    let (dir, officer) = (copy.display().to_string(), TABLETS[B].officers[0]);
    let words = says("副本上说的话");
    let at = ["--dir", &dir, "--officer", officer.certificate];
    let words = words.each_ref().map(String::as_str);
    world
        .fieldseal(officer.pin, &[&["device"], &words[..], &at].concat())
        .ok();
    // Its new key waits for an administrator; what it has to hand in is there.
    world.fieldseal("", &["device", "sync", "--dir", &dir]);
}

/// A town with its server running.
pub struct Town {
    pub world: World,
    /// The case with the whole inspection, three conflicts, documents, a record that was set aside.
    case: String,
    long: String,
    /// Of the film that a browser plays.
    film: String,
}

impl Town {
    /// Plays the story. `film`: one that a browser plays.
    pub fn found(film: &Path) -> Self {
        let mut world = World::new("browser", 12);
        let long = format!("云岭县{}有限公司", "特种新型环保建筑材料".repeat(19));
        let mut table: String = HOSTILE.iter().map(|(_, name)| format!("\"{name}\"\n")).collect();
        table.extend((1..=CROWD).map(|n| format!("临江工业园区第{n}号厂房租户\n")));
        let csv = world.at("hostile.csv");
        fs::write(&csv, format!("企业名称\n{table}{long}\n")).expect("the table can be written");
        let (admin, card, csv) = (
            world.arg("admin"),
            world.arg("admin/card.json"),
            csv.display().to_string(),
        );
        let words = ["admin", "import-enterprises", &csv, "--admin", &admin, "--card", &card];
        world.fieldseal(CEREMONY_PASSWORD, &words).ok();

        let media = media(&world);
        let strokes = world.at("strokes.json");
        fs::write(&strokes, field::strokes().to_string()).expect("the strokes can be written");
        let first = Hand::new(&world.stage, TABLETS[A], "2026-11-24", (9, 10));
        told(field::inspect(&first, &world.inspections[0], &media, &strokes));
        let second = Hand::new(&world.stage, TABLETS[B], "2026-11-25", (10, 0));
        told(field::inspect_refused(&second, &world.inspections[1], &media));
        told(field::disagree(&world.stage, &world.inspections[0], "2026-11-26"));
        told(field::same_stranger(&world.stage, "91530100MA6K5XJ37C", "2026-11-27"));
        for item in DISPUTED {
            for (n, result) in [(A, "violation"), (B, "ok")] {
                world.officer(n, &["check", &world.inspections[0], item, result]).ok();
            }
        }
        let file = film.display().to_string();
        let (inspection, title) = (&world.inspections[0], "车间走查录像");
        let how = [
            "--acquisition",
            "recorder",
            "--kind",
            "audio_visual",
            "--title",
            title,
            "--proves",
            "检查经过",
        ];
        let words = [&["capture", inspection, "--file", &file], &how[..]].concat();
        let film = text(&world.officer(A, &words).ok()["id"]);
        for name in HOSTILE.iter().map(|(_, name)| *name).chain([long.as_str()]) {
            let words = ["begin", "--new-enterprise", name, "--title", name, "--place", name];
            world.officer(A, &words).ok();
        }
        let turning = [
            "begin",
            "--new-enterprise",
            "\u{202e}厂工化原平",
            "--title",
            "a",
            "--place",
            "a",
        ];
        world.officer(A, &turning).refused(1, "field_control");
        let case = world.case(A, &world.inspections[0]);
        for n in [A, B] {
            world.drain(n);
        }
        // One tablet closes while the other, which has not heard of it, goes on: its record is set aside.
        world.officer(A, &["close", &world.inspections[0]]).ok();
        world.drain(A);
        let late = [
            "statement",
            &world.inspections[0],
            "--person",
            "钱守业",
            "--line",
            "关闭以后的话",
        ];
        world.officer(B, &late).ok();
        for n in [B, A] {
            world.drain(n);
        }
        until("the late record is set aside", || {
            world.drain_laptop();
            let shown = world.supervisor(&["show", &case]).ok();
            (!shown["quarantined"].as_array()?.is_empty()).then_some(())
        });
        copied(&world);
        // What a lawyer would hold: the words of its verification are looked at.
        world.offline(|world| {
            let (server, out) = (world.arg("server"), world.arg("bundle"));
            world.server_command(&["export", "--dir", &server, "--case", &case, "--out", &out]);
        });
        // The console becomes a device of the tenant, as the demo does it.
        world.server_command(&["console-device", "--dir", &world.arg("server")]);
        let words = ["admin", "approve", "--all", "--admin", &admin, "--card", &card];
        world.fieldseal(CEREMONY_PASSWORD, &words).ok();
        let town = Self {
            world,
            case,
            long,
            film,
        };
        for (_, user, name, role) in PEOPLE {
            town.account(user, name, role);
        }
        town
    }

    /// An account of the console.
    fn account(&self, user: &str, name: &str, role: &str) {
        let mut child = Command::new(&self.world.stage.binaries.server)
            .args(["console-password", "--dir", &self.world.arg("server"), "--user", user])
            .args(["--name", name, "--role", role])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the server's command can be started");
        let mut input = child.stdin.take().expect("it reads");
        writeln!(input, "{PASSWORD}").expect("it takes a password");
        drop(input);
        assert!(child.wait().expect("it ends").success(), "{user} has no account");
    }

    /// What `run.mjs` must know.
    pub fn about(&self) -> Value {
        let world = &self.world;
        let people: Value = PEOPLE
            .iter()
            .map(|(key, user, name, _)| {
                (
                    (*key).to_owned(),
                    json!({ "user": user, "name": name, "password": PASSWORD }),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into();
        let mut hostile: serde_json::Map<_, _> = HOSTILE
            .iter()
            .map(|(key, name)| ((*key).to_owned(), json!(name)))
            .collect();
        hostile.insert("long".into(), json!(self.long));
        let case = format!("/console/cases/{}", self.case);
        let shown = world.supervisor(&["show", &self.case]).ok();
        let evidence = shown["evidence"].as_array().into_iter().flatten();
        let imported = evidence.filter(|item| item["acquisition"] == "imported");
        let imported: Vec<String> = imported
            .map(|item| format!("{case}/evidence/{}", text(&item["evidence"])))
            .collect();
        let first = [
            imported,
            vec![
                case,
                "/console/worklist".into(),
                "/console/settings".into(),
                "/console/keys".into(),
            ],
        ];
        json!({
            "url": format!("https://{}", world.stage.server_at()),
            "root": workspace_root(),
            "folder": world.at(""),
            "people": people,
            "hostile": hostile,
            "case": self.case,
            "film": self.film,
            "bundle": world.arg("bundle"),
            "starts": {
                "supervisor": first.concat(),
                // The account of somebody else, and the slash that people type.
                "administrator": [
                    "/console/accounts/one?user=fazhi01",
                    "/console/enrolment",
                    "/console/devices",
                    "/console/",
                ],
                "legal": ["/console/cases", "/console/hearing"],
            },
            "approve": {
                "command": world.stage.binaries.fieldseal,
                "arguments": ["admin", "approve", "--all", "--admin", world.arg("admin"), "--card", world.arg("admin/card.json")],
                "pin": CEREMONY_PASSWORD,
            },
            "fieldseal": world.stage.binaries.fieldseal,
            "server": world.stage.binaries.server,
            "trust": world.arg("trust"),
        })
    }
}

fn media(world: &World) -> Media {
    let all = |kind: Kind| world.samples.of(kind).map(|sample| sample.path.clone());
    let one = |kind: Kind| all(kind).next().expect("there is a sample of each kind");
    Media {
        photos: all(Kind::Photo).collect(),
        gallery: one(Kind::GalleryPhoto),
        video: one(Kind::Video),
        audio: one(Kind::Audio),
    }
}
