//! The demo as a person starts it, without `--once`: it stays up, and what it prints is true.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fieldseal_tests::world::until;
use fieldseal_tests::{Cli, DEADLINE, Folder, Running, binaries};

/// The whole story, on a busy machine.
const STORY: Duration = Duration::from_secs(1200);

/// The server that the demo keeps up; whatever happens to the test, it ends with it.
struct Server(String);

impl Server {
    fn signal(&self, name: &str) -> bool {
        // The shell's own kill: a bare Debian has no program of that name.
        let sent = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &self.0])
            .output();
        sent.is_ok_and(|output| output.status.success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("KILL");
    }
}

/// A person's browser, as far as it needs no script: the certificate checked, cookies kept.
pub struct Browser<'a> {
    pub folder: &'a Path,
    pub certificate: String,
    pub url: String,
}

impl Browser<'_> {
    /// Status and page.
    pub fn ask(&self, path: &str, more: &[&str]) -> (String, String) {
        let (jar, page) = (self.folder.join("cookies"), self.folder.join("page.html"));
        let output = Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--cacert",
                &self.certificate,
                "--write-out",
                "%{http_code} %{redirect_url}",
            ])
            .arg("--cookie")
            .arg(&jar)
            .arg("--cookie-jar")
            .arg(&jar)
            .arg("--output")
            .arg(&page)
            .args(more)
            .arg(format!("{}{path}", self.url))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{path}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let page = std::fs::read_to_string(page).unwrap_or_default();
        (String::from_utf8(output.stdout).unwrap().trim().to_owned(), page)
    }

    pub fn sign_in(&self, user: &str, password: &str) -> String {
        let (user, password) = (format!("user={user}"), format!("password={password}"));
        let origin = format!("Origin: {}", self.url);
        let form = [
            "--data-urlencode",
            &user,
            "--data-urlencode",
            &password,
            "--header",
            &origin,
        ];
        self.ask("/console/sign-in", &form).0
    }
}

/// The word after `before` in what was printed.
fn after<'a>(said: &'a str, before: &str) -> &'a str {
    let rest = said
        .split_once(before)
        .unwrap_or_else(|| panic!("no {before:?} in:\n{said}"))
        .1;
    rest.split([' ', '\n', ';', ',', ')']).next().unwrap()
}

/// User and password of a role, from the list of accounts.
fn account<'a>(said: &'a str, role: &str) -> (&'a str, &'a str) {
    let line = said.lines().find(|line| line.trim_start().starts_with(role));
    let words: Vec<&str> = line
        .unwrap_or_else(|| panic!("no {role} in:\n{said}"))
        .split_whitespace()
        .collect();
    (words[1], words[2])
}

#[test]
fn the_demo_stays_up_and_a_person_can_sign_in_where_it_says() {
    let folder = Folder::new("e2e-stay");
    let out = folder.join("out");
    let demo = demo_until(&folder, &out, "the last line of what to try", "/checkpoint");
    let said = demo.heard();
    let server = Server(after(&said, "process ").to_owned());
    followed(&folder, &out, &said);
    // Whoever ends the server ends the demo, in good order.
    assert!(server.signal("TERM"), "the printed process is there");
    let ended = demo.finish(DEADLINE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(ended.code(), Some(0));
}

/// SIGTERM, a closed terminal or a crash: the demo has no time to stop its server, which notices by itself.
#[test]
fn a_demo_that_is_killed_takes_its_server_with_it() {
    let folder = Folder::new("e2e-orphan");
    let out = folder.join("out");
    let demo = demo_until(&folder, &out, "the step after the ceremony", "are enrolled");
    let said = std::fs::read_to_string(out.join("logs/server-up.out")).unwrap();
    let address = after(&said, "listening on https://").to_owned();
    // An answer that waits for the server's end: nobody speaks on this connection.
    let mut line = TcpStream::connect(&address).unwrap();
    line.set_read_timeout(Some(DEADLINE)).unwrap();
    demo.kill();
    let ended = line.read(&mut [0; 1]);
    assert!(matches!(ended, Ok(0)) || ended.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    until("nobody listens any more", || TcpStream::connect(&address).err());
    // It ended in good order: its folder is free soon, and nothing in it is half done.
    let (dir, server) = (
        out.join("server").display().to_string(),
        Cli::server(folder.join("logs")),
    );
    let report = until("the folder is free and nothing in it is wrong", || {
        Some(server.run(["fsck", "--dir", &dir])).filter(|said| said.code == Some(0))
    });
    assert_eq!(report.json["findings"], serde_json::json!([]), "{}", report.stdout);
}

/// The demo, started as a person does, and far enough to have said `words`.
fn demo_until(folder: &Folder, out: &Path, what: &str, words: &str) -> Running {
    let bin = binaries().server.parent().unwrap();
    let mut command = Command::new(bin.join("fieldseal-demo"));
    command.args(["--brief", "--out"]).arg(out);
    command.env("FIELDSEAL_BIN_DIR", bin);
    let mut demo = Running::start(&mut command, "demo", &folder.join("logs")).unwrap_or_else(|error| panic!("{error}"));
    let said = demo.wait_for_line(what, STORY, |line| line.contains(words));
    said.unwrap_or_else(|error| panic!("{error}"));
    demo
}

/// How many requests wait for the administrator.
fn pending(out: &Path) -> usize {
    let output = Command::new(&binaries().fieldseal)
        .args(["--json", "admin", "pending", "--admin"])
        .arg(out.join("admin"))
        .arg("--card")
        .arg(out.join("admin/card.json"))
        .env("FIELDSEAL_PIN", fieldseal_demo::story::cast::CEREMONY_PASSWORD)
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    said["items"].as_array().unwrap_or_else(|| panic!("{said}")).len()
}

/// What a person does with what the demo printed.
fn followed(folder: &Folder, out: &Path, said: &str) {
    let console = after(said, "The console is at ");
    let browser = Browser {
        folder: folder.path(),
        certificate: out.join("server/keys/tls.crt").display().to_string(),
        url: console.strip_suffix("/console").unwrap().to_owned(),
    };
    let (user, password) = account(said, "supervisor");
    let refused = browser.sign_in(user, "not the password");
    assert!(refused.starts_with("422"), "{refused}");
    let entered = browser.sign_in(user, password);
    assert!(
        entered.starts_with("303") && entered.ends_with("/console/worklist"),
        "{entered}"
    );
    // What the demo leaves to decide: a conflict, a record after closing, an inspection that was sent back; and a double.
    for (page, shows) in [
        ("/console/worklist/conflicts", "data-row"),
        ("/console/worklist/late", "data-row"),
        ("/console/worklist/returns", "data-row"),
        ("/console/enterprises", "新合木业"),
        ("/console/cases", "data-row"),
        ("/console/keys", "<main"),
    ] {
        let (status, seen) = browser.ask(page, &[]);
        assert!(status.starts_with("200"), "{page}: {status}");
        assert!(seen.contains(shows), "{page} does not show {shows}:\n{seen}");
    }
    // A key for what she decides; without a script it is one that the server keeps. The printed command approves it.
    let form = [format!("password={password}"), format!("Origin: {}", browser.url)];
    let asked = browser
        .ask(
            "/console/keys/server",
            &["--data-urlencode", &form[0], "--header", &form[1]],
        )
        .0;
    assert!(asked.starts_with("303"), "{asked}");
    assert_eq!(pending(out), 1, "the key waits for the administrator");
    // The commands that are printed, as they are printed.
    let commands = said
        .lines()
        .map(str::trim)
        .filter(|line| line.contains("/fieldseal ") || line.starts_with("curl "));
    let mut run = 0;
    for command in commands {
        let done = Command::new("sh").args(["-c", command]).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr);
        assert!(
            done.status.success(),
            "{command}\n{}{told}",
            String::from_utf8_lossy(&done.stdout)
        );
        run += 1;
    }
    assert!(run >= 5, "{run} commands were printed:\n{said}");
    assert_eq!(pending(out), 0, "the printed command approved it");
    let (user, password) = account(said, "administrator");
    let entered = browser.sign_in(user, password);
    assert!(entered.starts_with("303"), "{entered}");
}
