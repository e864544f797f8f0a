//! How every run begins: a server and its devices, enrolled over the wire once, copied for each seed.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldseal_core::device::FieldDevice;
use fieldseal_proof::ids::{DeviceId, TenantId};
use fieldseal_proof::note::VerifierKey;
use fieldseal_proof::suite::{Signer, Suite};
use fieldseal_sync_server::config::Layout;
use fieldseal_sync_server::ledger::sqlite::SqliteLedger;
use fieldseal_sync_server::ledger::{Commit, KeyLogAppend, LedgerStore};
use fieldseal_sync_server::office::tokens::AdminToken;
use fieldseal_testkit::{Ceremony, signer};
use serde_json::json;

use crate::clock::{MachineClock, Time};
use crate::dice::{Dice, SeededRandom};
use crate::folder;
use crate::network::Call;
use crate::office::{ADMIN, Office, TOKEN};
use crate::server::Host;
use crate::tablet::{Next, Tablet, ports};

pub const TENANT: TenantId = TenantId::from_bytes([1; 16]);
pub const ORIGIN: &str = "example.org/county/0";
/// The ingest device.
pub const SERVER: DeviceId = DeviceId::from_bytes([2; 16]);
/// Devices of a run: the supervisor's laptop is the first, the others are tablets.
pub const DEVICES: usize = 4;
/// Exchanges after which a conversation without faults should long have ended.
const ENDLESS: usize = 1_000;
/// 2027-01-15.
pub const BEGIN_MS: u64 = 1_800_000_000_000;

/// What each run copies.
pub struct Birth {
    _folder: tempfile::TempDir,
    pub server: PathBuf,
    pub tablets: Vec<PathBuf>,
    pub office: Office,
}

impl Birth {
    /// Makes it; gone with the value.
    pub fn new() -> Self {
        let folder = folder::scratch();
        let time = Time::starting_at(BEGIN_MS - 86_400_000);
        let root = folder.path().join("new");
        let (ceremony, ledger) = found(&root);
        let clock = Arc::new(MachineClock::right(&time, 2));
        let random = Arc::new(SeededRandom::new(Dice::new(2)));
        let mut host = Host::new(folder.path().to_owned(), &root, clock, random);
        drop(ledger);
        let mut office = Office::of(&ceremony);
        office.post(&mut host);
        let mut tablets: Vec<Tablet> = (0..DEVICES)
            .map(|number| enrol(number, &mut host, folder.path(), &time))
            .collect();
        for tablet in &mut tablets {
            office.approve(&tablet.device());
        }
        office.post(&mut host);
        // Everybody hears of everybody.
        for _ in 0..2 {
            for tablet in &mut tablets {
                talk(tablet, &mut host);
                host.settle();
            }
        }
        host.kill();
        for tablet in &mut tablets {
            tablet.kill();
        }
        let birth = Birth {
            server: folder.path().join("server"),
            tablets: (0..DEVICES)
                .map(|number| folder.path().join(format!("tablet-{number}")))
                .collect(),
            office,
            _folder: folder,
        };
        folder::copy(host.home(), &birth.server);
        for (tablet, home) in tablets.iter().zip(&birth.tablets) {
            folder::copy(tablet.home(), home);
        }
        birth
    }
}

/// A server's folder as `init` and `adopt` make it, from keys that are the same in every process. The ledger stays open: what closes
/// it moves its pages about while the folder is copied.
fn found(root: &std::path::Path) -> (Ceremony, SqliteLedger) {
    std::fs::create_dir_all(root.join("keys")).expect("a folder can be made");
    for (name, n) in [
        ("operation", 11_u8),
        ("log", 12),
        ("time", 13),
        ("bundle", 14),
        ("vault", 15),
    ] {
        std::fs::write(root.join(format!("keys/{name}.key")), hex::encode([n; 32])).expect("a key can be written");
    }
    std::fs::write(root.join("keys/metrics.token"), "metrics").expect("a token can be written");
    let config = format!(
        "origin = \"{ORIGIN}\"\nname = \"sim\"\nlisten = \"127.0.0.1:0\"\nsubject = \"{SERVER}\"\nincarnation = \"{SERVER}\"\n\
         fonts = []\n[limits]\nrequests_per_s = 1000000000\nat_once = 1000\n"
    );
    std::fs::write(root.join("server.toml"), config).expect("a configuration can be written");
    let mut ceremony = Ceremony::new(TENANT, 10);
    ceremony.server(2, ORIGIN, [11, 12, 13, 14]);
    ceremony.admin(3, ADMIN);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let ledger = runtime.block_on(async {
        let ledger = SqliteLedger::open(&Layout::new(root).ledger()).expect("a ledger can be made");
        AdminToken::store(&ledger, TOKEN).await.expect("a token can be stored");
        // As `adopt` does it: the key log's first entries and the leaves of their heads.
        let frames = ceremony.frames().to_vec();
        let leaves = (1..=frames.len() as u64).map(|size| {
            let head = ceremony.log().head_at(size).expect("the log has so many entries");
            *fieldseal_proof::key_log::head_leaf(size, &head).as_bytes()
        });
        let append = KeyLogAppend {
            expected: 0,
            leaves: leaves.collect(),
            frames,
        };
        let commit = Commit {
            key_log: Some(append),
            ..Commit::default()
        };
        ledger.commit(commit).await.expect("the ceremony is taken in");
        ledger
    });
    (ceremony, ledger)
}

fn enrol(number: usize, host: &mut Host, folder: &std::path::Path, time: &Time) -> Tablet {
    let role = if number == 0 { "supervisor" } else { "tablet" };
    let wish = json!({ "kind": role, "label": format!("device {number}"), "ttl_s": 86_400 });
    let call = Call::post(
        "/v1/admin/invitations",
        TOKEN,
        "application/json",
        wish.to_string().into_bytes(),
    );
    let invited = host.ask(&call, None, None).expect("nobody kills the server here");
    let invited: serde_json::Value = serde_json::from_slice(&invited.body).expect("an invitation is JSON");
    let log = VerifierKey::ed25519(ORIGIN, signer(12).public().clone()).expect("the origin is a key name");
    let card = json!({
        "url": "https://sim.invalid", "tls_sha256": hex::encode([0; 32]), "tenant": TENANT.to_string(),
        "root": hex::encode(signer(10).public().as_bytes()), "log_vkey": log.to_vkey(),
        "code": invited["code"], "label": format!("device {number}"), "role": role,
    });
    let text = format!("fieldseal:enrol:1:{}", URL_SAFE_NO_PAD.encode(card.to_string()));
    let home = folder.join(format!("tablet-{number}-new"));
    let clock = Arc::new(MachineClock::right(time, 20 + number as u8));
    let random = Arc::new(SeededRandom::new(Dice::new(100 + number as u64)));
    let device = FieldDevice::create(&home, &text, Suite::Ed25519, None, ports(clock.clone(), random));
    let device = device.unwrap_or_else(|e| panic!("device {number}: {e}"));
    let mut tablet = Tablet::of_fresh(number, home, device, clock);
    talk(&mut tablet, host);
    tablet
}

/// A whole conversation on a network without faults.
pub fn talk(tablet: &mut Tablet, host: &mut Host) -> Option<Box<fieldseal_core::sync::SyncReport>> {
    let mut exchanges = 0;
    loop {
        match tablet.next() {
            Next::Send(id, call) => {
                exchanges += 1;
                assert!(
                    exchanges < ENDLESS,
                    "tablet {} talks without end: {}",
                    tablet.number,
                    call.words()
                );
                let answer = host.ask(&call, None, None).expect("nobody kills the server here");
                tablet.answer(tablet.session, id, Ok(answer));
            }
            Next::Wait(_) => {}
            Next::Over(report) => return report,
        }
    }
}
