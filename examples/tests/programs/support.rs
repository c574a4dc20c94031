//! Programs of the workspace: they are built once, and run with deadlines.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    sync::{LazyLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use assert_cmd::{Command, assert::Assert};
use escargot::{CargoBuild, format::Message};
use predicates::{Predicate, str::is_match};

/// How long a program may take to end or to print what is expected.
const DEADLINE: Duration = Duration::from_secs(60);

/// A file of the repository.
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The executable of an example, or of the command line `sockety`.
///
/// `cargo test` does not build the examples that have unit tests, and builds none with `--test`.
pub fn executable(name: &str) -> &'static Path {
    static EXECUTABLES: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(build);
    &EXECUTABLES[name]
}

fn build() -> HashMap<String, PathBuf> {
    let messages = CargoBuild::new()
        .manifest_path(in_repository("Cargo.toml"))
        // With the features that `cargo test --workspace` builds dependencies with.
        .arg("--workspace")
        .examples()
        .bin("quickstart")
        .bin("sockety")
        .current_release()
        .exec()
        .expect("cargo runs");
    let mut executables = HashMap::new();
    for message in messages {
        let message = message.expect("the programs are built");
        if let Message::CompilerArtifact(built) = message.decode().expect("a message of cargo")
            && let Some(path) = built.executable
        {
            executables.insert(built.target.name.into_owned(), path.into_owned());
        }
    }
    executables
}

/// Runs a program, which has to exit successfully.
#[track_caller]
pub fn run(name: &str, arguments: &[&str]) -> Assert {
    run_within(DEADLINE, name, arguments)
}

/// Like [`run`], with another deadline.
#[track_caller]
pub fn run_within(deadline: Duration, name: &str, arguments: &[&str]) -> Assert {
    let mut command = Command::new(executable(name));
    command.args(arguments).timeout(deadline).assert().success()
}

/// Fails unless each of these patterns matches in what was printed. `^` and `$` match at lines.
#[track_caller]
pub fn assert_printed(mut printed: Assert, patterns: &[&str]) {
    for pattern in patterns {
        printed = printed.stdout(line(pattern));
    }
}

fn line(pattern: &str) -> impl Predicate<str> + use<> {
    is_match(format!("(?m){pattern}")).expect("a regular expression")
}

/// A program while it runs. It is killed when this is dropped.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: mpsc::Receiver<String>,
    printed: String,
}

impl Running {
    pub fn start(name: &str, arguments: &[&str]) -> Self {
        let mut child = std::process::Command::new(executable(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, stdout) = mpsc::channel();
        // A pipe cannot be read with a deadline.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            stdin,
            stdout,
            printed: String::new(),
        }
    }

    /// The next line that it prints.
    #[track_caller]
    pub fn next_line(&mut self) -> String {
        self.line_before(Instant::now() + DEADLINE)
            .unwrap_or_else(|error| panic!("no line: {error}; before:\n{}", self.printed))
    }

    /// Waits until a line that it has printed matches a pattern.
    #[track_caller]
    pub fn prints(&mut self, pattern: &str) {
        let (expected, deadline) = (line(pattern), Instant::now() + DEADLINE);
        while !expected.eval(&self.printed) {
            if let Err(error) = self.line_before(deadline) {
                panic!("{pattern:?} not printed: {error}; but:\n{}", self.printed);
            }
        }
    }

    pub fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it has input");
        writeln!(stdin, "{line}").expect("it reads its input");
    }

    /// Closes its input, and waits until it exits successfully.
    #[track_caller]
    pub fn exits_with_its_input(mut self) {
        self.stdin = None;
        let deadline = Instant::now() + DEADLINE;
        let error = loop {
            if let Err(error) = self.line_before(deadline) {
                break error;
            }
        };
        assert_eq!(
            error,
            mpsc::RecvTimeoutError::Disconnected,
            "it does not exit"
        );
        let status = self.child.wait().expect("it is a child of this process");
        assert!(status.success(), "{status}:\n{}", self.printed);
    }

    fn line_before(&mut self, deadline: Instant) -> Result<String, mpsc::RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = self.stdout.recv_timeout(left)?;
        self.printed += &format!("{line}\n");
        Ok(line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
