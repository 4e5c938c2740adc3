//! The Wasm engine and everything that touches it: configuration, upload, linking, live instances.
//!
//! ```text
//! wasm ─▶ validate ─▶ instrument ─▶ compile, or an artifact ─▶ Code ─▶ LiveInstance (per worker,
//!                                                                  rewound per call)
//! ```
//!
//! Invariants:
//! 1. Nothing outside this module and the oracle sees a Wasmtime type, but for host functions in
//!    `execute::host`.
//! 2. A module that passed [`validate`] can leave nothing behind in an instance that the reset in
//!    [`instance`] does not clear (`tests/isolation.rs`).

pub mod abi_check;
pub(crate) mod arguments;
pub mod artifact;
pub mod code;
pub mod config;
pub mod gas;
pub mod instance;
pub mod instrument;
pub mod link;
pub(crate) mod pages;
pub mod validate;
