//! `tollway test`: builds a contract as for an upload, then runs its tests.

use crate::args::TestArgs;
use crate::built::built;
use anyhow::{Context, Result};
use std::process::{Command, ExitCode};
use tollway_build::BUILT_VARIABLES;

pub(crate) fn run(args: &TestArgs) -> Result<ExitCode> {
    // First, so that what is no contract is said in a line and not by every test.
    let contracts = built(&args.folder)?;
    for contract in &contracts {
        eprintln!("{}", contract.line());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test").args(&args.cargo).current_dir(&args.folder);
    if let [contract] = &contracts[..] {
        let folder = args.folder.canonicalize();
        let folder = folder.with_context(|| args.folder.display().to_string())?;
        cargo.envs(BUILT_VARIABLES.into_iter().zip([&folder, &contract.file]));
    }
    let status = cargo.status().context("cannot run cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
