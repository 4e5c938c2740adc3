//! The conflict pattern of real blocks, run through the contract `synthetic`.
//!
//! Each transaction becomes one call that reads, writes and adds to the keys that the transaction
//! touched, under a [`Rule`], and that works in proportion to the gas that it used.
//!
//! # Invariants
//! 1. A block's receipts and state are the oracle's, for any number of threads (checked for every
//!    block; an error otherwise).
//! 2. The runtime's plan has the critical path that [`crate::schedule`] computes from the files
//!    alone (checked for every block).
//!
//! What more threads would bring is simulated block by block; see [`crate::scaling`].

use super::expect_equal;
use crate::Progress;
use crate::access::{RecordedBlock, Rule};
use crate::contracts::{OPERATOR, call, expect_success, instantiate, next_block};
use crate::quiet::{Runs, Watch};
use crate::scaling::{
    BlockTimes, Check, CostModel, LIMITS, MeasuredSteps, Part, Samples, Shape, TracedBlock,
    WORKERS, measure_steps,
};
use crate::schedule::{Graph, Ideal, Task};
use anyhow::{Context, ensure};
use serde::Serialize;
use std::time::{Duration, Instant};
use tollway::oracle::Oracle;
use tollway::{Address, Block, BlockTrace, Call, Compiler, Config, Gas, Runtime};
use tollway_contracts_wasm::SYNTHETIC;
use tollway_host_api::Mode;

/// The gas of a transaction for which its replay burns one round, which takes one or two
/// nanoseconds: a block of 30 million gas takes some 30 ms, of which its keys are a small part.
pub const GAS_PER_ROUND: u64 = 2;

/// How to replay.
#[derive(Clone, Debug)]
pub struct AccessOptions {
    /// Worker threads of the parallel run.
    pub threads: usize,
    /// Which recorded touches are writes, and which adds.
    pub rule: Rule,
    /// How many quiet runs of each block there should be for its times; their median counts. On a
    /// machine that is never quiet, [`RUNS_PER_REPEAT_MAX`] times as many runs are made, and the
    /// fastest counts.
    pub repeats: usize,
    /// The engine's compiler.
    pub compiler: Compiler,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self { threads: 2, rule: Rule::All, repeats: 3, compiler: Compiler::default() }
    }
}

/// How many runs are made for a quiet one, at most; see [`crate::quiet`].
pub const RUNS_PER_REPEAT_MAX: usize = 3;

/// What one block allowed and how it ran.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessRecord {
    /// The real block's number.
    pub block: u64,
    /// Its transactions.
    pub calls: usize,
    /// The gas that they used.
    pub gas_total: u64,
    /// Transactions on the longest chain.
    pub critical_path_calls: u32,
    /// Gas of the costliest chain.
    pub critical_path_gas: u64,
    /// Ideal speed-ups by gas.
    pub ideal_speedup: Ideal,
    /// Milliseconds that executing the block took on one thread; without its commit.
    pub serial_ms: f64,
    /// The same on as many threads as asked for.
    pub parallel_ms: f64,
    /// Whether both times are of runs that had the machine to themselves.
    pub quiet: bool,
    /// The speed-up reached over the ideal one on as many threads.
    pub reached_of_ideal: f64,
    /// Simulated against measured, on one thread and on those asked for; empty if that is one.
    pub checks: Vec<Check>,
    /// What more threads would bring, for [`WORKERS`]; empty if only one was asked for.
    pub simulated: Vec<AccessPoint>,
}

/// What so many workers would make of a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AccessPoint {
    /// Workers, one core each.
    pub workers: usize,
    /// Simulated speed-up over one worker.
    pub speedup: f64,
    /// Ideal speed-up by gas.
    pub ideal_speedup: f64,
}

/// All blocks together; medians are weighted by gas.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessSummary {
    /// What was an add.
    pub rule: Rule,
    /// Worker threads of the parallel run.
    pub threads: usize,
    /// Recorded blocks.
    pub blocks: usize,
    /// Those whose times are of quiet runs.
    pub quiet_blocks: usize,
    /// Median of [`AccessRecord::reached_of_ideal`].
    pub reached_of_ideal: f64,
    /// The same over quiet blocks alone, if there are any.
    pub reached_of_ideal_quiet: Option<f64>,
    /// For one thread and for those asked for: the median of how far simulated times are off,
    /// either way, over quiet blocks if there are any.
    pub simulation_errors: Vec<f64>,
    /// Medians of the blocks' curves.
    pub simulated: Vec<AccessPoint>,
    /// What the simulation leaves out.
    pub limits: &'static str,
}

impl AccessSummary {
    /// Of the records of one run. `None` if there are none.
    pub fn new(records: &[AccessRecord], options: &AccessOptions) -> Option<Self> {
        let all: Vec<&AccessRecord> = records.iter().collect();
        let first = all.first()?;
        let quiet: Vec<&AccessRecord> = records.iter().filter(|record| record.quiet).collect();
        let best = if quiet.is_empty() { &all } else { &quiet };
        let reached = |record: &AccessRecord| record.reached_of_ideal;
        let errors = (0..first.checks.len())
            .map(|at| weighted_median(best, |record| record.checks[at].error.abs()));
        let point = |at: usize| AccessPoint {
            workers: first.simulated[at].workers,
            speedup: weighted_median(&all, |record| record.simulated[at].speedup),
            ideal_speedup: weighted_median(&all, |record| record.simulated[at].ideal_speedup),
        };
        Some(Self {
            rule: options.rule,
            threads: options.threads,
            blocks: records.len(),
            quiet_blocks: quiet.len(),
            reached_of_ideal: weighted_median(&all, reached),
            reached_of_ideal_quiet: (!quiet.is_empty()).then(|| weighted_median(&quiet, reached)),
            simulation_errors: errors.collect(),
            simulated: (0..first.simulated.len()).map(point).collect(),
            limits: LIMITS,
        })
    }
}

/// The least value such that blocks with at least half of the gas have no greater one.
fn weighted_median(records: &[&AccessRecord], value: impl Fn(&AccessRecord) -> f64) -> f64 {
    let mut values: Vec<(f64, u64)> =
        records.iter().map(|record| (value(record), record.gas_total)).collect();
    values.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: u64 = values.iter().map(|(_, gas)| gas).sum();
    let mut below = 0;
    let reaches_half = |(_, gas): &&(f64, u64)| {
        below += gas;
        2 * below >= total
    };
    values.iter().find(reaches_half).map_or(f64::NAN, |(value, _)| *value)
}

/// Replays blocks in order, on one state, and hands out a record after each. Progress counts
/// blocks.
///
/// # Errors
/// If a call fails, the result is not the oracle's, the plan's critical path is not the one
/// computed from the record, or `on_record` fails.
pub fn run(
    blocks: &[RecordedBlock],
    options: &AccessOptions,
    mut on_record: impl FnMut(&AccessRecord) -> anyhow::Result<()>,
    progress: Progress<'_>,
) -> anyhow::Result<Vec<AccessRecord>> {
    ensure!(options.threads > 0, "at least one thread is needed");
    ensure!(options.repeats > 0, "at least one run a block is needed");
    let mut replay = Replay::new(options)?;
    let mut records = Vec::with_capacity(blocks.len());
    for recorded in blocks {
        let run = replay.run(recorded, options);
        let record = run.with_context(|| format!("recorded block {}", recorded.block))?;
        on_record(&record)?;
        records.push(record);
        progress(records.len() as u64, blocks.len() as u64);
    }
    Ok(records)
}

/// Runtimes and an oracle that see the same blocks.
struct Replay {
    serial: Runtime,
    parallel: Runtime,
    /// On one thread and on those asked for, if a model is to be made.
    tracers: Option<[Runtime; 2]>,
    steps: MeasuredSteps,
    oracle: Oracle,
    contract: Address,
}

/// A traced block runs so often.
const TRACED_RUNS: usize = 3;

/// An untraced run of a block.
#[derive(Clone, Copy)]
struct Run {
    ms: f64,
    /// Nanoseconds of what is neither resolve, plan, lanes nor settling.
    rest_ns: f64,
}

/// All of them on one number of threads, each with whether it was quiet.
type Timed = Vec<(Run, bool)>;

fn quiet_count(timed: &Timed) -> usize {
    timed.iter().filter(|run| run.1).count()
}

impl Replay {
    fn new(options: &AccessOptions) -> anyhow::Result<Self> {
        let contract_of = |(runtime, contract): (Runtime, Address), expected: Address| {
            ensure!(contract == expected, "two runtimes give one contract two addresses");
            Ok(runtime)
        };
        let (serial, contract) = runtime(1, false, options)?;
        let parallel = contract_of(runtime(options.threads, false, options)?, contract)?;
        let tracers = match options.threads {
            1 => None,
            threads => Some([
                contract_of(runtime(1, true, options)?, contract)?,
                contract_of(runtime(threads, true, options)?, contract)?,
            ]),
        };
        let oracle = Oracle::new(&parallel);
        Ok(Self { serial, parallel, tracers, steps: measure_steps(), oracle, contract })
    }

    fn run(
        &mut self,
        recorded: &RecordedBlock,
        options: &AccessOptions,
    ) -> anyhow::Result<AccessRecord> {
        let tasks = recorded.tasks(options.rule);
        let graph = Graph::new(&tasks);
        let calls = tasks.iter().map(|task| self.call(task)).collect();
        let block = next_block(&self.parallel, calls);
        self.expect_plan(&block, &graph)?;
        let timed = self.measure(&block, options.repeats)?;
        let runs = timed.clone().map(Runs::new);
        let [serial_ms, parallel_ms] = [0, 1].map(|at: usize| runs[at].typical(|run| run.ms));
        let model = self.model(&block, tasks, &runs, options.threads)?;
        self.commit(&block)?;
        let mut record = AccessRecord {
            block: recorded.block,
            calls: recorded.calls.len(),
            gas_total: graph.cost_total(),
            critical_path_calls: graph.critical_path_calls(),
            critical_path_gas: graph.critical_path_cost(),
            ideal_speedup: graph.ideal(),
            serial_ms,
            parallel_ms,
            quiet: runs.iter().all(Runs::is_quiet),
            reached_of_ideal: serial_ms / parallel_ms / graph.speedup(options.threads),
            checks: Vec::new(),
            simulated: Vec::new(),
        };
        if let Some((model, traced)) = model {
            let check = |threads: usize, timed: &Timed| {
                let ns = timed.iter().map(|(run, quiet)| (run.ms * 1e6, *quiet)).collect();
                Check::new(threads, ns, model.block_ns(&traced, threads))
            };
            record.checks = vec![check(1, &timed[0]), check(options.threads, &timed[1])];
            let one = model.block_ns(&traced, 1);
            let point = |workers| AccessPoint {
                workers,
                speedup: one / model.block_ns(&traced, workers),
                ideal_speedup: graph.speedup(workers),
            };
            record.simulated = WORKERS.map(point).into();
        }
        Ok(record)
    }

    /// The costs of the block, from runs that are traced, and not committed.
    fn model(
        &mut self,
        block: &Block,
        tasks: Vec<Task>,
        runs: &[Runs<Run>; 2],
        threads: usize,
    ) -> anyhow::Result<Option<(CostModel, TracedBlock)>> {
        let Some(tracers) = &mut self.tracers else {
            return Ok(None);
        };
        let mut traces = [Vec::new(), Vec::new()];
        for _ in 0..TRACED_RUNS {
            for (runtime, traces) in tracers.iter_mut().zip(&mut traces) {
                let watch = Watch::start();
                let outcome = runtime.execute(block)?;
                let quiet = watch.was_quiet();
                traces.push((outcome.trace.context("the runtime made no trace")?, quiet));
            }
        }
        let times = |traces: &[(BlockTrace, bool)], runs: &Runs<Run>| {
            let rest_ns = runs.typical(|run| run.rest_ns);
            let times = traces.iter().map(|(trace, quiet)| {
                // Neither decoding nor the commit is part of a record's times.
                let mut times =
                    BlockTimes::outside_of_calls(Duration::ZERO, trace, Duration::ZERO)?;
                times[Part::Rest] = rest_ns;
                Ok((times, *quiet))
            });
            anyhow::Ok(Runs::new(times.collect::<anyhow::Result<_>>()?))
        };
        let [one, many] = [times(&traces[0], &runs[0])?, times(&traces[1], &runs[1])?];
        let [alone, beside] = traces.map(Runs::new);
        let shape = Some(Shape::Accesses(tasks));
        let traced = TracedBlock::new(&alone, &beside, self.steps.clock_ns, shape)?;
        let samples = Samples { one: &one, many: &many, threads, traced: &[&traced] };
        let model = CostModel::fit(&samples, &self.steps);
        Ok(Some((model, traced)))
    }

    fn call(&self, task: &Task) -> Call {
        let keys = |mode: Mode| -> Vec<u32> {
            let accesses = task.accesses.iter();
            accesses.filter(|access| access.1 == mode).map(|access| access.0).collect()
        };
        let burn = task.cost / GAS_PER_ROUND;
        let args = (keys(Mode::Read), keys(Mode::Write), keys(Mode::Add), burn);
        let gas_limit = Gas(self.parallel.config().limits.call_gas_max);
        Call { gas_limit, ..call(OPERATOR, self.contract, "run", args) }
    }

    fn expect_plan(&self, block: &Block, graph: &Graph) -> anyhow::Result<()> {
        let plan = self.parallel.plan(block)?.plan;
        ensure!(
            plan.critical_path_calls == graph.critical_path_calls(),
            "the plan's critical path has {} calls, the record's {}",
            plan.critical_path_calls,
            graph.critical_path_calls()
        );
        Ok(())
    }

    /// Executes the block without committing it, on one thread and on those asked for in turn.
    fn measure(&mut self, block: &Block, repeats: usize) -> anyhow::Result<[Timed; 2]> {
        let mut timed = [Vec::new(), Vec::new()];
        for run in 0..repeats * RUNS_PER_REPEAT_MAX {
            if run >= repeats && timed.iter().all(|timed| quiet_count(timed) >= repeats) {
                break;
            }
            timed[0].push(execute(&mut self.serial, block)?);
            timed[1].push(execute(&mut self.parallel, block)?);
        }
        Ok(timed)
    }

    /// Makes the block part of all states and checks that they are one.
    fn commit(&mut self, block: &Block) -> anyhow::Result<()> {
        let outcome = self.parallel.execute(block)?;
        expect_success(block, &outcome.receipts)?;
        expect_equal(&mut self.oracle, block, &outcome.receipts)?;
        self.parallel.commit(outcome.batch)?;
        let serial = self.serial.execute(block)?;
        ensure!(serial.receipts == outcome.receipts, "one thread gives other receipts");
        self.serial.commit(serial.batch)?;
        for tracer in self.tracers.iter_mut().flatten() {
            let traced = tracer.execute(block)?;
            tracer.commit(traced.batch)?;
        }
        let expected = self.oracle.state_root();
        let found = [self.serial.state_root()?, self.parallel.state_root()?];
        ensure!(found == [expected; 2], "states are {found:?}, the oracle's is {expected:?}");
        Ok(())
    }
}

fn runtime(
    threads: usize,
    trace: bool,
    options: &AccessOptions,
) -> anyhow::Result<(Runtime, Address)> {
    let config = Config { threads, trace, compiler: options.compiler, ..Config::default() };
    let mut runtime = Runtime::new(config)?;
    let code = runtime.upload(SYNTHETIC)?;
    let contract = instantiate(&mut runtime, code, 0, ())?;
    Ok((runtime, contract))
}

fn execute(runtime: &mut Runtime, block: &Block) -> anyhow::Result<(Run, bool)> {
    let watch = Watch::start();
    let clock = Instant::now();
    let outcome = runtime.execute(block)?;
    let elapsed = clock.elapsed();
    let quiet = watch.was_quiet();
    let times = BlockTimes::new(Duration::ZERO, elapsed, &outcome.stats, Duration::ZERO);
    drop(outcome);
    Ok((Run { ms: elapsed.as_secs_f64() * 1e3, rest_ns: times[Part::Rest] }, quiet))
}
