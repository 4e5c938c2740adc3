//! The command line.

use crate::stores::{self, Row};
use crate::worker::Task;
use anyhow::{Context, ensure};
use clap::Parser;
use std::path::{Path, PathBuf};

/// Updates random keys of a large state, block by block, in Tollway's stores and in others, and
/// prints one table.
#[derive(Debug, Parser)]
#[command(name = "tollway-peers-state")]
pub(crate) struct Args {
    /// Keys of the state.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    keys: u32,
    /// Different keys that a block updates.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    block: usize,
    /// Measured blocks; one more is committed before them.
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    blocks: usize,
    /// Only these stores: their names, or names and kinds, as in the table.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Make the stores in here, not in the system's temporary directory; it must exist.
    #[arg(long, value_name = "PATH")]
    directory: Option<PathBuf>,
    /// Print records for programs.
    #[arg(long)]
    pub(crate) json: bool,
    /// Be the child that does this for the only store; see [`crate::worker`].
    #[arg(long, hide = true)]
    pub(crate) task: Option<Task>,
}

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) keys: u32,
    pub(crate) block_keys: usize,
    /// Measured blocks; one more is committed before them.
    pub(crate) blocks: usize,
    /// Where stores are made.
    pub(crate) directory: PathBuf,
}

impl Args {
    /// The arguments of a child.
    pub(crate) fn of_worker(
        row: &Row,
        directory: &Path,
        options: &Options,
        task: Task,
    ) -> anyhow::Result<Vec<String>> {
        let directory = directory.to_str().context("the directory's name is not Unicode")?;
        let pairs = [
            ("--keys", options.keys.to_string()),
            ("--block", options.block_keys.to_string()),
            ("--blocks", options.blocks.to_string()),
            ("--only", row.title()),
            ("--directory", directory.to_owned()),
            ("--task", task.name().to_owned()),
        ];
        Ok(pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect())
    }

    /// What to measure.
    pub(crate) fn options(&self) -> Options {
        Options {
            keys: self.keys,
            block_keys: self.block,
            blocks: self.blocks,
            directory: self.directory.clone().unwrap_or_else(std::env::temp_dir),
        }
    }

    /// The rows of the table, in its order.
    ///
    /// # Errors
    /// If a name is of no store in this build.
    pub(crate) fn rows(&self) -> anyhow::Result<Vec<Row>> {
        let all = stores::all();
        let is_it = |row: &Row, name: &str| row.name == name || row.title() == name;
        for name in &self.only {
            let titles: Vec<_> = all.iter().map(Row::title).collect();
            ensure!(
                all.iter().any(|row| is_it(row, name)),
                "no store {name:?}: have {}",
                titles.join(", ")
            );
        }
        let is_wanted =
            |row: &Row| self.only.is_empty() || self.only.iter().any(|name| is_it(row, name));
        Ok(all.into_iter().filter(is_wanted).collect())
    }

    /// The store of a child.
    ///
    /// # Errors
    /// If it is not exactly one.
    pub(crate) fn worker_row(&self) -> anyhow::Result<Row> {
        let rows = self.rows()?;
        ensure!(rows.len() == 1, "a child has one store, not {}", rows.len());
        Ok(rows[0])
    }

    /// The directory of a child's store.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn worker_directory(&self) -> anyhow::Result<PathBuf> {
        self.directory.clone().context("a child needs a directory")
    }
}
