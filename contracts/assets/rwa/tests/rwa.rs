//! What a compliant asset promises, who waits for whom, and what it costs.

mod registry;

use registry::{
    CONTROLLER, COUNTRIES, COUNTRY_LIMIT, HOLDER_LIMIT, ISSUER, JAPAN, NORWAY, REGISTRAR, Registry,
};
use std::collections::BTreeMap;
use std::path::Path;
use tollway_testkit::tollway::host_api::value::Value;
use tollway_testkit::tollway::{Address, Call, Outcome};
use tollway_testkit::{Block, budget};

/// Country, expiry, limit, frozen.
type Identity = (u16, u64, u128, bool);

/// The names of reasons, by their numbers.
const REASONS: [&str; 14] = [
    "ZeroAmount",
    "UnknownSender",
    "UnknownReceiver",
    "SenderExpired",
    "ReceiverExpired",
    "SenderFrozen",
    "ReceiverFrozen",
    "WrongCountry",
    "SenderCountryClosed",
    "ReceiverCountryClosed",
    "InsufficientBalance",
    "LockedUp",
    "CountryLimit",
    "HolderLimit",
];

/// A registry with two holders in Norway and Japan and one more in Norway, the first with 1 000.
fn registry() -> (Registry, [Address; 3]) {
    let mut registry = Registry::new(4);
    let holders = registry.holders(3);
    registry.chain.run(registry.issue(holders[0], 1_000, NORWAY)).succeeded();
    (registry, [holders[0], holders[1], holders[2]])
}

impl Registry {
    /// Requires that a transfer is refused for this reason, beforehand and in fact.
    fn refused(&mut self, from: Address, to: Address, amount: u128, by: (u16, u16), reason: &str) {
        let code = self.why(from, to, amount, by);
        let name = code.map(|code| REASONS[usize::from(code)]);
        assert_eq!(name, Some(reason));
        let ran = self.chain.run(self.transfer(from, to, amount, by));
        ran.reverted_with(reason);
        let Outcome::Reverted { error, .. } = &ran.receipt.outcome else { panic!("it reverted") };
        assert_eq!(error.first().copied(), code, "the same code");
    }

    fn as_registrar(&mut self, method: &str, args: impl borsh::BorshSerialize) {
        self.chain.run(self.asset.call(self.registrar, method, args)).succeeded();
    }
}

#[test]
fn holders_transfer_within_the_rules() {
    let (mut registry, [alice, bob, carol]) = registry();
    let abroad = (NORWAY, JAPAN);
    assert_eq!(registry.why(alice, bob, 300, abroad), None);
    let sent = registry.chain.run(registry.transfer(alice, bob, 300, abroad));
    assert_eq!(sent.succeeded().event("Transfer")["amount"].to_string(), "300");
    registry.chain.run(registry.transfer(alice, carol, 200, (NORWAY, NORWAY))).succeeded();
    registry.chain.run(registry.transfer(alice, alice, 500, (NORWAY, NORWAY))).succeeded();
    assert_eq!([alice, bob, carol].map(|who| registry.balance(who)), [500, 300, 200]);
    registry.chain.run(registry.asset.call(bob, "redeem", (100u128, JAPAN))).succeeded();
    registry
        .chain
        .run(registry.asset.call(bob, "redeem", (1u128, NORWAY)))
        .reverted_with("WrongCountry");
    registry
        .chain
        .run(registry.asset.call(bob, "redeem", (201u128, JAPAN)))
        .reverted_with("InsufficientBalance");
    assert_eq!(registry.chain.query::<u128>(registry.asset, "total_supply", ()), 900);
    let room = COUNTRIES.map(|country| {
        registry.chain.query::<((bool, u128), u128)>(registry.asset, "country", country).1
    });
    assert_eq!(room, [COUNTRY_LIMIT - 700, COUNTRY_LIMIT - 200]);
}

#[test]
fn each_reason_is_told_before_and_by_the_error() {
    let (mut registry, [alice, bob, carol]) = registry();
    let [eve, _] = registry.chain.accounts(["eve", "owner"]);
    let abroad = (NORWAY, JAPAN);
    registry.refused(alice, bob, 0, abroad, "ZeroAmount");
    registry.refused(eve, bob, 1, abroad, "UnknownSender");
    registry.refused(alice, eve, 1, abroad, "UnknownReceiver");
    registry.refused(alice, bob, 1, (NORWAY, NORWAY), "WrongCountry");
    registry.refused(alice, bob, 1, (JAPAN, JAPAN), "WrongCountry");
    registry.refused(alice, bob, 1_001, abroad, "InsufficientBalance");
    // A country may have no more, or nothing at all.
    let limited = registry.set_country(JAPAN, true, 99);
    registry.chain.run(limited).succeeded();
    registry.refused(alice, bob, 100, abroad, "CountryLimit");
    registry.chain.run(registry.transfer(alice, bob, 99, abroad)).succeeded();
    registry.refused(alice, bob, 1, abroad, "CountryLimit");
    let below = registry.set_country(JAPAN, true, 98);
    registry.chain.run(below).reverted_with("CountryLimit");
    let closed = registry.set_country(JAPAN, false, 1_000);
    registry.chain.run(closed).succeeded();
    registry.refused(alice, bob, 1, abroad, "ReceiverCountryClosed");
    registry.refused(bob, alice, 1, (JAPAN, NORWAY), "SenderCountryClosed");
    let open = registry.set_country(JAPAN, true, 1_000);
    registry.chain.run(open).succeeded();
    // A holder may have no more.
    registry.as_registrar("set_limit", (bob, 100u128));
    registry.refused(alice, bob, 2, abroad, "HolderLimit");
    let below = registry.asset.call(registry.registrar, "set_limit", (bob, 98u128));
    registry.chain.run(below).reverted_with("HolderLimit");
    registry.chain.run(registry.transfer(alice, bob, 1, abroad)).succeeded();
    // Frozen on either side, then expired.
    let freeze = |registry: &Registry, frozen: bool| {
        registry.asset.call(registry.controller, "freeze", (bob, frozen))
    };
    registry.chain.run(freeze(&registry, true)).succeeded();
    registry.refused(alice, bob, 1, abroad, "ReceiverFrozen");
    registry.refused(bob, alice, 1, (JAPAN, NORWAY), "SenderFrozen");
    registry
        .chain
        .run(registry.asset.call(bob, "redeem", (1u128, JAPAN)))
        .reverted_with("SenderFrozen");
    registry.chain.run(freeze(&registry, false)).succeeded();
    let soon_ms = registry.chain.time_ms() + 10_000;
    registry.as_registrar("renew", (bob, soon_ms));
    registry.chain.pass_ms(soon_ms - 1 - registry.chain.time_ms() - 1_000);
    registry.chain.run(registry.transfer(bob, carol, 1, (JAPAN, NORWAY))).succeeded();
    assert_eq!(registry.chain.time_ms(), soon_ms - 1, "the last moment");
    registry.chain.block([]);
    registry.refused(alice, bob, 1, abroad, "ReceiverExpired");
    registry.refused(bob, alice, 1, (JAPAN, NORWAY), "SenderExpired");
}

#[test]
fn locked_tokens_are_sent_after_their_time() {
    let (mut registry, [alice, bob, _]) = registry();
    let until_ms = registry.chain.time_ms() + 10_000;
    let issue = |registry: &Registry, amount: u128, until_ms: u64| {
        registry.asset.call(registry.issuer, "issue_locked", (bob, amount, JAPAN, until_ms))
    };
    let calls = [issue(&registry, 50, until_ms), issue(&registry, 7, until_ms + 10_000)];
    registry.chain.block(calls).succeeded();
    registry.chain.run(issue(&registry, 1, until_ms - 10_000)).reverted_with("ReleaseInPast");
    assert_eq!(registry.balance(bob), 57);
    let home = (JAPAN, NORWAY);
    registry.refused(bob, alice, 1, home, "LockedUp");
    registry.chain.run(registry.transfer(alice, bob, 5, (NORWAY, JAPAN))).succeeded();
    registry.chain.run(registry.transfer(bob, alice, 5, home)).succeeded();
    registry.refused(bob, alice, 1, home, "LockedUp");
    let release = registry.asset.call(alice, "release", (bob, until_ms));
    registry.chain.pass_ms(until_ms - 1 - registry.chain.time_ms() - 1_000);
    registry.chain.run(release.clone()).reverted_with("NothingToRelease");
    assert_eq!(registry.chain.time_ms(), until_ms - 1);
    assert_eq!(registry.chain.run(release.clone()).returned::<u128>(), 50);
    registry.chain.run(release).reverted_with("NothingToRelease");
    registry.refused(bob, alice, 51, home, "LockedUp");
    registry.chain.run(registry.transfer(bob, alice, 50, home)).succeeded();
    assert_eq!(registry.chain.query::<u128>(registry.asset, "locked_of", bob), 7);
    assert_eq!(registry.balance(bob), 7);
}

#[test]
fn only_roles_manage_and_only_the_owner_gives_them() {
    let (mut registry, [alice, bob, _]) = registry();
    let asset = registry.asset;
    let abroad = (NORWAY, JAPAN);
    let expires_ms = registry.expires_ms;
    let calls = |by: Address| {
        [
            (ISSUER, asset.call(by, "issue", (alice, 1u128, NORWAY))),
            (ISSUER, asset.call(by, "issue_locked", (alice, 1u128, NORWAY, u64::MAX))),
            (REGISTRAR, asset.call(by, "set_country", (NORWAY, (true, COUNTRY_LIMIT)))),
            (REGISTRAR, asset.call(by, "register", (by, NORWAY, expires_ms, HOLDER_LIMIT))),
            (REGISTRAR, asset.call(by, "renew", (alice, expires_ms))),
            (REGISTRAR, asset.call(by, "set_limit", (alice, HOLDER_LIMIT))),
            (REGISTRAR, asset.call(by, "relocate", (alice, (NORWAY, NORWAY)))),
            (CONTROLLER, asset.call(by, "freeze", (alice, false))),
            (CONTROLLER, asset.call(by, "force_transfer", (alice, bob, 1u128, abroad, "why"))),
            (
                CONTROLLER,
                asset.call(by, "force_locked", (alice, bob, 1u128, abroad, u64::MAX, "why")),
            ),
        ]
    };
    // The owner has no role, nor has a holder; each role does its own, and nothing else.
    let owner = registry.chain.account("owner");
    for by in [owner, alice] {
        for (_, call) in calls(by) {
            registry.chain.run(call).reverted_with("NotAllowed");
        }
    }
    let managers = [registry.issuer, registry.registrar, registry.controller];
    for (has, by) in (0u8..).zip(managers) {
        for (role, call) in calls(by) {
            let ran = registry.chain.run(call);
            match role == has {
                true => ran.succeeded(),
                false => ran.reverted_with("NotAllowed"),
            };
        }
    }
    let set_role =
        |by: Address, role: u8, has: bool| asset.call(by, "set_role", (role, alice, has));
    registry.chain.run(set_role(registry.issuer, ISSUER, true)).reverted_with("NotOwner");
    registry.chain.run(set_role(owner, 3, true)).reverted_with("UnknownRole");
    registry.chain.run(set_role(owner, ISSUER, true)).succeeded().event("RoleSet");
    registry.chain.run(asset.call(alice, "issue", (alice, 1u128, NORWAY))).succeeded();
    registry.chain.run(set_role(owner, ISSUER, false)).succeeded();
    registry
        .chain
        .run(asset.call(alice, "issue", (alice, 1u128, NORWAY)))
        .reverted_with("NotAllowed");
    assert!(!registry.chain.query::<bool>(asset, "has_role", (ISSUER, alice)));
}

#[test]
fn transfers_are_forced_against_the_holder_but_within_limits() {
    let (mut registry, [alice, bob, carol]) = registry();
    let asset = registry.asset;
    let abroad = (NORWAY, JAPAN);
    let by = registry.controller;
    registry.chain.run(asset.call(by, "freeze", (alice, true))).succeeded();
    let over_ms = registry.chain.time_ms();
    registry.as_registrar("renew", (alice, over_ms));
    let force = |to: Address, amount: u128, countries: (u16, u16)| {
        asset.call(by, "force_transfer", (alice, to, amount, countries, "court order 7"))
    };
    let forced = registry.chain.run(force(bob, 400, abroad));
    let event = forced.succeeded().event("Forced");
    assert_eq!(event["reason"].to_string(), "\"court order 7\"");
    assert_eq!(event["amount"].to_string(), "400");
    assert_eq!(forced.event("Transfer")["amount"].to_string(), "400");
    assert_eq!([alice, bob].map(|who| registry.balance(who)), [600, 400]);
    registry.chain.run(force(bob, 601, abroad)).reverted_with("InsufficientBalance");
    registry.chain.run(force(bob, 1, (JAPAN, JAPAN))).reverted_with("WrongCountry");
    registry.chain.run(force(by, 1, abroad)).reverted_with("UnknownReceiver");
    registry.as_registrar("set_limit", (bob, 400u128));
    registry.chain.run(force(bob, 1, abroad)).reverted_with("HolderLimit");
    registry.chain.run(asset.call(by, "freeze", (bob, true))).succeeded();
    registry.chain.run(force(bob, 1, abroad)).reverted_with("ReceiverFrozen");
    // Locked tokens stay locked.
    let until_ms = registry.chain.time_ms() + 50_000;
    let issue = asset.call(registry.issuer, "issue_locked", (carol, 30u128, NORWAY, until_ms));
    registry.chain.run(issue).succeeded();
    let [dave, _] = registry.chain.accounts(["dave", "owner"]);
    registry.chain.run(registry.register(dave, JAPAN)).succeeded();
    let force = |amount: u128, until_ms: u64| {
        let args = (carol, dave, amount, abroad, until_ms, "inheritance");
        asset.call(by, "force_locked", args)
    };
    registry.chain.run(force(31, until_ms)).reverted_with("InsufficientBalance");
    registry.chain.run(force(1, until_ms + 1)).reverted_with("InsufficientBalance");
    registry.chain.run(force(20, until_ms)).succeeded().event("Forced");
    let held = |who: Address| registry.chain.query::<u128>(asset, "locked_until", (who, until_ms));
    assert_eq!([carol, dave].map(held), [10, 20]);
    registry.refused(dave, carol, 1, (JAPAN, NORWAY), "LockedUp");
}

#[test]
fn a_holder_moves_to_another_country_with_all_that_they_have() {
    let (mut registry, [alice, ..]) = registry();
    let asset = registry.asset;
    let until_ms = registry.chain.time_ms() + 50_000;
    let issue = asset.call(registry.issuer, "issue_locked", (alice, 30u128, NORWAY, until_ms));
    registry.chain.run(issue).succeeded();
    let relocate = |registry: &Registry, countries: (u16, u16)| {
        asset.call(registry.registrar, "relocate", (alice, countries))
    };
    registry.chain.run(relocate(&registry, (JAPAN, NORWAY))).reverted_with("WrongCountry");
    let small = registry.set_country(JAPAN, true, 1_029);
    registry.chain.run(small).succeeded();
    registry.chain.run(relocate(&registry, (NORWAY, JAPAN))).reverted_with("CountryLimit");
    let enough = registry.set_country(JAPAN, true, 1_030);
    registry.chain.run(enough).succeeded();
    registry.chain.run(relocate(&registry, (NORWAY, JAPAN))).succeeded();
    let room = COUNTRIES
        .map(|country| registry.chain.query::<((bool, u128), u128)>(asset, "country", country).1);
    assert_eq!(room, [COUNTRY_LIMIT, 0]);
    let identity = registry.chain.query::<Option<Identity>>(asset, "identity_of", alice);
    assert_eq!(identity.map(|identity| identity.0), Some(JAPAN));
    let again = registry.register(alice, JAPAN);
    registry.chain.run(again).reverted_with("AlreadyRegistered");
}

fn address(value: &Value) -> Address {
    match value {
        Value::Address(address) => *address,
        other => panic!("{other} is no address"),
    }
}

/// Who sent what to whom, from the events of a block.
fn export(block: &Block) -> Vec<(Address, Address, u128)> {
    let events = block.calls.iter().flat_map(|ran| ran.events());
    let transfers = events.filter(|event| event.name == "Transfer");
    let rows = transfers.map(|event| {
        let amount = event["amount"].to_string().parse().expect("it is a number");
        (address(&event["from"]), address(&event["to"]), amount)
    });
    rows.collect()
}

#[test]
fn balances_follow_from_the_events_of_a_period() {
    let mut registry = Registry::new(4);
    let holders = registry.holders(40);
    let country = |at: usize| COUNTRIES[at % 2];
    let issued: Vec<Call> =
        (0..40).map(|at| registry.issue(holders[at], 10_000, country(at))).collect();
    registry.chain.block(issued).succeeded();
    // The period starts here: all balances are noted once.
    let noted = |registry: &Registry| -> BTreeMap<Address, u128> {
        holders.iter().map(|holder| (*holder, registry.balance(*holder))).collect()
    };
    let mut rebuilt = noted(&registry);
    let mut dice = tollway_testkit::Dice::new(5);
    let mut rows = 0;
    for _ in 0..10 {
        let until_ms = registry.chain.time_ms() + 3_000;
        let calls: Vec<Call> = (0..80)
            .map(|_| {
                let [from, to] = [(); 2].map(|()| dice.below(40) as usize);
                let countries = (country(from), country(to));
                let (from, to, amount) =
                    (holders[from], holders[to], u128::from(dice.between(1, 6_000)));
                let asset = registry.asset;
                match dice.below(20) {
                    0 => asset.call(from, "redeem", (amount, countries.0)),
                    1 => registry.issue(to, amount, countries.1),
                    2 => asset.call(
                        registry.issuer,
                        "issue_locked",
                        (to, amount, countries.1, until_ms),
                    ),
                    3 => asset.call(
                        registry.controller,
                        "force_transfer",
                        (from, to, amount, countries, "order"),
                    ),
                    4 => asset.call(from, "release", (to, until_ms - 3_000)),
                    _ => registry.transfer(from, to, amount, countries),
                }
            })
            .collect();
        let block = registry.chain.block(calls);
        block.assert_no_misses();
        for (from, to, amount) in export(&block) {
            rows += 1;
            if from != Address::ZERO {
                let balance = rebuilt.get_mut(&from).expect("it is a holder");
                *balance = balance.checked_sub(amount).expect("nobody sends what they lack");
            }
            if to != Address::ZERO {
                *rebuilt.get_mut(&to).expect("it is a holder") += amount;
            }
        }
    }
    assert!(rows > 500, "{rows} transfers");
    assert_eq!(rebuilt, noted(&registry));
    let supply = registry.chain.query::<u128>(registry.asset, "total_supply", ());
    assert_eq!(rebuilt.values().sum::<u128>(), supply);
}

#[test]
fn transfers_run_side_by_side() {
    let mut registry = Registry::new(4);
    let holders = registry.holders(300);
    let country = |at: usize| COUNTRIES[at % 2];
    let issued: Vec<Call> =
        (0..300).map(|at| registry.issue(holders[at], 1_000, country(at))).collect();
    let block = registry.chain.block(issued);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // Everybody sends three times, to others at home and abroad, and to one holder of all.
    let calls: Vec<Call> = (0..900)
        .map(|number| {
            let from = number % 300;
            let to = match number / 300 {
                0 => (from + 1) % 300,
                1 => (from + 2) % 300,
                _ => 7,
            };
            registry.transfer(holders[from], holders[to], 10, (country(from), country(to)))
        })
        .collect();
    let block = registry.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // What rules read is what they wait for.
    let send = registry.transfer(holders[0], holders[1], 1, (NORWAY, JAPAN));
    let asset = registry.asset;
    let freeze = |at: usize| asset.call(registry.controller, "freeze", (holders[at], true));
    registry.chain.assert_conflicting(&freeze(1), &send);
    registry.chain.assert_independent(&freeze(2), &send);
    let close = registry.set_country(JAPAN, false, COUNTRY_LIMIT);
    registry.chain.assert_conflicting(&close, &send);
    let until_ms = registry.chain.time_ms() + 100_000;
    let locked = |at: usize| {
        asset.call(registry.issuer, "issue_locked", (holders[at], 1u128, country(at), until_ms))
    };
    registry.chain.assert_conflicting(&locked(0), &send);
    registry.chain.assert_independent(&locked(1), &send);
    registry.chain.assert_independent(&registry.issue(holders[0], 1, NORWAY), &send);
}

#[test]
fn methods_keep_their_budget() {
    let (mut registry, [alice, bob, carol]) = registry();
    let asset = registry.asset;
    let abroad = (NORWAY, JAPAN);
    let until_ms = registry.chain.time_ms() + 5_000;
    let issue = asset.call(registry.issuer, "issue_locked", (carol, 30u128, NORWAY, until_ms));
    registry.chain.run(issue).succeeded();
    let (controller, expires_ms) = (registry.controller, registry.expires_ms);
    let calls = [
        registry.transfer(alice, bob, 5, abroad),
        asset.call(alice, "redeem", (5u128, NORWAY)),
        asset.call(controller, "force_transfer", (alice, bob, 5u128, abroad, "court order")),
        asset.call(
            controller,
            "force_locked",
            (carol, bob, 5u128, abroad, until_ms, "court order"),
        ),
        asset.call(controller, "freeze", (bob, true)),
        asset.call(registry.registrar, "renew", (bob, expires_ms)),
        asset.call(registry.registrar, "set_limit", (bob, HOLDER_LIMIT + 1)),
        asset.call(registry.registrar, "relocate", (bob, (JAPAN, NORWAY))),
    ];
    registry.chain.block(calls).succeeded();
    // What only failures read.
    let too_much = [
        registry.transfer(alice, carol, HOLDER_LIMIT, (NORWAY, NORWAY)),
        asset.call(alice, "redeem", (HOLDER_LIMIT, NORWAY)),
        asset.call(
            controller,
            "force_transfer",
            (alice, carol, HOLDER_LIMIT, (NORWAY, NORWAY), ""),
        ),
        asset.call(alice, "why_refused", (alice, carol, HOLDER_LIMIT, (NORWAY, NORWAY))),
    ];
    registry.chain.block(too_much);
    let [dave, _] = registry.chain.accounts(["dave", "owner"]);
    registry.chain.run(registry.register(dave, JAPAN)).succeeded();
    let told = asset.call(alice, "why_refused", (alice, dave, 1u128, abroad));
    registry.chain.run(told).succeeded();
    registry.chain.pass_ms(10_000);
    let views = [
        asset.call(bob, "release", (carol, until_ms)),
        asset.call(bob, "why_refused", (alice, carol, 1u128, (NORWAY, NORWAY))),
        asset.call(bob, "balance_of", alice),
        asset.call(bob, "locked_of", alice),
        asset.call(bob, "locked_until", (alice, until_ms)),
        asset.call(bob, "identity_of", alice),
        asset.call(bob, "country", NORWAY),
        asset.call(bob, "has_role", (ISSUER, alice)),
        asset.call(bob, "total_supply", ()),
    ];
    registry.chain.block(views).succeeded();
    println!("{}\n{}", registry.chain.figures(), registry.chain.lints());
    registry.chain.assert_all_used();
    budget::check(
        registry.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
