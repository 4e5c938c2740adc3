//! What the stock promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contracts_wasm::STOCK;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Ran, TestChain, budget};

const SLOT_MS: u64 = 60_000;
const SELLER: u8 = 1;
const KEEPER: u8 = 2;

struct World {
    chain: TestChain,
    stock: Contract,
    merchant: Address,
    clerk: Address,
}

/// The clerk sells; there are 100 of item 1.
fn world() -> World {
    let mut chain = TestChain::new();
    let [merchant, clerk] = chain.accounts(["merchant", "clerk"]);
    let stock = chain.deploy(STOCK, &SLOT_MS);
    chain.also_native(stock, &tollway_contract_stock::stock::NATIVE);
    chain.run(stock.call(merchant, "set_roles", (clerk, SELLER))).succeeded();
    chain.run(stock.call(merchant, "restock", (merchant, 1u64, 100u128))).succeeded();
    World { chain, stock, merchant, clerk }
}

impl World {
    fn call(&self, by: Address, method: &str, item: u64, quantity: u128) -> Call {
        self.stock.call(by, method, (self.merchant, item, quantity))
    }

    fn sell(&mut self, item: u64, quantity: u128) -> Ran {
        self.chain.run(self.call(self.clerk, "sell", item, quantity))
    }

    /// The slot that starts at least so many slots from now.
    fn slot_in(&self, slots: u64) -> u64 {
        self.chain.time_ms() / SLOT_MS + 1 + slots
    }

    fn reserve_call(&self, item: u64, quantity: u128, slot: u64) -> Call {
        self.stock.call(self.clerk, "reserve", (self.merchant, item, quantity, slot))
    }

    fn reserve(&mut self, item: u64, quantity: u128, slot: u64) -> Ran {
        self.chain.run(self.reserve_call(item, quantity, slot))
    }

    fn end(&mut self, method: &str, item: u64, id: u128, slot: u64) -> Ran {
        self.chain.run(self.stock.call(self.clerk, method, (self.merchant, item, id, slot)))
    }

    fn reclaim(&mut self, item: u64, slot: u64) -> Ran {
        let anybody = self.chain.account("anybody");
        self.chain.run(self.stock.call(anybody, "reclaim", (self.merchant, item, slot)))
    }

    fn available(&self, item: u64) -> u128 {
        self.chain.query(self.stock, "available", (self.merchant, item))
    }
}

#[test]
fn what_is_not_there_is_not_sold() {
    let mut world = world();
    world.sell(1, 101).reverted_with("OutOfStock");
    world.sell(1, 0).reverted_with("ZeroQuantity");
    world.sell(1, 60).succeeded().event("Sold");
    world.sell(1, 41).reverted_with("OutOfStock");
    world.sell(2, 1).reverted_with("OutOfStock");
    world.sell(1, 40).succeeded();
    assert_eq!(world.available(1), 0);
    assert_eq!(world.chain.query::<u128>(world.stock, "sold", (world.merchant, 1u64)), 100);
}

#[test]
fn roles_decide_who_may() {
    let mut world = world();
    let keeper = world.chain.account("keeper");
    world.chain.run(world.stock.call(world.merchant, "set_roles", (keeper, KEEPER))).succeeded();
    let tries = [
        (world.clerk, "restock", false),
        (world.clerk, "write_off", false),
        (world.clerk, "sell", true),
        (keeper, "restock", true),
        (keeper, "write_off", true),
        (keeper, "sell", false),
        (world.merchant, "write_off", true),
        (world.merchant, "sell", true),
    ];
    for (by, method, is_allowed) in tries {
        let ran = world.chain.run(world.call(by, method, 1, 1));
        if is_allowed {
            ran.succeeded()
        } else {
            ran.reverted_with("NotAllowed")
        };
    }
    let slot = world.slot_in(5);
    let reserve = world.stock.call(keeper, "reserve", (world.merchant, 1u64, 1u128, slot));
    world.chain.run(reserve).reverted_with("NotAllowed");
    // Roles are of one merchant, and can be taken back.
    let other = world.stock.call(world.clerk, "sell", (keeper, 1u64, 1u128));
    world.chain.run(other).reverted_with("NotAllowed");
    world.chain.run(world.stock.call(world.merchant, "set_roles", (world.clerk, 0u8))).succeeded();
    world.sell(1, 1).reverted_with("NotAllowed");
    assert_eq!(world.chain.query::<u8>(world.stock, "roles", (world.merchant, keeper)), KEEPER);
    world.chain.run(world.call(keeper, "write_off", 1, 1_000)).reverted_with("OutOfStock");
}

#[test]
fn parallel_sales_never_oversell() {
    let mut world = world();
    world.chain.run(world.call(world.merchant, "restock", 2, 1_000)).succeeded();
    // 150 sales of one where there are 100, among 300 of another where there are enough.
    let sales: Vec<Call> = (0..450)
        .map(|number| world.call(world.clerk, "sell", if number % 3 == 0 { 1 } else { 2 }, 1))
        .collect();
    let block = world.chain.block(sales);
    block.assert_critical_path(1).assert_no_misses();
    let sold = block.calls.iter().filter(|call| call.receipt.is_success()).count();
    assert_eq!((sold, world.available(1), world.available(2)), (400, 0, 700));
    // The first ones get it.
    let refused = block.calls.iter().step_by(3).skip(100);
    for call in refused {
        call.reverted_with("OutOfStock");
    }
}

#[test]
fn a_reservation_keeps_its_part_until_its_slot_starts() {
    let mut world = world();
    let slot = world.slot_in(5);
    let id: u128 = world.reserve(1, 70, slot).returned();
    world.sell(1, 31).reverted_with("OutOfStock");
    world.reserve(1, 31, slot).reverted_with("OutOfStock");
    let reserved = |world: &World| {
        world.chain.query::<u128>(world.stock, "reserved", (world.merchant, 1u64, slot))
    };
    assert_eq!((world.available(1), reserved(&world)), (30, 70));
    world.end("fulfil", 1, id, slot + 1).reverted_with("WrongSlot");
    world.end("fulfil", 1, id + 1, slot).reverted_with("UnknownReservation");
    world.end("fulfil", 2, id, slot).reverted_with("UnknownReservation");
    world.reclaim(1, slot).reverted_with("SlotNotOver");
    world.end("fulfil", 1, id, slot).succeeded();
    world.end("fulfil", 1, id, slot).reverted_with("UnknownReservation");
    assert_eq!((world.available(1), reserved(&world)), (30, 0));
    let id: u128 = world.reserve(1, 30, slot).returned();
    world.end("release", 1, id, slot).succeeded().event("Released");
    world.end("release", 1, id, slot).reverted_with("UnknownReservation");
    assert_eq!(world.available(1), 30);
    world.reserve(1, 1, slot - 6).reverted_with("SlotOver");
    world.reserve(1, 1, u64::MAX).reverted_with("SlotOver");
    world.reserve(1, 0, slot).reverted_with("ZeroQuantity");
}

#[test]
fn reservations_that_ran_out_give_back_exactly_what_was_left() {
    let mut world = world();
    let slot = world.slot_in(0);
    let ids: Vec<u128> = (0..4).map(|_| world.reserve(1, 20, slot).returned()).collect();
    world.end("fulfil", 1, ids[0], slot).succeeded();
    world.end("release", 1, ids[1], slot).succeeded();
    // One moment before the slot starts, and then in the moment itself.
    world.chain.pass_ms(slot * SLOT_MS - 1_001 - world.chain.time_ms());
    world.end("fulfil", 1, ids[2], slot).succeeded();
    assert_eq!((world.available(1), world.chain.time_ms()), (40, slot * SLOT_MS - 1));
    let all = |world: &World| -> u128 {
        let args = (world.merchant, 1u64, vec![slot]);
        world.chain.query(world.stock, "available_reclaiming", args)
    };
    world.chain.pass_ms(1);
    assert_eq!((world.available(1), all(&world)), (40, 60));
    world.end("fulfil", 1, ids[3], slot).reverted_with("ReservationExpired");
    world.end("release", 1, ids[3], slot).reverted_with("ReservationExpired");
    // A sale finds it by naming the slot.
    world.sell(1, 50).reverted_with("OutOfStock");
    let sell = |quantity: u128, slots: Vec<u64>| {
        let args = (world.merchant, 1u64, quantity, slots);
        world.stock.call(world.clerk, "sell_reclaiming", args)
    };
    let calls = [sell(50, vec![slot, slot + 9]), sell(61, vec![slot]), sell(50, vec![slot, slot])];
    let [early, much, right] = calls;
    world.chain.run(early).reverted_with("SlotNotOver");
    world.chain.run(much).reverted_with("OutOfStock");
    world.chain.run(right).succeeded().event("Reclaimed");
    assert_eq!(world.available(1), 10);
    // What was given back is given back once.
    assert_eq!(world.reclaim(1, slot).returned::<u128>(), 0);
    assert_eq!((world.available(1), all(&world)), (10, 10));
}

#[test]
fn only_what_concerns_one_slot_or_reservation_waits() {
    let mut world = world();
    let slot = world.slot_in(9);
    let id: u128 = world.reserve(1, 20, slot).returned();
    let sell = |item| world.call(world.clerk, "sell", item, 1);
    let fulfil = world.stock.call(world.clerk, "fulfil", (world.merchant, 1u64, id, slot));
    let reclaim =
        |slot: u64| world.stock.call(world.clerk, "reclaim", (world.merchant, 1u64, slot));
    let reserve = world.reserve_call(1, 1, slot);
    world.chain.assert_independent(&sell(1), &sell(2));
    world.chain.assert_independent(&sell(1), &sell(1));
    world.chain.assert_independent(&sell(1), &reserve);
    world.chain.assert_independent(&reserve, &reserve);
    world.chain.assert_independent(&sell(1), &world.call(world.merchant, "restock", 1, 1));
    world.chain.assert_independent(&reserve, &fulfil);
    world.chain.assert_independent(&sell(1), &reclaim(slot));
    world.chain.assert_independent(&fulfil, &reclaim(slot - 1));
    world.chain.assert_conflicting(&fulfil, &reclaim(slot));
    world.chain.assert_conflicting(&fulfil, &fulfil);
    let block = world.chain.block((0..100).map(|_| reserve.clone()));
    block.assert_critical_path(1).assert_no_misses();
    assert_eq!(block.calls.iter().filter(|call| call.receipt.is_success()).count(), 80);
}

#[test]
fn methods_keep_their_budget_and_declare_what_they_use() {
    let mut world = world();
    let slot = world.slot_in(0);
    world.sell(1, 1).succeeded();
    world.chain.run(world.call(world.merchant, "write_off", 1, 1)).succeeded();
    let ids: Vec<u128> = (0..4).map(|_| world.reserve(1, 5, slot).returned()).collect();
    world.end("fulfil", 1, ids[0], slot).succeeded();
    world.end("release", 1, ids[1], slot).succeeded();
    world.chain.pass_ms(SLOT_MS);
    let args = (world.merchant, 1u64, 1u128, vec![slot]);
    world.chain.run(world.stock.call(world.clerk, "sell_reclaiming", args)).succeeded();
    let slot = world.slot_in(0);
    world.reserve(1, 5, slot).succeeded();
    world.chain.pass_ms(SLOT_MS);
    world.reclaim(1, slot).succeeded();
    world.chain.assert_all_used();
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
