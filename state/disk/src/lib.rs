//! State on disk: a log of what each block changed, and the state as pages some blocks behind it.
//!
//! ```text
//! directory/log.redb      every commit: one transaction, one sync
//! directory/state.redb    brought forward in large sorted batches, on a thread of its own
//! directory/artifacts/    native code of contracts, a cache
//! ```
//!
//! | [`Durability`] | Promise |
//! | --- | --- |
//! | `EveryBlock` | A commit that returned is never lost |
//! | `EveryBlocks(n)` | Up to n blocks at the end may be lost, never a part of one |
//!
//! See [`DiskBackend`].

#![forbid(unsafe_code)]

mod backend;
mod error;
mod files;
mod flat;
mod layers;
mod log;
mod options;

pub use backend::DiskBackend;
pub use files::{FORMAT, FileKind, Files};
pub use options::{DiskOptions, Durability};
pub use redb::{StorageBackend, backends::FileBackend};
