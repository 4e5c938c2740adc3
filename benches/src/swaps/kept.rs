//! Measures swaps on a state that a backend keeps, beside the same swaps in memory.
//!
//! ```text
//! warm-up, flush │ decode execute commit │ decode execute commit │ … │ flush │
//!                └────────────────────────── one clock ──────────────────────┘
//! backend              ▇▇▇▇▇▇▇▇▇▇              ▇▇▇▇▇▇▇▇▇▇        …      ▇▇
//! ```
//!
//! A backend works beside the next block, so blocks follow each other without a pause, and the
//! figure is that of all of them together: until the last one is as durable as the backend makes
//! it. Blocks are encoded before the clock starts; receipts are checked after it has stopped.
//! Each block is kept with the state, encoded.

use super::bench::{BenchOptions, check, check_end};
use super::exchange::{Exchange, Variant};
use super::workload::{Distribution, Swap, Workload};
use crate::Progress;
use crate::contracts::{expect_success, next_block};
use crate::spread::Spread;
use anyhow::{Context, ensure};
use serde::Serialize;
use std::time::{Duration, Instant};
use tollway::kept_state::Backend;
use tollway::{Block, Config, Height, Receipt, Runtime};

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptRecord {
    /// Whether a backend kept the state; if not, it was in memory alone, without a root.
    pub kept: bool,
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
    /// Swaps a second over all blocks together, from the first byte decoded until the last block
    /// was durable.
    pub swaps_per_s: f64,
    /// The same time, in nanoseconds a swap.
    pub ns_per_swap: f64,
    /// Nanoseconds a swap until `commit` returned, in the fastest block.
    pub block_ns_per_swap_min: f64,
    /// In the median block.
    pub block_ns_per_swap_median: f64,
    /// In the slowest block.
    pub block_ns_per_swap_max: f64,
    /// Milliseconds from the last `commit` until all was durable, which is part of the figure; 0 in
    /// memory.
    pub flush_ms: f64,
    /// Gas a swap, over all measured blocks.
    pub gas_per_swap: f64,
    /// Checksum of the reserves at the end, as 16 hexadecimal digits.
    pub reserves_fnv: String,
    /// Checksum of the traders' balances at the end.
    pub balances_fnv: String,
    /// The last height.
    pub height: u64,
    /// Root of the state at the end, as 64 hexadecimal digits: that of the backend, or in memory
    /// one made from all entries.
    pub state_root: String,
}

/// Measures the swaps of `options` in memory, then on `backend`, on the first of its numbers of
/// threads. Progress counts the set-up calls of each, then swaps.
///
/// # Errors
/// If the backend has blocks already or fails, a call fails, or the state at the end is not that
/// of the model, or not the same in both.
pub fn run(
    options: &BenchOptions,
    backend: Box<dyn Backend>,
    progress: Progress<'_>,
) -> anyhow::Result<[KeptRecord; 2]> {
    check(options)?;
    ensure!(options.blocks > 0, "at least one block must be measured");
    ensure!(backend.head().height == Height(0), "the state has blocks already");
    let threads = *options.threads.first().context("no thread count to measure")?;
    let mut workload = Workload::new(options.distribution);
    let blocks: Vec<Vec<Swap>> =
        (0..=options.blocks).map(|_| workload.next_block(options.block_swaps)).collect();
    let config = Config { threads, compiler: options.compiler, ..Config::default() };
    let measure = |runtime| measure(runtime, options, &workload, &blocks, progress);
    let memory = measure(Runtime::new(config.clone())?)?;
    let kept = measure(Runtime::open(config, backend)?)?;
    ensure!(
        memory.state_root == kept.state_root,
        "the kept state ends as {}, that in memory as {}",
        kept.state_root,
        memory.state_root
    );
    Ok([memory, kept])
}

/// The times of the measured blocks.
struct Times {
    /// Until each was committed.
    blocks: Vec<Duration>,
    /// Until all were durable, from the first one's start.
    total: Duration,
    flush: Duration,
}

fn measure(
    runtime: Runtime,
    options: &BenchOptions,
    workload: &Workload,
    swaps: &[Vec<Swap>],
    progress: Progress<'_>,
) -> anyhow::Result<KeptRecord> {
    let BenchOptions { variant, distribution, block_swaps, .. } = *options;
    let reserves = workload.initial_reserves();
    let mut exchange = Exchange::on(runtime, variant, reserves, swaps, progress)?;
    exchange.add_accounts(options.extra_accounts, progress)?;
    let encoded = encoded_blocks(&exchange, swaps)?;
    let (warm_up, measured) = encoded.split_first().context("no block to warm up with")?;
    run_block(exchange.runtime_mut(), warm_up.clone())?;
    exchange.runtime().flush()?;

    let calls = (measured.len() * block_swaps) as f64;
    let (times, receipts) = timed(exchange.runtime_mut(), measured.to_vec(), |number| {
        progress((number * block_swaps) as u64, calls as u64);
    })?;
    for (bytes, receipts) in measured.iter().zip(&receipts) {
        expect_success(&borsh::from_slice(bytes)?, receipts)?;
    }
    let threads = exchange.runtime().config().threads;
    let found = check_end(&exchange, options, workload, threads)?;
    let runtime = exchange.runtime();
    let kept = runtime.kept()?;
    if let Some(kept) = kept {
        ensure!(kept.durable.height == runtime.head(), "not all is durable after a flush");
    }
    let gas: u64 = receipts.iter().flatten().map(|receipt| receipt.gas_used.0).sum();
    let per_swap = |time: &Duration| time.as_nanos() as f64 / block_swaps as f64;
    let block_ns = Spread::of(&times.blocks.iter().map(per_swap).collect::<Vec<_>>());
    Ok(KeptRecord {
        kept: kept.is_some(),
        variant,
        dist: distribution,
        threads,
        block: block_swaps,
        blocks: options.blocks,
        extra_accounts: options.extra_accounts,
        swaps_per_s: calls / times.total.as_secs_f64(),
        ns_per_swap: times.total.as_nanos() as f64 / calls,
        block_ns_per_swap_min: block_ns.min,
        block_ns_per_swap_median: block_ns.median,
        block_ns_per_swap_max: block_ns.max,
        flush_ms: if kept.is_some() { times.flush.as_secs_f64() * 1e3 } else { 0.0 },
        gas_per_swap: gas as f64 / calls,
        reserves_fnv: format!("{:016x}", found.reserves),
        balances_fnv: format!("{:016x}", found.balances),
        height: runtime.head().0,
        state_root: runtime.state_root()?.to_string(),
    })
}

/// The blocks as a node would receive them, for the heights that follow the head.
fn encoded_blocks(exchange: &Exchange, swaps: &[Vec<Swap>]) -> anyhow::Result<Vec<Vec<u8>>> {
    let head = exchange.runtime().head();
    let first = next_block(exchange.runtime(), Vec::new());
    let encode = |(after, swaps): (u64, &Vec<Swap>)| {
        let height = Height(head.0 + 1 + after);
        let time_ms = first.time_ms + 1_000 * after;
        let calls = exchange.block(swaps).calls;
        Ok(borsh::to_vec(&Block { height, time_ms, calls, ..Block::default() })?)
    };
    (0..).zip(swaps).map(encode).collect()
}

/// Runs blocks without a pause, and waits until all are durable.
fn timed(
    runtime: &mut Runtime,
    blocks: Vec<Vec<u8>>,
    done: impl Fn(usize),
) -> anyhow::Result<(Times, Vec<Vec<Receipt>>)> {
    let mut receipts = Vec::with_capacity(blocks.len());
    let mut times = Vec::with_capacity(blocks.len());
    let clock = Instant::now();
    for (number, bytes) in (1..).zip(blocks) {
        let start = clock.elapsed();
        receipts.push(run_block(runtime, bytes)?);
        times.push(clock.elapsed() - start);
        done(number);
    }
    let committed = clock.elapsed();
    runtime.flush()?;
    let total = clock.elapsed();
    Ok((Times { blocks: times, total, flush: total - committed }, receipts))
}

/// Decodes, executes and commits a block, and has it kept with the state.
fn run_block(runtime: &mut Runtime, bytes: Vec<u8>) -> anyhow::Result<Vec<Receipt>> {
    let block = Block::from_bytes(&bytes)?;
    let mut outcome = runtime.execute(&block)?;
    outcome.batch.keep_block(bytes);
    runtime.commit(outcome.batch)?;
    Ok(outcome.receipts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollway::kept_state::{MemoryBackend, WriteBatch};

    fn options(variant: Variant, extra_accounts: u32) -> BenchOptions {
        BenchOptions {
            distribution: Distribution::Zipf64,
            variant,
            threads: vec![2],
            blocks: 2,
            block_swaps: 300,
            extra_accounts,
            ..BenchOptions::default()
        }
    }

    #[test]
    fn the_kept_state_is_that_in_memory() {
        for variant in Variant::ALL {
            let options = options(variant, 25_000);
            let backend = Box::new(MemoryBackend::new());
            let [memory, kept] = run(&options, backend, &|_, _| ()).expect("both runs end well");
            assert!(kept.kept && !memory.kept);
            assert_eq!(kept.state_root, memory.state_root);
            assert_eq!(kept.height, memory.height);
            // More accounts are another state, in which the traders are as before.
            let fewer = BenchOptions { extra_accounts: 0, ..options };
            let backend = Box::new(MemoryBackend::new());
            let [_, other] = run(&fewer, backend, &|_, _| ()).expect("both runs end well");
            assert_ne!(other.state_root, kept.state_root);
            assert_eq!(other.balances_fnv, kept.balances_fnv);
            assert!(other.height < kept.height);
        }
    }

    #[test]
    fn a_state_with_blocks_is_refused() {
        let mut backend = MemoryBackend::new();
        backend.commit(&[WriteBatch::new(Height(1))]).expect("an empty block");
        let refused = run(&options(Variant::Monolith, 0), Box::new(backend), &|_, _| ());
        assert!(refused.is_err_and(|error| error.to_string().contains("has blocks already")));
    }
}
