//! A kept state, as the command's arguments, files and tables have it.
//!
//! ```text
//! key        a key in an argument, and what it is the key of
//! proof      a proof in a file
//! names      a contract's keys and values in words
//! ```

mod key;
mod names;
mod proof;

pub(crate) use key::{Key, contract_key_bytes, hex, hex_bytes};
pub(crate) use names::{Words, key_name, value_text};
pub(crate) use proof::{Checked, ProofFile};

use anyhow::{Context, Result};
use std::path::Path;
use tollway_state::History;
use tollway_state_disk::{DiskBackend, DiskOptions};

/// Opens the store in a directory.
///
/// # Errors
/// If there is none, or it is damaged, of a later release, or in use.
pub(crate) fn open(dir: &Path) -> Result<DiskBackend> {
    DiskBackend::open(dir, DiskOptions::default())
        .with_context(|| format!("cannot open the state in {}", dir.display()))
}

/// The past of a store, which every store on disk has.
///
/// # Errors
/// If it has none.
pub(crate) fn history(backend: &dyn tollway_state::Backend) -> Result<&dyn History> {
    backend.history().context("this state has no history")
}
