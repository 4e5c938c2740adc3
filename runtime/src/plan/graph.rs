//! The conflict graph: an edge where a value flows. Nodes are the block's calls, then its sums;
//! sums that no call reads have no edges.

use crate::plan::{CellIndex, PARENT, Placement, Sum};
use crate::resolve::Resolved;
use tollway_host_api::Mode;

/// The number of a node: a call's position, or the number of calls plus a sum's number.
pub(crate) type NodeIndex = u32;

/// Who waits for whom, as adjacency lists.
#[derive(Debug)]
pub(crate) struct Graph {
    call_count: u32,
    /// How many edges lead to each node.
    pub(crate) waits: Vec<u32>,
    /// `targets[starts[n]..starts[n + 1]]` wait for node n. A pair stands once for each value
    /// that flows.
    starts: Vec<u32>,
    targets: Vec<NodeIndex>,
}

impl Graph {
    pub(crate) fn new(resolved: &Resolved, placements: &[Placement], sums: &[Sum]) -> Self {
        let call_count = resolved.targets.len() as u32;
        let nodes = call_count as usize + sums.len();
        let mut waits = vec![0u32; nodes];
        // Counts first, then positions: starts[n + 1] becomes the end of n's list.
        let mut starts = vec![0u32; nodes + 1];
        for_each_edge(resolved, placements, sums, call_count, |from, to| {
            starts[from as usize + 1] += 1;
            waits[to as usize] += 1;
        });
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut targets = vec![0; starts[nodes] as usize];
        for_each_edge(resolved, placements, sums, call_count, |from, to| {
            let at = &mut next[from as usize];
            targets[*at as usize] = to;
            *at += 1;
        });
        Self { call_count, waits, starts, targets }
    }

    /// The nodes that wait for `node`.
    #[inline]
    pub(crate) fn targets(&self, node: NodeIndex) -> &[NodeIndex] {
        let (start, end) = (self.starts[node as usize], self.starts[node as usize + 1]);
        &self.targets[start as usize..end as usize]
    }

    /// The number of the sum that this node is.
    #[inline]
    pub(crate) fn sum(&self, node: NodeIndex) -> Option<usize> {
        node.checked_sub(self.call_count).map(|sum| sum as usize)
    }

    pub(crate) fn node_count(&self) -> usize {
        self.waits.len()
    }

    #[cfg(test)]
    pub(crate) fn edge_count(&self) -> usize {
        self.targets.len()
    }
}

fn for_each_edge(
    resolved: &Resolved,
    placements: &[Placement],
    sums: &[Sum],
    call_count: u32,
    mut edge: impl FnMut(NodeIndex, NodeIndex),
) {
    let node_of = |cell: CellIndex| match resolved.accesses.get(cell as usize) {
        Some(access) => access.call,
        None => call_count + (cell - placements.len() as u32),
    };
    for (access, placement) in resolved.accesses.iter().zip(placements) {
        if access.mode != Mode::Add && placement.source != PARENT {
            edge(node_of(placement.source), access.call);
        }
    }
    for (number, sum) in sums.iter().enumerate().filter(|(_, sum)| !sum.is_final) {
        let node = call_count + number as u32;
        if sum.prior != PARENT {
            edge(node_of(sum.prior), node);
        }
        let mut add = sum.last_add;
        while add != PARENT {
            edge(resolved.accesses[add as usize].call, node);
            add = placements[add as usize].source;
        }
    }
}
