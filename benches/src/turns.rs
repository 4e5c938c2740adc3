//! Measures blocks on several numbers of threads, and what more threads would bring.
//!
//! ```text
//! block       0 1 2                   3 4 5                   6
//! 1 thread    ▇▇▇▇▇▇                  ▇▇▇▇▇▇                  ▇▇
//! 2 threads         ▇▇▇                     ▇▇▇                 ▇▇      …
//! traced               ▇▇▇▇▇▇▇▇▇               ▇▇▇▇▇▇▇▇▇          ▇▇▇
//! ```
//!
//! Configurations take turns, each on a runtime of its own, so that what else the machine does hits
//! them alike; a few blocks each time, because a node runs block after block, and only the first of
//! a turn finds the caches full of what others did. Block 0 warms up. Timed is what a node does with a block it received: decode it,
//! execute it, commit it. Not timed: making the block, checking its receipts, dropping it.
//!
//! Traced turns are what the model of [`crate::scaling`] is fitted to, and the others are what it is
//! checked against.

use crate::Progress;
use crate::contracts::expect_success;
use crate::quiet::{Runs, Watch};
use crate::scaling::{
    BlockTimes, Check, CostModel, MeasuredSteps, Part, Samples, Scaling, TracedBlock, block_ns,
    measure_steps,
};
use crate::spread::Spread;
use anyhow::{Context, ensure};
use std::time::{Duration, Instant};
use tollway::{Block, BlockTrace, Compiler, Config, Receipt, Runtime};

/// A runtime that is set up for a workload.
pub trait Host {
    /// The runtime.
    fn runtime(&self) -> &Runtime;
    /// The same, to execute and commit blocks.
    fn runtime_mut(&mut self) -> &mut Runtime;
    /// The block of this number, from 0, at the next height.
    fn block(&self, number: usize) -> Block;
    /// Checks what became of a block.
    ///
    /// # Errors
    /// If a call failed or, unless that is meant, touched what it does not declare.
    fn expect(&self, block: &Block, receipts: &[Receipt]) -> anyhow::Result<()> {
        expect_success(block, receipts)
    }
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct TurnOptions {
    /// Numbers of worker threads, one row each.
    pub threads: Vec<usize>,
    /// Measured blocks; one more is run before them.
    pub blocks: usize,
    /// The engine's compiler.
    pub compiler: Compiler,
    /// Whether blocks are traced too, for a [`Scaling`]. Needs a row of one thread and one of more.
    pub traced: bool,
}

impl TurnOptions {
    /// # Errors
    /// If nothing would be measured.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.blocks > 0, "at least one block must be measured");
        ensure!(!self.threads.is_empty(), "no thread count to measure");
        ensure!(!self.threads.contains(&0), "a thread count must be above 0");
        Ok(())
    }

    /// The number of threads whose runs a model is fitted to, besides those on one.
    fn threads_of_model(&self) -> Option<usize> {
        let several = self.threads.iter().copied().filter(|threads| *threads > 1).min();
        several.filter(|_| self.traced && self.threads.contains(&1))
    }
}

/// What was measured on one number of threads.
pub struct Row<H> {
    /// Worker threads.
    pub threads: usize,
    /// The runtime, after all blocks.
    pub host: H,
    /// One entry for each measured block.
    pub times: Vec<BlockTimes>,
    /// For each of them, whether it had the machine to itself.
    pub quiet: Vec<bool>,
    /// Gas of all measured blocks.
    pub gas: u64,
    /// Calls of all measured blocks.
    pub calls: u64,
}

/// The figures of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Nanoseconds a call, over the measured blocks.
    pub ns_per_call: Spread,
    /// Calls a second, in the median block.
    pub calls_per_s_median: f64,
    /// Gas a call, over all measured blocks.
    pub gas_per_call: f64,
}

impl<H: Host> Row<H> {
    /// Its figures.
    ///
    /// # Panics
    /// If no block was measured.
    pub fn figures(&self) -> Figures {
        let calls = self.calls as f64 / self.times.len() as f64;
        let ns: Vec<f64> = self.times.iter().map(|times| times.total() / calls).collect();
        let ns_per_call = Spread::of(&ns);
        Figures {
            ns_per_call,
            calls_per_s_median: 1e9 / ns_per_call.median,
            gas_per_call: self.gas as f64 / self.calls as f64,
        }
    }

    fn runs(&self) -> Runs<BlockTimes> {
        Runs::new(self.times.iter().copied().zip(self.quiet.iter().copied()).collect())
    }

    fn new(threads: usize, host: H) -> Self {
        Self { threads, host, times: Vec::new(), quiet: Vec::new(), gas: 0, calls: 0 }
    }

    /// Runs the block of this number; 0 is the warm-up.
    fn run(&mut self, number: usize) -> anyhow::Result<u64> {
        let block = self.host.block(number);
        let bytes = borsh::to_vec(&block)?;
        let runtime = self.host.runtime_mut();
        let watch = Watch::start();
        let clock = Instant::now();
        let decoded = Block::from_bytes(&bytes)?;
        let decode = clock.elapsed();
        let outcome = runtime.execute(&decoded)?;
        let execute = clock.elapsed() - decode;
        runtime.commit(outcome.batch)?;
        let commit = clock.elapsed() - decode - execute;
        let quiet = watch.was_quiet();
        self.host.expect(&block, &outcome.receipts)?;
        let calls = block.calls.len() as u64;
        if number > 0 {
            self.times.push(BlockTimes::new(decode, execute, &outcome.stats, commit));
            self.quiet.push(quiet);
            self.gas += outcome.receipts.iter().map(|receipt| receipt.gas_used.0).sum::<u64>();
            self.calls += calls;
        }
        Ok(calls)
    }
}

/// A runtime that traces.
struct Tracer<H> {
    host: H,
    /// Of every run of every measured block, without rest and commit; and whether it was quiet.
    times: Vec<(BlockTimes, bool)>,
    /// Nanoseconds of every commit.
    commits: Vec<(f64, bool)>,
}

impl<H: Host> Tracer<H> {
    /// Runs the block of this number once, and commits it if it is the last time. Gives the trace,
    /// and whether the run was quiet.
    fn run(&mut self, number: usize, last: bool) -> anyhow::Result<(BlockTrace, bool)> {
        let block = self.host.block(number);
        let bytes = borsh::to_vec(&block)?;
        let runtime = self.host.runtime_mut();
        let watch = Watch::start();
        let clock = Instant::now();
        let decoded = Block::from_bytes(&bytes)?;
        let decode = clock.elapsed();
        let outcome = runtime.execute(&decoded)?;
        let quiet = watch.was_quiet();
        let trace = outcome.trace.context("the runtime made no trace")?;
        if last {
            let watch = Watch::start();
            let clock = Instant::now();
            runtime.commit(outcome.batch)?;
            let ns = clock.elapsed().as_nanos() as f64;
            if number > 0 {
                self.commits.push((ns, watch.was_quiet()));
            }
        }
        if number > 0 {
            let times = BlockTimes::outside_of_calls(decode, &trace, Duration::ZERO)?;
            self.times.push((times, quiet));
        }
        Ok((trace, quiet))
    }

    /// The times of all runs, with the parts that a trace does not tell of.
    fn samples(&self, rest_ns: f64) -> Runs<BlockTimes> {
        let commit_ns = Runs::new(self.commits.clone()).typical(|ns| *ns);
        let mut times = self.times.clone();
        for (times, _) in &mut times {
            times[Part::Rest] = rest_ns;
            times[Part::Commit] = commit_ns;
        }
        Runs::new(times)
    }
}

/// Two runtimes that trace: on one thread, and on several.
struct Tracers<H> {
    hosts: [Tracer<H>; 2],
    threads: usize,
    steps: MeasuredSteps,
    /// One for each measured block.
    blocks: Vec<TracedBlock>,
}

/// Blocks that a configuration runs before the next one has its turn.
const TURN_BLOCKS: usize = 3;

/// A traced block runs so often.
const TRACED_RUNS: usize = 5;

impl<H: Host> Tracers<H> {
    fn new(threads: usize, hosts: [H; 2]) -> Self {
        let hosts = hosts.map(|host| Tracer { host, times: Vec::new(), commits: Vec::new() });
        Self { hosts, threads, steps: measure_steps(), blocks: Vec::new() }
    }

    fn run(&mut self, number: usize) -> anyhow::Result<()> {
        let mut traces = [Vec::new(), Vec::new()];
        for run in 1..=TRACED_RUNS {
            for (host, traces) in self.hosts.iter_mut().zip(&mut traces) {
                traces.push(host.run(number, run == TRACED_RUNS)?);
            }
        }
        if number > 0 {
            let [alone, beside] = traces.map(Runs::new);
            self.blocks.push(TracedBlock::new(&alone, &beside, self.steps.clock_ns, None)?);
        }
        Ok(())
    }

    /// The model of all traced runs, and of what the rows say of the part that no trace tells of.
    fn scaling(&self, rows: &[Row<H>]) -> anyhow::Result<Scaling> {
        let row = |threads: usize| rows.iter().find(|row| row.threads == threads);
        let (Some(one), Some(many)) = (row(1), row(self.threads)) else {
            anyhow::bail!("a model needs a row of one thread and one of more");
        };
        let rest = |times: &BlockTimes| times[Part::Rest];
        let [one_times, many_times] = [(0, one), (1, many)]
            .map(|(at, row): (usize, &Row<H>)| self.hosts[at].samples(row.runs().typical(rest)));
        let blocks: Vec<&TracedBlock> = self.blocks.iter().collect();
        let samples =
            Samples { one: &one_times, many: &many_times, threads: self.threads, traced: &blocks };
        let model = CostModel::fit(&samples, &self.steps);
        let checks = [one, many].map(|row| {
            let runs = row.times.iter().map(BlockTimes::total).zip(row.quiet.iter().copied());
            let simulated_ns = block_ns(&model, &blocks, row.threads);
            Check::new(row.threads, runs.collect(), simulated_ns)
        });
        Ok(Scaling::new(model, checks.into(), &blocks))
    }
}

/// What all turns gave.
pub struct Turns<H> {
    /// One for each number of threads, in the order asked for.
    pub rows: Vec<Row<H>>,
    /// What more threads would bring, if it was asked for and there is a row of one thread and one
    /// of more.
    pub scaling: Option<Scaling>,
}

/// Measures every configuration of `options` on a runtime that `host` makes. Progress counts the
/// set-up of each as `host` does, then the calls of the untraced ones.
///
/// # Errors
/// If a call fails, or two runs end in different states.
pub fn run<H: Host>(
    options: &TurnOptions,
    mut host: impl FnMut(Config) -> anyhow::Result<H>,
    progress: Progress<'_>,
) -> anyhow::Result<Turns<H>> {
    options.check()?;
    let mut make = |threads, trace| {
        host(Config { threads, trace, compiler: options.compiler, ..Config::default() })
    };
    let rows = options.threads.iter().map(|threads| Ok(Row::new(*threads, make(*threads, false)?)));
    let mut rows = rows.collect::<anyhow::Result<Vec<_>>>()?;
    let mut tracers = match options.threads_of_model() {
        Some(threads) => Some(Tracers::new(threads, [make(1, true)?, make(threads, true)?])),
        None => None,
    };
    let blocks = ((options.blocks + 1) * rows.len()) as u64;
    let mut blocks_done = 0;
    let mut calls_done = 0;
    for start in (0..=options.blocks).step_by(TURN_BLOCKS) {
        let turn = start..(start + TURN_BLOCKS).min(options.blocks + 1);
        for row in &mut rows {
            for number in turn.clone() {
                calls_done += row.run(number)?;
                blocks_done += 1;
                // Blocks are of one size, or nearly.
                progress(calls_done, calls_done * blocks / blocks_done);
            }
        }
        if let Some(tracers) = &mut tracers {
            turn.clone().try_for_each(|number| tracers.run(number))?;
        }
    }
    expect_one_state(&rows)?;
    let scaling = tracers.map(|tracers| tracers.scaling(&rows)).transpose()?;
    Ok(Turns { rows, scaling })
}

fn expect_one_state<H: Host>(rows: &[Row<H>]) -> anyhow::Result<()> {
    let mut first = None;
    for row in rows {
        let root = row.host.runtime().state_root()?;
        let (threads, expected) = *first.get_or_insert((row.threads, root));
        ensure!(
            root == expected,
            "{threads} and {} threads end in different states: {expected} and {root}",
            row.threads
        );
    }
    Ok(())
}
