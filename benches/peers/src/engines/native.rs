//! The model of the workload itself: native Rust over one hash map that is keyed like state.

use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::ensure;
use std::time::Instant;
use tollway_benches::swaps::{Checksums, Model, Swap, Variant};

const NOTE: &str = "\
the exchange as Rust functions over one hash map (hashbrown, foldhash) from (what, pool or trader,
  token) to u128, and a list of events. No sandbox, no metering, nothing that could be undone: the floor.";

pub(crate) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "native",
        version: env!("VERSION_HASHBROWN"),
        variant: Variant::Monolith,
        threads: 1,
        unit: "",
        note: NOTE,
        open: |_, setup| Ok(Box::new(Native::new(setup))),
    }]
}

struct Native(Model);

/// Pool, trader, direction, in, out.
type Event = (u32, u32, bool, u128, u128);

impl Native {
    fn new(setup: &Setup<'_>) -> Self {
        Self(Model::new(setup.reserves))
    }
}

impl Engine for Native {
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
        let mut events: Vec<Event> = Vec::new();
        let clock = Instant::now();
        for swap in swaps {
            let out = self.0.apply(swap)?;
            events.push((swap.pool, swap.trader, swap.reversed, swap.amount_in, out));
        }
        let elapsed = clock.elapsed();
        for (swap, event) in swaps.iter().zip(&events) {
            ensure!(event.4 == swap.out, "gave {}, not {}", event.4, swap.out);
        }
        Ok(Sample { elapsed, metered: 0 })
    }

    fn checksums(&mut self) -> anyhow::Result<Checksums> {
        Ok(self.0.checksums())
    }
}
