//! The generated swap workload: the same calls and the same final state for every runtime.
//!
//! ```text
//! seed ──▶ random ──▶ workload ──▶ blocks of swaps ──▶ any runtime ──▶ checksum ┐
//!                        └──────▶ model (native Rust) ───────────────▶ checksum ┴ equal
//! ```

pub mod bench;
pub mod exchange;
pub mod kept;
pub mod model;
pub mod random;
pub mod workload;

pub use bench::{BenchOptions, BenchRecord};
pub use exchange::{Exchange, Variant};
pub use model::{Checksums, Model};
pub use workload::{Distribution, Swap, Workload};
