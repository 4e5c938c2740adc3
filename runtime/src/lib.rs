//! Tollway: a WebAssembly smart-contract runtime that runs a block's calls in parallel lanes, and
//! gives, bit for bit, what running them one after another gives.
//!
//! ```text
//! block: calls c0..cn in order (caller, contract, method, args, gas limit)
//!    │
//!    ▼  resolve   access templates + arguments ─▶ keys {read | write | add}       no Wasm runs
//!    ▼  plan      versions placed, who waits for whom, parent state fetched
//!    ▼  execute   ready calls in lanes, in pooled live instances, over versions
//!    ▼  repair    calls that missed, and what they made stale, again, in block order
//!    ▼  commit    last version of every key ─▶ one write batch ─▶ store
//! ```
//!
//! **The law:** receipts, events, gas and state are those of running c0..cn one after another, for
//! any thread count, any plan, any of Wasmtime's compilers. [`oracle`] is the simple executor that
//! every run is held against.
//!
//! # Examples
//!
//! A whole host chain is in `runtime/examples/host_chain.rs`. The shape of it:
//!
//! ```no_run
//! use tollway::{Block, Config, Height, Runtime};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let wasm = vec![];
//! let mut runtime = Runtime::new(Config { threads: 2, ..Config::default() })?;
//! let code = runtime.upload(&wasm)?;
//! // … instantiate contracts, then for each block:
//! let block = Block { height: Height(1), ..Block::default() };
//! let outcome = runtime.execute(&block)?;
//! runtime.commit(outcome.batch)?;
//! println!("{} receipts, state {}", outcome.receipts.len(), runtime.state_root()?);
//! # Ok(())
//! # }
//! ```
// Not forbidden: `engine::artifact` loads native code, `engine::pages` protects memory, and
// `execute::cells` does without locks.
#![deny(unsafe_code)]

// What goes in and comes out.
mod block;
mod bytes;
mod delta;
mod limits;
mod prefetch;
mod receipt;
mod trace;

// One block, start to end.
mod commit;
mod execute;
mod plan;
mod repair;
mod resolve;

// What a block stands on.
pub mod crypto;
pub mod engine;
mod keeper;
mod registry;
pub mod state;
pub mod store;
pub mod upgrade;

// The faces.
pub mod oracle;
mod runtime;

pub use block::{Block, Call, CallIndex, Gas, Height, NotABlock};
pub use engine::artifact::{ArtifactStats, DirectoryError};
pub use engine::code::{Code, CodeHash};
pub use engine::config::Compiler;
pub use engine::validate::UploadError;
pub use keeper::{BackendRef, KeepError, Kept};
pub use limits::Limits;
pub use plan::report::AccessSets;
pub use receipt::{Event, EventData, Failure, Outcome, Receipt};
pub use registry::{Contract, ContractIndex, Registry};
pub use resolve::{BlockTooLarge, STEPS_PER_KEY};
pub use runtime::{
    BlockOutcome, BlockStats, Config, ExecuteError, Instantiate, InstantiateError, OnMiss,
    OpenError, Runtime, RuntimeError, Upgrade, UpgradeError,
};
pub use store::{StoreError, WriteBatch};
pub use tollway_host_api as host_api;
pub use tollway_host_api::Address;
pub use tollway_state::{self as kept_state, Head, Root};
pub use trace::{BlockTrace, CallTrace, HOT_KEYS_MAX, HotKey, PhaseSpan, PlanSummary};
