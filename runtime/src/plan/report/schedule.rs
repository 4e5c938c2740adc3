//! Critical path and list schedules of a plan.
//!
//! Greedy list scheduling, longest remaining chain first, is within 2 − 1/n of the best schedule on
//! n workers (R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17,
//! 1969).

use crate::plan::Plan;
use crate::plan::graph::NodeIndex;
use crate::resolve::Resolved;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Worker counts for which a schedule is laid out; after them, any number of workers.
const WORKERS: [u32; 6] = [1, 2, 4, 8, 16, 32];

/// A plan with a cost for each call. Sums cost nothing; calls without a declaration run one after
/// another, after all others.
pub(super) struct Costs<'p> {
    plan: &'p Plan,
    cost: Vec<u64>,
    /// What the undeclared calls cost together, and how many they are.
    serial: (u64, u32),
    /// When a node ends if nothing but values holds it up.
    finish: Vec<u64>,
    /// Calls on the longest chain that ends with a node.
    length: Vec<u32>,
    /// The costliest chain from a node to the end, itself included.
    remaining: Vec<u64>,
}

impl<'p> Costs<'p> {
    pub(super) fn new(
        resolved: &Resolved,
        plan: &'p Plan,
        call_costs: &[u64],
        is_declared: &[bool],
    ) -> Self {
        let calls = resolved.call_count();
        let nodes = plan.graph.node_count();
        let mut cost = vec![0; nodes];
        let mut serial = (0, 0);
        for call in 0..calls {
            if is_declared[call] {
                cost[call] = call_costs[call];
            } else {
                serial = (serial.0 + call_costs[call], serial.1 + 1);
            }
        }
        let weight = |node: usize| u32::from(node < calls && is_declared[node]);
        let order = topological(plan);
        let mut finish = cost.clone();
        let mut length: Vec<u32> = (0..nodes).map(weight).collect();
        for node in order.iter().map(|node| *node as usize) {
            for target in plan.graph.targets(node as NodeIndex) {
                let target = *target as usize;
                finish[target] = finish[target].max(finish[node] + cost[target]);
                length[target] = length[target].max(length[node] + weight(target));
            }
        }
        let mut remaining = cost.clone();
        for node in order.iter().rev().map(|node| *node as usize) {
            let targets = plan.graph.targets(node as NodeIndex).iter();
            let longest = targets.map(|target| remaining[*target as usize]).max();
            remaining[node] += longest.unwrap_or(0);
        }
        Self { plan, cost, serial, finish, length, remaining }
    }

    pub(super) fn finish(&self, call: u32) -> u64 {
        self.finish[call as usize]
    }

    pub(super) fn critical_path(&self) -> u64 {
        self.serial.0 + self.finish.iter().max().copied().unwrap_or(0)
    }

    pub(super) fn critical_path_calls(&self) -> u32 {
        self.serial.1 + self.length.iter().max().copied().unwrap_or(0)
    }

    pub(super) fn total(&self) -> u64 {
        self.serial.0 + self.cost.iter().sum::<u64>()
    }

    /// (workers, speed-up) for [`WORKERS`], then (`u32::MAX`, speed-up on any number of them).
    pub(super) fn speedups(&self) -> Vec<(u32, f64)> {
        let ratio = |makespan: u64| match makespan {
            0 => 1.0,
            makespan => self.total() as f64 / makespan as f64,
        };
        let mut speedups: Vec<(u32, f64)> = WORKERS
            .iter()
            .map(|workers| (*workers, ratio(self.serial.0 + self.makespan(*workers))))
            .collect();
        speedups.push((u32::MAX, ratio(self.critical_path())));
        speedups
    }

    /// How long a greedy list schedule takes.
    fn makespan(&self, workers: u32) -> u64 {
        let mut waits = self.plan.graph.waits.clone();
        let mut ready: BinaryHeap<(u64, Reverse<u32>)> = (0..waits.len() as u32)
            .filter(|node| waits[*node as usize] == 0)
            .map(|node| (self.remaining[node as usize], Reverse(node)))
            .collect();
        let mut running: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
        let mut now = 0;
        loop {
            while running.len() < workers as usize {
                let Some((_, Reverse(node))) = ready.pop() else {
                    break;
                };
                running.push(Reverse((now + self.cost[node as usize], node)));
            }
            let Some(Reverse((end, node))) = running.pop() else {
                return now;
            };
            now = end;
            for target in self.plan.graph.targets(node) {
                let wait = &mut waits[*target as usize];
                *wait -= 1;
                if *wait == 0 {
                    ready.push((self.remaining[*target as usize], Reverse(*target)));
                }
            }
        }
    }
}

/// All nodes, each after those that it waits for.
fn topological(plan: &Plan) -> Vec<NodeIndex> {
    let mut waits = plan.graph.waits.clone();
    let mut order: Vec<NodeIndex> =
        (0..waits.len() as u32).filter(|node| waits[*node as usize] == 0).collect();
    let mut next = 0;
    while let Some(node) = order.get(next).copied() {
        next += 1;
        for target in plan.graph.targets(node) {
            let wait = &mut waits[*target as usize];
            *wait -= 1;
            if *wait == 0 {
                order.push(*target);
            }
        }
    }
    order
}
