//! Measures the mixed block, and each kind of call alone.

use super::parts::{ABLATIONS, KINDS, Kind};
use super::world::{At, Declared, Part, World};
use crate::Progress;
use crate::scaling::Scaling;
use crate::swaps::random::Random;
use crate::turns::{self, Host, Row, TurnOptions};
use anyhow::{Context, ensure};
use serde::Serialize;
use tollway::{Block, BlockTrace, Call, Config, Receipt, Runtime};

const SEED: u64 = 0x7011_3A9E_2026_0006;

/// The most calls of a block: kinds that use something up, such as votes, have room for them.
pub const BLOCK_CALLS_MAX: usize = 100_000;

/// What to measure.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// Threads, blocks and the rest.
    pub turns: TurnOptions,
    /// Calls of a block; at most [`BLOCK_CALLS_MAX`].
    pub block_calls: usize,
    /// The kinds that are called, by name; all of [`KINDS`] if empty.
    pub only: Vec<String>,
    /// Which access sections contracts are deployed with.
    pub declared: Declared,
    /// Accounts; see [`USERS`](super::USERS).
    pub users: usize,
}

/// The figures of one number of threads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuiteRecord {
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
    /// What the plan of the last block allows on so many threads, by gas, without any overhead.
    pub speedup_possible: f64,
    /// Blocks that had the machine to themselves; see [`crate::quiet`].
    pub quiet_blocks: usize,
    /// Gas a call, over all measured blocks.
    pub gas_per_call: f64,
    /// The state root at the end.
    pub state_root: String,
}

/// The figures of one kind of call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartRecord {
    /// The contract.
    pub name: &'static str,
    /// What the calls do.
    pub about: &'static str,
    /// One for each number of threads.
    pub records: Vec<SuiteRecord>,
    /// Calls on the longest chain of a block.
    pub critical_path_calls: u32,
    /// Calls of a block that declare nothing, and so run one after another.
    pub undeclared_calls: u32,
    /// Keys a call declares, on average.
    pub keys_per_call: f64,
    /// What the plan allows on any number of threads, by gas.
    pub speedup_unlimited: f64,
    /// The key that most calls wait for one after another; empty if nobody waits.
    pub hot_key: String,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct SuiteReport {
    /// One for each number of threads.
    pub records: Vec<SuiteRecord>,
    /// What more threads would bring, if it was asked for and there is a row of one thread and one
    /// of more.
    pub scaling: Option<Scaling>,
    /// The plan of the last block, run on one thread.
    pub trace: BlockTrace,
}

/// Measures blocks of the kinds asked for. Progress counts the calls of each part of the set-up,
/// then those of the measured blocks.
///
/// # Errors
/// If a call fails or touches what it does not declare, or two runs end in different states.
pub fn run(options: &SuiteOptions, progress: Progress<'_>) -> anyhow::Result<SuiteReport> {
    measure(options, &kinds(&options.only)?, progress)
}

/// Measures each of the kinds asked for alone; with none, all, and the [`ABLATIONS`] after them.
/// Progress is that of [`run`], once for each.
///
/// # Errors
/// As for [`run`].
pub fn run_alone(
    options: &SuiteOptions,
    progress: Progress<'_>,
) -> anyhow::Result<Vec<PartRecord>> {
    let mut chosen = kinds(&options.only)?;
    if options.only.is_empty() {
        chosen.extend(ABLATIONS.iter().map(|ablation| ablation.kind));
    }
    let parts = chosen.into_iter().map(|kind| {
        let report = measure(options, &[kind], progress).with_context(|| kind.name.to_owned())?;
        let plan = &report.trace.plan;
        Ok(PartRecord {
            name: kind.name,
            about: kind.about,
            critical_path_calls: plan.critical_path_calls,
            undeclared_calls: plan.undeclared,
            keys_per_call: plan.accesses as f64 / f64::from(plan.calls.max(1)),
            speedup_unlimited: plan.speedup_gas.last().map_or(1.0, |(_, speedup)| *speedup),
            hot_key: report.trace.hot_keys.first().map_or_else(String::new, |key| key.name.clone()),
            records: report.records,
        })
    });
    parts.collect()
}

/// How worlds are made.
#[derive(Clone, Copy)]
struct Setting<'p> {
    declared: Declared,
    users: usize,
    progress: Progress<'p>,
}

impl<'p> Setting<'p> {
    fn world(self, config: Config) -> anyhow::Result<World<'p>> {
        World::new(config, self.declared, self.users, self.progress)
    }
}

/// A run of one mixed block.
#[derive(Debug)]
pub struct TracedSuite {
    /// On so many threads as were asked for.
    pub trace: BlockTrace,
    /// On one.
    pub serial: BlockTrace,
}

/// Runs a mixed block on one thread and on several, several times each, and gives the trace of the
/// fastest run.
///
/// # Errors
/// As for [`run`].
pub fn traced(
    threads: usize,
    block_calls: usize,
    users: usize,
    progress: Progress<'_>,
) -> anyhow::Result<TracedSuite> {
    let kinds = kinds(&[])?;
    let setting = Setting { declared: Declared::AsWritten, users, progress };
    let config = |threads| Config { threads, trace: true, ..Config::default() };
    let (world, blocks) = draw_in(config(1), &kinds, setting, 2, block_calls)?;
    let serial = Town { world, blocks: &blocks }.trace(1)?;
    let trace = Town::new(config(threads), setting, &kinds, &blocks)?.trace(1)?;
    Ok(TracedSuite { trace, serial })
}

/// The kinds of these names, or all.
fn kinds(only: &[String]) -> anyhow::Result<Vec<Kind>> {
    if only.is_empty() {
        return Ok(KINDS.to_vec());
    }
    let find = |name: &String| {
        let all = || KINDS.iter().chain(ABLATIONS.iter().map(|ablation| &ablation.kind));
        let found = all().find(|kind| kind.name == name).copied();
        found.with_context(|| {
            let names: Vec<_> = all().map(|kind| kind.name).collect();
            format!("nothing of the suite is named {name}: there are {}", names.join(", "))
        })
    };
    only.iter().map(find).collect()
}

fn measure(
    options: &SuiteOptions,
    kinds: &[Kind],
    progress: Progress<'_>,
) -> anyhow::Result<SuiteReport> {
    options.turns.check()?;
    let calls = options.block_calls;
    ensure!((1..=BLOCK_CALLS_MAX).contains(&calls), "a block has 1 to {BLOCK_CALLS_MAX} calls");
    let setting = Setting { declared: options.declared, users: options.users, progress };
    // Blocks are drawn in the world that the last of them is traced in.
    let config = Config { threads: 1, trace: true, ..Config::default() };
    let (world, blocks) = draw_in(config, kinds, setting, options.turns.blocks + 1, calls)?;
    let town = |config| Town::new(config, setting, kinds, &blocks);
    let turns = turns::run(&options.turns, town, progress)?;
    let trace = Town { world, blocks: &blocks }.trace(blocks.len() - 1)?;
    let one = turns.rows.iter().find(|row| row.threads == 1);
    let one = one.map(|row| row.figures().calls_per_s_median);
    let record = |row: &Row<Town<'_>>| {
        let figures = row.figures();
        Ok(SuiteRecord {
            threads: row.threads,
            block: calls,
            blocks: row.times.len(),
            ns_per_call_min: figures.ns_per_call.min,
            ns_per_call_median: figures.ns_per_call.median,
            ns_per_call_max: figures.ns_per_call.max,
            calls_per_s_median: figures.calls_per_s_median,
            speedup: one.map(|one| figures.calls_per_s_median / one),
            speedup_possible: possible(&trace, row.threads),
            quiet_blocks: row.quiet.iter().filter(|quiet| **quiet).count(),
            gas_per_call: figures.gas_per_call,
            state_root: row.host.runtime().state_root()?.to_string(),
        })
    };
    let records = turns.rows.iter().map(record).collect::<anyhow::Result<_>>()?;
    Ok(SuiteReport { records, scaling: turns.scaling, trace })
}

/// What a plan allows on so many threads, by gas: that of the most workers in the list that are not
/// more.
fn possible(trace: &BlockTrace, threads: usize) -> f64 {
    // The last entry is any number of workers.
    let listed = &trace.plan.speedup_gas;
    let below = listed.iter().take(listed.len().saturating_sub(1));
    let found = below.rev().find(|(workers, _)| *workers as usize <= threads);
    found.map_or(1.0, |(_, speedup)| *speedup)
}

/// The calls of all blocks.
fn draw(
    world: &World<'_>,
    kinds: &[Kind],
    mut parts: Vec<Box<dyn Part>>,
    blocks: usize,
    calls: usize,
) -> Vec<Vec<Call>> {
    let mut random = Random::new(SEED);
    let weights: u64 = kinds.iter().map(|kind| u64::from(kind.weight)).sum();
    let block = |number| {
        let first = world.at(number);
        let call = |index| {
            let mut point = random.below(weights);
            let chosen = kinds.iter().position(|kind| {
                let weight = u64::from(kind.weight);
                let is_it = point < weight;
                point = point.wrapping_sub(weight);
                is_it
            });
            parts[chosen.unwrap_or(0)].call(&mut random, At { index, ..first })
        };
        (0..calls).map(call).collect()
    };
    (0..blocks).map(block).collect()
}

/// A world that is set up, and the calls of all blocks, drawn in it: they are as good in any other
/// that is set up likewise.
fn draw_in<'p>(
    config: Config,
    kinds: &[Kind],
    setting: Setting<'p>,
    blocks: usize,
    calls: usize,
) -> anyhow::Result<(World<'p>, Vec<Vec<Call>>)> {
    let mut world = setting.world(config)?;
    let parts = set_up(&mut world, kinds)?;
    let blocks = draw(&world, kinds, parts, blocks, calls);
    Ok((world, blocks))
}

fn set_up(world: &mut World<'_>, kinds: &[Kind]) -> anyhow::Result<Vec<Box<dyn Part>>> {
    let parts = kinds
        .iter()
        .map(|kind| (kind.make)(world).with_context(|| format!("the set-up of {}", kind.name)));
    parts.collect()
}

/// A world that is set up, and the blocks to run in it.
struct Town<'b> {
    world: World<'b>,
    blocks: &'b [Vec<Call>],
}

impl<'b> Town<'b> {
    fn new(
        config: Config,
        setting: Setting<'b>,
        kinds: &[Kind],
        blocks: &'b [Vec<Call>],
    ) -> anyhow::Result<Self> {
        let mut world = setting.world(config)?;
        set_up(&mut world, kinds)?;
        Ok(Self { world, blocks })
    }

    /// Runs all blocks before this one, and then this one several times: the trace of the fastest.
    fn trace(&mut self, number: usize) -> anyhow::Result<BlockTrace> {
        for before in 0..number {
            let block = self.block(before);
            let outcome = self.world.runtime_mut().execute(&block)?;
            self.world.expect(&block, &outcome.receipts)?;
            self.world.runtime_mut().commit(outcome.batch)?;
        }
        let block = self.block(number);
        let mut fastest: Option<BlockTrace> = None;
        for _ in 0..TRACED_RUNS {
            let outcome = self.world.runtime_mut().execute(&block)?;
            self.world.expect(&block, &outcome.receipts)?;
            let trace = outcome.trace.context("the runtime made no trace")?;
            if fastest.as_ref().is_none_or(|fastest| end_ns(&trace) < end_ns(fastest)) {
                fastest = Some(trace);
            }
        }
        fastest.context("no run was made")
    }
}

/// A traced block runs so often; the first time warms up.
const TRACED_RUNS: usize = 7;

fn end_ns(trace: &BlockTrace) -> u64 {
    trace.phases.iter().map(|phase| phase.end_ns).fold(1, u64::max)
}

impl Host for Town<'_> {
    fn runtime(&self) -> &Runtime {
        self.world.runtime()
    }

    fn runtime_mut(&mut self) -> &mut Runtime {
        self.world.runtime_mut()
    }

    fn block(&self, number: usize) -> Block {
        self.world.block(self.blocks[number].clone())
    }

    fn expect(&self, block: &Block, receipts: &[Receipt]) -> anyhow::Result<()> {
        self.world.expect(block, receipts)
    }
}

/// A world with everything set up, and blocks of so many calls to run in it, of the kinds named; of all
/// if there are none.
///
/// # Errors
/// If a call of the set-up fails, or a name is unknown.
pub fn drawn(
    config: Config,
    only: &[String],
    users: usize,
    blocks: usize,
    calls: usize,
) -> anyhow::Result<(World<'static>, Vec<Vec<Call>>)> {
    let kinds = kinds(only)?;
    let setting = Setting { declared: Declared::AsWritten, users, progress: &|_, _| {} };
    draw_in(config, &kinds, setting, blocks, calls)
}
