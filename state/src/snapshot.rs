//! Snapshots: the whole state as a stream of chunks, each checked against the root before it is
//! applied.
//!
//! ```text
//! head    magic │ format │ height │ root │ chunks │ checksum
//! chunk   number │ proof bytes │ entry bytes │ proof │ entries as a page      × chunks
//! ```
//!
//! Numbers are little-endian. A chunk holds all keys whose paths start with its prefix, in the
//! order of the prefixes; its proof ties it to the root. So a stream can be trusted as far as its
//! root can, whoever sent it.
//!
//! # Invariants
//! 1. What is imported has the root of the head, or import fails (`tests/snapshot.rs`).
//! 2. A chunk that was changed, cut or left out is refused by its number, before anything of it
//!    is applied (`tests/snapshot.rs`).
//! 3. No stream makes import take more memory than a small multiple of the bytes that came
//!    (`tests/snapshot.rs`).

use crate::{
    Backend, BackendError, Found, Head, Height, Root, Snapshot, WriteBatch,
    page::{Page, PageBuilder},
};
use std::{
    io::{self, Read, Write},
    ops::{Bound, ControlFlow},
};
use tollway_state_verify::{ChunkProof, PartitionError, Path, verify_chunk, verify_partition};

/// The version of the stream. Raised whenever it changes.
pub const SNAPSHOT_FORMAT: u32 = 1;

/// Keys in a chunk, at most.
const CHUNK_KEYS_MAX: usize = 4096;

/// The most bytes of a chunk. A chunk of so many large values cannot be exported.
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// The longest proof of a chunk: 128 siblings, a path, a length.
const PROOF_BYTES_MAX: usize = 17 + 32 * 128;

/// Chunks are collected up to this size before they are committed.
const COMMIT_BYTES: usize = 8 << 20;

/// The key of an entry that says that an import is under way, and of which root. It is no key of a
/// state, so that nobody takes a part of one for the whole.
pub const IMPORTING_KEY: &[u8] = b"\xffimporting";

const MAGIC: &[u8; 16] = b"tollway snapshot";
const CHECKSUM_BYTES: usize = 16;
const HEAD_BYTES: usize = 16 + 4 + 8 + 32 + 4 + CHECKSUM_BYTES;

/// Why a snapshot could not be exported or imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The stream is not a snapshot, or its head is damaged.
    #[error("not a snapshot: {why}")]
    NotASnapshot {
        /// What told so.
        why: &'static str,
    },
    /// A later release wrote the stream.
    #[error("snapshot has format {found}, this release reads up to {known}")]
    NewerFormat {
        /// Its format version.
        found: u32,
        /// The latest format version that this release knows.
        known: u32,
    },
    /// The snapshot is of another state than the one that was asked for.
    #[error("snapshot is of height {} with root {}, not of {} with {}",
        found.height, found.root, expected.height, expected.root)]
    OtherState {
        /// What was asked for.
        expected: Head,
        /// What the snapshot says.
        found: Head,
    },
    /// The stream ends within a chunk, or before it.
    #[error("snapshot is cut in chunk {number} of {chunks}")]
    Cut {
        /// Counts chunks from 0.
        number: u32,
        /// How many there should be.
        chunks: u32,
    },
    /// A chunk is not part of the state that the head names.
    #[error("chunk {number} of {chunks} is wrong: {why}")]
    Wrong {
        /// Counts chunks from 0.
        number: u32,
        /// How many there are.
        chunks: u32,
        /// What is wrong with it.
        why: String,
    },
    /// All chunks are right, but they are not the whole state.
    #[error("chunks are missing: {source}")]
    Missing {
        /// Where.
        source: PartitionError,
    },
    /// The store already holds something else: a state, or a part of another snapshot.
    #[error("the store has root {found}, and not from a part of the snapshot of {expected}")]
    NotEmpty {
        /// The snapshot's root.
        expected: Root,
        /// The store's.
        found: Root,
    },
    /// The store is past height 0 already.
    #[error("the store is at height {height}, a snapshot is imported into an empty one")]
    NotNew {
        /// The store's height.
        height: Height,
    },
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Writing or reading the stream failed.
    #[error("i/o failed on the stream")]
    Io(#[from] io::Error),
}

/// How far an export or import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Chunks done.
    pub chunks_done: u32,
    /// Chunks in all.
    pub chunks: u32,
    /// Bytes of the stream so far, without its head.
    pub bytes: u64,
}

/// What is called after each chunk.
pub type VisitProgress<'a> = &'a mut dyn FnMut(Progress);

/// A snapshot ready to be written, while its backend goes on.
///
/// # Examples
/// ```
/// use tollway_state::{Backend, Height, MemoryBackend, WriteBatch, snapshot::{Export, import}};
/// let mut backend = MemoryBackend::new();
/// let mut batch = WriteBatch::new(Height(1));
/// batch.put(b"alice", b"10")?;
/// let head = backend.commit(&[batch])?;
///
/// let mut stream = Vec::new();
/// Export::of(&backend)?.write(&mut stream, 0, &mut |_| ())?;
///
/// let mut copy = MemoryBackend::new();
/// let imported = import(&mut &stream[..], &mut copy, Some(head), &mut |_| ())?;
/// assert_eq!(imported, head);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Export {
    snapshot: Box<dyn Snapshot>,
    proofs: Vec<ChunkProof>,
    /// Entries collected in one pass over the state, in bytes.
    memory_bytes_max: usize,
}

impl Export {
    /// Takes a snapshot of the head, and what ties its chunks to the root: some 1 MB for ten
    /// million keys.
    ///
    /// # Errors
    /// [`BackendError::Unsupported`] if the backend has no proofs.
    pub fn of(backend: &dyn Backend) -> Result<Export, BackendError> {
        let proofs = backend.proofs().ok_or(BackendError::Unsupported { what: "proofs" })?;
        let proofs = proofs.chunks(CHUNK_KEYS_MAX)?;
        Ok(Export { snapshot: backend.snapshot()?, proofs, memory_bytes_max: 256 << 20 })
    }

    /// Sets the most memory for entries, in bytes, 256 MiB by default. With less, the state is read
    /// more often: once for each time that it fits.
    pub fn with_memory(self, memory_bytes_max: usize) -> Export {
        Export { memory_bytes_max, ..self }
    }

    /// The state that is exported.
    pub fn head(&self) -> Head {
        self.snapshot.head()
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> u32 {
        self.proofs.len() as u32
    }

    /// Writes the stream from chunk `from` on: all of it from 0, else without its head, to go on
    /// with a stream of the same head that was broken off after `from` chunks.
    ///
    /// # Errors
    /// If the state cannot be read or the stream cannot be written.
    pub fn write(
        &self,
        out: &mut dyn Write,
        from: u32,
        progress: VisitProgress<'_>,
    ) -> Result<(), SnapshotError> {
        if from == 0 {
            out.write_all(&StreamHead { head: self.head(), chunks: self.chunks() }.to_bytes())?;
        }
        let mut bytes = 0;
        let mut next = from as usize;
        while next < self.proofs.len() {
            for entries in self.collect(next)? {
                bytes += self.write_chunk(out, next, entries)?;
                next += 1;
                let chunks_done = next as u32;
                progress(Progress { chunks_done, chunks: self.chunks(), bytes });
            }
        }
        out.flush()?;
        Ok(())
    }

    /// Reads the entries of the chunks from `first` on, as many as fit into memory, at least one.
    fn collect(&self, first: usize) -> Result<Vec<PageBuilder>, SnapshotError> {
        let mut window: Vec<PageBuilder> = Vec::new();
        window.resize_with(self.proofs.len() - first, PageBuilder::new);
        let mut bytes = 0;
        let mut too_large = false;
        let start = self.proofs[first].prefix.first();
        self.snapshot.range(Bound::Unbounded, Bound::Unbounded, &mut |key, value| {
            let path = Path::of(key);
            if path < start {
                return ControlFlow::Continue(());
            }
            let rest = &self.proofs[first..first + window.len()];
            let chunk = rest.partition_point(|proof| proof.prefix.first() <= path) - 1;
            if !rest[chunk].prefix.contains(&path) {
                // It belongs to a chunk that no longer fits.
                return ControlFlow::Continue(());
            }
            window[chunk].push(key, Some(value));
            bytes += key.len() + value.len() + 8;
            while bytes > self.memory_bytes_max && window.len() > 1 {
                bytes -= window.pop().map_or(0, |last| last.content_bytes());
            }
            too_large = window.last().is_some_and(|last| last.bytes_len() > CHUNK_BYTES_MAX);
            if too_large { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if too_large {
            let number = (first + window.len() - 1) as u32;
            let why = String::from("its values are too large");
            return Err(SnapshotError::Wrong { number, chunks: self.chunks(), why });
        }
        Ok(window)
    }

    fn write_chunk(
        &self,
        out: &mut dyn Write,
        number: usize,
        mut entries: PageBuilder,
    ) -> Result<u64, SnapshotError> {
        let proof = self.proofs[number].to_bytes();
        let page = entries.finish();
        out.write_all(&(number as u32).to_le_bytes())?;
        out.write_all(&(proof.len() as u32).to_le_bytes())?;
        out.write_all(&(page.bytes().len() as u32).to_le_bytes())?;
        out.write_all(&proof)?;
        out.write_all(page.bytes())?;
        Ok((12 + proof.len() + page.bytes().len()) as u64)
    }
}

/// What a stream starts with.
struct StreamHead {
    head: Head,
    chunks: u32,
}

impl StreamHead {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&SNAPSHOT_FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.head.height.0.to_le_bytes());
        bytes.extend_from_slice(&self.head.root.0);
        bytes.extend_from_slice(&self.chunks.to_le_bytes());
        let checksum = blake3::hash(&bytes);
        bytes.extend_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        bytes
    }

    fn read(stream: &mut dyn Read) -> Result<StreamHead, SnapshotError> {
        let not = |why| SnapshotError::NotASnapshot { why };
        let mut bytes = [0; HEAD_BYTES];
        read_exact(stream, &mut bytes)?.ok_or(not("shorter than the head of one"))?;
        let (content, checksum) = bytes.split_at(HEAD_BYTES - CHECKSUM_BYTES);
        let mut fields = content;
        if take::<16>(&mut fields) != *MAGIC {
            return Err(not("it starts otherwise"));
        }
        let found = u32::from_le_bytes(take(&mut fields));
        if found > SNAPSHOT_FORMAT {
            return Err(SnapshotError::NewerFormat { found, known: SNAPSHOT_FORMAT });
        }
        if checksum != &blake3::hash(content).as_bytes()[..CHECKSUM_BYTES] {
            return Err(not("the checksum of its head does not hold"));
        }
        let height = Height(u64::from_le_bytes(take(&mut fields)));
        let root = Root(take(&mut fields));
        let chunks = u32::from_le_bytes(take(&mut fields));
        Ok(StreamHead { head: Head { height, root }, chunks })
    }
}

/// Reads a snapshot into a backend at height 0, checking each chunk before it is applied, and
/// gives the head: that of the snapshot, from which the history goes on.
///
/// `expected` is the head that the caller trusts; without it, whoever made the stream is trusted.
/// Broken off, it is called again with the same stream from its start, and passes quickly over what
/// is there already.
///
/// # Errors
/// [`SnapshotError`] says which chunk is wrong. All chunks before it are applied or not; the backend
/// stays at height 0, with [`IMPORTING_KEY`] among its entries.
pub fn import(
    stream: &mut dyn Read,
    backend: &mut dyn Backend,
    expected: Option<Head>,
    progress: VisitProgress<'_>,
) -> Result<Head, SnapshotError> {
    let StreamHead { head, chunks } = StreamHead::read(stream)?;
    if let Some(expected) = expected.filter(|expected| *expected != head) {
        return Err(SnapshotError::OtherState { expected, found: head });
    }
    let height = backend.head().height;
    if backend.head() == head {
        return Ok(head);
    }
    let mut importing = Found::new();
    backend.read_many(&[IMPORTING_KEY], &mut importing)?;
    let is_resumed = importing.get(0).is_some_and(|root| *root == head.root.0);
    if is_resumed && height == head.height && height != Height(0) {
        return finish(backend, head);
    }
    if height != Height(0) {
        return Err(SnapshotError::NotNew { height });
    }
    let found = backend.head().root;
    if !is_resumed && found != Root::empty() {
        return Err(SnapshotError::NotEmpty { expected: head.root, found });
    }
    let mut prefixes = Vec::new();
    let mut waiting = WriteBatch::new(Height(0));
    if !is_resumed {
        waiting.put(IMPORTING_KEY, &head.root.0)?;
    }
    let mut bytes = 0;
    for number in 0..chunks {
        let (proof, page, chunk_bytes) = read_chunk(stream, &head.root, number, chunks)?;
        prefixes.push(proof.prefix);
        add_new(backend, &page, &mut waiting)?;
        if waiting.bytes_len() >= COMMIT_BYTES {
            apply(backend, &mut waiting)?;
        }
        bytes += chunk_bytes;
        progress(Progress { chunks_done: number + 1, chunks, bytes });
    }
    verify_partition(prefixes).map_err(|source| SnapshotError::Missing { source })?;
    apply(backend, &mut waiting)?;
    backend.adopt(head.height)?;
    finish(backend, head)
}

/// Takes the mark of an import off a backend that has all of it.
fn finish(backend: &mut dyn Backend, head: Head) -> Result<Head, SnapshotError> {
    let mut last = WriteBatch::new(head.height);
    last.remove(IMPORTING_KEY)?;
    let found = backend.commit(&[last])?;
    if found != head {
        let (expected, found) = (head.root, found.root);
        return Err(SnapshotError::NotEmpty { expected, found });
    }
    // What it looked like with the mark is nobody's past.
    backend.prune(head.height)?;
    Ok(backend.head())
}

/// Adds the entries that the backend does not hold yet.
fn add_new(
    backend: &dyn Backend,
    page: &Page,
    waiting: &mut WriteBatch,
) -> Result<(), BackendError> {
    let keys: Vec<&[u8]> = page.iter().map(|entry| entry.0).collect();
    let mut held = Found::new();
    backend.read_many(&keys, &mut held)?;
    for ((key, value), held) in page.iter().zip(held.iter()) {
        if let Some(value) = value.filter(|_| held != value) {
            waiting.put(key, value)?;
        }
    }
    Ok(())
}

fn apply(backend: &mut dyn Backend, waiting: &mut WriteBatch) -> Result<(), BackendError> {
    if !waiting.is_empty() {
        backend.commit(&[std::mem::replace(waiting, WriteBatch::new(Height(0)))])?;
        // Nobody goes back to the middle of an import.
        backend.prune(Height(0))?;
    }
    Ok(())
}

/// Reads a chunk, and checks it against the root.
fn read_chunk(
    stream: &mut dyn Read,
    root: &Root,
    number: u32,
    chunks: u32,
) -> Result<(ChunkProof, Page, u64), SnapshotError> {
    let cut = || SnapshotError::Cut { number, chunks };
    let wrong = |why: String| SnapshotError::Wrong { number, chunks, why };
    let mut frame = [0; 12];
    read_exact(stream, &mut frame)?.ok_or_else(cut)?;
    let mut fields = &frame[..];
    let [found, proof_bytes, page_bytes] =
        [(); 3].map(|()| u32::from_le_bytes(take(&mut fields)) as usize);
    if found != number as usize {
        return Err(wrong(format!("it says that it is chunk {found}")));
    }
    if proof_bytes > PROOF_BYTES_MAX || page_bytes > CHUNK_BYTES_MAX {
        return Err(wrong(format!(
            "a proof of {proof_bytes} bytes, {page_bytes} bytes of entries"
        )));
    }
    let proof = read_bytes(stream, proof_bytes)?.ok_or_else(cut)?;
    let page = read_bytes(stream, page_bytes)?.ok_or_else(cut)?;
    let proof = ChunkProof::from_bytes(&proof).map_err(|error| wrong(error.to_string()))?;
    let page = Page::from_bytes(page).map_err(|error| wrong(error.to_string()))?;
    if page.iter().any(|entry| entry.1.is_none()) {
        return Err(wrong("an entry without a value".into()));
    }
    let entries = page.iter().filter_map(|(key, value)| Some((key, value?)));
    verify_chunk(root, proof.prefix, entries, &proof.siblings)
        .map_err(|error| wrong(error.to_string()))?;
    Ok((proof, page, (12 + proof_bytes + page_bytes) as u64))
}

/// Fills `bytes`, or gives `None` if the stream ends before.
fn read_exact(stream: &mut dyn Read, bytes: &mut [u8]) -> Result<Option<()>, io::Error> {
    match stream.read_exact(bytes) {
        Ok(()) => Ok(Some(())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads `count` bytes, or gives `None` if the stream ends before. Takes memory as they come.
fn read_bytes(stream: &mut dyn Read, count: usize) -> Result<Option<Vec<u8>>, io::Error> {
    let mut bytes = Vec::new();
    stream.take(count as u64).read_to_end(&mut bytes)?;
    Ok((bytes.len() == count).then_some(bytes))
}

/// Takes the first bytes of a head that was read whole.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (first, rest) = bytes.split_first_chunk().expect("the fields of a head fill it");
    *bytes = rest;
    *first
}
