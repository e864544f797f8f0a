//! Who may depend on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use fieldseal_tests::workspace_root;
use serde_json::Value;

use crate::no_faults;

/// The workspace packages that each may use in what is shipped (tests may use `fieldseal-testkit` besides).
const ALLOWED: &[(&str, &[&str])] = &[
    ("fieldseal-proof", &[]),
    ("fieldseal-core", &["fieldseal-proof"]),
    ("fieldseal-render", &["fieldseal-core", "fieldseal-proof"]),
    ("fieldseal-transport", &["fieldseal-core", "fieldseal-proof"]),
    (
        "fieldseal-cli",
        &[
            "fieldseal-core",
            "fieldseal-proof",
            "fieldseal-render",
            "fieldseal-transport",
        ],
    ),
    (
        "fieldseal-ffi",
        &[
            "fieldseal-core",
            "fieldseal-proof",
            "fieldseal-render",
            "fieldseal-transport",
        ],
    ),
    (
        "fieldseal-sync-server",
        &["fieldseal-core", "fieldseal-proof", "fieldseal-render"],
    ),
    ("fieldseal-testkit", &["fieldseal-core", "fieldseal-proof"]),
    ("fieldseal-demo", &[]),
    ("fieldseal-bindgen", &[]),
];

/// The top: it may use everything, and nothing may use it, nor these other ends of the arrows.
const ENDS: &[&str] = &["fieldseal-tests", "fieldseal-cli", "fieldseal-ffi"];

/// What core must not pull in, however far down.
const NOT_BELOW_CORE: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "clap",
    "typst",
    "typst-pdf",
    "rustls",
    "native-tls",
    "openssl",
    "uniffi",
];

/// What proof must not pull in besides.
const NOT_BELOW_PROOF: &[&str] = &["rusqlite", "libsqlite3-sys", "jiff", "uuid", "serde_json", "zip"];

struct Workspace {
    /// Package id to name.
    names: BTreeMap<String, String>,
    members: BTreeSet<String>,
    /// Package id to (package id, kinds): what it uses.
    uses: BTreeMap<String, Vec<(String, Vec<Kind>)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Build,
    Dev,
}

impl Workspace {
    fn read() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(workspace_root())
            .args(["metadata", "--format-version", "1", "--locked"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "cargo metadata failed. Is Cargo.lock up to date and committed?\n{said}"
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let list = |value: &Value| value.as_array().unwrap().clone();
        let names = list(&metadata["packages"])
            .into_iter()
            .map(|package| (text(&package["id"]), text(&package["name"])));
        let members = list(&metadata["workspace_members"]).iter().map(text).collect();
        let uses = list(&metadata["resolve"]["nodes"]).into_iter().map(|node| {
            let deps = list(&node["deps"])
                .into_iter()
                .map(|dep| (text(&dep["pkg"]), kinds(&dep["dep_kinds"])))
                .collect();
            (text(&node["id"]), deps)
        });
        Self {
            names: names.collect(),
            members,
            uses: uses.collect(),
        }
    }

    fn id(&self, name: &str) -> Option<&String> {
        self.members.iter().find(|id| self.names[*id] == name)
    }

    /// The workspace packages that `id` uses directly.
    fn direct(&self, id: &str, wanted: impl Fn(Kind) -> bool) -> BTreeSet<&str> {
        let inside = self.uses[id].iter().filter(|(to, _)| self.members.contains(to));
        inside
            .filter(|(_, kinds)| kinds.iter().any(|kind| wanted(*kind)))
            .map(|(to, _)| &*self.names[to])
            .collect()
    }

    /// The names of everything below `id` that is shipped with it, however far down.
    fn below(&self, id: &str) -> BTreeSet<&str> {
        let (mut found, mut next) = (BTreeSet::new(), vec![id.to_owned()]);
        while let Some(id) = next.pop() {
            for (to, kinds) in &self.uses[&id] {
                if kinds.contains(&Kind::Normal) && found.insert(&*self.names[to]) {
                    next.push(to.clone());
                }
            }
        }
        found
    }
}

fn kinds(value: &Value) -> Vec<Kind> {
    let kind = |entry: &Value| match entry["kind"].as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    value.as_array().unwrap().iter().map(kind).collect()
}

#[test]
fn packages_depend_only_downwards() {
    let workspace = Workspace::read();
    let mut faults = Vec::new();
    for id in &workspace.members {
        let name = &*workspace.names[id];
        if name == "fieldseal-tests" {
            continue;
        }
        let Some((_, allowed)) = ALLOWED.iter().find(|(package, _)| *package == name) else {
            faults.push(format!("{name} is a new package: say in ALLOWED what it may use"));
            continue;
        };
        for used in workspace.direct(id, |kind| kind != Kind::Dev) {
            if !allowed.contains(&used) {
                faults.push(format!("{name} uses {used}"));
            }
        }
        for used in workspace.direct(id, |kind| kind == Kind::Dev) {
            if ENDS.contains(&used) && !allowed.contains(&used) {
                faults.push(format!("the tests of {name} use {used}"));
            }
        }
    }
    no_faults(
        &faults,
        "proof <- core <- {render, transport} <- {cli, ffi}; core, proof, render <- sync-server.\n\
         Move what is shared down, or pass it in from above as a value or a trait.",
    );
}

/// Rooms of the layout are neither missing nor new by accident. The design's `core/timestamp` is not built:
/// core/docs/adr/0005-no-room-for-time-stamps-yet.md.
#[test]
fn the_packages_are_exactly_these() {
    let workspace = Workspace::read();
    let there: BTreeSet<&str> = workspace.members.iter().map(|id| &*workspace.names[id]).collect();
    let named: BTreeSet<&str> = ALLOWED
        .iter()
        .map(|(name, _)| *name)
        .chain(["fieldseal-tests"])
        .collect();
    let faults: Vec<String> = there
        .symmetric_difference(&named)
        .map(|name| (*name).to_owned())
        .collect();
    no_faults(
        &faults,
        "A package is there and not in ALLOWED, or the other way round. ARCHITECTURE.md and an ADR tell of rooms that come or go.",
    );
}

#[test]
fn nothing_depends_on_the_ends() {
    let workspace = Workspace::read();
    let mut faults = Vec::new();
    for id in &workspace.members {
        for end in workspace
            .direct(id, |_| true)
            .intersection(&ENDS.iter().copied().collect())
        {
            if workspace.names[id] != "fieldseal-tests" {
                faults.push(format!("{} uses {end}", workspace.names[id]));
            }
        }
    }
    no_faults(
        &faults,
        "cli, ffi and tests are where the arrows end: move what is wanted into core or render.",
    );
}

#[test]
fn core_is_free_of_io_frameworks() {
    let workspace = Workspace::read();
    let core = workspace.id("fieldseal-core").unwrap();
    let below = workspace.below(core);
    assert!(below.len() > 10, "cargo metadata gave no tree: {below:?}");
    let faults: Vec<String> = NOT_BELOW_CORE
        .iter()
        .filter(|name| below.contains(*name))
        .map(|name| format!("{name} is below core"))
        .collect();
    no_faults(
        &faults,
        "Core runs on a tablet and inside the server: no network, no async, no command line, no typesetting. `cargo tree \
         -p fieldseal-core -i NAME` shows the way in; turn the feature off, or move the use into transport, render or cli.",
    );
}

#[test]
fn proof_stands_on_hashes_and_signatures_alone() {
    let workspace = Workspace::read();
    let below = workspace.below(workspace.id("fieldseal-proof").unwrap());
    let faults: Vec<String> = NOT_BELOW_CORE
        .iter()
        .chain(NOT_BELOW_PROOF)
        .filter(|name| below.contains(*name))
        .map(|name| format!("{name} is below proof"))
        .collect();
    no_faults(
        &faults,
        "A court's expert reads proof whole. Parse in core and hand proof checked values.",
    );
}
