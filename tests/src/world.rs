//! A small county for a test: one server, two tablets behind a proxy, a supervisor's laptop, all of them shipped programs.
//!
//! Everything goes through the command line; what arrived is read from the server's published log and from its export,
//! with `fieldseal-proof`, never from a database.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use fieldseal_demo::samples::{SampleSet, Spec};
use fieldseal_demo::story::cast::{SUPERVISOR, TABLETS};
use fieldseal_demo::story::{Stage, arrived, ceremony, office};
use fieldseal_proof::operation::Operation;
use serde_json::Value;

use crate::process::{Finished, Running};
use crate::{DEADLINE, Folder, Said, binaries, samples, workspace_root};

/// The Ed25519 tablet of [`TABLETS`].
pub const A: usize = 0;
/// The P-256 tablet.
pub const B: usize = 1;

/// A county with its server running, everybody enrolled, and one inspection assigned per enterprise.
pub struct World {
    /// Folders, programs and the proxy between tablets and server. Before the folder, so that programs end first.
    pub stage: Stage,
    /// Photographs, film, sound and enterprises.
    pub samples: SampleSet,
    /// Inspections: the first for both tablets, the second for [`B`], the third for [`A`], and so on.
    pub inspections: Vec<String>,
    folder: Folder,
}

impl World {
    /// Ceremony, server, packs, enterprises, enrolments and `most` assignments, fetched by the tablets.
    pub fn new(name: &str, most: usize) -> Self {
        let folder = Folder::new(name);
        let spec = Spec {
            photos: 2,
            pixels: (640, 480),
            video_bytes: 3 << 20,
            audio_seconds: 1,
            ..Spec::default()
        };
        let samples = samples::write(&folder.join("samples"), &spec).expect("samples can be written");
        let mut stage = told(Stage::new(folder.path(), binaries().clone()));
        told(ceremony::found(&mut stage));
        told(ceremony::supply(
            &stage,
            &workspace_root().join("core/packs"),
            &samples.enterprises_csv,
        ));
        told(ceremony::enrol(&stage));
        let enterprises = &samples.enterprises[..most.min(samples.enterprises.len())];
        let inspections = told(office::assign(&stage, enterprises, |_| "2026-11-24".into()));
        let world = Self {
            stage,
            samples,
            inspections,
            folder,
        };
        world.drain(A);
        world.drain(B);
        world
    }

    /// A county that already lies in `folder`, as an earlier version left it: no server runs, and the tablets do not reach the one
    /// that may be started.
    pub fn found(folder: Folder) -> Self {
        let spec = Spec {
            photos: 1,
            pixels: (64, 48),
            video_bytes: 1 << 16,
            audio_seconds: 1,
            ..Spec::default()
        };
        let samples = samples::write(&folder.join("samples"), &spec).expect("samples can be written");
        Self {
            stage: told(Stage::new(folder.path(), binaries().clone())),
            samples,
            inspections: Vec::new(),
            folder,
        }
    }

    /// Enrols one more laptop, on the road: it reaches the server only through the proxy. Returns its folder.
    pub fn laptop_on_the_road(&self) -> String {
        let laptop = self.arg("road");
        let invite = ["invite", "--label", "外出笔记本", "--role", "supervisor"];
        let invited = told(ceremony::admin(
            &self.stage,
            "admin-invite",
            "card-for-tablets.json",
            &invite,
        ));
        let enrolment = text(&invited["text"]);
        let words = ["supervisor", "enrol", "--dir", &laptop, "--text", &enrolment];
        self.fieldseal("", &words).ok();
        told(ceremony::admin(
            &self.stage,
            "admin-approve",
            "card.json",
            &["approve", "--all"],
        ));
        self.fieldseal("", &["supervisor", "sync", "--dir", &laptop]).ok();
        laptop
    }

    /// A path in the test's folder.
    pub fn at(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.join(name)
    }

    /// A path in the test's folder as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    /// The folder of a tablet.
    pub fn tablet(&self, n: usize) -> PathBuf {
        self.at("tablets").join(TABLETS[n].name)
    }

    /// Any call of `fieldseal` with `--json`.
    pub fn fieldseal(&self, pin: &str, words: &[&str]) -> Said {
        let name = words
            .iter()
            .take(2)
            .copied()
            .collect::<Vec<_>>()
            .join("-")
            .replace('/', "_");
        let finished = told(self.stage.try_fieldseal(&name, pin, words));
        said(words, &finished)
    }

    /// A tablet's command that no officer signs; the verb first.
    pub fn device(&self, n: usize, words: &[&str]) -> Said {
        let dir = self.tablet(n).display().to_string();
        self.fieldseal("", &[&["device"], words, &["--dir", &dir]].concat())
    }

    /// A tablet's command with its first officer at work.
    pub fn officer(&self, n: usize, words: &[&str]) -> Said {
        let dir = self.tablet(n).display().to_string();
        let officer = TABLETS[n].officers[0];
        let at = ["--dir", &dir, "--officer", officer.certificate];
        self.fieldseal(officer.pin, &[&["device"], words, &at].concat())
    }

    /// A command of the supervisor at her laptop.
    pub fn supervisor(&self, words: &[&str]) -> Said {
        let dir = self.arg("supervisor");
        let at = ["--dir", &dir, "--officer", SUPERVISOR.certificate];
        self.fieldseal(SUPERVISOR.pin, &[&["supervisor"], words, &at].concat())
    }

    /// `device batch` of these lines by the first officer, to its end; one answer a line, then the summary.
    pub fn batch(&self, n: usize, lines: &[Value]) -> Vec<Value> {
        let file = self.lines_file(n, lines);
        let said = self.officer(n, &["batch", &file, "--keep-going-ok"]).expect_code(0);
        said.stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("each line is answered by JSON"))
            .collect()
    }

    /// The same, started and left running.
    pub fn start_batch(&self, n: usize, lines: &[Value]) -> Running {
        let file = self.lines_file(n, lines);
        self.start_officer(n, &["batch", &file, "--keep-going-ok"])
    }

    fn lines_file(&self, n: usize, lines: &[Value]) -> String {
        let file = self.arg(&format!("batch-{n}.jsonl"));
        let text: Vec<String> = lines.iter().map(Value::to_string).collect();
        fs::write(&file, text.join("\n")).expect("the batch can be written");
        file
    }

    /// Starts a tablet's command with its first officer at work.
    pub fn start_officer(&self, n: usize, words: &[&str]) -> Running {
        let dir = self.tablet(n).display().to_string();
        let officer = TABLETS[n].officers[0];
        let at = ["--dir", &dir, "--officer", officer.certificate];
        let words = [&["device"], words, &at].concat();
        told(
            self.stage
                .start_fieldseal(&format!("started-{}", words[1]), officer.pin, &words),
        )
    }

    /// Syncs a tablet until everything is received, in the log and receipted; panics if that does not come about.
    #[track_caller]
    pub fn drain(&self, n: usize) -> Value {
        let report = self.device(n, &["sync", "--wait", "60"]).expect_code(0);
        let waiting = &report.json["waiting"];
        for kind in ["operations", "unsealed", "blobs"] {
            assert_eq!(waiting[kind], 0, "{kind} still wait: {}", report.json);
        }
        report.json
    }

    /// Syncs the laptop in the same way.
    pub fn drain_laptop(&self) -> Value {
        self.supervisor(&["sync", "--wait", "60"]).ok()
    }

    /// Operations of a tablet that are in the log, of all that it sealed.
    pub fn in_log(&self, n: usize) -> (u64, u64) {
        let counts = self.device(n, &["status"]).ok()["counts"].clone();
        (number(&counts["in_log"]), number(&counts["sealed"]))
    }

    /// `device fsck`, which must find nothing.
    #[track_caller]
    pub fn device_clean(&self, n: usize) {
        let checked = self.device(n, &["fsck"]).ok();
        assert_eq!(checked["clean"], true, "{checked}");
    }

    /// The case of an inspection, by the tablet that has it.
    pub fn case(&self, n: usize, inspection: &str) -> String {
        let shown = self.device(n, &["show", inspection]).ok();
        shown["case"].as_str().expect("an inspection has its case").to_owned()
    }

    /// SIGKILL for the server.
    pub fn kill_server(&mut self) {
        self.stage.take_server().expect("the server runs").kill();
    }

    /// Starts the server again where it was.
    pub fn serve(&mut self) {
        told(self.stage.serve("server"));
    }

    /// Stops the server, has it reread everything, and starts it again. It must find nothing.
    #[track_caller]
    pub fn server_clean(&mut self) {
        self.offline(|world| {
            let report = world.server_command(&["fsck", "--dir", &world.arg("server")]);
            assert_eq!(report["findings"], serde_json::json!([]), "{report}");
        });
    }

    /// Does something while the server is stopped in good order.
    pub fn offline<T>(&mut self, work: impl FnOnce(&Self) -> T) -> T {
        told(self.stage.stop_server());
        let done = work(self);
        self.serve();
        done
    }

    /// A command of `fieldseal-server` that must succeed.
    pub fn server_command(&self, words: &[&str]) -> Value {
        told(self.stage.server_command(&format!("server-{}", words[0]), words))
    }

    /// Everything of a case at the server: the bundle's operations by id. The server must be stopped.
    pub fn exported(&self, case: &str) -> BTreeMap<String, Operation> {
        let out = self.at(format!("export-{case}"));
        let _ = fs::remove_dir_all(&out);
        let _ = fs::remove_file(&out);
        let target = out.display().to_string();
        self.server_command(&["export", "--dir", &self.arg("server"), "--case", case, "--out", &target]);
        let folder = out.join("data/operations");
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let operation = |entry: std::io::Result<fs::DirEntry>| {
            let bytes = fs::read(entry.expect("the folder can be listed").path()).expect("an operation can be read");
            let operation = Operation::parse(&bytes).expect("the server exports whole operations");
            (operation.id().to_string(), operation)
        };
        entries.map(operation).collect()
    }

    /// How often each leaf stands in the published log.
    pub fn leaves(&self) -> BTreeMap<Vec<u8>, usize> {
        let mut leaves = BTreeMap::new();
        for leaf in told(arrived::leaves(&self.stage)) {
            *leaves.entry(leaf.to_vec()).or_insert(0) += 1;
        }
        leaves
    }

    /// Every id stands in the export of its case and exactly once in the log. The server must be stopped.
    #[track_caller]
    pub fn arrived_once(&self, case: &str, ids: &[String]) {
        let (exported, leaves) = (self.exported(case), self.leaves());
        for id in ids {
            let operation = exported.get(id).unwrap_or_else(|| panic!("{id} did not arrive"));
            let times = leaves.get(operation.commitment().as_bytes().as_slice());
            assert_eq!(times, Some(&1), "{id} stands in the log not exactly once");
        }
        let twice = leaves.values().filter(|times| **times != 1).count();
        assert_eq!(twice, 0, "leaves that stand in the log more than once");
    }
}

/// The operations that answers acknowledge, in order.
pub fn acknowledged(stdout: &str) -> Vec<String> {
    // What was being written when the process died is no acknowledgement.
    let whole = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let answers = whole.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    answers
        .filter_map(|answer| answer["operation"].as_str().map(str::to_owned))
        .collect()
}

/// A count in an answer.
#[track_caller]
pub fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

/// A text in an answer.
#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

fn said(words: &[&str], finished: &Finished) -> Said {
    let stdout = finished.text();
    Said {
        code: finished.code(),
        json: serde_json::from_str(stdout.trim()).unwrap_or(Value::Null),
        stderr: String::from_utf8_lossy(&finished.stderr).into_owned(),
        took: finished.took,
        call: format!("fieldseal {}", words.join(" ")),
        stdout,
    }
}

/// What the stage told, or a panic with its words.
#[track_caller]
pub fn told<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|why| panic!("{why}"))
}

/// Runs an ordinary program that must succeed.
#[track_caller]
pub fn tool(folder: &Path, program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).current_dir(folder).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(
        output.status.success(),
        "{program} {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Asks again (each question a process of its own) until there is an answer; panics when [`DEADLINE`] is over.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            begun.elapsed() < DEADLINE,
            "{what}: not within {} s",
            DEADLINE.as_secs()
        );
    }
}

/// Whether soaks may take their time.
pub fn long() -> bool {
    std::env::var_os("FIELDSEAL_LONG").is_some_and(|value| value != "0")
}
