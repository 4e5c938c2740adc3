//! What an account promises, who waits for whom, and what it costs.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use support::Signer;
use tollway_contract_account::account::{
    Action, DOMAIN, FIRST, Keys, Message, Payment, Recovery, SECOND, Ticket,
};
use tollway_contracts_wasm::{ACCOUNT, TOKEN};
use tollway_sdk::crypto::PublicKey;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config, Gas, Instantiate, Runtime};
use tollway_testkit::{Contract, Dice, TestChain, budget};

const CHAIN: u64 = 42;
const LIMIT: u128 = 100;
const PERIOD_MS: u64 = 24 * 60 * 60 * 1_000;
const DELAY_MS: u64 = 3 * PERIOD_MS;
const FUNDS: u128 = 1_000_000;

/// A chain with an account that holds tokens, and whose current period is open.
struct Set {
    chain: TestChain,
    token: Contract,
    account: Contract,
    first: Signer,
    second: Signer,
    guardians: Vec<Address>,
    /// Who sends calls, and has no right to anything.
    anyone: Address,
    shop: Address,
    nonce: u64,
}

impl Set {
    fn new() -> Self {
        Self::of([0, 2], Config { threads: 4, ..Config::default() })
    }

    fn of(kinds: [usize; 2], config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let [mint, anyone, shop] = chain.accounts(["mint", "anyone", "shop"]);
        let guardians = chain.accounts(["carol", "dave", "erin"]).to_vec();
        let token = chain.deploy(TOKEN, &mint);
        let (first, second) = (Signer::new(kinds[0], "first"), Signer::new(kinds[1], "second"));
        let keys = Keys { first: first.key(), second: second.key() };
        let account = deploy(&mut chain, token, CHAIN, (keys, guardians.clone()));
        chain.also_native(token, &tollway_contract_token::token::NATIVE);
        chain.also_native(account, &tollway_contract_account::account::NATIVE);
        chain.run(token.call(mint, "mint", (account.address, FUNDS))).succeeded();
        let mut set =
            Self { chain, token, account, first, second, guardians, anyone, shop, nonce: 0 };
        let today = set.period();
        set.run("open", vec![today]).succeeded();
        set
    }

    /// The period of the next block.
    fn period(&self) -> u64 {
        (self.chain.time_ms() + 1_000) / PERIOD_MS
    }

    fn ticket(&mut self) -> Ticket {
        self.nonce += 1;
        Ticket { nonce: self.nonce, valid_until_ms: self.chain.time_ms() + 60_000 }
    }

    fn message(&self, ticket: Ticket, action: Action) -> Message {
        let account = self.account.address;
        Message { domain: DOMAIN, chain: CHAIN, account, ticket, action }
    }

    fn signer(&self, factor: u8) -> &Signer {
        if factor == FIRST { &self.first } else { &self.second }
    }

    fn call(&self, method: &str, args: impl borsh::BorshSerialize) -> Call {
        self.account.call(self.anyone, method, args)
    }

    fn run(&mut self, method: &str, args: impl borsh::BorshSerialize) -> tollway_testkit::Ran {
        let call = self.call(method, args);
        self.chain.run(call)
    }

    fn payment(&self, amount: u128) -> Payment {
        Payment { to: self.shop, amount }
    }

    /// A payment by one factor, now.
    fn pay(&mut self, amount: u128, factor: u8) -> Call {
        let (ticket, payment, period) = (self.ticket(), self.payment(amount), self.period());
        let message = self.message(ticket, Action::Pay { payment, period });
        let signature = self.signer(factor).sign(&message);
        self.call("pay", (payment, period, ticket, factor, signature))
    }

    fn both(&self, message: &Message) -> ([u8; 64], [u8; 64]) {
        (self.first.sign(message), self.second.sign(message))
    }

    fn pay_both(&mut self, amount: u128) -> Call {
        let (ticket, payment) = (self.ticket(), self.payment(amount));
        let (first, second) = self.both(&self.message(ticket, Action::PayBoth(payment)));
        self.call("pay_both", (payment, ticket, first, second))
    }

    fn revoke(&mut self, factor: u8, by: u8) -> Call {
        let ticket = self.ticket();
        let signature = self.signer(by).sign(&self.message(ticket, Action::Revoke(factor)));
        self.call("revoke", (factor, ticket, by, signature))
    }

    fn replace(&mut self, factor: u8, key: PublicKey) -> Call {
        let ticket = self.ticket();
        let (first, second) = self.both(&self.message(ticket, Action::Replace { factor, key }));
        self.call("replace", (factor, key, ticket, first, second))
    }

    fn cancel(&mut self, keys: Keys) -> Call {
        let ticket = self.ticket();
        let (first, second) = self.both(&self.message(ticket, Action::Cancel(keys)));
        self.call("cancel", (ticket, first, second))
    }

    /// Has so many guardians want these keys.
    fn support(&mut self, keys: Keys, count: usize) {
        for guardian in &self.guardians[..count] {
            self.chain.run(self.account.call(*guardian, "support", keys)).succeeded();
        }
    }

    fn held(&self, by: Address) -> u128 {
        self.chain.query(self.token, "balance_of", by)
    }

    fn left(&self) -> Option<u128> {
        self.chain.query(self.account, "left", self.period())
    }
}

fn deploy(
    chain: &mut TestChain,
    token: Contract,
    number: u64,
    init: (Keys, Vec<Address>),
) -> Contract {
    let creator = chain.account("owner");
    let immutables = (token.address, number, LIMIT, PERIOD_MS, DELAY_MS, 2u32);
    chain.deploy_by(creator, ACCOUNT, &immutables, init)
}

fn other_keys() -> Keys {
    Keys { first: Signer::new(1, "new first").key(), second: Signer::new(0, "new second").key() }
}

#[test]
fn one_factor_spends_up_to_the_limit() {
    for factor in [FIRST, SECOND] {
        let mut set = Set::new();
        let (small, rest, more) =
            (set.pay(30, factor), set.pay(70, 1 - factor), set.pay(1, factor));
        let paid = set.chain.run(small).succeeded().event("Paid");
        assert_eq!(
            (paid["amount"].to_string(), paid["nonce"].to_string()),
            ("30".into(), "1".into())
        );
        // The limit is that of both factors together.
        let over = set.pay(71, factor);
        set.chain.run(over).reverted_with("OverLimit");
        set.chain.run(rest).succeeded();
        set.chain.run(more).reverted_with("OverLimit");
        assert_eq!(set.left(), Some(0));
        assert_eq!(set.held(set.shop), LIMIT);
        // The next period has its own; nothing is to be had from one that nobody opened.
        set.chain.pass_ms(PERIOD_MS);
        assert_eq!(set.left(), None);
        let early = set.pay(1, factor);
        set.chain.run(early).reverted_with("OverLimit");
        let today = set.period();
        set.run("open", vec![today, today, today + 1]).succeeded();
        set.run("open", vec![today]).succeeded();
        assert_eq!(set.left(), Some(LIMIT));
        let fits = set.pay(LIMIT, factor);
        set.chain.run(fits).succeeded();
    }
}

#[test]
fn periods_are_the_running_one_and_those_ahead() {
    let mut set = Set::new();
    let today = set.period();
    for wrong in [today - 1, today + 401, u64::MAX, 0] {
        set.run("open", vec![today + 1, wrong]).reverted_with("WrongPeriod");
        assert_eq!(set.chain.query::<Option<u128>>(set.account, "left", today + 1), None);
    }
    set.run("open", vec![today + 400]).succeeded();
    // What a period ahead or behind would allow is of no use today.
    for period in [today - 1, today + 400] {
        let (ticket, payment) = (set.ticket(), set.payment(1));
        let message = set.message(ticket, Action::Pay { payment, period });
        let signature = set.first.sign(&message);
        set.run("pay", (payment, period, ticket, FIRST, signature)).reverted_with("WrongPeriod");
    }
}

#[test]
fn both_factors_pass_the_limit_and_one_does_not() {
    let mut set = Set::new();
    let large = set.pay_both(LIMIT + 1);
    set.chain.run(large).succeeded();
    assert_eq!(set.held(set.shop), LIMIT + 1);
    assert_eq!(set.left(), Some(LIMIT), "what both spend is not counted");
    // One factor, for itself and for the other.
    let (ticket, payment) = (set.ticket(), set.payment(LIMIT + 1));
    let message = set.message(ticket, Action::PayBoth(payment));
    let (first, second) = set.both(&message);
    for (a, b) in [(first, first), (second, second), (second, first)] {
        set.run("pay_both", (payment, ticket, a, b)).reverted_with("BadSignature");
    }
    // Nor by what was signed for a payment within the limit.
    let period = set.period();
    let small = set.message(ticket, Action::Pay { payment, period });
    let (first, second) = set.both(&small);
    set.run("pay_both", (payment, ticket, first, second)).reverted_with("BadSignature");
    assert_eq!(set.held(set.shop), LIMIT + 1);
}

#[test]
fn every_kind_of_key_signs() {
    for kinds in [[0, 1], [1, 2], [2, 0], [1, 1]] {
        let mut set = Set::of(kinds, Config { threads: 2, ..Config::default() });
        let calls = [set.pay(1, FIRST), set.pay(1, SECOND), set.pay_both(500)];
        set.chain.block(calls).succeeded();
        assert_eq!(set.held(set.shop), 502);
    }
}

#[test]
fn a_message_is_good_once_and_here() {
    let mut set = Set::new();
    let pay = set.pay(1, FIRST);
    // In one block, and later.
    let ran = set.chain.block([pay.clone(), pay.clone()]).calls;
    ran[0].succeeded();
    ran[1].reverted_with("Replayed");
    set.chain.run(pay.clone()).reverted_with("Replayed");
    assert!(set.chain.query::<bool>(set.account, "is_used", 1u64));
    // Numbers need not follow each other, and one of a call that failed is still good.
    set.nonce = u64::MAX - 1;
    let last = set.pay(1, FIRST);
    set.nonce = 1;
    let over = set.pay(LIMIT + 1, FIRST);
    set.nonce = 1;
    let fits = set.pay(2, FIRST);
    set.chain.run(last).succeeded();
    set.chain.run(over).reverted_with("OverLimit");
    set.chain.run(fits).succeeded();

    // Another account with the same keys, and one of another chain.
    let keys = Keys { first: set.first.key(), second: set.second.key() };
    let period = set.period();
    for number in [CHAIN, CHAIN + 1] {
        let other = deploy(&mut set.chain, set.token, number, (keys, set.guardians.clone()));
        set.chain.run(other.call(set.anyone, "open", vec![period])).succeeded();
        let elsewhere = Call { contract: other.address, ..pay.clone() };
        set.chain.run(elsewhere).reverted_with("BadSignature");
    }
    let (ticket, payment) = (set.ticket(), set.payment(1));
    let message = set.message(ticket, Action::Pay { payment, period });
    let elsewhere = set.first.sign(&Message { chain: CHAIN + 1, ..message });
    set.run("pay", (payment, period, ticket, FIRST, elsewhere)).reverted_with("BadSignature");
}

#[test]
fn what_was_signed_is_what_is_done() {
    let mut set = Set::new();
    let (ticket, payment, period) = (set.ticket(), set.payment(5), set.period());
    let signature = set.first.sign(&set.message(ticket, Action::Pay { payment, period }));
    let thief = set.anyone;
    for (payment, ticket, factor) in [
        (Payment { to: thief, ..payment }, ticket, FIRST),
        (Payment { amount: 6, ..payment }, ticket, FIRST),
        (payment, Ticket { nonce: 99, ..ticket }, FIRST),
        (payment, Ticket { valid_until_ms: u64::MAX, ..ticket }, FIRST),
        (payment, ticket, SECOND),
    ] {
        set.run("pay", (payment, period, ticket, factor, signature)).reverted_with("BadSignature");
    }
    set.run("pay", (payment, period, ticket, 2u8, signature)).reverted_with("NoKey");
    let mut broken = signature;
    broken[40] ^= 1;
    set.run("pay", (payment, period, ticket, FIRST, broken)).reverted_with("BadSignature");
    set.chain.pass_ms(60_000);
    set.run("pay", (payment, set.period(), ticket, FIRST, signature)).reverted_with("Expired");
    assert_eq!(set.held(set.shop) + set.held(thief), 0);
}

#[test]
fn the_message_is_laid_out_as_documented() {
    let set = Set::new();
    let ticket = Ticket { nonce: 7, valid_until_ms: 8 };
    let payment = set.payment(9);
    let bytes = borsh::to_vec(&set.message(ticket, Action::Pay { payment, period: 3 })).unwrap();
    let expected = [
        b"tollway account v1",
        &CHAIN.to_le_bytes()[..],
        &set.account.address.0,
        &7u64.to_le_bytes(),
        &8u64.to_le_bytes(),
        &[0],
        &set.shop.0,
        &9u128.to_le_bytes(),
        &3u64.to_le_bytes(),
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn a_revoked_key_is_dead_at_once() {
    for (dead, by) in [(FIRST, SECOND), (SECOND, FIRST), (FIRST, FIRST)] {
        let mut set = Set::new();
        let alive = 1 - dead;
        let before = set.pay(1, dead);
        let revoke = set.revoke(dead, by);
        let after = [set.pay(1, dead), set.pay_both(1), set.pay(1, alive)];
        let [pay, both, other] = after;
        let ran = set.chain.block([before, revoke, pay, both, other]).calls;
        ran[0].succeeded();
        ran[1].succeeded().event("KeyChanged");
        ran[2].reverted_with("NoKey");
        ran[3].reverted_with("NoKey");
        ran[4].succeeded();
        assert_eq!(set.chain.query::<Option<PublicKey>>(set.account, "key", dead), None);
        // Nothing brings it back but guardians.
        for call in [set.replace(dead, set.signer(dead).key()), set.revoke(alive, dead)] {
            set.chain.run(call).reverted_with("NoKey");
        }
        let again = set.revoke(dead, alive);
        set.chain.run(again).reverted_with("NoKey");
    }
}

#[test]
fn a_key_is_replaced_by_both() {
    let mut set = Set::new();
    let new = Signer::new(1, "another");
    // One factor can't, nor can a key become both.
    let ticket = set.ticket();
    let message = set.message(ticket, Action::Replace { factor: FIRST, key: new.key() });
    let (first, second) = set.both(&message);
    for (a, b) in [(first, first), (second, second)] {
        set.run("replace", (FIRST, new.key(), ticket, a, b)).reverted_with("BadSignature");
    }
    let same = set.replace(FIRST, set.second.key());
    set.chain.run(same).reverted_with("SameKey");
    let nowhere = set.replace(2, new.key());
    set.chain.run(nowhere).reverted_with("NoKey");

    let old = set.pay(1, FIRST);
    set.run("replace", (FIRST, new.key(), ticket, first, second)).succeeded();
    set.chain.run(old).reverted_with("BadSignature");
    set.first = new;
    let calls = [set.pay(1, FIRST), set.pay_both(200)];
    set.chain.block(calls).succeeded();
}

#[test]
fn guardians_recover_after_the_delay() {
    let mut set = Set::new();
    let keys = other_keys();
    let recover = (keys, set.guardians.clone());
    set.run("support", keys).reverted_with("NotGuardian");
    set.run("recover", &recover).reverted_with("TooFew");
    set.support(keys, 1);
    // One of them named twice is one, and who is none counts for nothing.
    let (one, anyone) = (set.guardians[0], set.anyone);
    set.run("recover", (keys, vec![one, one, anyone])).reverted_with("TooFew");
    // Another who wants something else does not count.
    let others = Keys { first: keys.second, second: keys.first };
    let support = set.account.call(set.guardians[1], "support", others);
    set.chain.run(support).succeeded();
    set.run("recover", &recover).reverted_with("TooFew");
    set.support(keys, 2);
    let same = Keys { first: keys.first, second: keys.first };
    let support = set.account.call(set.guardians[1], "support", same);
    set.chain.run(support).reverted_with("SameKey");

    set.run("finish", ()).reverted_with("NoRecovery");
    set.run("recover", &recover).succeeded().event("RecoveryStarted");
    let ready_ms = set.chain.time_ms() + DELAY_MS;
    let waiting = set.chain.query::<Option<Recovery>>(set.account, "recovery", ());
    assert_eq!(waiting, Some(Recovery { keys, ready_ms }));
    // Nobody can put it off by starting it again.
    set.support(keys, 2);
    set.run("recover", &recover).reverted_with("Waiting");
    // The old keys work until it is finished, to the last millisecond.
    set.chain.pass_ms(ready_ms - set.chain.time_ms() - 2_000);
    let today = set.period();
    set.run("finish", ()).reverted_with("TooEarly");
    set.run("open", vec![today]).succeeded();
    assert_eq!(set.chain.time_ms(), ready_ms);
    let old = set.pay(1, SECOND);
    set.chain.run(old.clone()).succeeded();
    let (late, both) = (set.pay(1, SECOND), set.pay_both(1));
    let ran = set.chain.block([set.call("finish", ()), late, both]).calls;
    ran[0].succeeded();
    ran[1].reverted_with("BadSignature");
    ran[2].reverted_with("BadSignature");
    (set.first, set.second) = (Signer::new(1, "new first"), Signer::new(0, "new second"));
    let calls = [set.pay(1, FIRST), set.pay(1, SECOND), set.pay_both(1_000)];
    set.chain.block(calls).succeeded();
    set.run("finish", ()).reverted_with("NoRecovery");
}

#[test]
fn both_keys_stop_a_recovery_and_one_does_not() {
    let mut set = Set::new();
    let keys = other_keys();
    let early = set.cancel(keys);
    set.chain.run(early).reverted_with("NoRecovery");
    set.support(keys, 2);
    let recover = (keys, set.guardians.clone());
    set.run("recover", &recover).succeeded();
    // A thief with one key.
    let ticket = set.ticket();
    let (first, second) = set.both(&set.message(ticket, Action::Cancel(keys)));
    for (a, b) in [(first, first), (second, second)] {
        set.run("cancel", (ticket, a, b)).reverted_with("BadSignature");
    }
    // What is signed for another recovery.
    let wrong = set.cancel(Keys { first: keys.second, second: keys.first });
    set.chain.run(wrong).reverted_with("BadSignature");
    set.run("cancel", (ticket, first, second)).succeeded().event("RecoveryCancelled");
    set.run("finish", ()).reverted_with("NoRecovery");
    // What guardians wanted is used up; they would have to want it again.
    set.run("recover", &recover).reverted_with("TooFew");
    set.support(keys, 2);
    set.run("recover", &recover).succeeded();
    set.run("cancel", (ticket, first, second)).reverted_with("Replayed");
    // Guardians may change their minds; the delay begins anew.
    let others = Keys { first: keys.second, second: keys.first };
    set.support(others, 3);
    set.chain.pass_ms(DELAY_MS - 2_000);
    set.run("recover", (others, set.guardians.clone())).succeeded();
    set.chain.pass_ms(5_000);
    set.run("finish", ()).reverted_with("TooEarly");
    let stop = set.cancel(others);
    set.chain.run(stop).succeeded();
}

#[test]
fn an_account_needs_sound_terms() {
    let config = Config { threads: 1, ..Config::default() };
    let mut runtime = Runtime::new(config).expect("the runtime starts");
    let code = runtime.upload(ACCOUNT).expect("the module is sound");
    let keys = other_keys();
    let (creator, token) = (Address::from_u64(1), Address::from_u64(2));
    let mut salt = 0;
    let mut refused = |keys: Keys, period_ms: u64, threshold: u32, guardians: &[Address]| {
        salt += 1;
        let request = Instantiate {
            code,
            creator,
            salt,
            immutables: borsh::to_vec(&(token, CHAIN, LIMIT, period_ms, DELAY_MS, threshold))
                .unwrap(),
            args: borsh::to_vec(&(keys, guardians)).unwrap(),
            gas_limit: Gas(10_000_000),
        };
        runtime.instantiate(request).is_err()
    };
    let guardians = [creator, token];
    assert!(!refused(keys, PERIOD_MS, 2, &guardians));
    assert!(refused(Keys { first: keys.second, ..keys }, PERIOD_MS, 2, &guardians));
    assert!(refused(keys, 0, 2, &guardians));
    assert!(refused(keys, PERIOD_MS, 0, &guardians));
    assert!(refused(keys, PERIOD_MS, 3, &guardians));
    assert!(refused(keys, PERIOD_MS, 2, &[creator, creator]), "one guardian is one");
}

#[test]
fn payments_of_one_account_run_side_by_side() {
    let mut set = Set::new();
    let calls: Vec<Call> = (0..200)
        .map(|number| match number % 20 {
            0 => set.pay_both(1_000),
            _ => set.pay(u128::from(number % 2 == 1), (number % 2) as u8),
        })
        .collect();
    let paid = set.chain.block(calls);
    paid.succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(set.left(), Some(0));

    let (a, b) = (set.pay(1, FIRST), set.pay(1, SECOND));
    set.chain.assert_independent(&a, &b);
    set.chain.assert_conflicting(&a, &a);
    let revoke = set.revoke(FIRST, SECOND);
    set.chain.assert_conflicting(&a, &revoke);
    set.chain.assert_independent(&b, &revoke);
    let today = set.period();
    let open = set.call("open", vec![today + 1]);
    set.chain.assert_independent(&a, &open);
    let guardian = set.guardians[0];
    let support = set.account.call(guardian, "support", other_keys());
    set.chain.assert_independent(&a, &support);
}

/// What an account should do, told once more.
struct Model {
    left: BTreeMap<u64, u128>,
    used: BTreeSet<u64>,
    held: u128,
    by_one: BTreeMap<u64, u128>,
}

impl Model {
    fn pay(&mut self, amount: u128, period: u64, nonce: u64) -> bool {
        let left = self.left.get(&period).copied().unwrap_or(0);
        let is_good = !self.used.contains(&nonce) && amount <= left && amount <= self.held;
        if is_good {
            self.used.insert(nonce);
            self.left.insert(period, left - amount);
            *self.by_one.entry(period).or_default() += amount;
            self.held -= amount;
        }
        is_good
    }

    fn pay_both(&mut self, amount: u128, nonce: u64) -> bool {
        let is_good = !self.used.contains(&nonce) && amount <= self.held;
        if is_good {
            self.used.insert(nonce);
            self.held -= amount;
        }
        is_good
    }
}

/// 10,000 calls: seven in ten are payments by one factor, one by both, one has a signature of
/// somebody else, one is anything. More than half of all succeed.
#[test]
fn nothing_passes_the_limit_and_no_token_is_lost() {
    let mut done = 0;
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut set = Set::of([0, 1], Config { threads, ..Config::default() });
        let mut model = Model {
            left: BTreeMap::from([(set.period(), LIMIT)]),
            used: BTreeSet::new(),
            held: FUNDS,
            by_one: BTreeMap::new(),
        };
        let mut dice = Dice::new(seed as u64 + 1);
        let mut anything = RandomCalls::new(&set.chain, seed as u64, [set.account]).without_views();
        for _ in 0..25 {
            if dice.below(3) == 0 {
                set.chain.pass_ms(PERIOD_MS / 2);
            }
            let today = set.period();
            set.run("open", vec![today]).succeeded();
            model.left.entry(today).or_insert(LIMIT);
            // A block's time is one second later, and may be in the next period; none is here.
            assert_eq!(set.period(), today);
            let mut calls = Vec::new();
            let mut expected = Vec::new();
            for _ in 0..100 {
                // Now and then a number that was used.
                let stay = set.nonce;
                if stay > 10 && dice.below(20) == 0 {
                    set.nonce = stay - 1 - dice.below(8);
                }
                let nonce = set.nonce + 1;
                match dice.below(10) {
                    0..7 => {
                        let amount = u128::from(dice.below(4) == 0);
                        calls.push(set.pay(amount, dice.below(2) as u8));
                        expected.push(Some(model.pay(amount, today, nonce)));
                    }
                    7 => {
                        let amount = u128::from(dice.below(500));
                        calls.push(set.pay_both(amount));
                        expected.push(Some(model.pay_both(amount, nonce)));
                    }
                    8 => {
                        let honest = set.first.clone();
                        set.first = Signer::new(0, "thief");
                        calls.push(set.pay(1, FIRST));
                        set.first = honest;
                        expected.push(Some(false));
                    }
                    _ => {
                        calls.extend(anything.take(1));
                        expected.push(None);
                    }
                }
                set.nonce = set.nonce.max(stay);
            }
            let block = set.chain.block(calls);
            block.assert_no_misses();
            for (call, expected) in block.calls.iter().zip(expected) {
                let is_success = call.receipt.is_success();
                done += usize::from(is_success);
                if let Some(expected) = expected {
                    assert_eq!(is_success, expected, "{call}");
                }
            }
            assert_eq!(set.held(set.account.address), model.held);
            assert_eq!(set.held(set.shop), FUNDS - model.held);
            assert_eq!(set.left(), model.left.get(&today).copied());
            assert!(model.by_one.values().all(|spent| *spent <= LIMIT), "{:?}", model.by_one);
        }
    }
    assert!(done > 5_000, "only {done} of 10,000 calls did something");
}

#[test]
fn methods_keep_their_budget() {
    let mut set = Set::of([0, 2], Config { threads: 2, ..Config::default() });
    let calls = [set.pay(1, FIRST), set.pay(1, SECOND), set.pay_both(500)];
    set.chain.block(calls).succeeded();
    let keys = other_keys();
    set.support(keys, 2);
    set.run("recover", (keys, set.guardians.clone())).succeeded();
    let calls = [set.cancel(keys), set.replace(FIRST, keys.first)];
    set.chain.block(calls).succeeded();
    set.first = Signer::new(1, "new first");
    let revoke = set.revoke(SECOND, FIRST);
    set.chain.run(revoke).succeeded();
    set.support(keys, 2);
    set.run("recover", (keys, set.guardians.clone())).succeeded();
    set.chain.pass_ms(DELAY_MS);
    set.run("finish", ()).succeeded();
    for method in
        ["open", "pay", "pay_both", "replace", "revoke", "support", "recover", "cancel", "finish"]
    {
        set.chain.assert_declares_only_used(set.account, method);
    }
    println!("{}", set.chain.figures());
    assert!(ACCOUNT.len() <= 48 * 1024, "{} bytes", ACCOUNT.len());
    budget::check(set.chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}
