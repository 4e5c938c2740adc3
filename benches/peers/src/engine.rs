//! What every runtime looks like from here.

use std::time::Duration;
use tollway_benches::Progress;
use tollway_benches::swaps::{Checksums, Swap, Variant};

/// A row of the table: a runtime in one way of running it.
pub(crate) struct Peer {
    /// Its word on the command line, and in records.
    pub(crate) name: &'static str,
    /// The version of the crate that is measured.
    pub(crate) version: &'static str,
    /// How the exchange is cut into contracts.
    pub(crate) variant: Variant,
    /// Worker threads.
    pub(crate) threads: usize,
    /// What it meters in.
    pub(crate) unit: &'static str,
    /// What is measured: how it is driven, what is in and what is left out.
    pub(crate) note: &'static str,
    /// Sets it up.
    pub(crate) open: fn(&Peer, &Setup<'_>) -> anyhow::Result<Box<dyn Engine>>,
}

/// What a runtime is set up for.
pub(crate) struct Setup<'a> {
    /// The reserves of each pool.
    pub(crate) reserves: &'a [[u128; 2]],
    /// All blocks that will be run, for those who need approvals.
    pub(crate) swaps: &'a [Vec<Swap>],
    /// Told how far the set-up is.
    pub(crate) progress: Progress<'a>,
}

/// A runtime with the exchange in it.
pub(crate) trait Engine {
    /// Runs a block and makes it the state that the next one sees.
    ///
    /// # Errors
    /// If a swap does not succeed, or does not give what it must.
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample>;

    /// Checksums of the state, read from the runtime.
    ///
    /// # Errors
    /// If the state cannot be read.
    fn checksums(&mut self) -> anyhow::Result<Checksums>;
}

/// What a block took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// From what a node has after checking signatures, to the state after the block. Not in it:
    /// making the calls, checking what they gave, dropping either.
    pub(crate) elapsed: Duration,
    /// What all calls were metered at, in the runtime's own unit; 0 if it does not say.
    pub(crate) metered: u64,
}
