//! Measures the workload: swaps a second, decoding, execution and commit included.
//!
//! ```text
//!             block 0 (warm-up)     block 1               block 2
//! 1 thread    ▇▇▇▇                  ▇▇▇▇                  ▇▇▇▇
//! 2 threads        ▇▇                    ▇▇                    ▇▇      … ──▶ checksums
//! ```
//!
//! Configurations take turns block by block, each on a runtime of its own, so that what else the
//! machine does hits them alike. Timed is what a node does with a block it received: decode it,
//! execute it, commit it. Not timed: making the block, checking its receipts, dropping it.

use super::exchange::{Exchange, Variant};
use super::model::Checksums;
use super::workload::{BLOCK_SWAPS, Distribution, Swap, Workload};
use crate::Progress;
use crate::contracts::expect_success;
use crate::spread::Spread;
use anyhow::ensure;
use serde::Serialize;
use std::time::Instant;
use tollway::{Block, Compiler, Config};

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// Which pools the swaps go to.
    pub distribution: Distribution,
    /// How the exchange is cut into contracts.
    pub variant: Variant,
    /// Numbers of worker threads, one configuration each.
    pub threads: Vec<usize>,
    /// Measured blocks; one more is run before them.
    pub blocks: usize,
    /// Swaps of a block.
    pub block_swaps: usize,
    /// The engine's compiler.
    pub compiler: Compiler,
}

impl Default for BenchOptions {
    fn default() -> Self {
        Self {
            distribution: Distribution::Disjoint,
            variant: Variant::Monolith,
            threads: vec![1, 2],
            blocks: 7,
            block_swaps: BLOCK_SWAPS,
            compiler: Compiler::default(),
        }
    }
}

/// The figures of one configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchRecord {
    /// How the exchange is cut into contracts.
    pub variant: Variant,
    /// Which pools the swaps go to.
    pub dist: Distribution,
    /// Worker threads.
    pub threads: usize,
    /// Swaps of a block.
    pub block: usize,
    /// Measured blocks.
    pub blocks: usize,
    /// Nanoseconds a swap, in the fastest block.
    pub ns_per_swap_min: f64,
    /// In the median block.
    pub ns_per_swap_median: f64,
    /// In the slowest block.
    pub ns_per_swap_max: f64,
    /// Swaps a second, in the median block.
    pub swaps_per_s_median: f64,
    /// Gas a swap, over all measured blocks.
    pub gas_per_swap: f64,
    /// Checksum of the reserves at the end, as 16 hexadecimal digits.
    pub reserves_fnv: String,
    /// Checksum of the traders' balances at the end.
    pub balances_fnv: String,
}

/// Measures every configuration of `options`. Progress counts the set-up calls of each, then swaps.
///
/// # Errors
/// If a call fails, or a checksum is not that of the model, or not the published one.
pub fn run(options: &BenchOptions, progress: Progress<'_>) -> anyhow::Result<Vec<BenchRecord>> {
    check(options)?;
    let mut workload = Workload::new(options.distribution);
    let swaps: Vec<_> =
        (0..=options.blocks).map(|_| workload.next_block(options.block_swaps)).collect();
    let mut lanes = options
        .threads
        .iter()
        .map(|threads| Configuration::new(*threads, options, &workload, &swaps, progress))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let total = (swaps.len() * options.block_swaps * lanes.len()) as u64;
    let mut done = 0;
    for block in &swaps {
        for configuration in &mut lanes {
            configuration.run(block)?;
            done += block.len() as u64;
            progress(done, total);
        }
    }
    let expected = workload.model().checksums();
    lanes.iter().map(|configuration| configuration.record(options, expected)).collect()
}

fn check(options: &BenchOptions) -> anyhow::Result<()> {
    ensure!(options.blocks > 0, "at least one block must be measured");
    ensure!(options.block_swaps > 0, "a block needs at least one swap");
    let most = options.distribution.pools() as usize;
    ensure!(
        options.distribution != Distribution::Disjoint || options.block_swaps <= most,
        "a disjoint block has at most {most} swaps"
    );
    ensure!(!options.threads.is_empty(), "no thread count to measure");
    ensure!(!options.threads.contains(&0), "a thread count must be above 0");
    Ok(())
}

/// An exchange and what was measured on it.
struct Configuration {
    threads: usize,
    exchange: Exchange,
    /// One for each block, the warm-up first.
    ns_per_swap: Vec<f64>,
    gas: Vec<u64>,
}

impl Configuration {
    fn new(
        threads: usize,
        options: &BenchOptions,
        workload: &Workload,
        swaps: &[Vec<Swap>],
        progress: Progress<'_>,
    ) -> anyhow::Result<Self> {
        let config = Config { threads, compiler: options.compiler, ..Config::default() };
        let reserves = workload.initial_reserves();
        let exchange = Exchange::new(options.variant, reserves, swaps, config, progress)?;
        Ok(Self { threads, exchange, ns_per_swap: Vec::new(), gas: Vec::new() })
    }

    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<()> {
        let block = self.exchange.block(swaps);
        let bytes = borsh::to_vec(&block)?;
        let runtime = self.exchange.runtime_mut();
        let clock = Instant::now();
        let decoded: Block = borsh::from_slice(&bytes)?;
        let outcome = runtime.execute(&decoded)?;
        runtime.commit(outcome.batch)?;
        let elapsed = clock.elapsed();
        expect_success(&block, &outcome.receipts)?;
        self.ns_per_swap.push(elapsed.as_nanos() as f64 / swaps.len() as f64);
        self.gas.push(outcome.receipts.iter().map(|receipt| receipt.gas_used.0).sum());
        Ok(())
    }

    fn record(&self, options: &BenchOptions, expected: Checksums) -> anyhow::Result<BenchRecord> {
        let found = self.exchange.checksums()?;
        let name =
            || format!("{} {} on {} threads", options.variant, options.distribution, self.threads);
        ensure!(found == expected, "{} ends in {found}, the model in {expected}", name());
        let published = options.distribution.checksums(options.blocks + 1, options.block_swaps);
        if let Some(published) = published {
            ensure!(found == published, "{} ends in {found}, published is {published}", name());
        }
        let spread = Spread::of(&self.ns_per_swap[1..]);
        let swaps = (options.blocks * options.block_swaps) as f64;
        Ok(BenchRecord {
            variant: options.variant,
            dist: options.distribution,
            threads: self.threads,
            block: options.block_swaps,
            blocks: options.blocks,
            ns_per_swap_min: spread.min,
            ns_per_swap_median: spread.median,
            ns_per_swap_max: spread.max,
            swaps_per_s_median: 1e9 / spread.median,
            gas_per_swap: self.gas[1..].iter().sum::<u64>() as f64 / swaps,
            reserves_fnv: format!("{:016x}", found.reserves),
            balances_fnv: format!("{:016x}", found.balances),
        })
    }
}
