//! Small C libraries that stand before libc in a shipped program, which is itself unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fieldseal_tests::world::{World, tool};

/// A script that starts `program` with a library of `shims/` loaded before libc and these variables set.
pub fn wrapped(world: &World, program: &Path, source: &str, name: &str, variables: &[(&str, String)]) -> PathBuf {
    let folder = world.at("shims");
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join(format!("{name}.so"));
    if !library.exists() {
        let file = format!("{name}.c");
        fs::write(folder.join(&file), source).unwrap();
        let out = library.display().to_string();
        tool(
            &folder,
            "cc",
            &["-O1", "-shared", "-fPIC", "-o", &out, &file, "-ldl", "-lpthread"],
        );
    }
    let set: String = variables
        .iter()
        .map(|(key, value)| format!("{key}='{value}' "))
        .collect();
    let (library, shown) = (library.display(), program.display());
    let script = folder.join(format!("{name}-{}", program.file_name().unwrap().display()));
    fs::write(
        &script,
        format!("#!/bin/sh\n{set}LD_PRELOAD='{library}' exec '{shown}' \"$@\"\n"),
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}
