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

pub(crate) mod call;
pub(crate) mod host;
pub(crate) mod overlay;
pub(crate) mod pool;

use crate::block::Block;
use crate::bytes::Bytes;
use crate::plan::graph::NodeIndex;
use crate::plan::{CellIndex, PARENT, Placement, Plan, Sum};
use crate::receipt::Receipt;
use crate::resolve::{Resolved, Target};
use call::{CallContext, Change, Outside, RunEnd, Task, add_to};
use crossbeam_deque::{Steal, Stealer, Worker as Queue};
use crossbeam_utils::Backoff;
use parking_lot::Mutex;
use rayon::prelude::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;
use tollway_host_api::Mode;

/// A version: what a call made of a key.
#[derive(Debug)]
pub(crate) enum Cell {
    /// The key's value after the call, or after a sum.
    Value(Option<Bytes>),
    /// What the call added, if it did: an amount, little-endian. As bytes, because the alignment of
    /// an integer would make every cell half as large again.
    Added(Option<[u8; 16]>),
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

/// What the lanes leave.
#[derive(Debug)]
pub(crate) struct LanesOutcome {
    /// Empty for calls that do not run in lanes: refused or undeclared ones.
    pub(crate) results: Vec<OnceLock<LaneResult>>,
    pub(crate) cells: Vec<OnceLock<Cell>>,
    /// Whether a sum met an add that did not fit.
    pub(crate) overflowed: bool,
    /// By call, where it was asked for.
    pub(crate) spans: Vec<OnceLock<Span>>,
}

/// The context of each worker; each is used by one thread at a time.
pub(crate) type Workers = [Mutex<Option<Box<CallContext>>>];

/// Everything that the workers share during one block.
struct Lanes<'b> {
    block: &'b Block,
    resolved: &'b Resolved,
    plan: &'b Plan,
    cells: Vec<OnceLock<Cell>>,
    results: Vec<OnceLock<LaneResult>>,
    waits: Vec<AtomicU32>,
    /// Calls that wait for nobody, in block order.
    roots: Vec<u32>,
    next_root: AtomicUsize,
    /// Nodes that have not finished.
    unfinished: AtomicUsize,
    overflowed: AtomicBool,
    bug: OnceLock<&'static str>,
    stealers: Vec<Stealer<u32>>,
    clock: Option<Instant>,
    spans: Vec<OnceLock<Span>>,
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
) -> Result<LanesOutcome, &'static str> {
    let queues: Vec<Queue<u32>> = workers.iter().map(|_| Queue::new_lifo()).collect();
    let runs =
        |call: &usize| matches!(resolved.targets[*call], Target::Method { declared: true, .. });
    let roots: Vec<u32> = (0..resolved.targets.len())
        .filter(|call| plan.graph.waits[*call] == 0 && runs(call))
        .map(|call| call as u32)
        .collect();
    let calls = (0..resolved.targets.len()).filter(runs).count();
    let lanes = Lanes {
        block,
        resolved,
        plan,
        cells: empty(plan.placements.len() + plan.sums.len()),
        results: empty(resolved.targets.len()),
        waits: plan.graph.waits.iter().map(|count| AtomicU32::new(*count)).collect(),
        roots,
        next_root: AtomicUsize::new(0),
        unfinished: AtomicUsize::new(calls + plan.sums.iter().filter(|sum| !sum.is_final).count()),
        overflowed: AtomicBool::new(false),
        bug: OnceLock::new(),
        stealers: queues.iter().map(Queue::stealer).collect(),
        spans: match clock {
            Some(_) => empty(resolved.targets.len()),
            None => Vec::new(),
        },
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
    let sums = plan.sums.par_iter().enumerate().with_min_len(CELLS_AT_ONCE);
    sums.filter(|(_, sum)| sum.is_final).for_each_init(Vec::new, |adds, (number, sum)| {
        lanes.add_up(sum, number, adds);
    });
    Ok(LanesOutcome {
        results: lanes.results,
        cells: lanes.cells,
        overflowed: lanes.overflowed.into_inner(),
        spans: lanes.spans,
    })
}

/// So many cells to be set once. Made by all threads: a block's are megabytes.
fn empty<T: Send>(count: usize) -> Vec<OnceLock<T>> {
    let cells = (0..count).into_par_iter().with_min_len(CELLS_AT_ONCE);
    cells.map(|_| OnceLock::new()).collect()
}

/// Fewer cells than this are not worth another thread.
const CELLS_AT_ONCE: usize = 4_096;

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
                if let Some(span) = self.spans.get(call as usize) {
                    let (worker, end_ns) = (number as u32, self.now());
                    // A call runs once, so the span is never set already.
                    let _ = span.set(Span { worker, lane, start_ns, end_ns });
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
            if let Some((first, others)) = self.roots.get(start..end)?.split_first() {
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
                } else if next.is_none() {
                    next = Some(*target);
                } else {
                    queue.push(*target);
                }
            }
            *untold += 1;
        }
        next
    }

    fn run_call(&self, mut ctx: Box<CallContext>, call: u32) -> Box<CallContext> {
        let index = call as usize;
        let Target::Method { contract, method, steps, .. } = self.resolved.targets[index] else {
            let _ = self.bug.set("a refused call was made ready");
            return ctx;
        };
        let range = self.resolved.range(index);
        ctx.clear();
        ctx.outside = Outside::GiveUp;
        for (access, placement) in
            self.resolved.accesses[range.clone()].iter().zip(&self.plan.placements[range.clone()])
        {
            let input = match access.mode {
                Mode::Add => None,
                Mode::Read | Mode::Write => self.input(placement),
            };
            ctx.declare(access.contract, self.resolved.key(access), access.mode, input);
        }
        let request = &self.block.calls[index];
        let task = Task::new(request, call, contract, method, steps);
        let (mut ctx, end) = call::run(ctx, task);
        let result = match end {
            RunEnd::Done(receipt) => LaneResult::Done(receipt),
            RunEnd::Missed => LaneResult::Missed,
            RunEnd::Bug(bug) => {
                let _ = self.bug.set(bug);
                return ctx;
            }
        };
        let counts = matches!(result, LaneResult::Done(_));
        for (cell, touched) in range.zip(ctx.changes().0) {
            let change = if counts {
                std::mem::replace(&mut touched.change, Change::None)
            } else {
                Change::None
            };
            let version = match (touched.mode, change) {
                (Mode::Read, _) => continue,
                (Mode::Add, Change::Added(amount)) => Cell::Added(Some(amount.to_le_bytes())),
                (Mode::Add, _) => Cell::Added(None),
                (Mode::Write, Change::Written(value)) => Cell::Value(value),
                (Mode::Write, _) => Cell::Value(touched.input.take()),
            };
            // A call runs once, so its cells are empty until now.
            let _ = self.cells[cell].set(version);
        }
        let _ = self.results[index].set(result);
        ctx
    }

    /// The value that an access reads.
    fn input(&self, placement: &Placement) -> Option<Bytes> {
        self.version(placement.source, placement.key).cloned()
    }

    fn version(&self, cell: CellIndex, key: u32) -> Option<&Bytes> {
        value_in(&self.cells, self.plan, cell, key)
    }

    fn add_up(&self, sum: &Sum, number: usize, adds: &mut Vec<u32>) {
        let mut value = self.version(sum.prior, sum.key).cloned();
        self.plan.adds_of(sum, adds);
        for add in &*adds {
            if let Some(Cell::Added(Some(amount))) = self.cells[*add as usize].get() {
                match add_to(value.as_ref(), u128::from_le_bytes(*amount)) {
                    Some(total) => value = Some(Bytes::from_amount(total)),
                    None => self.overflowed.store(true, Ordering::Relaxed),
                }
            }
        }
        let cell = self.plan.placements.len() + number;
        let _ = self.cells[cell].set(Cell::Value(value));
    }
}

/// The value in a cell that holds one, or the key's value in the parent state.
pub(crate) fn value_in<'c>(
    cells: &'c [OnceLock<Cell>],
    plan: &'c Plan,
    cell: CellIndex,
    key: u32,
) -> Option<&'c Bytes> {
    if cell == PARENT {
        return plan.keys.get(key).base.as_ref();
    }
    match cells[cell as usize].get() {
        Some(Cell::Value(value)) => value.as_ref(),
        // Sources are writes and sums, and they have finished.
        Some(Cell::Added(_)) | None => unreachable!("a source holds a value when it is read"),
    }
}
