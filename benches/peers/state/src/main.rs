//! One workload of updates on Tollway's stores and on others, in one table:
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/state/Cargo.toml
//!
//!         child                                            killed    another child
//! redb    load · warm-up block · measured blocks · root ───▶ ✗ ───▶  open · root · values
//! nomt                                                                              load · …  ──▶ table
//! ```
//!
//! Each store has a process of its own, and one runs after the other: what a store still does in the
//! background after a block falls into its own next block, not into another store's. After the last
//! block the process is killed, and another opens what it left on disk, which must be all of it.
//!
//! # Features
//! `nomt` and `qmdb`, the peers that may be left out.

#![forbid(unsafe_code)]

mod args;
mod measure;
mod report;
mod stores;
mod worker;
mod workload;

use args::Args;
use clap::Parser;
use std::io::Write;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(task) = args.task {
        return worker::serve(
            &args.worker_row()?,
            &args.worker_directory()?,
            &args.options(),
            task,
        );
    }
    let records = measure::run(&args.options(), &args.rows()?)?;
    let text = if args.json {
        serde_json::to_string_pretty(&records)?
    } else {
        report::text(&records, &args.options())
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}
