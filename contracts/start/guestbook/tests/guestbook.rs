//! What the contract promises, who waits for whom, and what it costs.

use std::path::Path;
use tollway_testkit::tollway::Address;
use tollway_testkit::{Contract, TestChain, budget, wasm};

fn chain() -> (TestChain, Contract, [Address; 3]) {
    let mut chain = TestChain::new();
    let accounts = chain.accounts(["owner", "alice", "bob"]);
    // The immutables: who may pin.
    let guestbook = chain.deploy(wasm!(), &accounts[0]);
    (chain, guestbook, accounts)
}

#[test]
fn guests_sign_and_are_read() {
    let (mut chain, guestbook, [_, alice, bob]) = chain();
    let signed = chain.run(guestbook.call(alice, "sign", "hello"));
    assert_eq!(signed.succeeded().event("Signed")["text"].to_string(), "\"hello\"");
    chain.run(guestbook.call(bob, "sign", "x".repeat(281))).reverted_with("BadLength");
    chain.run(guestbook.call(bob, "like", alice)).succeeded();

    let entry = |guest: Address| chain.query::<Option<String>>(guestbook, "entry", guest);
    assert_eq!([entry(alice), entry(bob)], [Some("hello".to_owned()), None]);
    assert_eq!(chain.query::<u128>(guestbook, "likes", alice), 1);
    assert_eq!(chain.query::<u128>(guestbook, "signatures", ()), 1);
}

#[test]
fn only_the_owner_pins() {
    let (mut chain, guestbook, [owner, alice, _]) = chain();
    chain.run(guestbook.call(owner, "pin", alice)).reverted_with("NoEntry");
    chain.run(guestbook.call(alice, "sign", "hello")).succeeded();
    chain.run(guestbook.call(alice, "pin", alice)).reverted_with("NotOwner");
    chain.run(guestbook.call(owner, "pin", alice)).succeeded().event("Pinned");
    assert_eq!(chain.query::<Option<Address>>(guestbook, "pinned", ()), Some(alice));
}

#[test]
fn guests_do_not_wait_for_each_other() {
    let (mut chain, guestbook, [owner, alice, bob]) = chain();
    let sign = |guest| guestbook.call(guest, "sign", "hello");
    let like = |fan| guestbook.call(fan, "like", alice);
    chain.assert_independent(&sign(alice), &sign(bob));
    chain.assert_independent(&like(alice), &like(bob));
    chain.assert_independent(&sign(alice), &like(bob));

    // There is one first page. `pin` also reads whether there is an entry.
    let pin = |guest| guestbook.call(owner, "pin", guest);
    chain.assert_conflicting(&pin(alice), &pin(bob));
    chain.assert_conflicting(&sign(alice), &pin(alice));
    chain.assert_independent(&sign(bob), &pin(alice));

    // The same in numbers: a hundred guests, nobody waits.
    let guests: Vec<Address> = (0..100).map(|n| chain.account(&format!("guest {n}"))).collect();
    let calls = guests.iter().flat_map(|guest| [sign(*guest), like(*guest)]);
    chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(chain.query::<u128>(guestbook, "likes", alice), 100);
}

/// Gas is exact, whatever the machine. Whoever makes a method dearer says so, by running the tests
/// with `TOLLWAY_BUDGET=update`.
#[test]
fn methods_cost_what_the_budget_says() {
    let (mut chain, guestbook, [owner, alice, bob]) = chain();
    chain.run(guestbook.call(alice, "sign", "x".repeat(280))).succeeded();
    chain.run(guestbook.call(bob, "like", alice)).succeeded();
    chain.run(guestbook.call(owner, "pin", alice)).succeeded();
    println!("{}", chain.figures());
    budget::check(chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}
