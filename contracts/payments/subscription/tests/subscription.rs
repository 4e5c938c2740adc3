//! What a subscription promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_contract_subscription::subscription::{Outcome, Plan, Status, Subscription};
use tollway_contracts_wasm::{SUBSCRIPTION, TOKEN};
use tollway_interfaces::TokenRef;
use tollway_testkit::tollway::{Address, Call};
use tollway_testkit::{Contract, Ran, TestChain, budget};

const PERIOD_MS: u64 = 30 * 86_400_000;
const RETRY_MS: u64 = 86_400_000;

struct World {
    chain: TestChain,
    token: Contract,
    contract: Contract,
    merchant: Address,
    alice: Address,
}

/// Alice has 1,000 tokens and approved the contract.
fn world() -> World {
    let mut chain = TestChain::new();
    let [merchant, alice] = chain.accounts(["merchant", "alice"]);
    let token = chain.deploy(TOKEN, &merchant);
    let contract = chain.deploy(SUBSCRIPTION, &());
    chain.also_native(token, &tollway_contract_token::token::NATIVE);
    chain.also_native(contract, &tollway_contract_subscription::subscription::NATIVE);
    chain.run(token.call(merchant, "mint", (alice, 1_000u128))).succeeded();
    chain.run(token.call(alice, "approve", (contract.address, u128::MAX))).succeeded();
    World { chain, token, contract, merchant, alice }
}

impl World {
    /// 50 a period from the next block on, 120 in all, three tries.
    fn plan(&self) -> Plan {
        Plan {
            token: TokenRef(self.token.address),
            cap: 50,
            total_cap: 120,
            start_ms: self.chain.time_ms() + 1_000,
            period_ms: PERIOD_MS,
            end_ms: self.chain.time_ms() + 5 * PERIOD_MS,
            tries_max: 3,
            retry_ms: RETRY_MS,
        }
    }

    fn authorize(&mut self, id: u128, plan: Plan) -> Ran {
        self.chain.run(self.contract.call(self.alice, "authorize", (self.merchant, id, plan)))
    }

    fn charge_call(&self, by: Address, id: u128, amount: u128) -> Call {
        self.contract.call(by, "charge", (self.alice, id, self.token.address, amount))
    }

    fn charge(&mut self, id: u128, amount: u128) -> Ran {
        self.chain.run(self.charge_call(self.merchant, id, amount))
    }

    fn cancel_call(&self, by: Address, id: u128) -> Call {
        self.contract.call(by, "cancel", (self.alice, self.merchant, id))
    }

    fn balance(&self, owner: Address) -> u128 {
        self.chain.query(self.token, "balance_of", owner)
    }

    fn status(&self, id: u128) -> Status {
        let args = (self.alice, self.merchant, id);
        let found: Option<Subscription> = self.chain.query(self.contract, "subscription", args);
        found.expect("it was authorized").status
    }

    /// Lets time pass so that the next block is at `time_ms`.
    fn next_block_at(&mut self, time_ms: u64) {
        self.chain.pass_ms(time_ms - 1_000 - self.chain.time_ms());
    }
}

#[test]
fn a_period_allows_one_charge_of_at_most_the_cap() {
    let mut world = world();
    let plan = Plan { start_ms: world.chain.time_ms() + 10_000, ..world.plan() };
    world.authorize(1, plan).succeeded().event("Authorized");
    world.authorize(1, plan).reverted_with("IdTaken");
    assert_eq!(world.status(1), Status::Ahead);
    world.charge(1, 10).reverted_with("TooEarly");
    world.next_block_at(plan.start_ms - 1);
    world.charge(1, 10).reverted_with("TooEarly");
    world.next_block_at(plan.start_ms + 999);
    world.charge(1, 51).reverted_with("AboveCap");
    world.charge(1, 0).reverted_with("ZeroAmount");
    assert_eq!(world.status(1), Status::Due);
    assert_eq!(world.charge(1, 50).returned::<Outcome>(), Outcome::Charged);
    assert_eq!(world.status(1), Status::Charged);
    world.charge(1, 1).reverted_with("TooEarly");
    // The last moment of the period, and the first of the next.
    world.next_block_at(plan.start_ms + PERIOD_MS - 1);
    world.charge(1, 1).reverted_with("TooEarly");
    world.charge(1, 30).succeeded();
    assert_eq!((world.balance(world.merchant), world.balance(world.alice)), (80, 920));
    // A period that was missed does not count for the next one, and the grid stays where it is.
    world.next_block_at(plan.start_ms + 3 * PERIOD_MS + PERIOD_MS / 2);
    world.charge(1, 41).reverted_with("AboveTotalCap");
    world.charge(1, 40).succeeded();
    world.next_block_at(plan.start_ms + 4 * PERIOD_MS);
    world.charge(1, 1).reverted_with("AboveTotalCap");
}

#[test]
fn plans_make_sense_and_end() {
    let mut world = world();
    let plan = world.plan();
    let bad = [
        Plan { cap: 0, ..plan },
        Plan { total_cap: 0, ..plan },
        Plan { period_ms: 0, ..plan },
        Plan { tries_max: 0, ..plan },
        Plan { start_ms: plan.end_ms + 1, ..plan },
        Plan { start_ms: 0, end_ms: 1, ..plan },
    ];
    for plan in bad {
        world.authorize(1, plan).reverted_with("BadPlan");
    }
    world.charge(1, 1).reverted_with("UnknownSubscription");
    // Charges at the end are in time, later ones are not.
    let end_ms = world.chain.time_ms() + 100_000;
    world.authorize(1, Plan { period_ms: 1_000, end_ms, ..plan }).succeeded();
    world.next_block_at(end_ms);
    world.charge(1, 1).succeeded();
    world.charge(1, 1).reverted_with("Ended");
    assert_eq!(world.status(1), Status::Ended);
    // Times at the end of their range lead nowhere, and to no wrong place.
    let far = Plan { start_ms: 5, period_ms: u64::MAX, end_ms: u64::MAX, ..plan };
    world.authorize(2, far).succeeded();
    world.charge(2, 1).succeeded();
    world.charge(2, 1).reverted_with("TooEarly");
}

#[test]
fn only_the_merchant_charges_and_only_in_the_token_that_was_agreed() {
    let mut world = world();
    let plan = world.plan();
    world.authorize(1, plan).succeeded();
    let other = world.chain.account("other");
    let (by_other, by_alice) =
        (world.charge_call(other, 1, 1), world.charge_call(world.alice, 1, 1));
    world.chain.run(by_other).reverted_with("UnknownSubscription");
    world.chain.run(by_alice).reverted_with("UnknownSubscription");
    let wrong = (world.alice, 1u128, other, 1u128);
    let wrong = world.contract.call(world.merchant, "charge", wrong);
    world.chain.run(wrong).reverted_with("WrongToken");
}

#[test]
fn a_failed_charge_is_tried_again_as_agreed_and_then_lapses() {
    let mut world = world();
    let plan = world.plan();
    world.authorize(1, plan).succeeded();
    let spend = world.token.call(world.alice, "transfer", (world.merchant, 990u128));
    world.chain.run(spend).succeeded();
    let failed = world.charge(1, 20);
    let retry_ms = world.chain.time_ms() + RETRY_MS;
    assert_eq!(failed.returned::<Outcome>(), Outcome::Failed { retry_ms });
    assert_eq!((world.balance(world.alice), world.status(1)), (10, Status::Retrying));
    // Not before the time of the next try, even with less.
    world.next_block_at(retry_ms - 1);
    world.charge(1, 5).reverted_with("TooEarly");
    world.charge(1, 5).succeeded();
    assert_eq!((world.balance(world.alice), world.status(1)), (5, Status::Charged));
    // A charge that worked makes failures count from 0 again; an allowance that was taken back
    // is a failure as well.
    let approve = world.token.call(world.alice, "approve", (world.contract.address, 0u128));
    world.chain.run(approve).succeeded();
    world.next_block_at(plan.start_ms + PERIOD_MS);
    for _ in 0..2 {
        assert!(matches!(world.charge(1, 5).returned(), Outcome::Failed { .. }));
        world.chain.pass_ms(RETRY_MS);
    }
    assert_eq!(world.status(1), Status::Due);
    assert_eq!(world.charge(1, 5).returned::<Outcome>(), Outcome::Lapsed);
    assert_eq!(world.status(1), Status::Lapsed);
    world.chain.pass_ms(PERIOD_MS);
    world.charge(1, 5).reverted_with("SubscriptionLapsed");
    let cancel = world.cancel_call(world.alice, 1);
    world.chain.run(cancel).reverted_with("SubscriptionLapsed");
}

#[test]
fn cancelling_closes_the_allowance_at_once() {
    let mut world = world();
    let plan = world.plan();
    for id in 1..=2 {
        world.authorize(id, plan).succeeded();
    }
    let other = world.chain.account("other");
    let cancel = |by, id| world.cancel_call(by, id);
    let calls = [
        cancel(other, 1),
        cancel(world.alice, 1),
        // In the same block, after it.
        world.charge_call(world.merchant, 1, 5),
        cancel(world.merchant, 2),
        cancel(world.alice, 2),
        cancel(world.alice, 3),
    ];
    let block = world.chain.block(calls);
    block.calls[0].reverted_with("NotParty");
    block.calls[1].succeeded().event("Cancelled");
    block.calls[2].reverted_with("SubscriptionCancelled");
    block.calls[3].succeeded();
    block.calls[4].reverted_with("SubscriptionCancelled");
    block.calls[5].reverted_with("UnknownSubscription");
    assert_eq!((world.status(1), world.balance(world.alice)), (Status::Cancelled, 1_000));
}

#[test]
fn charges_of_one_merchant_run_side_by_side() {
    let mut world = world();
    let payers: Vec<Address> =
        (0..500).map(|number| world.chain.account(&format!("payer {number}"))).collect();
    let plan = world.plan();
    let (token, contract, merchant) = (world.token, world.contract, world.merchant);
    let prepare: Vec<Call> = (payers.iter())
        .flat_map(|payer| {
            [
                token.call(merchant, "mint", (*payer, 1_000u128)),
                token.call(*payer, "approve", (contract.address, 1_000u128)),
                contract.call(*payer, "authorize", (merchant, 1u128, plan)),
            ]
        })
        .collect();
    world.chain.block(prepare).succeeded().assert_critical_path(1).assert_no_misses();
    let charge = |payer: &Address, by: Address| {
        contract.call(by, "charge", (*payer, 1u128, token.address, 50u128))
    };
    // Every tenth payer has nothing: failures do not make others wait either.
    let leave: Vec<Call> = (payers.iter().step_by(10))
        .map(|payer| token.call(*payer, "transfer", (merchant, 1_000u128)))
        .collect();
    world.chain.block(leave).succeeded();
    let block = world.chain.block(payers.iter().map(|payer| charge(payer, merchant)));
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let failed = block.calls.iter().filter(|call| call.returned::<Outcome>() != Outcome::Charged);
    assert_eq!(failed.count(), 50);
    // One payer's charges by two merchants share his allowance.
    let other = world.chain.account("other");
    let [first, second] = [&payers[0], &payers[1]];
    world.chain.assert_conflicting(&charge(first, merchant), &charge(first, other));
    world.chain.assert_independent(&charge(first, merchant), &charge(second, merchant));
}

#[test]
fn methods_keep_their_budget_and_declare_what_they_use() {
    let mut world = world();
    let plan = world.plan();
    world.authorize(1, plan).succeeded();
    world.charge(1, 20).succeeded();
    world.chain.pass_ms(PERIOD_MS);
    let spend = world.token.call(world.alice, "transfer", (world.merchant, 980u128));
    world.chain.run(spend).succeeded();
    world.charge(1, 20).succeeded();
    let cancel = world.cancel_call(world.alice, 1);
    world.chain.run(cancel).succeeded();
    for method in ["authorize", "charge", "cancel"] {
        world.chain.assert_declares_only_used(world.contract, method);
    }
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
