//! PLAN: places the versions of a block before it runs, and says which call waits for which.
//!
//! ```text
//! block order   c0 w:a   c1 w:b   c2 r:a w:c   c3 r:b   c4 +d   c5 +d   c6 r:d
//!
//! values flow   c0 ──a──▶ c2        c4 ──d──▶ Σ ──▶ c6
//!               c1 ──b──▶ c3        c5 ──d──┘
//!
//! lanes (2)     c0 c2 c4 c6         c1 c3 c5
//! ```
//!
//! Versions are placed per key ([`keys`]), edges follow from where each read finds its value
//! ([`graph`]). After Faleiro and Abadi, "Rethinking serializable multiversion concurrency
//! control" (BOHM), VLDB 2015; commutative adds are ours.
//!
//! # Invariants
//! 1. A call waits only for calls before it (`tests::edges_point_back`).
//! 2. Every declared read has exactly one source: a version placed here, or the parent state
//!    (`tests::reads_resolve`).
//! 3. Adders of a key do not wait for each other; the number of edges is linear in the accesses,
//!    because a sum (Σ) stands between the adders of a key and its readers
//!    (`tests::edges_are_linear`).
//! 4. A plan depends on the calls alone, not on threads or time (`tests::is_pure`).
//!
//! Not here: checking that a call stays inside its access set, see [`crate::execute`].

pub(crate) mod graph;
pub(crate) mod keys;
pub(crate) mod report;

use crate::bytes::Bytes;
use crate::prefetch::prefetch;
use crate::resolve::Resolved;
use crate::store::MemoryStore;
use graph::Graph;
use keys::{KeyIndex, PlannedKey};
use std::sync::Arc;

/// The number of a cell: the index of an access that writes or adds, or, above all accesses, the
/// number of a sum.
pub(crate) type CellIndex = u32;

/// No cell: the value is the parent state's.
pub(crate) const PARENT: CellIndex = u32::MAX;

/// Where a call's access finds and leaves its values. The access's own index is its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// The number of its key.
    pub(crate) key: u32,
    /// For reads and writes, the cell that holds the value before; for adds, the add before it
    /// in the same sum, or [`PARENT`] for the first.
    pub(crate) source: CellIndex,
    /// For adds: whether no access before it may change the key.
    pub(crate) is_first_change: bool,
}

/// A version that is the sum of an earlier one and the adds since, and that a call reads. Adds that
/// no call reads are summed up at commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) key: u32,
    /// The version before the adds, as the plan stores it: see [`Plan::prior`].
    prior: CellIndex,
    /// The last of the adds; the others follow by [`Placement::source`].
    last_add: u32,
}

/// The plan of a block.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) keys: Arc<KeyIndex>,
    /// One for each access of [`Resolved`]; see [`Self::placement`].
    placements: keys::PackedPlacements,
    pub(crate) sums: Vec<Sum>,
    /// By group of keys, the number of its first sum.
    first_sums: Vec<u32>,
    pub(crate) graph: Graph,
}

impl Plan {
    /// Where an access finds and leaves its values.
    #[inline]
    pub(crate) fn placement(&self, access: usize) -> Placement {
        let packed = self.placements[access];
        let key = (packed >> 32) as u32;
        Placement {
            key: key & !keys::FIRST_CHANGE,
            source: self.cell(packed as u32),
            is_first_change: key & keys::FIRST_CHANGE != 0,
        }
    }

    /// Asks for placements before they are needed.
    #[inline]
    pub(crate) fn prefetch(&self, accesses: std::ops::Range<usize>) {
        prefetch(&self.placements[accesses]);
    }

    /// All placements, by access.
    pub(crate) fn placements(&self) -> impl Iterator<Item = Placement> {
        (0..self.placements.len()).map(|access| self.placement(access))
    }

    /// How many accesses there are: the number of the first sum's cell.
    pub(crate) fn access_count(&self) -> usize {
        self.placements.len()
    }

    /// A cell's number, from what a group of keys knows of it.
    #[inline]
    fn cell(&self, cell: CellIndex) -> CellIndex {
        if cell & keys::SUM_CELL == 0 || cell == PARENT {
            return cell;
        }
        let (group, place) = keys::sum_of(cell);
        (self.placements.len() + place) as CellIndex + self.first_sums[group]
    }

    /// The version before a sum's adds.
    pub(crate) fn prior(&self, sum: &Sum) -> CellIndex {
        self.cell(sum.prior)
    }

    /// The last of a sum's adds.
    pub(crate) fn last_add(&self, sum: &Sum) -> u32 {
        sum.last_add
    }

    /// The last version of a key, the adds left out that no call reads.
    pub(crate) fn last_version(&self, key: &PlannedKey) -> CellIndex {
        self.cell(key.last)
    }

    /// A key's value in the parent state.
    #[inline]
    pub(crate) fn base(&self, key: u32) -> Option<&Bytes> {
        self.store.value(self.keys.get(key).slot)
    }

    /// The adds of a sum, in block order, as access indices.
    pub(crate) fn adds_of(&self, sum: &Sum, adds: &mut Vec<u32>) {
        self.adds_up_to(sum.last_add, adds);
    }

    /// The adds of a key since a version, up to the last of them, in block order.
    pub(crate) fn adds_up_to(&self, last: u32, adds: &mut Vec<u32>) {
        adds.clear();
        let mut add = last;
        while add != PARENT {
            adds.push(add);
            add = self.placement(add as usize).source;
        }
        adds.reverse();
    }
}

/// What plans leave for the next block's: memory that need not be asked for again.
#[derive(Debug, Default)]
pub(crate) struct PlanMemory {
    keys: KeyIndex,
    placements: keys::PackedPlacements,
}

impl PlanMemory {
    /// Takes back what a plan used, if nobody else holds it.
    pub(crate) fn of(plan: Plan) -> Self {
        let Plan { keys, placements, .. } = plan;
        Self { keys: Arc::try_unwrap(keys).unwrap_or_default(), placements }
    }
}

/// Plans a resolved block on the threads of the current rayon pool.
#[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
pub(crate) fn plan(resolved: &Resolved, store: &Arc<MemoryStore>, memory: PlanMemory) -> Plan {
    let PlanMemory { keys, mut placements } = memory;
    let mut keys = keys::place(resolved, store, keys, &mut placements);
    let (sums, first_sums, edges) = keys.take_sums();
    let graph = Graph::new(resolved.call_count(), sums.len(), &edges, &first_sums);
    let (store, keys) = (Arc::clone(store), Arc::new(keys));
    Plan { store, keys, placements, sums, first_sums, graph }
}

#[cfg(test)]
mod tests;
