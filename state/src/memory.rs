//! State in memory: pages, the tree over them, and what each block changed.
//!
//! ```text
//! commit   writes ──sort──▶ old values ──▶ changes ──┬──▶ pages   both at once
//!                                             │      └──▶ tree ──▶ root
//!                                             ▼
//! history                          oldest │ row │ row │ row │ head
//! ```
//!
//! # Invariants
//! 1. It behaves as every backend does (`tests/conformance.rs`).
//! 2. A commit that is refused changes nothing (`conformance`).

use crate::{
    Backend, BackendError, Found, Head, Height, History, Position, Proofs, Ranges, Root, Snapshot,
    VisitChange, VisitEntry, VisitValue, WriteBatch,
    batch::{Write, check_heights},
    changes::Changes,
    found::Sorted,
    pages::{Pages, is_past},
    tree::Tree,
};
use std::{
    cmp::Ordering,
    collections::{VecDeque, vec_deque::Iter},
    ops::Bound,
};
use tollway_state_verify::{ChunkProof, Proof};

/// Keeps state and history in memory. Nothing outlives the process.
///
/// Takes the bytes of keys and values, 6 to 8 bytes for each entry, pages that are a quarter empty
/// on average, the tree, and all changes until they are pruned.
#[derive(Clone, Debug)]
pub struct MemoryBackend {
    pages: Pages,
    tree: Tree,
    head: Head,
    /// Where the last batch lies.
    position: Position,
    rows: VecDeque<Row>,
    oldest: Height,
    /// The last batch of which no row is kept, and the root after it.
    base: (Position, Root),
}

/// What is kept of one batch.
#[derive(Clone, Debug)]
struct Row {
    position: Position,
    root: Root,
    changes: Changes,
    block: Option<Vec<u8>>,
}

impl MemoryBackend {
    /// The empty state at height 0.
    pub fn new() -> MemoryBackend {
        let tree = Tree::new();
        let root = tree.root();
        MemoryBackend {
            pages: Pages::new(),
            tree,
            head: Head { height: Height(0), root },
            position: Position::default(),
            rows: VecDeque::new(),
            oldest: Height(0),
            base: (Position::default(), root),
        }
    }

    /// The tree over the state.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    fn apply(&mut self, batch: &WriteBatch, writes: &[Write<'_>]) {
        let keys: Vec<&[u8]> = writes.iter().map(|write| write.0).collect();
        let old: Vec<Option<&[u8]>> =
            self.pages.get_sorted(&keys).into_iter().map(Option::flatten).collect();
        let changes = Changes::of(writes, &old);
        let root = change_both(&mut self.tree, &mut self.pages, &changes, Direction::Redo);
        self.position = match batch.height() == self.head.height {
            true => self.position.next_part(),
            false => self.position.next_block(),
        };
        self.head = Head { height: batch.height(), root };
        let block = batch.block().map(<[u8]>::to_vec);
        self.rows.push_back(Row { position: self.position, root, changes, block });
    }

    /// The rows of heights after `height`.
    fn rows_after(&self, height: Height) -> impl DoubleEndedIterator<Item = &Row> {
        let from = self.rows.partition_point(|row| row.position.height <= height);
        self.rows.range(from..)
    }

    fn rows_of(&self, height: Height) -> Result<Iter<'_, Row>, BackendError> {
        self.known(height, height > self.oldest)?;
        let from = self.rows.partition_point(|row| row.position.height < height);
        let to = self.rows.partition_point(|row| row.position.height <= height);
        Ok(self.rows.range(from..to))
    }

    fn known(&self, height: Height, is_kept: bool) -> Result<(), BackendError> {
        if is_kept && height >= self.oldest && height <= self.head.height {
            return Ok(());
        }
        Err(BackendError::UnknownHeight { height, oldest: self.oldest, head: self.head.height })
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Redo,
    Undo,
}

/// Applies changes to the tree and to the pages, or takes them back, and gives the new root.
fn change_both(
    tree: &mut Tree,
    pages: &mut Pages,
    changes: &Changes,
    direction: Direction,
) -> Root {
    let (for_tree, writes) = match direction {
        Direction::Redo => (changes.for_tree(), changes.redo()),
        Direction::Undo => (changes.for_tree_undo(), changes.undo()),
    };
    rayon::join(|| tree.update(for_tree), || pages.apply(&writes)).0
}

impl Default for MemoryBackend {
    fn default() -> MemoryBackend {
        MemoryBackend::new()
    }
}

impl Backend for MemoryBackend {
    fn head(&self) -> Head {
        self.head
    }

    /// The head: a crash takes all of it, so that nothing is behind.
    fn durable_head(&self) -> Head {
        self.head
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        read_pages(&self.pages, keys, found);
        Ok(())
    }

    fn commit(&mut self, batches: &[WriteBatch]) -> Result<Head, BackendError> {
        check_heights(self.head.height, batches)?;
        let writes: Vec<Vec<Write<'_>>> =
            batches.iter().map(WriteBatch::sorted).collect::<Result<_, _>>()?;
        for (batch, writes) in batches.iter().zip(&writes) {
            self.apply(batch, writes);
        }
        Ok(self.head)
    }

    fn flush(&mut self) -> Result<Head, BackendError> {
        Ok(self.head)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, BackendError> {
        Ok(Box::new(MemorySnapshot { head: self.head, pages: self.pages.clone() }))
    }

    fn prune(&mut self, below: Height) -> Result<(), BackendError> {
        let below = below.min(self.head.height);
        while let Some(row) = self.rows.front().filter(|row| row.position.height <= below) {
            self.base = (row.position, row.root);
            self.rows.pop_front();
        }
        self.oldest = self.oldest.max(below);
        Ok(())
    }

    fn adopt(&mut self, height: Height) -> Result<Head, BackendError> {
        let head = self.head.height;
        match height.cmp(&head) {
            Ordering::Less => return Err(BackendError::NotNext { height, head }),
            Ordering::Equal => return Ok(self.head),
            Ordering::Greater => {}
        }
        self.rows.clear();
        self.position = Position { height, part: 0 };
        self.base = (self.position, self.head.root);
        (self.oldest, self.head.height) = (height, height);
        Ok(self.head)
    }

    fn ranges(&self) -> Option<&dyn Ranges> {
        Some(self)
    }

    fn proofs(&self) -> Option<&dyn Proofs> {
        Some(self)
    }

    fn history(&self) -> Option<&dyn History> {
        Some(self)
    }

    fn history_mut(&mut self) -> Option<&mut dyn History> {
        Some(self)
    }
}

impl Ranges for MemoryBackend {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        range_pages(&self.pages, from, to, visit);
        Ok(())
    }
}

impl Proofs for MemoryBackend {
    fn prove(&self, keys: &[&[u8]]) -> Result<Proof, BackendError> {
        Ok(self.tree.prove(keys))
    }

    fn chunks(&self, keys_max: usize) -> Result<Vec<ChunkProof>, BackendError> {
        Ok(chunk_proofs(&self.tree, keys_max))
    }
}

impl History for MemoryBackend {
    fn oldest(&self) -> Height {
        self.oldest
    }

    fn root_at(&self, height: Height) -> Result<Root, BackendError> {
        self.known(height, true)?;
        let after = self.rows.partition_point(|row| row.position.height <= height);
        Ok(after.checked_sub(1).map_or(self.base.1, |last| self.rows[last].root))
    }

    fn read_at(&self, height: Height, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.known(height, true)?;
        let value = match self.rows_after(height).find_map(|row| row.changes.get(key)) {
            Some(change) => change.old,
            None => self.pages.get(key).flatten(),
        };
        Ok(value.map(<[u8]>::to_vec))
    }

    fn changes(&self, height: Height, visit: VisitChange<'_>) -> Result<(), BackendError> {
        let rows = self.rows_of(height)?;
        let joined = rows.fold(Changes::default(), |sum, row| Changes::join(&sum, &row.changes));
        let _ = joined.iter().try_for_each(visit);
        Ok(())
    }

    fn block(&self, height: Height) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(self.rows_of(height)?.rev().find_map(|row| row.block.clone()))
    }

    fn values(&self, key: &[u8], visit: VisitValue<'_>) -> Result<(), BackendError> {
        let mut last = None;
        for row in self.rows_after(self.oldest).rev() {
            let height = row.position.height;
            let Some(change) = row.changes.get(key).filter(|_| last != Some(height)) else {
                continue;
            };
            last = Some(height);
            if visit(height, change.new).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn rollback(&mut self, height: Height) -> Result<Head, BackendError> {
        let root = self.root_at(height)?;
        while let Some(row) = self.rows.pop_back_if(|row| row.position.height > height) {
            change_both(&mut self.tree, &mut self.pages, &row.changes, Direction::Undo);
        }
        self.position = self.rows.back().map_or(self.base.0, |row| row.position);
        self.head = Head { height, root };
        if self.tree.root() != root {
            return Err(BackendError::Bug("undoing a block gave another root"));
        }
        Ok(self.head)
    }
}

struct MemorySnapshot {
    head: Head,
    pages: Pages,
}

impl Snapshot for MemorySnapshot {
    fn head(&self) -> Head {
        self.head
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        read_pages(&self.pages, keys, found);
        Ok(())
    }
}

impl Ranges for MemorySnapshot {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        range_pages(&self.pages, from, to, visit);
        Ok(())
    }
}

/// Cuts the state of a tree into chunks, see [`Proofs::chunks`].
pub fn chunk_proofs(tree: &Tree, keys_max: usize) -> Vec<ChunkProof> {
    let prefixes = tree.chunk_prefixes(keys_max);
    prefixes.into_iter().filter_map(|prefix| Some(tree.chunk(prefix)?.proof)).collect()
}

fn read_pages(pages: &Pages, keys: &[&[u8]], found: &mut Found) {
    let order = Sorted::of(keys);
    let values = pages.get_sorted(order.keys());
    found.reset(keys.len());
    for (index, value) in order.indices().zip(values) {
        found.set(index, value.flatten());
    }
}

fn range_pages(pages: &Pages, from: Bound<&[u8]>, to: Bound<&[u8]>, visit: VisitEntry<'_>) {
    for (key, value) in pages.iter_from(from) {
        let Some(value) = value.filter(|_| !is_past(key, to)) else { return };
        if visit(key, value).is_break() {
            return;
        }
    }
}
