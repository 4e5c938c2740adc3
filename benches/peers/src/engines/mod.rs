//! The runtimes, each in a file of its own.
//!
//! ```text
//! native                 no sandbox: the floor
//! ours                   Tollway
//! plain                  state and host functions for engines without a chain around them
//! ├─ wasmtime, wasmi
//! revm                   the EVM
//! soroban, cosmwasm      contract runtimes on Wasm
//! ```

#[cfg(feature = "cosmwasm")]
mod cosmwasm;
mod native;
mod ours;
#[cfg(any(feature = "wasmi", feature = "wasmtime"))]
mod plain;
#[cfg(feature = "revm")]
mod revm;
#[cfg(feature = "soroban")]
mod soroban;
#[cfg(feature = "wasmi")]
mod wasmi;
#[cfg(feature = "wasmtime")]
mod wasmtime;

use crate::engine::Peer;

/// All rows of this build, in the order of the table.
pub(crate) fn all() -> Vec<Peer> {
    [
        native::peers(),
        ours::peers(),
        #[cfg(feature = "wasmtime")]
        wasmtime::peers(),
        #[cfg(feature = "wasmi")]
        wasmi::peers(),
        #[cfg(feature = "revm")]
        revm::peers(),
        #[cfg(feature = "soroban")]
        soroban::peers(),
        #[cfg(feature = "cosmwasm")]
        cosmwasm::peers(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
