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

use super::expect_equal;
use crate::Progress;
use crate::access::{RecordedBlock, Rule};
use crate::contracts::{OPERATOR, call, expect_success, instantiate, next_block};
use crate::schedule::{Graph, Ideal, Task};
use crate::spread::Spread;
use anyhow::{Context, ensure};
use serde::Serialize;
use std::time::Instant;
use tollway::oracle::Oracle;
use tollway::{Address, Block, Call, Compiler, Config, Gas, Runtime};
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
    /// How often each block is executed for its times; their median counts.
    pub repeats: usize,
    /// The engine's compiler.
    pub compiler: Compiler,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self { threads: 2, rule: Rule::All, repeats: 3, compiler: Compiler::default() }
    }
}

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

/// Two runtimes and an oracle that see the same blocks.
struct Replay {
    serial: Runtime,
    parallel: Runtime,
    oracle: Oracle,
    contract: Address,
}

impl Replay {
    fn new(options: &AccessOptions) -> anyhow::Result<Self> {
        let (serial, contract) = runtime(1, options)?;
        let (parallel, contract_too) = runtime(options.threads, options)?;
        ensure!(contract == contract_too, "two runtimes give one contract two addresses");
        let oracle = Oracle::new(&parallel);
        Ok(Self { serial, parallel, oracle, contract })
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
        let (serial_ms, parallel_ms) = self.measure(&block, options.repeats)?;
        self.commit(&block)?;
        Ok(AccessRecord {
            block: recorded.block,
            calls: recorded.calls.len(),
            gas_total: graph.cost_total(),
            critical_path_calls: graph.critical_path_calls(),
            critical_path_gas: graph.critical_path_cost(),
            ideal_speedup: graph.ideal(),
            serial_ms,
            parallel_ms,
        })
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

    /// Median times of executing the block without committing it, the two runtimes taking turns.
    fn measure(&mut self, block: &Block, repeats: usize) -> anyhow::Result<(f64, f64)> {
        let (mut serial_ms, mut parallel_ms) = (Vec::new(), Vec::new());
        for _ in 0..repeats {
            serial_ms.push(execute_ms(&mut self.serial, block)?);
            parallel_ms.push(execute_ms(&mut self.parallel, block)?);
        }
        Ok((Spread::of(&serial_ms).median, Spread::of(&parallel_ms).median))
    }

    /// Makes the block part of all three states and checks that they are one.
    fn commit(&mut self, block: &Block) -> anyhow::Result<()> {
        let outcome = self.parallel.execute(block)?;
        expect_success(block, &outcome.receipts)?;
        expect_equal(&mut self.oracle, block, &outcome.receipts)?;
        self.parallel.commit(outcome.batch)?;
        let serial = self.serial.execute(block)?;
        ensure!(serial.receipts == outcome.receipts, "one thread gives other receipts");
        self.serial.commit(serial.batch)?;
        let expected = self.oracle.state_digest();
        let found = [self.serial.state_digest(), self.parallel.state_digest()];
        ensure!(found == [expected; 2], "states are {found:?}, the oracle's is {expected:?}");
        Ok(())
    }
}

fn runtime(threads: usize, options: &AccessOptions) -> anyhow::Result<(Runtime, Address)> {
    let config = Config { threads, compiler: options.compiler, ..Config::default() };
    let mut runtime = Runtime::new(config)?;
    let code = runtime.upload(SYNTHETIC)?;
    let contract = instantiate(&mut runtime, code, 0, ())?;
    Ok((runtime, contract))
}

fn execute_ms(runtime: &mut Runtime, block: &Block) -> anyhow::Result<f64> {
    let clock = Instant::now();
    let outcome = runtime.execute(block)?;
    let elapsed = clock.elapsed();
    drop(outcome);
    Ok(elapsed.as_secs_f64() * 1e3)
}
