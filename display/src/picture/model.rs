//! What the picture says, before it is drawn: groups by color, chains, how busy each worker was.

use crate::graph::Graph;
use std::collections::BTreeMap;
use tollway::{BlockTrace, HotKey};

/// How many hot keys have a color of their own.
pub(super) const COLORS_MAX: usize = 6;

/// A run to draw.
pub struct Run<'a> {
    /// What ran, in words: `dex, zipf64`.
    pub title: String,
    /// What happened.
    pub trace: &'a BlockTrace,
    /// How long the same block took on one worker, if that was measured, in nanoseconds.
    pub serial_ns: Option<u64>,
    /// How long it took on all workers, untraced, in nanoseconds; else the trace's own time.
    pub parallel_ns: Option<u64>,
}

/// Why a call ran when it did; its color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// It waited for one of the hottest keys.
    Hot(usize),
    /// It waited for another key.
    Other,
    /// It waited for nobody.
    Free,
    /// It ran again in repair.
    Again,
}

impl Group {
    /// All groups, the hottest first: the order in which bars are stacked.
    pub(super) const ALL: [Self; COLORS_MAX + 3] = [
        Self::Hot(0),
        Self::Hot(1),
        Self::Hot(2),
        Self::Hot(3),
        Self::Hot(4),
        Self::Hot(5),
        Self::Other,
        Self::Again,
        Self::Free,
    ];

    /// Its place in [`Self::ALL`].
    pub(super) fn rank(self) -> usize {
        match self {
            Self::Hot(index) => index.min(COLORS_MAX - 1),
            Self::Other => COLORS_MAX,
            Self::Again => COLORS_MAX + 1,
            Self::Free => COLORS_MAX + 2,
        }
    }

    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Hot(index) => ["k0", "k1", "k2", "k3", "k4", "k5"][index.min(COLORS_MAX - 1)],
            Self::Other => "other",
            Self::Free => "free",
            Self::Again => "again",
        }
    }
}

/// One worker's part of the run.
pub(super) struct Worker {
    /// Its calls, by time, as indices into the trace.
    pub(super) calls: Vec<usize>,
    /// How many lanes it ran.
    pub(super) lanes: usize,
    /// The part of the execute phase in which it ran calls, 0 to 1.
    pub(super) busy: f64,
}

/// The run, ready to draw.
pub(super) struct Model<'a> {
    pub(super) title: &'a str,
    pub(super) trace: &'a BlockTrace,
    pub(super) hot: &'a [HotKey],
    /// The group of each call.
    pub(super) groups: Vec<Group>,
    /// How many calls must run before each call, one after another.
    pub(super) depths: Vec<usize>,
    /// Whether each call is on the critical chain.
    pub(super) on_chain: Vec<bool>,
    /// The critical chain; empty where no call waits.
    pub(super) chain: Vec<usize>,
    pub(super) workers: Vec<Worker>,
    /// The end of the last phase, in nanoseconds; at least 1.
    pub(super) end_ns: u64,
    /// How much faster than one worker the run was, if that was measured.
    pub(super) reached: Option<f64>,
    /// How much faster it could have been on as many workers.
    pub(super) possible: f64,
    /// How much faster it could be on 8, 32 and any number of workers.
    pub(super) outlook: [f64; 3],
}

impl<'a> Model<'a> {
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        let trace = run.trace;
        let graph = Graph::new(&trace.calls);
        let mut chain = graph.critical_chain();
        if chain.len() < 2 {
            chain.clear();
        }
        let mut on_chain = vec![false; trace.calls.len()];
        chain.iter().for_each(|index| on_chain[*index] = true);
        let waited = trace.hot_keys.iter().filter(|key| key.waits > 0).count();
        let end_ns = (trace.phases.iter().map(|phase| phase.end_ns))
            .chain(trace.calls.iter().map(|call| call.end_ns))
            .fold(1, u64::max);
        let parallel_ns = run.parallel_ns.unwrap_or(end_ns).max(1);
        let planned = |workers: usize| {
            let listed = trace.plan.speedup_gas.iter().find(|(n, _)| *n as usize == workers);
            listed.map_or_else(|| graph.speedup(workers), |(_, speedup)| *speedup)
        };
        let unbounded = trace.plan.speedup_gas.last().map(|(_, speedup)| *speedup);
        Self {
            title: &run.title,
            trace,
            hot: &trace.hot_keys[..waited],
            groups: groups(trace),
            depths: graph.depths(),
            on_chain,
            chain,
            workers: workers(trace),
            end_ns,
            reached: run.serial_ns.map(|serial| serial as f64 / parallel_ns as f64),
            possible: planned(trace.threads.max(1)),
            outlook: [
                planned(8),
                planned(32),
                unbounded.unwrap_or_else(|| graph.speedup_unbounded()),
            ],
        }
    }

    /// The key that most of the critical chain waits for, if one does.
    pub(super) fn chain_key(&self) -> Option<&'a str> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for index in &self.chain {
            *counts.entry(self.trace.calls[*index].waits_on.as_str()).or_default() += 1;
        }
        let (key, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        // The first call of a chain waits for nobody.
        (!key.is_empty() && count * 2 >= self.chain.len()).then_some(key)
    }

    /// The groups that calls of this run have, hottest first.
    pub(super) fn groups_present(&self) -> Vec<Group> {
        let present = |group: &Group| self.groups.contains(group);
        Group::ALL.into_iter().filter(present).collect()
    }
}

fn groups(trace: &BlockTrace) -> Vec<Group> {
    let hot: BTreeMap<_, _> = trace
        .hot_keys
        .iter()
        .take(COLORS_MAX)
        .enumerate()
        .map(|(index, key)| (key.name.as_str(), index))
        .collect();
    let group = |call: &tollway::CallTrace| match hot.get(call.waits_on.as_str()) {
        _ if call.repaired => Group::Again,
        _ if call.waits_on.is_empty() => Group::Free,
        Some(index) => Group::Hot(*index),
        None => Group::Other,
    };
    trace.calls.iter().map(group).collect()
}

fn workers(trace: &BlockTrace) -> Vec<Worker> {
    let used = trace.calls.iter().map(|call| call.worker as usize + 1).max().unwrap_or(0);
    // A trace names its workers itself; more than this is a broken one.
    const WORKERS_MAX: usize = 1_024;
    let count = trace.threads.max(used).clamp(1, WORKERS_MAX);
    let mut calls = vec![Vec::new(); count];
    for (index, call) in trace.calls.iter().enumerate() {
        // A call without a declaration runs in repair only, and has no time in the lanes.
        if call.end_ns > call.start_ns
            && let Some(list) = calls.get_mut(call.worker as usize)
        {
            list.push(index);
        }
    }
    let execute = trace.phases.iter().find(|phase| phase.name == "execute");
    let wall = execute.map_or(0, |phase| phase.end_ns.saturating_sub(phase.start_ns));
    let finish = |mut calls: Vec<usize>| {
        calls.sort_by_key(|index| (trace.calls[*index].start_ns, *index));
        let mut lanes: Vec<_> = calls.iter().map(|index| trace.calls[*index].lane).collect();
        lanes.sort_unstable();
        lanes.dedup();
        let time: u64 = calls
            .iter()
            .map(|index| trace.calls[*index].end_ns - trace.calls[*index].start_ns)
            .sum();
        let busy = (time as f64 / wall.max(1) as f64).min(1.0);
        Worker { calls, lanes: lanes.len(), busy }
    };
    calls.into_iter().map(finish).collect()
}
