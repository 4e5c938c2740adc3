//! What the checkout promises, who waits for whom, and what it costs.

mod world;

use ed25519_dalek::{Signer, SigningKey};
use std::path::Path as FilePath;
use tollway_contract_pay::pay::{QUOTE_DOMAIN, Quote, Status};
use tollway_interfaces::{Invoice, InvoiceStatus, PairRef, Path, TokenRef};
use tollway_sdk::borsh;
use tollway_sdk::crypto::PublicKey;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Ran, budget};
use world::{WEALTH, World};

fn world() -> World {
    World::new(Config { threads: 4, ..Config::default() })
}

impl World {
    fn pay_with(&mut self, by: Address, order: u128, path: &Path, max_in: u128) -> Ran {
        let call = self.with("pay_with", by, order, path, max_in);
        self.chain.run(call)
    }

    fn pay_directly(&mut self, by: Address, order: u128) -> Ran {
        let args = (self.merchant, order, self.tokens[0].address);
        self.chain.run(self.pay.call(by, "pay", args))
    }
}

#[test]
fn the_merchant_gets_the_exact_amount_and_the_payer_gives_what_is_needed() {
    let mut world = world();
    let alice = world.payer("alice");
    world.quote(1, 10_000);
    let path = world.path(1, &[0]);
    let needed = world.needed(1, &[0], 10_000);
    world.pay_with(alice, 1, &path, needed - 1).reverted_with("AboveMaximum");
    let paid = world.pay_with(alice, 1, &path, WEALTH);
    assert_eq!(paid.returned::<u128>(), needed);
    assert_eq!(paid.event("Converted")["amount_in"].to_string(), needed.to_string());
    assert_eq!(world.balance(0, world.merchant), 10_000);
    assert_eq!((world.balance(1, alice), world.balance(0, alice)), (WEALTH - needed, WEALTH));
    // Over two pairs, with a maximum that is just enough.
    world.quote(2, 7_777);
    let needed = world.needed(1, &[2, 1], 7_777);
    let path = world.path(1, &[2, 1]);
    world.pay_with(alice, 2, &path, needed).succeeded();
    assert_eq!(world.balance(0, world.merchant), 17_777);
    assert_eq!((0..3).map(|token| world.balance(token, world.pay.address)).sum::<u128>(), 0);
}

#[test]
fn an_order_is_paid_once_and_in_time_by_whom_it_names() {
    let mut world = world();
    let [alice, bob] = [world.payer("alice"), world.payer("bob")];
    let path = world.path(1, &[0]);
    world.pay_with(alice, 1, &path, WEALTH).reverted_with("UnknownOrder");
    world.quote(1, 100);
    let again = world.quote_call(1, 100, Address::ZERO, u64::MAX);
    world.chain.run(again).reverted_with("OrderTaken");
    world.pay_directly(alice, 1).succeeded();
    assert_eq!((world.balance(0, world.merchant), world.balance(0, alice)), (100, WEALTH - 100));
    world.pay_directly(alice, 1).reverted_with("AlreadyPaid");
    world.pay_with(bob, 1, &path, WEALTH).reverted_with("AlreadyPaid");
    // Also two in one block.
    world.quote(2, 100);
    let calls = [alice, bob].map(|by| world.with("pay_with", by, 2, &path, WEALTH));
    let block = world.chain.block(calls);
    block.calls[0].succeeded();
    block.calls[1].reverted_with("AlreadyPaid");
    // At its expiry it can be paid, a moment later it cannot.
    let next_ms = world.chain.time_ms() + 2_000;
    let quotes = [(3, next_ms), (4, next_ms - 1)]
        .map(|(order, expiry_ms)| world.quote_call(order, 100, Address::ZERO, expiry_ms));
    world.chain.block(quotes).succeeded();
    let calls = [3, 4].map(|order| world.with("pay_with", alice, order, &path, WEALTH));
    let block = world.chain.block(calls);
    block.calls[0].succeeded();
    block.calls[1].reverted_with("Expired");
    let quote = world.quote_call(5, 100, bob, u64::MAX);
    world.chain.run(quote).succeeded();
    world.pay_directly(alice, 5).reverted_with("WrongPayer");
    world.pay_directly(bob, 5).succeeded();
    for (amount, expiry_ms) in [(0, u64::MAX), (1, 5)] {
        let bad = world.quote_call(6, amount, Address::ZERO, expiry_ms);
        world.chain.run(bad).reverted_with("BadQuote");
    }
}

#[test]
fn an_unpaid_order_can_be_taken_back() {
    let mut world = world();
    let alice = world.payer("alice");
    let retract = |world: &mut World, order: u128| {
        world.chain.run(world.pay.call(world.merchant, "retract", order))
    };
    world.quote(1, 100);
    retract(&mut world, 1).succeeded();
    world.pay_directly(alice, 1).reverted_with("OrderRetracted");
    retract(&mut world, 1).reverted_with("OrderRetracted");
    let again = world.quote_call(1, 100, Address::ZERO, u64::MAX);
    world.chain.run(again).reverted_with("OrderTaken");
    world.quote(2, 90);
    world.pay_directly(alice, 2).succeeded();
    retract(&mut world, 2).reverted_with("AlreadyPaid");
    assert_eq!(world.balance(0, world.merchant), 90);
    let status = [1u128, 2, 3].map(|order| {
        let found: Option<(Quote, Status)> =
            world.chain.query(world.pay, "order", (world.merchant, order));
        found.map(|(_, status)| status)
    });
    assert_eq!(status, [Some(Status::Retracted), Some(Status::Paid { payer: alice }), None]);
}

#[test]
fn a_signed_quote_is_brought_by_who_pays() {
    let mut world = world();
    let alice = world.payer("alice");
    let key = SigningKey::from_bytes(&[5; 32]);
    let quote = Quote {
        token: TokenRef(world.tokens[0].address),
        amount: 500,
        payer: Address::ZERO,
        expiry_ms: u64::MAX,
    };
    let (pay, merchant) = (world.pay, world.merchant);
    let signed = |key: &SigningKey, order: u128, quote: Quote| -> [u8; 64] {
        let message = borsh::to_vec(&(QUOTE_DOMAIN, pay.address, merchant, order, quote));
        key.sign(&message.expect("it encodes")).to_bytes()
    };
    let bring = |order: u128, quote: Quote, signature: [u8; 64]| {
        pay.call(alice, "quote_signed", (merchant, order, quote, signature))
    };
    let signature = signed(&key, 1, quote);
    world.chain.run(bring(1, quote, signature)).reverted_with("BadSignature");
    let public = Some(PublicKey::Ed25519(key.verifying_key().to_bytes()));
    world.chain.run(pay.call(merchant, "set_key", public)).succeeded().event("KeySet");
    // It is good for this order and this quote alone.
    world.chain.run(bring(2, quote, signature)).reverted_with("BadSignature");
    let cheap = Quote { amount: 499, ..quote };
    world.chain.run(bring(1, cheap, signature)).reverted_with("BadSignature");
    let other = signed(&SigningKey::from_bytes(&[6; 32]), 1, quote);
    world.chain.run(bring(1, quote, other)).reverted_with("BadSignature");
    // Brought and paid in one block.
    let args = (merchant, 1u128, world.tokens[0].address);
    world.chain.block([bring(1, quote, signature), pay.call(alice, "pay", args)]).succeeded();
    assert_eq!(world.balance(0, merchant), 500);
    world.chain.run(bring(1, quote, signature)).reverted_with("OrderTaken");
    // What was retracted before anybody brought it stays so.
    let signature = signed(&key, 3, quote);
    world.chain.run(pay.call(merchant, "retract", 3u128)).succeeded();
    world.chain.run(bring(3, quote, signature)).reverted_with("OrderTaken");
    let signature = signed(&key, 4, quote);
    world.chain.run(pay.call(merchant, "set_key", None::<PublicKey>)).succeeded();
    world.chain.run(bring(4, quote, signature)).reverted_with("BadSignature");
}

#[test]
fn a_path_that_does_not_bring_it_changes_nothing() {
    let mut world = world();
    let alice = world.payer("alice");
    world.quote(1, 1_000);
    let good = world.path(1, &[0]);
    // To somebody else.
    let mut path = good.clone();
    path.first.to = alice;
    world.pay_with(alice, 1, &path, WEALTH).reverted_with("BrokenPath");
    // Something else: another currency, which the merchant does not want.
    let wrong = world.path(1, &[2]);
    world.pay_with(alice, 1, &wrong, WEALTH).reverted_with("InsufficientBalance");
    // From what is no pair.
    let mut path = good.clone();
    path.first.pair = PairRef(world.tokens[0].address);
    assert!(!world.pay_with(alice, 1, &path, WEALTH).receipt.is_success());
    // In another currency than the order's.
    let args = (world.merchant, 1u128, world.tokens[1].address);
    world.chain.run(world.pay.call(alice, "pay", args)).reverted_with("WrongToken");
    // More than there is.
    world.quote(2, 20_000_000);
    assert!(!world.pay_with(alice, 2, &good, u128::MAX).receipt.is_success());
    assert_eq!((world.balance(0, world.merchant), world.balance(1, alice)), (0, WEALTH));
    world.pay_with(alice, 1, &good, WEALTH).succeeded();
}

#[test]
fn an_invoice_is_paid_in_any_asset() {
    let mut world = world();
    let alice = world.payer("alice");
    world.issue(1, 5_000);
    let path = world.path(2, &[1]);
    let pay = |number, max_in| world.with("pay_invoice_with", alice, number, &path, max_in);
    let needed = world.needed(2, &[1], 5_000);
    let (unknown, dear, right) = (pay(2, WEALTH), pay(1, needed - 1), pay(1, needed));
    world.chain.run(unknown).reverted_with("UnknownInvoice");
    world.chain.run(dear).reverted_with("AboveMaximum");
    assert_eq!(world.chain.run(right.clone()).returned::<u128>(), needed);
    world.chain.run(right).reverted_with("NothingOwed");
    let found: Option<Invoice> =
        world.chain.query(world.invoices, "invoice", (world.merchant, 1u128));
    assert_eq!(found.expect("it was issued").status, InvoiceStatus::Paid);
    // Refunds are the payer's own.
    let token = world.tokens[0].address;
    let credit = (world.merchant, 1u128, token, alice, 1_000u128);
    world.chain.run(world.invoices.call(world.merchant, "credit", credit)).succeeded();
    world
        .chain
        .run(world.invoices.call(alice, "refund", (world.merchant, 1u128, token)))
        .succeeded();
    assert_eq!(world.balance(0, alice), WEALTH + 1_000);
    let wrong = (world.merchant, 1u128, world.tokens[1].address, &path, WEALTH);
    let wrong = world.pay.call(alice, "pay_invoice_with", wrong);
    world.chain.run(wrong).reverted_with("WrongToken");
}

#[test]
fn payments_wait_only_where_they_share_a_pair() {
    let mut world = world();
    let payers: Vec<Address> = (0..100).map(|number| world.payer(&format!("p{number}"))).collect();
    for order in 0..100 {
        world.quote(order, 10);
    }
    let args = |order: u128| (world.merchant, order, world.tokens[0].address);
    let direct: Vec<Call> = (payers.iter().zip(0..))
        .map(|(payer, order)| world.pay.call(*payer, "pay", args(order)))
        .collect();
    let with = |by: usize, order, token, pairs: &[usize]| {
        world.with("pay_with", payers[by], order, &world.path(token, pairs), WEALTH)
    };
    let chain = &world.chain;
    chain.assert_conflicting(&with(0, 0, 1, &[0]), &with(1, 1, 1, &[0]));
    chain.assert_independent(&with(0, 0, 1, &[0]), &with(1, 1, 2, &[1]));
    chain.assert_independent(&with(0, 0, 1, &[0]), &direct[1]);
    // The same currency over different pairs.
    let over_two = with(2, 2, 1, &[2, 1]);
    chain.assert_independent(&with(0, 0, 1, &[0]), &over_two);
    chain.assert_conflicting(&with(0, 0, 1, &[0]), &with(1, 0, 2, &[1]));
    // So do invoices: what is granted on the way is no state.
    world.issue(1, 10);
    world.issue(2, 10);
    let invoice = |by: usize, number, token, pairs: &[usize]| {
        world.with("pay_invoice_with", payers[by], number, &world.path(token, pairs), WEALTH)
    };
    let (first, second) = (invoice(0, 1, 1, &[0]), invoice(1, 2, 2, &[1]));
    world.chain.assert_independent(&first, &second);
    let calls = [first, second];
    world.chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
    let with = |by: usize, order, token, pairs: &[usize]| {
        world.with("pay_with", payers[by], order, &world.path(token, pairs), WEALTH)
    };
    // Two lanes over two pairs: each half waits for itself only.
    let calls: Vec<Call> = (0..50)
        .flat_map(|at| {
            [with(2 * at, 2 * at as u128, 1, &[0]), with(2 * at + 1, 2 * at as u128 + 1, 2, &[1])]
        })
        .collect();
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(50).assert_no_misses();
    for order in 100..200 {
        world.quote(order, 10);
    }
    let args = |order: u128| (world.merchant, order, world.tokens[0].address);
    let direct: Vec<Call> = (payers.iter().zip(100..))
        .map(|(payer, order)| world.pay.call(*payer, "pay", args(order)))
        .collect();
    world.chain.block(direct).succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(world.balance(0, world.merchant), 2_000);
}

#[test]
fn methods_keep_their_budget_and_declare_what_they_use() {
    let mut world = world();
    let alice = world.payer("alice");
    world.quote(1, 10_000);
    world.quote(2, 10_000);
    world.quote(3, 10_000);
    world.issue(1, 5_000);
    world.pay_directly(alice, 1).succeeded();
    let path = world.path(1, &[2, 1]);
    world.pay_with(alice, 2, &path, WEALTH).succeeded();
    let invoice = world.with("pay_invoice_with", alice, 1, &path, WEALTH);
    world.chain.run(invoice).succeeded();
    world.chain.run(world.pay.call(world.merchant, "retract", 3u128)).succeeded();
    let key = SigningKey::from_bytes(&[5; 32]);
    let public = PublicKey::Ed25519(key.verifying_key().to_bytes());
    world.chain.run(world.pay.call(world.merchant, "set_key", Some(public))).succeeded();
    let quote = (world.tokens[0].address, 5u128, Address::ZERO, u64::MAX);
    let message = borsh::to_vec(&(QUOTE_DOMAIN, world.pay.address, world.merchant, 4u128, quote));
    let signature = key.sign(&message.expect("it encodes")).to_bytes();
    let signed = (world.merchant, 4u128, quote, signature);
    world.chain.run(world.pay.call(alice, "quote_signed", signed)).succeeded();
    for method in
        ["set_key", "quote", "quote_signed", "pay", "pay_with", "pay_invoice_with", "retract"]
    {
        world.chain.assert_declares_only_used(world.pay, method);
    }
    println!("{}", world.chain.figures());
    let file = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml");
    budget::check(world.chain.figures(), &file);
}
