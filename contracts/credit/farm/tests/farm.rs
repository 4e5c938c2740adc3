//! What a farm promises, who waits for whom, and what it costs. Rewards are held against exact
//! fractions.

use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::BTreeMap;
use std::path::Path;
use tollway_contract_farm::farm;
use tollway_contract_token::token;
use tollway_contracts_wasm::{FARM, TOKEN};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Block, Contract, Dice, TestChain, budget};

const WEALTH: u128 = 1 << 110;
const EPOCH_MS: u64 = 100_000;

struct World {
    chain: TestChain,
    owner: Address,
    /// What is staked, and what rewards are in.
    tokens: [Contract; 2],
    farm: Contract,
    start_ms: u64,
}

impl World {
    fn new() -> Self {
        Self::with(Config { threads: 4, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let owner = chain.account("owner");
        let tokens = [(); 2].map(|()| chain.deploy(TOKEN, &owner));
        let start_ms = chain.time_ms();
        let [staked, reward] = tokens.map(|token| token.address);
        let farm = chain.deploy(FARM, &(staked, reward, start_ms, EPOCH_MS));
        for token in &tokens {
            chain.also_native(*token, &token::NATIVE);
        }
        chain.also_native(farm, &farm::NATIVE);
        let mut world = Self { chain, owner, tokens, farm, start_ms };
        world.stakers(["owner".to_owned()]);
        world
    }

    /// Accounts with tokens that the farm may take.
    fn stakers(&mut self, names: impl IntoIterator<Item = String>) -> Vec<Address> {
        let stakers: Vec<Address> =
            names.into_iter().map(|name| self.chain.account(&name)).collect();
        let mut calls = Vec::new();
        for (staker, token) in
            stakers.iter().flat_map(|staker| self.tokens.map(|token| (staker, token)))
        {
            calls.push(token.call(self.owner, "mint", (*staker, WEALTH)));
            calls.push(token.call(*staker, "approve", (self.farm.address, u128::MAX)));
        }
        self.chain.block(calls).succeeded();
        stakers
    }

    fn staker(&mut self, name: &str) -> Address {
        self.stakers([name.to_owned()])[0]
    }

    /// The epoch that the next block is in.
    fn epoch(&self) -> u64 {
        (self.chain.time_ms() + 1_000 - self.start_ms) / EPOCH_MS
    }

    /// Lets the epoch go by, and closes it in the first block of the next.
    fn next_epoch(&mut self) {
        let close = self.pass_epoch();
        self.chain.run(close).succeeded();
    }

    fn pass_epoch(&mut self) -> Call {
        let epoch = self.epoch();
        let next_ms = self.start_ms + (epoch + 1) * EPOCH_MS;
        self.chain.pass_ms(next_ms - self.chain.time_ms());
        self.farm.call(self.owner, "close", epoch)
    }

    fn join(&self, by: Address, amount: u128) -> Call {
        self.farm.call(by, "join", (self.epoch(), amount))
    }

    fn leave(&self, by: Address, lot: u64, amount: u128) -> Call {
        self.farm.call(by, "leave", (self.epoch(), lot, amount))
    }

    fn claim(&self, by: Address, lot: u64, from: u64, to: u64) -> Call {
        self.farm.call(by, "claim", (lot, from, to))
    }

    fn fund(&self, epoch: u64, amount: u128) -> Call {
        self.farm.call(self.owner, "fund", (epoch, amount))
    }

    fn staked(&self, owner: Address) -> u128 {
        self.chain.query(self.tokens[0], "balance_of", owner)
    }

    fn reward(&self, owner: Address) -> u128 {
        self.chain.query(self.tokens[1], "balance_of", owner)
    }
}

#[test]
fn rewards_are_shared_by_what_was_staked() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.staker(name));
    world.chain.run(world.join(alice, 1_000)).succeeded().event("Joined");
    world.chain.run(world.join(bob, 2_000)).succeeded();
    world.chain.run(world.fund(1, 900)).succeeded();
    world.chain.run(world.fund(2, 90)).succeeded();
    world.next_epoch();
    world.next_epoch();
    let paid: u128 = world.chain.run(world.claim(alice, 0, 0, 1)).returned();
    assert_eq!(paid, 300);
    world.next_epoch();
    assert_eq!(world.chain.run(world.claim(alice, 0, 1, 2)).returned::<u128>(), 30);
    assert_eq!(world.chain.run(world.claim(bob, 0, 0, 2)).returned::<u128>(), 660);
    assert_eq!([alice, bob].map(|who| world.reward(who)), [WEALTH + 330, WEALTH + 660]);
    world.chain.run(world.leave(alice, 0, 1_000)).succeeded().event("Left");
    assert_eq!(world.staked(alice), WEALTH);
    // What is left is bob's alone.
    world.chain.run(world.fund(3, 50)).succeeded();
    world.next_epoch();
    let bobs: u128 = world.chain.run(world.claim(bob, 0, 2, 3)).returned();
    assert!((49..=50).contains(&bobs), "{bobs}");
}

#[test]
fn a_late_joiner_earns_nothing_of_the_past() {
    let mut world = World::new();
    let [alice, late] = ["alice", "late"].map(|name| world.staker(name));
    world.chain.run(world.join(alice, 1_000)).succeeded();
    world.chain.run(world.fund(1, 1_000)).succeeded();
    world.chain.run(world.fund(2, 1_000)).succeeded();
    world.next_epoch();
    // In the last second of an epoch that it does not earn in, with a hundred times as much.
    world.chain.pass_ms(EPOCH_MS - 5_000);
    world.chain.run(world.join(late, 100_000)).succeeded();
    world.next_epoch();
    world.chain.run(world.claim(late, 1, 1, 1)).reverted_with("NothingToClaim");
    world.chain.run(world.claim(late, 1, 0, 1)).reverted_with("WrongStart");
    world.chain.run(world.claim(late, 0, 0, 1)).reverted_with("NothingToClaim");
    assert_eq!(world.chain.run(world.claim(alice, 0, 0, 1)).returned::<u128>(), 1_000);
    world.next_epoch();
    let of_late: u128 = world.chain.run(world.claim(late, 1, 1, 2)).returned();
    let of_alice: u128 = world.chain.run(world.claim(alice, 0, 1, 2)).returned();
    assert_eq!((of_late, of_alice), (990, 9));
}

#[test]
fn a_double_claim_pays_once() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.staker(name));
    world.chain.run(world.join(alice, 1_000)).succeeded();
    world.chain.run(world.join(bob, 1_000)).succeeded();
    world.chain.run(world.fund(1, 1_000)).succeeded();
    world.next_epoch();
    world.next_epoch();
    let claim = world.claim(alice, 0, 0, 1);
    let block = world.chain.block([claim.clone(), claim.clone(), claim]);
    assert_eq!(block.calls[0].returned::<u128>(), 500);
    block.calls[1].reverted_with("WrongStart");
    block.calls[2].reverted_with("WrongStart");
    assert_eq!(world.reward(alice), WEALTH + 500);
    world.chain.run(world.claim(alice, 0, 1, 1)).reverted_with("NothingToClaim");
    world.chain.run(world.claim(alice, 0, 1, 2)).reverted_with("NotClosed");
}

#[test]
fn rewards_of_an_epoch_without_stakes_go_to_the_next() {
    let mut world = World::new();
    let alice = world.staker("alice");
    world.chain.run(world.fund(0, 70)).succeeded();
    world.chain.run(world.fund(1, 30)).succeeded();
    world.next_epoch();
    world.chain.run(world.join(alice, 5)).succeeded();
    world.next_epoch();
    world.next_epoch();
    let paid: u128 = world.chain.run(world.claim(alice, 1, 1, 2)).returned();
    assert_eq!(paid, 100);
}

#[test]
fn every_refusal_has_a_name() {
    let mut world = World::new();
    let [alice, bob] = ["alice", "bob"].map(|name| world.staker(name));
    let farm = world.farm;
    world.chain.run(world.fund(0, 0)).reverted_with("AmountTooSmall");
    world.chain.run(world.join(alice, 0)).reverted_with("AmountTooSmall");
    world.chain.run(farm.call(alice, "join", (1u64, 5u128))).reverted_with("WrongEpoch");
    world.chain.run(farm.call(alice, "close", 0u64)).reverted_with("TooEarly");
    world.chain.run(farm.call(alice, "close", 1u64)).reverted_with("TooEarly");
    world.chain.run(world.join(alice, 100)).succeeded();
    // Before the epoch is over, the stake can go again.
    world.chain.run(world.leave(alice, 0, 101)).reverted_with("NotEnoughStaked");
    world.chain.run(world.leave(alice, 0, 0)).reverted_with("AmountTooSmall");
    world.chain.run(world.leave(bob, 0, 1)).reverted_with("NotEnoughStaked");
    world.chain.run(world.leave(alice, 0, 40)).succeeded();
    world.chain.run(world.claim(alice, 0, 0, 0)).reverted_with("NothingToClaim");
    world.chain.run(world.claim(alice, 0, 0, 1)).reverted_with("NotClosed");
    world.next_epoch();
    world.chain.run(farm.call(alice, "close", 0u64)).reverted_with("WrongEpoch");
    world.chain.run(world.fund(0, 5)).reverted_with("WrongEpoch");
    world.chain.run(farm.call(alice, "leave", (0u64, 0u64, 5u128))).reverted_with("WrongEpoch");
    world.next_epoch();
    world.chain.run(world.leave(alice, 0, 60)).reverted_with("ClaimFirst");
    world.chain.run(world.claim(alice, 0, 0, 1)).succeeded();
    world.chain.run(world.leave(alice, 0, 60)).succeeded();
    assert_eq!(world.staked(alice), WEALTH);
    let late = world.pass_epoch();
    world.pass_epoch();
    world.chain.run(farm.call(alice, "close", 3u64)).reverted_with("TooEarly");
    world.chain.run(late).succeeded();
    world.chain.run(farm.call(alice, "close", 3u64)).succeeded();
    let poor = world.chain.account("poor");
    world.chain.run(world.join(poor, 5)).reverted_with("InsufficientAllowance");
}

#[test]
fn many_stakers_run_side_by_side() {
    let mut world = World::new();
    let stakers = world.stakers((0..300).map(|number| format!("staker {number}")));
    world.chain.run(world.fund(1, 1_000_000)).succeeded();
    let calls: Vec<Call> = stakers.iter().map(|who| world.join(*who, 1_000)).collect();
    world.chain.assert_independent(&calls[0], &calls[1]);
    let join = calls[0].clone();
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    world.chain.assert_conflicting(&join, &world.farm.call(stakers[1], "close", 0u64));
    world.next_epoch();
    world.next_epoch();
    let claims: Vec<Call> = stakers.iter().map(|who| world.claim(*who, 0, 0, 1)).collect();
    world.chain.assert_conflicting(&claims[0], &claims[0]);
    let block = world.chain.block(claims);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // Some go, some come, some fund, all at once.
    let mixed: Vec<Call> = stakers
        .iter()
        .enumerate()
        .map(|(number, who)| match number % 3 {
            0 => world.leave(*who, 0, 500),
            1 => world.join(*who, 10),
            _ => world.farm.call(*who, "fund", (5u64, 10u128)),
        })
        .collect();
    let block = world.chain.block(mixed);
    block.succeeded().assert_critical_path(1).assert_no_misses();
}

/// What the farm should do, in exact fractions: from the calls that succeeded.
#[derive(Default)]
struct Model {
    /// What is staked, and what it has earned, by account and lot.
    lots: BTreeMap<(Address, u64), (u128, BigRational)>,
    paid: BTreeMap<(Address, u64), (u128, u32)>,
    funded: BTreeMap<u64, u128>,
    carried: BigRational,
    total_funded: u128,
}

fn whole(number: u128) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

impl Model {
    fn follow(&mut self, block: &Block) {
        for ran in block.calls.iter().filter(|ran| ran.receipt.is_success()) {
            let (by, args) = (ran.call.caller, &ran.call.args[..]);
            let epoch = u64::from_le_bytes(
                args.get(..8).map_or([0; 8], |bytes| bytes.try_into().expect("eight bytes")),
            );
            let number = |at: usize| {
                u128::from_le_bytes(args[at..at + 16].try_into().expect("sixteen bytes"))
            };
            match ran.call.method.as_str() {
                "fund" => {
                    *self.funded.entry(epoch).or_default() += number(8);
                    self.total_funded += number(8);
                }
                "join" => self.lots.entry((by, epoch)).or_default().0 += number(8),
                "leave" => {
                    let lot = u64::from_le_bytes(args[8..16].try_into().expect("eight bytes"));
                    self.lots.entry((by, lot)).or_default().0 -= number(16);
                }
                "claim" => {
                    let (paid, times) = self.paid.entry((by, epoch)).or_default();
                    *paid += ran.returned::<u128>();
                    *times += 1;
                }
                "close" => self.close(epoch),
                _ => {}
            }
        }
    }

    fn close(&mut self, epoch: u64) {
        let rewards = whole(self.funded.get(&epoch).copied().unwrap_or(0)) + &self.carried;
        // Departures of the next epoch come after, as the close is its first call.
        let earning = || self.lots.iter().filter(|((_, lot), _)| *lot < epoch);
        let total: u128 = earning().map(|(_, (staked, _))| staked).sum();
        if total == 0 {
            self.carried = rewards;
            return;
        }
        self.carried = whole(0);
        for ((_, lot), (staked, earned)) in &mut self.lots {
            if *lot < epoch {
                *earned += &rewards * whole(*staked) / whole(total);
            }
        }
    }
}

#[test]
fn rewards_are_exact_and_never_more_than_funded() {
    let (mut ran, mut succeeded, mut claims) = (0, 0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        // Every other time with amounts of two words.
        let unit = if seed % 2 == 0 { 1 } else { (1u128 << 70) + 12_345 };
        let mut world = World::with(Config { threads, ..Config::default() });
        let stakers = world.stakers((0..8).map(|number| format!("staker {number}")));
        let before = world.reward(world.owner);
        let mut dice = Dice::new(seed);
        let mut model = Model::default();
        let mut random = RandomCalls::new(&world.chain, seed, [world.farm]);
        for _ in 0..30 {
            // The close comes first, so that nobody leaves an epoch before the last is counted.
            let mut calls = vec![];
            if dice.percent(70) {
                calls.push(world.pass_epoch());
            }
            let epoch = world.epoch();
            calls.extend(random.take(10));
            while calls.len() < 88 {
                let by = *dice.pick(&stakers);
                let amount = (1 + u128::from(dice.below(1_000_000))) * unit;
                let known: Vec<u64> = (model.lots.iter())
                    .filter(|((staker, _), (staked, _))| *staker == by && *staked > 0)
                    .map(|((_, lot), _)| *lot)
                    .collect();
                let lot = if known.is_empty() { epoch } else { *dice.pick(&known) };
                let (staked, claimed): (u128, u64) =
                    world.chain.query(world.farm, "lot", (by, lot));
                calls.push(match dice.below(10) {
                    0..3 => world.join(by, amount),
                    3 if epoch > 0 && claimed + 1 < epoch => {
                        world.claim(by, lot, claimed, epoch - 1)
                    }
                    3 => world.leave(by, lot, 1 + staked / 5),
                    4 => world.leave(by, lot, 1 + staked * u128::from(dice.below(100)) / 99),
                    5..8 if claimed + 1 < epoch => {
                        let to = claimed + 1 + dice.below(epoch - 1 - claimed);
                        world.claim(by, lot, claimed, to)
                    }
                    _ => world.farm.call(world.owner, "fund", (epoch + dice.below(3), amount)),
                });
            }
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            let done = || block.calls.iter().filter(|call| call.receipt.is_success());
            succeeded += done().count();
            claims += done().filter(|call| call.call.method == "claim").count();
            model.follow(&block);

            let staked: u128 = model.lots.values().map(|(staked, _)| staked).sum();
            assert_eq!(world.staked(world.farm.address), staked);
            let paid: u128 = model.paid.values().map(|(paid, _)| paid).sum();
            assert!(paid <= model.total_funded);
            let held = world.reward(world.farm.address);
            assert_eq!(held, model.total_funded - paid);
            let last = world.epoch().saturating_sub(1);
            let mut open = 0;
            let most = 40_000_000 * unit;
            for ((staker, lot), (_, earned)) in &model.lots {
                let (_, claimed): (u128, u64) = world.chain.query(world.farm, "lot", (staker, lot));
                let mut due = 0;
                if claimed < last {
                    let args = (staker, lot, claimed, last);
                    due = world.chain.query::<u128>(world.farm, "rewards", args);
                }
                open += due;
                let (paid, times) = model.paid.get(&(*staker, *lot)).copied().unwrap_or((0, 0));
                let got = whole(paid + due);
                // Never more than its part, but for what rounding carried on from others; never
                // less by more than a unit a claim and one an epoch.
                // And a 10¹⁸th of a stake an epoch.
                let rounded = u128::from(world.epoch()) * (1 + most / 1_000_000_000_000_000_000);
                let slack = whole(rounded + u128::from(times) + 2);
                let near = got <= earned + &slack && got >= earned - &slack;
                assert!(
                    near,
                    "lot {lot} was paid {paid} and is due {due} after {claimed}, of {earned}"
                );
            }
            assert!(open <= held, "{open} are due, {held} are there");
        }
        assert!(world.reward(world.owner) < before);
    }
    println!("{succeeded} of {ran} calls succeeded, {claims} claims");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
    assert!(claims >= 300, "{claims} claims");
}

#[test]
fn methods_keep_their_budget() {
    let mut world = World::new();
    let alice = world.staker("alice");
    world.chain.run(world.join(alice, 1_000)).succeeded();
    world.chain.run(world.fund(1, 1_000)).succeeded();
    world.next_epoch();
    world.next_epoch();
    world.chain.run(world.claim(alice, 0, 0, 1)).succeeded();
    world.chain.run(world.leave(alice, 0, 500)).succeeded();
    // Out of an epoch that has not begun.
    world.chain.run(world.join(alice, 1_000)).succeeded();
    world.chain.run(world.leave(alice, 2, 500)).succeeded();
    world.chain.assert_contract_declares_only_used(world.farm);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
