//! Measures the workload: swaps a second, decoding, execution and commit included; see
//! [`crate::turns`] for how.

use super::exchange::{Exchange, Variant};
use super::model::Checksums;
use super::workload::{BLOCK_SWAPS, Distribution, Swap, Workload};
use crate::Progress;
use crate::scaling::Scaling;
use crate::turns::{self, Host, Row, TurnOptions};
use anyhow::ensure;
use serde::Serialize;
use tollway::{Block, Compiler, Runtime};

/// The most accounts that a state may have beside the traders.
pub const EXTRA_ACCOUNTS_MAX: u32 = 100_000_000;

/// What to measure.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// Which pools the swaps go to.
    pub distribution: Distribution,
    /// How the exchange is cut into contracts.
    pub variant: Variant,
    /// Numbers of worker threads, one row each.
    pub threads: Vec<usize>,
    /// Measured blocks; one more is run before them.
    pub blocks: usize,
    /// Swaps of a block.
    pub block_swaps: usize,
    /// Accounts in the state beside the traders, at most [`EXTRA_ACCOUNTS_MAX`].
    pub extra_accounts: u32,
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
            extra_accounts: 0,
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
    /// Accounts in the state beside the traders.
    pub extra_accounts: u32,
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
    /// Root of the state at the end, as 64 hexadecimal digits.
    pub state_root: String,
}

/// Measures every configuration of `options`. Progress counts the set-up calls of each, then swaps.
///
/// # Errors
/// If a call fails, or a checksum is not that of the model, or not the published one.
pub fn run(options: &BenchOptions, progress: Progress<'_>) -> anyhow::Result<Vec<BenchRecord>> {
    Ok(measure(options, false, progress)?.0)
}

/// [`run`], and what more threads would bring, if `options` has one thread and more.
///
/// # Errors
/// As for [`run`].
pub fn run_and_scale(
    options: &BenchOptions,
    progress: Progress<'_>,
) -> anyhow::Result<(Vec<BenchRecord>, Option<Scaling>)> {
    measure(options, true, progress)
}

fn measure(
    options: &BenchOptions,
    traced: bool,
    progress: Progress<'_>,
) -> anyhow::Result<(Vec<BenchRecord>, Option<Scaling>)> {
    let BenchOptions { threads, blocks, compiler, .. } = options.clone();
    let turn_options = TurnOptions { threads, blocks, compiler, traced };
    turn_options.check()?;
    check(options)?;
    let mut workload = Workload::new(options.distribution);
    let blocks: Vec<_> =
        (0..=options.blocks).map(|_| workload.next_block(options.block_swaps)).collect();
    let reserves = workload.initial_reserves();
    let host = |config| {
        let mut exchange = Exchange::new(options.variant, reserves, &blocks, config, progress)?;
        exchange.add_accounts(options.extra_accounts, progress)?;
        Ok(Swaps { exchange, blocks: &blocks })
    };
    let turns = turns::run(&turn_options, host, progress)?;
    let records = turns.rows.iter().map(|row| record(row, options, &workload));
    Ok((records.collect::<anyhow::Result<_>>()?, turns.scaling))
}

pub(super) fn check(options: &BenchOptions) -> anyhow::Result<()> {
    ensure!(options.block_swaps > 0, "a block needs at least one swap");
    let most = options.distribution.pools() as usize;
    ensure!(
        options.distribution != Distribution::Disjoint || options.block_swaps <= most,
        "a disjoint block has at most {most} swaps"
    );
    ensure!(
        options.extra_accounts <= EXTRA_ACCOUNTS_MAX,
        "a state has at most {EXTRA_ACCOUNTS_MAX} further accounts"
    );
    Ok(())
}

/// An exchange, and the swaps that are coming.
struct Swaps<'s> {
    exchange: Exchange,
    blocks: &'s [Vec<Swap>],
}

impl Host for Swaps<'_> {
    fn runtime(&self) -> &Runtime {
        self.exchange.runtime()
    }

    fn runtime_mut(&mut self) -> &mut Runtime {
        self.exchange.runtime_mut()
    }

    fn block(&self, number: usize) -> Block {
        self.exchange.block(&self.blocks[number])
    }
}

/// The checksums of the state, which must be the model's and the published ones.
pub(super) fn check_end(
    exchange: &Exchange,
    options: &BenchOptions,
    workload: &Workload,
    threads: usize,
) -> anyhow::Result<Checksums> {
    let found = exchange.checksums()?;
    let expected = workload.model().checksums();
    let name = || format!("{} {} on {threads} threads", options.variant, options.distribution);
    ensure!(found == expected, "{} ends in {found}, the model in {expected}", name());
    let published = options.distribution.checksums(options.blocks + 1, options.block_swaps);
    if let Some(published) = published {
        ensure!(found == published, "{} ends in {found}, published is {published}", name());
    }
    Ok(found)
}

fn record(
    row: &Row<Swaps<'_>>,
    options: &BenchOptions,
    workload: &Workload,
) -> anyhow::Result<BenchRecord> {
    let found = check_end(&row.host.exchange, options, workload, row.threads)?;
    let figures = row.figures();
    Ok(BenchRecord {
        variant: options.variant,
        dist: options.distribution,
        threads: row.threads,
        block: options.block_swaps,
        blocks: options.blocks,
        extra_accounts: options.extra_accounts,
        ns_per_swap_min: figures.ns_per_call.min,
        ns_per_swap_median: figures.ns_per_call.median,
        ns_per_swap_max: figures.ns_per_call.max,
        swaps_per_s_median: figures.calls_per_s_median,
        gas_per_swap: figures.gas_per_call,
        reserves_fnv: format!("{:016x}", found.reserves),
        balances_fnv: format!("{:016x}", found.balances),
        state_root: row.host.runtime().state_root()?.to_string(),
    })
}
