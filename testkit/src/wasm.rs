//! The Wasm of the contract whose tests these are, compiled as `tollway build` does.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The Wasm of the crate that this is written in: compiled as `tollway build` does, when a test first
/// asks for it, and by Cargo, so that it is never older than its sources.
///
/// # Panics
/// If the crate does not compile, with what the compiler says.
#[macro_export]
macro_rules! wasm {
    () => {
        $crate::wasm_of(::core::env!("CARGO_MANIFEST_DIR"))
    };
}

/// The Wasm of the contract whose `Cargo.toml` is in a folder; see [`wasm!`](crate::wasm!). Compiled once
/// in a process, and kept until its end.
///
/// # Panics
/// If it does not compile, with what the compiler says.
pub fn wasm_of(folder: impl AsRef<Path>) -> &'static [u8] {
    static COMPILED: Mutex<BTreeMap<PathBuf, &[u8]>> = Mutex::new(BTreeMap::new());
    // Held while it compiles: tests that run at the same time wait for the first of them.
    let mut compiled = COMPILED.lock();
    if let Some(wasm) = compiled.get(folder.as_ref()) {
        return wasm;
    }
    let wasm = tollway_build::wasm_of(folder.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    let wasm: &[u8] = wasm.leak();
    compiled.insert(folder.as_ref().into(), wasm);
    wasm
}
