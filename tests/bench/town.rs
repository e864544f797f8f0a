//! A small agency, founded through the shipped programs: a server, two tablets, an inspection on each, supervisors' laptops.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use fieldseal_tests::{Cli, Folder, Running, workspace_root};
use serde_json::Value;

use crate::process::Usage;

/// Password of the root key and the administrator's key.
pub const PASSWORD: &str = "correct horse battery staple";
/// The officer of both tablets and of the laptops.
const OFFICER: (&str, &str, &str) = ("沈执衡", "云应急执20190417", "271828");

/// The agency; dropped, its server ends and its folder goes.
pub struct Town {
    /// The server, at work.
    pub server: Running,
    folder: Folder,
    office: Cli,
    field: Cli,
    laptops: u32,
}

/// An inspection on a tablet.
pub struct Site {
    tablet: &'static str,
    inspection: String,
    case: String,
}

impl Town {
    /// Ceremony, server, pack, the tablets `away` (which exchanges nothing further) and `duty`.
    pub fn found() -> Self {
        let folder = Folder::new("bench");
        let cli = |pin: &str| {
            let mut cli = Cli::new(folder.join("logs")).env("FIELDSEAL_PIN", pin);
            cli.deadline = Duration::from_secs(600);
            cli
        };
        let (office, field) = (cli(PASSWORD), cli(OFFICER.2));
        let server_cli = Cli::server(folder.join("logs/server"));
        let at = |name: &str| folder.join(name).display().to_string();
        office
            .run(["root", "init", "--out", &at("root"), "--name", "云岭县应急管理局"])
            .ok();
        office
            .run(["admin", "init", "--out", &at("admin"), "--name", "管理员"])
            .ok();
        let server = at("server");
        let words = [
            "init",
            "--dir",
            &server,
            "--origin",
            "bench.fieldseal.example/0",
            "--listen",
            "127.0.0.1:0",
        ];
        server_cli.run(words).ok();
        let (admin_asks, server_asks) = (at("admin/request.json"), at("server/request.json"));
        let words = [
            "root",
            "delegate",
            "--root",
            &at("root"),
            "--request",
            &admin_asks,
            &server_asks,
        ];
        office.run(words).ok();
        office
            .run(["root", "trust", "--root", &at("root"), "--out", &at("trust")])
            .ok();
        server_cli
            .run(["adopt", "--dir", &server, "--key-log", &at("root/key-log.cbor-seq")])
            .ok();
        let mut running = server_cli.start(["serve", "--dir", &server, "--listen", "127.0.0.1:0"]);
        let line = running.wait_for_line("its address", Duration::from_secs(60), |l| {
            l.contains("listening on https://")
        });
        let line = line.expect("the server starts");
        let address = line.rsplit("https://").next().unwrap_or_default().trim().to_owned();
        let card = fs::read_to_string(folder.join("server/card.json")).expect("the server wrote its card");
        let mut card: Value = serde_json::from_str(&card).expect("a card is JSON");
        card["url"] = format!("https://{address}").into();
        fs::write(folder.join("admin/card.json"), card.to_string()).expect("the folder can be written");
        let mut town = Self {
            server: running,
            folder,
            office,
            field,
            laptops: 0,
        };
        let pack = workspace_root().join("core/packs/cn-work-safety").display().to_string();
        town.admin(&["publish-pack", &pack]);
        for tablet in ["away", "duty"] {
            town.enrol("device", tablet, "tablet");
        }
        town
    }

    /// Folder of a device, bundle or whatever else.
    pub fn at(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Where the server answers.
    pub fn url(&self) -> Result<String, std::io::Error> {
        let card = fs::read_to_string(self.folder.join("admin/card.json"))?;
        let card: Value = serde_json::from_str(&card)?;
        Ok(card["url"].as_str().unwrap_or_default().to_owned())
    }

    /// An account of the console, with [`PASSWORD`].
    pub fn account(&self, user: &str, name: &str, role: &str) -> Result<(), std::io::Error> {
        let words = [
            "console-password",
            "--dir",
            &self.at("server"),
            "--user",
            user,
            "--name",
            name,
            "--role",
            role,
        ];
        let mut child = Cli::server(self.folder.join("logs/account"))
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            writeln!(input, "{PASSWORD}")?;
        }
        match child.wait()?.success() {
            true => Ok(()),
            false => Err(std::io::Error::other("the account was not made")),
        }
    }

    /// What the server's process has used.
    pub fn server_usage(&self) -> Usage {
        Usage::of(self.server.id())
    }

    /// A command of an officer in the field or of a supervisor.
    pub fn run(&self, words: &[&str]) -> Value {
        self.field.run(words).ok()
    }

    /// The shipped command, not started yet; for what is measured.
    pub fn command(&self, words: &[&str]) -> Command {
        self.field.command(words)
    }

    /// A new supervisor's laptop that has seen nothing yet.
    pub fn laptop(&mut self) -> String {
        self.laptops += 1;
        let name = format!("laptop-{}", self.laptops);
        self.admit("supervisor", &name, "supervisor");
        name
    }

    /// Begins an inspection of an enterprise of its own.
    pub fn begin(&self, tablet: &'static str, enterprise: &str) -> Site {
        let dir = self.at(tablet);
        let words = [
            "device",
            "begin",
            "--dir",
            &dir,
            "--officer",
            OFFICER.1,
            "--new-enterprise",
            enterprise,
        ];
        let begun = self.run(&words);
        let text = |key: &str| {
            begun[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key} in {begun}"))
                .to_owned()
        };
        Site {
            tablet,
            inspection: text("id"),
            case: text("case"),
        }
    }

    /// This program again, at work on an inspection.
    pub fn at_site(&self, site: &Site, verb: &str, options: &[String]) -> Value {
        let mut words = vec![
            format!("officer={}", OFFICER.1),
            format!("pin={}", OFFICER.2),
            format!("inspection={}", site.inspection),
        ];
        words.extend_from_slice(options);
        self.child(site.tablet, verb, &words)
    }

    /// Writes operations, `each` to an inspection (0: all into this one), without waiting for the disk: in memory where the system offers a folder there, then moved back.
    /// For what is measured afterwards; the time of an append is an area of its own.
    pub fn fill(&self, site: &Site, count: usize, each: usize) {
        let options = [format!("count={count}"), format!("each={each}")];
        let Ok(memory) = tempfile::Builder::new()
            .prefix("fieldseal-bench-")
            .tempdir_in("/dev/shm")
        else {
            self.at_site(site, "fill", &options);
            return;
        };
        let (home, away) = (self.folder.join(site.tablet), memory.path().join("tablet"));
        copy(&home, &away);
        let options = [&options[..], &[format!("dir={}", away.display())]].concat();
        self.at_site(site, "fill", &options);
        fs::remove_dir_all(&home).expect("the tablet's folder is ours");
        copy(&away, &home);
    }

    /// This program again, at work on a device's folder.
    pub fn child(&self, device: &str, verb: &str, options: &[String]) -> Value {
        let program = std::env::current_exe().expect("a running program has a file");
        let output = Command::new(program)
            .args(["child", verb, &format!("dir={}", self.at(device))])
            .args(options)
            .output()
            .expect("this program can be started again");
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{verb} on {device}: {said}{complaint}");
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{verb} on {device} said no JSON ({error}): {said}"))
    }

    /// Freezes the case and exports its bundle; gives the bundle's folder.
    pub fn export(&self, laptop: &str, site: &Site) -> String {
        let (dir, bundle) = (self.at(laptop), self.at("bundle"));
        let words = |verb| ["supervisor", verb, "--dir", &dir, "--officer", OFFICER.1];
        let add = [
            "supervisor",
            "officer-add",
            "--dir",
            &dir,
            "--name",
            OFFICER.0,
            "--certificate",
            OFFICER.1,
        ];
        self.run(&[&add[..], &["--role", "supervisor"]].concat());
        self.admin(&["approve", "--all"]);
        self.run(&words("sync"));
        self.run(&[&words("freeze")[..], &[&site.case, "--reason", "固定证据"]].concat());
        self.run(&words("sync"));
        self.run(&[&words("export")[..], &[&site.case, "--out", &bundle]].concat());
        bundle
    }

    fn enrol(&mut self, noun: &str, name: &str, role: &str) {
        self.admit(noun, name, role);
        let dir = self.at(name);
        self.run(&[noun, "sync", "--dir", &dir]);
        let add = [
            noun,
            "officer-add",
            "--dir",
            &dir,
            "--name",
            OFFICER.0,
            "--certificate",
            OFFICER.1,
        ];
        self.run(&add);
        self.admin(&["approve", "--all"]);
        self.run(&[noun, "sync", "--dir", &dir]);
    }

    fn admit(&self, noun: &str, name: &str, role: &str) {
        let invited = self.admin(&["invite", "--label", name, "--role", role]);
        let text = invited["text"]
            .as_str()
            .unwrap_or_else(|| panic!("no text in {invited}"))
            .to_owned();
        let dir = self.at(name);
        self.run(&[
            noun, "enrol", "--dir", &dir, "--text", &text, "--key", "ed25519", "--label", name,
        ]);
        self.admin(&["approve", "--all"]);
    }

    fn admin(&self, words: &[&str]) -> Value {
        let (dir, card) = (self.at("admin"), self.at("admin/card.json"));
        self.office
            .run([&["admin"], words, &["--admin", &dir, "--card", &card]].concat())
            .ok()
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{} cannot be copied",
        from.display()
    );
}
