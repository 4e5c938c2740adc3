//! State and host functions for engines without a chain around them: as little as will do.
//!
//! ```text
//! guest ──read, write──▶ one hash map, and what to undo if the call fails
//!       ──emit─────────▶ list of events
//! ```

use crate::engine::Setup;
use anyhow::ensure;
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use tollway_benches::swaps::model::{FEE_BP, TOKENS, TRADER_BALANCE, TRADERS};
use tollway_benches::swaps::{Checksums, Swap};

/// `guests/plain`, compiled with wide arithmetic.
pub(crate) const WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest_plain.wasm"));

/// What a call gets to spend; it needs a few thousand.
pub(crate) const FUEL: u64 = 1_000_000;

/// What the guest's `swap` takes: pool, trader, direction, and the halves of both amounts.
pub(crate) type Arguments = (u32, u32, u32, u64, u64, u64, u64);

/// The size of a key in the guest's memory.
pub(crate) const KEY_BYTES: usize = 12;

/// The size of a value.
pub(crate) const VALUE_BYTES: usize = 16;

/// The size of an event.
pub(crate) const EVENT_BYTES: usize = 48;

/// What a key names; the guest knows the same numbers.
const ENABLED: u32 = 0;
const FEE: u32 = 1;
const RESERVE: u32 = 2;
const BALANCE: u32 = 3;

type Key = [u32; 3];

/// State, events, and what to undo.
pub(crate) struct State {
    values: HashMap<Key, u128, FixedState>,
    undo: Vec<(Key, Option<u128>)>,
    events: Vec<[u8; EVENT_BYTES]>,
    pools: u32,
}

impl State {
    /// Pools with these reserves, and traders.
    pub(crate) fn new(setup: &Setup<'_>) -> Self {
        let mut values = HashMap::with_hasher(FixedState::with_seed(0));
        for (pool, pair) in (0..).zip(setup.reserves) {
            values.insert([ENABLED, pool, 0], 1);
            values.insert([FEE, pool, 0], u128::from(FEE_BP / 10));
            for token in TOKENS {
                values.insert([RESERVE, pool, token], pair[token as usize]);
            }
        }
        for trader in 0..TRADERS {
            for token in TOKENS {
                values.insert([BALANCE, trader, token], TRADER_BALANCE);
            }
        }
        let pools = setup.reserves.len() as u32;
        Self { values, undo: Vec::new(), events: Vec::new(), pools }
    }

    /// The value of a key; 0 if it has none.
    pub(crate) fn read(&self, key: &[u8; KEY_BYTES]) -> [u8; VALUE_BYTES] {
        self.get(parse(key)).to_le_bytes()
    }

    /// Sets the value of a key.
    pub(crate) fn write(&mut self, key: &[u8; KEY_BYTES], value: [u8; VALUE_BYTES]) {
        let key = parse(key);
        let before = self.values.insert(key, u128::from_le_bytes(value));
        self.undo.push((key, before));
    }

    /// Adds an event.
    pub(crate) fn emit(&mut self, event: [u8; EVENT_BYTES]) {
        self.events.push(event);
    }

    /// Keeps what the call did.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Forgets the events of the block before.
    pub(crate) fn start_block(&mut self) {
        self.events.clear();
    }

    /// Checks the events of a block.
    ///
    /// # Errors
    /// If a swap has none, or gave something else.
    pub(crate) fn check(&self, swaps: &[Swap]) -> anyhow::Result<()> {
        ensure!(self.events.len() == swaps.len(), "{} events", self.events.len());
        for (swap, event) in swaps.iter().zip(&self.events) {
            let bytes = event.last_chunk().copied().unwrap_or_default();
            let out = u128::from_le_bytes(bytes);
            ensure!(out == swap.out, "gave {out}, not {}", swap.out);
        }
        Ok(())
    }

    /// Checksums of the state.
    pub(crate) fn checksums(&self) -> Checksums {
        let pair = |what, of| TOKENS.map(|token| self.get([what, of, token]));
        Checksums::new(
            (0..self.pools).map(|pool| pair(RESERVE, pool)),
            (0..TRADERS).map(|trader| pair(BALANCE, trader)),
        )
    }

    fn get(&self, key: Key) -> u128 {
        self.values.get(&key).copied().unwrap_or(0)
    }

    /// Takes back what the call did, last change first.
    pub(crate) fn undo(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
    }
}

fn parse(key: &[u8; KEY_BYTES]) -> Key {
    std::array::from_fn(|index| {
        u32::from_le_bytes(std::array::from_fn(|byte| key[4 * index + byte]))
    })
}

/// A swap as the guest takes it.
pub(crate) fn arguments(swap: &Swap) -> Arguments {
    let halves = |number: u128| (number as u64, (number >> 64) as u64);
    let ((amount_low, amount_high), (min_low, min_high)) =
        (halves(swap.amount_in), halves(swap.min_out));
    (swap.pool, swap.trader, swap.token_in(), amount_low, amount_high, min_low, min_high)
}

/// The bytes at a place in the guest's memory, if they are all inside it.
pub(crate) fn at<const N: usize>(memory: &[u8], pointer: u32) -> Option<&[u8; N]> {
    memory.get(pointer as usize..)?.first_chunk()
}

/// The same, to be written to.
pub(crate) fn at_mut<const N: usize>(memory: &mut [u8], pointer: u32) -> Option<&mut [u8; N]> {
    memory.get_mut(pointer as usize..)?.first_chunk_mut()
}
