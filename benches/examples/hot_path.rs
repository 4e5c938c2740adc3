//! The hot path and nothing else, for profilers: an exchange is set up, warmed, and given blocks of
//! swaps on one thread. All blocks are made beforehand, also those that are not run, so that two
//! runs with different `--blocks` differ by executing and committing blocks alone.
//!
//! ```text
//! cargo run --release -p tollway-benches --example hot_path -- --dist hot --blocks 4
//! ```
//!
//! `cargo xtask instructions` counts its instructions under callgrind.

use anyhow::{Context, bail, ensure};
use tollway::{Block, Config};
use tollway_benches::contracts::next_block;
use tollway_benches::swaps::{Distribution, Exchange, Variant, Workload};

/// The most blocks of any run: so many are made.
const BLOCKS_MAX: usize = 8;

/// Blocks that run before the others: pools of instances and tables reach their size.
const WARM_UP_BLOCKS: usize = 2;

struct Options {
    distribution: Distribution,
    variant: Variant,
    blocks: usize,
    block_swaps: usize,
    /// Whether instances are rewound as a whole: valgrind does not hand page faults on.
    reset_whole: bool,
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            distribution: Distribution::Disjoint,
            variant: Variant::Monolith,
            blocks: BLOCKS_MAX,
            block_swaps: 1_000,
            reset_whole: true,
        };
        while let Some(name) = args.next() {
            let value = args.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--dist" => options.distribution = value.parse()?,
                "--variant" => options.variant = value.parse()?,
                "--blocks" => options.blocks = value.parse().context("--blocks")?,
                "--block-swaps" => options.block_swaps = value.parse().context("--block-swaps")?,
                "--reset" if value == "whole" => options.reset_whole = true,
                "--reset" if value == "pages" => options.reset_whole = false,
                "--reset" => bail!("unknown reset {value:?}: expected pages or whole"),
                _ => bail!("unknown option {name:?}"),
            }
        }
        ensure!(options.blocks <= BLOCKS_MAX, "at most {BLOCKS_MAX} blocks");
        Ok(options)
    }
}

fn run_block(exchange: &mut Exchange, block: &Block) -> anyhow::Result<()> {
    let outcome = exchange.runtime_mut().execute(block)?;
    // A swap that fails is a shorter way, and no measurement.
    let failed = outcome.receipts.iter().filter(|receipt| !receipt.is_success()).count();
    ensure!(failed == 0, "{failed} swaps failed in block {}", block.height);
    exchange.runtime_mut().commit(outcome.batch)?;
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let mut workload = Workload::new(options.distribution);
    let swaps: Vec<_> = (0..WARM_UP_BLOCKS + BLOCKS_MAX)
        .map(|_| workload.next_block(options.block_swaps))
        .collect();
    let config = Config { threads: 1, reset_whole: options.reset_whole, ..Config::default() };
    let reserves = workload.initial_reserves();
    let mut exchange = Exchange::new(options.variant, reserves, &swaps, config, &|_, _| {})?;
    let first = next_block(exchange.runtime(), Vec::new()).height.0;
    let mut blocks: Vec<Block> = swaps.iter().map(|swaps| exchange.block(swaps)).collect();
    for (height, block) in (first..).zip(&mut blocks) {
        block.height.0 = height;
    }
    let count = WARM_UP_BLOCKS + options.blocks;
    for block in &blocks[..count] {
        run_block(&mut exchange, block)?;
    }
    println!(
        "{count} blocks of {} swaps, {WARM_UP_BLOCKS} of them to warm up",
        options.block_swaps
    );
    Ok(())
}
