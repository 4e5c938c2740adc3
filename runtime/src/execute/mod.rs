//! EXECUTE: runs the declared calls of a block in parallel lanes, each as soon as the versions that
//! it reads are there.
//!
//! ```text
//! ready calls ─▶ worker: inputs from cells ─▶ run ─▶ outputs to own cells ─▶ who waits for me?
//!                   ▲                                                          │
//!                   └──────── the first that became ready: the same lane ◀─────┘
//!                             the others: this worker's queue, free to be stolen
//! ```
//!
//! # Invariants
//! 1. A call runs when every version that it may read is in its cell, and writes its own cells
//!    alone, once.
//! 2. After the lanes every cell holds a value: a call that failed, or gave up on a miss, passes
//!    its inputs through.
//! 3. Which worker runs what, and when, changes nothing but the trace.
//!
//! Not here: whether what a call saw was right after all, see [`crate::repair`].

#![allow(unsafe_code, reason = "cells are written without locks; see `cells`")]

pub(crate) mod below;
pub(crate) mod call;
pub(crate) mod cells;
pub(crate) mod host;
mod order;
pub(crate) mod overlay;
pub(crate) mod pool;
pub(crate) mod transient;
pub(crate) mod window;

use crate::block::Block;
use crate::bytes::Bytes;
use crate::delta::{Delta, counter};
use crate::plan::graph::NodeIndex;
use crate::plan::{CellIndex, PARENT, Placement, Plan, Sum};
use crate::prefetch::prefetch;
use crate::receipt::Receipt;
use crate::resolve::{Access, Resolved, Target};
use below::Below;
use call::{CallContext, Change, Input, NOBODY, Outside, RunEnd, Task};
use cells::Cells;
use crossbeam_deque::{Steal, Stealer, Worker as Queue};
use crossbeam_utils::Backoff;
use parking_lot::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;
use tollway_host_api::Mode;

/// A version: what a call made of a key.
#[derive(Debug)]
pub(crate) enum Cell {
    /// The key's value after the call, or after a sum.
    Value(Option<Bytes>),
    /// What the call added and took, and what it took for granted.
    Delta(Delta),
    /// What the block changed below a prefix up to here, the call included.
    Below(Below),
}

/// What became of a call in the lanes.
#[derive(Debug)]
pub(crate) enum LaneResult {
    /// It ran on the inputs in its cells.
    Done(Receipt),
    /// It touched a key outside its access set, and was given up.
    Missed,
}

/// When and where a call ran; times in ns since the start of the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) worker: u32,
    /// The lane's number among those of its worker.
    pub(crate) lane: u32,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
}

/// What the lanes leave; what is in it may be used again for the next block.
#[derive(Debug, Default)]
pub(crate) struct LanesOutcome {
    /// Empty for calls that do not run in lanes: refused or undeclared ones.
    pub(crate) results: Cells<LaneResult>,
    pub(crate) cells: Cells<Cell>,
    /// Whether a sum met an add that did not fit, or a debit that the counter did not hold.
    pub(crate) unfit: bool,
    /// By call, where it was asked for.
    pub(crate) spans: Cells<Span>,
}

/// The context of each worker; each is used by one thread at a time.
pub(crate) type Workers = [Mutex<Option<Box<CallContext>>>];

/// Everything that the workers share during one block.
struct Lanes<'b> {
    block: &'b Block,
    resolved: &'b Resolved,
    plan: &'b Plan,
    cells: Cells<Cell>,
    results: Cells<LaneResult>,
    waits: Vec<AtomicU32>,
    /// Calls that wait for nobody, see [`order`].
    roots: Vec<u32>,
    next_root: AtomicUsize,
    /// Nodes that have not finished.
    unfinished: AtomicUsize,
    unfit: AtomicBool,
    bug: OnceLock<&'static str>,
    stealers: Vec<Stealer<u32>>,
    clock: Option<Instant>,
    spans: Cells<Span>,
}

/// A worker takes this many roots at once, so that the shared counter is not touched for each call.
const ROOTS_AT_ONCE: usize = 8;

/// Runs the declared calls of a block on the threads of the current rayon pool.
///
/// # Errors
/// What the engine did that it never should.
#[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
pub(crate) fn run_lanes(
    block: &Block,
    resolved: &Resolved,
    plan: &Plan,
    workers: &Workers,
    clock: Option<Instant>,
    memory: LanesOutcome,
) -> Result<LanesOutcome, &'static str> {
    let LanesOutcome { mut results, mut cells, mut spans, .. } = memory;
    cells.start(plan.access_count() + plan.sums.len());
    results.start(resolved.call_count());
    spans.start(if clock.is_some() { resolved.call_count() } else { 0 });
    let queues: Vec<Queue<u32>> = workers.iter().map(|_| Queue::new_lifo()).collect();
    let (roots, calls) = order::roots(resolved, plan);
    let lanes = Lanes {
        block,
        resolved,
        plan,
        cells,
        results,
        waits: plan.graph.waits.iter().map(|count| AtomicU32::new(*count)).collect(),
        roots,
        next_root: AtomicUsize::new(0),
        unfinished: AtomicUsize::new(calls + plan.sums.len()),
        unfit: AtomicBool::new(false),
        bug: OnceLock::new(),
        stealers: queues.iter().map(Queue::stealer).collect(),
        spans,
        clock,
    };
    let queues: Vec<Mutex<Option<Queue<u32>>>> =
        queues.into_iter().map(|queue| Mutex::new(Some(queue))).collect();
    let work = |number: usize| {
        let mut context = workers[number].lock();
        if let (Some(ctx), Some(queue)) = (context.take(), queues[number].lock().take()) {
            *context = Some(lanes.work(number, ctx, &queue));
        }
    };
    if workers.len() == 1 {
        work(0);
    } else {
        rayon::broadcast(|thread| work(thread.index()));
    }
    if let Some(bug) = lanes.bug.get() {
        return Err(bug);
    }
    Ok(LanesOutcome {
        results: lanes.results,
        cells: lanes.cells,
        unfit: lanes.unfit.into_inner(),
        spans: lanes.spans,
    })
}

/// Stops the other workers if this one panics: they would wait for its calls for ever.
struct Alarm<'l>(&'l OnceLock<&'static str>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.set("a worker panicked");
        }
    }
}

impl Lanes<'_> {
    /// One worker's whole block.
    fn work(
        &self,
        number: usize,
        mut ctx: Box<CallContext>,
        queue: &Queue<u32>,
    ) -> Box<CallContext> {
        let _alarm = Alarm(&self.bug);
        let backoff = Backoff::new();
        let mut finished: Vec<NodeIndex> = Vec::new();
        let mut adds: Vec<u32> = Vec::new();
        let mut lane = 0;
        // What this worker finished since it last told the others: a counter touched by all after
        // every call would travel between cores all the time.
        let mut untold = 0;
        while self.bug.get().is_none() {
            let Some(first) = self.next_call(queue) else {
                let told = std::mem::take(&mut untold);
                if self.unfinished.fetch_sub(told, Ordering::AcqRel) == told {
                    break;
                }
                backoff.snooze();
                continue;
            };
            backoff.reset();
            let mut next = Some(first);
            while let Some(call) = next.take() {
                let start_ns = self.now();
                ctx = self.run_call(ctx, call);
                if self.clock.is_some() {
                    let (worker, end_ns) = (number as u32, self.now());
                    let span = Span { worker, lane, start_ns, end_ns };
                    // SAFETY: a call runs once, and the worker that ran it is here.
                    unsafe { self.spans.set(call as usize, span) };
                }
                finished.push(call);
                next = self.release(&mut finished, queue, &mut adds, &mut untold);
            }
            lane += 1;
        }
        ctx
    }

    fn now(&self) -> u64 {
        self.clock.map_or(0, |clock| clock.elapsed().as_nanos() as u64)
    }

    fn next_call(&self, queue: &Queue<u32>) -> Option<u32> {
        if let Some(call) = queue.pop() {
            return Some(call);
        }
        if self.next_root.load(Ordering::Relaxed) < self.roots.len() {
            let start = self.next_root.fetch_add(ROOTS_AT_ONCE, Ordering::Relaxed);
            let end = (start + ROOTS_AT_ONCE).min(self.roots.len());
            let roots = self.roots.get(start..end)?;
            if let Some((first, others)) = roots.split_first() {
                self.prefetch(roots);
                // The queue is last in, first out: pushed backwards, they run in block order.
                others.iter().rev().for_each(|call| queue.push(*call));
                return Some(*first);
            }
        }
        self.stealers.iter().find_map(|stealer| {
            loop {
                match stealer.steal() {
                    Steal::Success(call) => return Some(call),
                    Steal::Empty => return None,
                    Steal::Retry => {}
                }
            }
        })
    }

    /// Asks for what calls need that run next.
    fn prefetch(&self, calls: &[u32]) {
        for call in calls.iter().map(|call| *call as usize) {
            prefetch(&self.block.calls[call..=call]);
            self.resolved.prefetch_target(call);
            self.plan.graph.prefetch(call);
            let set = self.resolved.access_set(call);
            set.prefetch();
            self.plan.prefetch(set.numbers());
            self.cells.prefetch(set.numbers());
            self.results.prefetch(call..call + 1);
        }
        for call in calls.iter().map(|call| *call as usize) {
            self.resolved.access_set(call).prefetch_keys();
            prefetch(&self.block.calls[call].args);
        }
    }

    /// Tells the nodes that wait for finished ones. The first call that became ready is returned,
    /// the others go to the queue; sums are computed here and now.
    fn release(
        &self,
        finished: &mut Vec<NodeIndex>,
        queue: &Queue<u32>,
        adds: &mut Vec<u32>,
        untold: &mut usize,
    ) -> Option<u32> {
        let mut next = None;
        while let Some(node) = finished.pop() {
            for target in self.plan.graph.targets(node) {
                if self.waits[*target as usize].fetch_sub(1, Ordering::AcqRel) > 1 {
                    continue;
                }
                if let Some(sum) = self.plan.graph.sum(*target) {
                    self.add_up(&self.plan.sums[sum], sum, adds);
                    finished.push(*target);
                } else {
                    self.prefetch(&[*target]);
                    if next.is_none() {
                        next = Some(*target);
                    } else {
                        queue.push(*target);
                    }
                }
            }
            *untold += 1;
        }
        next
    }

    fn run_call(&self, mut ctx: Box<CallContext>, call: u32) -> Box<CallContext> {
        let index = call as usize;
        let Target::Method { contract, method, steps, .. } = *self.resolved.target(index) else {
            let _ = self.bug.set("a refused call was made ready");
            return ctx;
        };
        let set = self.resolved.access_set(index);
        ctx.clear();
        ctx.outside = Outside::GiveUp;
        for (cell, (access, key, base)) in set.numbers().zip(set.iter()) {
            let placement = self.plan.placement(cell);
            if access.is_prefix {
                self.declare_prefix(&mut ctx, access, key, &placement);
                continue;
            }
            let input = match access.mode {
                Mode::Add => input_of_add(base, &placement),
                Mode::Read | Mode::Write => {
                    Input::Known(self.input(base, &placement).map(Bytes::as_ref))
                }
            };
            ctx.declare(access.contract, key, access.mode, input);
        }
        let request = &self.block.calls[index];
        let task = Task::new(request, call, contract, method, steps);
        let (ctx, end) = call::run(ctx, task);
        let result = match end {
            RunEnd::Done(receipt) => LaneResult::Done(receipt),
            RunEnd::Missed => LaneResult::Missed,
            RunEnd::Bug(bug) => {
                let _ = self.bug.set(bug);
                return ctx;
            }
        };
        let counts = matches!(result, LaneResult::Done(_));
        let mut below = ctx.versions_below(counts).into_iter();
        for (cell, touched) in set.numbers().zip(ctx.declared()) {
            let bytes = |span: Option<call::Span>| span.map(|span| Bytes::new(ctx.bytes(span)));
            let version = match (touched.mode, touched.change) {
                (Mode::Read, _) => continue,
                (Mode::Add, _) if !counts => Cell::Delta(Delta::default()),
                (Mode::Add, Change::Added(net)) => {
                    Cell::Delta(Delta::new(Some(net), touched.premise))
                }
                (Mode::Add, _) => Cell::Delta(Delta::new(None, touched.premise)),
                (Mode::Write, _) if touched.contract == NOBODY => {
                    Cell::Below(below.next().unwrap_or_default())
                }
                (Mode::Write, Change::Written(value)) if counts => Cell::Value(bytes(value)),
                (Mode::Write, _) => Cell::Value(bytes(touched.input)),
            };
            // SAFETY: the cell is the call's own, and a call runs once.
            unsafe { self.cells.set(cell, version) };
        }
        // SAFETY: a call runs once.
        unsafe { self.results.set(index, result) };
        ctx
    }

    #[cold]
    fn declare_prefix(
        &self,
        ctx: &mut CallContext,
        access: &Access,
        key: &[u8],
        placement: &Placement,
    ) {
        let before = below_in(&self.cells, placement.source);
        ctx.declare_prefix(access.contract, key, access.mode, before, &self.plan.store);
    }

    /// The value that an access reads.
    fn input<'b>(&'b self, base: Option<&'b Bytes>, placement: &Placement) -> Option<&'b Bytes> {
        match placement.source {
            PARENT => base,
            source => value_of(&self.cells, source),
        }
    }

    fn add_up(&self, sum: &Sum, number: usize, adds: &mut Vec<u32>) {
        let prior = value_in(&self.cells, self.plan, self.plan.prior(sum), sum.key);
        self.plan.adds_of(sum, adds);
        let (value, fits) = add_up(&self.cells, prior, self.plan.base(sum.key), adds);
        if !fits {
            self.unfit.store(true, Ordering::Relaxed);
        }
        let cell = self.plan.access_count() + number;
        // SAFETY: whoever finished the last of the calls that a sum waits for computes it, once.
        unsafe { self.cells.set(cell, Cell::Value(value)) };
    }
}

/// What a call may know of a counter that it adds to or takes from: if it is the first of the
/// block, what the parent state holds. Then a debit from an account that is just empty needs no
/// second run. What the call learns either way is the same.
fn input_of_add<'b>(base: Option<&'b Bytes>, placement: &Placement) -> Input<'b> {
    let base = base.map(Bytes::as_ref);
    if !placement.is_first_change || counter(base).is_none() {
        return Input::Unknown;
    }
    Input::Known(base)
}

/// The value after these adds to a counter that was `prior` before them, and `told` in the parent
/// state, and whether all fit. One that does not, or that took something for granted that is not
/// so, is left out: repair finds the same calls, in the same order, by the same rule.
pub(crate) fn add_up(
    cells: &Cells<Cell>,
    prior: Option<&Bytes>,
    told: Option<&Bytes>,
    adds: &[u32],
) -> (Option<Bytes>, bool) {
    let told = told.map(Bytes::as_ref);
    let (mut value, mut fits) = (prior.cloned(), true);
    for add in adds {
        let Some(Cell::Delta(delta)) = cells.get(*add as usize) else { continue };
        if !delta.holds_for(value.as_deref(), told) {
            fits = false;
        } else if let Some(net) = delta.net() {
            match net.apply(value.as_deref()) {
                Some(total) => value = Some(Bytes::from_amount(total)),
                None => fits = false,
            }
        }
    }
    (value, fits)
}

/// The value in a cell that holds one, or the key's value in the parent state.
pub(crate) fn value_in<'c>(
    cells: &'c Cells<Cell>,
    plan: &'c Plan,
    cell: CellIndex,
    key: u32,
) -> Option<&'c Bytes> {
    if cell == PARENT { plan.base(key) } else { value_of(cells, cell) }
}

/// The value in a cell that holds one.
pub(crate) fn value_of(cells: &Cells<Cell>, cell: CellIndex) -> Option<&Bytes> {
    match cells.get(cell as usize) {
        Some(Cell::Value(value)) => value.as_ref(),
        // Sources are writes and sums, and they have finished.
        Some(Cell::Delta(_) | Cell::Below(_)) | None => {
            unreachable!("a source holds a value when it is read")
        }
    }
}

/// What the block changed below a prefix up to the version in a cell.
pub(crate) fn below_in(cells: &Cells<Cell>, cell: CellIndex) -> Below {
    if cell == PARENT {
        return Below::default();
    }
    match cells.get(cell as usize) {
        Some(Cell::Below(below)) => below.clone(),
        // As above, and all accesses of a key are of one kind.
        Some(Cell::Value(_) | Cell::Delta(_)) | None => {
            unreachable!("a source holds a version when it is read")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stay_small() {
        // A block has one for every access: a delta must not make them larger than a value does.
        assert_eq!(size_of::<Cell>(), size_of::<Bytes>());
    }
}
