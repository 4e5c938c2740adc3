//! The sample contracts, compiled to Wasm by this crate's build script: for tests and benches.
//!
//! Each is a module for `wasm32v1-none` with one page of memory and its ABI in the section
//! `tollway.abi`. Building this crate needs that target; the build script adds it through rustup.
#![forbid(unsafe_code)]

/// A fungible token: `contracts/token`.
pub const TOKEN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/token.wasm"));

/// An exchange pair that calls two tokens: `contracts/pair`.
pub const PAIR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/pair.wasm"));

/// An exchange with all pools and balances inside: `contracts/dex`.
pub const DEX: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/dex.wasm"));

/// Weighted votes on proposals: `contracts/vote`.
pub const VOTE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/vote.wasm"));

/// A light client of another chain: `contracts/light`.
pub const LIGHT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/light.wasm"));

/// A contract that does as it is told, for tests and benches: `contracts/synthetic`.
pub const SYNTHETIC: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/synthetic.wasm"));

/// All of them, with their names.
pub const ALL: &[(&str, &[u8])] = &[
    ("token", TOKEN),
    ("pair", PAIR),
    ("dex", DEX),
    ("vote", VOTE),
    ("light", LIGHT),
    ("synthetic", SYNTHETIC),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes that a sample contract may have.
    const WASM_BYTES_MAX: usize = 32 * 1024;

    /// The same for `synthetic`, which has an entry point for everything that a test may want, and
    /// for `light`, which has a hash function inside.
    const LARGE_BYTES_MAX: usize = 48 * 1024;

    #[test]
    fn contracts_are_small_modules() {
        for (name, wasm) in ALL {
            assert!(wasm.starts_with(b"\0asm"), "{name} is no module");
            let is_large = ["synthetic", "light"].contains(name);
            let most = if is_large { LARGE_BYTES_MAX } else { WASM_BYTES_MAX };
            assert!(wasm.len() <= most, "{name} has {} bytes, limit is {most}", wasm.len());
        }
    }
}
