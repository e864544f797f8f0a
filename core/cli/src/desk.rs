//! A device that was opened for a command: clock, officers at work, remarks of its start.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fieldseal_core::catalogue::{Message, Param};
use fieldseal_core::clock::{Clock, DeviceTime, SystemClock};
use fieldseal_core::device::{FieldDevice, Ports, StartReport, Unlocked};
use fieldseal_core::random::{OsRandom, uuid};
use fieldseal_core::vault::FileSystem;
use fieldseal_proof::ids::BootId;
use fieldseal_render::Renderer;

use crate::failure::Failure;
use crate::shell::Shell;

/// How long a command waits for another one on the same device.
const WAIT_MS: u64 = 15_000;

/// A clock that `--clock`, or a line of a batch, sets by hand; else the system's.
pub struct DeskClock {
    system: SystemClock,
    boot: BootId,
    set: Mutex<Option<(u64, Instant)>>,
    start: Instant,
}

impl DeskClock {
    fn new() -> Result<Self, Failure> {
        let failed = |error: fieldseal_core::random::RandomError| {
            Failure::new(
                "missing_tool",
                [("what", Param::text(error.to_string())), ("command", Param::text(""))],
            )
        };
        let boot = BootId::from_bytes(uuid(&OsRandom).map_err(failed)?);
        let system = SystemClock::new(&OsRandom).map_err(failed)?;
        Ok(Self {
            system,
            boot,
            set: Mutex::new(None),
            start: Instant::now(),
        })
    }

    /// Sets it by hand; it runs on from there.
    pub fn set(&self, text: &str) -> Result<(), Failure> {
        let time: jiff::Timestamp = text.parse().map_err(|error: jiff::Error| {
            Failure::usage(
                "usage.time",
                [("text", Param::text(text)), ("detail", Param::text(error.to_string()))],
            )
        })?;
        let wall_ms = u64::try_from(time.as_millisecond()).map_err(|_| Failure::usage("usage.time_range", []))?;
        *self.held() = Some((wall_ms, Instant::now()));
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for DeskClock {
    fn now(&self) -> DeviceTime {
        match *self.held() {
            None => self.system.now(),
            Some((wall_ms, since)) => DeviceTime {
                wall_ms: wall_ms + millis(since),
                boot: self.boot,
                monotonic_ms: millis(self.start),
            },
        }
    }

    fn set_by_hand(&self) -> bool {
        self.held().is_some()
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The ports that a device of this machine gets.
pub fn ports(shell: &Shell) -> Result<(Ports, Arc<DeskClock>), Failure> {
    let clock = Arc::new(DeskClock::new()?);
    if let Some(text) = &shell.clock {
        clock.set(text)?;
    }
    let ports = Ports {
        clock: clock.clone(),
        random: Arc::new(OsRandom),
        space: Arc::new(FileSystem),
        wait_ms: WAIT_MS,
        platform: None,
    };
    Ok((ports, clock))
}

/// An open device.
pub struct Desk<'a> {
    pub shell: &'a Shell,
    pub device: Arc<FieldDevice>,
    renderer: Mutex<Option<Arc<Renderer>>>,
    pub clock: Arc<DeskClock>,
    pins: BTreeMap<String, String>,
    people: Mutex<People>,
}

#[derive(Default)]
struct People {
    open: BTreeMap<String, Unlocked>,
    at_work: Option<String>,
}

impl<'a> Desk<'a> {
    /// Opens the device of a folder and says what its start had to repair.
    pub fn open(shell: &'a Shell, folder: &Path) -> Result<Self, Failure> {
        let (ports, clock) = ports(shell)?;
        let (device, report) = FieldDevice::open(folder, ports)?;
        for line in remarks(shell, &report) {
            shell.remark(&line);
        }
        Ok(Self {
            shell,
            device: Arc::new(device),
            renderer: Mutex::default(),
            clock,
            pins: BTreeMap::new(),
            people: Mutex::default(),
        })
    }

    /// PINs by certificate number, for a batch in which several officers are at work.
    pub fn with_pins(mut self, pins: BTreeMap<String, String>) -> Self {
        self.pins = pins;
        self
    }

    /// The typesetter with its fonts, which take a moment to read, so a batch reads them once.
    pub fn renderer(&self, make: impl FnOnce() -> Result<Renderer, Failure>) -> Result<Arc<Renderer>, Failure> {
        let mut held = self.renderer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(renderer) = &*held {
            return Ok(Arc::clone(renderer));
        }
        let renderer = Arc::new(make()?);
        *held = Some(Arc::clone(&renderer));
        Ok(renderer)
    }

    /// Makes an officer the one at work; asks for the PIN only once per officer.
    pub fn at_work(&self, certificate: &str) -> Result<Unlocked, Failure> {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if people.at_work.as_deref() == Some(certificate)
            && let Some(open) = people.open.get(certificate)
        {
            return Ok(open.clone());
        }
        let unlocked = match self.pins.get(certificate) {
            Some(pin) => self.device.unlock(certificate, pin)?,
            None => self.device.unlock(certificate, &self.shell.pin()?)?,
        };
        people.open.insert(certificate.to_owned(), unlocked.clone());
        people.at_work = Some(certificate.to_owned());
        Ok(unlocked)
    }

    /// An officer's open key, without making the officer the one at work where it is open already.
    pub fn key_of(&self, certificate: &str) -> Result<Unlocked, Failure> {
        let open = self
            .people
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .open
            .get(certificate)
            .cloned();
        match open {
            Some(open) => Ok(open),
            None => self.at_work(certificate),
        }
    }
}

/// What a start had to say, as sentences of the catalogue.
fn remarks(shell: &Shell, report: &StartReport) -> Vec<String> {
    let say = |code, params: Vec<(&'static str, Param)>| Message::new(code, params).text(shell.lang);
    let mut lines = Vec::new();
    if let Some(salvage) = &report.salvage {
        lines.push(say("db_damaged", Vec::new()));
        let params = vec![
            ("count", Param::Count(salvage.operations)),
            ("drafts", Param::Count(salvage.drafts)),
            ("path", Param::text(salvage.aside.display().to_string())),
        ];
        lines.push(say("db_recovered", params));
    }
    if report.new_incarnation {
        lines.push(say("new_life", Vec::new()));
    }
    if let Some(swept) = &report.swept
        && !swept.adopted.is_empty()
    {
        lines.push(say(
            "recovered_orphans",
            vec![("count", Param::Count(swept.adopted.len() as u64))],
        ));
    }
    lines
}
