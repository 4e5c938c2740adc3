//! A host's own database as a backend: the host reads, scans and writes; the root is made here.
//!
//! ```text
//! Backend ◀── Rooted ──▶ Store: height · read_many · range · write · view      the host's part
//!               │
//!              tree, built when opened, at most 64 bytes a key
//! ```
//!
//! # Invariants
//! 1. The tree follows what was written: if writing fails, both are as before
//!    (`tests/rooted.rs`).
//! 2. It behaves as every backend does, without history (`tests/sqlite.rs`).

use crate::{
    Backend, BackendError, Found, Head, Height, Proofs, Ranges, Snapshot, VisitEntry, Write,
    WriteBatch, check_heights,
    memory::chunk_proofs,
    pages::Pages,
    tree::{Change, Tree},
};
use std::ops::{Bound, ControlFlow};
use tollway_state_verify::{ChunkProof, Pair, Proof};

/// Reads of a database, at its head or at the moment of a view.
pub trait Reads: Ranges {
    /// As [`Backend::read_many`].
    ///
    /// # Errors
    /// If the database fails.
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError>;
}

/// A database that keeps keys and values, and one number. Keys are byte strings up to
/// [`KEY_BYTES_MAX`](crate::KEY_BYTES_MAX), in the order of their bytes.
pub trait Store: Reads + Send {
    /// The number last given to [`Self::write`], 0 before the first.
    ///
    /// # Errors
    /// If the database fails.
    fn height(&self) -> Result<Height, BackendError>;

    /// Applies all writes and remembers the height, or does nothing. Durable on return.
    ///
    /// # Errors
    /// If the database fails. It is then as before.
    fn write(&mut self, height: Height, writes: &[Write<'_>]) -> Result<(), BackendError>;

    /// A view of the database as it is now, which no later write changes.
    ///
    /// # Errors
    /// If the database fails.
    fn view(&self) -> Result<Box<dyn View>, BackendError>;
}

/// A view of a database at one moment, for any thread.
pub trait View: Reads + Send + Sync {}

/// A backend over a database. `examples/sqlite.rs` shows one.
pub struct Rooted<S> {
    store: S,
    tree: Tree,
    height: Height,
}

impl<S: Store> Rooted<S> {
    /// Reads all of the database and builds the tree over it.
    ///
    /// # Errors
    /// If the database fails.
    pub fn open(store: S) -> Result<Rooted<S>, BackendError> {
        let mut pairs = Vec::new();
        store.range(Bound::Unbounded, Bound::Unbounded, &mut |key, value| {
            pairs.push(Pair::of(key, value));
            ControlFlow::Continue(())
        })?;
        Ok(Rooted { height: store.height()?, tree: Tree::from_pairs(pairs), store })
    }
}

impl<S: Store> Backend for Rooted<S> {
    fn head(&self) -> Head {
        Head { height: self.height, root: self.tree.root() }
    }

    fn durable_head(&self) -> Head {
        self.head()
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        self.store.read_many(keys, found)
    }

    fn commit(&mut self, batches: &[WriteBatch]) -> Result<Head, BackendError> {
        check_heights(self.height, batches)?;
        let sorted = batches.iter().map(WriteBatch::sorted).collect::<Result<Vec<_>, _>>()?;
        let Some(last) = batches.last() else { return Ok(self.head()) };
        // What all batches change together; the keys' values before are still in the database.
        let mut all = Pages::overlay();
        sorted.iter().for_each(|writes| all.apply(writes));
        let writes: Vec<Write<'_>> = all.iter_from(Bound::Unbounded).collect();
        let keys: Vec<&[u8]> = writes.iter().map(|write| write.0).collect();
        let mut old = Found::new();
        self.store.read_many(&keys, &mut old)?;
        let changes = (writes.iter().zip(old.iter()))
            .filter(|((_, new), old)| new != old)
            .map(|((key, new), old)| Change::new(key, old, *new))
            .collect();
        self.store.write(last.height(), &writes)?;
        self.height = last.height();
        self.tree.update(changes);
        Ok(self.head())
    }

    fn flush(&mut self) -> Result<Head, BackendError> {
        Ok(self.head())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, BackendError> {
        Ok(Box::new(RootedSnapshot { view: self.store.view()?, head: self.head() }))
    }

    /// Does nothing: there is no past.
    fn prune(&mut self, _below: Height) -> Result<(), BackendError> {
        Ok(())
    }

    fn adopt(&mut self, height: Height) -> Result<Head, BackendError> {
        if height < self.height {
            return Err(BackendError::NotNext { height, head: self.height });
        }
        self.store.write(height, &[])?;
        self.height = height;
        Ok(self.head())
    }

    fn ranges(&self) -> Option<&dyn Ranges> {
        Some(&self.store)
    }

    fn proofs(&self) -> Option<&dyn Proofs> {
        Some(self)
    }
}

impl<S: Store> Proofs for Rooted<S> {
    fn prove(&self, keys: &[&[u8]]) -> Result<Proof, BackendError> {
        Ok(self.tree.prove(keys))
    }

    fn chunks(&self, keys_max: usize) -> Result<Vec<ChunkProof>, BackendError> {
        Ok(chunk_proofs(&self.tree, keys_max))
    }
}

struct RootedSnapshot {
    view: Box<dyn View>,
    head: Head,
}

impl Snapshot for RootedSnapshot {
    fn head(&self) -> Head {
        self.head
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        self.view.read_many(keys, found)
    }
}

impl Ranges for RootedSnapshot {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        self.view.range(from, to, visit)
    }
}
