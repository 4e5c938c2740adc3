//! The boundary between the runtime and what keeps its state.
//!
//! ```text
//! runtime ──▶ Backend ◀── MemoryBackend, the disk backend, a host chain's own
//!               │
//!               ├─ read_many · commit · flush · snapshot · prune          every backend
//!               └─ Ranges · Proofs · History                              where it can
//! ```
//!
//! State is one ordered map of byte keys to byte values. A [`WriteBatch`] carries what one block
//! changes, a [`Head`] says where the state stands, and its root commits to every key and value,
//! whatever the history and whoever keeps them.
//!
//! A host that brings its own database implements [`rooted::Store`], some hundred lines, or all of
//! [`Backend`], and holds it against [`conformance::run`].

#![forbid(unsafe_code)]

mod backend;
mod batch;
pub mod changes;
pub mod conformance;
mod error;
mod found;
mod head;
pub mod memory;
pub mod page;
pub mod pages;
pub mod rooted;
pub mod snapshot;

pub use backend::{
    Backend, Change, History, Proofs, Ranges, Snapshot, VisitChange, VisitEntry, VisitValue,
};
pub use batch::{Write, WriteBatch, check_heights};
pub use error::{BackendError, key_hex};
pub use found::{Found, Sorted};
pub use head::{Head, Height, Position};
pub use memory::MemoryBackend;
pub use tollway_state_tree as tree;
pub use tollway_state_verify as verify;
pub use tollway_state_verify::Root;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 64 << 10;
/// The longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 << 20;
/// The most bytes of keys and values in one batch.
pub const BATCH_BYTES_MAX: usize = 1 << 30;
/// The longest encoded block kept with the history, in bytes.
pub const BLOCK_BYTES_MAX: usize = 1 << 30;
