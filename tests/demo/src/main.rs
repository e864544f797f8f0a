//! `cargo demo`: prepares the machine, builds the shipped binaries and plays the main job through them.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use fieldseal_demo::prepare::{self, Purpose};
use fieldseal_demo::samples::{self, SampleSet};
use fieldseal_demo::steps::{Steps, bytes, duration};
use fieldseal_demo::story::{self, Stage, Telling};
use fieldseal_demo::{EXIT_UNAVAILABLE, EXIT_USAGE, shipped};

/// As long as anybody will leave a demo running.
const A_YEAR: Duration = Duration::from_secs(365 * 86_400);

const USAGE: &str = "\
cargo demo [-- OPTIONS]

  --once          end when the job is done (otherwise the server stays up)
  --brief         the short story: two inspections, none of the misfortunes; for a look at the console
  --data DIR      real input instead of the samples that the project makes
  --out DIR       where everything goes; a new folder below the temporary one without it
  --prepare WHAT  only make sure of what the machine needs: build, demo or tests
  --samples DIR   only write the sample input there
  --help          this text

Exit codes: 0 done, 1 failed, 64 usage, 69 something is missing on this machine.
";

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    once: bool,
    brief: bool,
    data: Option<PathBuf>,
    out: Option<PathBuf>,
    prepare: Option<Purpose>,
    samples: Option<PathBuf>,
    help: bool,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            let name = word.to_string_lossy().into_owned();
            let mut value = || words.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--once" => options.once = true,
                "--brief" => options.brief = true,
                "--data" => options.data = Some(value()?.into()),
                "--out" => options.out = Some(value()?.into()),
                "--samples" => options.samples = Some(value()?.into()),
                "--prepare" => {
                    let word = value()?;
                    let purpose = word.to_str().and_then(Purpose::parse);
                    options.prepare = Some(purpose.ok_or("--prepare takes build, demo or tests")?);
                }
                "--help" | "-h" => options.help = true,
                // `cargo demo -- --once`: the alias ends in one of its own.
                "--" => {}
                _ => return Err(format!("{name} is no option")),
            }
        }
        if let Some(data) = &options.data
            && !data.is_dir()
        {
            return Err(format!("--data {}: there is no such folder", data.display()));
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    let options = match Options::parse(env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if options.help {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    if let Some(purpose) = options.prepare {
        return prepared(purpose, |fact| println!("{fact}"));
    }
    if let Some(folder) = &options.samples {
        return match samples::write(folder, &samples::Spec::default()) {
            Ok(set) => {
                println!("{}", described(&set));
                ExitCode::SUCCESS
            }
            Err(error) => failed(&format!(
                "The samples could not be written to {}: {error}",
                folder.display()
            )),
        };
    }
    play(&options)
}

fn play(options: &Options) -> ExitCode {
    let left_out = if options.brief { story::LEFT_OUT } else { 0 };
    let mut steps = Steps::on_stdout(3 + story::STEPS - left_out + usize::from(options.data.is_some()));
    steps.begin("Make sure of what this machine needs");
    let code = prepared(Purpose::Demo, |fact| steps.say(fact));
    if code != ExitCode::SUCCESS {
        return code;
    }
    steps.begin("Build the two programs");
    let binaries = match shipped::build() {
        Ok(binaries) => binaries,
        Err(error) => return failed(&error.to_string()),
    };
    steps.say(&format!(
        "{}\n{}",
        binaries.fieldseal.display(),
        binaries.server.display()
    ));
    steps.begin("Gather the input");
    let out = match out_folder(options.out.as_deref()) {
        Ok(out) => out,
        Err(error) => return failed(&format!("The folder for the results could not be made: {error}")),
    };
    let whole = samples::Spec::default();
    let spec = match options.brief {
        true => samples::Spec {
            pixels: (640, 480),
            ..whole
        },
        false => whole,
    };
    let samples = match samples::write(&out.join("samples"), &spec) {
        Ok(set) => set,
        Err(error) => {
            return failed(&format!(
                "The samples could not be written to {}: {error}",
                out.display()
            ));
        }
    };
    steps.say(&described(&samples));
    let packs = shipped::workspace_root().join("core/packs");
    let told = Stage::new(&out, binaries).and_then(|mut stage| {
        let telling = Telling {
            brief: options.brief,
            data: options.data.as_deref(),
        };
        let ending = story::tell(&mut stage, &samples, &packs, telling, &mut steps)?;
        Ok((stage, ending))
    });
    let (stage, ending) = match told {
        Ok(told) => told,
        Err(error) => {
            return failed(&format!(
                "The story stopped: {error}\nLogs: {}",
                out.join("logs").display()
            ));
        }
    };
    println!(
        "\n{}\nIt took {}; everything is in {}.",
        ending.verdict,
        duration(steps.elapsed()),
        out.display()
    );
    stay(stage, &ending.closed, options.once)
}

/// Keeps the server up until somebody ends the demo, unless it was to be told once.
fn stay(mut stage: Stage, closed: &str, once: bool) -> ExitCode {
    if once {
        return stage
            .stop_server()
            .map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS);
    }
    let opened = story::console::leave_work(&stage, closed).and_then(|()| story::console::open(&stage));
    match opened {
        Ok(people) => println!("{}", story::what_next(&stage, &people)),
        Err(error) => return failed(&error),
    }
    let Some(server) = stage.take_server() else {
        return ExitCode::SUCCESS;
    };
    match server.finish(A_YEAR) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn prepared(purpose: Purpose, mut say: impl FnMut(&str)) -> ExitCode {
    match prepare::prepare(purpose, &mut io::stderr()) {
        Ok(installed) if installed.is_empty() => say("everything is there"),
        Ok(installed) => say(&format!("installed {}", installed.join(" "))),
        Err(missing) => {
            eprintln!("{missing}");
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    }
    ExitCode::SUCCESS
}

fn described(set: &SampleSet) -> String {
    let total: u64 = set.media.iter().map(|sample| sample.bytes).sum();
    format!(
        "{} files, {}, from a seed, in {}",
        set.media.len(),
        bytes(total),
        set.root.display()
    )
}

/// The folder for the results, as an absolute path.
fn out_folder(asked: Option<&Path>) -> io::Result<PathBuf> {
    let fresh = || env::temp_dir().join(format!("fieldseal-demo-{}", std::process::id()));
    let out = asked.map_or_else(fresh, Path::to_path_buf);
    std::fs::create_dir_all(&out)?;
    out.canonicalize()
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("{reason}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse(words.iter().map(OsString::from))
    }

    #[test]
    fn options_are_read() {
        let options = parse(&["--once", "--out", "x"]).unwrap();
        assert!(options.once && options.out == Some("x".into()));
        assert_eq!(parse(&["--", "--once", "--out", "x"]).unwrap(), options);
        assert!(parse(&["--brief"]).unwrap().brief);
        assert_eq!(parse(&["--prepare", "tests"]).unwrap().prepare, Some(Purpose::Tests));
        assert_eq!(parse(&[]).unwrap(), Options::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(parse(&["--out"]).unwrap_err(), "--out needs a value");
        assert_eq!(parse(&["--twice"]).unwrap_err(), "--twice is no option");
        assert!(
            parse(&["--data", "/no/such/folder"])
                .unwrap_err()
                .contains("no such folder")
        );
    }
}
