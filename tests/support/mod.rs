//! Runs the program as a user does, in a temporary directory.

#![allow(dead_code, reason = "each test file uses only part of this module")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A temporary directory in which a test runs the program.
pub struct Sandbox {
    dir: TempDir,
}

/// The exit code and the output of a run.
pub struct Finished {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Sandbox {
    pub fn new() -> Self {
        Sandbox { dir: tempfile::tempdir().expect("a temporary directory can be created") }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fencepost"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FENCEPOST_")) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.dir.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).output().expect("the program starts").into()
    }

    /// Runs the program and asserts exit code 0.
    pub fn succeed(&self, arguments: &[&str]) -> Finished {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a directory can be created");
        fs::write(path, text).expect("a file can be written");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

impl From<Output> for Finished {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
        Finished { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Finished {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// Locks that lose updates under pauses, with enough seeds to observe it.
pub const PAUSES: [&str; 5] = ["client-pauses", "--lock", "redis-set-px,none", "--seeds", "24"];

/// Returns the arguments of `run`, followed by `more`.
pub fn run<'a>(arguments: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["run"], arguments, more].concat()
}
