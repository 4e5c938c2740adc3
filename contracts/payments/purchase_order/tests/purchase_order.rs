//! What purchase orders promise, who waits for whom, and what they cost.

use std::path::Path;
use tollway_contract_purchase_order::purchase_order::{Stage, State, Terms};
use tollway_contracts_wasm::{PURCHASE_ORDER, TOKEN};
use tollway_interfaces::TokenRef;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Ran, TestChain, budget};

const DAY_MS: u64 = 86_400_000;

struct World {
    chain: TestChain,
    token: Contract,
    orders: Contract,
    buyer: Address,
    supplier: Address,
    arbiter: Address,
}

/// The buyer has 10,000 tokens and approved the contract.
fn world() -> World {
    let mut chain = TestChain::new();
    let [buyer, supplier, arbiter] = chain.accounts(["buyer", "supplier", "arbiter"]);
    let token = chain.deploy(TOKEN, &buyer);
    let orders = chain.deploy(PURCHASE_ORDER, &());
    chain.also_native(token, &tollway_contract_token::token::NATIVE);
    chain.also_native(orders, &tollway_contract_purchase_order::purchase_order::NATIVE);
    chain.run(token.call(buyer, "mint", (buyer, 10_000u128))).succeeded();
    chain.run(token.call(buyer, "approve", (orders.address, u128::MAX))).succeeded();
    World { chain, token, orders, buyer, supplier, arbiter }
}

impl World {
    /// 1,001 for what is delivered in 30 days, 5 days to inspect it and 10 to rule on it; without a
    /// ruling the supplier gets half.
    fn terms(&self) -> Terms {
        Terms {
            document: [7; 32],
            token: TokenRef(self.token.address),
            amount: 1_001,
            arbiter: self.arbiter,
            deliver_by_ms: self.chain.time_ms() + 30 * DAY_MS,
            inspection_ms: 5 * DAY_MS,
            ruling_ms: 10 * DAY_MS,
            fallback_bp: 5_000,
        }
    }

    fn version(&mut self, method: &str, by: Address, id: u128, version: u32, terms: Terms) -> Ran {
        let args = (self.buyer, self.supplier, id, version, terms);
        self.chain.run(self.orders.call(by, method, args))
    }

    fn cancel(&mut self, by: Address, id: u128) -> Ran {
        self.chain.run(self.orders.call(by, "cancel", (self.buyer, self.supplier, id)))
    }

    fn fund_call(&self, id: u128, version: u32) -> Call {
        let args = (self.supplier, id, version, self.token.address);
        self.orders.call(self.buyer, "fund", args)
    }

    fn fund(&mut self, id: u128, version: u32) -> Ran {
        self.chain.run(self.fund_call(id, version))
    }

    fn deliver(&mut self, id: u128) -> Ran {
        self.chain.run(self.orders.call(self.supplier, "deliver", (self.buyer, id)))
    }

    fn dispute(&mut self, id: u128) -> Ran {
        self.chain.run(self.orders.call(self.buyer, "dispute", (self.supplier, id)))
    }

    /// `approve` and `reclaim`.
    fn by_buyer(&mut self, method: &str, id: u128) -> Ran {
        let args = (self.supplier, id, self.token.address);
        self.chain.run(self.orders.call(self.buyer, method, args))
    }

    /// `refund` and `claim`.
    fn by_supplier(&mut self, method: &str, id: u128) -> Ran {
        let args = (self.buyer, id, self.token.address);
        self.chain.run(self.orders.call(self.supplier, method, args))
    }

    fn rule(&mut self, by: Address, id: u128, to_supplier: u128) -> Ran {
        let args = (self.buyer, self.supplier, id, self.token.address, to_supplier);
        self.chain.run(self.orders.call(by, "rule", args))
    }

    fn divide(&mut self, by: Address, id: u128) -> Ran {
        let args = (self.buyer, self.supplier, id, self.token.address);
        self.chain.run(self.orders.call(by, "divide", args))
    }

    /// An order that is funded.
    fn funded(&mut self, id: u128) {
        let terms = self.terms();
        self.version("propose", self.buyer, id, 1, terms).succeeded();
        self.version("accept", self.supplier, id, 1, terms).succeeded();
        self.fund(id, 1).succeeded();
    }

    fn disputed(&mut self, id: u128) {
        self.funded(id);
        self.deliver(id).succeeded();
        self.dispute(id).succeeded();
    }

    fn stage(&self, id: u128) -> Stage {
        let args = (self.buyer, self.supplier, id);
        let found: Option<(Terms, State)> = self.chain.query(self.orders, "order", args);
        found.expect("it was proposed").1.stage
    }

    /// What buyer, supplier and the contract have.
    fn balances(&self) -> [u128; 3] {
        [self.buyer, self.supplier, self.orders.address]
            .map(|owner| self.chain.query(self.token, "balance_of", owner))
    }

    /// Lets so much time pass that the next block is this much later than the last one.
    fn later(&mut self, time_ms: u64) {
        self.chain.pass_ms(time_ms - 1_000);
    }
}

#[test]
fn the_version_that_both_accepted_is_the_one_that_is_paid() {
    let mut world = world();
    let (buyer, supplier) = (world.buyer, world.supplier);
    let first = world.terms();
    let second = Terms { amount: 900, document: [8; 32], ..first };
    world.version("propose", buyer, 1, 2, first).reverted_with("WrongVersion");
    world.version("propose", buyer, 1, 1, first).succeeded().event("Proposed");
    world.version("accept", buyer, 1, 1, first).reverted_with("OwnProposal");
    world.version("propose", supplier, 1, 1, second).reverted_with("WrongVersion");
    world.version("propose", supplier, 1, 2, second).succeeded();
    // What the supplier proposed last is what the buyer has to have seen.
    world.version("accept", buyer, 1, 1, first).reverted_with("WrongVersion");
    world.version("accept", buyer, 1, 2, first).reverted_with("WrongTerms");
    world.version("accept", supplier, 1, 2, second).reverted_with("OwnProposal");
    world.fund(1, 2).reverted_with("WrongStage");
    world.version("accept", buyer, 1, 2, second).succeeded();
    world.version("propose", supplier, 1, 3, first).reverted_with("WrongStage");
    world.version("accept", buyer, 1, 2, second).reverted_with("WrongStage");
    world.fund(1, 1).reverted_with("WrongVersion");
    world.fund(1, 2).succeeded();
    assert_eq!(world.balances(), [9_100, 0, 900]);
    world.fund(1, 2).reverted_with("WrongStage");
    world.deliver(1).succeeded();
    let paid = world.by_buyer("approve", 1);
    assert_eq!(paid.event("PaidOut")["to_supplier"].to_string(), "900");
    assert_eq!(world.balances(), [9_100, 900, 0]);
    world.by_buyer("approve", 1).reverted_with("WrongStage");
    world.by_supplier("refund", 1).reverted_with("WrongStage");
}

#[test]
fn terms_make_sense() {
    let mut world = world();
    let terms = world.terms();
    for bad in [
        Terms { amount: 0, ..terms },
        Terms { deliver_by_ms: 5, ..terms },
        Terms { fallback_bp: 10_001, ..terms },
    ] {
        world.version("propose", world.buyer, 1, 1, bad).reverted_with("BadTerms");
    }
    let own = (world.buyer, world.buyer, 1u128, 1u32, terms);
    world.chain.run(world.orders.call(world.buyer, "propose", own)).reverted_with("BadTerms");
    let never = Terms { inspection_ms: u64::MAX, ruling_ms: u64::MAX, ..terms };
    world.version("propose", world.buyer, 1, 1, never).succeeded();
    world.version("accept", world.supplier, 1, 1, never).succeeded();
    world.fund(1, 1).succeeded();
    world.deliver(1).succeeded();
    world.by_supplier("claim", 1).reverted_with("TooEarly");
    world.dispute(1).succeeded();
    world.divide(world.buyer, 1).reverted_with("TooEarly");
}

#[test]
fn only_the_roles_move_an_order() {
    let mut world = world();
    let stranger = world.chain.account("stranger");
    let terms = world.terms();
    world.version("propose", stranger, 1, 1, terms).reverted_with("WrongRole");
    world.version("propose", world.buyer, 1, 1, terms).succeeded();
    world.version("accept", stranger, 1, 1, terms).reverted_with("WrongRole");
    world.cancel(stranger, 1).reverted_with("WrongRole");
    world.version("accept", world.supplier, 1, 1, terms).succeeded();
    world.fund(1, 1).succeeded();
    // In the other's place, there is no such order.
    let (buyer, supplier, token) = (world.buyer, world.supplier, world.token.address);
    let swapped = [
        world.orders.call(buyer, "deliver", (supplier, 1u128)),
        world.orders.call(stranger, "deliver", (buyer, 1u128)),
        world.orders.call(supplier, "dispute", (buyer, 1u128)),
        world.orders.call(supplier, "approve", (buyer, 1u128, token)),
        world.orders.call(stranger, "approve", (supplier, 1u128, token)),
        world.orders.call(buyer, "claim", (supplier, 1u128, token)),
        world.orders.call(buyer, "refund", (supplier, 1u128, token)),
        world.orders.call(supplier, "reclaim", (buyer, 1u128, token)),
    ];
    for call in swapped {
        world.chain.run(call).reverted_with("UnknownOrder");
    }
    world.deliver(1).succeeded();
    world.dispute(1).succeeded();
    for by in [stranger, buyer, supplier] {
        world.rule(by, 1, 0).reverted_with("WrongRole");
    }
    world.divide(stranger, 1).reverted_with("WrongRole");
    world.divide(world.arbiter, 1).reverted_with("WrongRole");
    let wrong = (supplier, 1u128, supplier);
    world.chain.run(world.orders.call(buyer, "approve", wrong)).reverted_with("WrongToken");
    assert_eq!(world.balances(), [8_999, 0, 1_001]);
}

#[test]
fn what_is_not_funded_can_be_cancelled() {
    let mut world = world();
    let terms = world.terms();
    world.cancel(world.buyer, 1).reverted_with("UnknownOrder");
    world.version("propose", world.buyer, 1, 1, terms).succeeded();
    world.cancel(world.supplier, 1).succeeded();
    world.version("accept", world.supplier, 1, 1, terms).reverted_with("WrongStage");
    world.version("propose", world.buyer, 1, 2, terms).reverted_with("WrongStage");
    world.version("propose", world.supplier, 2, 1, terms).succeeded();
    world.version("accept", world.buyer, 2, 1, terms).succeeded();
    world.cancel(world.buyer, 2).succeeded();
    world.fund(2, 1).reverted_with("WrongStage");
    world.funded(3);
    world.cancel(world.buyer, 3).reverted_with("WrongStage");
    world.by_supplier("refund", 3).succeeded();
    assert_eq!(world.balances(), [10_000, 0, 0]);
    assert_eq!(world.stage(3), Stage::Closed);
}

#[test]
fn what_is_not_delivered_in_time_is_the_buyers() {
    let mut world = world();
    let terms = world.terms();
    world.funded(1);
    world.by_buyer("reclaim", 1).reverted_with("TooEarly");
    world.version("propose", world.buyer, 2, 1, terms).succeeded();
    world.version("accept", world.supplier, 2, 1, terms).succeeded();
    let left = terms.deliver_by_ms - world.chain.time_ms();
    world.later(left - 1_000);
    world.by_buyer("reclaim", 1).reverted_with("TooEarly");
    world.chain.pass_ms(1_000);
    world.by_supplier("claim", 1).reverted_with("WrongStage");
    world.fund(2, 1).reverted_with("TooLate");
    world.chain.pass_ms(DAY_MS);
    world.deliver(1).reverted_with("TooLate");
    world.by_buyer("reclaim", 1).succeeded();
    assert_eq!(world.balances(), [10_000, 0, 0]);
    world.by_buyer("reclaim", 1).reverted_with("WrongStage");
}

#[test]
fn what_is_not_disputed_in_time_is_the_suppliers() {
    let mut world = world();
    world.funded(1);
    world.by_supplier("claim", 1).reverted_with("WrongStage");
    world.dispute(1).reverted_with("WrongStage");
    world.deliver(1).succeeded();
    world.by_buyer("reclaim", 1).reverted_with("WrongStage");
    // The last moment at which it can be disputed: two blocks of a second are made since delivery.
    world.later(5 * DAY_MS - 1_000);
    world.by_supplier("claim", 1).reverted_with("TooEarly");
    world.dispute(1).reverted_with("TooLate");
    world.by_supplier("claim", 1).succeeded();
    assert_eq!(world.balances(), [8_999, 1_001, 0]);
}

#[test]
fn a_dispute_holds_the_money_until_the_arbiter_rules() {
    let mut world = world();
    world.disputed(1);
    world.by_supplier("claim", 1).reverted_with("WrongStage");
    world.by_buyer("reclaim", 1).reverted_with("WrongStage");
    world.rule(world.arbiter, 1, 1_002).reverted_with("AboveAmount");
    assert_eq!((world.stage(1), world.balances()), (Stage::Disputed, [8_999, 0, 1_001]));
    world.rule(world.arbiter, 1, 333).succeeded();
    assert_eq!(world.balances(), [9_667, 333, 0]);
    world.rule(world.arbiter, 1, 333).reverted_with("WrongStage");
    // All of it is a division as well.
    world.disputed(2);
    world.rule(world.arbiter, 2, 1_001).succeeded();
    world.disputed(3);
    world.rule(world.arbiter, 3, 0).succeeded();
    assert_eq!(world.balances(), [8_666, 1_334, 0]);
    // The parties can still agree.
    world.disputed(4);
    world.by_buyer("approve", 4).succeeded();
    world.disputed(5);
    world.by_supplier("refund", 5).succeeded();
    assert_eq!(world.balances(), [7_665, 2_335, 0]);
    world.funded(6);
    world.rule(world.arbiter, 6, 0).reverted_with("WrongStage");
}

#[test]
fn without_a_ruling_in_time_it_is_divided_as_agreed() {
    let mut world = world();
    world.disputed(1);
    world.divide(world.buyer, 1).reverted_with("TooEarly");
    world.later(10 * DAY_MS - 1_000);
    world.divide(world.supplier, 1).reverted_with("TooEarly");
    world.chain.pass_ms(1);
    world.rule(world.arbiter, 1, 1_001).reverted_with("TooLate");
    // Half of 1,001, rounded down, is the supplier's.
    world.divide(world.supplier, 1).succeeded();
    assert_eq!(world.balances(), [9_500, 500, 0]);
    world.divide(world.supplier, 1).reverted_with("WrongStage");
}

#[test]
fn orders_run_side_by_side() {
    let mut world = world();
    let terms = Terms { amount: 10, ..world.terms() };
    let (orders, token, supplier) = (world.orders, world.token, world.supplier);
    let buyers: Vec<Address> =
        (0..200).map(|number| world.chain.account(&format!("buyer {number}"))).collect();
    let mut block = |calls: Vec<Call>| {
        world.chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
    };
    block(buyers.iter().map(|buyer| token.call(world.buyer, "mint", (*buyer, 10u128))).collect());
    block(
        buyers
            .iter()
            .map(|buyer| token.call(*buyer, "approve", (orders.address, 10u128)))
            .collect(),
    );
    let version = |by: Address, buyer: Address, method: &str| {
        orders.call(by, method, (buyer, supplier, 1u128, 1u32, terms))
    };
    block(buyers.iter().map(|buyer| version(*buyer, *buyer, "propose")).collect());
    block(buyers.iter().map(|buyer| version(supplier, *buyer, "accept")).collect());
    let fund =
        |buyer: &Address| orders.call(*buyer, "fund", (supplier, 1u128, 1u32, token.address));
    block(buyers.iter().map(fund).collect());
    block(buyers.iter().map(|buyer| orders.call(supplier, "deliver", (*buyer, 1u128))).collect());
    let approve =
        |buyer: &Address| orders.call(*buyer, "approve", (supplier, 1u128, token.address));
    block(buyers.iter().map(approve).collect());
    assert_eq!(world.balances()[1], 2_000);
    world.chain.assert_conflicting(&approve(&buyers[0]), &approve(&buyers[0]));
    world.chain.assert_independent(&approve(&buyers[0]), &fund(&buyers[1]));
}

#[test]
fn methods_keep_their_budget_and_declare_what_they_use() {
    let mut world = world();
    world.disputed(1);
    world.rule(world.arbiter, 1, 333).succeeded();
    world.disputed(2);
    world.later(11 * DAY_MS);
    world.divide(world.buyer, 2).succeeded();
    world.funded(3);
    world.by_buyer("approve", 3).succeeded();
    world.funded(4);
    world.by_supplier("refund", 4).succeeded();
    world.funded(5);
    world.deliver(5).succeeded();
    world.later(6 * DAY_MS);
    world.by_supplier("claim", 5).succeeded();
    world.funded(6);
    world.later(40 * DAY_MS);
    world.by_buyer("reclaim", 6).succeeded();
    let terms = world.terms();
    world.version("propose", world.buyer, 7, 1, terms).succeeded();
    world.cancel(world.buyer, 7).succeeded();
    for method in [
        "propose", "accept", "cancel", "fund", "deliver", "dispute", "approve", "refund",
        "reclaim", "claim", "rule", "divide",
    ] {
        world.chain.assert_declares_only_used(world.orders, method);
    }
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
