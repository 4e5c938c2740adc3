//! What a pair promises, who waits for whom, and what it costs.

use num_bigint::BigUint;
use std::path::Path;
use tollway_contract_pair::pair;
use tollway_contract_token::token;
use tollway_contracts_wasm::{PAIR, TOKEN};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain, budget};

/// What everybody has of each token at first.
const WEALTH: u128 = 1 << 110;
const FEE_BP: u16 = 30;

struct World {
    chain: TestChain,
    tokens: [Contract; 2],
    pair: Contract,
}

impl World {
    fn new() -> Self {
        Self::with(Config { threads: 4, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let owner = chain.account("owner");
        let tokens = [(); 2].map(|()| chain.deploy(TOKEN, &owner));
        let immutables = (tokens[0].address, tokens[1].address, FEE_BP);
        let pair = chain.deploy(PAIR, &immutables);
        for token in &tokens {
            chain.also_native(*token, &token::NATIVE);
        }
        chain.also_native(pair, &pair::NATIVE);
        Self { chain, tokens, pair }
    }

    /// An account with tokens that the pair may take.
    fn trader(&mut self, name: &str) -> Address {
        let [owner, trader] = self.chain.accounts(["owner", name]);
        for token in self.tokens {
            self.chain.run(token.call(owner, "mint", (trader, WEALTH))).succeeded();
            let approve = token.call(trader, "approve", (self.pair.address, u128::MAX));
            self.chain.run(approve).succeeded();
        }
        trader
    }

    fn provide(&mut self, by: Address, amount0: u128, amount1: u128) -> u128 {
        let call = self.pair.call(by, "add_liquidity", (amount0, amount1, 0u128));
        self.chain.run(call).returned()
    }

    fn reserves(&self) -> [u128; 2] {
        let (reserve0, reserve1) = self.chain.query::<(u128, u128)>(self.pair, "reserves", ());
        [reserve0, reserve1]
    }

    fn held(&self, owner: Address) -> [u128; 2] {
        self.tokens.map(|token| self.chain.query(token, "balance_of", owner))
    }
}

/// The curve in whole numbers of any size: what `dx` brings.
fn curve(x: u128, y: u128, dx: u128) -> u128 {
    let after_fee = BigUint::from(dx) * (10_000 - u128::from(FEE_BP));
    let out = &after_fee * y / (BigUint::from(x) * 10_000u32 + &after_fee);
    u128::try_from(out).expect("less than the reserve")
}

#[test]
fn providers_get_shares_of_what_is_there() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    // √(4·10⁶ · 9·10⁶) less what nobody gets.
    assert_eq!(world.provide(alice, 4_000_000, 9_000_000), 6_000_000 - 1_000);
    assert_eq!(world.reserves(), [4_000_000, 9_000_000]);
    // Only what is in the ratio of the reserves is taken.
    assert_eq!(world.provide(bob, 2_000_000, 9_000_000), 3_000_000);
    assert_eq!(world.held(bob), [WEALTH - 2_000_000, WEALTH - 4_500_000]);
    assert_eq!(world.provide(bob, 2_000_000, 4_500_000), 3_000_000);
    let total: u128 = world.chain.query(world.pair, "total_shares", ());
    assert_eq!(total, 12_000_000);
    let remove = world.pair.call(bob, "remove_liquidity", (6_000_000u128, 1u128, 1u128));
    let removed = world.chain.run(remove);
    assert_eq!(removed.returned::<(u128, u128)>(), (4_000_000, 9_000_000));
    assert_eq!(removed.event("Burn")["shares"].to_string(), "6000000");
    assert_eq!(world.held(bob), [WEALTH, WEALTH]);
    assert_eq!(world.chain.query::<u128>(world.pair, "shares_of", bob), 0);
    assert_eq!(world.reserves(), [4_000_000, 9_000_000]);
}

#[test]
fn swaps_follow_the_curve() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    world.provide(alice, 1_000_000, 5_000_000);
    let out = curve(1_000_000, 5_000_000, 1_000);
    let quoted = world.chain.query(world.pair, "quote_out", (world.tokens[0].address, 1_000u128));
    assert_eq!(out, quoted);
    let swap = world.pair.call(bob, "swap_0_for_1", (1_000u128, out, bob));
    let swapped = world.chain.run(swap);
    assert_eq!(swapped.returned::<u128>(), out);
    assert_eq!(swapped.event("Swap")["amount1_out"].to_string(), out.to_string());
    assert_eq!(world.held(bob), [WEALTH - 1_000, WEALTH + out]);
    let [x, y] = world.reserves();
    assert_eq!([x, y], [1_001_000, 5_000_000 - out]);
    // What would bring 900 of the first brings it, and a unit less does not.
    let second = world.tokens[1].address;
    let needed: u128 = world.chain.query(world.pair, "quote_in", (second, 900u128));
    assert!(curve(y, x, needed) >= 900 && curve(y, x, needed - 1) < 900);
    let out = curve(y, x, needed);
    let swap = world.pair.call(bob, "swap_1_for_0", (needed, 900u128, alice));
    assert_eq!(world.chain.run(swap).returned::<u128>(), out);
    assert_eq!(world.held(alice)[0], WEALTH - 1_000_000 + out);
    // The direction as an argument comes to the same.
    let [x, y] = world.reserves();
    let swap = world.pair.call(bob, "swap_exact_in", (true, 5_000u128, 0u128, bob));
    assert_eq!(world.chain.run(swap).returned::<u128>(), curve(x, y, 5_000));
    // Both amounts given: the most that the curve allows passes, one more does not.
    let [x, y] = world.reserves();
    let out = curve(x, y, 777);
    let swap = |out: u128| world.pair.call(bob, "swap", (777u128, 0u128, 0u128, out, bob));
    let (too_much, right) = (swap(out + 1), swap(out));
    world.chain.run(too_much).reverted_with("K");
    world.chain.run(right).succeeded();
    assert_eq!(world.reserves(), [x + 777, y - out]);
}

#[test]
fn what_was_sent_before_is_swapped_at_most_for_what_is_asked() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.trader(name));
    world.provide(alice, 1_000_000, 5_000_000);
    let [token0, token1] = world.tokens.map(|token| token.address);
    let pair = world.pair;
    let receive = |token_in, token_out, min_out: u128, max_out: u128| {
        pair.call(bob, "swap_received", (token_in, token_out, min_out, max_out, bob))
    };
    world.chain.run(receive(token0, token1, 0, 9)).reverted_with("InsufficientInput");
    let send = world.tokens[0].call(bob, "transfer", (pair.address, 1_000u128));
    world.chain.run(send).succeeded();
    let out = curve(1_000_000, 5_000_000, 1_000);
    world.chain.run(receive(token0, token0, 0, out)).reverted_with("WrongToken");
    world.chain.run(receive(token1, token1, 0, out)).reverted_with("WrongToken");
    world.chain.run(receive(token0, token1, out + 1, out + 1)).reverted_with("InsufficientOutput");
    world.chain.run(receive(token0, token1, 0, 0)).reverted_with("InsufficientOutput");
    let swapped = world.chain.run(receive(token0, token1, out - 7, out - 7));
    assert_eq!(swapped.returned::<u128>(), out - 7);
    assert_eq!(world.reserves(), [1_001_000, 5_000_000 - (out - 7)]);
    assert_eq!(world.held(pair.address), world.reserves());
    let other = world.chain.account("no token");
    assert!(!world.chain.run(receive(other, token1, 0, 1)).receipt.is_success());
    world.chain.run(pair.call(bob, "swap_0_for_1", (1u128, 1u128, bob))).succeeded();
}

#[test]
fn every_refusal_has_a_name() {
    let mut world = World::new();
    let alice = world.trader("alice");
    let poor = world.chain.account("poor");
    let pair = world.pair;
    let mut refused = |call: Call, error: &str| {
        world.chain.run(call).reverted_with(error);
    };
    let add = |by, a: u128, b: u128, min: u128| pair.call(by, "add_liquidity", (a, b, min));
    let swap = |dx: u128, min: u128| pair.call(alice, "swap_0_for_1", (dx, min, alice));
    let remove = |shares: u128, min: u128| pair.call(alice, "remove_liquidity", (shares, min, min));
    refused(add(alice, 10, 10, 0), "InsufficientShares");
    refused(add(alice, 1_001_000, 1_001_000, 1_000_001), "InsufficientShares");
    refused(add(alice, 1 << 113, 1 << 113, 0), "AmountTooLarge");
    refused(add(alice, u128::MAX, u128::MAX, 0), "AmountTooLarge");
    refused(add(poor, 1_001_000, 1_001_000, 0), "InsufficientAllowance");
    refused(swap(100, 0), "InsufficientOutput");
    refused(remove(1, 0), "NotEnoughShares");
    world.provide(alice, 1_001_000, 1_001_000);
    let mut refused = |call: Call, error: &str| {
        world.chain.run(call).reverted_with(error);
    };
    refused(add(alice, 1 << 113, 1 << 113, 0), "AmountTooLarge");
    refused(swap(0, 0), "InsufficientOutput");
    refused(swap(100, 100), "InsufficientOutput");
    refused(swap(1 << 113, 0), "AmountTooLarge");
    refused(remove(1_000_001, 0), "NotEnoughShares");
    refused(remove(1_000, 1_001), "InsufficientOutput");
    refused(remove(0, 0), "InsufficientOutput");
    let both = |in0: u128, out1: u128| pair.call(alice, "swap", (in0, 0u128, 0u128, out1, alice));
    refused(both(0, 5), "InsufficientInput");
    refused(both(5, 0), "InsufficientOutput");
    refused(both(5, 1_001_000), "InsufficientLiquidity");
    refused(pair.call(poor, "swap_0_for_1", (100u128, 0u128, poor)), "InsufficientAllowance");
}

#[test]
fn pairs_run_in_lanes_of_their_own() {
    let mut world = World::new();
    let alice = world.trader("alice");
    let owner = world.chain.account("owner");
    let [token0, token1] = world.tokens;
    let pairs: Vec<Contract> = (0..100)
        .map(|_| world.chain.deploy(PAIR, &(token0.address, token1.address, FEE_BP)))
        .collect();
    let traders: Vec<Address> =
        (0..200).map(|number| world.chain.account(&format!("trader {number}"))).collect();
    let mut calls = Vec::new();
    for (trader, pair) in traders.iter().zip(pairs.iter().cycle()) {
        calls.push(token0.call(owner, "mint", (*trader, WEALTH)));
        calls.push(token0.call(*trader, "approve", (pair.address, u128::MAX)));
    }
    for (pair, token) in pairs.iter().flat_map(|pair| [(pair, token0), (pair, token1)]) {
        calls.push(token.call(alice, "approve", (pair.address, u128::MAX)));
    }
    for pair in &pairs {
        calls.push(pair.call(alice, "add_liquidity", (1_000_000u128, 1_000_000u128, 0u128)));
    }
    world.chain.block(calls).succeeded();
    let swap = |(trader, pair): (&Address, &Contract)| {
        pair.call(*trader, "swap_0_for_1", (1_000u128, 1u128, *trader))
    };
    let one_each: Vec<Call> = traders.iter().zip(&pairs).map(swap).collect();
    let block = world.chain.block(one_each);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let two_each: Vec<Call> = traders.iter().zip(pairs.iter().cycle()).map(swap).collect();
    world.chain.assert_conflicting(&two_each[0], &two_each[100]);
    world.chain.assert_independent(&two_each[0], &two_each[1]);
    let block = world.chain.block(two_each);
    block.succeeded().assert_critical_path(2).assert_no_misses();
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
}

/// A call that a trader could make.
fn sensible(world: &World, dice: &mut Dice, people: &[Address], unit: u128) -> Call {
    let by = people[dice.below(people.len() as u128) as usize];
    let to = people[dice.below(people.len() as u128) as usize];
    let (pair, amount) = (world.pair, dice.amount(26) * unit);
    let tokens = world.tokens.map(|token| token.address);
    match dice.below(12) {
        0 => pair.call(by, "add_liquidity", (amount * 9, dice.amount(26) * 9 * unit, 0u128)),
        1 => pair.call(by, "remove_liquidity", (dice.amount(22) * unit, 0u128, 0u128)),
        2 => {
            let [x, y] = world.reserves();
            let out = curve(x, y, amount);
            pair.call(by, "swap", (amount, dice.amount(8), 0u128, out, to))
        }
        3 => pair.call(by, "swap_exact_in", (dice.below(2) == 0, amount, 0u128, to)),
        4 => {
            let way = if dice.below(2) == 0 { tokens } else { [tokens[1], tokens[0]] };
            let max_out = dice.amount(30) * unit;
            pair.call(by, "swap_received", (way[0], way[1], 0u128, max_out, to))
        }
        5 => world.tokens[dice.below(2) as usize].call(by, "transfer", (pair.address, amount)),
        6..=8 => pair.call(by, "swap_0_for_1", (amount, 0u128, to)),
        _ => pair.call(by, "swap_1_for_0", (amount, 0u128, to)),
    }
}

#[test]
fn the_product_never_falls_and_no_token_is_lost() {
    let (mut ran, mut succeeded) = (0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        // Every other time with amounts of two words.
        let unit = if seed % 2 == 0 { 1 } else { (1u128 << 70) + 12_345 };
        let mut world = World::with(Config { threads, ..Config::default() });
        let mut people: Vec<Address> =
            ["alice", "bob", "carol", "dave"].map(|name| world.trader(name)).into();
        world.provide(people[0], 30_000_000 * unit, 70_000_000 * unit);
        people.push(world.chain.account("owner"));
        people.push(world.chain.account("deployer"));
        let mut dice = Dice(seed);
        let mut random = RandomCalls::new(&world.chain, seed, [world.pair]).without_views();
        let squared = |world: &World| {
            let [x, y] = world.reserves().map(BigUint::from);
            let total: u128 = world.chain.query(world.pair, "total_shares", ());
            (x * y, BigUint::from(total).pow(2))
        };
        let (mut product, mut shares) = squared(&world);
        for round in 0..30 {
            let mut calls = random.take(12);
            calls.extend((0..88).map(|_| sensible(&world, &mut dice, &people, unit)));
            // Every other block has swaps only: then the product itself must not fall.
            let swaps_only = round % 2 == 0;
            if swaps_only {
                calls.retain(|call| !call.method.ends_with("liquidity"));
            }
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();

            let (product_now, shares_now) = squared(&world);
            if swaps_only {
                assert!(product_now >= product, "the product fell in a block of swaps");
            }
            // What a share stands for never falls: k / total² as a fraction.
            assert!(&product_now * &shares >= &product * &shares_now, "a share is worth less");
            (product, shares) = (product_now, shares_now);
            // The pair holds its reserves, and what was sent to it besides.
            let held = world.held(world.pair.address);
            let reserves = world.reserves();
            assert!(held[0] >= reserves[0] && held[1] >= reserves[1]);
            // Shares are all somebody's.
            let owners = people.iter().copied().chain([Address::ZERO]);
            let owned: u128 =
                owners.map(|owner| world.chain.query::<u128>(world.pair, "shares_of", owner)).sum();
            assert_eq!(owned, world.chain.query::<u128>(world.pair, "total_shares", ()));
        }
    }
    println!("{succeeded} of {ran} calls succeeded");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
}

#[test]
fn methods_keep_their_budget() {
    let mut world = World::new();
    let alice = world.trader("alice");
    world.provide(alice, 1_000_000, 5_000_000);
    world.provide(alice, 1_000_000, 5_000_000);
    let (pair, tokens) = (world.pair, world.tokens.map(|token| token.address));
    let calls = [
        pair.call(alice, "swap_0_for_1", (1_000u128, 1u128, alice)),
        pair.call(alice, "swap_1_for_0", (1_000u128, 1u128, alice)),
        pair.call(alice, "swap_exact_in", (true, 1_000u128, 1u128, alice)),
        pair.call(alice, "swap_exact_in", (false, 1_000u128, 1u128, alice)),
        pair.call(alice, "swap", (1_000u128, 0u128, 0u128, 100u128, alice)),
        pair.call(alice, "swap", (0u128, 1_000u128, 100u128, 0u128, alice)),
        world.tokens[0].call(alice, "transfer", (pair.address, 1_000u128)),
        pair.call(alice, "swap_received", (tokens[0], tokens[1], 0u128, 100u128, alice)),
        pair.call(alice, "remove_liquidity", (1_000u128, 1u128, 1u128)),
    ];
    for call in calls {
        world.chain.run(call).succeeded();
    }
    world.chain.assert_contract_declares_only_used(pair);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
