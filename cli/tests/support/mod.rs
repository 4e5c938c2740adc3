//! Runs the built command.
#![allow(dead_code, unreachable_pub, reason = "each file of tests uses some of it")]

pub mod chain;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run of the command gave.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

pub fn tollway(args: &[&str]) -> Run {
    let command = Command::new(env!("CARGO_BIN_EXE_tollway"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let output = command.expect("the command starts");
    Run {
        code: output.status.code().expect("the command was not killed"),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    }
}

/// Runs the command, which must succeed, and gives what it printed.
pub fn prints(args: &[&str]) -> String {
    let run = tollway(args);
    assert_eq!(run.code, 0, "{args:?} failed:\n{}{}", run.stdout, run.stderr);
    run.stdout
}

/// Runs the command, which must print JSON lines and nothing else.
pub fn json_lines(args: &[&str]) -> Vec<Value> {
    let line = |line: &str| serde_json::from_str(line).expect("every line is JSON");
    prints(args).lines().map(line).collect()
}

/// Runs the command, which must fail with this code and say this on stderr, and nothing on stdout.
pub fn fails(args: &[&str], code: i32, expected: &str) {
    let run = tollway(args);
    assert_eq!(run.code, code, "{args:?}:\n{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(expected), "{expected:?} is not in:\n{}", run.stderr);
    assert_eq!(run.stdout, "", "{args:?} printed to stdout");
}

/// A folder of its own for a test, gone when the test is over.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let folder = format!("tollway-cli-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("the path is text").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a temporary file can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(path)).expect("the file was written")
}
