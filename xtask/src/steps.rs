//! The tasks, each a list of commands. All run in the release profile: dependencies, above all the
//! engine, are then compiled once for everything.

use crate::target::root;
use std::process::Command;

/// Runs the demo with these arguments.
pub(crate) fn demo(args: &[String]) -> Result<(), String> {
    let mut line =
        vec!["run", "--release", "--package", "tollway-cli", "--bin", "tollway", "--", "demo"];
    line.extend(args.iter().map(String::as_str));
    cargo(&line)
}

/// Runs every test, documentation examples included, and the embedder's example.
pub(crate) fn test(args: &[String]) -> Result<(), String> {
    let mut line = vec!["test", "--release", "--workspace"];
    line.extend(args.iter().map(String::as_str));
    cargo(&line)?;
    // With a filter, the one who typed it wants those tests only.
    if args.is_empty() {
        cargo(&["run", "--release", "--package", "tollway", "--example", "host_chain"])?;
    }
    Ok(())
}

/// Runs `.ci/run`, the one list of checks.
pub(crate) fn ci() -> Result<(), String> {
    run(Command::new("bash").arg(".ci/run"), "bash .ci/run")
}

/// Builds the sample contracts and writes them where other tools find them.
pub(crate) fn contracts() -> Result<(), String> {
    cargo(&[
        "run",
        "--release",
        "--package",
        "tollway-cli",
        "--bin",
        "tollway",
        "--",
        "samples",
        "out/contracts",
    ])
}

fn cargo(args: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(args), &format!("cargo {}", args.join(" ")))
}

fn run(command: &mut Command, line: &str) -> Result<(), String> {
    eprintln!("$ {line}");
    let status = command.current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("cannot run `{line}`: {error}")),
    }
}
