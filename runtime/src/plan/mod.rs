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

use crate::resolve::Resolved;
use crate::store::MemoryStore;
use graph::Graph;
use keys::KeyIndex;
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
}

/// A version that is the sum of an earlier one and the adds since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    pub(crate) key: u32,
    /// The version before the adds.
    pub(crate) prior: CellIndex,
    /// The last of the adds; the others follow by [`Placement::source`].
    pub(crate) last_add: u32,
    /// Whether no call reads it: it is the key's last version, and is computed after the lanes.
    pub(crate) is_final: bool,
}

/// The plan of a block.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) keys: Arc<KeyIndex>,
    /// One for each access of [`Resolved`].
    pub(crate) placements: Vec<Placement>,
    pub(crate) sums: Vec<Sum>,
    pub(crate) graph: Graph,
}

impl Plan {
    /// The adds of a sum, in block order, as access indices.
    pub(crate) fn adds_of(&self, sum: &Sum, adds: &mut Vec<u32>) {
        adds.clear();
        let mut add = sum.last_add;
        while add != PARENT {
            adds.push(add);
            add = self.placements[add as usize].source;
        }
        adds.reverse();
    }
}

/// Plans a resolved block on the threads of the current rayon pool, and fetches the parent state
/// of all its keys.
#[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
pub(crate) fn plan(resolved: &Resolved, store: &MemoryStore) -> Plan {
    let keys::Placed { keys, placements, sums } = keys::place(resolved, store);
    let graph = Graph::new(resolved, &placements, &sums);
    Plan { keys: Arc::new(keys), placements, sums, graph }
}

#[cfg(test)]
mod tests;
