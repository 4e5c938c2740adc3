//! What every backend must do, as one call. For tests: what does not hold panics.
//!
//! ```
//! use tollway_state::{Backend, MemoryBackend, conformance};
//! conformance::run(&mut || Box::new(MemoryBackend::new()) as Box<dyn Backend>);
//! ```
//!
//! The rules are those of [`Backend`]: named cases in [`cases`], and random histories of blocks,
//! changes between blocks, rollbacks, prunes and reopenings, each held against a plain ordered map
//! with a root computed from scratch.

pub mod cases;
mod model;
pub mod random;

use crate::Backend;

/// Makes the backends that are held against the rules.
pub trait Factory {
    /// An empty backend at height 0.
    fn create(&mut self) -> Box<dyn Backend>;

    /// Closes a backend and opens what it kept. The default is for backends that keep nothing,
    /// and gives the same backend back.
    fn reopen(&mut self, backend: Box<dyn Backend>) -> Box<dyn Backend> {
        backend
    }
}

impl<F: FnMut() -> Box<dyn Backend>> Factory for F {
    fn create(&mut self) -> Box<dyn Backend> {
        self()
    }
}

/// Holds a backend against all rules. Capabilities that it does not have are passed over.
///
/// # Panics
/// If a rule does not hold.
pub fn run(factory: &mut dyn Factory) {
    cases::run(factory);
    for seed in 0..8 {
        random::run(factory, seed, 60);
    }
}
