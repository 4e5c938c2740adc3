//! The conflict graph of a traced block: what could run when, were there no overheads.
//!
//! ```text
//! waits     c2 → c0   c3 → c2   c4 → c1
//!
//! depth     0   c0 c1          chain   c0 ─▶ c2 ─▶ c3
//!           1   c2 c4
//!           2   c3
//! ```
//!
//! # Invariants
//! 1. A wait that does not point back in block order is ignored, so that no trace makes a loop
//!    (`tests::waits_that_point_forward_are_ignored`).
//! 2. No schedule is shorter than the critical chain, nor than cost divided by workers
//!    (`tests::schedules_keep_their_bounds`).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tollway::CallTrace;

/// Calls as nodes, waits as edges; a node's index is its place in the trace.
#[derive(Clone, Debug)]
pub struct Graph {
    cost: Vec<u64>,
    waits: Vec<Vec<usize>>,
}

impl Graph {
    /// The graph of these calls, each costing its gas.
    pub fn new(calls: &[CallTrace]) -> Self {
        let mut place: Vec<_> =
            calls.iter().enumerate().map(|(index, call)| (call.call, index)).collect();
        place.sort_unstable();
        let find = |call: u32| {
            let at = place.binary_search_by_key(&call, |(number, _)| *number).ok()?;
            Some(place[at].1)
        };
        let waits = calls.iter().enumerate().map(|(index, call)| {
            let sources = call.waits_for.iter().filter_map(|call| find(*call));
            sources.filter(|source| *source < index).collect()
        });
        Self { waits: waits.collect(), cost: calls.iter().map(|call| call.gas.max(1)).collect() }
    }

    /// For each call, how many calls must run before it, one after another.
    pub fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.waits.len()];
        for (index, waits) in self.waits.iter().enumerate() {
            depths[index] = waits.iter().map(|source| depths[*source] + 1).max().unwrap_or(0);
        }
        depths
    }

    /// The costliest chain of calls of which each waits for the one before it, in block order.
    pub fn critical_chain(&self) -> Vec<usize> {
        let mut finish = vec![0u64; self.waits.len()];
        let mut before = vec![None; self.waits.len()];
        for (index, waits) in self.waits.iter().enumerate() {
            // The first of equals, so that the chain does not depend on the order of a tie.
            let latest =
                waits.iter().copied().max_by_key(|source| (finish[*source], Reverse(*source)));
            finish[index] = latest.map_or(0, |source| finish[source]) + self.cost[index];
            before[index] = latest;
        }
        let last = (0..finish.len()).max_by_key(|index| (finish[*index], Reverse(*index)));
        let mut chain: Vec<_> = std::iter::successors(last, |index| before[*index]).collect();
        chain.reverse();
        chain
    }

    /// How much faster than one worker `workers` of them could be: a greedy schedule by gas,
    /// longest remaining chain first, no overheads.
    pub fn speedup(&self, workers: usize) -> f64 {
        let total: u64 = self.cost.iter().sum();
        match self.makespan(workers.max(1)) {
            0 => 1.0,
            makespan => total as f64 / makespan as f64,
        }
    }

    fn makespan(&self, workers: usize) -> u64 {
        let calls = self.cost.len();
        let mut targets = vec![Vec::new(); calls];
        for (call, sources) in self.waits.iter().enumerate() {
            sources.iter().for_each(|source| targets[*source].push(call));
        }
        let mut remaining = self.cost.clone();
        for call in (0..calls).rev() {
            let longest = targets[call].iter().map(|target| remaining[*target]).max();
            remaining[call] += longest.unwrap_or(0);
        }
        let mut waits: Vec<usize> = self.waits.iter().map(Vec::len).collect();
        let mut ready: BinaryHeap<(u64, Reverse<usize>)> = (0..calls)
            .filter(|call| waits[*call] == 0)
            .map(|call| (remaining[call], Reverse(call)))
            .collect();
        let mut running: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
        let mut now = 0;
        loop {
            while running.len() < workers {
                let Some((_, Reverse(call))) = ready.pop() else { break };
                running.push(Reverse((now + self.cost[call], call)));
            }
            let Some(Reverse((end, call))) = running.pop() else { return now };
            now = end;
            for target in &targets[call] {
                waits[*target] -= 1;
                if waits[*target] == 0 {
                    ready.push((remaining[*target], Reverse(*target)));
                }
            }
        }
    }

    /// How much faster than one worker any number of them could be.
    pub fn speedup_unbounded(&self) -> f64 {
        let total: u64 = self.cost.iter().sum();
        let chain: u64 = self.critical_chain().iter().map(|index| self.cost[*index]).sum();
        if chain == 0 { 1.0 } else { total as f64 / chain as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::call;

    fn graph(waits: &[&[u32]]) -> Graph {
        let calls: Vec<_> =
            (0..).zip(waits).map(|(index, waits)| call(index).waiting(waits).0).collect();
        Graph::new(&calls)
    }

    #[test]
    fn a_call_is_as_deep_as_its_longest_chain() {
        let graph = graph(&[&[], &[], &[0], &[2], &[1], &[4, 3]]);
        assert_eq!(graph.depths(), [0, 0, 1, 2, 1, 3]);
        assert_eq!(graph.critical_chain(), [0, 2, 3, 5]);
        assert!((graph.speedup_unbounded() - 1.5).abs() < 1e-9);
    }

    #[test]
    fn waits_that_point_forward_are_ignored() {
        let graph = graph(&[&[0, 1, 9], &[0]]);
        assert_eq!(graph.depths(), [0, 1]);
    }

    #[test]
    fn a_block_without_calls_has_a_speedup_of_one() {
        let graph = graph(&[]);
        assert_eq!(graph.critical_chain(), [0usize; 0]);
        assert!((graph.speedup(4) - 1.0).abs() < 1e-9);
        assert!((graph.speedup_unbounded() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn schedules_keep_their_bounds() {
        let chain_and_free = graph(&[&[], &[0], &[1], &[], &[], &[], &[2], &[]]);
        for workers in 1..=8 {
            let speedup = chain_and_free.speedup(workers);
            assert!(speedup <= workers as f64 + 1e-9);
            assert!(speedup <= chain_and_free.speedup_unbounded() + 1e-9);
        }
        assert!((chain_and_free.speedup(1) - 1.0).abs() < 1e-9);
        assert!((chain_and_free.speedup(2) - 2.0).abs() < 1e-9);
    }
}
