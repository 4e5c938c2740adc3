//! What commands on a kept state take.

use super::ThreadsArg;
use crate::store::{Key, hex_bytes};
use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;
use tollway::Address;
use tollway_state::{Head, Height};
use tollway_state_verify::Root;

const PROVE_EXAMPLES: &str = "\
Examples:
  tollway state prove data/state <ADDRESS>/00 --out proof.json
  tollway state verify proof.json --root <ROOT OF A HEADER THAT YOU TRUST>";

#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// Say where a state stands, and how large it is
    Stats {
        #[command(flatten)]
        dir: DirArg,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Print one value
    Get(GetArgs),
    /// Write a proof of values, or that there are none, against the root at the head
    #[command(after_help = PROVE_EXAMPLES)]
    Prove {
        #[command(flatten)]
        dir: DirArg,
        /// Keys: of the state in hexadecimal, or ADDRESS/KEY for a contract's
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<Key>,
        /// Where the proof goes
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Check a proof, without a state
    Verify {
        /// What `tollway state prove` wrote
        file: PathBuf,
        /// The root that you trust, from a header or another node
        #[arg(long, value_name = "HEX", value_parser = root)]
        root: Option<Root>,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Print the values that a key had, newest first
    History {
        #[command(flatten)]
        dir: DirArg,
        /// A key of the state in hexadecimal, or ADDRESS/KEY for a contract's
        key: Key,
        /// The most values to print
        #[arg(long, value_name = "N", default_value_t = 20,
              value_parser = clap::value_parser!(u64).range(1..))]
        limit: u64,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Go back to the state after a height, and forget all that came later
    Rollback {
        #[command(flatten)]
        dir: DirArg,
        /// The height to go back to
        #[arg(value_parser = height)]
        height: Height,
        #[command(flatten)]
        yes: YesArg,
        #[command(flatten)]
        json: JsonArg,
    },
    /// Forget the past before a height; the state stays as it is
    Prune {
        #[command(flatten)]
        dir: DirArg,
        /// The oldest height to keep
        #[arg(value_parser = height)]
        below: Height,
        #[command(flatten)]
        yes: YesArg,
        #[command(flatten)]
        json: JsonArg,
    },
}

/// Where a state is kept.
#[derive(Debug, Args)]
pub(crate) struct DirArg {
    /// The directory of the state; no other process may have it open
    #[arg(value_name = "DIR")]
    pub(crate) path: PathBuf,
}

/// Who reads what is printed.
#[derive(Debug, Args)]
pub(crate) struct JsonArg {
    /// Print JSON for programs
    // Named like its option: clap tells the arguments of a command apart by these names.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whether what cannot be undone is to be done.
#[derive(Debug, Args)]
pub(crate) struct YesArg {
    /// Do it; without, only say what would be forgotten
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What `tollway state get` takes.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).args(["contract", "state_key"]))]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) dir: DirArg,
    /// The contract whose value it is
    #[arg(long, value_name = "ADDRESS", requires = "key")]
    contract: Option<Address>,
    /// The key as the contract hands it to the host, in hexadecimal
    #[arg(long, value_name = "HEX", requires = "contract", conflicts_with = "state_key",
          value_parser = contract_key)]
    key: Option<KeyBytes>,
    /// A key of the state in hexadecimal
    #[arg(long, value_name = "HEX")]
    state_key: Option<Key>,
    /// The height whose state is asked; the head's if it is not given
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    pub(crate) at: Option<Height>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// The bytes of a contract's key; one value, where clap would take a `Vec` for several.
type KeyBytes = std::sync::Arc<[u8]>;

impl GetArgs {
    /// The key that is asked for; `None` if the command line names none, which clap refuses.
    pub(crate) fn state_key(&self) -> Option<Key> {
        match (&self.contract, &self.key) {
            (Some(contract), Some(key)) => Some(Key::of_contract(contract, key)),
            _ => self.state_key.clone(),
        }
    }
}

/// What `tollway export` takes.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) dir: DirArg,
    /// The file to write
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

/// What `tollway import` takes.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What `tollway export` wrote
    pub(crate) file: PathBuf,
    /// The directory for the state; made if it is missing. With what an import left there that was
    /// broken off, it goes on
    pub(crate) dir: PathBuf,
    /// The height that you trust
    #[arg(long, value_name = "HEIGHT", requires = "root", value_parser = height)]
    height: Option<Height>,
    /// The root that you trust, from a header or another node
    #[arg(long, value_name = "HEX", requires = "height", value_parser = root)]
    root: Option<Root>,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

impl ImportArgs {
    /// The head that is trusted, if one was given.
    pub(crate) fn head(&self) -> Option<Head> {
        Some(Head { height: self.height?, root: self.root? })
    }
}

/// What `tollway replay block` takes.
#[derive(Debug, Args)]
pub(crate) struct BlockReplayArgs {
    #[command(flatten)]
    pub(crate) dir: DirArg,
    /// The height of the block
    #[arg(value_parser = height)]
    pub(crate) height: Height,
    /// Run only the calls before this one, from 0, and show what it would change
    #[arg(long, value_name = "CALL")]
    pub(crate) until: Option<u32>,
    #[command(flatten)]
    pub(crate) threads: ThreadsArg,
    #[command(flatten)]
    pub(crate) json: JsonArg,
}

fn height(text: &str) -> Result<Height, String> {
    text.parse().map(Height).map_err(|_| "a height is a number from 0".to_owned())
}

fn root(text: &str) -> Result<Root, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).len();
    let bytes = hex_bytes(text)?;
    let bytes = bytes.try_into();
    bytes.map(Root).map_err(|_| format!("a root is 64 hexadecimal digits, these are {digits}"))
}

fn contract_key(text: &str) -> Result<KeyBytes, String> {
    crate::store::contract_key_bytes(text).map(Into::into)
}
