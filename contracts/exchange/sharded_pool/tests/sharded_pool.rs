//! What a market over shards promises, who waits for whom, and what it costs.

use num_bigint::BigUint;
use std::path::Path;
use tollway_contract_sharded_pool::sharded_pool;
use tollway_contract_token::token;
use tollway_contracts_wasm::{SHARDED_POOL, TOKEN};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain, budget};

const WEALTH: u128 = 1 << 110;
const FEE_BP: u16 = 30;
const BAND_BP: u16 = 100;

struct World {
    chain: TestChain,
    tokens: [Contract; 2],
    pool: Contract,
    shards: u32,
}

impl World {
    fn new(shards: u32) -> Self {
        Self::with(Config { threads: 4, ..Config::default() }, shards)
    }

    fn with(config: Config, shards: u32) -> Self {
        let mut chain = TestChain::with(config);
        let owner = chain.account("owner");
        let tokens = [(); 2].map(|()| chain.deploy(TOKEN, &owner));
        let [token0, token1] = tokens.map(|token| token.address);
        let pool = chain.deploy(SHARDED_POOL, &(token0, token1, FEE_BP, shards, BAND_BP));
        for token in &tokens {
            chain.also_native(*token, &token::NATIVE);
        }
        chain.also_native(pool, &sharded_pool::NATIVE);
        Self { chain, tokens, pool, shards }
    }

    /// Accounts with tokens that the pool may take.
    fn traders(&mut self, names: impl IntoIterator<Item = String>) -> Vec<Address> {
        let owner = self.chain.account("owner");
        let traders: Vec<Address> =
            names.into_iter().map(|name| self.chain.account(&name)).collect();
        let mut calls = Vec::new();
        for (trader, token) in
            traders.iter().flat_map(|trader| self.tokens.map(|token| (trader, token)))
        {
            calls.push(token.call(owner, "mint", (*trader, WEALTH)));
            calls.push(token.call(*trader, "approve", (self.pool.address, u128::MAX)));
        }
        self.chain.block(calls).succeeded();
        traders
    }

    fn trader(&mut self, name: &str) -> Address {
        self.traders([name.to_owned()])[0]
    }

    fn all(&self) -> Vec<u32> {
        (0..self.shards).collect()
    }

    fn provide(&mut self, by: Address, amount0: u128, amount1: u128) -> u128 {
        let args = (amount0, amount1, 0u128, self.all());
        let call = self.pool.call(by, "add_liquidity", args);
        self.chain.run(call).returned()
    }

    fn swap(&self, by: Address, shard: u32, first_in: bool, amount: u128, min: u128) -> Call {
        let [token_in, token_out] = self.ends(first_in);
        self.pool.call(by, "swap", (shard, token_in, token_out, amount, min, by))
    }

    fn swap_all(&self, by: Address, first_in: bool, amount: u128, min: u128) -> Call {
        let [token_in, token_out] = self.ends(first_in);
        self.pool.call(by, "swap_all", (token_in, token_out, amount, min, by, self.all()))
    }

    fn rebalance(&self, by: Address) -> Call {
        self.pool.call(by, "rebalance", self.all())
    }

    fn ends(&self, first_in: bool) -> [Address; 2] {
        let [token0, token1] = self.tokens.map(|token| token.address);
        if first_in { [token0, token1] } else { [token1, token0] }
    }

    fn shard(&self, shard: u32) -> (u128, u128) {
        self.chain.query(self.pool, "shard", shard)
    }

    fn whole(&self) -> (u128, u128) {
        let shards = (0..self.shards).map(|shard| self.shard(shard));
        shards.fold((0, 0), |(a, b), (reserve0, reserve1)| (a + reserve0, b + reserve1))
    }

    fn held(&self, owner: Address) -> [u128; 2] {
        self.tokens.map(|token| self.chain.query(token, "balance_of", owner))
    }

    /// Whether every shard's price is within what the contract says of the price of the whole:
    /// the factor (1 + b) / (1 − b), and a ten-thousandth.
    fn assert_prices_are_together(&self) {
        let (whole0, whole1) = self.whole();
        let (low, high) = (10_000 - u32::from(BAND_BP), 10_000 + u32::from(BAND_BP));
        for number in 0..self.shards {
            let (reserve0, reserve1) = self.shard(number);
            let shard = BigUint::from(reserve1) * whole0;
            let whole = BigUint::from(whole1) * reserve0;
            let is_close = |a: &BigUint, b: &BigUint| a * low * 10_000u32 <= b * high * 10_001u32;
            assert!(is_close(&shard, &whole), "shard {number} is too dear");
            assert!(is_close(&whole, &shard), "shard {number} is too cheap");
        }
    }
}

/// The curve in whole numbers of any size: what `dx` brings.
fn curve((x, y): (u128, u128), dx: u128) -> u128 {
    let after_fee = BigUint::from(dx) * (10_000 - u128::from(FEE_BP));
    let out = &after_fee * y / (BigUint::from(x) * 10_000u32 + &after_fee);
    u128::try_from(out).expect("less than the reserve")
}

fn flip((x, y): (u128, u128)) -> (u128, u128) {
    (y, x)
}

#[test]
fn liquidity_is_added_and_taken_evenly() {
    let mut world = World::new(7);
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    // √(7·10⁶ · 28·10⁶) less what nobody gets.
    assert_eq!(world.provide(alice, 7_000_000, 28_000_000), 14_000_000 - 1_000);
    assert!((0..7).all(|shard| world.shard(shard) == (1_000_000, 4_000_000)));
    let shares = world.provide(bob, 3_500_003, 14_000_012);
    assert_eq!(world.whole(), (10_500_003, 42_000_012));
    for shard in 0..7 {
        let (reserve0, reserve1) = world.shard(shard);
        assert!([1_500_000, 1_500_001].contains(&reserve0), "{reserve0}");
        assert!([6_000_001, 6_000_002].contains(&reserve1), "{reserve1}");
    }
    let remove = world.pool.call(bob, "remove_liquidity", (shares, 1u128, 1u128, world.all()));
    let (out0, out1): (u128, u128) = world.chain.run(remove).returned();
    assert!((3_500_001..=3_500_003).contains(&out0) && out1 <= 14_000_012);
    assert_eq!(world.chain.query::<u128>(world.pool, "shares_of", bob), 0);
    assert_eq!(world.held(world.pool.address), [world.whole().0, world.whole().1]);
}

#[test]
fn a_swap_in_a_shard_follows_its_curve_and_stays_in_the_band() {
    let mut world = World::new(4);
    let alice = world.trader("alice");
    world.provide(alice, 40_000_000, 80_000_000);
    let out = curve((10_000_000, 20_000_000), 40_000);
    let token0 = world.ends(true)[0];
    assert_eq!(world.chain.query::<u128>(world.pool, "quote", (2u32, token0, 40_000u128)), out);
    let swapped = world.chain.run(world.swap(alice, 2, true, 40_000, out));
    assert_eq!(swapped.returned::<u128>(), out);
    assert_eq!(world.shard(2), (10_040_000, 20_000_000 - out));
    assert_eq!(world.shard(1), (10_000_000, 20_000_000));
    // Twice as much would take the price 1.2 % down; in another shard there is room, and the
    // other way there is too.
    world.chain.run(world.swap(alice, 2, true, 40_000, 0)).reverted_with("OutOfBand");
    world.chain.run(world.swap(alice, 3, true, 40_000, 0)).succeeded();
    world.chain.run(world.swap(alice, 1, false, 101_000, 0)).reverted_with("OutOfBand");
    world.chain.run(world.swap(alice, 2, false, 160_000, 0)).succeeded();
    world.assert_prices_are_together();
    // After rebalancing there is room again.
    let before = world.whole();
    world.chain.run(world.rebalance(alice)).succeeded();
    assert_eq!(world.whole(), before);
    assert_eq!(world.chain.query::<(u128, u128)>(world.pool, "anchor", ()), before);
    world.chain.run(world.swap(alice, 3, true, 40_000, 0)).succeeded();
}

#[test]
fn a_swap_over_all_shards_is_one_of_one_pool() {
    for first_in in [true, false] {
        let mut world = World::new(5);
        let alice = world.trader("alice");
        world.provide(alice, 40_000_000, 80_000_000);
        for shard in 0..5 {
            let call = world.swap(alice, shard, shard % 2 == 0, 20_000, 0);
            world.chain.run(call).succeeded();
        }
        let (x, y) = if first_in { world.whole() } else { flip(world.whole()) };
        let out = curve((x, y), 9_000_000);
        let refused = world.chain.run(world.swap_all(alice, first_in, 9_000_000, out + 1));
        refused.reverted_with("InsufficientOutput");
        let swapped = world.chain.run(world.swap_all(alice, first_in, 9_000_000, out));
        assert_eq!(swapped.returned::<u128>(), out);
        let after = (x + 9_000_000, y - out);
        assert_eq!(world.whole(), if first_in { after } else { flip(after) });
        world.assert_prices_are_together();
        assert_eq!(world.held(world.pool.address), [world.whole().0, world.whole().1]);
    }
}

#[test]
fn every_refusal_has_a_name() {
    let mut world = World::new(3);
    let alice = world.trader("alice");
    let poor = world.chain.account("poor");
    let (pool, all) = (world.pool, world.all());
    let [token0, token1] = world.ends(true);
    let mut refused = |call: Call, error: &str| {
        world.chain.run(call).reverted_with(error);
    };
    let add = |a: u128, b: u128, min: u128, all: &[u32]| {
        pool.call(alice, "add_liquidity", (a, b, min, all))
    };
    let swap = |shard: u32, from: Address, to: Address, dx: u128, min: u128| {
        pool.call(alice, "swap", (shard, from, to, dx, min, alice))
    };
    let remove =
        |shares: u128, min: u128| pool.call(alice, "remove_liquidity", (shares, min, min, &all));
    refused(swap(0, token0, token1, 5, 0), "UnknownShard");
    refused(add(10, 10, 0, &all), "InsufficientShares");
    refused(add(3_000_000, 3_000_000, 3_000_000, &all), "InsufficientShares");
    refused(add(1 << 113, 1 << 113, 0, &all), "AmountTooLarge");
    for list in [&[][..], &[0, 1], &[0, 1, 2, 3], &[0, 2, 1], &[0, 0, 1, 2], &[1, 2, 3]] {
        refused(add(3_000_000, 3_000_000, 0, list), "NotAllShards");
        refused(pool.call(alice, "rebalance", list), "NotAllShards");
    }
    world.chain.run(add(30_000, 29_999, 0, &all)).succeeded();
    let mut refused = |call: Call, error: &str| {
        world.chain.run(call).reverted_with(error);
    };
    refused(swap(2, token0, token1, 50, 0), "InsufficientLiquidity");
    world.chain.run(add(3_000_000, 3_000_000, 0, &all)).succeeded();
    let mut refused = |call: Call, error: &str| {
        world.chain.run(call).reverted_with(error);
    };
    refused(swap(3, token0, token1, 50, 0), "UnknownShard");
    refused(swap(0, token0, token0, 50, 0), "WrongToken");
    refused(swap(0, poor, token1, 50, 0), "WrongToken");
    refused(swap(0, token0, token1, 0, 0), "InsufficientOutput");
    refused(swap(0, token0, token1, 50, 50), "InsufficientOutput");
    refused(swap(0, token0, token1, 1 << 113, 0), "AmountTooLarge");
    refused(remove(u128::MAX, 0), "NotEnoughShares");
    refused(remove(3_500_000, 0), "NotEnoughShares");
    refused(remove(100, 101), "InsufficientOutput");
    let call = pool.call(poor, "swap", (0u32, token0, token1, 500u128, 0u128, poor));
    refused(call, "InsufficientAllowance");
}

#[test]
fn throughput_grows_with_shards() {
    for shards in [1, 4, 10, 100] {
        let mut world = World::new(shards);
        let provider = world.trader("provider");
        let names = (0..1_000).map(|number| format!("trader {number}"));
        let traders = world.traders(names);
        let each = 100_000_000_000u128;
        world.provide(provider, each * u128::from(shards), each * u128::from(shards));
        let swaps: Vec<Call> = (0u32..)
            .zip(&traders)
            .map(|(number, trader)| world.swap(*trader, number % shards, number % 3 == 0, 9_000, 1))
            .collect();
        if shards > 1 {
            world.chain.assert_independent(&swaps[0], &swaps[1]);
        }
        world.chain.assert_conflicting(&swaps[0], &swaps[shards as usize]);
        world.chain.assert_conflicting(&swaps[0], &world.rebalance(provider));
        let block = world.chain.block(swaps);
        block.succeeded().assert_critical_path(1_000 / shards).assert_no_misses();
        assert_eq!(block.critical_path(), 1_000 / shards);
    }
}

#[test]
fn accounts_spread_over_shards() {
    let mut world = World::new(8);
    let mut counts = [0; 8];
    for number in 0..800 {
        let account = world.chain.account(&format!("account {number}"));
        counts[world.chain.query::<u32>(world.pool, "shard_for", account) as usize] += 1;
    }
    assert!(counts.iter().all(|count| (60..140).contains(count)), "{counts:?}");
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
}

#[test]
fn shards_stay_together_and_nothing_is_lost_between_them() {
    let (mut ran, mut succeeded) = (0, 0);
    for (seed, (threads, shards)) in (0u64..).zip([(1, 3), (2, 8), (4, 5), (8, 16)]) {
        let mut world = World::with(Config { threads, ..Config::default() }, shards);
        let people = ["alice", "bob", "carol", "dave"].map(|name| world.trader(name));
        // Every other time with amounts of two words.
        let unit = if seed % 2 == 0 { 1 } else { (1u128 << 70) + 12_345 };
        let each = u128::from(shards) * 10_000_000 * unit;
        world.provide(people[0], each, each * 3);
        let mut dice = Dice(seed);
        let mut random = RandomCalls::new(&world.chain, seed, [world.pool]).without_views();
        let sums = people.iter().chain([&world.pool.address]).map(|owner| world.held(*owner));
        let supply = sums.fold([0, 0], |[a, b], [x, y]| [a + x, b + y]);
        let mut shares: u128 = world.chain.query(world.pool, "total_shares", ());
        for round in 0..27 {
            let before = world.whole();
            let mut calls = random.take(10);
            let flow = dice.below(100);
            while calls.len() < 100 {
                let by = people[dice.below(4) as usize];
                let first_in = dice.below(100) < flow;
                let amount = (1 + dice.below(if first_in { 20_000 } else { 60_000 })) * unit;
                calls.push(match dice.below(100) {
                    0..2 => world.rebalance(by),
                    2..4 => world.swap_all(by, first_in, amount * 30, 0),
                    4..6 if round % 3 == 0 => {
                        let args = (amount * 10, amount * 30, 0u128, world.all());
                        world.pool.call(by, "add_liquidity", args)
                    }
                    6..8 if round % 3 == 0 => {
                        let args = (amount * 10, 0u128, 0u128, world.all());
                        world.pool.call(by, "remove_liquidity", args)
                    }
                    _ => world.swap(by, dice.below(shards.into()) as u32, first_in, amount, 0),
                });
            }
            if round % 3 != 0 {
                calls.retain(|call| !call.method.ends_with("liquidity"));
            }
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();

            world.assert_prices_are_together();
            let (reserve0, reserve1) = world.whole();
            assert_eq!(world.held(world.pool.address), [reserve0, reserve1]);
            let sums = people.iter().chain([&world.pool.address]).map(|owner| world.held(*owner));
            assert_eq!(sums.fold([0, 0], |[a, b], [x, y]| [a + x, b + y]), supply);
            // k of the whole by the square of the shares never falls.
            let shares_now: u128 = world.chain.query(world.pool, "total_shares", ());
            let worth = |(a, b): (u128, u128), shares: u128| {
                BigUint::from(a) * b * BigUint::from(shares).pow(2)
            };
            assert!(
                worth((reserve0, reserve1), shares) >= worth(before, shares_now),
                "a share is worth less"
            );
            shares = shares_now;
        }
    }
    println!("{succeeded} of {ran} calls succeeded");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
}

/// The same flow through shards and through one pool with the same reserves, from one evening out
/// to the next: the price of the whole ends within the band of one pool's.
#[test]
fn the_price_follows_that_of_one_pool() {
    for seed in 0..8u64 {
        let mut world = World::new(10);
        let alice = world.trader("alice");
        world.provide(alice, 1_000_000_000, 2_000_000_000);
        let mut dice = Dice(seed);
        for _ in 0..6 {
            world.chain.run(world.rebalance(alice)).succeeded();
            let mut one = world.whole();
            let flow = dice.below(100);
            let calls: Vec<(bool, u128)> =
                (0..60).map(|_| (dice.below(100) < flow, 1 + dice.below(100_000))).collect();
            let swaps: Vec<Call> = (0..)
                .zip(&calls)
                .map(|(number, (first_in, dx))| world.swap(alice, number % 10, *first_in, *dx, 0))
                .collect();
            let block = world.chain.block(swaps);
            for (call, (first_in, dx)) in block.calls.iter().zip(calls) {
                if !call.receipt.is_success() {
                    continue;
                }
                let reserves = if first_in { one } else { flip(one) };
                let after = (reserves.0 + dx, reserves.1 - curve(reserves, dx));
                one = if first_in { after } else { flip(after) };
            }
            let (whole0, whole1) = world.whole();
            let of_shards = BigUint::from(whole1) * one.0;
            let of_one = BigUint::from(one.1) * whole0;
            let band = u32::from(BAND_BP);
            assert!(&of_shards * (10_000 - band) <= &of_one * 10_000u32);
            assert!(&of_one * (10_000 - band) <= &of_shards * 10_000u32);
        }
    }
}

#[test]
fn methods_keep_their_budget() {
    let mut world = World::new(4);
    let alice = world.trader("alice");
    world.provide(alice, 40_000_000, 80_000_000);
    world.provide(alice, 40_000_000, 80_000_000);
    let remove = world.pool.call(alice, "remove_liquidity", (1_000u128, 1u128, 1u128, world.all()));
    let calls = [
        world.swap(alice, 1, true, 1_000, 1),
        world.swap_all(alice, false, 1_000, 1),
        world.rebalance(alice),
        remove,
    ];
    for call in calls {
        world.chain.run(call).succeeded();
    }
    world.chain.assert_contract_declares_only_used(world.pool);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
