//! The conflict graph: an edge where a value flows. Nodes are the block's calls, then its sums.

use crate::prefetch::prefetch;

/// The number of a node: a call's position, or the number of calls plus a sum's number.
pub(crate) type NodeIndex = u32;

/// Edges, each from one node to another.
pub(super) type EdgeList = Vec<(NodeIndex, NodeIndex)>;

/// Marks, in the lists that [`Graph::new`] takes, a node that is a sum named as
/// [`super::keys::sum_of`] reads it.
pub(super) const SUM_NODE: NodeIndex = 1 << 31;

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
    /// The graph of lists of edges, from and to. `first_sums` says, by group, which sum is its
    /// first.
    pub(super) fn new(
        call_count: usize,
        sum_count: usize,
        lists: &[EdgeList],
        first_sums: &[u32],
    ) -> Self {
        let call_count = call_count as u32;
        let node = |node: NodeIndex| {
            if node & SUM_NODE == 0 {
                return node as usize;
            }
            let (group, place) = super::keys::sum_of(node & !SUM_NODE);
            call_count as usize + first_sums[group] as usize + place
        };
        let edges = || lists.iter().flatten().map(|(from, to)| (node(*from), node(*to)));
        let nodes = call_count as usize + sum_count;
        let mut waits = vec![0u32; nodes];
        // Counts first, then positions: starts[n + 1] becomes the end of n's list.
        let mut starts = vec![0u32; nodes + 1];
        for (from, to) in edges() {
            starts[from + 1] += 1;
            waits[to] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut targets = vec![0; starts[nodes] as usize];
        if !targets.is_empty() {
            let mut next = starts.clone();
            for (from, to) in edges() {
                targets[next[from] as usize] = to as NodeIndex;
                next[from] += 1;
            }
        }
        Self { call_count, waits, starts, targets }
    }

    /// The nodes that wait for `node`.
    #[inline]
    pub(crate) fn targets(&self, node: NodeIndex) -> &[NodeIndex] {
        let (start, end) = (self.starts[node as usize], self.starts[node as usize + 1]);
        &self.targets[start as usize..end as usize]
    }

    /// Asks for where the list of [`Self::targets`] is.
    #[inline]
    pub(crate) fn prefetch(&self, node: usize) {
        prefetch(&self.starts[node..node + 2]);
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
