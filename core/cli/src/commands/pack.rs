//! `fieldseal pack`: rule packs as folders and files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use fieldseal_core::catalogue::Param;
use fieldseal_core::pack::{MAX_PACK_FILES, PackFile, PackSource, RulePack};
use serde_json::json;

use crate::failure::Failure;
use crate::files;
use crate::shell::{Outcome, Shell, Tone};

#[derive(Debug, Subcommand)]
pub enum PackCommand {
    /// Checks a folder and writes its pack bytes, unsigned
    Build {
        /// Folder with pack.toml
        folder: PathBuf,
        /// New file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Shows what a folder or a pack file holds
    Show {
        /// Folder, pack bytes, or signed pack file
        pack: PathBuf,
    },
}

pub fn run(shell: &Shell, command: PackCommand) -> Result<Outcome, Failure> {
    match command {
        PackCommand::Build { folder, out } => {
            let bytes = build(&folder)?;
            let pack = parse(&bytes)?;
            files::create(&out, &bytes)?;
            let outcome = describe(shell, &pack, None);
            Ok(outcome.line(out.display().to_string()))
        }
        PackCommand::Show { pack } => {
            if pack.is_dir() {
                return Ok(describe(shell, &parse(&build(&pack)?)?, None));
            }
            let bytes = files::read(&pack)?;
            let named = |error| content(format!("{}: {error}", pack.display()));
            match PackFile::decode(&bytes) {
                Ok(file) => Ok(describe(
                    shell,
                    &RulePack::parse(file.pack()).map_err(named)?,
                    Some(true),
                )),
                Err(_) => Ok(describe(shell, &RulePack::parse(&bytes).map_err(named)?, Some(false))),
            }
        }
    }
}

/// Reads a pack's folder into pack bytes.
///
/// # Errors
/// Links, too many files, or content that a pack may not hold, by file and key.
pub fn build(folder: &Path) -> Result<Vec<u8>, Failure> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&path).map_err(|error| Failure::file(&path, &error))? {
            let entry = entry.map_err(|error| Failure::file(&path, &error))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry
                .file_type()
                .map_err(|error| Failure::file(&entry.path(), &error))?;
            let inside = format!("{prefix}{name}");
            if kind.is_dir() {
                folders.push((entry.path(), format!("{inside}/")));
            } else if kind.is_file() {
                found.insert(inside, files::read(&entry.path())?);
            } else {
                return Err(Failure::form(&entry.path(), "a link or a special file"));
            }
            if found.len() > MAX_PACK_FILES {
                return Err(Failure::form(folder, format!("more than {MAX_PACK_FILES} files")));
            }
        }
    }
    PackSource::read(found)
        .and_then(|source| source.build())
        .map_err(content)
}

fn parse(bytes: &[u8]) -> Result<RulePack, Failure> {
    RulePack::parse(bytes).map_err(content)
}

fn content(error: impl std::fmt::Display) -> Failure {
    Failure::new("pack_content", [("detail", Param::text(error.to_string()))])
}

fn describe(shell: &Shell, pack: &RulePack, signed: Option<bool>) -> Outcome {
    let head = pack.head();
    let counts = [
        ("clauses", pack.clauses().len()),
        ("items", pack.items().len()),
        ("grades", pack.grades().len()),
        ("documents", pack.documents().len()),
        ("files", pack.files().len()),
    ];
    let mut json =
        json!({ "hash": pack.hash().to_string(), "name": pack.short_name(), "id": head.id, "version": head.version });
    let mut outcome = Outcome::default()
        .line(shell.tone(Tone::Strong, &pack.short_name()))
        .line(pack.hash().to_string());
    for (name, count) in counts {
        json[name] = count.into();
        outcome = outcome.line(format!("{count:>6}  {name}"));
    }
    if let Some(signed) = signed {
        json["signed"] = signed.into();
        let words = if signed {
            ("有签名（未检验）", "signed (not checked)")
        } else {
            ("没有签名", "not signed")
        };
        outcome = outcome.line(shell.say(words.0, words.1));
    }
    outcome.json = json;
    outcome
}
