//! Many callers, one key: workloads that run one call after another wherever a credit is a write.
//!
//! ```text
//! payments   payer ──▶ token.transfer(merchant, amount)    write balances[payer]
//!                                                          add   balances[merchant]
//! votes      voter ──▶ vote.vote(proposal, choice)         read  weights[voter]
//!                                                          write voted[proposal, voter]
//!                                                          add   tallies[proposal, choice]
//! ```
//!
//! After the run, every balance and every tally is held against a few lines of native Rust, and the
//! states of all numbers of threads are one.

pub mod payments;
pub mod votes;

pub use payments::{Payers, PaymentOptions};
pub use votes::VoteOptions;

#[cfg(test)]
mod tests;

use crate::scaling::Scaling;
use crate::turns::{Host, Row, Turns};
use serde::Serialize;

/// The figures of one number of threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CrowdRecord {
    /// `payments` or `votes`.
    pub workload: &'static str,
    /// Who calls: see [`Payers`].
    pub dist: &'static str,
    /// Worker threads.
    pub threads: usize,
    /// Calls of a block.
    pub block: usize,
    /// Measured blocks.
    pub blocks: usize,
    /// Nanoseconds a call, in the fastest block.
    pub ns_per_call_min: f64,
    /// In the median block.
    pub ns_per_call_median: f64,
    /// In the slowest block.
    pub ns_per_call_max: f64,
    /// Calls a second, in the median block.
    pub calls_per_s_median: f64,
    /// Of these, over one thread's. `None` without a row of one thread.
    pub speedup: Option<f64>,
    /// Blocks that had the machine to themselves; see [`crate::quiet`].
    pub quiet_blocks: usize,
    /// Gas a call, over all measured blocks.
    pub gas_per_call: f64,
    /// The state root at the end.
    pub state_root: String,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct CrowdReport {
    /// One for each number of threads.
    pub records: Vec<CrowdRecord>,
    /// What more threads would bring, if there is a row of one thread and one of more.
    pub scaling: Option<Scaling>,
}

/// The most callers: payers and voters are set up one by one.
pub const CALLERS_MAX: usize = 100_000;

fn report<H: Host>(
    workload: &'static str,
    dist: &'static str,
    block: usize,
    turns: &Turns<H>,
) -> anyhow::Result<CrowdReport> {
    let one = turns.rows.iter().find(|row| row.threads == 1);
    let one = one.map(|row| row.figures().calls_per_s_median);
    let record = |row: &Row<H>| {
        let figures = row.figures();
        Ok(CrowdRecord {
            workload,
            dist,
            threads: row.threads,
            block,
            blocks: row.times.len(),
            ns_per_call_min: figures.ns_per_call.min,
            ns_per_call_median: figures.ns_per_call.median,
            ns_per_call_max: figures.ns_per_call.max,
            calls_per_s_median: figures.calls_per_s_median,
            speedup: one.map(|one| figures.calls_per_s_median / one),
            quiet_blocks: row.quiet.iter().filter(|quiet| **quiet).count(),
            gas_per_call: figures.gas_per_call,
            state_root: row.host.runtime().state_root()?.to_string(),
        })
    };
    let records = turns.rows.iter().map(record).collect::<anyhow::Result<_>>()?;
    Ok(CrowdReport { records, scaling: turns.scaling.clone() })
}
