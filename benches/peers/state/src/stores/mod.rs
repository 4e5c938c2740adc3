//! The rows of the table, and what each does with a block.

#[cfg(feature = "nomt")]
mod nomt;
mod ours;
#[cfg(feature = "qmdb")]
mod qmdb;
mod redb;

use crate::workload::{Key, Update, Value};
use std::path::Path;

/// A store that holds the state.
pub(crate) trait Store {
    /// Sets the keys of a block, all or none; on disk on return, if the store outlives its process.
    ///
    /// # Errors
    /// If the store says so.
    fn commit(&mut self, updates: Vec<Update>) -> anyhow::Result<()>;

    /// Forgets what came before the state that it holds, if it keeps that.
    ///
    /// # Errors
    /// If the store says so.
    fn forget_past(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// The root of the state, if it has one.
    fn root(&self) -> Option<[u8; 32]>;

    /// Reads keys.
    ///
    /// # Errors
    /// If the store says so.
    fn read(&self, keys: &[Key]) -> anyhow::Result<Vec<Option<Value>>>;
}

/// Opens what a directory holds, or makes an empty store in it for that many keys.
pub(crate) type Open = fn(&Path, u32) -> anyhow::Result<Box<dyn Store>>;

/// A store, and how it is used here.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Which of the stores by that name. All of one name must have the same root, if it is of the
    /// state.
    pub(crate) kind: &'static str,
    /// In the lock file.
    pub(crate) package: &'static str,
    /// Of what the root is a function: `state` or `history`; `None` where there is no root.
    pub(crate) root_of: Option<&'static str>,
    /// Whether it is still there when its process is gone.
    pub(crate) is_durable: bool,
    pub(crate) open: Open,
    pub(crate) note: &'static str,
}

impl Row {
    /// Name and kind: what the user types.
    pub(crate) fn title(&self) -> String {
        [self.name, self.kind].join(" ").trim_end().to_owned()
    }
}

/// All stores of this build.
pub(crate) fn all() -> Vec<Row> {
    vec![
        ours::MEMORY,
        ours::DISK,
        redb::ROW,
        #[cfg(feature = "nomt")]
        nomt::ROW,
        #[cfg(feature = "qmdb")]
        qmdb::ORDERED,
        #[cfg(feature = "qmdb")]
        qmdb::UNORDERED,
    ]
}

/// How many threads a store may use: as many as there are.
#[cfg(any(feature = "nomt", feature = "qmdb"))]
fn threads() -> std::num::NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(std::num::NonZeroUsize::MIN)
}

/// The version of a package in the lock file.
pub(crate) fn version(package: &str) -> &'static str {
    let heading = format!("name = \"{package}\"\nversion = \"");
    let lock = include_str!("../../../Cargo.lock");
    let rest = lock.split_once(&heading).map_or("", |parts| parts.1);
    rest.split('"').next().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_version_and_a_title_of_its_own() {
        let rows = all();
        for row in &rows {
            assert!(version(row.package).contains('.'), "{}", row.package);
            assert_eq!(rows.iter().filter(|other| other.title() == row.title()).count(), 1);
        }
    }
}
