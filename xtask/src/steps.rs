//! The tasks, each a list of commands. All run in the release profile: dependencies, above all the
//! engine, are then compiled once for everything.

use crate::target::root;
use std::process::Command;

/// Runs the demo with these arguments.
pub(crate) fn demo(args: &[String]) -> Result<(), String> {
    build_programs()?;
    let mut line = vec!["demo"];
    line.extend(args.iter().map(String::as_str));
    built("tollway", &line)
}

/// Builds the command and the examples, with the features that the tests have: built by
/// themselves they would have others, and the engine would be compiled again for each.
pub(crate) fn build_programs() -> Result<(), String> {
    cargo(&["build", "--release", "--workspace", "--bins", "--examples"])
}

/// Runs a program that [`build_programs`] built: it lies beside this one.
fn built(program: &str, args: &[&str]) -> Result<(), String> {
    let here = std::env::current_exe().map_err(|error| format!("cannot find xtask: {error}"))?;
    let path = here.with_file_name(program);
    run(Command::new(&path).args(args), &format!("{} {}", path.display(), args.join(" ")))
}

/// Runs every test, documentation examples included, and the embedder's example.
pub(crate) fn test(args: &[String]) -> Result<(), String> {
    let mut line = vec!["test", "--release", "--workspace"];
    line.extend(args.iter().map(String::as_str));
    cargo(&line)?;
    // With a filter, the one who typed it wants those tests only.
    if args.is_empty() {
        build_programs()?;
        built("examples/host_chain", &[])?;
    }
    Ok(())
}

/// Runs `.ci/run`, the one list of checks.
pub(crate) fn ci() -> Result<(), String> {
    run(Command::new("bash").arg(".ci/run"), "bash .ci/run")
}

/// Builds the sample contracts and writes them where other tools find them.
pub(crate) fn contracts() -> Result<(), String> {
    build_programs()?;
    built("tollway", &["samples", "out/contracts"])
}

pub(crate) fn cargo(args: &[&str]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo).args(args), &format!("cargo {}", args.join(" ")))
}

pub(crate) fn run(command: &mut Command, line: &str) -> Result<(), String> {
    eprintln!("$ {line}");
    let status = command.current_dir(root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{line}` ended with {status}")),
        Err(error) => Err(format!("cannot run `{line}`: {error}")),
    }
}
