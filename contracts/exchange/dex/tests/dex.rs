//! What the exchange of one contract promises, who waits for whom, and what it costs.

use num_bigint::BigUint;
use std::path::Path;
use tollway_contracts_wasm::DEX;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, TestChain, budget};

const WEALTH: u128 = 1_000_000_000_000;

/// What a pool trades and how, and what it holds, as the contract has them.
type Pool = ((u32, u32, u16, bool), (u128, u128));

struct World {
    chain: TestChain,
    dex: Contract,
    owner: Address,
}

impl World {
    fn new(config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let owner = chain.account("owner");
        let dex = chain.deploy(DEX, &owner);
        chain.also_native(dex, &tollway_contract_dex::dex::NATIVE);
        Self { chain, dex, owner }
    }

    fn pool(&self, pool: u32, tokens: (u32, u32), reserves: (u128, u128)) -> Call {
        let config = (tokens.0, tokens.1, 3u16, true);
        self.dex.call(self.owner, "create_pool", (pool, config, reserves))
    }

    fn credit(&self, account: Address, token: u32) -> Call {
        self.dex.call(self.owner, "credit", (account, token, WEALTH))
    }

    fn balance(&self, account: Address, token: u32) -> u128 {
        self.chain.query(self.dex, "balance", (account, token))
    }

    fn reserves(&self, pool: u32) -> (u128, u128) {
        self.chain.query::<Pool>(self.dex, "pool", pool).1
    }
}

fn four_threads() -> Config {
    Config { threads: 4, ..Config::default() }
}

#[test]
fn pools_trade_by_the_curve() {
    let mut world = World::new(four_threads());
    let [owner, alice] = world.chain.accounts(["owner", "alice"]);
    let dex = world.dex;
    world.chain.run(world.pool(1, (7, 8), (1_000_000, 5_000_000))).succeeded();
    world.chain.run(world.credit(alice, 7)).succeeded();
    let swap = |pool: u32, token_in: u32, token_out: u32, dx: u128, min: u128| {
        dex.call(alice, "swap", (pool, token_in, token_out, dx, min))
    };
    let after_fee = BigUint::from(1_000u32 * 997);
    let out = &after_fee * 5_000_000u32 / (BigUint::from(1_000_000_000u64) + &after_fee);
    let out = u128::try_from(out).expect("it is small");
    world.chain.run(swap(1, 7, 8, 1_000, out + 1)).reverted_with("OutTooSmall");
    let swapped = world.chain.run(swap(1, 7, 8, 1_000, out));
    assert_eq!(swapped.returned::<u128>(), out);
    assert_eq!(swapped.event("Swap")["dir"].to_string(), "0");
    assert_eq!(world.reserves(1), (1_001_000, 5_000_000 - out));
    assert_eq!([7, 8].map(|token| world.balance(alice, token)), [WEALTH - 1_000, out]);
    let back = world.chain.run(swap(1, 8, 7, out, 0));
    assert!(back.returned::<u128>() < 1_000, "the fee was paid twice");

    world.chain.run(swap(2, 7, 8, 1, 0)).reverted_with("UnknownPool");
    world.chain.run(swap(1, 7, 7, 1_000, 0)).reverted_with("WrongTokens");
    world.chain.run(swap(1, 8, 7, 1_000, 0)).reverted_with("InsufficientBalance");
    world.chain.run(swap(1, 7, 8, 0, 0)).reverted_with("InsufficientLiquidity");
    world.chain.run(swap(1, 7, 8, u128::MAX, 0)).reverted_with("AmountTooLarge");
    let set = |by, enabled: bool| dex.call(by, "set_enabled", (1u32, enabled));
    world.chain.run(set(alice, false)).reverted_with("NotOwner");
    world.chain.run(set(owner, false)).succeeded();
    world.chain.run(swap(1, 7, 8, 1_000, 0)).reverted_with("PoolDisabled");
    world.chain.run(set(owner, true)).succeeded();
    world.chain.run(swap(1, 7, 8, 1_000, 0)).succeeded();
    world.chain.run(world.pool(1, (7, 8), (1, 1))).reverted_with("PoolExists");
    world.chain.run(world.pool(2, (7, 7), (1, 1))).reverted_with("BadPool");
    let unknown = dex.call(owner, "set_enabled", (9u32, true));
    world.chain.run(unknown).reverted_with("UnknownPool");
    let forged = dex.call(alice, "credit", (alice, 7u32, 1u128));
    world.chain.run(forged).reverted_with("NotOwner");
    world.chain.assert_contract_declares_only_used(dex);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}

#[test]
fn pools_run_side_by_side_also_for_one_trader() {
    let mut world = World::new(four_threads());
    let alice = world.chain.account("alice");
    let pools: Vec<u32> = (0..300).collect();
    let mut calls: Vec<Call> =
        pools.iter().map(|pool| world.pool(*pool, (7, 8), (1_000_000, 1_000_000))).collect();
    calls.push(world.credit(alice, 7));
    world.chain.block(calls).succeeded();
    let swap = |pool: &u32| world.dex.call(alice, "swap", (*pool, 7u32, 8u32, 1_000u128, 1u128));
    let calls: Vec<Call> = pools.iter().map(swap).collect();
    world.chain.assert_conflicting(&calls[0], &calls[0]);
    world.chain.assert_independent(&calls[0], &calls[1]);
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
}

#[test]
fn products_never_fall_and_tokens_are_neither_made_nor_lost() {
    const TOKENS: u32 = 4;
    let (mut ran, mut succeeded) = (0, 0);
    for (seed, threads) in (1u64..).zip([1, 2, 4, 8]) {
        let mut world = World::new(Config { threads, ..Config::default() });
        let people = world.chain.accounts(["alice", "bob", "carol"]);
        let mut calls = Vec::new();
        for pool in 0..6 {
            let tokens = (pool % TOKENS, (pool + 1) % TOKENS);
            calls.push(world.pool(pool, tokens, (90_000_000, 40_000_000)));
        }
        for person in people {
            calls.extend((0..TOKENS).map(|token| world.credit(person, token)));
        }
        world.chain.block(calls).succeeded();
        let sums = |world: &World| -> Vec<u128> {
            let mut sums: Vec<u128> = (0..TOKENS)
                .map(|token| people.iter().map(|person| world.balance(*person, token)).sum())
                .collect();
            for pool in 0..6 {
                let (a, b) = world.reserves(pool);
                sums[(pool % TOKENS) as usize] += a;
                sums[((pool + 1) % TOKENS) as usize] += b;
            }
            sums
        };
        let product = |world: &World, pool: u32| {
            let (a, b) = world.reserves(pool);
            BigUint::from(a) * b
        };
        let before = sums(&world);
        // Random pools and credits by the owner would make tokens: only the owner may, and the
        // random calls that are his are left out.
        let mut random = RandomCalls::new(&world.chain, seed, [world.dex]).without_views();
        let mut state = seed;
        let mut below = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        for _ in 0..26 {
            let products: Vec<BigUint> = (0..6).map(|pool| product(&world, pool)).collect();
            let mut calls = random.take(25);
            calls.retain(|call| call.caller != world.owner);
            while calls.len() < 100 {
                let pool = below(6) as u32;
                let (a, b) = (pool % TOKENS, (pool + 1) % TOKENS);
                let (token_in, token_out) = if below(2) == 0 { (a, b) } else { (b, a) };
                let bits = below(24);
                let amount = u128::from(below(2 << bits));
                let args = (pool, token_in, token_out, amount, 0u128);
                calls.push(world.dex.call(people[below(3) as usize], "swap", args));
            }
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            succeeded += block.calls.iter().filter(|call| call.receipt.is_success()).count();
            for (pool, before) in (0..).zip(products) {
                assert!(product(&world, pool) >= before, "the product of pool {pool} fell");
            }
            assert_eq!(sums(&world), before);
        }
    }
    println!("{succeeded} of {ran} calls succeeded");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
}
