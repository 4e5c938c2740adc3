//! The costs of a block's parts and of the scheduler's steps, and what they make of a block.

use super::measure::MeasuredSteps;
use super::median;
use super::traced::{self, Gap, TracedBlock, UNITS_PER_NS};
use crate::quiet::Runs;
use crate::schedule::StepCosts;
use crate::spread::Spread;
use anyhow::Context;
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::time::Duration;
use tollway::{BlockStats, BlockTrace};

/// A part of a block's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// From bytes to calls.
    Decode,
    /// Finding every call's keys.
    Resolve,
    /// Placing versions, fetching the parent state, the conflict graph.
    Plan,
    /// Running the calls.
    Lanes,
    /// Repair, receipts and the write batch.
    Settle,
    /// What else `execute` does: getting workers ready, letting go of the plan.
    Rest,
    /// Applying the batch.
    Commit,
}

/// How many parts there are.
pub const PART_COUNT: usize = 7;

impl Part {
    /// All parts, in order.
    pub const ALL: [Self; PART_COUNT] = [
        Self::Decode,
        Self::Resolve,
        Self::Plan,
        Self::Lanes,
        Self::Settle,
        Self::Rest,
        Self::Commit,
    ];

    /// Its word in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Resolve => "resolve",
            Self::Plan => "plan",
            Self::Lanes => "lanes",
            Self::Settle => "settle",
            Self::Rest => "rest",
            Self::Commit => "commit",
        }
    }

    /// What it does one after another.
    const fn item(self) -> &'static str {
        match self {
            Self::Decode | Self::Lanes => "call",
            Self::Resolve | Self::Plan | Self::Rest => "access",
            Self::Settle | Self::Commit => "key",
        }
    }
}

/// The time of each part of one block's run, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlockTimes([f64; PART_COUNT]);

impl Index<Part> for BlockTimes {
    type Output = f64;

    fn index(&self, part: Part) -> &f64 {
        &self.0[part as usize]
    }
}

impl IndexMut<Part> for BlockTimes {
    fn index_mut(&mut self, part: Part) -> &mut f64 {
        &mut self.0[part as usize]
    }
}

impl BlockTimes {
    /// From what a caller of the runtime measures, and what the runtime says of `execute`.
    pub fn new(decode: Duration, execute: Duration, stats: &BlockStats, commit: Duration) -> Self {
        let ns = |time: Duration| time.as_nanos() as f64;
        let inside = [stats.resolve_ns, stats.plan_ns, stats.execute_ns, stats.repair_ns];
        let [resolve, plan, lanes, settle] = inside.map(|ns| ns as f64);
        let rest = (ns(execute) - resolve - plan - lanes - settle).max(0.0);
        Self([ns(decode), resolve, plan, lanes, settle, rest, ns(commit)])
    }

    /// From a traced run. Of the lanes, only what is before the first call and after the last;
    /// [`Part::Rest`] is 0, as making the trace is most of it.
    ///
    /// # Errors
    /// If the trace lacks a phase.
    pub fn outside_of_calls(
        decode: Duration,
        trace: &BlockTrace,
        commit: Duration,
    ) -> anyhow::Result<Self> {
        let phase = |name: &str| {
            let phase = trace.phases.iter().find(|phase| phase.name == name);
            let phase = phase.with_context(|| format!("the trace has no phase {name}"))?;
            anyhow::Ok((phase.end_ns - phase.start_ns) as f64)
        };
        let mut times = Self::default();
        times[Part::Decode] = decode.as_nanos() as f64;
        times[Part::Resolve] = phase("resolve")?;
        times[Part::Plan] = phase("plan")?;
        times[Part::Lanes] = (phase("execute")? - traced::calls_span_ns(trace)).max(0.0);
        times[Part::Settle] = phase("repair")?;
        times[Part::Commit] = commit.as_nanos() as f64;
        Ok(times)
    }

    /// All parts together.
    pub fn total(&self) -> f64 {
        self.0.iter().sum()
    }
}

/// What a part costs a block on n threads: `serial + parallel / n`, and from two threads on
/// `shared`. Of the lanes, what is before the first call and after the last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PartCost {
    /// The part.
    pub part: Part,
    /// Nanoseconds a block that more threads do not make less.
    pub serial_ns: f64,
    /// Nanoseconds a block that they share.
    pub parallel_ns: f64,
    /// Nanoseconds a block that it takes to have several threads at all.
    pub shared_ns: f64,
    /// What the part handles one after another: a call, an access or a key.
    pub item: &'static str,
    /// Nanoseconds for each of them, on one thread.
    pub ns_per_item: f64,
}

impl PartCost {
    /// From the time on one thread and on `threads`. One equation is missing for three unknowns,
    /// so `shared` is only there where several threads are slower than one.
    fn fit(part: Part, one_ns: f64, many_ns: f64, threads: usize, items: f64) -> Self {
        let n = threads as f64;
        let parallel_ns = ((one_ns - many_ns) * n / (n - 1.0)).clamp(0.0, one_ns);
        Self {
            part,
            serial_ns: one_ns - parallel_ns,
            parallel_ns,
            shared_ns: (many_ns - one_ns).max(0.0),
            item: part.item(),
            ns_per_item: if items > 0.0 { one_ns / items } else { 0.0 },
        }
    }

    fn ns(&self, workers: usize) -> f64 {
        let shared_ns = if workers > 1 { self.shared_ns } else { 0.0 };
        self.serial_ns + self.parallel_ns / workers as f64 + shared_ns
    }
}

/// Everything that a simulated block is made of, in nanoseconds. Each call's own time comes with
/// its block.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostModel {
    /// Threads of the runs besides those on one thread.
    pub fitted_threads: usize,
    /// A call on one thread, on average.
    pub call_ns: f64,
    /// How many times as long calls take beside busy threads, as measured on `fitted_threads`.
    pub busy_factor: f64,
    /// Between two calls of a worker.
    pub next_ns: f64,
    /// An edge: counting down a waiting node, or adding a value to a sum.
    pub edge_ns: f64,
    /// Taking a group of roots, which one worker at a time can.
    pub grab_ns: f64,
    /// Looking into another worker's queue.
    pub look_ns: f64,
    /// Handing a call from one worker to another.
    pub steal_ns: f64,
    /// The other parts, in the order of [`Part::ALL`].
    pub parts: Vec<PartCost>,
}

/// What a model is fitted to: runs of blocks of one kind.
pub struct Samples<'s> {
    /// Runs on one thread, calls left out: [`BlockTimes::outside_of_calls`].
    pub one: &'s Runs<BlockTimes>,
    /// The same on several.
    pub many: &'s Runs<BlockTimes>,
    /// How many threads that is; at least 2.
    pub threads: usize,
    /// The calls.
    pub traced: &'s [&'s TracedBlock],
}

impl CostModel {
    /// The model of these runs.
    ///
    /// # Panics
    /// If a kind of run is missing, or `threads` is below 2.
    pub fn fit(samples: &Samples<'_>, steps: &MeasuredSteps) -> Self {
        assert!(samples.threads > 1, "a model needs runs on several threads");
        let blocks = samples.traced;
        let gaps: Vec<Gap> = blocks.iter().flat_map(|block| &block.gaps).copied().collect();
        let (next_ns, edge_ns) = fit_steps(&gaps);
        let calls: Vec<f64> =
            blocks.iter().flat_map(|block| &block.call_ns).flatten().copied().collect();
        let mut model = Self {
            fitted_threads: samples.threads,
            call_ns: calls.iter().sum::<f64>() / calls.len().max(1) as f64,
            busy_factor: median(blocks.iter().map(|block| block.busy_factor)),
            next_ns,
            edge_ns,
            grab_ns: steps.grab_ns,
            look_ns: steps.look_ns,
            steal_ns: steps.steal_ns,
            parts: Vec::new(),
        };
        model.parts = Part::ALL
            .map(|part| {
                let time = |runs: &Runs<BlockTimes>| runs.typical(|times| times[part]);
                let items = median(blocks.iter().map(|block| match part.item() {
                    "call" => block.call_ns.len() as f64,
                    "access" => block.accesses as f64,
                    _ => block.keys as f64,
                }));
                let threads = samples.threads;
                PartCost::fit(part, time(samples.one), time(samples.many), threads, items)
            })
            .into();
        model
    }

    /// The simulated time of a block on so many workers.
    ///
    /// # Panics
    /// If `workers` is 0.
    pub fn block_ns(&self, block: &TracedBlock, workers: usize) -> f64 {
        let factor = if workers > 1 { self.busy_factor } else { 1.0 };
        let run = block.graph(factor).run_lanes(&self.steps(), workers);
        let parts = self.parts.iter().map(|part| part.ns(workers));
        run.makespan as f64 / UNITS_PER_NS + parts.sum::<f64>()
    }

    fn steps(&self) -> StepCosts {
        let units = |ns: f64| (ns * UNITS_PER_NS).round() as u64;
        StepCosts {
            next: units(self.next_ns),
            edge: units(self.edge_ns),
            grab: units(self.grab_ns),
            look: units(self.look_ns),
            steal: units(self.steal_ns),
        }
    }
}

/// The cost of a step and of an edge: a line through the median gaps of each number of edges, by
/// least squares. Medians, because an interrupt is longer than many steps. Where all gaps have the
/// same number of edges, nothing tells the two apart, and the step gets it all.
fn fit_steps(gaps: &[Gap]) -> (f64, f64) {
    let mut by_edges: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for gap in gaps {
        by_edges.entry(gap.edges).or_default().push(gap.ns);
    }
    // (edges, median gap, how many gaps)
    let points: Vec<(f64, f64, f64)> = by_edges
        .into_iter()
        .map(|(edges, ns)| (edges as f64, Spread::of(&ns).median, ns.len() as f64))
        .collect();
    let count: f64 = points.iter().map(|point| point.2).sum::<f64>().max(1.0);
    let mean = |value: &dyn Fn(f64, f64) -> f64| {
        points.iter().map(|(edges, ns, weight)| weight * value(*edges, *ns)).sum::<f64>() / count
    };
    let (edges, ns) = (mean(&|edges, _| edges), mean(&|_, ns| ns));
    let variance = mean(&|x, _| (x - edges).powi(2));
    let covariance = mean(&|x, y| (x - edges) * (y - ns));
    let slope = if variance > 0.0 { covariance / variance } else { 0.0 };
    // Neither can cost less than nothing, whatever the noise says.
    let most = if edges > 0.0 { ns / edges } else { 0.0 };
    let edge_ns = slope.clamp(0.0, most);
    ((ns - edge_ns * edges).max(0.0), edge_ns)
}
