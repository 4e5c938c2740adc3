//! The sample contracts, compiled to Wasm by this crate's build script.
