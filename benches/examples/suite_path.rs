//! The suite and nothing else, for profilers: a world is set up, and blocks of the kinds named run in
//! it. All blocks are made beforehand.
//!
//! ```text
//! cargo run --release -p tollway-benches --example suite_path -- [BLOCKS [KIND …]]
//! ```
//!
//! `USERS` and `CALLS` set how many accounts there are and how many calls a block has, `THREADS` how
//! many threads (1 unless told); `PROFILE_WAIT_MS` waits between the set-up and the blocks, for a profiler to be attached.

use anyhow::{Context, ensure};
use std::time::{Duration, Instant};
use tollway::{Block, Config};
use tollway_benches::suite::{USERS, drawn};

/// As the command has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BLOCK_CALLS: usize = 10_000;

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let blocks = args.next().map_or(Ok(20), |count| count.parse()).context("BLOCKS")?;
    let only: Vec<String> = args.collect();
    let number = |name: &str, default: usize| {
        std::env::var(name)
            .map_or(Ok(default), |value| value.parse())
            .with_context(|| name.to_owned())
    };
    let (users, calls) = (number("USERS", USERS)?, number("CALLS", BLOCK_CALLS)?);
    let reset_whole = std::env::var("RESET").is_ok_and(|reset| reset == "whole");
    let threads = number("THREADS", 1)?;
    let config = Config { threads, reset_whole, ..Config::default() };
    let (mut world, blocks) = drawn(config, &only, users, blocks, calls)?;
    if let Ok(wait) = std::env::var("PROFILE_WAIT_MS") {
        std::thread::sleep(Duration::from_millis(wait.parse().context("PROFILE_WAIT_MS")?));
    }
    let mut times: Vec<[u64; 6]> = Vec::new();
    for block in blocks {
        let block: Block = world.block(block);
        let clock = Instant::now();
        let outcome = world.runtime_mut().execute(&block)?;
        let failed = outcome.receipts.iter().filter(|receipt| !receipt.is_success()).count();
        ensure!(failed == 0, "{failed} calls failed in block {}", block.height);
        world.runtime_mut().commit(outcome.batch)?;
        let all = clock.elapsed().as_nanos() as u64;
        let stats = outcome.stats;
        let phases = [stats.resolve_ns, stats.plan_ns, stats.execute_ns, stats.repair_ns];
        let commit = all.saturating_sub(phases.iter().sum());
        let [resolve, plan, lanes, settle] = phases;
        times.push([all, resolve, plan, lanes, settle, commit].map(|ns| ns / calls as u64));
    }
    let median = |part: usize| {
        let mut times: Vec<u64> = times.iter().map(|times| times[part]).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    println!(
        "{} ns a call in the median of {} blocks: resolve {}, plan {}, lanes {}, settle {}, rest {}",
        median(0),
        times.len(),
        median(1),
        median(2),
        median(3),
        median(4),
        median(5),
    );
    Ok(())
}
