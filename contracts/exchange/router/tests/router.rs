//! What the router promises, who waits for whom, and what it costs.

use num_bigint::BigUint;
use std::path::Path as FilePath;
use tollway_contracts_wasm::{PAIR, ROUTER, TOKEN};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain, budget};

/// What everybody has of each token at first.
const WEALTH: u128 = 1 << 115;
const FEE_BP: u16 = 30;
const TOKENS: usize = 4;
/// The tokens of each pair: two ways from 0 to 2, and one on to 3.
const PAIRS: [(usize, usize); 5] = [(0, 1), (1, 2), (0, 2), (2, 3), (0, 1)];

/// Pair, token in, token out, to.
type Hop = (Address, Address, Address, Address);
/// The first hop, and the rest.
type Path = (Hop, Vec<Hop>);
/// A path, and how much goes in or out.
type Leg = (Path, u128);

struct World {
    chain: TestChain,
    tokens: Vec<Contract>,
    pairs: Vec<Contract>,
    router: Contract,
    provider: Address,
    /// What amounts of random trades are multiples of.
    unit: u128,
}

impl World {
    fn new() -> Self {
        Self::with(Config { threads: 4, ..Config::default() }, 1)
    }

    fn with(config: Config, unit: u128) -> Self {
        let mut chain = TestChain::with(config);
        let [owner, provider] = chain.accounts(["owner", "provider"]);
        let tokens: Vec<Contract> = (0..TOKENS).map(|_| chain.deploy(TOKEN, &owner)).collect();
        let router = chain.deploy(ROUTER, &());
        for token in &tokens {
            chain.also_native(*token, &tollway_contract_token::token::NATIVE);
        }
        chain.also_native(router, &tollway_contract_router::router::NATIVE);
        let mut world = Self { chain, tokens, pairs: vec![], router, provider, unit };
        for token in world.tokens.clone() {
            let mint = token.call(owner, "mint", (provider, WEALTH));
            world.chain.run(mint).succeeded();
        }
        for tokens in PAIRS {
            world.add_pair(tokens, 10_000_000 * unit, 30_000_000 * unit);
        }
        world
    }

    fn add_pair(&mut self, tokens: (usize, usize), reserve0: u128, reserve1: u128) -> usize {
        let [token0, token1] = [tokens.0, tokens.1].map(|token| self.tokens[token]);
        let pair = self.chain.deploy(PAIR, &(token0.address, token1.address, FEE_BP));
        self.chain.also_native(pair, &tollway_contract_pair::pair::NATIVE);
        let approve =
            |token: Contract| token.call(self.provider, "approve", (pair.address, u128::MAX));
        let add = pair.call(self.provider, "add_liquidity", (reserve0, reserve1, 0u128));
        self.chain.block([approve(token0), approve(token1), add]).succeeded();
        self.pairs.push(pair);
        self.pairs.len() - 1
    }

    /// An account with tokens that the router may take.
    fn trader(&mut self, name: &str) -> Address {
        let [owner, trader] = self.chain.accounts(["owner", name]);
        let mut calls = Vec::new();
        for token in &self.tokens {
            calls.push(token.call(owner, "mint", (trader, WEALTH)));
            calls.push(token.call(trader, "approve", (self.router.address, u128::MAX)));
        }
        self.chain.block(calls).succeeded();
        trader
    }

    /// The path over these pairs, from this token.
    fn path(&self, mut token: usize, pairs: &[usize], to: Address) -> Path {
        let mut hops = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            let (a, b) = PAIRS[*pair];
            assert!(token == a || token == b, "the path is broken");
            let other = a + b - token;
            let next = pairs.get(at + 1).map_or(to, |next| self.pairs[*next].address);
            let [token_in, token_out] = [token, other].map(|token| self.tokens[token].address);
            hops.push((self.pairs[*pair].address, token_in, token_out, next));
            token = other;
        }
        (hops.remove(0), hops)
    }

    fn held(&self, token: usize, owner: Address) -> u128 {
        self.chain.query(self.tokens[token], "balance_of", owner)
    }

    fn reserves(&self, pair: usize) -> (u128, u128) {
        self.chain.query(self.pairs[pair], "reserves", ())
    }

    /// What `amount` brings along pairs that nobody else trades in, by the formula.
    fn brings(&self, mut token: usize, pairs: &[usize], mut amount: u128) -> u128 {
        for pair in pairs {
            let (a, b) = PAIRS[*pair];
            let (reserve0, reserve1) = self.reserves(*pair);
            let (x, y) = if token == a { (reserve0, reserve1) } else { (reserve1, reserve0) };
            let after_fee = BigUint::from(amount) * (10_000 - u128::from(FEE_BP));
            let out = &after_fee * y / (BigUint::from(x) * 10_000u32 + &after_fee);
            amount = u128::try_from(out).expect("less than the reserve");
            token = a + b - token;
        }
        amount
    }

    fn exact_in(&self, by: Address, path: &Path, amount: u128, min: u128, to: Address) -> Call {
        self.router.call(by, "swap_exact_in", (path, amount, min, to, u64::MAX))
    }

    fn exact_out(&self, by: Address, path: &Path, amount: u128, max: u128, to: Address) -> Call {
        self.router.call(by, "swap_exact_out", (path, amount, max, to, u64::MAX))
    }

    fn assert_router_is_empty(&self) {
        for token in 0..TOKENS {
            assert_eq!(self.held(token, self.router.address), 0, "the router kept token {token}");
        }
    }
}

#[test]
fn an_exact_amount_in_goes_over_all_hops() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    let hops = [0, 1, 3];
    let path = world.path(0, &hops, bob);
    let out = world.brings(0, &hops, 50_000);
    let quoted: u128 = world.chain.query(world.router, "quote_exact_in", (&path, 50_000u128));
    assert_eq!(quoted, out);
    let refused = world.chain.run(world.exact_in(alice, &path, 50_000, out + 1, bob));
    refused.reverted_with("InsufficientOutput");
    assert_eq!(world.held(0, alice), WEALTH, "a refused trade moves nothing");
    let traded = world.chain.run(world.exact_in(alice, &path, 50_000, out, bob));
    assert_eq!(traded.returned::<u128>(), out);
    assert_eq!(traded.event("Routed")["amount_out"].to_string(), out.to_string());
    assert_eq!(world.held(0, alice), WEALTH - 50_000);
    assert_eq!(world.held(3, bob), WEALTH + out);
    assert_eq!([1, 2].map(|token| world.held(token, alice)), [WEALTH; 2]);
    assert_eq!(traded.receipt.misses, 0);
    world.assert_router_is_empty();
}

#[test]
fn an_exact_amount_out_takes_the_least_and_never_more_than_the_payer_allows() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    let hops = [0, 1, 3];
    let path = world.path(0, &hops, bob);
    let needed: u128 = world.chain.query(world.router, "quote_exact_out", (&path, 70_000u128));
    assert!(world.brings(0, &hops, needed) >= 70_000);
    assert!(world.brings(0, &hops, needed - 1) < 70_000);
    let refused = world.chain.run(world.exact_out(alice, &path, 70_000, needed - 1, bob));
    refused.reverted_with("ExcessiveInput");
    let traded = world.chain.run(world.exact_out(alice, &path, 70_000, needed, bob));
    assert_eq!(traded.returned::<u128>(), needed);
    assert_eq!(traded.receipt.misses, 0);
    assert_eq!(world.held(0, alice), WEALTH - needed);
    assert_eq!(world.held(3, bob), WEALTH + 70_000);
    world.assert_router_is_empty();
    let all = world.exact_out(alice, &path, 30_000_000, u128::MAX, bob);
    world.chain.run(all).reverted_with("InsufficientLiquidity");
    let none = world.exact_out(alice, &path, 0, u128::MAX, bob);
    world.chain.run(none).reverted_with("InsufficientOutput");
}

#[test]
fn legs_are_traded_together_or_not_at_all() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    let ways: [&[usize]; 3] = [&[0, 1], &[2], &[4, 1]];
    let legs: Vec<Leg> = ways
        .iter()
        .zip([20_000, 30_000, 5_000])
        .map(|(way, in_)| (world.path(0, way, bob), in_))
        .collect();
    let split_in = |legs: &[Leg], min: u128| {
        world.router.call(alice, "split_exact_in", (legs, min, bob, u64::MAX))
    };
    // The third leg finds pair 1 as the first one left it.
    let first = world.brings(0, ways[0], 20_000);
    let second = world.brings(0, ways[1], 30_000);
    let best = first + second + world.brings(0, ways[2], 5_000);
    let calls = [split_in(&legs, best), split_in(&legs, best * 99 / 100)];
    let split_out = |legs: &[Leg], max: u128| {
        world.router.call(alice, "split_exact_out", (legs, max, bob, u64::MAX))
    };
    let out_calls = [split_out(&legs, 10_000), split_out(&legs, 100_000)];
    let mut other = legs.clone();
    other[1] = (world.path(0, &[2, 3], bob), 30_000);
    let mixed = split_in(&other, 0);
    let mut failing = legs.clone();
    failing[2].1 = 0;
    let failing = split_in(&failing, 0);
    let mut large = legs.clone();
    large[2].1 = u128::MAX;
    let large = split_out(&large, u128::MAX);
    let none = split_in(&[], 0);

    world.chain.run(calls[0].clone()).reverted_with("InsufficientOutput");
    world.chain.run(failing).reverted_with("InsufficientInput");
    world.chain.run(mixed).reverted_with("MixedTokens");
    world.chain.run(none).reverted_with("NoLegs");
    world.chain.run(large).reverted_with("InsufficientLiquidity");
    world.chain.run(out_calls[0].clone()).reverted_with("ExcessiveInput");
    assert_eq!([world.held(0, alice), world.held(2, bob)], [WEALTH, WEALTH]);

    let traded = world.chain.run(calls[1].clone());
    let out: u128 = traded.returned();
    assert!(out < best && out >= first + second);
    assert_eq!([world.held(0, alice), world.held(2, bob)], [WEALTH - 55_000, WEALTH + out]);
    let traded = world.chain.run(out_calls[1].clone());
    let taken: u128 = traded.returned();
    assert_eq!(world.held(0, alice), WEALTH - 55_000 - taken);
    assert_eq!(world.held(2, bob), WEALTH + out + 55_000);
    assert_eq!(traded.receipt.misses, 0);
    world.assert_router_is_empty();
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    let router = world.router;
    let path = world.path(0, &[0, 1], bob);
    let now = world.chain.time_ms();
    let at = |deadline: u64| {
        router.call(alice, "swap_exact_in", (&path, 1_000u128, 1u128, bob, deadline))
    };
    let out_at = |deadline: u64| {
        router.call(alice, "swap_exact_out", (&path, 1_000u128, 9_000u128, bob, deadline))
    };
    let legs: Vec<Leg> = vec![(path.clone(), 1_000)];
    let legs_at = |name: &str, limit: u128, deadline: u64| {
        router.call(alice, name, (&legs, limit, bob, deadline))
    };
    // The next block is a second later.
    world.chain.run(at(now + 999)).reverted_with("Expired");
    world.chain.run(out_at(now)).reverted_with("Expired");
    world.chain.run(legs_at("split_exact_in", 0, now)).reverted_with("Expired");
    world.chain.run(legs_at("split_exact_out", 9_000, now)).reverted_with("Expired");
    world.chain.run(at(now + 5_000)).succeeded();

    let refused = |world: &mut World, path: &Path, to: Address, error: &str| {
        let call = world.exact_in(alice, path, 1_000, 0, to);
        world.chain.run(call).reverted_with(error);
        let call = world.exact_out(alice, path, 1_000, u128::MAX, to);
        world.chain.run(call).reverted_with(error);
    };
    let mut to_another = path.clone();
    to_another.1[0].3 = alice;
    refused(&mut world, &to_another, bob, "BrokenPath");
    let mut beside = path.clone();
    beside.0.3 = bob;
    refused(&mut world, &beside, bob, "BrokenPath");
    let mut jumps = path.clone();
    jumps.1[0].1 = world.tokens[3].address;
    refused(&mut world, &jumps, bob, "BrokenPath");
    let kept = world.path(0, &[0, 1], router.address);
    refused(&mut world, &kept, router.address, "BadReceiver");
    // The pair says that these are not its tokens.
    let foreign = {
        let mut path = world.path(0, &[0], bob);
        path.0.2 = world.tokens[3].address;
        path
    };
    let call = world.exact_in(alice, &foreign, 1_000, 0, bob);
    world.chain.run(call).reverted_with("WrongToken");
    let poor = world.chain.account("poor");
    let call = world.exact_in(poor, &path, 1_000, 0, bob);
    world.chain.run(call).reverted_with("InsufficientAllowance");
    world.assert_router_is_empty();
}

#[test]
fn a_path_may_return_through_the_same_pair() {
    let mut world = World::new();
    let alice = world.trader("alice");
    let there_and_back = world.path(0, &[0, 0], alice);
    let call = world.exact_in(alice, &there_and_back, 10_000, 1, alice);
    let out: u128 = world.chain.run(call).returned();
    assert!(out < 10_000, "the fee was paid twice");
    assert_eq!(world.held(0, alice), WEALTH - 10_000 + out);
}

#[test]
fn routes_over_different_pools_run_in_lanes_of_their_own() {
    let mut world = World::new();
    let traders: Vec<Address> =
        (0..120).map(|number| world.trader(&format!("trader {number}"))).collect();
    // A route of two new pools for each.
    let routes: Vec<[Address; 2]> = (0..120)
        .map(|_| {
            [(0, 1), (1, 2)].map(|tokens| {
                let pair = world.add_pair(tokens, 1_000_000, 1_000_000);
                world.pairs[pair].address
            })
        })
        .collect();
    let tokens: Vec<Address> = world.tokens.iter().map(|token| token.address).collect();
    let call = |trader: Address, [first, second]: [Address; 2]| {
        let path: Path =
            ((first, tokens[0], tokens[1], second), vec![(second, tokens[1], tokens[2], trader)]);
        world.router.call(trader, "swap_exact_in", (path, 1_000u128, 1u128, trader, u64::MAX))
    };
    let calls: Vec<Call> =
        traders.iter().zip(&routes).map(|(trader, route)| call(*trader, *route)).collect();
    world.chain.assert_independent(&calls[0], &calls[1]);
    world.chain.assert_conflicting(&calls[0], &call(traders[1], [routes[1][0], routes[0][1]]));
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    world.assert_router_is_empty();
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u128) -> u128 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u128::from(word ^ (word >> 31)) % bound
    }

    /// Small numbers as often as large ones.
    fn amount(&mut self, bits: u128) -> u128 {
        let bits = self.below(bits);
        self.below(2 << bits)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u128) as usize]
    }
}

/// A trade that somebody could make.
fn sensible(world: &World, dice: &mut Dice, people: &[Address]) -> Call {
    const WAYS: [&[usize]; 8] =
        [&[0], &[0, 1], &[4, 1], &[2], &[0, 1, 3], &[2, 3], &[2, 1, 0], &[0, 4]];
    let (by, to) = (dice.pick(people), dice.pick(people));
    let way = dice.pick(&WAYS);
    let amount = (50 + dice.amount(20)) * world.unit;
    let path = world.path(0, way, to);
    let deadline = if dice.below(20) == 0 { 0 } else { u64::MAX };
    let limited = dice.below(10) == 0;
    match dice.below(6) {
        0 | 1 => {
            let min: u128 = if limited { u128::MAX } else { 0 };
            world.router.call(by, "swap_exact_in", (path, amount, min, to, deadline))
        }
        2 | 3 => {
            let max = if limited { amount / 100 } else { u128::MAX };
            world.router.call(by, "swap_exact_out", (path, amount, max, to, deadline))
        }
        kind => {
            let legs: Vec<Leg> = (0..1 + dice.below(3))
                .map(|_| {
                    let way = dice.pick(&WAYS[1..4]);
                    (world.path(0, way, to), (50 + dice.amount(20)) * world.unit)
                })
                .collect();
            let (name, limit) =
                if kind == 4 { ("split_exact_in", 0) } else { ("split_exact_out", u128::MAX) };
            world.router.call(by, name, (legs, limit, to, deadline))
        }
    }
}

#[test]
fn the_router_keeps_nothing_and_tokens_are_neither_made_nor_lost() {
    let (mut ran, mut succeeded) = (0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        // Every other time with amounts of two words.
        let unit = if seed % 2 == 0 { 1 } else { (1u128 << 70) + 12_345 };
        let mut world = World::with(Config { threads, ..Config::default() }, unit);
        let people = ["alice", "bob", "carol"].map(|name| world.trader(name));
        let mut dice = Dice(seed);
        let mut random = RandomCalls::new(&world.chain, seed, [world.router]);
        for _ in 0..26 {
            let products: Vec<BigUint> = (0..PAIRS.len())
                .map(|pair| world.reserves(pair))
                .map(|(x, y)| BigUint::from(x) * y)
                .collect();
            let mut calls = random.take(15);
            calls.extend((0..85).map(|_| sensible(&world, &mut dice, &people)));
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
            world.assert_router_is_empty();
            for (pair, before) in products.iter().enumerate() {
                let (x, y) = world.reserves(pair);
                assert!(BigUint::from(x) * y >= *before, "the product of pair {pair} fell");
                let holds = [PAIRS[pair].0, PAIRS[pair].1]
                    .map(|token| world.held(token, world.pairs[pair].address));
                assert_eq!(holds, [x, y], "pair {pair} holds what it does not count");
            }
            for token in 0..TOKENS {
                let pairs = world.pairs.iter().map(|pair| pair.address);
                let all = people.into_iter().chain([world.provider]).chain(pairs);
                let held: u128 = all.map(|owner| world.held(token, owner)).sum();
                let supply: u128 = world.chain.query(world.tokens[token], "total_supply", ());
                assert_eq!(held, supply);
            }
        }
    }
    println!("{succeeded} of {ran} calls succeeded");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
}

#[test]
fn what_was_sent_before_is_swapped_for_an_exact_amount() {
    let mut world = World::new();
    let [alice, shop] = [world.trader("alice"), world.chain.account("shop")];
    let path = world.path(0, &[0, 1], shop);
    let swap = world.router.call(alice, "swap_sent_exact_out", (&path, 10_000u128, shop));
    // Nothing was sent.
    assert!(!world.chain.run(swap.clone()).receipt.is_success());
    let needed: u128 = world.chain.query(world.router, "quote_exact_out", (&path, 10_000u128));
    let send = |amount: u128| world.tokens[0].call(alice, "transfer", (path.0.0, amount));
    let (short, rest) = (send(needed - 1), send(1));
    world.chain.run(short).succeeded();
    assert!(!world.chain.run(swap.clone()).receipt.is_success());
    world.chain.run(rest).succeeded();
    assert_eq!(world.chain.run(swap).returned::<u128>(), needed);
    assert_eq!(world.held(2, shop), 10_000);
    // Who shall get it is in the path.
    let other = world.router.call(alice, "swap_sent_exact_out", (&path, 10_000u128, alice));
    world.chain.run(other).reverted_with("BrokenPath");
}

#[test]
fn methods_keep_their_budget() {
    let mut world = World::new();
    let alice = world.trader("alice");
    let path = world.path(0, &[0, 1], alice);
    let legs: Vec<Leg> = [&[0, 1][..], &[2]].map(|way| (world.path(0, way, alice), 10_000)).into();
    let router = world.router;
    let calls = [
        world.exact_in(alice, &path, 10_000, 1, alice),
        world.exact_out(alice, &path, 10_000, u128::MAX, alice),
        router.call(alice, "split_exact_in", (&legs, 1u128, alice, u64::MAX)),
        router.call(alice, "split_exact_out", (&legs, u128::MAX, alice, u64::MAX)),
        world.tokens[0].call(alice, "transfer", (path.0.0, 50_000u128)),
        router.call(alice, "swap_sent_exact_out", (&path, 10_000u128, alice)),
        router.call(alice, "quote_exact_in", (&path, 10_000u128)),
        router.call(alice, "quote_exact_out", (&path, 10_000u128)),
    ];
    for call in calls {
        world.chain.run(call).succeeded();
    }
    world.chain.assert_contract_declares_only_used(router);
    println!("{}", world.chain.figures());
    let file = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml");
    budget::check(world.chain.figures(), &file);
}
