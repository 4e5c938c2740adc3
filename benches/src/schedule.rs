//! Chains and ideal schedules of a block, from nothing but each call's cost and access set.
//!
//! The runtime plans for itself; this is the recomputation that its plan is compared with, so it
//! shares no code with it.
//!
//! ```text
//! block order   c0 w:a   c1 +a   c2 +a   c3 r:a   c4 +a   c5 w:a   c6 r:a
//!
//! waits         c3: c0 c1 c2        c5: c0 c1 c2 c4        c6: c5
//!
//! as a graph    c0 c1 c2 ──▶ j ──▶ c3       a join costs nothing and takes no worker: it stands
//!                            └──▶ j' ──▶ c5 for the value that the write and the adds make, so
//!                       c4 ─────▶ ┘         edges stay linear in accesses
//! ```
//!
//! # Invariants
//! 1. A read or write of a key waits for the latest earlier write of it and the adds since; an add
//!    waits for nobody (`tests::chains_equal_the_naive_ones`).
//! 2. Nodes are created in block order, each after what it waits for, so an index is a topological
//!    rank (`tests::schedules_equal_the_naive_ones` would loop or differ otherwise).

mod lanes;

pub use lanes::{LanesRun, ROOTS_AT_ONCE, StepCosts};

use hashbrown::HashMap;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tollway_host_api::Mode;

/// A call as a schedule sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What it costs, in any unit.
    pub cost: u64,
    /// The keys that it touches. A key may occur more than once: its modes merge.
    pub accesses: Vec<(u32, Mode)>,
}

/// The critical path and the ideal speed-ups of a block.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ideal {
    /// On any number of workers: total cost over the costliest chain.
    pub inf: f64,
    /// On two workers, greedily scheduled.
    #[serde(rename = "2")]
    pub two: f64,
    /// On eight.
    #[serde(rename = "8")]
    pub eight: f64,
    /// On thirty-two.
    #[serde(rename = "32")]
    pub thirty_two: f64,
}

/// Which call waits for which.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    /// Cost of the costliest chain that starts at each node, the node included.
    remaining: Vec<u64>,
    critical_path_calls: u32,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The call, or `None` for a join.
    call: Option<u32>,
    cost: u64,
    dependants: Vec<u32>,
    waits: u32,
}

/// What the next reader of a key waits for.
#[derive(Default)]
struct Sources {
    /// The write, or the join of all sources before the latest reader.
    settled: Option<u32>,
    /// The adds since.
    adds: Vec<u32>,
}

impl Graph {
    /// The graph of calls in block order.
    pub fn new(tasks: &[Task]) -> Self {
        let mut builder = Builder::default();
        for (call, task) in (0..).zip(tasks) {
            builder.push(call, task);
        }
        Self::of_nodes(builder.nodes)
    }

    /// The graph of calls in block order, from the earlier calls that each one waits for. Calls
    /// without a cost are left out: they do not run in lanes, and nobody waits for them.
    ///
    /// # Panics
    /// If there are not as many lists as costs, or a call waits for itself, a later call or one
    /// that is left out.
    pub fn of_waits(costs: &[Option<u64>], waits: &[Vec<u32>]) -> Self {
        assert_eq!(costs.len(), waits.len(), "each call has a cost and a list of waits");
        let mut builder = Builder::default();
        let mut node_of: Vec<Option<u32>> = Vec::with_capacity(costs.len());
        for ((call, cost), waits) in (0..).zip(costs).zip(waits) {
            node_of.push(cost.map(|cost| {
                let earlier = |earlier: &u32| {
                    let node = node_of.get(*earlier as usize).copied().flatten();
                    node.expect("a call waits for earlier calls that run")
                };
                let mut waits: Vec<u32> = waits.iter().map(earlier).collect();
                waits.sort_unstable();
                waits.dedup();
                builder.add_node(Some(call), cost, &waits)
            }));
        }
        Self::of_nodes(builder.nodes)
    }

    fn of_nodes(nodes: Vec<Node>) -> Self {
        let remaining = longest_chains(&nodes, |node| node.cost);
        let calls = longest_chains(&nodes, |node| node.call.is_some().into());
        let critical_path_calls = calls.into_iter().max().unwrap_or(0) as u32;
        Self { nodes, remaining, critical_path_calls }
    }

    /// Calls on the longest chain.
    pub fn critical_path_calls(&self) -> u32 {
        self.critical_path_calls
    }

    /// Cost of the costliest chain.
    pub fn critical_path_cost(&self) -> u64 {
        self.remaining.iter().copied().max().unwrap_or(0)
    }

    /// Cost of all calls.
    pub fn cost_total(&self) -> u64 {
        self.nodes.iter().map(|node| node.cost).sum()
    }

    /// When the last call ends on so many workers without overheads: whenever a worker is free, it
    /// takes the ready call with the costliest remaining chain, the earliest one of equals.
    ///
    /// # Panics
    /// If `workers` is 0.
    pub fn makespan(&self, workers: usize) -> u64 {
        assert!(workers > 0, "a schedule needs a worker");
        let mut run = Run::new(self);
        let mut idle = workers;
        let mut now = 0;
        loop {
            while idle > 0 && run.start_next(now) {
                idle -= 1;
            }
            match run.finish_next() {
                Some((end, finished)) => {
                    now = end;
                    idle += finished;
                }
                None => return now,
            }
        }
    }

    /// Total cost over [`Self::makespan`]; 1 for a block that costs nothing.
    ///
    /// # Panics
    /// If `workers` is 0.
    pub fn speedup(&self, workers: usize) -> f64 {
        ratio(self.cost_total(), self.makespan(workers))
    }

    /// The usual ideal speed-ups.
    pub fn ideal(&self) -> Ideal {
        Ideal {
            inf: ratio(self.cost_total(), self.critical_path_cost()),
            two: self.speedup(2),
            eight: self.speedup(8),
            thirty_two: self.speedup(32),
        }
    }
}

fn ratio(total: u64, span: u64) -> f64 {
    if span == 0 { 1.0 } else { total as f64 / span as f64 }
}

/// Each key once, with the union of its modes; in the order of keys.
pub fn merged(accesses: &[(u32, Mode)]) -> Vec<(u32, Mode)> {
    let mut merged = accesses.to_vec();
    merged.sort_unstable();
    merged.dedup_by(|(key, mode), (key_kept, mode_kept)| {
        let same = key == key_kept;
        if same {
            *mode_kept = mode_kept.union(*mode);
        }
        same
    });
    merged
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    keys: HashMap<u32, Sources>,
}

impl Builder {
    fn push(&mut self, call: u32, task: &Task) {
        let accesses = merged(&task.accesses);
        let mut waits: Vec<u32> = Vec::new();
        for (key, mode) in &accesses {
            if *mode != Mode::Add {
                waits.extend(self.settle(*key));
            }
        }
        // One edge for a pair of nodes, however many keys they share.
        waits.sort_unstable();
        waits.dedup();
        let node = self.add_node(Some(call), task.cost, &waits);
        for (key, mode) in &accesses {
            match mode {
                Mode::Read => {}
                Mode::Add => self.keys.entry(*key).or_default().adds.push(node),
                Mode::Write => {
                    self.keys.insert(*key, Sources { settled: Some(node), adds: Vec::new() });
                }
            }
        }
    }

    /// The one node that stands for the key's value so far, made if there are adds to join.
    fn settle(&mut self, key: u32) -> Option<u32> {
        let sources = self.keys.get_mut(&key)?;
        if sources.adds.is_empty() {
            return sources.settled;
        }
        let mut waits = std::mem::take(&mut sources.adds);
        waits.extend(sources.settled);
        let join = self.add_node(None, 0, &waits);
        self.keys.entry(key).or_default().settled = Some(join);
        Some(join)
    }

    fn add_node(&mut self, call: Option<u32>, cost: u64, waits: &[u32]) -> u32 {
        let node = self.nodes.len() as u32;
        for earlier in waits {
            self.nodes[*earlier as usize].dependants.push(node);
        }
        self.nodes.push(Node { call, cost, dependants: Vec::new(), waits: waits.len() as u32 });
        node
    }
}

/// The weight of the heaviest chain that starts at each node.
fn longest_chains(nodes: &[Node], weight: impl Fn(&Node) -> u64) -> Vec<u64> {
    let mut chains = vec![0; nodes.len()];
    for index in (0..nodes.len()).rev() {
        let node = &nodes[index];
        let after = node.dependants.iter().map(|next| chains[*next as usize]).max();
        chains[index] = weight(node) + after.unwrap_or(0);
    }
    chains
}

/// A list schedule under way.
struct Run<'a> {
    graph: &'a Graph,
    waits: Vec<u32>,
    /// Costliest remaining chain first, then the earliest call.
    ready: BinaryHeap<(u64, Reverse<u32>)>,
    running: BinaryHeap<Reverse<(u64, u32)>>,
}

impl<'a> Run<'a> {
    fn new(graph: &'a Graph) -> Self {
        let waits = graph.nodes.iter().map(|node| node.waits).collect();
        let mut run = Self { graph, waits, ready: BinaryHeap::new(), running: BinaryHeap::new() };
        for node in 0..graph.nodes.len() as u32 {
            // Joins always wait for something, so these are calls.
            if graph.nodes[node as usize].waits == 0 {
                run.make_ready(node);
            }
        }
        run
    }

    /// Nodes are numbered in block order, so the node's number breaks ties as the call's would.
    fn make_ready(&mut self, node: u32) {
        self.ready.push((self.graph.remaining[node as usize], Reverse(node)));
    }

    fn start_next(&mut self, now: u64) -> bool {
        let Some((_, Reverse(node))) = self.ready.pop() else {
            return false;
        };
        let cost = self.graph.nodes[node as usize].cost;
        self.running.push(Reverse((now + cost, node)));
        true
    }

    /// Ends all calls that end next, and says when that is and how many they are.
    fn finish_next(&mut self) -> Option<(u64, usize)> {
        let Reverse((end, _)) = *self.running.peek()?;
        let mut finished = 0;
        while let Some(&Reverse((other_end, node))) = self.running.peek()
            && other_end == end
        {
            self.running.pop();
            self.release(node);
            finished += 1;
        }
        Some((end, finished))
    }

    fn release(&mut self, node: u32) {
        let mut done = vec![node];
        while let Some(node) = done.pop() {
            for next in &self.graph.nodes[node as usize].dependants {
                let waits = &mut self.waits[*next as usize];
                *waits -= 1;
                if *waits == 0 {
                    match self.graph.nodes[*next as usize].call {
                        Some(_) => self.make_ready(*next),
                        None => done.push(*next),
                    }
                }
            }
        }
    }
}

/// The same by definition, in quadratic time and as few lines as it takes.
#[cfg(test)]
pub(crate) mod naive {
    use super::*;

    /// For each call, the calls that it waits for.
    pub(crate) fn waits(tasks: &[Task]) -> Vec<Vec<usize>> {
        let mode_of = |call: usize, key: u32| {
            let modes = tasks[call].accesses.iter().filter(|access| access.0 == key);
            modes.map(|access| access.1).reduce(Mode::union)
        };
        let waits_of = |call: usize| {
            let mut waits = Vec::new();
            for (key, _) in &tasks[call].accesses {
                if mode_of(call, *key) == Some(Mode::Add) {
                    continue;
                }
                for earlier in (0..call).rev() {
                    match mode_of(earlier, *key) {
                        None | Some(Mode::Read) => {}
                        Some(Mode::Add) => waits.push(earlier),
                        Some(Mode::Write) => {
                            waits.push(earlier);
                            break;
                        }
                    }
                }
            }
            waits.sort_unstable();
            waits.dedup();
            waits
        };
        (0..tasks.len()).map(waits_of).collect()
    }

    /// The heaviest chain, and for each call the heaviest one that starts there.
    pub(crate) fn chains(waits: &[Vec<usize>], weights: &[u64]) -> (u64, Vec<u64>) {
        let mut chains = weights.to_vec();
        for call in (0..weights.len()).rev() {
            for earlier in &waits[call] {
                chains[*earlier] = chains[*earlier].max(weights[*earlier] + chains[call]);
            }
        }
        (chains.iter().copied().max().unwrap_or(0), chains)
    }

    /// The list schedule, worker by worker: look at every call whenever anything may change.
    pub(crate) fn makespan(tasks: &[Task], workers: usize) -> u64 {
        let waits = waits(tasks);
        let costs: Vec<u64> = tasks.iter().map(|task| task.cost).collect();
        let (_, remaining) = chains(&waits, &costs);
        let mut ends: Vec<Option<u64>> = vec![None; tasks.len()];
        let mut now = 0;
        loop {
            let is_done = |call: usize, ends: &[Option<u64>]| {
                ends[call].is_some_and(|end| end < now || (end == now && tasks[call].cost > 0))
            };
            // Calls that cost nothing end in the same moment, but after it has begun.
            let busy = |ends: &[Option<u64>]| {
                (0..tasks.len()).filter(|call| ends[*call].is_some_and(|end| end > now)).count()
            };
            let ready = (0..tasks.len())
                .filter(|call| ends[*call].is_none())
                .filter(|call| waits[*call].iter().all(|earlier| is_done(*earlier, &ends)))
                .max_by_key(|call| (remaining[*call], Reverse(*call)));
            match ready {
                Some(call) if busy(&ends) < workers => ends[call] = Some(now + tasks[call].cost),
                _ => match ends.iter().flatten().copied().filter(|end| *end > now).min() {
                    Some(next) => now = next,
                    None => return now,
                },
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block such as `3 w:a r:b | 5 +a`: cost, then accesses of keys a to z.
    pub(crate) fn block(text: &str) -> Vec<Task> {
        let task = |text: &str| {
            let mut words = text.split_whitespace();
            let cost = words.next().unwrap().parse().unwrap();
            let accesses = words.map(|word| {
                let key = u32::from(*word.as_bytes().last().unwrap());
                let mode = match &word[..1] {
                    "r" => Mode::Read,
                    "w" => Mode::Write,
                    _ => Mode::Add,
                };
                (key, mode)
            });
            Task { cost, accesses: accesses.collect() }
        };
        text.split('|').map(task).collect()
    }

    fn check(text: &str, calls: u32, cost: u64, spans: [u64; 2]) {
        let graph = Graph::new(&block(text));
        let found = (graph.critical_path_calls(), graph.critical_path_cost());
        assert_eq!(found, (calls, cost), "{text}");
        assert_eq!([1, 2].map(|workers| graph.makespan(workers)), spans, "{text}");
    }

    #[test]
    fn readers_of_one_key_do_not_wait() {
        check("3 r:a | 3 r:a | 3 r:a", 1, 3, [9, 6]);
    }

    #[test]
    fn writers_do_not_wait_for_readers() {
        check("3 r:a | 3 w:a", 1, 3, [6, 3]);
    }

    #[test]
    fn writers_wait_for_writers() {
        check("3 w:a | 4 w:a | 5 r:a", 3, 12, [12, 12]);
    }

    #[test]
    fn adders_wait_for_nobody_and_readers_for_all_of_them() {
        check("9 w:a | 2 +a | 2 +a | 1 r:a", 2, 10, [14, 10]);
        check("1 +a | 1 +a | 1 r:a | 7 +a | 1 r:a", 2, 8, [11, 8]);
        check("7 +a | 1 w:a | 1 r:a", 3, 9, [9, 9]);
    }

    #[test]
    fn modes_of_one_key_merge() {
        check("3 w:a | 4 r:a +a | 5 r:a", 3, 12, [12, 12]);
    }

    #[test]
    fn longest_chain_goes_first() {
        check("2 r:z | 2 r:z | 2 w:a | 2 w:a", 2, 4, [8, 4]);
    }

    #[test]
    fn empty_blocks_have_no_chain() {
        let graph = Graph::new(&[]);
        assert_eq!((graph.critical_path_calls(), graph.cost_total()), (0, 0));
        assert_eq!(graph.speedup(2), 1.0);
    }

    pub(crate) fn any_tasks() -> impl Strategy<Value = Vec<Task>> {
        let mode = prop_oneof![Just(Mode::Read), Just(Mode::Add), Just(Mode::Write)];
        let accesses = prop::collection::vec((0u32..8, mode), 0..5);
        let task = (1u64..9, accesses).prop_map(|(cost, accesses)| Task { cost, accesses });
        prop::collection::vec(task, 0..40)
    }

    proptest! {
        #[test]
        fn chains_equal_the_naive_ones(tasks in any_tasks()) {
            let graph = Graph::new(&tasks);
            let waits = naive::waits(&tasks);
            let costs: Vec<u64> = tasks.iter().map(|task| task.cost).collect();
            let (cost, _) = naive::chains(&waits, &costs);
            let (calls, _) = naive::chains(&waits, &vec![1; tasks.len()]);
            prop_assert_eq!(graph.critical_path_cost(), cost);
            prop_assert_eq!(u64::from(graph.critical_path_calls()), calls);
        }

        #[test]
        fn schedules_equal_the_naive_ones(tasks in any_tasks(), workers in 1usize..6) {
            let graph = Graph::new(&tasks);
            let span = graph.makespan(workers);
            prop_assert_eq!(span, naive::makespan(&tasks, workers));
            prop_assert!(span >= graph.critical_path_cost());
            prop_assert!(span >= graph.cost_total().div_ceil(workers as u64));
        }
    }
}
