//! The `tollway` command: arguments, printing, and nothing that a host chain would need.
//!
//! ```text
//! args ──▶ commands ──▶ source      where contracts and blocks come from
//!              │        scenario    a block in a file
//!              │        demo        an exchange at four levels of contention
//!              │        store       a kept state: its keys, proofs and names
//!              │
//!              ├──▶ inspect         what a contract declares, and who waits for whom
//!              ├──▶ report          a plan or a run, as tables
//!              ├──▶ scaling         what more cores would bring, as tables
//!              ├──▶ suite           what the sample contracts do, as tables
//!              ├──▶ chrome          …as a Chrome trace
//!              └──▶ picture         …as SVG or HTML
//! ```
//!
//! Output for people goes through tables; `--json` prints JSON lines and nothing else on stdout.
//! Exit codes: 0 all went well, 1 something is wrong with the input or the result, 2 the command
//! line is wrong.
#![forbid(unsafe_code)]

/// Receipts are made by workers and dropped by whoever reads them; the system's allocator pays for
/// that with a tenth of a block's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod abi;
mod args;
mod built;
mod client;
mod commands;

mod demo;
mod scenario;
mod source;
mod store;
mod traced;

mod chrome;
mod inspect;
mod new;
mod reference;
mod report;
mod scaling;
mod suite;

mod output;
mod progress;

use clap::Parser;
use std::process::ExitCode;
#[cfg(test)]
use tollway_display::fixture;
use tollway_display::{format, picture, table};

fn main() -> ExitCode {
    match commands::run(args::Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", format::harmless(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}
