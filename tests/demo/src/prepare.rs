//! What a bare Debian with Rust lacks, and how it gets there.
//!
//! Each need is probed for what it gives (a header, a font file, a command), not for a package name, so a machine
//! that has it from elsewhere is left alone. What is missing is installed with apt-get where this process may do so,
//! otherwise the one command to run is printed.

use std::env;
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the needs are for; each purpose includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Compiling the workspace.
    Build,
    /// Running `cargo demo`.
    Demo,
    /// Running `tests/run`, with the judges that we did not write.
    Tests,
}

impl Purpose {
    /// Reads `build`, `demo` or `tests`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "build" => Some(Self::Build),
            "demo" => Some(Self::Demo),
            "tests" => Some(Self::Tests),
            _ => None,
        }
    }
}

/// One thing the machine must offer.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// What it is, in words.
    pub what: &'static str,
    /// What it is needed for, in words.
    pub why: &'static str,
    /// The first purpose that needs it.
    pub purpose: Purpose,
    /// The Debian packages that bring it.
    pub packages: &'static [&'static str],
    probe: Probe,
}

#[derive(Clone, Copy, Debug)]
enum Probe {
    /// A command on PATH.
    Command(&'static str),
    /// A command that must end with success.
    Succeeds(&'static [&'static str]),
    /// The C compiler finds this header.
    Header(&'static str),
    /// One of these files exists.
    AnyFile(&'static [&'static str]),
    /// A font file whose name starts so lies under one of the font folders.
    Font(&'static [&'static str]),
}

/// Everything, in the order in which it is probed.
pub const NEEDS: &[Need] = &[
    Need {
        what: "a C compiler",
        why: "links every Rust program, compiles SQLCipher",
        purpose: Purpose::Build,
        packages: &["gcc", "libc6-dev"],
        probe: Probe::Header("stdlib.h"),
    },
    Need {
        what: "OpenSSL's headers",
        why: "libcrypto below SQLCipher",
        purpose: Purpose::Build,
        packages: &["libssl-dev"],
        probe: Probe::Header("openssl/evp.h"),
    },
    Need {
        what: "pkg-config",
        why: "finds libcrypto",
        purpose: Purpose::Build,
        packages: &["pkg-config"],
        probe: Probe::Command("pkg-config"),
    },
    Need {
        what: "a Chinese font (Noto CJK)",
        why: "documents are set in it",
        purpose: Purpose::Demo,
        packages: &["fonts-noto-cjk"],
        probe: Probe::Font(&[
            "NotoSerifCJK",
            "NotoSansCJK",
            "NotoSerifSC",
            "NotoSansSC",
            "SourceHanSerif",
        ]),
    },
    Need {
        what: "openssl",
        why: "certificates; a stranger's check of a tablet's head",
        purpose: Purpose::Demo,
        packages: &["openssl"],
        probe: Probe::Command("openssl"),
    },
    Need {
        what: "ssh-keygen",
        why: "a stranger's check of the bundle's signature",
        purpose: Purpose::Demo,
        packages: &["openssh-client"],
        probe: Probe::Command("ssh-keygen"),
    },
    Need {
        what: "git",
        why: "tests look at the tree that is committed",
        purpose: Purpose::Tests,
        packages: &["git"],
        probe: Probe::Command("git"),
    },
    Need {
        what: "Go",
        why: "the judge of the log",
        purpose: Purpose::Tests,
        packages: &["golang-go"],
        probe: Probe::Command("go"),
    },
    Need {
        what: "Go's x/mod (sumdb/note, sumdb/tlog)",
        why: "the judge of the log",
        purpose: Purpose::Tests,
        packages: &["golang-golang-x-mod-dev"],
        probe: Probe::AnyFile(&["/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog/tlog.go"]),
    },
    Need {
        what: "Python 3 with venv",
        why: "the second verifier; bagit and tuspy as judges",
        purpose: Purpose::Tests,
        packages: &["python3", "python3-venv"],
        probe: Probe::Succeeds(&["python3", "-c", "import venv, ensurepip"]),
    },
    Need {
        what: "Java 17 or newer",
        why: "the bindings' script in Kotlin",
        purpose: Purpose::Tests,
        packages: &["openjdk-17-jdk"],
        probe: Probe::Command("java"),
    },
    Need {
        what: "JNA",
        why: "the bindings on the JVM",
        purpose: Purpose::Tests,
        packages: &["libjna-java"],
        probe: Probe::AnyFile(&["/usr/share/java/jna.jar"]),
    },
    Need {
        what: "npm",
        why: "brings the Kotlin compiler",
        purpose: Purpose::Tests,
        packages: &["npm"],
        probe: Probe::Command("npm"),
    },
    Need {
        what: "Xvfb",
        why: "a screen for the sample app",
        purpose: Purpose::Tests,
        packages: &["xvfb"],
        probe: Probe::Command("Xvfb"),
    },
    Need {
        what: "pdftotext",
        why: "tests read the documents",
        purpose: Purpose::Tests,
        packages: &["poppler-utils"],
        probe: Probe::Command("pdftotext"),
    },
    Need {
        what: "strace",
        why: "tests see that a write is flushed before it is acknowledged",
        purpose: Purpose::Tests,
        packages: &["strace"],
        probe: Probe::Command("strace"),
    },
    Need {
        what: "Chromium",
        why: "the console is driven in a real browser",
        purpose: Purpose::Tests,
        packages: &["chromium"],
        probe: Probe::Command("chromium"),
    },
    Need {
        what: "Node.js",
        why: "drives the browser",
        purpose: Purpose::Tests,
        packages: &["nodejs"],
        probe: Probe::Command("node"),
    },
    Need {
        what: "npm",
        why: "brings playwright-core and axe-core, for the tests only",
        purpose: Purpose::Tests,
        packages: &["npm"],
        probe: Probe::Command("npm"),
    },
    Need {
        what: "curl",
        why: "tests speak to the server as a stranger would",
        purpose: Purpose::Tests,
        packages: &["curl", "ca-certificates"],
        probe: Probe::Command("curl"),
    },
];

/// What [`prepare`] could not get.
#[derive(Debug)]
pub struct Missing {
    /// What is not there.
    pub needs: Vec<Need>,
    /// The one command that brings it, where we know one.
    pub command: Option<String>,
    /// Why we did not run it ourselves.
    pub reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "This machine lacks:")?;
        for need in &self.needs {
            writeln!(f, "  - {} ({})", need.what, need.why)?;
        }
        match &self.command {
            Some(command) => {
                writeln!(f, "{} Nothing was changed. Run this, then start again:", self.reason)?;
                write!(f, "\n    {command}\n")
            }
            None => {
                let packages: Vec<&str> = packages_of(&self.needs);
                write!(
                    f,
                    "{} Install the above with your system's tools, then start again. On Debian the packages are called: {}",
                    self.reason,
                    packages.join(" ")
                )
            }
        }
    }
}

/// The needs of `purpose` that this machine does not meet.
pub fn missing(purpose: Purpose) -> Vec<Need> {
    NEEDS
        .iter()
        .filter(|need| need.purpose <= purpose && !need.probe.met())
        .copied()
        .collect()
}

/// Makes sure of everything that `purpose` needs. Returns what was installed, by name.
pub fn prepare(purpose: Purpose, out: &mut dyn Write) -> Result<Vec<&'static str>, Missing> {
    let needs = missing(purpose);
    if needs.is_empty() {
        return Ok(Vec::new());
    }
    if !on_path("apt-get") {
        let reason = "This is no Debian (no apt-get).".to_owned();
        return Err(Missing {
            needs,
            command: None,
            reason,
        });
    }
    let packages = packages_of(&needs);
    let Some(prefix) = privilege() else {
        let reason = "They can only be installed by root, and sudo would ask for a password.".to_owned();
        return Err(Missing {
            command: Some(one_command(&packages)),
            needs,
            reason,
        });
    };
    // Output is progress, and a closed terminal is no reason not to install.
    let _ = writeln!(out, "Installing with apt-get: {}", packages.join(" "));
    let update = apt(prefix, &["update", "-qq"]);
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&packages);
    let install = apt(prefix, &arguments);
    let left = missing(purpose);
    if left.is_empty() {
        return Ok(packages);
    }
    let reason = format!(
        "apt-get did not bring them (update: {}, install: {}).",
        told(&update),
        told(&install)
    );
    Err(Missing {
        command: Some(one_command(&packages_of(&left))),
        needs: left,
        reason,
    })
}

/// The command for a person to run.
fn one_command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!(
        "{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

fn packages_of(needs: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<&'static str> = Vec::new();
    for package in needs.iter().flat_map(|need| need.packages) {
        if !packages.contains(package) {
            packages.push(package);
        }
    }
    packages
}

fn apt(prefix: &[&str], arguments: &[&str]) -> io::Result<bool> {
    let mut words = prefix.to_vec();
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    words.extend(arguments);
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    Ok(status.success())
}

fn told(result: &io::Result<bool>) -> String {
    match result {
        Ok(true) => "done".to_owned(),
        Ok(false) => "failed, see above".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// How we may become root: not at all needed, by sudo without a password, or not.
fn privilege() -> Option<&'static [&'static str]> {
    if is_root() {
        return Some(&[]);
    }
    succeeds(&["sudo", "-n", "true"]).then_some(&["sudo", "-n"])
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").stderr(Stdio::null()).output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn on_path(command: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(command).is_file())
}

fn succeeds(words: &[&str]) -> bool {
    let status = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Whether the C preprocessor finds `header`.
fn has_header(header: &str) -> bool {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let child = Command::new(compiler)
        .args(["-E", "-x", "c", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return false };
    if let Some(mut stdin) = child.stdin.take() {
        // A compiler that stopped reading says so by its exit code.
        let _ = writeln!(stdin, "#include <{header}>");
    }
    child.wait().is_ok_and(|status| status.success())
}

/// The folders in which fonts are looked for; `FIELDSEAL_FONTS` names one more.
pub fn font_folders() -> Vec<PathBuf> {
    let mut folders = vec![
        PathBuf::from("/usr/share/fonts"),
        PathBuf::from("/usr/local/share/fonts"),
    ];
    folders.extend(env::var_os("HOME").map(|home| Path::new(&home).join(".local/share/fonts")));
    folders.extend(env::var_os("FIELDSEAL_FONTS").map(PathBuf::from));
    folders
}

/// A font file under `folder` whose name starts with one of `names`, not deeper than four folders.
fn find_font(folder: &Path, names: &[&str], depth: u8) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    for path in entries.filter_map(|entry| entry.ok().map(|entry| entry.path())) {
        if path.is_dir() {
            if depth > 0
                && let Some(found) = find_font(&path, names, depth - 1)
            {
                return Some(found);
            }
        } else if let Some(file) = path.file_name().and_then(|file| file.to_str())
            && names.iter().any(|name| file.starts_with(name))
        {
            return Some(path);
        }
    }
    None
}

impl Probe {
    fn met(self) -> bool {
        match self {
            Self::Command(command) => on_path(command),
            Self::Succeeds(words) => succeeds(words),
            Self::Header(header) => has_header(header),
            Self::AnyFile(files) => files.iter().any(|file| Path::new(file).is_file()),
            Self::Font(names) => font_folders()
                .iter()
                .any(|folder| find_font(folder, names, 4).is_some()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_not_there_is_missed() {
        assert!(Probe::Header("stdlib.h").met(), "the tests were linked by a C compiler");
        assert!(!Probe::Header("no/such/header-of-fieldseal.h").met());
    }

    #[test]
    fn a_command_that_is_not_there_is_missed() {
        assert!(Probe::Command("sh").met());
        assert!(!Probe::Command("no-such-command-of-fieldseal").met());
        assert!(!Probe::Succeeds(&["false"]).met());
        assert!(!Probe::Succeeds(&["no-such-command-of-fieldseal"]).met());
    }

    #[test]
    fn a_font_is_found_by_the_start_of_its_name() {
        let folder = env::temp_dir().join(format!("fieldseal-fonts-{}", std::process::id()));
        let deep = folder.join("opentype/noto");
        std::fs::create_dir_all(&deep).unwrap();
        assert_eq!(find_font(&folder, &["NotoSerifCJK"], 4), None);
        let font = deep.join("NotoSerifCJK-Regular.ttc");
        std::fs::write(&font, b"").unwrap();
        assert_eq!(find_font(&folder, &["NotoSerifCJK"], 4), Some(font));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn packages_are_named_once_and_the_command_is_one_line() {
        let packages = packages_of(&[NEEDS[0], NEEDS[1], NEEDS[0]]);
        assert_eq!(packages, ["gcc", "libc6-dev", "libssl-dev"]);
        let command = one_command(&packages);
        assert!(command.ends_with("gcc libc6-dev libssl-dev"), "{command}");
        assert!(!command.contains('\n'));
    }

    #[test]
    fn what_is_missing_is_told_with_its_reason_and_the_command() {
        let needs = vec![NEEDS[1]];
        let text = Missing {
            needs,
            command: Some("apt-get x".into()),
            reason: "Only root may.".into(),
        }
        .to_string();
        assert!(text.contains("OpenSSL's headers (libcrypto below SQLCipher)"), "{text}");
        assert!(text.contains("\n    apt-get x\n"), "{text}");
        let text = Missing {
            needs: vec![NEEDS[1]],
            command: None,
            reason: "No Debian.".into(),
        }
        .to_string();
        assert!(text.contains("libssl-dev"), "{text}");
    }

    #[test]
    fn each_purpose_includes_those_before_it() {
        assert!(Purpose::Build < Purpose::Demo && Purpose::Demo < Purpose::Tests);
        assert_eq!(Purpose::parse("tests"), Some(Purpose::Tests));
        assert_eq!(Purpose::parse("all"), None);
    }
}
