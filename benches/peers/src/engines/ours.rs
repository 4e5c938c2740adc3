//! Tollway, through the exchange of `tollway-benches`.

use crate::engine::{Engine, Peer, Sample, Setup};
use std::time::Instant;
use tollway::{Block, Config};
use tollway_benches::contracts::expect_success;
use tollway_benches::swaps::{Checksums, Exchange, Swap, Variant};

const NOTE: &str = "\
decodes the block, executes and commits it: access sets, plan, one isolated and metered Wasm call a
  swap, receipts and events, the store in memory.";

/// What the table has a row for.
const ROWS: [(Variant, usize); 4] = [
    (Variant::Monolith, 1),
    (Variant::Monolith, 2),
    (Variant::Composed, 1),
    (Variant::Composed, 2),
];

pub(crate) fn peers() -> Vec<Peer> {
    ROWS.map(|(variant, threads)| Peer {
        name: "tollway",
        version: env!("VERSION_TOLLWAY"),
        variant,
        threads,
        unit: "gas",
        note: NOTE,
        open: |peer, setup| Ok(Box::new(Ours::new(peer, setup)?)),
    })
    .into()
}

struct Ours(Exchange);

impl Ours {
    fn new(peer: &Peer, setup: &Setup<'_>) -> anyhow::Result<Self> {
        let config = Config { threads: peer.threads, ..Config::default() };
        let Setup { reserves, swaps, progress } = *setup;
        Exchange::new(peer.variant, reserves, swaps, config, progress).map(Self)
    }
}

impl Engine for Ours {
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
        let block = self.0.block(swaps);
        let bytes = borsh::to_vec(&block)?;
        let runtime = self.0.runtime_mut();
        let clock = Instant::now();
        let decoded = Block::from_bytes(&bytes)?;
        let outcome = runtime.execute(&decoded)?;
        runtime.commit(outcome.batch)?;
        let elapsed = clock.elapsed();
        expect_success(&block, &outcome.receipts)?;
        let metered = outcome.receipts.iter().map(|receipt| receipt.gas_used.0).sum();
        Ok(Sample { elapsed, metered })
    }

    fn checksums(&mut self) -> anyhow::Result<Checksums> {
        self.0.checksums()
    }
}
