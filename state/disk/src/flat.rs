//! The state some blocks ago, as pages in a database; read, merged with what came since, scanned.
//!
//! ```text
//! database   first key → checksum │ page          one row fills one page of the file
//!
//! view       slot   slot   slot   slot ...        first keys, in memory
//!              │             │
//!            page          page                   those used lately, in memory too
//! ```
//!
//! A view is of one place in the chain and never changes. Merging makes the next one, in one
//! transaction of the database.
//!
//! # Invariants
//! 1. No page is served whose checksum does not hold (`tests/flipped.rs`).
//! 2. Pages in memory take no more than the cache's limit, but for those in use
//!    (`tests::cache_keeps_its_limit`).
//! 3. The database goes from one place to a later one whole or not at all (`tests/faults.rs`).

use crate::{
    error::During,
    files::{StoreId, sign},
};
use parking_lot::Mutex;
use rayon::prelude::*;
use redb::{
    Database, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table,
    TableDefinition, WriteTransaction,
};
use std::{
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tollway_state::{
    BackendError, Found, Height, Position, Root, Write,
    page::{Page, PageBuilder},
    pages::{PAGE_BYTES_MAX, Pages, push_joined},
    verify::Pair,
};

const PAGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("pages");
const PLACE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("place");
const CHECKSUM_BYTES: usize = 16;
const READING: &str = "reading the state";
const WRITING: &str = "writing the state";

/// Keys looked up by one thread in a row.
const RUN: usize = 1024;

/// Rows hashed by one thread in a row.
const ROWS_PART: usize = 256;

/// Parts of so many rows that were read but not hashed yet.
const WAITING_MAX: usize = 16;

/// A place in the chain: the last batch that is part of it, and the root after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) root: Root,
}

/// How many bytes of pages are in memory, and how many may be.
#[derive(Debug)]
pub(crate) struct Cache {
    bytes: AtomicUsize,
    bytes_max: usize,
    /// Which slot is looked at next when a page has to go.
    hand: AtomicUsize,
}

impl Cache {
    pub(crate) fn new(bytes_max: usize) -> Arc<Cache> {
        Arc::new(Cache { bytes: AtomicUsize::new(0), bytes_max, hand: AtomicUsize::new(0) })
    }
}

/// One page: its first key, and the page itself if it is in memory.
struct Slot {
    first: Box<[u8]>,
    page: Mutex<Option<Page>>,
    /// Used since the hand passed by.
    is_used: AtomicBool,
    cache: Arc<Cache>,
}

impl Slot {
    fn new(first: &[u8], page: Option<Page>, cache: &Arc<Cache>) -> Arc<Slot> {
        let bytes = page.as_ref().map_or(0, |page| page.bytes().len());
        cache.bytes.fetch_add(bytes, Ordering::Relaxed);
        Arc::new(Slot {
            first: first.into(),
            page: Mutex::new(page),
            is_used: AtomicBool::new(false),
            cache: Arc::clone(cache),
        })
    }

    fn evict(&self) {
        if self.is_used.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Some(page) = self.page.try_lock().and_then(|mut page| page.take()) {
            self.cache.bytes.fetch_sub(page.bytes().len(), Ordering::Relaxed);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let bytes = self.page.get_mut().as_ref().map_or(0, |page| page.bytes().len());
        self.cache.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The state at one place.
pub(crate) struct FlatView {
    /// Open as long as anybody reads.
    database: Arc<Database>,
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    slots: Vec<Arc<Slot>>,
    cache: Arc<Cache>,
    pub(crate) place: Place,
    /// The bytes of all pages.
    pub(crate) bytes: usize,
}

impl FlatView {
    /// Values of ascending keys. Runs in the current rayon pool if there are many.
    pub(crate) fn get_sorted(&self, keys: &[&[u8]]) -> Result<FlatFound, BackendError> {
        let runs = match keys.len() {
            0..=RUN => vec![self.get_run(keys)?],
            _ => keys.par_chunks(RUN).map(|keys| self.get_run(keys)).collect::<Result<_, _>>()?,
        };
        Ok(FlatFound { runs })
    }

    fn get_run(&self, keys: &[&[u8]]) -> Result<Found, BackendError> {
        let mut found = Found::new();
        found.reset(keys.len());
        if self.slots.is_empty() {
            return Ok(found);
        }
        let mut held: Option<(usize, Page)> = None;
        let mut index = 0;
        for (place, key) in keys.iter().enumerate() {
            let slot = self.slot_of(key, held.as_ref().map_or(0, |(slot, _)| *slot));
            let page = match &held {
                Some((at, page)) if *at == slot => page,
                _ => {
                    index = 0;
                    &held.insert((slot, self.page(&self.slots[slot])?)).1
                }
            };
            match page.search(key, index) {
                Ok(at) => {
                    index = at;
                    found.set(place, page.entry(at).1);
                }
                Err(at) => index = at,
            }
        }
        Ok(found)
    }

    /// Pages from the one that holds the start of a range, each with the index to start at.
    pub(crate) fn pages_from(
        &self,
        from: Bound<&[u8]>,
    ) -> impl Iterator<Item = Result<(Page, usize), BackendError>> {
        let first = match from {
            Bound::Included(key) | Bound::Excluded(key) => self.slot_of(key, 0),
            Bound::Unbounded => 0,
        };
        let slots = self.slots.get(first..).unwrap_or_default();
        slots.iter().enumerate().map(move |(at, slot)| {
            // A scan does not push out what is used.
            let held = slot.page.lock().clone();
            let page = held.map_or_else(|| load(&self.table, &slot.first), Ok)?;
            let start = if at == 0 { page.start_of(from) } else { 0 };
            Ok((page, start))
        })
    }

    fn page(&self, slot: &Slot) -> Result<Page, BackendError> {
        let mut held = slot.page.lock();
        slot.is_used.store(true, Ordering::Relaxed);
        if let Some(page) = &*held {
            return Ok(page.clone());
        }
        let page = load(&self.table, &slot.first)?;
        *held = Some(page.clone());
        drop(held);
        self.cache.bytes.fetch_add(page.bytes().len(), Ordering::Relaxed);
        self.make_room();
        Ok(page)
    }

    fn make_room(&self) {
        // Twice around at most: the first time clears the marks of use.
        for _ in 0..2 * self.slots.len() {
            if self.cache.bytes.load(Ordering::Relaxed) <= self.cache.bytes_max {
                return;
            }
            let hand = self.cache.hand.fetch_add(1, Ordering::Relaxed);
            self.slots[hand % self.slots.len()].evict();
        }
    }

    /// Which slot holds `key` or would: the last that starts at or before it, at or after `from`.
    fn slot_of(&self, key: &[u8], from: usize) -> usize {
        let is_at_or_before =
            |slot: usize| self.slots.get(slot).is_some_and(|slot| *slot.first <= *key);
        let (mut low, mut step) = (from, 1);
        while is_at_or_before(low + step) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.slots.len());
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if is_at_or_before(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

/// What [`FlatView::get_sorted`] found.
pub(crate) struct FlatFound {
    runs: Vec<Found>,
}

impl FlatFound {
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        self.runs[index / RUN].get(index % RUN)
    }
}

fn load(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    first: &[u8],
) -> Result<Page, BackendError> {
    let row = table.get(first).during(READING)?;
    let row = row.ok_or_else(|| BackendError::damaged("a page of the state is gone"))?;
    check(first, row.value())
}

/// The page in a row.
fn check(first: &[u8], row: &[u8]) -> Result<Page, BackendError> {
    let damaged = |why: String| {
        let first: String = first.iter().take(40).map(|byte| format!("{byte:02x}")).collect();
        BackendError::damaged(format!("page of the state at key {first}: {why}"))
    };
    let (checksum, bytes) =
        row.split_at_checked(CHECKSUM_BYTES).ok_or_else(|| damaged("cut".into()))?;
    if checksum != &blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES] {
        return Err(damaged("its checksum does not hold".into()));
    }
    let page = Page::from_bytes(bytes).map_err(|error| damaged(error.to_string()))?;
    if page.is_empty() || page.key(0) != first || page.iter().any(|entry| entry.1.is_none()) {
        return Err(damaged("not what belongs there".into()));
    }
    Ok(page)
}

/// Makes the tables of a new store, at its beginning.
pub(crate) fn create(database: &Database, id: &StoreId, start: Place) -> Result<(), BackendError> {
    let write = database.begin_write().during(WRITING)?;
    sign(&write, id)?;
    write.open_table(PAGES).during(WRITING)?;
    write_place(&write, start, 0)?;
    write.commit().during(WRITING)
}

/// Where the state is.
pub(crate) fn place(database: &Database) -> Result<Place, BackendError> {
    let read = database.begin_read().during(READING)?;
    Ok(read_place(&read.open_table(PLACE).during(READING)?)?.0)
}

/// Reads the whole state: the view of it, and what the tree is made of.
pub(crate) fn scan(
    database: &Arc<Database>,
    cache: &Arc<Cache>,
) -> Result<(FlatView, Vec<Pair>), BackendError> {
    let read = database.begin_read().during(READING)?;
    let table = read.open_table(PAGES).during(READING)?;
    let (place, keys) = read_place(&read.open_table(PLACE).during(READING)?)?;
    let mut slots = Vec::new();
    let mut bytes = 0;
    let rows_count = usize::try_from(table.len().during(READING)?).unwrap_or(0);
    let keys =
        usize::try_from(keys).unwrap_or(0).min(rows_count.saturating_mul(PAGE_BYTES_MAX / 8));
    let hashed = Mutex::new(Ok(Vec::with_capacity(keys)));
    let waiting = AtomicUsize::new(0);
    // This thread reads, the pool checks and hashes.
    rayon::in_place_scope(|scope| {
        let (hashed, waiting) = (&hashed, &waiting);
        let hand_over = |rows: Vec<(Arc<Slot>, Vec<u8>)>| {
            // Reading does not run far ahead of hashing: it helps.
            if waiting.load(Ordering::Relaxed) >= WAITING_MAX {
                return hash_rows(&rows, hashed);
            }
            waiting.fetch_add(1, Ordering::Relaxed);
            scope.spawn(move |_| {
                hash_rows(&rows, hashed);
                waiting.fetch_sub(1, Ordering::Relaxed);
            });
        };
        let mut rows: Vec<(Arc<Slot>, Vec<u8>)> = Vec::new();
        for row in table.iter().during(READING)? {
            let (first, row) = row.during(READING)?;
            let slot = Slot::new(first.value(), None, cache);
            bytes += row.value().len() - CHECKSUM_BYTES.min(row.value().len());
            rows.push((Arc::clone(&slot), row.value().to_vec()));
            slots.push(slot);
            if rows.len() == ROWS_PART {
                hand_over(std::mem::take(&mut rows));
            }
        }
        hand_over(rows);
        Ok::<(), BackendError>(())
    })?;
    let pairs = hashed.into_inner()?;
    let (database, cache) = (Arc::clone(database), Arc::clone(cache));
    Ok((FlatView { database, table, slots, cache, place, bytes }, pairs))
}

/// Adds the pairs of all entries in some rows, which stay in memory while there is room.
fn hash_rows(rows: &[(Arc<Slot>, Vec<u8>)], hashed: &Mutex<Result<Vec<Pair>, BackendError>>) {
    let pairs = pairs_of(rows);
    let mut hashed = hashed.lock();
    match (&mut *hashed, pairs) {
        (Ok(all), Ok(pairs)) => all.extend_from_slice(&pairs),
        (Ok(_), Err(error)) => *hashed = Err(error),
        (Err(_), _) => {}
    }
}

fn pairs_of(rows: &[(Arc<Slot>, Vec<u8>)]) -> Result<Vec<Pair>, BackendError> {
    let mut pairs = Vec::new();
    let mut last_key: Option<Vec<u8>> = None;
    for (slot, row) in rows {
        let page = check(&slot.first, row)?;
        if last_key.is_some_and(|last| *last >= *slot.first) {
            return Err(BackendError::damaged("pages of the state overlap"));
        }
        last_key = Some(page.key(page.len() - 1).to_vec());
        pairs.extend(page.iter().map(|(key, value)| Pair::of(key, value.unwrap_or_default())));
        let bytes = page.bytes().len();
        if slot.cache.bytes.load(Ordering::Relaxed) + bytes <= slot.cache.bytes_max {
            slot.cache.bytes.fetch_add(bytes, Ordering::Relaxed);
            *slot.page.lock() = Some(page);
        }
    }
    Ok(pairs)
}

/// Brings the state to `place`, which is that of `view` with the changes of `overlay` and has
/// `keys` keys. Durable on return.
pub(crate) fn merge(
    view: &FlatView,
    overlay: &Pages,
    place: Place,
    keys: usize,
) -> Result<FlatView, BackendError> {
    let database = Arc::clone(&view.database);
    let mut write = database.begin_write().during(WRITING)?;
    // The allocator's state is saved, so that opening after a crash does not read everything.
    write.set_quick_repair(true);
    let table = write.open_table(PAGES).during(WRITING)?;
    let (slots, bytes) = merge_pages(table, view, overlay)?;
    write_place(&write, place, keys)?;
    write.commit().during(WRITING)?;
    let read = database.begin_read().during(READING)?;
    let table = read.open_table(PAGES).during(READING)?;
    drop(read);
    Ok(FlatView { database, table, slots, cache: Arc::clone(&view.cache), place, bytes })
}

/// Writes the pages that change, and gives all slots and the bytes of all pages.
fn merge_pages(
    table: Table<'_, &'static [u8], &'static [u8]>,
    view: &FlatView,
    overlay: &Pages,
) -> Result<(Vec<Arc<Slot>>, usize), BackendError> {
    let mut merger = Merger {
        table,
        cache: &view.cache,
        slots: Vec::with_capacity(view.slots.len() + view.slots.len() / 8),
        pending: Vec::new(),
        keep_pending: false,
        bytes: view.bytes,
    };
    let writes: Vec<Write<'_>> = overlay.iter_from(Bound::Unbounded).collect();
    let mut builder = PageBuilder::new();
    let (mut next, mut from) = (0, 0);
    while from < writes.len() {
        let slot = view.slot_of(writes[from].0, next);
        let to = match view.slots.get(slot + 1) {
            Some(after) => from + writes[from..].partition_point(|write| *write.0 < *after.first),
            None => writes.len(),
        };
        if slot > next {
            merger.keep(&view.slots[next..slot])?;
        }
        merger.replace(view, view.slots.get(slot), &writes[from..to], &mut builder)?;
        (next, from) = (slot + 1, to);
    }
    merger.keep(view.slots.get(next..).unwrap_or_default())?;
    Ok((merger.slots, merger.bytes))
}

/// Writes the pages of the next view, in order.
struct Merger<'a> {
    table: Table<'a, &'static [u8], &'static [u8]>,
    cache: &'a Arc<Cache>,
    slots: Vec<Arc<Slot>>,
    /// Pages side by side that are not written yet: the last may be joined with the next.
    pending: Vec<Page>,
    /// Whether the pending pages stay in memory once written.
    keep_pending: bool,
    bytes: usize,
}

impl Merger<'_> {
    /// Takes over slots without a change.
    fn keep(&mut self, slots: &[Arc<Slot>]) -> Result<(), BackendError> {
        self.write_pending(0)?;
        self.slots.extend(slots.iter().map(Arc::clone));
        Ok(())
    }

    /// Puts pages with `writes` applied in the place of the page in `slot`.
    fn replace(
        &mut self,
        view: &FlatView,
        slot: Option<&Arc<Slot>>,
        writes: &[Write<'_>],
        builder: &mut PageBuilder,
    ) -> Result<(), BackendError> {
        let mut pages = Vec::with_capacity(1);
        let mut first = None;
        match slot {
            Some(slot) => {
                let held = slot.page.lock().clone();
                self.keep_pending = held.is_some();
                let page = held.map_or_else(|| load(&view.table, &slot.first), Ok)?;
                builder.merge(Some(&page), writes, false);
                self.bytes -= page.bytes().len();
                first = Some(&slot.first);
            }
            None => builder.merge(None, writes, false),
        }
        builder.finish_split(PAGE_BYTES_MAX, &mut pages);
        let before = self.pending.len();
        pages.into_iter().for_each(|page| {
            push_joined(&mut self.pending, page);
        });
        // The row is gone unless a page takes its place.
        if let Some(first) = first
            && self.pending.get(before).is_none_or(|page| *page.key(0) != **first)
        {
            self.table.remove(&first[..]).during(WRITING)?;
        }
        self.write_pending(1)
    }

    /// Writes all pending pages but the last `leave`.
    fn write_pending(&mut self, leave: usize) -> Result<(), BackendError> {
        let count = self.pending.len().saturating_sub(leave);
        for page in self.pending.drain(..count) {
            let row_bytes = CHECKSUM_BYTES + page.bytes().len();
            let mut row = self.table.insert_reserve(page.key(0), row_bytes).during(WRITING)?;
            let (checksum, bytes) = row.as_mut().split_at_mut(CHECKSUM_BYTES);
            checksum.copy_from_slice(&blake3::hash(page.bytes()).as_bytes()[..CHECKSUM_BYTES]);
            bytes.copy_from_slice(page.bytes());
            drop(row);
            self.bytes += page.bytes().len();
            let room = self.cache.bytes_max / 4 * 3;
            let keep = self.keep_pending
                || self.cache.bytes.load(Ordering::Relaxed) + page.bytes().len() <= room;
            let first = page.key(0).to_vec();
            self.slots.push(Slot::new(&first, keep.then_some(page), self.cache));
        }
        Ok(())
    }
}

fn write_place(write: &WriteTransaction, place: Place, keys: usize) -> Result<(), BackendError> {
    let mut table = write.open_table(PLACE).during(WRITING)?;
    let mut bytes = Vec::with_capacity(52);
    bytes.extend_from_slice(&place.position.height.0.to_be_bytes());
    bytes.extend_from_slice(&place.position.part.to_be_bytes());
    bytes.extend_from_slice(&(keys as u64).to_be_bytes());
    bytes.extend_from_slice(&place.root.0);
    table.insert("state", &bytes[..]).during(WRITING)?;
    Ok(())
}

/// The place, and about how many keys there are.
fn read_place(
    table: &ReadOnlyTable<&'static str, &'static [u8]>,
) -> Result<(Place, u64), BackendError> {
    let row = table.get("state").during(READING)?;
    row.and_then(|row| place_of(row.value()))
        .ok_or_else(|| BackendError::damaged("the state does not say which it is"))
}

fn place_of(bytes: &[u8]) -> Option<(Place, u64)> {
    let (height, rest) = bytes.split_first_chunk::<8>()?;
    let (part, rest) = rest.split_first_chunk::<4>()?;
    let (keys, root) = rest.split_first_chunk::<8>()?;
    let position =
        Position { height: Height(u64::from_be_bytes(*height)), part: u32::from_be_bytes(*part) };
    let root = Root(root.try_into().ok()?);
    Some((Place { position, root }, u64::from_be_bytes(*keys)))
}
