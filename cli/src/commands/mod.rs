//! One module a command: it gathers what is needed, and hands it to what shows it.

mod bench;
mod demo;
mod inspect;
mod plan;
mod replay;
mod samples;
mod snapshot;
mod state;
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
        Command::Export(args) => snapshot::export(&args)?,
        Command::Import(args) => snapshot::import_file(&args)?,
        Command::Samples { dir } => samples::run(&dir)?,
        Command::Reference => crate::output::print(crate::reference::reference().trim_end())?,
        Command::Bench(command) => bench::run(&command)?,
        Command::Demo(args) => demo::run(&args)?,
        Command::Replay(command) => return replay::run(&command),
        Command::State(command) => return state::run(&command),
    }
    Ok(ExitCode::SUCCESS)
}
