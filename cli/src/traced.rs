//! Runs a block several times for its trace. The fastest run is shown: what slows the others down
//! is the rest of the machine.

use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use tollway::{Block, BlockTrace, Receipt, Runtime};

/// A block runs at least and at most so often, and between the two for so long.
const RUNS_MIN: usize = 9;
const RUNS_MAX: usize = 200;
const RUNS_TIME: Duration = Duration::from_millis(300);

/// The fastest run, and its receipts. The runtime must record traces; nothing is committed.
///
/// # Errors
/// If the runtime refuses the block.
pub(crate) fn fastest_run(
    runtime: &mut Runtime,
    block: &Block,
) -> Result<(BlockTrace, Vec<Receipt>)> {
    // The first run makes instances and is left out.
    let receipts = runtime.execute(block)?.receipts;
    let mut fastest: Option<BlockTrace> = None;
    let clock = Instant::now();
    for run in 0..RUNS_MAX {
        if run >= RUNS_MIN && clock.elapsed() > RUNS_TIME {
            break;
        }
        let trace = runtime.execute(block)?.trace.context("the runtime made no trace")?;
        if fastest.as_ref().is_none_or(|fastest| end_ns(&trace) < end_ns(fastest)) {
            fastest = Some(trace);
        }
    }
    Ok((fastest.context("no run was made")?, receipts))
}

/// When a run was over, in nanoseconds since its start; at least 1.
pub(crate) fn end_ns(trace: &BlockTrace) -> u64 {
    trace.phases.iter().map(|phase| phase.end_ns).fold(1, u64::max)
}
