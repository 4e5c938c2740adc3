//! The store on disk.
//!
//! ```text
//! commit    old values ──▶ changes ──┬──▶ log, one transaction ──▶ on disk
//!                                    ├──▶ tree ──▶ root             (beside one another)
//!                                    └──▶ active
//!
//! at times  active ──freeze──▶ frozen ──▶ pages rewritten by a thread of their own ──▶ flat
//!
//! open      flat ──▶ tree, its root checked ──▶ rows of the log since, checked ──▶ head
//! ```
//!
//! # Invariants
//! 1. An acknowledged block is never lost, and none is there in part (`tests/kill.rs`,
//!    `tests/faults.rs`).
//! 2. The pages never run ahead of what the log has on disk (`tests/faults.rs`).
//! 3. What was damaged on disk is refused, and never served as state (`tests/flipped.rs`).

use crate::{
    files::{self, Directory, FileKind, Files, StoreId},
    flat::{self, Cache, FlatView, Place},
    layers::Layers,
    log::Log,
    options::{DiskOptions, Durability},
};
use redb::Database;
use std::{
    cmp::Ordering,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};
use tollway_state::{
    Backend, BackendError, Found, Head, Height, History, Position, Proofs, Ranges, Root, Snapshot,
    VisitChange, VisitEntry, VisitValue, Write, WriteBatch,
    changes::Changes,
    check_heights,
    memory::chunk_proofs,
    pages::Pages,
    tree::Tree,
    verify::{ChunkProof, Proof},
};

/// Fewer changes than this are worked on by the calling thread alone.
const PARALLEL_CHANGES_MIN: usize = 512;

/// Changes are merged into the pages when they are a quarter of their size, but not more often
/// than for this many bytes, if the overlay may be that large.
const FREEZE_BYTES_MIN: usize = 4 << 20;

/// Keeps state and history in a directory.
///
/// Memory: the tree, the overlay and the cache, see [`DiskOptions`]. Values are not all kept in
/// memory.
///
/// A snapshot keeps the pages that it reads on disk, and the store locked, as long as it lives.
///
/// # Examples
/// ```
/// use tollway_state::{Backend, Height, WriteBatch};
/// use tollway_state_disk::{DiskBackend, DiskOptions};
/// # let directory = std::env::temp_dir().join(format!("tollway-doc-{}", std::process::id()));
/// let mut backend = DiskBackend::create(&directory, DiskOptions::default())?;
/// let mut batch = WriteBatch::new(Height(1));
/// batch.put(b"alice", b"10")?;
/// let head = backend.commit(&[batch])?;
/// drop(backend);
/// assert_eq!(DiskBackend::open(&directory, DiskOptions::default())?.head(), head);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), tollway_state::BackendError>(())
/// ```
pub struct DiskBackend {
    log: Log,
    flat: Arc<FlatView>,
    active: Pages,
    frozen: Option<Frozen>,
    tree: Tree,
    place: Place,
    /// Blocks since the last that is on disk.
    unsynced_blocks: u64,
    options: DiskOptions,
    artifact_dir: Option<PathBuf>,
    failed: Option<String>,
}

/// Changes that are being merged into the pages.
struct Frozen {
    pages: Pages,
    thread: JoinHandle<Result<FlatView, BackendError>>,
}

impl DiskBackend {
    /// Opens the store in a directory.
    ///
    /// Reads all of it and builds the tree: about 100 ms for each million keys.
    ///
    /// # Errors
    /// - [`BackendError::NotFound`], [`BackendError::NotADirectory`], [`BackendError::Foreign`] if
    ///   there is no store, or something else.
    /// - [`BackendError::NewerFormat`] if a later release wrote it.
    /// - [`BackendError::Locked`] if it is open already.
    /// - [`BackendError::Damaged`] if anything of the state, or of what the log holds beyond it, is
    ///   not what was written.
    pub fn open(directory: &Path, options: DiskOptions) -> Result<DiskBackend, BackendError> {
        DiskBackend::open_files(&Directory::existing(directory)?, options)
    }

    /// Makes an empty store in a directory that is empty or does not exist, or opens the one that
    /// is there.
    ///
    /// # Errors
    /// As [`Self::open`]; [`BackendError::Foreign`] if the directory holds anything else.
    pub fn create(directory: &Path, options: DiskOptions) -> Result<DiskBackend, BackendError> {
        DiskBackend::open_files(&Directory::new(directory)?, options)
    }

    /// Opens the store in `files`, or makes one where those are empty.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_files(
        files: &dyn Files,
        options: DiskOptions,
    ) -> Result<DiskBackend, BackendError> {
        // Each is read once by its check.
        let (log, pages) = std::thread::scope(|scope| {
            let log = scope.spawn(|| files::open(files, FileKind::Log));
            let pages = files::open(files, FileKind::State);
            (log.join(), pages)
        });
        let (log, log_id) = log.map_err(|_| BackendError::Bug("opening the log panicked"))??;
        let (pages, pages_id) = pages?;
        match (log_id, pages_id) {
            (Some(log_id), Some(pages_id)) if log_id == pages_id => {}
            // The log is made last, so that a store without one holds nothing.
            (None, _) => make(&log, &pages, pages_id)?,
            _ => {
                let why = String::from("the log is another store's");
                return Err(BackendError::Foreign { path: files.path(FileKind::State), why });
            }
        }
        DiskBackend::load(log, pages, files.artifact_dir(), options)
    }

    fn load(
        log: Database,
        pages: Database,
        artifact_dir: Option<PathBuf>,
        options: DiskOptions,
    ) -> Result<DiskBackend, BackendError> {
        let log = Log::open(log)?;
        let cache = Cache::new(options.cache_bytes_max);
        let (flat, pairs) = flat::scan(&Arc::new(pages), &cache)?;
        let tree = Tree::from_pairs(pairs);
        if tree.root() != flat.place.root {
            let what = format!("the state at {} has another root", flat.place.position);
            return Err(BackendError::Damaged { what });
        }
        if !log.knows(flat.place) {
            let what = format!("the log does not lead to the state at {}", flat.place.position);
            return Err(BackendError::Damaged { what });
        }
        let mut backend = DiskBackend {
            place: flat.place,
            log,
            flat: Arc::new(flat),
            active: Pages::overlay(),
            frozen: None,
            tree,
            unsynced_blocks: 0,
            options,
            artifact_dir,
            failed: None,
        };
        backend.replay()?;
        Ok(backend)
    }

    /// Applies the rows of the log that the pages do not hold yet.
    fn replay(&mut self) -> Result<(), BackendError> {
        let reader = self.log.read()?;
        for position in self.log.after(self.place.position) {
            let changes = reader.changes(position)?;
            self.active.apply(&changes.redo());
            self.tree.update(changes.for_tree());
        }
        self.place = self.log.head();
        if self.tree.root() != self.place.root {
            let what = format!("the log leads to another root at {}", self.place.position);
            return Err(BackendError::Damaged { what });
        }
        Ok(())
    }

    /// The tree over the state.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Brings the pages up to the head, so that the store opens as fast as it can, and closes it.
    ///
    /// # Errors
    /// As [`Backend::commit`].
    pub fn close(mut self) -> Result<(), BackendError> {
        self.check_failed()?;
        self.log.flush()?;
        self.finish_merge(true)?;
        if !self.active.is_empty() {
            self.start_merge()?;
            self.finish_merge(true)?;
        }
        Ok(())
    }

    fn layers(&self) -> Result<Layers<'_>, BackendError> {
        self.check_failed()?;
        let frozen = self.frozen.as_ref().map(|frozen| &frozen.pages);
        Ok(Layers { active: &self.active, frozen, flat: &self.flat })
    }

    fn check_failed(&self) -> Result<(), BackendError> {
        match &self.failed {
            Some(why) => Err(BackendError::Failed { why: why.clone() }),
            None => Ok(()),
        }
    }

    /// Runs what changes the store; if it fails, nothing more is taken.
    fn guard<T>(
        &mut self,
        run: impl FnOnce(&mut DiskBackend) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        self.check_failed()?;
        let result = run(self);
        if let Err(error) = &result {
            self.failed = Some(error.to_string());
        }
        result
    }

    fn append(
        &mut self,
        batches: &[WriteBatch],
        writes: &[Vec<Write<'_>>],
    ) -> Result<(), BackendError> {
        self.finish_merge(false)?;
        self.unsynced_blocks += batches.len() as u64;
        let is_durable = match self.options.durability {
            Durability::EveryBlock => true,
            Durability::EveryBlocks(blocks) => self.unsynced_blocks >= blocks,
        };
        let mut append = self.log.append(is_durable)?;
        for (batch, writes) in batches.iter().zip(writes) {
            let keys: Vec<&[u8]> = writes.iter().map(|write| write.0).collect();
            let old = self.layers()?.get_sorted(&keys)?;
            let old: Vec<Option<&[u8]>> = old.iter().collect();
            let changes = Changes::of(writes, &old);
            let position = match batch.height() == self.place.position.height {
                true => self.place.position.next_part(),
                false => self.place.position.next_block(),
            };
            let log = || append.add_changes(position, &changes, batch.block());
            let (tree, active) = (&mut self.tree, &mut self.active);
            let content = apply_beside(tree, active, &changes, log)?;
            self.place = Place { position, root: self.tree.root() };
            append.add_row(self.place, content)?;
        }
        self.log.finish(append)?;
        if is_durable {
            self.unsynced_blocks = 0;
        }
        self.merge_if_due()
    }

    /// Starts to merge changes into the pages if they are many; waits if they are too many.
    fn merge_if_due(&mut self) -> Result<(), BackendError> {
        let bytes_max = self.options.overlay_bytes_max / 2;
        let due = (self.flat.bytes / 4).max(FREEZE_BYTES_MIN).min(bytes_max);
        if self.active.bytes_len() <= due {
            return Ok(());
        }
        if self.frozen.is_some() {
            if self.active.bytes_len() <= bytes_max {
                return Ok(());
            }
            self.finish_merge(true)?;
        }
        self.start_merge()?;
        if !self.options.background {
            self.finish_merge(true)?;
        }
        Ok(())
    }

    /// Merges the active changes into the pages on a thread of their own.
    fn start_merge(&mut self) -> Result<(), BackendError> {
        // The pages must not run ahead of the log.
        self.log.flush()?;
        self.unsynced_blocks = 0;
        let pages = std::mem::replace(&mut self.active, Pages::overlay());
        let (view, place) = (Arc::clone(&self.flat), self.place);
        let (overlay, keys) = (pages.clone(), self.tree.len());
        let thread = (std::thread::Builder::new().name("tollway-merge".into()))
            .spawn(move || flat::merge(&view, &overlay, place, keys))
            .map_err(|error| BackendError::from_io("starting a thread", error))?;
        self.frozen = Some(Frozen { pages, thread });
        Ok(())
    }

    /// Takes the merged pages into use if they are ready, or waits for them.
    fn finish_merge(&mut self, wait: bool) -> Result<(), BackendError> {
        let Some(frozen) = self.frozen.take_if(|frozen| wait || frozen.thread.is_finished()) else {
            return Ok(());
        };
        let merged = frozen.thread.join();
        let view = merged.map_err(|_| BackendError::Bug("merging pages panicked"))??;
        self.flat = Arc::new(view);
        // Rows that were kept for the pages alone may go now.
        self.log.prune(self.log.oldest(), self.flat.place.position)
    }

    fn known(&self, height: Height, is_kept: bool) -> Result<(), BackendError> {
        let (oldest, head) = (self.log.oldest(), self.place.position.height);
        if is_kept && height >= oldest && height <= head {
            return Ok(());
        }
        Err(BackendError::UnknownHeight { height, oldest, head })
    }

    fn undo_to(&mut self, target: Place) -> Result<(), BackendError> {
        self.finish_merge(true)?;
        let reader = self.log.read()?;
        for position in self.log.after(target.position).rev() {
            let changes = reader.changes(position)?;
            self.active.apply(&changes.undo());
            self.tree.update(changes.for_tree_undo());
        }
        drop(reader);
        if self.tree.root() != target.root {
            let what = format!("undoing blocks leads to another root at {}", target.position);
            return Err(BackendError::Damaged { what });
        }
        self.place = target;
        // The pages go back first: opened between the two, the store is still where it was.
        if self.flat.place.position > target.position {
            self.start_merge()?;
            self.finish_merge(true)?;
        }
        self.log.truncate(target.position)?;
        self.unsynced_blocks = 0;
        Ok(())
    }
}

/// Applies changes to tree and overlay while `log` runs.
fn apply_beside<T>(
    tree: &mut Tree,
    active: &mut Pages,
    changes: &Changes,
    log: impl FnOnce() -> T,
) -> T {
    if changes.len() < PARALLEL_CHANGES_MIN {
        tree.update(changes.for_tree());
        active.apply(&changes.redo());
        return log();
    }
    rayon::in_place_scope(|scope| {
        scope.spawn(|_| {
            tree.update(changes.for_tree());
            active.apply(&changes.redo());
        });
        log()
    })
}

/// Makes a new store, or the rest of one whose making was broken off.
fn make(log: &Database, pages: &Database, id: Option<StoreId>) -> Result<(), BackendError> {
    let start = Place { position: Position::default(), root: Tree::new().root() };
    let id = match id {
        Some(id) => {
            let place = flat::place(pages)?;
            if place != start {
                let what = format!("the log is gone, the state is at {}", place.position);
                return Err(BackendError::Damaged { what });
            }
            id
        }
        None => {
            let mut id = StoreId::default();
            getrandom::fill(&mut id)
                .map_err(|error| BackendError::from_io("naming the store", error.into()))?;
            flat::create(pages, &id, start)?;
            id
        }
    };
    Log::create(log, &id, start)
}

impl Drop for DiskBackend {
    /// Puts on disk what is not there yet, as far as that works, and waits for the thread that
    /// merges pages.
    fn drop(&mut self) {
        if self.failed.is_none() {
            // There is nobody to tell: whoever must know calls `flush` or `close`.
            let _ = self.log.flush();
        }
        if let Some(frozen) = self.frozen.take() {
            let _ = frozen.thread.join();
        }
    }
}

impl Backend for DiskBackend {
    fn head(&self) -> Head {
        head_of(self.place)
    }

    fn durable_head(&self) -> Head {
        head_of(self.log.durable())
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        self.layers()?.read_many(keys, found)
    }

    fn commit(&mut self, batches: &[WriteBatch]) -> Result<Head, BackendError> {
        self.check_failed()?;
        check_heights(self.place.position.height, batches)?;
        let writes: Vec<Vec<Write<'_>>> =
            batches.iter().map(WriteBatch::sorted).collect::<Result<_, _>>()?;
        if !batches.is_empty() {
            self.guard(|backend| backend.append(batches, &writes))?;
        }
        Ok(self.head())
    }

    fn flush(&mut self) -> Result<Head, BackendError> {
        self.guard(|backend| backend.log.flush())?;
        self.unsynced_blocks = 0;
        Ok(self.durable_head())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, BackendError> {
        let layers = self.layers()?;
        Ok(Box::new(DiskSnapshot {
            head: self.head(),
            active: layers.active.clone(),
            frozen: layers.frozen.cloned(),
            flat: Arc::clone(&self.flat),
        }))
    }

    fn prune(&mut self, below: Height) -> Result<(), BackendError> {
        let oldest = below.min(self.place.position.height).max(self.log.oldest());
        self.guard(|backend| {
            backend.finish_merge(false)?;
            backend.log.prune(oldest, backend.flat.place.position)
        })?;
        self.unsynced_blocks = 0;
        Ok(())
    }

    fn adopt(&mut self, height: Height) -> Result<Head, BackendError> {
        self.check_failed()?;
        let head = self.place.position.height;
        match height.cmp(&head) {
            Ordering::Less => return Err(BackendError::NotNext { height, head }),
            Ordering::Equal => return Ok(self.head()),
            Ordering::Greater => {}
        }
        let place = Place { position: Position { height, part: 0 }, root: self.place.root };
        self.guard(|backend| backend.log.adopt(place))?;
        self.place = place;
        self.unsynced_blocks = 0;
        Ok(self.head())
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

    fn artifact_dir(&self) -> Option<&Path> {
        self.artifact_dir.as_deref()
    }
}

impl Ranges for DiskBackend {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        self.layers()?.range(from, to, visit)
    }
}

impl Proofs for DiskBackend {
    fn prove(&self, keys: &[&[u8]]) -> Result<Proof, BackendError> {
        self.check_failed()?;
        Ok(self.tree.prove(keys))
    }

    fn chunks(&self, keys_max: usize) -> Result<Vec<ChunkProof>, BackendError> {
        self.check_failed()?;
        Ok(chunk_proofs(&self.tree, keys_max))
    }
}

impl History for DiskBackend {
    fn oldest(&self) -> Height {
        self.log.oldest()
    }

    fn root_at(&self, height: Height) -> Result<Root, BackendError> {
        self.check_failed()?;
        self.known(height, true)?;
        Ok(self.log.place_at(height).root)
    }

    fn read_at(&self, height: Height, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let mut found = Found::new();
        self.read_many_at(height, &[key], &mut found)?;
        Ok(found.get(0).map(<[u8]>::to_vec))
    }

    fn read_many_at(
        &self,
        height: Height,
        keys: &[&[u8]],
        found: &mut Found,
    ) -> Result<(), BackendError> {
        let layers = self.layers()?;
        self.known(height, true)?;
        let reader = self.log.read()?;
        found.reset(keys.len());
        let mut unchanged: Vec<usize> = (0..keys.len()).collect();
        for position in self.log.after_height(height) {
            // Where nearly every page is looked into, all are read at once.
            let all = match unchanged.len() > reader.pages(position)? {
                true => Some(reader.changes(position)?),
                false => None,
            };
            let mut still_unchanged = Vec::with_capacity(unchanged.len());
            for index in unchanged {
                let set = |change: tollway_state::Change<'_>| found.set(index, change.old);
                let changed = match &all {
                    Some(changes) => changes.get(keys[index]).map(set),
                    None => reader.change(position, keys[index], set)?,
                };
                if changed.is_none() {
                    still_unchanged.push(index);
                }
            }
            unchanged = still_unchanged;
            if unchanged.is_empty() {
                return Ok(());
            }
        }
        let keys: Vec<&[u8]> = unchanged.iter().map(|index| keys[*index]).collect();
        let mut at_head = Found::new();
        layers.read_many(&keys, &mut at_head)?;
        unchanged.iter().zip(at_head.iter()).for_each(|(index, value)| found.set(*index, value));
        Ok(())
    }

    fn changes(&self, height: Height, visit: VisitChange<'_>) -> Result<(), BackendError> {
        self.check_failed()?;
        self.known(height, height > self.log.oldest())?;
        let reader = self.log.read()?;
        let mut joined: Option<Changes> = None;
        for position in self.log.after_height(Height(height.0 - 1)) {
            if position.height > height {
                break;
            }
            let changes = reader.changes(position)?;
            joined = Some(joined.map_or(changes.clone(), |sum| Changes::join(&sum, &changes)));
        }
        let _ = joined.unwrap_or_default().iter().try_for_each(visit);
        Ok(())
    }

    fn block(&self, height: Height) -> Result<Option<Vec<u8>>, BackendError> {
        self.check_failed()?;
        self.known(height, height > self.log.oldest())?;
        let reader = self.log.read()?;
        let mut last = None;
        for position in self.log.after_height(Height(height.0 - 1)) {
            if position.height > height {
                break;
            }
            last = reader.block(position)?.or(last);
        }
        Ok(last)
    }

    fn values(&self, key: &[u8], visit: VisitValue<'_>) -> Result<(), BackendError> {
        self.check_failed()?;
        let reader = self.log.read()?;
        let mut last = None;
        for position in self.log.after_height(self.log.oldest()).rev() {
            if last == Some(position.height) {
                continue;
            }
            let visited =
                reader.change(position, key, |change| visit(position.height, change.new))?;
            if let Some(flow) = visited {
                last = Some(position.height);
                if flow.is_break() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn rollback(&mut self, height: Height) -> Result<Head, BackendError> {
        self.check_failed()?;
        self.known(height, true)?;
        let target = self.log.place_at(height);
        if target != self.place {
            self.guard(|backend| backend.undo_to(target))?;
        }
        Ok(self.head())
    }
}

/// The state at one head.
struct DiskSnapshot {
    head: Head,
    active: Pages,
    frozen: Option<Pages>,
    flat: Arc<FlatView>,
}

impl DiskSnapshot {
    fn layers(&self) -> Layers<'_> {
        Layers { active: &self.active, frozen: self.frozen.as_ref(), flat: &self.flat }
    }
}

impl Snapshot for DiskSnapshot {
    fn head(&self) -> Head {
        self.head
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        self.layers().read_many(keys, found)
    }
}

impl Ranges for DiskSnapshot {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        self.layers().range(from, to, visit)
    }
}

fn head_of(place: Place) -> Head {
    Head { height: place.position.height, root: place.root }
}
