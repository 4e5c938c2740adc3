//! Why something could not be done. What a wrong call leads to is not among it: that is in its
//! receipt.

use crate::block::Height;
use crate::bytes::Bytes;
use crate::engine::artifact::DirectoryError;
use crate::engine::code::CodeHash;
use crate::receipt::{Outcome, Receipt};
use crate::resolve::BlockTooLarge;
use crate::store::StoreError;
use crate::upgrade::Finding;
use tollway_host_api::Address;
use tollway_host_api::value::DecodeError;

/// Why a runtime could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The engine does not work on this machine, or not with this compiler.
    #[error("engine could not be set up: {reason}")]
    Engine {
        /// What the engine said.
        reason: String,
    },
    /// The worker threads could not be started.
    #[error("{threads} worker threads could not be started: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// A limit is outside what the engine can keep.
    #[error("limit {name} is {value}, most is {most}")]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The most that it may be.
        most: u64,
    },
    /// [`Config::artifact_dir`](crate::Config::artifact_dir) cannot be used, or is not safe.
    #[error(transparent)]
    Artifacts(#[from] DirectoryError),
}

/// Why a block could not be executed. A call that traps, reverts or runs out of gas is not an
/// error: that outcome is its [`Receipt`]. Nothing of the block remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The block does not follow the head.
    #[error("block has height {block}, the head has {head}")]
    WrongHeight {
        /// Height of the block.
        block: Height,
        /// Height of the head.
        head: Height,
    },
    /// The block has too many calls.
    #[error("block has {calls} calls, limit is {limit}")]
    TooManyCalls {
        /// How many it has.
        calls: usize,
        /// The limit.
        limit: usize,
    },
    /// The access sets of the block are too large together.
    #[error(transparent)]
    TooLarge(#[from] BlockTooLarge),
    /// The state could not be read, or not be held.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime broke its own invariant. A bug: please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

/// Why a contract could not be instantiated. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstantiateError {
    /// No code of this hash was uploaded.
    #[error("no code {code}")]
    UnknownCode {
        /// The hash.
        code: CodeHash,
    },
    /// The same creator has instantiated the same code with the same salt and immutables.
    #[error("address {address} is taken")]
    AddressTaken {
        /// The address.
        address: Address,
    },
    /// The immutables do not decode as the contract declares them.
    #[error("immutables of {contract}: {error}")]
    BadImmutables {
        /// The contract's name.
        contract: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// The immutables are too long.
    #[error("immutables have {size} bytes, limit is {limit}")]
    ImmutablesTooLarge {
        /// Their size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The contract has no `init`, so it takes no arguments.
    #[error("contract {contract} has no init method, but {size} bytes of arguments were given")]
    NoInit {
        /// The contract's name.
        contract: String,
        /// Bytes of the arguments.
        size: usize,
    },
    /// Its `init` did not succeed.
    #[error("init of {contract} failed: {}", describe(.receipt))]
    InitFailed {
        /// The contract's name.
        contract: String,
        /// The receipt of `init`.
        receipt: Box<Receipt>,
    },
    /// The state could not be read, or not be changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime broke its own invariant. A bug: please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

/// Why a contract did not get another code. It runs the one that it had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// Nothing is instantiated at that address.
    #[error("no contract at {contract}")]
    UnknownContract {
        /// The address.
        contract: Address,
    },
    /// No code of this hash was uploaded.
    #[error("no code {code}")]
    UnknownCode {
        /// The hash.
        code: CodeHash,
    },
    /// Stored values, or immutables, would be read as something else.
    #[error("upgrade of {contract} breaks its state: {finding}{}", and_more(*.others))]
    BreaksState {
        /// The contract's name.
        contract: String,
        /// The first thing that does not fit.
        finding: Finding,
        /// How many more there are.
        others: usize,
    },
    /// The contract's immutables are not what the new code declares.
    #[error("immutables of {contract}: {error}")]
    BadImmutables {
        /// The contract's name.
        contract: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// The state could not be changed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn and_more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(", and {count} more") }
}

fn describe(receipt: &Receipt) -> String {
    match &receipt.outcome {
        Outcome::Returned(_) => "it succeeded".to_owned(),
        Outcome::Reverted { error, .. } => format!("reverted with {:?}", Bytes::new(error)),
        Outcome::Failed(failure) => failure.to_string(),
    }
}
