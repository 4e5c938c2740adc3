//! What a host with more cores would see: the block's parts measured on one and on a few threads,
//! its lanes simulated on up to 128.
//!
//! ```text
//! traced runs      ┬▶ time of each part ───────────────┐ fit
//! on 1, m threads  └▶ each call, who waits for whom ───┼─────▶ CostModel ──▶ checked against runs
//! steps, measured by themselves ───────────────────────┘           │         without a trace
//!                                                                  ▼
//!                      parts: serial + parallel / n,  lanes: simulated  ──▶  curve
//! ```
//!
//! # Invariants
//! 1. A model that was fitted to times that another one made is that one
//!    (`tests::fits_recover_the_model`).
//! 2. A curve is a function of model and blocks: no clock is read for it
//!    (`tests::curves_of_independent_calls`, `tests::curves_of_chains_are_flat`).
//!
//! From times on one and two threads, a part's serial share is twice the latter less the former: it
//! is noisier than both, and at the right end of the curve little else is left. Hence many runs, of
//! which those count that had the machine to themselves; see [`crate::quiet`].
//!
//! See [`LIMITS`] for what is not modelled.

mod measure;
mod model;
mod traced;

#[cfg(test)]
mod tests;

pub use measure::{MeasuredSteps, measure_steps};
pub use model::{BlockTimes, CostModel, PART_COUNT, Part, PartCost, Samples};
pub use traced::{Shape, TracedBlock};

use crate::quiet::Runs;
use crate::spread::Spread;
use serde::Serialize;

/// Numbers of workers for which a curve is made.
pub const WORKERS: [usize; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// What the curve leaves out, for those who read it.
pub const LIMITS: &str = "simulated from costs measured on this machine; not modelled: memory \
     bandwidth and caches beyond what the measured threads share, NUMA, a clock that falls when all \
     cores work, pieces of parallel work too few to go round";

/// One point of a curve: the median over blocks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Workers, one core each.
    pub workers: usize,
    /// Nanoseconds a block.
    pub block_ns: f64,
    /// Over the simulated time on one worker.
    pub speedup: f64,
    /// Speed-up over workers.
    pub efficiency: f64,
    /// Calls a second.
    pub calls_per_s: f64,
    /// The bound: the calls alone, by their times on one thread, greedily scheduled; all else free.
    pub ideal_speedup: f64,
}

/// A measured time beside the simulated one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Threads of the runs.
    pub threads: usize,
    /// Measured runs.
    pub runs: usize,
    /// Those of them that had the machine to themselves; see [`crate::quiet`].
    pub quiet_runs: usize,
    /// Nanoseconds: the median of quiet runs, the fastest run if none was quiet.
    pub measured_ns: f64,
    /// Simulated.
    pub simulated_ns: f64,
    /// Simulated over measured, minus 1.
    pub error: f64,
}

impl Check {
    /// Of measured runs, each with its time and whether it was quiet, and a simulated time.
    ///
    /// # Panics
    /// If there are no runs.
    pub fn new(threads: usize, runs: Vec<(f64, bool)>, simulated_ns: f64) -> Self {
        let (count, quiet_runs) = (runs.len(), runs.iter().filter(|run| run.1).count());
        let measured_ns = Runs::new(runs).typical(|ns| *ns);
        let error = simulated_ns / measured_ns - 1.0;
        Self { threads, runs: count, quiet_runs, measured_ns, simulated_ns, error }
    }
}

/// A model, how well it does, and what it says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scaling {
    /// The costs that everything is simulated from.
    pub costs: CostModel,
    /// Against real runs.
    pub checks: Vec<Check>,
    /// For [`WORKERS`].
    pub curve: Vec<CurvePoint>,
    /// [`LIMITS`].
    pub limits: &'static str,
}

impl Scaling {
    /// The curve of these blocks under a model.
    ///
    /// # Panics
    /// If there are no blocks.
    pub fn new(costs: CostModel, checks: Vec<Check>, blocks: &[&TracedBlock]) -> Self {
        let curve = curve(&costs, blocks);
        Self { costs, checks, curve, limits: LIMITS }
    }
}

/// The median over blocks of the simulated time on so many workers, in nanoseconds.
///
/// # Panics
/// If there are no blocks, or no workers.
pub fn block_ns(costs: &CostModel, blocks: &[&TracedBlock], workers: usize) -> f64 {
    median(blocks.iter().map(|block| costs.block_ns(block, workers)))
}

fn curve(costs: &CostModel, blocks: &[&TracedBlock]) -> Vec<CurvePoint> {
    let graphs: Vec<_> = blocks.iter().map(|block| block.graph(1.0)).collect();
    let calls = median(blocks.iter().map(|block| block.call_ns.len() as f64));
    let one = block_ns(costs, blocks, 1);
    let point = |workers: usize| {
        let block_ns = block_ns(costs, blocks, workers);
        CurvePoint {
            workers,
            block_ns,
            speedup: one / block_ns,
            efficiency: one / block_ns / workers as f64,
            calls_per_s: calls * 1e9 / block_ns,
            ideal_speedup: median(graphs.iter().map(|graph| graph.speedup(workers))),
        }
    };
    WORKERS.map(point).into()
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    Spread::of(&numbers.collect::<Vec<_>>()).median
}
