//! One module a command: it gathers what is needed, and hands it to what shows it.

mod abi;
mod bench;
mod build;
mod check_upgrade;
mod client;
mod demo;
mod inspect;
mod new;
mod plan;
mod replay;
mod samples;
mod snapshot;
mod state;
mod test;
mod trace;

use crate::args::Command;
use anyhow::Result;
use std::process::ExitCode;

/// Runs a command.
pub(crate) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::New(args) => new::run(&args)?,
        Command::Build(args) => build::run(&args)?,
        Command::Test(args) => return test::run(&args),
        Command::Abi(args) => abi::run(&args)?,
        Command::Client(args) => client::run(&args)?,
        Command::CheckUpgrade(args) => return check_upgrade::run(&args),
        Command::Inspect(args) => inspect::run(&args)?,
        Command::Plan(args) => plan::run(&args)?,
        Command::Trace(args) => trace::run(&args)?,
        Command::Export(args) => snapshot::export(&args)?,
        Command::Import(args) => snapshot::import_file(&args)?,
        Command::Samples { dir } => samples::run(&dir)?,
        Command::Reference { format } => {
            crate::output::print(crate::reference::reference(format).trim_end())?;
        }
        Command::Bench(command) => bench::run(&command)?,
        Command::Demo(args) => demo::run(&args)?,
        Command::Replay(command) => return replay::run(&command),
        Command::State(command) => return state::run(&command),
    }
    Ok(ExitCode::SUCCESS)
}
