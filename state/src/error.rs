//! What can go wrong between the runtime and what keeps its state.

use crate::Height;
use std::{io, path::PathBuf};

/// Why a backend refused or failed.
///
/// After [`Self::DiskFull`], [`Self::Io`], [`Self::Damaged`] or [`Self::Failed`] from a commit, the
/// backend takes no further commit: what is in memory and what is on disk may differ. Opened
/// again, it stands at the last acknowledged block or at the one after it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// There is no store at this path.
    #[error("no store at {}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The path is that of something other than a directory.
    #[error("{} is not a directory", path.display())]
    NotADirectory {
        /// The path that was given.
        path: PathBuf,
    },
    /// A file is there that no store of ours has written.
    #[error("{} is not part of a store: {why}", path.display())]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// What told so.
        why: String,
    },
    /// The store was written by a later release.
    #[error("{} has format {found}, this release reads up to {known}", path.display())]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its format version.
        found: u32,
        /// The latest format version that this release knows.
        known: u32,
    },
    /// Another process, or another handle in this one, has the store open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The file that is locked.
        path: PathBuf,
    },
    /// No space is left where the store lies.
    #[error("no space left while {during}")]
    DiskFull {
        /// What was being done.
        during: &'static str,
    },
    /// Reading or writing failed.
    #[error("i/o failed while {during}")]
    Io {
        /// What was being done.
        during: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("damaged: {what}")]
    Damaged {
        /// What is damaged, and how that was seen.
        what: String,
    },
    /// The height lies before the oldest that is kept, or after the head.
    #[error("height {height} is not kept, only {oldest} to {head}")]
    UnknownHeight {
        /// The height asked for.
        height: Height,
        /// The oldest height whose state can be read.
        oldest: Height,
        /// The height of the head.
        head: Height,
    },
    /// The batch is neither for the next block nor for the head's own height.
    #[error("batch for height {height} does not follow head {head}")]
    NotNext {
        /// The batch's height.
        height: Height,
        /// The height before it.
        head: Height,
    },
    /// A batch writes one key twice.
    #[error("key {} is written twice at height {height}", key_hex(key))]
    DuplicateKey {
        /// The batch's height.
        height: Height,
        /// The key.
        key: Vec<u8>,
    },
    /// A key, a value or a batch is larger than the limit.
    #[error("{what} of {bytes} bytes is larger than the limit of {bytes_max}")]
    TooLarge {
        /// Which part.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most that is allowed.
        bytes_max: usize,
    },
    /// An earlier commit failed, so that this handle takes no more.
    #[error("an earlier commit failed, open the store again: {why}")]
    Failed {
        /// What the earlier failure said.
        why: String,
    },
    /// The backend cannot do this.
    #[error("this backend has no {what}")]
    Unsupported {
        /// The capability that was asked for.
        what: &'static str,
    },
    /// A proof could not be made.
    #[error("no proof: {why}")]
    NoProof {
        /// What the tree said.
        why: String,
    },
    /// The backend broke its own invariant. A bug: please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

impl BackendError {
    /// Sorts an I/O error: no space left is [`Self::DiskFull`], all others are [`Self::Io`].
    pub fn from_io(during: &'static str, source: io::Error) -> BackendError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                BackendError::DiskFull { during }
            }
            _ => BackendError::Io { during, source },
        }
    }

    /// Says that stored bytes are not what was written.
    pub fn damaged(what: impl Into<String>) -> BackendError {
        BackendError::Damaged { what: what.into() }
    }
}

/// A key as hexadecimal text, for messages: its first 64 bytes, and how many there are.
pub fn key_hex(key: &[u8]) -> String {
    let shown: String = key.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
    if key.len() > 64 { format!("{shown}... of {} bytes", key.len()) } else { shown }
}
