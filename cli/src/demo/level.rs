//! One level of contention: measured, checked against the oracle, and traced.

use crate::source::Names;
use crate::traced::{end_ns, fastest_run};
use anyhow::{Result, ensure};
use std::time::Instant;
use tollway::oracle::Oracle;
use tollway::{Block, BlockTrace, Config, Receipt, Runtime};
use tollway_benches::Progress;
use tollway_benches::contracts::expect_success;
use tollway_benches::spread::Spread;
use tollway_benches::swaps::exchange::{Exchange, Variant};
use tollway_benches::swaps::{Distribution, Swap, Workload};

/// How much to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Measured blocks; one more warms up.
    pub(crate) blocks: usize,
    /// Swaps of a measured block.
    pub(crate) block_swaps: usize,
    /// Swaps of the block in the picture.
    pub(crate) drawn_swaps: usize,
}

impl Size {
    /// What the demo shows.
    pub(crate) const FULL: Self = Self { blocks: 5, block_swaps: 10_000, drawn_swaps: 4_000 };
    /// Enough to see that it works.
    pub(crate) const QUICK: Self = Self { blocks: 2, block_swaps: 1_000, drawn_swaps: 500 };
}

/// What came of a level.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) distribution: Distribution,
    /// Calls a second of the oracle, in the median block.
    pub(crate) oracle_per_s: f64,
    /// Calls a second on one thread.
    pub(crate) one_per_s: f64,
    /// Calls a second on [`THREADS`].
    pub(crate) many_per_s: f64,
    /// The drawn block's run on [`THREADS`] threads.
    pub(crate) trace: BlockTrace,
    /// How long the drawn block took on one thread.
    pub(crate) serial_ns: u64,
}

/// Threads of the parallel run.
pub(crate) const THREADS: usize = 2;

/// Measures a level. Progress counts steps of very different length.
///
/// # Errors
/// If a call fails, or a receipt or the state is not the oracle's.
pub(crate) fn measure(
    distribution: Distribution,
    size: Size,
    progress: Progress<'_>,
) -> Result<Level> {
    let steps = size.blocks as u64 + 5;
    let mut workload = Workload::new(distribution);
    let blocks: Vec<_> = (0..=size.blocks).map(|_| workload.next_block(size.block_swaps)).collect();
    let exchange = |threads: usize, trace: bool, swaps: &[Vec<Swap>]| {
        let config = Config { threads, trace, ..Config::default() };
        Exchange::new(Variant::Monolith, workload.initial_reserves(), swaps, config, &|_, _| {})
    };
    let mut one = exchange(1, false, &blocks)?;
    progress(1, steps);
    let mut many = exchange(THREADS, false, &blocks)?;
    progress(2, steps);
    let mut oracle = Oracle::new(one.runtime());
    let mut times = [const { Vec::new() }; 3];
    let mut ran = Vec::with_capacity(blocks.len());
    for (number, swaps) in (0..).zip(&blocks) {
        let block = one.block(swaps);
        let (one_s, receipts) = timed(|| run(one.runtime_mut(), &block))?;
        let (many_s, receipts_of_many) = timed(|| run(many.runtime_mut(), &block))?;
        ensure!(
            receipts == receipts_of_many,
            "{distribution}: {THREADS} threads give other receipts than one"
        );
        times[1].push(one_s);
        times[2].push(many_s);
        ran.push((block, receipts));
        progress(number + 3, steps);
    }
    // Not in turn with the others: it is so much slower that they would start in cold caches.
    for (block, receipts) in &ran {
        let (oracle_s, expected) = timed(|| Ok(oracle.execute(block)))?;
        expect_success(block, &expected)?;
        ensure!(*receipts == expected, "{distribution}: receipts are not the oracle's");
        times[0].push(oracle_s);
    }
    let root = oracle.state_root();
    for runtime in [one.runtime(), many.runtime()] {
        ensure!(runtime.state_root()? == root, "{distribution}: the state is not the oracle's");
    }
    let [oracle_per_s, one_per_s, many_per_s] =
        times.map(|times| size.block_swaps as f64 / Spread::of(&times[1..]).median);
    let drawn = [Workload::new(distribution).next_block(size.drawn_swaps)];
    let traced = |threads| {
        let mut exchange = exchange(threads, true, &drawn)?;
        let block = exchange.block(&drawn[0]);
        let names = Names::traders(exchange.runtime().registry());
        let (mut trace, _) = fastest_run(exchange.runtime_mut(), &block)?;
        names.rename(&mut trace);
        Ok::<_, anyhow::Error>(trace)
    };
    let serial = traced(1)?;
    let trace = traced(THREADS)?;
    progress(steps, steps);
    Ok(Level {
        distribution,
        oracle_per_s,
        one_per_s,
        many_per_s,
        trace,
        serial_ns: end_ns(&serial),
    })
}

fn run(runtime: &mut Runtime, block: &Block) -> Result<Vec<Receipt>> {
    let outcome = runtime.execute(block)?;
    runtime.commit(outcome.batch)?;
    Ok(outcome.receipts)
}

/// Seconds that something takes.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let clock = Instant::now();
    let result = work()?;
    Ok((clock.elapsed().as_secs_f64(), result))
}
