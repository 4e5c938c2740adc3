//! What the runtime asks of whatever keeps its state.
//!
//! ```text
//!            commit(h+1)    commit(h+2)                     rollback(h)
//! head  h ───────▶ h+1 ───────▶ h+2          h+2 ──────────────▶ h
//!                   │
//!                snapshot() ── reads and scans at h+1, on any thread, while commits go on
//!
//! history   oldest() ≤ h ≤ head: state, root;  oldest() < h ≤ head: changes, block
//! ```
//!
//! All calls block. A backend that works in the background does so behind its own threads.
//!
//! # Invariants
//! Each holds for every backend that passes [`crate::conformance::run`]:
//! 1. A block is applied whole or not at all.
//! 2. The root depends on the keys and values alone.
//! 3. A snapshot never changes.
//! 4. What a refused call was given leaves no trace.

use crate::{BackendError, Found, Head, Height, Root, WriteBatch};
use std::{
    ops::{Bound, ControlFlow},
    path::Path,
};
use tollway_state_verify::{ChunkProof, Proof};

/// What is called with the key and value of each entry, until it breaks.
pub type VisitEntry<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// What is called with each change, until it breaks.
pub type VisitChange<'a> = &'a mut dyn FnMut(Change<'_>) -> ControlFlow<()>;

/// What is called with each value of a key, and the height that gave it, until it breaks.
pub type VisitValue<'a> = &'a mut dyn FnMut(Height, Option<&[u8]>) -> ControlFlow<()>;

/// Keeps the state of one chain.
///
/// # Examples
/// ```
/// use tollway_state::{Backend, Found, Height, MemoryBackend, WriteBatch};
/// let mut backend = MemoryBackend::new();
/// let mut batch = WriteBatch::new(Height(1));
/// batch.put(b"alice", b"10")?;
/// let head = backend.commit(&[batch])?;
/// let mut found = Found::new();
/// backend.read_many(&[b"alice", b"bob"], &mut found)?;
/// assert_eq!((head.height, found.get(0), found.get(1)), (Height(1), Some(&b"10"[..]), None));
/// # Ok::<(), tollway_state::BackendError>(())
/// ```
pub trait Backend: Send {
    /// The last committed block. Height 0 and the root of the empty state before the first.
    fn head(&self) -> Head;

    /// The last block that a crash cannot take away. Behind [`Self::head`] only if the backend
    /// was told to make several blocks durable at once.
    fn durable_head(&self) -> Head;

    /// Reads keys at the head, in any order and also repeated, all at once: `found` then has one
    /// place for each key.
    ///
    /// # Errors
    /// If stored bytes cannot be read or are damaged. `found` then means nothing.
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError>;

    /// Applies the batches of consecutive blocks, and gives the head after the last.
    ///
    /// A batch is for the next height, or for the head's own: a change between blocks, part of
    /// that height. Each is applied whole or not at all. They are durable on return, all at once,
    /// as far as the backend's setting promises: see [`Self::durable_head`].
    ///
    /// # Errors
    /// [`BackendError::NotNext`] and [`BackendError::DuplicateKey`] change nothing. After any other
    /// the backend takes no more commits; opened again, it stands at a block between the last
    /// acknowledged one and the last of these.
    fn commit(&mut self, batches: &[WriteBatch]) -> Result<Head, BackendError>;

    /// Makes all that was committed durable, and gives the durable head.
    ///
    /// # Errors
    /// As [`Self::commit`].
    fn flush(&mut self) -> Result<Head, BackendError>;

    /// A view of the state at the head, which no later commit changes.
    ///
    /// # Errors
    /// If stored bytes cannot be read.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, BackendError>;

    /// Forgets the past before `below`: [`History::oldest`] is then at least `below`, or the head
    /// where `below` lies after it. Space is freed when the backend sees fit.
    ///
    /// # Errors
    /// As [`Self::commit`].
    fn prune(&mut self, below: Height) -> Result<(), BackendError>;

    /// Says that the state is that of a later height, with nothing known of the heights between:
    /// [`History::oldest`] is then `height`. What a snapshot is imported with.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] if the backend cannot, [`BackendError::NotNext`] if the head is
    /// past `height`; else as [`Self::commit`].
    fn adopt(&mut self, height: Height) -> Result<Head, BackendError> {
        let _ = height;
        Err(BackendError::Unsupported { what: "import of snapshots" })
    }

    /// Ordered reads at the head, if the backend can.
    fn ranges(&self) -> Option<&dyn Ranges> {
        None
    }

    /// Proofs against the head's root, if the backend can.
    fn proofs(&self) -> Option<&dyn Proofs> {
        None
    }

    /// The past, if the backend keeps one.
    fn history(&self) -> Option<&dyn History> {
        None
    }

    /// The past, to go back to, if the backend keeps one.
    fn history_mut(&mut self) -> Option<&mut dyn History> {
        None
    }

    /// A directory beside the state for native code compiled from contracts, made by whoever puts
    /// the first there. It is a cache: any of it may be missing, stale or damaged, and is then made
    /// again.
    fn artifact_dir(&self) -> Option<&Path> {
        None
    }
}

/// The state after one block. It never changes, and may be used on any thread.
pub trait Snapshot: Ranges + Send + Sync {
    /// The block.
    fn head(&self) -> Head;

    /// As [`Backend::read_many`], at that block.
    ///
    /// # Errors
    /// As [`Backend::read_many`].
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError>;
}

/// Reads in the order of the keys.
pub trait Ranges {
    /// Visits the entries of a range by ascending key until told to stop. A range that ends
    /// before it starts is empty.
    ///
    /// # Errors
    /// If stored bytes cannot be read or are damaged.
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError>;

    /// Visits the entries whose keys start with `prefix`, as [`Self::range`].
    ///
    /// # Errors
    /// As [`Self::range`].
    fn prefix(&self, prefix: &[u8], visit: VisitEntry<'_>) -> Result<(), BackendError> {
        self.range(Bound::Included(prefix), Bound::Unbounded, &mut |key, value| {
            if key.starts_with(prefix) { visit(key, value) } else { ControlFlow::Break(()) }
        })
    }
}

/// Proofs of what the state holds.
pub trait Proofs {
    /// A proof for all of `keys` against the head's root: that each has its value, or is not
    /// there. Values are not part of it.
    ///
    /// # Errors
    /// [`BackendError::NoProof`] if the tree cannot prove one of them.
    fn prove(&self, keys: &[&[u8]]) -> Result<Proof, BackendError>;

    /// Cuts the state at the head into chunks of at most `keys_max` keys, in the order of their
    /// paths, and ties each to the root: what a snapshot is exported with.
    ///
    /// # Errors
    /// As [`Self::prove`].
    fn chunks(&self, keys_max: usize) -> Result<Vec<ChunkProof>, BackendError>;
}

/// A key whose value a height changed: what it was before and what it is after.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value before, `None` where there was none.
    pub old: Option<&'a [u8]>,
    /// Its value after, `None` where it was removed.
    pub new: Option<&'a [u8]>,
}

/// The state at heights before the head.
///
/// Functions that take a height fail with [`BackendError::UnknownHeight`] where it is not kept.
pub trait History {
    /// The oldest height whose state can be read. Its own changes and block may be gone.
    fn oldest(&self) -> Height;

    /// The root of the state after `height`.
    ///
    /// # Errors
    /// As all here: the height is not kept, or stored bytes are damaged or cannot be read.
    fn root_at(&self, height: Height) -> Result<Root, BackendError>;

    /// The value of `key` after `height`. Takes one lookup for each block since.
    ///
    /// # Errors
    /// As [`Self::root_at`].
    fn read_at(&self, height: Height, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;

    /// The values of many keys after `height`.
    ///
    /// # Errors
    /// As [`Self::root_at`].
    fn read_many_at(
        &self,
        height: Height,
        keys: &[&[u8]],
        found: &mut Found,
    ) -> Result<(), BackendError> {
        found.reset(keys.len());
        for (index, key) in keys.iter().enumerate() {
            found.set(index, self.read_at(height, key)?.as_deref());
        }
        Ok(())
    }

    /// Visits what `height` changed, by ascending key, until told to stop. A key whose value is
    /// the same before and after is not among them.
    ///
    /// # Errors
    /// As [`Self::root_at`]; the oldest height counts as not kept.
    fn changes(&self, height: Height, visit: VisitChange<'_>) -> Result<(), BackendError>;

    /// The encoded block of `height`, if one was committed with it.
    ///
    /// # Errors
    /// As [`Self::changes`].
    fn block(&self, height: Height) -> Result<Option<Vec<u8>>, BackendError>;

    /// Visits the values that `key` had, newest first, each with the height that gave it, until
    /// told to stop. Heights that are no longer kept are not among them.
    ///
    /// # Errors
    /// If stored bytes are damaged or cannot be read.
    fn values(&self, key: &[u8], visit: VisitValue<'_>) -> Result<(), BackendError>;

    /// Goes back to the state after `height`, and forgets all that came later. Durable on return.
    ///
    /// # Errors
    /// As [`Self::root_at`], and as [`Backend::commit`].
    fn rollback(&mut self, height: Height) -> Result<Head, BackendError>;
}
