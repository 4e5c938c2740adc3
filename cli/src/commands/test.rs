//! `tollway test`: builds a contract as for an upload, then runs its tests.

use crate::args::TestArgs;
use crate::built::built;
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};

pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    // First, so that what is no contract is said in a line and not by every test.
    for contract in built(&args.folder)? {
        eprintln!("{}", contract.line());
    }
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .arg("test")
        .args(&args.cargo)
        .current_dir(&args.folder)
        .status();
    let status = status.context("cannot run cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
