//! The ceremony: root key offline, administrator, server; then enterprises, packs, tablets, officers, the supervisor.

use std::fs;
use std::path::Path;

use super::cast::{AGENCY, CEREMONY_PASSWORD, ORIGIN, Officer, SUPERVISOR, TABLETS};
use super::stage::{Stage, Told, list, text};

/// Makes the keys and sets up the server with one command, which ends up serving.
pub fn found(stage: &mut Stage) -> Told<String> {
    let (root, admin) = (stage.arg("root"), stage.arg("admin"));
    let made = stage.fieldseal(
        "root-init",
        CEREMONY_PASSWORD,
        &["root", "init", "--out", &root, "--name", AGENCY],
    )?;
    stage.fieldseal(
        "admin-init",
        CEREMONY_PASSWORD,
        &["admin", "init", "--out", &admin, "--name", "管理员"],
    )?;
    // For tablets that nobody can open any more; the holders take their shares home.
    let shares = stage.arg("escrow");
    let words = ["root", "escrow", "--need", "2", "--of", "3", "--out", &shares];
    let escrow = text(&stage.fieldseal("root-escrow", "", &words)?, "public")?;
    // One command: it makes the server, waits for what the ceremony gives it, and serves.
    let mut up = stage.server_up("server", &["--origin", ORIGIN, "--name", AGENCY, "--escrow", &escrow])?;
    // Only files pass between the root key's machine and the others: requests one way, the key log the other way.
    let desk = stage.path("root-desk");
    fs::create_dir_all(&desk).map_err(|e| e.to_string())?;
    for (from, to) in [
        ("admin/request.json", "admin.json"),
        ("server/request.json", "server.json"),
    ] {
        fs::copy(stage.path(from), desk.join(to)).map_err(|e| format!("{from}: {e}"))?;
    }
    let (admin_request, server_request) = (stage.arg("root-desk/admin.json"), stage.arg("root-desk/server.json"));
    let words = [
        "root",
        "delegate",
        "--root",
        &root,
        "--request",
        &admin_request,
        &server_request,
    ];
    stage.fieldseal("root-delegate", CEREMONY_PASSWORD, &words)?;
    stage.fieldseal(
        "root-trust",
        CEREMONY_PASSWORD,
        &["root", "trust", "--root", &root, "--out", &stage.arg("trust")],
    )?;
    fs::copy(
        stage.path("root/key-log.cbor-seq"),
        stage.path("server/key-log.cbor-seq"),
    )
    .map_err(|e| e.to_string())?;
    stage.listening(&mut up)?;
    stage.keep(up);
    write_card(stage)?;
    Ok(format!(
        "tenant {}, root key {}, escrow in 3 shares of which 2 open it",
        text(&made, "tenant")?,
        text(&made, "fingerprint")?
    ))
}

/// The administrator's card: where the server really is, and, for tablets and laptop, the address they reach it under (a proxy).
fn write_card(stage: &Stage) -> Told<()> {
    let card = fs::read_to_string(stage.path("server/card.json")).map_err(|e| e.to_string())?;
    let card: serde_json::Value = serde_json::from_str(&card).map_err(|e| e.to_string())?;
    for (name, at) in [
        ("card.json", stage.server_at()),
        ("card-for-tablets.json", stage.proxy.addr()),
        ("card-for-laptop.json", stage.laptop.addr()),
    ] {
        let mut card = card.clone();
        card["url"] = format!("https://{at}").into();
        fs::write(stage.path("admin").join(name), format!("{card:#}\n")).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Runs an administrator's command with its folder and a card.
pub fn admin(stage: &Stage, name: &str, card: &str, words: &[&str]) -> Told<serde_json::Value> {
    let (dir, card) = (stage.arg("admin"), stage.arg(&format!("admin/{card}")));
    let mut all = vec!["admin"];
    all.extend(words);
    all.extend(["--admin", &dir, "--card", &card]);
    stage.fieldseal(name, CEREMONY_PASSWORD, &all)
}

/// Publishes the rule packs and imports the enterprises.
pub fn supply(stage: &Stage, packs: &Path, enterprises: &Path) -> Told<String> {
    for pack in ["cn-work-safety", "us-osha"] {
        let folder = packs.join(pack).display().to_string();
        admin(stage, "admin-publish-pack", "card.json", &["publish-pack", &folder])?;
    }
    let file = enterprises.display().to_string();
    let said = admin(stage, "admin-import", "card.json", &["import-enterprises", &file])?;
    Ok(format!("2 rule packs signed and published; enterprises: {}", said))
}

/// Enrols tablets, officers and the supervisor; the administrator compares fingerprints and signs.
pub fn enrol(stage: &Stage) -> Told<String> {
    for tablet in TABLETS {
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        fs::create_dir_all(stage.path("tablets")).map_err(|e| e.to_string())?;
        let invited = admin(
            stage,
            "admin-invite",
            "card-for-tablets.json",
            &["invite", "--label", tablet.label, "--role", "tablet"],
        )?;
        let enrolment = text(&invited, "text")?;
        let words = [
            "device",
            "enrol",
            "--dir",
            &dir,
            "--text",
            &enrolment,
            "--key",
            tablet.suite,
            "--label",
            tablet.label,
        ];
        stage.fieldseal("device-enrol", "", &words)?;
    }
    let invited = admin(
        stage,
        "admin-invite",
        "card-for-laptop.json",
        &["invite", "--label", "方予安的笔记本", "--role", "supervisor"],
    )?;
    let enrolment = text(&invited, "text")?;
    let laptop = stage.arg("supervisor");
    let words = [
        "supervisor",
        "enrol",
        "--dir",
        &laptop,
        "--text",
        &enrolment,
        "--key",
        "ed25519",
        "--label",
        "方予安的笔记本",
    ];
    stage.fieldseal("supervisor-enrol", "", &words)?;
    approve(stage)?;
    for tablet in TABLETS {
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        stage.fieldseal("device-sync", "", &["device", "sync", "--dir", &dir])?;
        for officer in tablet.officers {
            officer_add(stage, "device", &dir, officer, "officer")?;
        }
    }
    stage.fieldseal("supervisor-sync", "", &["supervisor", "sync", "--dir", &laptop])?;
    officer_add(stage, "supervisor", &laptop, SUPERVISOR, "supervisor")?;
    let approved = approve(stage)?;
    for tablet in TABLETS {
        let dir = stage.arg(&format!("tablets/{}", tablet.name));
        stage.fieldseal("device-sync", "", &["device", "sync", "--dir", &dir])?;
    }
    stage.fieldseal("supervisor-sync", "", &["supervisor", "sync", "--dir", &laptop])?;
    Ok(format!(
        "tablet A3 (Ed25519), tablet B7 (P-256), the supervisor's laptop; {approved} officers bound to name and certificate"
    ))
}

fn officer_add(stage: &Stage, noun: &str, dir: &str, officer: Officer, role: &str) -> Told<()> {
    let words = [
        noun,
        "officer-add",
        "--dir",
        dir,
        "--name",
        officer.name,
        "--certificate",
        officer.certificate,
        "--role",
        role,
    ];
    stage.fieldseal("officer-add", officer.pin, &words).map(drop)
}

fn approve(stage: &Stage) -> Told<usize> {
    let said = admin(stage, "admin-approve", "card.json", &["approve", "--all"])?;
    list(&said, "approved").map(Vec::len)
}
