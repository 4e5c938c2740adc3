//! A block as traced runs saw it: what each call took, and who waits for whom.

use crate::quiet::Runs;
use crate::schedule::{Graph, Task};
use anyhow::ensure;
use tollway::{BlockTrace, CallTrace};

/// Nanoseconds are simulated in thousandths, so that steps of some nanoseconds keep their digits.
pub(super) const UNITS_PER_NS: f64 = 1_000.0;

/// Where a block's conflict graph comes from.
#[derive(Clone, Debug)]
pub enum Shape {
    /// For each call, the earlier ones that it waits for.
    Waits(Vec<Vec<u32>>),
    /// Access sets; their costs are not looked at.
    Accesses(Vec<Task>),
}

/// From the end of a call to the start of the next one of the same worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Gap {
    /// Edges that were told in between.
    pub(super) edges: u64,
    pub(super) ns: f64,
}

/// A block and what its calls take.
#[derive(Clone, Debug)]
pub struct TracedBlock {
    /// Who waits for whom.
    pub shape: Shape,
    /// Nanoseconds of each call on one thread; `None` for calls that do not run in lanes.
    pub call_ns: Vec<Option<f64>>,
    /// How much longer the calls take together beside a busy thread; at least 1.
    pub busy_factor: f64,
    /// Declared (call, key) pairs.
    pub accesses: u64,
    /// Different keys.
    pub keys: u64,
    pub(super) gaps: Vec<Gap>,
}

impl TracedBlock {
    /// From traced runs of one block on one thread, and others on several threads. Reading a clock takes
    /// `clock_ns`, which is not part of a call. `shape` if it is known better than the trace tells.
    ///
    /// # Errors
    /// If a trace does not tell of the whole critical path, or there is no run of a kind.
    pub fn new(
        alone: &Runs<BlockTrace>,
        beside: &Runs<BlockTrace>,
        clock_ns: f64,
        shape: Option<Shape>,
    ) -> anyhow::Result<Self> {
        let (Some(first), false) = (alone.as_slice().first(), beside.as_slice().is_empty()) else {
            anyhow::bail!("a block was not traced");
        };
        let waits = || first.calls.iter().map(|call| call.waits_for.clone()).collect();
        let mut block = Self {
            shape: shape.unwrap_or_else(|| Shape::Waits(waits())),
            call_ns: call_times(alone, clock_ns),
            busy_factor: 1.0,
            accesses: first.plan.accesses,
            keys: first.plan.keys,
            gaps: Vec::new(),
        };
        let graph = block.graph(1.0);
        let (found, planned) = (graph.critical_path_calls(), first.plan.critical_path_calls);
        ensure!(
            found + first.plan.undeclared == planned,
            "the traced calls form a chain of {found}, the planned ones of {planned}"
        );
        let total = |times: &[Option<f64>]| times.iter().flatten().sum::<f64>();
        let both = [total(&block.call_ns), total(&call_times(beside, clock_ns))];
        if both[0] > 0.0 {
            block.busy_factor = (both[1] / both[0]).max(1.0);
        }
        let traces = alone.as_slice().iter();
        block.gaps = traces.flat_map(|trace| gaps(trace, &graph, clock_ns)).collect();
        Ok(block)
    }

    /// The conflict graph, in units of [`UNITS_PER_NS`]; calls take so many times as long as on one
    /// thread.
    pub(super) fn graph(&self, factor: f64) -> Graph {
        let units = |ns: f64| (ns * factor * UNITS_PER_NS).round() as u64;
        let costs = self.call_ns.iter().map(|ns| ns.map(units));
        match &self.shape {
            Shape::Waits(waits) => Graph::of_waits(&costs.collect::<Vec<_>>(), waits),
            Shape::Accesses(tasks) => {
                let task = |(task, cost): (&Task, Option<u64>)| Task {
                    cost: cost.unwrap_or(0),
                    accesses: task.accesses.clone(),
                };
                Graph::new(&tasks.iter().zip(costs).map(task).collect::<Vec<_>>())
            }
        }
    }
}

/// Whether a call ran in the lanes.
fn ran(call: &CallTrace) -> bool {
    call.end_ns > 0
}

/// The typical time of each call.
fn call_times(traces: &Runs<BlockTrace>, clock_ns: f64) -> Vec<Option<f64>> {
    let runs = traces.as_slice();
    let time = |index: usize| {
        let calls = runs.iter().filter_map(|trace| trace.calls.get(index));
        let times = calls
            .filter(|call| ran(call))
            .map(|call| ((call.end_ns - call.start_ns) as f64 - clock_ns).max(0.0));
        let mut times = times.peekable();
        times.peek().is_some().then(|| traces.typical_of(times))
    };
    (0..runs.first().map_or(0, |trace| trace.calls.len())).map(time).collect()
}

/// From the start of the first call to the end of the last.
pub(super) fn calls_span_ns(trace: &BlockTrace) -> f64 {
    let start = trace.calls.iter().filter(|call| ran(call)).map(|call| call.start_ns).min();
    let end = trace.calls.iter().map(|call| call.end_ns).max();
    end.unwrap_or(0).saturating_sub(start.unwrap_or(0)) as f64
}

/// The gaps of a run on one thread.
fn gaps(trace: &BlockTrace, graph: &Graph, clock_ns: f64) -> Vec<Gap> {
    let mut ran: Vec<&CallTrace> = trace.calls.iter().filter(|call| ran(call)).collect();
    ran.sort_by_key(|call| call.start_ns);
    let order: Vec<u32> = ran.iter().map(|call| call.call).collect();
    let edges = graph.edges_told(&order);
    let pairs = ran.windows(2).zip(edges);
    pairs
        .map(|(pair, edges)| {
            let ns = (pair[1].start_ns - pair[0].end_ns) as f64 - clock_ns;
            Gap { edges, ns: ns.max(0.0) }
        })
        .collect()
}
