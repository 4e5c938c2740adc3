//! The swap workload of `tollway-benches` on Tollway and on other runtimes, in one table:
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml
//!
//!               block 0 (warm-up)   block 1           block 2
//! native        ▇                   ▇                 ▇
//! tollway        ▇▇                  ▇▇                ▇▇
//! revm             ▇▇▇▇                ▇▇▇▇              ▇▇▇▇     …  ──▶ checksums ──▶ table
//! ```
//!
//! Each runs in a process of its own, and they take turns block by block, so that what else the
//! machine does hits them alike. Each must end in the state of the native model, and in the published one where the
//! run is a published one.
//!
//! # Features
//! One for each peer, named like it.

mod args;
mod engine;
mod engines;
mod measure;
mod report;
mod worker;

use anyhow::Context;
use args::Args;
use clap::Parser;
use std::io::Write;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(index) = args.worker {
        let peer = engines::all().into_iter().nth(index).context("no such row")?;
        return worker::serve(&peer, &args.options());
    }
    let peers = args.peers()?;
    let records = measure::run(&args.options(), &peers)?;
    let text = if args.json {
        serde_json::to_string_pretty(&records)?
    } else {
        report::text(&records, &peers)
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
