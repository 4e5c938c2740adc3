//! A model of the stock in plain Rust knows what comes of every call, and nothing comes or goes by
//! itself.

use std::collections::BTreeMap;
use tollway_contracts_wasm::STOCK;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, Ran, TestChain};

const SLOT_MS: u64 = 3_000;

/// Items are above what random calls make up.
const FIRST_ITEM: u64 = 1 << 40;
const ITEMS: u64 = 3;

#[derive(Clone, Copy)]
enum Deed {
    Restock(u64, u128),
    WriteOff(u64, u128),
    Sell(u64, u128),
    Reserve(u64, u128, u64),
    Fulfil(u64, u128, u64),
    Release(u64, u128, u64),
    Reclaim(u64, u64),
    SellReclaiming(u64, u128, u64),
}

#[derive(Default)]
struct Model {
    available: BTreeMap<u64, u128>,
    sold: BTreeMap<u64, u128>,
    /// What came in and was not written off.
    stocked: BTreeMap<u64, u128>,
    /// By item and identifier: quantity and slot.
    reservations: BTreeMap<(u64, u128), (u128, u64)>,
    /// Identifiers, items and slots of all reservations.
    known: Vec<(u64, u128, u64)>,
}

impl Model {
    fn take(&mut self, item: u64, quantity: u128) -> bool {
        let available = self.available.entry(item).or_default();
        let is_there = quantity > 0 && *available >= quantity;
        *available -= if is_there { quantity } else { 0 };
        is_there
    }

    fn sell(&mut self, item: u64, quantity: u128) -> bool {
        let is_there = self.take(item, quantity);
        *self.sold.entry(item).or_default() += if is_there { quantity } else { 0 };
        is_there
    }

    /// Takes a reservation that has not run out.
    fn end(&mut self, item: u64, id: u128, slot: u64, now: u64) -> Option<u128> {
        let (quantity, until) = *self.reservations.get(&(item, id))?;
        if until != slot || now >= slot * SLOT_MS {
            return None;
        }
        self.reservations.remove(&(item, id));
        Some(quantity)
    }

    /// Makes what ran out available, reservation by reservation.
    fn reclaim(&mut self, item: u64, slot: u64, now: u64) -> bool {
        if now < slot * SLOT_MS {
            return false;
        }
        let over: Vec<u128> = (self.reservations.iter())
            .filter(|((of, _), (_, until))| *of == item && *until == slot)
            .map(|((_, id), _)| *id)
            .collect();
        for id in over {
            let (quantity, _) = self.reservations.remove(&(item, id)).expect("it was found");
            *self.available.entry(item).or_default() += quantity;
        }
        true
    }

    /// Does what a call does; whether it succeeds.
    fn follow(&mut self, deed: Deed, now: u64, ran: &Ran) -> bool {
        match deed {
            Deed::Restock(item, quantity) => {
                *self.available.entry(item).or_default() += quantity;
                *self.stocked.entry(item).or_default() += quantity;
                true
            }
            Deed::WriteOff(item, quantity) => {
                let is_there = self.take(item, quantity);
                *self.stocked.entry(item).or_default() -= if is_there { quantity } else { 0 };
                is_there
            }
            Deed::Sell(item, quantity) => self.sell(item, quantity),
            Deed::Reserve(item, quantity, slot) => {
                let is_done = now < slot * SLOT_MS && self.take(item, quantity);
                if is_done {
                    let id: u128 = ran.returned();
                    self.known.push((item, id, slot));
                    let before = self.reservations.insert((item, id), (quantity, slot));
                    assert_eq!(before, None, "{ran}: its identifier was used before");
                }
                is_done
            }
            Deed::Fulfil(item, id, slot) => match self.end(item, id, slot, now) {
                Some(quantity) => {
                    *self.sold.entry(item).or_default() += quantity;
                    true
                }
                None => false,
            },
            Deed::Release(item, id, slot) => match self.end(item, id, slot, now) {
                Some(quantity) => {
                    *self.available.entry(item).or_default() += quantity;
                    true
                }
                None => false,
            },
            Deed::Reclaim(item, slot) => self.reclaim(item, slot, now),
            Deed::SellReclaiming(item, quantity, slot) => {
                // All or nothing: what a failed sale reclaimed is not reclaimed.
                if now < slot * SLOT_MS {
                    return false;
                }
                let over = self
                    .reservations
                    .iter()
                    .filter(|((of, _), (_, until))| *of == item && *until == slot);
                let over: u128 = over.map(|(_, (quantity, _))| quantity).sum();
                let available = self.available.get(&item).copied().unwrap_or(0);
                let is_there = quantity > 0 && available + over >= quantity;
                if is_there {
                    self.reclaim(item, slot, now);
                    self.sell(item, quantity);
                }
                is_there
            }
        }
    }
}

fn call(stock: Contract, merchant: Address, clerk: Address, deed: Deed) -> Call {
    match deed {
        Deed::Restock(item, quantity) => stock.call(clerk, "restock", (merchant, item, quantity)),
        Deed::WriteOff(item, quantity) => {
            stock.call(clerk, "write_off", (merchant, item, quantity))
        }
        Deed::Sell(item, quantity) => stock.call(clerk, "sell", (merchant, item, quantity)),
        Deed::Reserve(item, quantity, slot) => {
            stock.call(clerk, "reserve", (merchant, item, quantity, slot))
        }
        Deed::Fulfil(item, id, slot) => stock.call(clerk, "fulfil", (merchant, item, id, slot)),
        Deed::Release(item, id, slot) => stock.call(clerk, "release", (merchant, item, id, slot)),
        Deed::Reclaim(item, slot) => stock.call(clerk, "reclaim", (merchant, item, slot)),
        Deed::SellReclaiming(item, quantity, slot) => {
            stock.call(clerk, "sell_reclaiming", (merchant, item, quantity, vec![slot]))
        }
    }
}

fn deed(dice: &mut Dice, model: &Model, now: u64) -> Deed {
    let item = FIRST_ITEM + dice.below(ITEMS);
    let quantity = u128::from(dice.below(12));
    let slot = now / SLOT_MS + dice.below(5);
    let past = (now / SLOT_MS).saturating_sub(dice.below(4));
    let recent = model.known.len().min(60) as u64;
    match dice.below(20) {
        0..=3 => Deed::Restock(item, quantity * 3),
        4 => Deed::WriteOff(item, quantity),
        5..=8 => Deed::Sell(item, quantity),
        9..=12 => Deed::Reserve(item, quantity, slot),
        13..=16 if recent > 0 => {
            let at = model.known.len() - 1 - dice.below(recent) as usize;
            let (item, id, slot) = model.known[at];
            if dice.percent(70) {
                Deed::Fulfil(item, id, slot)
            } else {
                Deed::Release(item, id, slot)
            }
        }
        17 => Deed::Reclaim(item, past),
        _ => Deed::SellReclaiming(item, quantity, past),
    }
}

#[test]
fn nothing_is_sold_twice_and_nothing_is_lost() {
    let (mut calls, mut succeeded) = (0, 0);
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut chain = TestChain::with(Config { threads, ..Config::default() });
        let [merchant, clerk] = chain.accounts(["merchant", "clerk"]);
        let stock = chain.deploy(STOCK, &SLOT_MS);
        chain.also_native(stock, &tollway_contract_stock::stock::NATIVE);
        chain.run(stock.call(merchant, "set_roles", (clerk, 3u8))).succeeded();
        let mut dice = Dice::new(seed as u64);
        let mut random = RandomCalls::new(&chain, seed as u64, [stock]).without("set_roles");
        let mut model = Model::default();
        for _ in 0..26 {
            let now = chain.time_ms() + 1_000;
            let deeds: Vec<Deed> = (0..90).map(|_| deed(&mut dice, &model, now)).collect();
            let mut block: Vec<Call> =
                deeds.iter().map(|deed| call(stock, merchant, clerk, *deed)).collect();
            // These know no item that is in use.
            block.extend(random.take(10));
            let block = chain.block(block);
            block.assert_no_misses();
            assert_eq!(chain.time_ms(), now);
            for (deed, ran) in deeds.iter().zip(&block.calls) {
                let expected = model.follow(*deed, now, ran);
                assert_eq!(ran.receipt.is_success(), expected, "{ran} at {now}");
            }
            for item in FIRST_ITEM..FIRST_ITEM + ITEMS {
                let ask = |method: &str| chain.query::<u128>(stock, method, (merchant, item));
                let of = |map: &BTreeMap<u64, u128>| map.get(&item).copied().unwrap_or(0);
                let found = (ask("available"), ask("sold"));
                assert_eq!(found, (of(&model.available), of(&model.sold)));
                // Nothing is reserved for longer, and the test does not last as long.
                let slots = now / SLOT_MS - 40..now / SLOT_MS + 6;
                let reserved = slots
                    .map(|slot| chain.query::<u128>(stock, "reserved", (merchant, item, slot)));
                assert_eq!(of(&model.stocked), found.0 + found.1 + reserved.sum::<u128>());
            }
            calls += block.calls.len();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
        }
    }
    println!("{succeeded} of {calls} calls succeeded");
    assert!(calls >= 10_000);
    assert!(succeeded * 2 > calls, "{succeeded} of {calls} calls succeeded");
}
