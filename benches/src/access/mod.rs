//! Recorded access sets of real blocks: which transaction touched which key, and how.
//!
//! ```text
//! txs.csv.gz ────▶ blocks, and the gas of each transaction ┐
//! keys.csv.gz ───▶ how many keys each block has            ├▶ Vec<RecordedBlock> ──rule──▶ tasks
//! access.csv.gz ─▶ (block, tx, key, mode)                  ┘
//! ```

use crate::Progress;
use crate::schedule::{self, Task};
use crate::table::{Row, Table, TableError};
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use tollway_host_api::Mode;

const TXS_COLUMNS: &[&str] = &[
    "block",
    "tx",
    "type",
    "status",
    "gas_limit",
    "gas_used",
    "from",
    "to",
    "value_wei",
    "nonce",
    "calldata_bytes",
    "selector",
    "logs",
    "transfers",
    "v2_swaps",
    "v3_swaps",
];
const KEYS_COLUMNS: &[&str] = &["block", "key", "kind", "address", "slot"];
const ACCESS_COLUMNS: &[&str] = &["block", "tx", "key", "mode", "changed", "own"];

/// Why recorded access sets could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// A file is no table of the expected kind.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Lines are not in the order of blocks, or the numbers of a block's transactions or keys do
    /// not go up by one from 0.
    #[error("{}:{line}: {column} is {found}, expected {expected}", file.display())]
    Order {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// The number found.
        found: u64,
        /// What was expected there.
        expected: String,
    },
    /// An access names a block, transaction or key that the other files do not have.
    #[error("{}:{line}: {column} {found} is not in {}", file.display(), other.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// The number found.
        found: u64,
        /// The file that should have it.
        other: PathBuf,
    },
}

/// How a transaction touched a key, as recorded: the letters of the column `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// `r`: read only.
    Read,
    /// `w`: written, the prior value never loaded.
    Write,
    /// `x`: loaded and written, and the value matters elsewhere.
    Update,
    /// `i`: something was added, the old value used for nothing else.
    Increment,
    /// `g`: something was added, the old value used in branch conditions only.
    Grow,
    /// `d`: something was taken away, the old value used in branch conditions only.
    Debit,
    /// `f`: the fee credited to the block's coinbase.
    Fee,
}

impl Touch {
    fn parse(letter: &str) -> Option<Self> {
        Some(match letter {
            "r" => Self::Read,
            "w" => Self::Write,
            "x" => Self::Update,
            "i" => Self::Increment,
            "g" => Self::Grow,
            "d" => Self::Debit,
            "f" => Self::Fee,
            _ => return None,
        })
    }
}

/// How recorded touches become modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Whatever is not a read is a write.
    All,
    /// The same, fee credits left out.
    Nofee,
    /// Increments, growths and fee credits are adds; other writes are writes.
    Credit,
}

impl Rule {
    /// All of them, strictest first.
    pub const ALL: [Self; 3] = [Self::All, Self::Nofee, Self::Credit];

    /// Its word on the command line and in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Nofee => "nofee",
            Self::Credit => "credit",
        }
    }

    /// The mode of a touch, or `None` if it is left out.
    pub const fn mode(self, touch: Touch) -> Option<Mode> {
        match (self, touch) {
            (_, Touch::Read) => Some(Mode::Read),
            (Self::Nofee, Touch::Fee) => None,
            (Self::Credit, Touch::Increment | Touch::Grow | Touch::Fee) => Some(Mode::Add),
            _ => Some(Mode::Write),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown rule {name:?}: expected all, nofee or credit")]
pub struct UnknownRule {
    name: String,
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|rule| rule.name() == name);
        found.ok_or_else(|| UnknownRule { name: name.into() })
    }
}

/// A transaction of a recorded block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// The gas that it used.
    pub gas_used: u64,
    /// The keys that it touched, by their numbers in the block.
    pub touches: Vec<(u32, Touch)>,
}

/// A recorded block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedBlock {
    /// Its number.
    pub block: u64,
    /// How many keys its transactions touched; keys are numbered from 0.
    pub keys: u32,
    /// Its transactions, in order.
    pub calls: Vec<RecordedCall>,
}

impl RecordedBlock {
    /// The gas of all its transactions.
    pub fn gas_total(&self) -> u64 {
        self.calls.iter().map(|call| call.gas_used).sum()
    }

    /// Its transactions under a rule: cost is gas used, each key occurs once.
    pub fn tasks(&self, rule: Rule) -> Vec<Task> {
        let task = |call: &RecordedCall| {
            let modes = call.touches.iter();
            let accesses: Vec<_> =
                modes.filter_map(|(key, touch)| Some((*key, rule.mode(*touch)?))).collect();
            Task { cost: call.gas_used, accesses: schedule::merged(&accesses) }
        };
        self.calls.iter().map(task).collect()
    }
}

/// Reads `txs.csv.gz`, `keys.csv.gz` and `access.csv.gz` of a directory. Progress counts files.
///
/// # Errors
/// [`AccessError`] names the file and the line of the first thing that is wrong.
pub fn read(directory: &Path, progress: Progress<'_>) -> Result<Vec<RecordedBlock>, AccessError> {
    let files = Files {
        txs: directory.join("txs.csv.gz"),
        keys: directory.join("keys.csv.gz"),
        access: directory.join("access.csv.gz"),
    };
    let mut blocks = read_txs(&files)?;
    progress(1, 3);
    read_keys(&files, &mut blocks)?;
    progress(2, 3);
    read_access(&files, &mut blocks)?;
    progress(3, 3);
    Ok(blocks)
}

struct Files {
    txs: PathBuf,
    keys: PathBuf,
    access: PathBuf,
}

fn read_txs(files: &Files) -> Result<Vec<RecordedBlock>, AccessError> {
    let mut table = Table::open(&files.txs, TXS_COLUMNS)?;
    let mut blocks: Vec<RecordedBlock> = Vec::new();
    while let Some(row) = table.next_row()? {
        let number = row.number("block")?;
        match blocks.last() {
            Some(last) if last.block == number => {}
            Some(last) if last.block > number => {
                let expected = format!("{} or more", last.block);
                return Err(order(&files.txs, &row, "block", number, expected));
            }
            _ => blocks.push(RecordedBlock { block: number, keys: 0, calls: Vec::new() }),
        }
        let block = blocks.last_mut().expect("a block was pushed if there was none");
        let tx = row.number("tx")?;
        let expected = block.calls.len() as u64;
        if tx != expected {
            return Err(order(&files.txs, &row, "tx", tx, expected.to_string()));
        }
        block.calls.push(RecordedCall { gas_used: row.number("gas_used")?, touches: Vec::new() });
    }
    Ok(blocks)
}

fn read_keys(files: &Files, blocks: &mut [RecordedBlock]) -> Result<(), AccessError> {
    let mut table = Table::open(&files.keys, KEYS_COLUMNS)?;
    let mut cursor = Cursor::default();
    while let Some(row) = table.next_row()? {
        let block = cursor.seek(&files.keys, files, &row, blocks)?;
        if !matches!(row.text("kind"), "S" | "B" | "N" | "C" | "F") {
            return Err(row.wrong("kind", "one of S, B, N, C, F").into());
        }
        let key = row.number("key")?;
        if key != u64::from(block.keys) {
            return Err(order(&files.keys, &row, "key", key, block.keys.to_string()));
        }
        block.keys += 1;
    }
    Ok(())
}

fn read_access(files: &Files, blocks: &mut [RecordedBlock]) -> Result<(), AccessError> {
    let mut table = Table::open(&files.access, ACCESS_COLUMNS)?;
    let mut cursor = Cursor::default();
    let mut previous = (0, 0);
    while let Some(row) = table.next_row()? {
        let block = cursor.seek(&files.access, files, &row, blocks)?;
        let tx: u64 = row.number("tx")?;
        if previous.0 == block.block && tx < previous.1 {
            let expected = format!("{} or more", previous.1);
            return Err(order(&files.access, &row, "tx", tx, expected));
        }
        previous = (block.block, tx);
        let unknown = |column, found, other: &PathBuf| AccessError::Unknown {
            file: files.access.clone(),
            line: row.line,
            column,
            found,
            other: other.clone(),
        };
        let key: u64 = row.number("key")?;
        let key_known = u32::try_from(key).ok().filter(|key| *key < block.keys);
        let key = key_known.ok_or_else(|| unknown("key", key, &files.keys))?;
        let call = usize::try_from(tx).ok().and_then(|tx| block.calls.get_mut(tx));
        let call = call.ok_or_else(|| unknown("tx", tx, &files.txs))?;
        let touch = Touch::parse(row.text("mode"));
        let touch = touch.ok_or_else(|| row.wrong("mode", "one of r, w, x, i, g, d, f"))?;
        call.touches.push((key, touch));
    }
    Ok(())
}

/// Where in the list of blocks a file that follows their order is.
#[derive(Default)]
struct Cursor(usize);

impl Cursor {
    /// The row's block, which must be the current one or a later one.
    fn seek<'a>(
        &mut self,
        file: &Path,
        files: &Files,
        row: &Row<'_>,
        blocks: &'a mut [RecordedBlock],
    ) -> Result<&'a mut RecordedBlock, AccessError> {
        let number: u64 = row.number("block")?;
        let ahead = blocks[self.0..].iter().position(|block| block.block == number);
        if let Some(ahead) = ahead {
            self.0 += ahead;
            return Ok(&mut blocks[self.0]);
        }
        Err(match blocks[..self.0].iter().any(|block| block.block == number) {
            true => {
                let expected = format!("{} or more", blocks[self.0].block);
                order(file, row, "block", number, expected)
            }
            false => AccessError::Unknown {
                file: file.into(),
                line: row.line,
                column: "block",
                found: number,
                other: files.txs.clone(),
            },
        })
    }
}

fn order(
    file: &Path,
    row: &Row<'_>,
    column: &'static str,
    found: u64,
    expected: String,
) -> AccessError {
    AccessError::Order { file: file.into(), line: row.line, column, found, expected }
}

#[cfg(test)]
mod tests;
