//! The end of the story for whoever stays: the console becomes a device, two people may sign in, and something is left to decide.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::cast::{SUPERVISOR, TABLETS};
use super::ceremony::admin;
use super::days::day;
use super::field::{Hand, disagree, same_stranger};
use super::network::{drain, sync};
use super::office::supervisor;
use super::stage::{Stage, Told, list, text};

/// A credit code that nobody imported: of an invented enterprise, both check digits right.
const NEWCOMER: &str = "91530100MA6P2KT86H";

/// An account of the console.
pub struct SignIn {
    pub user: &'static str,
    pub name: &'static str,
    pub role: &'static str,
    pub password: String,
}

/// Opens the console through the shipped commands; passwords are made at random and said once.
pub fn open(stage: &Stage) -> Told<Vec<SignIn>> {
    let server = stage.arg("server");
    let made = stage.server_command("server-console-device", &["console-device", "--dir", &server])?;
    let request = text(&made, "request")?;
    admin(stage, "admin-approve-console", "card.json", &["approve", &request])?;
    let mut people = Vec::new();
    for (user, name, role) in [
        (SUPERVISOR.certificate, SUPERVISOR.name, "supervisor"),
        ("admin", "管理员", "administrator"),
    ] {
        let password = random_password().map_err(|e| format!("no randomness: {e}"))?;
        set_password(stage, user, name, role, &password)?;
        people.push(SignIn {
            user,
            name,
            role,
            password,
        });
    }
    Ok(people)
}

/// What a supervisor finds to do: a conflict, a record after closing, an enterprise that was recorded twice.
pub fn leave_work(stage: &Stage, closed: &str) -> Told<()> {
    let known = supervisor(stage, "enterprises", &[])?;
    let enterprises = list(&known, "items")?;
    let enterprise = enterprises.last().ok_or("there is no enterprise")?;
    let tablets = super::office::tablet_ids(stage)?;
    let id = text(enterprise, "id")?;
    let planned = day(8);
    let mut words = vec!["--enterprise", &id, "--planned", &planned, "--device"];
    words.extend(tablets.iter().map(String::as_str));
    words.push("--officers");
    words.extend(
        TABLETS
            .iter()
            .flat_map(|tablet| tablet.officers.map(|officer| officer.certificate)),
    );
    let inspection = text(&supervisor(stage, "assign", &words)?, "id")?;
    supervisor(stage, "sync", &[])?;
    for tablet in TABLETS {
        until_known(stage, tablet, &inspection)?;
    }
    disagree(stage, &inspection, &day(8))?;
    same_stranger(stage, NEWCOMER, &day(8))?;
    let late = Hand::new(stage, TABLETS[1], &day(9), (8, 0));
    late.as_officer(0, "check", &[closed, "r2", "violation"])?;
    for tablet in TABLETS {
        drain(stage, tablet)?;
    }
    Ok(())
}

/// Syncs until a tablet has been told of an inspection.
fn until_known(stage: &Stage, tablet: super::cast::Tablet, inspection: &str) -> Told<()> {
    let dir = stage.arg(&format!("tablets/{}", tablet.name));
    for _ in 0..60 {
        sync(stage, tablet)?;
        let said = stage.fieldseal("device-inspections", "", &["device", "inspections", "--dir", &dir])?;
        if said.to_string().contains(inspection) {
            return Ok(());
        }
    }
    Err(format!("{} was not told of {inspection}", tablet.label))
}

/// The password goes in by standard input: it stands in no list of processes and in no log.
fn set_password(stage: &Stage, user: &str, name: &str, role: &str, password: &str) -> Told<()> {
    let failed = |e: std::io::Error| format!("console-password: {e}");
    let mut child = Command::new(&stage.binaries.server)
        .args([
            "console-password",
            "--user",
            user,
            "--name",
            name,
            "--role",
            role,
            "--dir",
        ])
        .arg(stage.path("server"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(password.as_bytes()).map_err(failed)?;
    }
    match child.wait().map_err(failed)? {
        status if status.success() => Ok(()),
        status => Err(format!("console-password ended with {status}")),
    }
}

/// Sixteen letters in four groups, 75 bits: easy to type, impossible to guess.
fn random_password() -> std::io::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let letters: Vec<char> = bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}
