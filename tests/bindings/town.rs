//! Everybody else in the script: administrator, supervisor, another tablet, the network.

use std::fs;
use std::path::PathBuf;

use fieldseal_demo::process::Running;
use fieldseal_demo::proxy::Mode;
use fieldseal_demo::samples::Kind;
use fieldseal_demo::story::cast::{SUPERVISOR, TABLETS};
use fieldseal_demo::story::{ceremony, office};
use fieldseal_tests::DEADLINE;
use fieldseal_tests::world::{A, B, World, acknowledged};
use serde_json::{Value, json};

/// Statements that the other process writes while the script writes too.
const OTHERS_LINES: usize = 30;

/// What a script is answered.
pub enum Answer {
    /// A line of JSON.
    Says(Value),
    /// It is killed.
    Kill,
}

/// A county with a server, its people, and two tablets of the command line.
pub struct Town {
    world: World,
    /// The other process on a folder that the script has open.
    other: Option<Running>,
}

impl Town {
    /// Founds it.
    pub fn new() -> Self {
        Self {
            world: World::new("bindings", 4),
            other: None,
        }
    }

    /// A folder of a script's own.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.world.at(format!("script-{name}"));
        fs::create_dir_all(&folder).expect("the folder can be made");
        folder
    }

    /// Does what the script of number `n` asks for.
    pub fn act(&mut self, n: usize, name: &str, asked: &Value) -> Result<Answer, String> {
        let text = |key: &str| {
            let value = asked[key].as_str();
            value.map(str::to_owned).ok_or_else(|| format!("{asked} has no {key}"))
        };
        let stage = &self.world.stage;
        let answer = match asked["ask"].as_str().unwrap_or_default() {
            "kill" => return Ok(Answer::Kill),
            "invite" => {
                let words = ["invite", "--label", &text("label")?, "--role", "tablet"];
                ceremony::admin(stage, "admin-invite", "card-for-tablets.json", &words)?
            }
            "approve" => ceremony::admin(stage, "admin-approve", "card.json", &["approve", "--all"])?,
            "assign" => self.assign(n, &text("device")?, &list(&asked["certificates"]))?,
            "rival" => self.rival(&text("inspection")?, &text("item")?, &text("result")?)?,
            "network" => {
                stage.proxy.set(match text("mode")?.as_str() {
                    "down" => Mode::Down,
                    "stall" => Mode::Stall,
                    _ => Mode::Pass,
                });
                json!({})
            }
            "photo" => {
                let photo = self
                    .world
                    .samples
                    .of(Kind::Photo)
                    .next()
                    .ok_or("there is no photograph")?;
                json!({ "path": photo.path })
            }
            "other_process" => self.begin_other()?,
            "other_process_done" => self.end_other()?,
            "health" => self.health(&text("device")?)?,
            "hand_in" => {
                self.world.drain_laptop();
                self.world.supervisor(&["hand-in", &text("file")?]).ok()
            }
            "bundle" => self.bundle(name, &text("inspection")?)?,
            other => return Err(format!("{other:?} is nothing that anybody here can do")),
        };
        Ok(Answer::Says(answer))
    }

    /// The supervisor assigns an inspection to the script's tablet and to [`A`], with everybody's officers.
    fn assign(&self, n: usize, device: &str, certificates: &[String]) -> Result<Value, String> {
        let world = &self.world;
        world.drain_laptop();
        let known = office::supervisor(&world.stage, "enterprises", &[])?;
        let enterprise = known["items"][n]["id"]
            .as_str()
            .ok_or("there is no such enterprise")?
            .to_owned();
        let tablets = office::tablet_ids(&world.stage)?;
        let mut words = vec![
            "--enterprise",
            &enterprise,
            "--planned",
            "2026-11-24",
            "--place",
            "生产车间和仓库",
        ];
        words.extend(["--device", device, &tablets[A], "--officers"]);
        words.extend(certificates.iter().map(String::as_str));
        words.extend(TABLETS[A].officers.iter().map(|officer| officer.certificate));
        let assigned = office::supervisor(&world.stage, "assign", &words)?;
        world.drain_laptop();
        world.drain(A);
        Ok(json!({ "inspection": assigned["id"], "enterprise": enterprise }))
    }

    /// What a device last told the server about itself.
    fn health(&self, device: &str) -> Result<Value, String> {
        let told = ceremony::admin(&self.world.stage, "admin-devices", "card.json", &["devices"])?;
        let items = told["items"].as_array().into_iter().flatten();
        let one = items.into_iter().find(|one| one["device"] == device);
        Ok(one.ok_or("the server knows no such device")?["health"].clone())
    }

    /// Another tablet answers the same item without having seen the script's answer.
    fn rival(&self, inspection: &str, item: &str, result: &str) -> Result<Value, String> {
        let world = &self.world;
        let said = world.officer(A, &["check", inspection, item, result]).ok();
        world.drain(A);
        Ok(json!({ "operation": said["operation"] }))
    }

    /// Another process begins to write into the folder of tablet [`B`].
    fn begin_other(&mut self) -> Result<Value, String> {
        let inspection = self.world.inspections[0].clone();
        let line = |n| json!({ "command": "statement", "inspection": inspection, "person": "钱守业", "line": [format!("另一进程第 {n} 句")] });
        let lines: Vec<Value> = (0..OTHERS_LINES).map(line).collect();
        self.other = Some(self.world.start_batch(B, &lines));
        let officer = TABLETS[B].officers[1];
        Ok(json!({
            "folder": self.world.tablet(B), "inspection": inspection,
            "certificate": officer.certificate, "pin": officer.pin,
        }))
    }

    /// The other process has come to its end; what it acknowledged is there, and the chain is whole.
    fn end_other(&mut self) -> Result<Value, String> {
        let other = self.other.take().ok_or("no other process was begun")?;
        let finished = other.finish(DEADLINE).map_err(|error| error.to_string())?;
        let acknowledged = acknowledged(&finished.text()).len();
        if acknowledged != OTHERS_LINES {
            return Err(format!(
                "the other process acknowledged {acknowledged}: {}",
                finished.text()
            ));
        }
        self.world.device_clean(B);
        Ok(json!({ "acknowledged": acknowledged }))
    }

    /// The hearing's bundle of an inspection's case, and the trust folder from elsewhere.
    fn bundle(&self, name: &str, inspection: &str) -> Result<Value, String> {
        let world = &self.world;
        world.drain_laptop();
        let case = office::case_of(&world.stage, inspection)?;
        let out = world.at(format!("bundle-{name}"));
        let _ = fs::remove_dir_all(&out);
        let dir = world.arg("supervisor");
        let target = out.display().to_string();
        let words = [
            "supervisor",
            "export",
            &case,
            "--out",
            &target,
            "--dir",
            &dir,
            "--officer",
            SUPERVISOR.certificate,
        ];
        world.fieldseal(SUPERVISOR.pin, &words).ok();
        Ok(json!({ "bundle": out, "trust": world.at("trust") }))
    }
}

fn list(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}
