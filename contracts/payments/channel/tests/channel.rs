//! What channels promise, who waits for whom, and what they cost.

#[path = "../../account/tests/support/mod.rs"]
mod support;

use std::path::Path;
use support::Signer;
use tollway_contract_channel::channel::{
    Action, Channel, DOMAIN, Message, Name, Phase, Signatures, SignedState, State, Terms,
};
use tollway_contracts_wasm::{CHANNEL, TOKEN};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, Ran, TestChain, budget};

const CHAIN: u64 = 42;
const WINDOW_MS: u64 = 60 * 60 * 1_000;
const FUNDS: u128 = 1_000_000;
const TERMS: Terms = Terms { amount_a: 60, amount_b: 40, window_ms: WINDOW_MS };

/// A party: an account with tokens, all of which the contract may take, and a key.
#[derive(Clone)]
struct Party {
    account: Address,
    signer: Signer,
}

struct Set {
    chain: TestChain,
    token: Contract,
    channels: Contract,
    parties: Vec<Party>,
    /// Who has no part in anything.
    anyone: Address,
}

impl Set {
    fn new() -> Self {
        Self::of(2, Config { threads: 4, ..Config::default() })
    }

    fn of(parties: usize, config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let [mint, anyone] = chain.accounts(["mint", "anyone"]);
        let token = chain.deploy(TOKEN, &mint);
        let channels = chain.deploy(CHANNEL, &(token.address, CHAIN));
        chain.also_native(token, &tollway_contract_token::token::NATIVE);
        chain.also_native(channels, &tollway_contract_channel::channel::NATIVE);
        let mut setup = Vec::new();
        let parties = (0..parties).map(|number| {
            let name = format!("party {number}");
            let account = chain.account(&name);
            setup.push(token.call(mint, "mint", (account, FUNDS)));
            setup.push(token.call(account, "approve", (channels.address, u128::MAX)));
            Party { account, signer: Signer::new(number % 3, &name) }
        });
        let parties = parties.collect();
        chain.block(setup).succeeded();
        Self { chain, token, channels, parties, anyone }
    }

    fn name(&self, id: u64) -> Name {
        Name { a: self.parties[0].account, b: self.parties[1].account, id }
    }

    fn call(&self, by: Address, method: &str, args: impl borsh::BorshSerialize) -> Call {
        self.channels.call(by, method, args)
    }

    fn run(&mut self, by: usize, method: &str, args: impl borsh::BorshSerialize) -> Ran {
        let call = self.call(self.parties[by].account, method, args);
        self.chain.run(call)
    }

    /// A channel between the first two parties, open on the usual terms.
    fn opened(&mut self, id: u64) -> Name {
        let name = self.name(id);
        let (key_a, key_b) = (self.parties[0].signer.key(), self.parties[1].signer.key());
        self.run(0, "open", (name, TERMS, key_a)).succeeded();
        self.run(1, "join", (name, TERMS, key_b)).succeeded();
        name
    }

    fn message(&self, channel: Name, action: Action) -> Message {
        let contract = self.channels.address;
        Message { domain: DOMAIN, chain: CHAIN, contract, channel, action }
    }

    /// Signatures of the first two parties.
    fn sign(&self, message: &Message) -> Signatures {
        let [a, b] = [0, 1].map(|party: usize| self.parties[party].signer.sign(message));
        Signatures { a, b }
    }

    fn update(&self, channel: Name, state: State) -> SignedState {
        let signatures = self.sign(&self.message(channel, Action::Update(state)));
        SignedState { state, signatures }
    }

    fn end(&self, channel: Name, state: State) -> Signatures {
        self.sign(&self.message(channel, Action::Close(state)))
    }

    fn held(&self, by: Address) -> u128 {
        self.chain.query(self.token, "balance_of", by)
    }

    /// What the first two parties gained or lost, and what is locked.
    fn balances(&self) -> (i128, i128, u128) {
        let gained = |party: usize| self.held(self.parties[party].account) as i128 - FUNDS as i128;
        (gained(0), gained(1), self.held(self.channels.address))
    }

    fn channel(&self, name: Name) -> Option<Channel> {
        self.chain.query(self.channels, "channel", name)
    }
}

fn state(version: u64, amount_a: u128) -> State {
    State { version, amount_a, amount_b: 100 - amount_a }
}

#[test]
fn both_pay_in_and_close_at_once() {
    let mut set = Set::new();
    let name = set.opened(1);
    assert_eq!(set.balances(), (-60, -40, 100));
    let last = state(7, 25);
    let closed = set.chain.run(set.call(set.anyone, "close", (name, last, set.end(name, last))));
    assert_eq!(closed.succeeded().event("Closed")["amount_b"].to_string(), "75");
    assert_eq!(set.balances(), (-35, 35, 0));
    assert_eq!(set.channel(name).unwrap().phase, Phase::Closed);
    // Paid out once.
    let again = set.end(name, last);
    set.run(0, "close", (name, last, again)).reverted_with("WrongPhase");
    set.run(0, "start", (name, None::<SignedState>)).reverted_with("WrongPhase");
    set.run(0, "settle", name).reverted_with("WrongPhase");
    set.run(0, "withdraw", name).reverted_with("WrongPhase");
}

#[test]
fn all_to_one_side_is_all() {
    for (amount, expected) in [(0, (-60, 60, 0)), (100, (40, -40, 0))] {
        let mut set = Set::new();
        let name = set.opened(1);
        let last = state(1, amount);
        let signatures = set.end(name, last);
        set.run(0, "close", (name, last, signatures)).succeeded();
        assert_eq!(set.balances(), expected);
    }
}

#[test]
fn an_offer_is_joined_on_its_terms_or_withdrawn() {
    let mut set = Set::new();
    let name = set.name(1);
    let (key_a, key_b) = (set.parties[0].signer.key(), set.parties[1].signer.key());
    set.run(1, "open", (name, TERMS, key_b)).reverted_with("NotParty");
    set.run(1, "join", (name, TERMS, key_b)).reverted_with("WrongPhase");
    let alone = Name { b: name.a, ..name };
    set.run(0, "open", (alone, TERMS, key_a)).reverted_with("BadTerms");
    let no_window = Terms { window_ms: 0, ..TERMS };
    set.run(0, "open", (name, no_window, key_a)).reverted_with("BadTerms");
    let too_much = Terms { amount_b: u128::MAX, ..TERMS };
    set.run(0, "open", (name, too_much, key_a)).reverted_with("BadTerms");
    let not_there = Terms { amount_a: FUNDS + 1, ..TERMS };
    set.run(0, "open", (name, not_there, key_a)).reverted_with("InsufficientBalance");
    assert_eq!(set.channel(name), None);

    set.run(0, "open", (name, TERMS, key_a)).succeeded().event("Offered");
    set.run(0, "open", (name, TERMS, key_a)).reverted_with("Taken");
    set.run(0, "join", (name, TERMS, key_b)).reverted_with("NotParty");
    set.run(1, "join", (name, TERMS, key_a)).reverted_with("BadTerms");
    for other in [
        Terms { amount_a: 59, ..TERMS },
        Terms { amount_b: 39, ..TERMS },
        Terms { window_ms: WINDOW_MS - 1, ..TERMS },
    ] {
        set.run(1, "join", (name, other, key_b)).reverted_with("OtherTerms");
    }
    // Nobody can close what is not open.
    let signatures = set.end(name, state(1, 50));
    set.run(0, "close", (name, state(1, 50), signatures)).reverted_with("WrongPhase");
    set.run(0, "start", (name, None::<SignedState>)).reverted_with("WrongPhase");
    set.run(1, "withdraw", name).reverted_with("NotParty");
    set.run(0, "withdraw", name).succeeded();
    assert_eq!(set.balances(), (0, 0, 0));
    // The name is used up, or states that were signed for it could come to life again.
    set.run(1, "join", (name, TERMS, key_b)).reverted_with("WrongPhase");
    set.run(0, "withdraw", name).reverted_with("WrongPhase");
    set.run(0, "open", (name, TERMS, key_a)).reverted_with("Taken");
    let other = set.opened(2);
    set.run(0, "withdraw", other).reverted_with("WrongPhase");
}

#[test]
fn one_side_closes_alone_after_the_window() {
    // With the last state, or with none if the other is silent from the start.
    for (latest, expected) in [(Some(state(3, 10)), (-50, 50, 0)), (None, (0, 0, 0))] {
        for by in [0, 1] {
            let mut set = Set::new();
            let name = set.opened(1);
            let latest = latest.map(|latest| set.update(name, latest));
            let outsider = set.call(set.anyone, "start", (name, latest));
            set.chain.run(outsider).reverted_with("NotParty");
            set.run(by, "start", (name, latest)).succeeded().event("Submitted");
            set.run(by, "start", (name, latest)).reverted_with("WrongPhase");
            set.run(by, "settle", name).reverted_with("TooEarly");
            // The block at the window's last millisecond is in it.
            set.chain.pass_ms(WINDOW_MS - 3_000 - 1);
            set.run(by, "settle", name).reverted_with("TooEarly");
            set.run(by, "settle", name).succeeded();
            assert_eq!(set.balances(), expected);
            set.run(by, "settle", name).reverted_with("WrongPhase");
        }
    }
}

#[test]
fn an_old_state_is_overridden_in_the_window() {
    let mut set = Set::new();
    let name = set.opened(1);
    let [first, second, third] =
        [state(1, 100), state(2, 80), state(9, 5)].map(|state| set.update(name, state));
    // a likes the first state best.
    set.run(0, "start", (name, Some(first))).succeeded();
    set.run(0, "dispute", (name, first)).reverted_with("OldState");
    set.run(1, "dispute", (name, second)).succeeded();
    // Anyone can watch for b.
    let watch = set.call(set.anyone, "dispute", (name, third));
    set.chain.run(watch).succeeded();
    for old in [first, second, third] {
        set.run(0, "dispute", (name, old)).reverted_with("OldState");
    }
    set.chain.pass_ms(WINDOW_MS);
    let later = set.update(name, state(10, 100));
    set.run(0, "dispute", (name, later)).reverted_with("TooLate");
    set.run(0, "settle", name).succeeded();
    assert_eq!(set.balances(), (-55, 55, 0));
}

#[test]
fn both_can_still_agree_in_the_window() {
    let mut set = Set::new();
    let name = set.opened(1);
    let old = set.update(name, state(5, 90));
    set.run(0, "start", (name, Some(old))).succeeded();
    // An agreement says what both want; its version does not matter.
    let last = state(0, 50);
    let signatures = set.end(name, last);
    set.run(1, "close", (name, last, signatures)).succeeded();
    assert_eq!(set.balances(), (-10, 10, 0));
    set.chain.pass_ms(WINDOW_MS);
    set.run(0, "settle", name).reverted_with("WrongPhase");
}

#[test]
fn what_is_forged_or_of_elsewhere_is_refused() {
    let mut set = Set::new();
    let (name, other) = (set.opened(1), set.opened(2));
    let state = state(4, 30);
    let good = set.message(name, Action::Update(state));
    let by_both = set.sign(&good);
    let elsewhere = [
        Message { channel: other, ..good },
        Message { channel: Name { a: name.b, b: name.a, id: 1 }, ..good },
        Message { chain: CHAIN + 1, ..good },
        Message { contract: set.token.address, ..good },
        Message { domain: *b"tollway account v1", ..good },
        Message { action: Action::Close(state), ..good },
        Message { action: Action::Update(State { version: 5, ..state }), ..good },
    ];
    let mut wrong: Vec<Signatures> = elsewhere.iter().map(|message| set.sign(message)).collect();
    wrong.push(Signatures { a: by_both.a, b: by_both.a });
    wrong.push(Signatures { a: by_both.b, b: by_both.b });
    wrong.push(Signatures { a: by_both.b, b: by_both.a });
    wrong.push(Signatures { a: [0; 64], b: [0; 64] });
    for signatures in wrong.iter().copied() {
        let forged = SignedState { state, signatures };
        set.run(0, "start", (name, Some(forged))).reverted_with("BadSignature");
    }
    // A state for each says nothing about the end, and the other way around.
    set.run(0, "close", (name, state, by_both)).reverted_with("BadSignature");
    // What both signed but gives out more or less than there is.
    for (amount_a, amount_b) in [(30, 71), (30, 69), (u128::MAX, 101), (0, 0)] {
        let state = State { version: 4, amount_a, amount_b };
        let (signed, end) = (set.update(name, state), set.end(name, state));
        set.run(0, "start", (name, Some(signed))).reverted_with("WrongSum");
        set.run(0, "close", (name, state, end)).reverted_with("WrongSum");
    }
    let zero = set.update(name, State { version: 0, ..state });
    set.run(0, "start", (name, Some(zero))).reverted_with("OldState");
    set.run(0, "start", (name, None::<SignedState>)).succeeded();
    for signatures in wrong {
        let forged = SignedState { state, signatures };
        set.run(0, "dispute", (name, forged)).reverted_with("BadSignature");
    }
    set.run(0, "dispute", (name, SignedState { state, signatures: by_both })).succeeded();
    // The other channel is as it was.
    assert!(matches!(set.channel(other).unwrap().phase, Phase::Open(_)));
}

#[test]
fn the_message_is_laid_out_as_documented() {
    let set = Set::new();
    let name = set.name(5);
    let bytes = borsh::to_vec(&set.message(name, Action::Close(state(3, 1)))).unwrap();
    let expected = [
        b"tollway channel v1",
        &CHAIN.to_le_bytes()[..],
        &set.channels.address.0,
        &name.a.0,
        &name.b.0,
        &5u64.to_le_bytes(),
        &[1],
        &3u64.to_le_bytes(),
        &1u128.to_le_bytes(),
        &99u128.to_le_bytes(),
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn channels_run_side_by_side() {
    let mut set = Set::of(200, Config { threads: 4, ..Config::default() });
    let pairs: Vec<[Party; 2]> =
        set.parties.chunks(2).map(|pair| [pair[0].clone(), pair[1].clone()]).collect();
    let names: Vec<Name> =
        (pairs.iter()).map(|[a, b]| Name { a: a.account, b: b.account, id: 1 }).collect();
    let pays_in = |party: &Party, method: &str, name: Name| {
        set.call(party.account, method, (name, TERMS, party.signer.key()))
    };
    let all = || pairs.iter().zip(&names);
    let opened: Vec<Call> = all().map(|([a, _], name)| pays_in(a, "open", *name)).collect();
    let joined: Vec<Call> = all().map(|([_, b], name)| pays_in(b, "join", *name)).collect();
    // Who opens two waits for his own allowance, as the token has it.
    let more = Name { id: 2, ..names[0] };
    set.chain.assert_conflicting(&opened[0], &pays_in(&pairs[0][0], "open", more));
    set.chain.block(opened).succeeded().assert_critical_path(1).assert_no_misses();
    set.chain.block(joined).succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(set.held(set.channels.address), 10_000);

    let closed = all().enumerate().map(|(number, ([a, b], name))| match number % 2 {
        0 => {
            let last = state(1, number as u128);
            let message = set.message(*name, Action::Close(last));
            let signatures = Signatures { a: a.signer.sign(&message), b: b.signer.sign(&message) };
            set.call(set.anyone, "close", (*name, last, signatures))
        }
        _ => set.call(a.account, "start", (*name, None::<SignedState>)),
    });
    let closed: Vec<Call> = closed.collect();
    set.chain.assert_independent(&closed[0], &closed[2]);
    set.chain.assert_conflicting(&closed[0], &closed[0]);
    set.chain.block(closed).succeeded().assert_critical_path(1).assert_no_misses();
    set.chain.pass_ms(WINDOW_MS);
    let settled = names.iter().skip(1).step_by(2);
    let settled: Vec<Call> = settled.map(|name| set.call(set.anyone, "settle", *name)).collect();
    set.chain.block(settled).succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(set.held(set.channels.address), 0);

    // Also channels of the same two parties.
    let (one, other) = (set.opened(7), set.opened(8));
    let start = |name: Name| set.call(name.a, "start", (name, None::<SignedState>));
    set.chain.assert_independent(&start(one), &start(other));
}

/// What a channel should be, told once more.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Offered,
    Open,
    Closing(State, u64),
    Closed,
}

/// 10,000 calls on channels of two parties: most make sense where their channel is, some are old
/// states, forgeries, calls at the wrong time or by the wrong account, one in twenty is anything.
/// Half of all succeed at least.
#[test]
fn what_goes_in_comes_out() {
    let mut done = 0;
    for (seed, threads) in [1, 2, 4, 8].into_iter().enumerate() {
        let mut set = Set::of(2, Config { threads, ..Config::default() });
        // The cheapest to check: what is tested here is the contract.
        for (number, party) in set.parties.iter_mut().enumerate() {
            party.signer = Signer::new(0, &format!("signer {number}"));
        }
        let mut dice = Dice::new(seed as u64 + 1);
        let mut anything = RandomCalls::new(&set.chain, seed as u64, [set.channels]);
        anything = anything.without_views().without("open");
        // These need no signature, so that one could hit a channel.
        anything = anything.without("start").without("settle").without("withdraw");
        let mut channels: Vec<(Name, Expected)> = Vec::new();
        let mut gained = (0i128, 0i128);
        for _ in 0..25 {
            if dice.below(4) == 0 {
                set.chain.pass_ms(WINDOW_MS);
            }
            let now = set.chain.time_ms() + 1_000;
            let (mut calls, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..100 {
                if dice.below(20) == 0 {
                    calls.extend(anything.take(1));
                    expected.push(None);
                    continue;
                }
                let (call, is_good) = any_call(&set, &mut channels, &mut gained, &mut dice, now);
                calls.push(call);
                expected.push(Some(is_good));
            }
            let block = set.chain.block(calls);
            block.assert_no_misses();
            for (call, expected) in block.calls.iter().zip(expected) {
                let is_success = call.receipt.is_success();
                done += usize::from(is_success);
                assert_eq!(is_success, expected.unwrap_or(false), "{call}");
            }
            let locked = channels.iter().map(|(_, phase)| match phase {
                Expected::Offered => 60,
                Expected::Open | Expected::Closing(..) => 100,
                Expected::Closed => 0,
            });
            let locked: u128 = locked.sum();
            assert_eq!(set.balances(), (gained.0, gained.1, locked));
            assert_eq!(gained.0 + gained.1 + locked as i128, 0);
        }
        for (name, expected) in &channels {
            let found = set.channel(*name).expect("it was opened").phase;
            let is_same = match (expected, found) {
                (Expected::Offered, Phase::Offered) | (Expected::Closed, Phase::Closed) => true,
                (Expected::Open, Phase::Open(_)) => true,
                (
                    Expected::Closing(state, until),
                    Phase::Closing { state: found, until_ms, .. },
                ) => *state == found && *until == until_ms,
                _ => false,
            };
            assert!(is_same, "{found:?}");
        }
    }
    assert!(done > 5_000, "only {done} of 10,000 calls did something");
}

/// A call, and whether it should succeed; the model is as after it.
fn any_call(
    set: &Set,
    channels: &mut Vec<(Name, Expected)>,
    gained: &mut (i128, i128),
    dice: &mut Dice,
    now: u64,
) -> (Call, bool) {
    let (a, b) = (&set.parties[0], &set.parties[1]);
    let live = channels.iter().filter(|(_, phase)| *phase != Expected::Closed).count();
    if live < 30 || dice.below(12) == 0 {
        let name = set.name(channels.len() as u64);
        channels.push((name, Expected::Offered));
        gained.0 -= 60;
        return (set.call(a.account, "open", (name, TERMS, a.signer.key())), true);
    }
    // Mostly one that is not closed.
    let index = match dice.below(10) {
        0 => dice.below(channels.len() as u64) as usize,
        _ => {
            let live = (0..channels.len()).filter(|index| channels[*index].1 != Expected::Closed);
            *dice.pick(&live.collect::<Vec<_>>())
        }
    };
    let (name, phase) = &mut channels[index];
    let name = *name;
    let drawn = state(1 + dice.below(50), u128::from(dice.below(101)));
    let is_forged = dice.below(12) == 0;
    let signed = |action: Action| {
        let message = set.message(name, action);
        let mut signatures = set.sign(&message);
        if is_forged {
            signatures.b = a.signer.sign(&message);
        }
        signatures
    };
    let update = || SignedState { state: drawn, signatures: signed(Action::Update(drawn)) };
    let is_open = matches!(phase, Expected::Open);
    // Where the channel is decides what makes sense; now and then something that does not.
    let step = match (dice.below(10), &*phase) {
        (0, _) => dice.below(6),
        (_, Expected::Offered) => dice.below(8).min(1),
        (_, Expected::Open) => 2 + dice.below(2),
        (_, Expected::Closing(..)) => 3 + dice.below(3),
        (_, Expected::Closed) => 5,
    };
    match step {
        0 => {
            let is_good = *phase == Expected::Offered;
            if is_good {
                *phase = Expected::Closed;
                gained.0 += 60;
            }
            (set.call(a.account, "withdraw", name), is_good)
        }
        1 => {
            let is_good = *phase == Expected::Offered;
            if is_good {
                *phase = Expected::Open;
                gained.1 -= 40;
            }
            (set.call(b.account, "join", (name, TERMS, b.signer.key())), is_good)
        }
        2 => {
            let by = match dice.below(9) {
                0 => set.anyone,
                number => [a.account, b.account][number as usize % 2],
            };
            let latest = (dice.below(2) == 0).then(update);
            let is_good = is_open && by != set.anyone && !(latest.is_some() && is_forged);
            if is_good {
                let initial = State { version: 0, amount_a: 60, amount_b: 40 };
                let state = latest.map_or(initial, |latest| latest.state);
                *phase = Expected::Closing(state, now + WINDOW_MS);
            }
            (set.call(by, "start", (name, latest)), is_good)
        }
        3 => {
            let signatures = signed(Action::Close(drawn));
            let is_good = (is_open || matches!(phase, Expected::Closing(..))) && !is_forged;
            if is_good {
                *phase = Expected::Closed;
                gained.0 += drawn.amount_a as i128;
                gained.1 += drawn.amount_b as i128;
            }
            (set.call(set.anyone, "close", (name, drawn, signatures)), is_good)
        }
        4 => {
            let latest = update();
            let is_good = match *phase {
                Expected::Closing(state, until) => {
                    now < until && latest.state.version > state.version && !is_forged
                }
                _ => false,
            };
            if let (true, Expected::Closing(state, _)) = (is_good, &mut *phase) {
                *state = latest.state;
            }
            (set.call(set.anyone, "dispute", (name, latest)), is_good)
        }
        _ => {
            let settled = match *phase {
                Expected::Closing(state, until) if now >= until => Some(state),
                _ => None,
            };
            if let Some(state) = settled {
                *phase = Expected::Closed;
                gained.0 += state.amount_a as i128;
                gained.1 += state.amount_b as i128;
            }
            (set.call(set.anyone, "settle", name), settled.is_some())
        }
    }
}

#[test]
fn methods_keep_their_budget() {
    let mut set = Set::new();
    let (first, second, third) = (set.opened(1), set.opened(2), set.name(3));
    let key = set.parties[0].signer.key();
    set.run(0, "open", (third, TERMS, key)).succeeded();
    set.run(0, "withdraw", third).succeeded();
    let last = state(7, 25);
    let signatures = set.end(first, last);
    set.run(0, "close", (first, last, signatures)).succeeded();
    let (old, new) = (set.update(second, state(1, 3)), set.update(second, last));
    set.run(0, "start", (second, Some(old))).succeeded();
    set.run(1, "dispute", (second, new)).succeeded();
    set.chain.pass_ms(WINDOW_MS);
    set.run(1, "settle", second).succeeded();
    for method in ["open", "join", "withdraw", "close", "start", "dispute", "settle"] {
        set.chain.assert_declares_only_used(set.channels, method);
    }
    println!("{}", set.chain.figures());
    assert!(CHANNEL.len() <= 48 * 1024, "{} bytes", CHANNEL.len());
    budget::check(set.chain.figures(), &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"));
}
