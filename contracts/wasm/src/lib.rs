//! The sample contracts, compiled to Wasm by this crate's build script: for tests and benches.
//!
//! Each is a module for `wasm32v1-none` with one page of memory and its ABI in the section
//! `tollway.abi`, named after the contract's folder: [`TOKEN`] is `contracts/assets/token`. Building this crate needs that target; the build script adds it through rustup.
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/contracts.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes that a sample contract may have.
    const WASM_BYTES_MAX: usize = 48 * 1024;

    /// The same for those that others are measured by.
    const SMALL_BYTES_MAX: usize = 32 * 1024;

    /// The same for those that tests tell what to do: they have an entry point for everything.
    const TEST_BYTES_MAX: usize = 80 * 1024;

    #[test]
    fn contracts_are_small_modules() {
        for (name, wasm) in ALL {
            assert!(wasm.starts_with(b"\0asm"), "{name} is no module");
            let most = match *name {
                "token" | "pair" => SMALL_BYTES_MAX,
                "synthetic" | "collections" => TEST_BYTES_MAX,
                _ => WASM_BYTES_MAX,
            };
            assert!(wasm.len() <= most, "{name} has {} bytes, limit is {most}", wasm.len());
        }
    }
}
