//! What each batch changed, in order: the log that makes commits durable, the undo, the history.
//!
//! ```text
//! rows      position             → root │ pages │ flags │ digest │ checksum
//! changes   position │ first key → checksum │ page of changes
//! blocks    position             → checksum │ encoded block
//! base      the last batch of which nothing is kept, and the oldest height that can be read
//! ```
//!
//! One transaction holds all rows of a commit, and the database applies it whole or not at all. A
//! digest binds the pages of a row together, and to its position and root.
//!
//! # Invariants
//! 1. Rows follow one another without a gap from the base to the head (`tests/flipped.rs`).
//! 2. Nothing is taken from a row whose checksums do not hold (`tests/flipped.rs`).
//! 3. Rows that the state in pages does not hold yet are never dropped (`tests/random.rs`).

use crate::{
    error::During,
    files::{StoreId, sign},
    flat::Place,
};
use redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition, WriteTransaction,
};
use std::collections::VecDeque;
use tollway_state::{
    BackendError, Change, Height, Position, Root,
    changes::{Changes, change_in, check_page},
    page::Page,
};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

const ROWS: Table = TableDefinition::new("rows");
const CHANGES: Table = TableDefinition::new("changes");
const BLOCKS: Table = TableDefinition::new("blocks");
const BASE: Table = TableDefinition::new("base");

const CHECKSUM_BYTES: usize = 16;
const READING: &str = "reading the log";
const WRITING: &str = "writing the log";

/// The log of a store, open.
pub(crate) struct Log {
    database: Database,
    /// The rows that are kept, in order.
    rows: VecDeque<Place>,
    base: Place,
    oldest: Height,
    /// The last place that is on disk.
    durable: Place,
}

impl Log {
    /// Makes the tables of a new store, at its beginning.
    pub(crate) fn create(
        database: &Database,
        id: &StoreId,
        start: Place,
    ) -> Result<(), BackendError> {
        let write = database.begin_write().during(WRITING)?;
        sign(&write, id)?;
        for table in [ROWS, CHANGES, BLOCKS] {
            write.open_table(table).during(WRITING)?;
        }
        write_base(&write, start, start.position.height)?;
        write.commit().during(WRITING)
    }

    /// Reads where all rows are.
    pub(crate) fn open(database: Database) -> Result<Log, BackendError> {
        let read = database.begin_read().during(READING)?;
        let (base, oldest) = read_base(&read)?;
        let mut rows = VecDeque::new();
        let mut last = base;
        for row in read.open_table(ROWS).during(READING)?.iter().during(READING)? {
            let (key, value) = row.during(READING)?;
            let position = position_of(key.value())
                .ok_or_else(|| BackendError::damaged("a row of the log without position"))?;
            let header = Header::from_bytes(position, value.value())?;
            let follows =
                position == last.position.next_block() || position == last.position.next_part();
            let jumps = header.is_adopted && position > last.position;
            if !follows && !jumps {
                let what = format!("the log goes from {} to {position}", last.position);
                return Err(BackendError::damaged(what));
            }
            last = Place { position, root: header.root };
            rows.push_back(last);
        }
        drop(read);
        if oldest < base.position.height || oldest > last.position.height {
            return Err(BackendError::damaged("the oldest height lies outside the log"));
        }
        Ok(Log { database, rows, base, oldest, durable: last })
    }

    /// The last row, or the base if there is none.
    pub(crate) fn head(&self) -> Place {
        self.rows.back().copied().unwrap_or(self.base)
    }

    pub(crate) fn durable(&self) -> Place {
        self.durable
    }

    pub(crate) fn oldest(&self) -> Height {
        self.oldest
    }

    /// The last place at or before the end of `height`.
    pub(crate) fn place_at(&self, height: Height) -> Place {
        let after = self.rows.partition_point(|row| row.position.height <= height);
        after.checked_sub(1).map_or(self.base, |last| self.rows[last])
    }

    /// Whether the chain passes through `place`.
    pub(crate) fn knows(&self, place: Place) -> bool {
        place == self.base || self.rows.contains(&place)
    }

    /// The rows after a position.
    pub(crate) fn after(
        &self,
        position: Position,
    ) -> impl DoubleEndedIterator<Item = Position> + use<'_> {
        let from = self.rows.partition_point(|row| row.position <= position);
        self.rows.range(from..).map(|row| row.position)
    }

    /// The rows of heights after `height`.
    pub(crate) fn after_height(
        &self,
        height: Height,
    ) -> impl DoubleEndedIterator<Item = Position> + use<'_> {
        let from = self.rows.partition_point(|row| row.position.height <= height);
        self.rows.range(from..).map(|row| row.position)
    }

    /// Begins to add rows, durable once finished or not.
    pub(crate) fn append(&self, is_durable: bool) -> Result<Append, BackendError> {
        let mut write = self.database.begin_write().during(WRITING)?;
        if !is_durable {
            let set = write.set_durability(Durability::None);
            set.map_err(|_| BackendError::Bug("a transaction without savepoints has one"))?;
        }
        Ok(Append { write, rows: Vec::new(), is_durable })
    }

    /// Applies what was added.
    pub(crate) fn finish(&mut self, append: Append) -> Result<(), BackendError> {
        append.write.commit().during(WRITING)?;
        self.rows.extend(append.rows);
        if append.is_durable {
            self.durable = self.head();
        }
        Ok(())
    }

    /// Puts all rows on disk.
    pub(crate) fn flush(&mut self) -> Result<(), BackendError> {
        if self.durable == self.head() {
            return Ok(());
        }
        let append = self.append(true)?;
        self.finish(append)
    }

    /// Forgets rows up to `oldest`, but for those that the state in pages, which is at `flat`, has
    /// not got yet. Durable on return.
    pub(crate) fn prune(&mut self, oldest: Height, flat: Position) -> Result<(), BackendError> {
        let gone =
            self.rows.partition_point(|row| row.position.height <= oldest && row.position <= flat);
        if gone == 0 && oldest == self.oldest {
            return Ok(());
        }
        let base = gone.checked_sub(1).map_or(self.base, |last| self.rows[last]);
        let write = self.database.begin_write().during(WRITING)?;
        remove_rows(&write, self.rows.range(..gone))?;
        write_base(&write, base, oldest)?;
        write.commit().during(WRITING)?;
        self.rows.drain(..gone);
        (self.base, self.oldest, self.durable) = (base, oldest, self.head());
        Ok(())
    }

    /// Goes on at a later place, with nothing known of what lies between. Durable on return.
    pub(crate) fn adopt(&mut self, place: Place) -> Result<(), BackendError> {
        let mut append = self.append(true)?;
        let content = Content { is_adopted: true, ..Content::new(place.position) };
        append.add_row(place, content)?;
        write_base(&append.write, self.base, place.position.height)?;
        self.finish(append)?;
        self.oldest = place.position.height;
        Ok(())
    }

    /// Forgets all rows after `position`. Durable on return.
    pub(crate) fn truncate(&mut self, position: Position) -> Result<(), BackendError> {
        let kept = self.rows.partition_point(|row| row.position <= position);
        let write = self.database.begin_write().during(WRITING)?;
        remove_rows(&write, self.rows.range(kept..))?;
        write.commit().during(WRITING)?;
        self.rows.truncate(kept);
        self.durable = self.head();
        Ok(())
    }

    /// Begins to read.
    pub(crate) fn read(&self) -> Result<LogReader, BackendError> {
        let read = self.database.begin_read().during(READING)?;
        Ok(LogReader {
            rows: read.open_table(ROWS).during(READING)?,
            changes: read.open_table(CHANGES).during(READING)?,
            blocks: read.open_table(BLOCKS).during(READING)?,
        })
    }
}

/// Rows being added, in one transaction.
pub(crate) struct Append {
    write: WriteTransaction,
    rows: Vec<Place>,
    is_durable: bool,
}

impl Append {
    /// Adds what a batch changed, and gives the digest for its row.
    pub(crate) fn add_changes(
        &self,
        position: Position,
        changes: &Changes,
        block: Option<&[u8]>,
    ) -> Result<Content, BackendError> {
        let mut content = Content::new(position);
        let mut table = self.write.open_table(CHANGES).during(WRITING)?;
        for page in changes.pages() {
            let checksum = checksum(position, page.bytes());
            content.add_page(&checksum);
            let key = key_of(position, page.key(0));
            let row_bytes = CHECKSUM_BYTES + page.bytes().len();
            let mut row = table.insert_reserve(&key[..], row_bytes).during(WRITING)?;
            row.as_mut()[..CHECKSUM_BYTES].copy_from_slice(&checksum);
            row.as_mut()[CHECKSUM_BYTES..].copy_from_slice(page.bytes());
        }
        if let Some(block) = block {
            let checksum = checksum(position, block);
            content.add_block(&checksum);
            let mut table = self.write.open_table(BLOCKS).during(WRITING)?;
            let row = [&checksum[..], block].concat();
            table.insert(&key_of(position, &[])[..], &row[..]).during(WRITING)?;
        }
        Ok(content)
    }

    /// Adds the row itself, once its root is known.
    pub(crate) fn add_row(&mut self, place: Place, content: Content) -> Result<(), BackendError> {
        let header = content.header(place.root);
        let mut table = self.write.open_table(ROWS).during(WRITING)?;
        let key = key_of(place.position, &[]);
        table.insert(&key[..], &header.to_bytes(place.position)[..]).during(WRITING)?;
        self.rows.push(place);
        Ok(())
    }
}

/// Reads rows, all as of one moment.
pub(crate) struct LogReader {
    rows: ReadOnlyTable<&'static [u8], &'static [u8]>,
    changes: ReadOnlyTable<&'static [u8], &'static [u8]>,
    blocks: ReadOnlyTable<&'static [u8], &'static [u8]>,
}

impl LogReader {
    /// How many pages of changes the batch at `position` has.
    pub(crate) fn pages(&self, position: Position) -> Result<usize, BackendError> {
        Ok(self.header(position)?.pages as usize)
    }

    fn header(&self, position: Position) -> Result<Header, BackendError> {
        let row = self.rows.get(&key_of(position, &[])[..]).during(READING)?;
        let row = row.ok_or_else(|| damaged(position, "it is gone"))?;
        Header::from_bytes(position, row.value())
    }

    /// What the batch at `position` changed, every byte of it checked.
    pub(crate) fn changes(&self, position: Position) -> Result<Changes, BackendError> {
        let key = key_of(position, &[]);
        let header = self.header(position)?;
        let mut content = Content::new(position);
        let mut pages = Vec::new();
        let end = key_of(position.next_part(), &[]);
        for row in self.changes.range(&key[..]..&end[..]).during(READING)? {
            let (_, value) = row.during(READING)?;
            let page = page_of(position, value.value(), |checksum| content.add_page(checksum))?;
            pages.push(page);
        }
        if let Some(row) = self.blocks.get(&key[..]).during(READING)? {
            let checksum = row.value().get(..CHECKSUM_BYTES).unwrap_or_default();
            content.add_block(checksum);
        }
        content.is_adopted = header.is_adopted;
        if content.header(header.root) != header {
            return Err(damaged(position, "its digest does not hold"));
        }
        Changes::from_pages(pages)
    }

    /// The change of `key` in the batch at `position`, given to `visit` if there is one.
    pub(crate) fn change<T>(
        &self,
        position: Position,
        key: &[u8],
        visit: impl FnOnce(Change<'_>) -> T,
    ) -> Result<Option<T>, BackendError> {
        let start = key_of(position, &[]);
        let wanted = key_of(position, key);
        let mut range = self.changes.range(&start[..]..=&wanted[..]).during(READING)?;
        let Some(row) = range.next_back() else { return Ok(None) };
        let (_, value) = row.during(READING)?;
        let page = page_of(position, value.value(), |_| ())?;
        check_page(&page)?;
        Ok(change_in(&page, key).map(visit))
    }

    /// The encoded block of the batch at `position`, if it has one.
    pub(crate) fn block(&self, position: Position) -> Result<Option<Vec<u8>>, BackendError> {
        let key = key_of(position, &[]);
        let Some(row) = self.blocks.get(&key[..]).during(READING)? else {
            return match self.header(position)?.has_block {
                false => Ok(None),
                true => Err(damaged(position, "its block is gone")),
            };
        };
        match row.value().split_at_checked(CHECKSUM_BYTES) {
            Some((sum, block)) if sum == checksum(position, block) => Ok(Some(block.to_vec())),
            _ => Err(damaged(position, "the checksum of its block does not hold")),
        }
    }
}

/// Sums up the pages and the block of a row.
pub(crate) struct Content {
    hasher: blake3::Hasher,
    pages: u32,
    has_block: bool,
    is_adopted: bool,
}

impl Content {
    fn new(position: Position) -> Content {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&key_of(position, &[]));
        Content { hasher, pages: 0, has_block: false, is_adopted: false }
    }

    fn add_page(&mut self, checksum: &[u8]) {
        self.hasher.update(checksum);
        self.pages += 1;
    }

    fn add_block(&mut self, checksum: &[u8]) {
        self.hasher.update(checksum);
        self.has_block = true;
    }

    fn header(mut self, root: Root) -> Header {
        self.hasher.update(&root.0);
        self.hasher.update(&self.pages.to_be_bytes());
        let digest = *self.hasher.finalize().as_bytes();
        let Content { pages, has_block, is_adopted, .. } = self;
        Header { root, pages, has_block, is_adopted, digest }
    }
}

/// The row of a batch.
#[derive(PartialEq, Eq)]
struct Header {
    root: Root,
    pages: u32,
    has_block: bool,
    /// What lies before it is not known.
    is_adopted: bool,
    digest: [u8; 32],
}

impl Header {
    fn to_bytes(&self, position: Position) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(85);
        bytes.extend_from_slice(&self.root.0);
        bytes.extend_from_slice(&self.pages.to_be_bytes());
        bytes.push(u8::from(self.has_block) | u8::from(self.is_adopted) << 1);
        bytes.extend_from_slice(&self.digest);
        let checksum = checksum(position, &bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn from_bytes(position: Position, bytes: &[u8]) -> Result<Header, BackendError> {
        Header::parse(position, bytes)
            .ok_or_else(|| damaged(position, "the checksum of its row does not hold"))
    }

    fn parse(position: Position, bytes: &[u8]) -> Option<Header> {
        let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        if *sum != checksum(position, content) {
            return None;
        }
        let (root, rest) = content.split_first_chunk::<32>()?;
        let (pages, rest) = rest.split_first_chunk::<4>()?;
        let (flags, digest) = rest.split_first()?;
        Some(Header {
            root: Root(*root),
            pages: u32::from_be_bytes(*pages),
            has_block: flags & 1 != 0,
            is_adopted: flags & 2 != 0,
            digest: digest.try_into().ok()?,
        })
    }
}

fn damaged(position: Position, why: &str) -> BackendError {
    BackendError::damaged(format!("row {position} of the log: {why}"))
}

fn page_of(
    position: Position,
    row: &[u8],
    checked: impl FnOnce(&[u8]),
) -> Result<Page, BackendError> {
    let (sum, bytes) =
        row.split_at_checked(CHECKSUM_BYTES).ok_or_else(|| damaged(position, "a page is cut"))?;
    if sum != checksum(position, bytes) {
        return Err(damaged(position, "the checksum of a page does not hold"));
    }
    checked(sum);
    Page::from_bytes(bytes).map_err(|error| damaged(position, &error.to_string()))
}

/// Over the position too, so that no row passes for another.
fn checksum(position: Position, bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes).update(&key_of(position, &[]));
    let mut checksum = [0; CHECKSUM_BYTES];
    hasher.finalize_xof().fill(&mut checksum);
    checksum
}

fn key_of(position: Position, rest: &[u8]) -> Vec<u8> {
    [&position.height.0.to_be_bytes()[..], &position.part.to_be_bytes(), rest].concat()
}

fn position_of(key: &[u8]) -> Option<Position> {
    let (height, part) = key.split_first_chunk::<8>()?;
    let part = u32::from_be_bytes(part.try_into().ok()?);
    Some(Position { height: Height(u64::from_be_bytes(*height)), part })
}

fn remove_rows<'a>(
    write: &WriteTransaction,
    rows: impl Iterator<Item = &'a Place>,
) -> Result<(), BackendError> {
    let mut headers = write.open_table(ROWS).during(WRITING)?;
    let mut changes = write.open_table(CHANGES).during(WRITING)?;
    let mut blocks = write.open_table(BLOCKS).during(WRITING)?;
    for row in rows {
        let key = key_of(row.position, &[]);
        let end = key_of(row.position.next_part(), &[]);
        headers.remove(&key[..]).during(WRITING)?;
        blocks.remove(&key[..]).during(WRITING)?;
        changes.retain_in(&key[..]..&end[..], |_, _| false).during(WRITING)?;
    }
    Ok(())
}

fn write_base(write: &WriteTransaction, base: Place, oldest: Height) -> Result<(), BackendError> {
    let mut table = write.open_table(BASE).during(WRITING)?;
    let mut bytes = key_of(base.position, &base.root.0);
    bytes.extend_from_slice(&oldest.0.to_be_bytes());
    let checksum = checksum(base.position, &bytes);
    bytes.extend_from_slice(&checksum);
    table.insert(&b"base"[..], &bytes[..]).during(WRITING)?;
    Ok(())
}

fn read_base(read: &ReadTransaction) -> Result<(Place, Height), BackendError> {
    let table = read.open_table(BASE).during(READING)?;
    let row = table.get(&b"base"[..]).during(READING)?;
    row.and_then(|row| parse_base(row.value()))
        .ok_or_else(|| BackendError::damaged("the log does not say where it begins"))
}

fn parse_base(bytes: &[u8]) -> Option<(Place, Height)> {
    let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let (position, rest) = content.split_first_chunk::<12>()?;
    let (root, oldest) = rest.split_first_chunk::<32>()?;
    let position = position_of(position)?;
    if *sum != checksum(position, content) {
        return None;
    }
    let oldest = Height(u64::from_be_bytes(oldest.try_into().ok()?));
    Some((Place { position, root: Root(*root) }, oldest))
}
