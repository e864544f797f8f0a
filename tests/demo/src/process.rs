//! Child processes with log files, deadlines and SIGKILL.
//!
//! Everything a child says goes to two files, `NAME.out` and `NAME.err`, while it says it, so that after a failure
//! (or a kill) there is something to read. Nothing here waits by sleeping: a wait ends with the line, with the exit or
//! at its deadline.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a wait looks whether the child has ended; output wakes it at once.
const LOOK: Duration = Duration::from_millis(20);
/// How long the rest of the output of an ended child may take (a grandchild can hold the pipe open).
const REST: Duration = Duration::from_millis(500);

/// A child that ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub took: Duration,
}

impl Finished {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The exit code; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// What went wrong with a child, with the end of what it said.
#[derive(Debug)]
pub enum ProcessError {
    /// It could not be started, or its logs could not be written.
    Start { name: String, error: io::Error },
    /// It was still running at the deadline and was killed.
    Deadline {
        name: String,
        after: Duration,
        waited_for: String,
        tail: String,
    },
    /// It ended while something else was expected of it.
    Ended {
        name: String,
        status: Option<ExitStatus>,
        waited_for: String,
        tail: String,
    },
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { name, error } => write!(f, "{name} could not be started: {error}"),
            Self::Deadline {
                name,
                after,
                waited_for,
                tail,
            } => {
                write!(
                    f,
                    "{name}: no {waited_for} within {:.1} s; it was killed. Its last words:\n{tail}",
                    after.as_secs_f64()
                )
            }
            Self::Ended {
                name,
                status,
                waited_for,
                tail,
            } => {
                let status = status.map_or("an unknown status".to_owned(), |status| status.to_string());
                write!(
                    f,
                    "{name} ended with {status} before {waited_for}. Its last words:\n{tail}"
                )
            }
        }
    }
}

impl std::error::Error for ProcessError {}

/// Runs `command` to its end, at most until `deadline` from now; its output is kept and logged in `logs`.
///
/// An exit code other than 0 is no error here: the caller judges it.
pub fn run(command: &mut Command, name: &str, logs: &Path, deadline: Duration) -> Result<Finished, ProcessError> {
    Running::start(command, name, logs)?.finish(deadline)
}

/// A child that is running. Dropped, it is killed.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    started: Instant,
    stdout: Stream,
    stderr: Stream,
    logs: (PathBuf, PathBuf),
}

#[derive(Debug)]
struct Stream {
    shared: Arc<Heard>,
    reader: Option<JoinHandle<()>>,
}

/// What a stream has said so far.
#[derive(Debug, Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Running {
    /// Starts `command` with no standard input; `logs/NAME.out` and `logs/NAME.err` get what it says.
    pub fn start(command: &mut Command, name: &str, logs: &Path) -> Result<Self, ProcessError> {
        Self::start_with(Stdio::null(), command, name, logs)
    }

    /// The same with a standard input that stays open as long as this process lives and keeps the child: one that ends with its
    /// input ends with us, however we end.
    pub fn start_held(command: &mut Command, name: &str, logs: &Path) -> Result<Self, ProcessError> {
        Self::start_with(Stdio::piped(), command, name, logs)
    }

    fn start_with(input: Stdio, command: &mut Command, name: &str, logs: &Path) -> Result<Self, ProcessError> {
        let failed = |error| ProcessError::Start {
            name: name.to_owned(),
            error,
        };
        std::fs::create_dir_all(logs).map_err(failed)?;
        let paths = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
        let (out, err) = (
            File::create(&paths.0).map_err(failed)?,
            File::create(&paths.1).map_err(failed)?,
        );
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let stdout = Stream::read(child.stdout.take(), out);
        let stderr = Stream::read(child.stderr.take(), err);
        Ok(Self {
            name: name.to_owned(),
            child,
            started: Instant::now(),
            stdout,
            stderr,
            logs: paths,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The two log files: standard output, standard error.
    pub fn logs(&self) -> (&Path, &Path) {
        (&self.logs.0, &self.logs.1)
    }

    /// Waits for the first line of standard output that `wanted` accepts, from the start of the output on.
    pub fn wait_for_line(
        &mut self,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, ProcessError> {
        let until = Instant::now() + deadline;
        let mut from = 0;
        loop {
            let (lines, closed) = self.stdout.lines_from(&mut from, until.min(Instant::now() + LOOK));
            if let Some(line) = lines.into_iter().find(|line| wanted(line)) {
                return Ok(line);
            }
            let ended = self.child.try_wait().ok().flatten();
            if closed && ended.is_some() {
                return Err(self.ended(ended, what));
            }
            if Instant::now() >= until {
                return Err(self.too_late(deadline, what));
            }
        }
    }

    /// Waits for the end, at most until `deadline` from now; then the child is killed.
    pub fn finish(mut self, deadline: Duration) -> Result<Finished, ProcessError> {
        let until = Instant::now() + deadline;
        let status = loop {
            let now = Instant::now();
            self.stdout.wait_closed(until.min(now + LOOK));
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() >= until => return Err(self.too_late(deadline, "end")),
                // Its output is closed but it lives: look again, a little later.
                Ok(None) if self.stdout.is_closed() => thread::park_timeout(LOOK),
                Ok(None) => {}
                Err(error) => {
                    return Err(ProcessError::Start {
                        name: self.name.clone(),
                        error,
                    });
                }
            }
        };
        let took = self.started.elapsed();
        Ok(Finished {
            status,
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
            took,
        })
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, now: the process gets no chance to tidy up. Returns what it had said.
    pub fn kill(mut self) -> Finished {
        let status = self.kill_and_wait();
        let took = self.started.elapsed();
        Finished {
            status: status.unwrap_or_default(),
            stdout: self.stdout.rest(),
            stderr: self.stderr.rest(),
            took,
        }
    }

    /// SIGTERM, then waits for the orderly end, at most until `deadline` from now.
    pub fn stop(self, deadline: Duration) -> Result<Finished, ProcessError> {
        // The shell's own kill: a bare Debian has no program of that name.
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$1\"", "sh", &self.id().to_string()])
            .stderr(Stdio::null())
            .status();
        if let Err(error) = sent {
            return Err(ProcessError::Start {
                name: "sh -c kill".to_owned(),
                error,
            });
        }
        self.finish(deadline)
    }

    /// What standard output has said so far.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.stdout.shared.lock().bytes).into_owned()
    }

    fn kill_and_wait(&mut self) -> Option<ExitStatus> {
        // Both fail only for a child that has ended, which is what is wanted.
        let _ = self.child.kill();
        self.child.wait().ok()
    }

    fn tail(&self) -> String {
        // The child has ended; what it said last may still be on its way through the reader.
        let until = Instant::now() + REST;
        self.stdout.wait_closed(until);
        self.stderr.wait_closed(until);
        let mut text = String::new();
        for (stream, log) in [(&self.stdout, &self.logs.0), (&self.stderr, &self.logs.1)] {
            let said = String::from_utf8_lossy(&stream.shared.lock().bytes).into_owned();
            let lines: Vec<&str> = said.lines().collect();
            for line in &lines[lines.len().saturating_sub(12)..] {
                text.push_str(&format!("    {line}\n"));
            }
            text.push_str(&format!("    (all of it: {})\n", log.display()));
        }
        text
    }

    fn too_late(&mut self, after: Duration, waited_for: &str) -> ProcessError {
        self.kill_and_wait();
        let (name, waited_for) = (self.name.clone(), waited_for.to_owned());
        ProcessError::Deadline {
            name,
            after,
            waited_for,
            tail: self.tail(),
        }
    }

    fn ended(&self, status: Option<ExitStatus>, waited_for: &str) -> ProcessError {
        let (name, waited_for) = (self.name.clone(), waited_for.to_owned());
        ProcessError::Ended {
            name,
            status,
            waited_for,
            tail: self.tail(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_and_wait();
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `ready` or `until`.
    fn wait(&self, until: Instant, ready: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), left, |state| !ready(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Stream {
    /// Copies `pipe` into memory and into `log` on a thread of its own.
    fn read(pipe: Option<impl Read + Send + 'static>, mut log: File) -> Self {
        let shared = Arc::new(Heard::default());
        let heard = Arc::clone(&shared);
        let reader = thread::spawn(move || {
            let mut pipe = BufReader::new(
                pipe.into_iter()
                    .fold(Box::new(io::empty()) as Box<dyn Read>, |_, pipe| Box::new(pipe)),
            );
            loop {
                let count = match pipe.fill_buf() {
                    Ok([]) | Err(_) => break,
                    Ok(bytes) => {
                        // A full disk must not stop the child; memory still has the output.
                        let _ = log.write_all(bytes);
                        heard.lock().bytes.extend_from_slice(bytes);
                        bytes.len()
                    }
                };
                pipe.consume(count);
                heard.changed.notify_all();
            }
            heard.lock().closed = true;
            heard.changed.notify_all();
        });
        Self {
            shared,
            reader: Some(reader),
        }
    }

    /// The whole lines after `from` (the last one too once the stream is closed), waiting until `until` for one.
    fn lines_from(&self, from: &mut usize, until: Instant) -> (Vec<String>, bool) {
        let start = *from;
        let state = self
            .shared
            .wait(until, |state| state.closed || state.bytes[start..].contains(&b'\n'));
        let end = match state.bytes[start..].iter().rposition(|byte| *byte == b'\n') {
            _ if state.closed => state.bytes.len(),
            Some(newline) => start + newline + 1,
            None => start,
        };
        *from = end;
        let text = String::from_utf8_lossy(&state.bytes[start..end]);
        (text.lines().map(str::to_owned).collect(), state.closed)
    }

    fn wait_closed(&self, until: Instant) {
        drop(self.shared.wait(until, |state| state.closed));
    }

    fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Everything, once the child has ended.
    fn rest(&mut self) -> Vec<u8> {
        self.wait_closed(Instant::now() + REST);
        if self.is_closed()
            && let Some(reader) = self.reader.take()
        {
            // It has reached its end; a panic in it would only have lost output.
            let _ = reader.join();
        }
        self.shared.lock().bytes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logs(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("fieldseal-process-{}-{name}", std::process::id()))
    }

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn output_is_kept_logged_and_the_code_is_told() {
        let logs = logs("output");
        let done = run(&mut sh("echo one; echo two >&2; exit 3"), "child", &logs, LONG).unwrap();
        assert_eq!((done.text().as_str(), done.code()), ("one\n", Some(3)));
        assert_eq!(done.stderr, b"two\n");
        assert_eq!(std::fs::read(logs.join("child.out")).unwrap(), b"one\n");
        assert_eq!(std::fs::read(logs.join("child.err")).unwrap(), b"two\n");
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn a_child_past_its_deadline_is_killed_and_quoted() {
        let logs = logs("deadline");
        let error = run(
            &mut sh("echo before; exec sleep 60"),
            "slow",
            &logs,
            Duration::from_millis(300),
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, ProcessError::Deadline { .. }), "{text}");
        assert!(text.contains("before") && text.contains("slow.out"), "{text}");
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn a_child_that_closes_its_output_is_still_waited_for() {
        let logs = logs("closed");
        let done = run(&mut sh("exec >&- 2>&-; sleep 0.2; exit 4"), "closed", &logs, LONG).unwrap();
        assert_eq!(done.code(), Some(4));
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn a_line_is_waited_for_and_then_the_child_is_killed() {
        let logs = logs("line");
        let mut server = Running::start(
            &mut sh("echo hello; echo listening on 1234; exec sleep 60"),
            "server",
            &logs,
        )
        .unwrap();
        let line = server
            .wait_for_line("listening", LONG, |line| line.starts_with("listening on "))
            .unwrap();
        assert_eq!(line, "listening on 1234");
        assert!(server.is_running());
        let dead = server.kill();
        assert_eq!(dead.code(), None, "a signal leaves no code");
        assert_eq!(dead.text(), "hello\nlistening on 1234\n");
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn a_server_that_dies_early_is_quoted() {
        let logs = logs("early");
        let mut server = Running::start(&mut sh("echo cannot bind >&2; exit 1"), "server", &logs).unwrap();
        let text = server
            .wait_for_line("listening", LONG, |_| true)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("exit status: 1") && text.contains("cannot bind"),
            "{text}"
        );
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn a_polite_stop_lets_it_tidy_up() {
        let logs = logs("stop");
        let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        let mut server = Running::start(&mut sh(script), "server", &logs).unwrap();
        server.wait_for_line("up", LONG, |line| line == "up").unwrap();
        let done = server.stop(LONG).unwrap();
        assert_eq!((done.code(), done.text().as_str()), (Some(0), "up\nbye\n"));
        std::fs::remove_dir_all(logs).unwrap();
    }

    #[test]
    fn what_cannot_be_started_is_named() {
        let error = run(&mut Command::new("/no/such/program"), "ghost", &logs("ghost"), LONG).unwrap_err();
        assert!(error.to_string().starts_with("ghost could not be started"), "{error}");
        std::fs::remove_dir_all(logs("ghost")).unwrap();
    }
}
