//! One module a command: it gathers what is needed, and hands it to what shows it.

mod inspect;
mod plan;
mod samples;
mod trace;

use crate::args::Command;
use anyhow::Result;
use std::process::ExitCode;

/// Runs a command.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Inspect(args) => inspect::run(&args)?,
        Command::Plan(args) => plan::run(&args)?,
        Command::Trace(args) => trace::run(&args)?,
        Command::Samples { dir } => samples::run(&dir)?,
        Command::Reference => crate::output::print(crate::reference::reference().trim_end())?,
        Command::Demo(_) | Command::Replay(_) | Command::Bench(_) => anyhow::bail!("not yet"),
    }
    Ok(ExitCode::SUCCESS)
}
