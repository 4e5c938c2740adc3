//! What staking promises, who waits for whom, and what it costs. What stakes are worth is held
//! against exact fractions.

use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::BTreeMap;
use std::path::Path;
use tollway_contract_stake::stake;
use tollway_contract_token::token;
use tollway_contracts_wasm::{STAKE, TOKEN};
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Block, Contract, Dice, TestChain, budget};

const WEALTH: u128 = 1 << 100;
const EPOCH_MS: u64 = 100_000;
const DELAY_MS: u64 = 250_000;

/// The first epoch that is not closed, its units, the index, what slashes left, what is carried.
type Pool = (u64, u128, u128, u128, u128);

struct World {
    chain: TestChain,
    owner: Address,
    slasher: Address,
    treasury: Address,
    token: Contract,
    stake: Contract,
    start_ms: u64,
}

impl World {
    fn new() -> Self {
        Self::with(Config { threads: 4, ..Config::default() })
    }

    fn with(config: Config) -> Self {
        let mut chain = TestChain::with(config);
        let [owner, slasher, treasury] = chain.accounts(["owner", "slasher", "treasury"]);
        let token = chain.deploy(TOKEN, &owner);
        let start_ms = chain.time_ms();
        let immutables = (token.address, start_ms, EPOCH_MS, DELAY_MS, slasher, treasury);
        let stake = chain.deploy(STAKE, &immutables);
        chain.also_native(token, &token::NATIVE);
        chain.also_native(stake, &stake::NATIVE);
        let mut world = Self { chain, owner, slasher, treasury, token, stake, start_ms };
        world.stakers(["owner".to_owned()]);
        world
    }

    /// Accounts with tokens that the contract may take.
    fn stakers(&mut self, names: impl IntoIterator<Item = String>) -> Vec<Address> {
        let stakers: Vec<Address> =
            names.into_iter().map(|name| self.chain.account(&name)).collect();
        let mut calls = Vec::new();
        for staker in &stakers {
            calls.push(self.token.call(self.owner, "mint", (*staker, WEALTH)));
            calls.push(self.token.call(*staker, "approve", (self.stake.address, u128::MAX)));
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
        self.stake.call(self.owner, "close", epoch)
    }

    fn join(&self, by: Address, amount: u128) -> Call {
        self.stake.call(by, "join", (self.epoch(), amount))
    }

    fn unbond(&self, by: Address, lot: u64, amount: u128) -> Call {
        self.stake.call(by, "unbond", (self.epoch(), lot, amount))
    }

    /// Unbonds, and gives the identifier.
    fn take_off(&mut self, by: Address, lot: u64, amount: u128) -> u128 {
        self.chain.run(self.unbond(by, lot, amount)).returned::<(u128, u128)>().0
    }

    fn withdraw(&self, by: Address, id: u128) -> Call {
        self.stake.call(by, "withdraw", id)
    }

    fn fund(&self, epoch: u64, amount: u128) -> Call {
        self.stake.call(self.owner, "fund", (epoch, amount))
    }

    fn slash(&self, fraction_bp: u16) -> Call {
        self.stake.call(self.slasher, "slash", (self.epoch(), fraction_bp))
    }

    fn held(&self, owner: Address) -> u128 {
        self.chain.query(self.token, "balance_of", owner)
    }

    fn worth(&self, staker: Address, lot: u64) -> u128 {
        self.chain.query(self.stake, "worth", (staker, lot))
    }

    fn unbonding(&self, staker: Address, id: u128) -> Option<(u128, u64)> {
        self.chain.query(self.stake, "unbonding", (staker, id))
    }
}

#[test]
fn rewards_raise_what_bonded_stakes_are_worth_and_no_others() {
    let mut world = World::new();
    let [alice, bob, late] = ["alice", "bob", "late"].map(|name| world.staker(name));
    world.chain.run(world.join(alice, 10_000)).succeeded().event("Joined");
    world.chain.run(world.join(bob, 30_000)).succeeded();
    world.chain.run(world.fund(1, 4_000)).succeeded();
    world.next_epoch();
    assert_eq!([alice, bob].map(|who| world.worth(who, 0)), [10_000, 30_000]);
    // In the last seconds of the epoch, with a hundred times as much.
    world.chain.pass_ms(EPOCH_MS - 5_000);
    world.chain.run(world.join(late, 1_000_000)).succeeded();
    world.next_epoch();
    assert_eq!([alice, bob].map(|who| world.worth(who, 0)), [11_000, 33_000]);
    let of_late = world.worth(late, 1);
    assert!((999_999..=1_000_000).contains(&of_late), "{of_late}");
    // From now on it earns its part.
    world.chain.run(world.fund(2, 10_440)).succeeded();
    world.next_epoch();
    assert!((109..=110).contains(&(world.worth(alice, 0) - 11_000)));
    assert!((9_998..=10_000).contains(&(world.worth(late, 1) - of_late)));
}

#[test]
fn a_stake_is_paid_after_the_delay_and_once() {
    let mut world = World::new();
    let alice = world.staker("alice");
    world.chain.run(world.join(alice, 10_000)).succeeded();
    world.chain.run(world.unbond(alice, 0, 10_000)).reverted_with("NotBonded");
    world.next_epoch();
    world.chain.run(world.unbond(alice, 0, 10_001)).reverted_with("NotEnoughStaked");
    let taken = world.chain.run(world.unbond(alice, 0, 4_000));
    let (id, worth): (u128, u128) = taken.returned();
    assert_eq!(worth, 4_000);
    assert_eq!(taken.event("Unbonded")["id"].to_string(), id.to_string());
    let ready_ms = world.chain.time_ms() + DELAY_MS;
    assert_eq!(world.unbonding(alice, id), Some((4_000, ready_ms)));
    // What is unbonding earns nothing.
    world.chain.run(world.fund(1, 600)).succeeded();

    world.next_epoch();
    assert_eq!(world.worth(alice, 0), 6_600);
    assert_eq!(world.unbonding(alice, id), Some((4_000, ready_ms)));
    // The block before the delay is over, and the one after.
    let left_ms = ready_ms - world.chain.time_ms();
    world.chain.pass_ms(left_ms - 1_001);
    world.chain.run(world.withdraw(alice, id)).reverted_with("StillUnbonding");
    let calls = [world.withdraw(alice, id), world.withdraw(alice, id)];
    let block = world.chain.block(calls);
    assert_eq!(block.calls[0].returned::<u128>(), 4_000);
    block.calls[1].reverted_with("NotUnbonding");
    assert_eq!(world.held(alice), WEALTH - 6_000);
    let bob = world.staker("bob");
    world.chain.run(world.withdraw(bob, id)).reverted_with("NotUnbonding");
}

#[test]
fn a_slash_takes_the_same_part_of_everybody() {
    let mut world = World::new();
    let [alice, bob, carol, late] =
        ["alice", "bob", "carol", "late"].map(|name| world.staker(name));
    for (who, amount) in [(alice, 1_000_000), (bob, 3_000_000), (carol, 500_000)] {
        world.chain.run(world.join(who, amount)).succeeded();
    }
    world.next_epoch();
    // Carol is on the way out, late is not in yet.
    let of_carol = world.take_off(carol, 0, 500_000);
    world.chain.run(world.join(late, 200_000)).succeeded();
    world.chain.run(world.slash(1_000)).succeeded().event("Slashed");
    let taken = world.held(world.treasury);
    assert!((449_995..=450_000).contains(&taken), "{taken}");
    assert_eq!([alice, bob].map(|who| world.worth(who, 0)), [900_000, 2_700_000]);
    assert_eq!(world.unbonding(carol, of_carol).expect("she is unbonding").0, 450_000);
    assert_eq!(world.worth(late, 1), 200_000);
    // Who unbonds after a slash does not pay for it twice.
    let of_bob = world.take_off(bob, 0, 1_000_000);
    assert_eq!(world.unbonding(bob, of_bob).expect("he is unbonding").0, 900_000);
    world.next_epoch();
    world.chain.run(world.slash(5_000)).succeeded();
    assert_eq!(world.worth(alice, 0), 450_000);
    assert!((99_999..=100_000).contains(&world.worth(late, 1)));
    assert_eq!(world.unbonding(carol, of_carol).expect("she is unbonding").0, 225_000);
    assert_eq!(world.unbonding(bob, of_bob).expect("he is unbonding").0, 450_000);
    world.chain.pass_ms(DELAY_MS);
    assert_eq!(world.chain.run(world.withdraw(carol, of_carol)).returned::<u128>(), 225_000);
    assert_eq!(world.held(carol), WEALTH - 500_000 + 225_000);
}

#[test]
fn every_refusal_has_a_name() {
    let mut world = World::new();
    let alice = world.staker("alice");
    let stake = world.stake;
    world.chain.run(world.join(alice, 0)).reverted_with("AmountTooSmall");
    world.chain.run(world.fund(0, 0)).reverted_with("AmountTooSmall");
    world.chain.run(stake.call(alice, "join", (1u64, 5u128))).reverted_with("WrongEpoch");
    world.chain.run(stake.call(alice, "close", 0u64)).reverted_with("TooEarly");
    world.chain.run(world.join(alice, 1_000)).succeeded();
    world.next_epoch();
    world.chain.run(stake.call(alice, "close", 0u64)).reverted_with("WrongEpoch");
    world.chain.run(world.fund(0, 5)).reverted_with("WrongEpoch");
    world.chain.run(world.unbond(alice, 0, 0)).reverted_with("AmountTooSmall");
    world.chain.run(stake.call(alice, "slash", (1u64, 5u16))).reverted_with("NotSlasher");
    world.chain.run(world.slash(0)).reverted_with("BadFraction");
    world.chain.run(world.slash(10_000)).reverted_with("BadFraction");
    let slasher = world.slasher;
    world.chain.run(stake.call(slasher, "slash", (0u64, 5u16))).reverted_with("WrongEpoch");
    let close = world.pass_epoch();
    world.chain.run(world.slash(5)).reverted_with("NotClosed");
    world.chain.run(world.unbond(alice, 0, 10)).reverted_with("NotClosed");
    world.chain.run(close).succeeded();
    world.chain.run(world.slash(9_999)).succeeded();
    // Too little would be left to count by.
    world.chain.run(world.slash(9_999)).reverted_with("BadFraction");
    let poor = world.chain.account("poor");
    world.chain.run(world.join(poor, 5)).reverted_with("InsufficientAllowance");
}

#[test]
fn many_stakers_run_side_by_side() {
    let mut world = World::new();
    let stakers = world.stakers((0..300).map(|number| format!("staker {number}")));
    let calls: Vec<Call> = stakers.iter().map(|who| world.join(*who, 1_000)).collect();
    let join = calls[0].clone();
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    world.chain.assert_conflicting(&join, &world.stake.call(stakers[1], "close", 0u64));
    world.next_epoch();
    let mixed: Vec<Call> = stakers
        .iter()
        .enumerate()
        .map(|(number, who)| match number % 3 {
            0 => world.join(*who, 10),
            _ => world.unbond(*who, 0, 500),
        })
        .collect();
    world.chain.assert_independent(&mixed[1], &mixed[1]);
    world.chain.assert_conflicting(&mixed[1], &world.slash(5));
    let block = world.chain.block(mixed);
    block.succeeded().assert_critical_path(1).assert_no_misses();
    world.chain.pass_ms(DELAY_MS);
    let unbonded = block.calls.iter().filter(|ran| ran.call.method == "unbond");
    let calls: Vec<Call> = unbonded
        .map(|ran| world.withdraw(ran.call.caller, ran.returned::<(u128, u128)>().0))
        .collect();
    assert_eq!(calls.len(), 200);
    let block = world.chain.block(calls);
    block.succeeded().assert_critical_path(1).assert_no_misses();
}

fn whole(number: u128) -> BigRational {
    BigRational::from_integer(BigInt::from(number))
}

/// What staking should do, in exact fractions: from the calls that succeeded.
#[derive(Default)]
struct Model {
    /// What is left of what joined, and what that is worth, by account and lot.
    lots: BTreeMap<(Address, u64), (u128, BigRational)>,
    unbonding: BTreeMap<(Address, u128), BigRational>,
    funded: BTreeMap<u64, u128>,
    carried: BigRational,
    /// Lots of this epoch on are not bonded.
    next: u64,
    paid_in: u128,
    paid_out: u128,
}

impl Model {
    fn follow(&mut self, block: &Block) {
        for ran in block.calls.iter().filter(|ran| ran.receipt.is_success()) {
            let (by, args) = (ran.call.caller, &ran.call.args[..]);
            let word =
                |at: usize| u64::from_le_bytes(args[at..at + 8].try_into().expect("eight bytes"));
            let number = |at: usize| {
                u128::from_le_bytes(args[at..at + 16].try_into().expect("sixteen bytes"))
            };
            match ran.call.method.as_str() {
                "fund" => {
                    *self.funded.entry(word(0)).or_default() += number(8);
                    self.paid_in += number(8);
                }
                "join" => {
                    let (left, worth) = self.lots.entry((by, word(0))).or_default();
                    *left += number(8);
                    *worth += whole(number(8));
                    self.paid_in += number(8);
                }
                "unbond" => {
                    let (lot, amount) = (word(8), number(16));
                    let (id, _) = ran.returned::<(u128, u128)>();
                    let (left, worth) = self.lots.get_mut(&(by, lot)).expect("it is there");
                    let part = worth.clone() * whole(amount) / whole(*left);
                    *left -= amount;
                    *worth -= &part;
                    self.unbonding.insert((by, id), part);
                }
                "withdraw" => {
                    let worth = self.unbonding.remove(&(by, number(0))).expect("it is there");
                    let paid: u128 = ran.returned();
                    let slack = whole(30) + &worth / whole(1_000_000_000_000_000);
                    let near = whole(paid) <= &worth + &slack && whole(paid) >= &worth - &slack;
                    assert!(near, "paid {paid} of {worth}");
                    self.paid_out += paid;
                }
                "close" => self.close(word(0)),
                "slash" => {
                    let bp = u16::from_le_bytes(args[8..10].try_into().expect("two bytes"));
                    let left = whole(u128::from(10_000 - bp)) / whole(10_000);
                    let next = self.next;
                    let bonded = self.lots.iter_mut().filter(|((_, lot), _)| *lot < next);
                    bonded.for_each(|(_, (_, worth))| *worth *= &left);
                    self.unbonding.values_mut().for_each(|worth| *worth *= &left);
                    self.paid_out += ran.returned::<u128>();
                }
                _ => {}
            }
        }
    }

    fn close(&mut self, epoch: u64) {
        let rewards = whole(self.funded.get(&epoch).copied().unwrap_or(0)) + &self.carried;
        let bonded = self.lots.iter().filter(|((_, lot), _)| *lot < epoch);
        let total: BigRational = bonded.map(|(_, (_, worth))| worth).sum();
        self.next = epoch + 1;
        // Fractions of a token are not worth carrying exactly.
        if total < whole(1) {
            self.carried = rewards;
            return;
        }
        self.carried = whole(0);
        for ((_, lot), (_, worth)) in &mut self.lots {
            if *lot < epoch {
                *worth += &rewards * &*worth / &total;
                round(worth);
            }
        }
    }
}

/// Keeps the fraction short: to 10⁻³⁰, far below what is compared.
fn round(number: &mut BigRational) {
    let scale = BigInt::from(10u8).pow(30);
    let scaled = &*number * BigRational::from_integer(scale.clone());
    *number = BigRational::new(scaled.to_integer(), scale);
}

#[test]
fn worths_are_exact_and_all_of_them_are_there() {
    let (mut ran, mut succeeded, mut withdrawn, mut slashed) = (0, 0, 0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        // Every other time with amounts of two words.
        let unit = if seed % 2 == 0 { 1 } else { (1u128 << 50) + 12_345 };
        let mut world = World::with(Config { threads, ..Config::default() });
        let stakers = world.stakers((0..8).map(|number| format!("staker {number}")));
        let mut dice = Dice::new(seed);
        let mut model = Model::default();
        let mut random = RandomCalls::new(&world.chain, seed, [world.stake]);

        for _ in 0..30 {
            // The close comes first, so that nobody unbonds before it.
            let mut calls = vec![];
            if dice.percent(60) {
                calls.push(world.pass_epoch());
                if dice.percent(30) {
                    calls.push(world.slash(1 + dice.below(500) as u16));
                }
            }
            let epoch = world.epoch();
            calls.extend(random.take(10));
            while calls.len() < 88 {
                let by = *dice.pick(&stakers);
                let amount = (1_000 + u128::from(dice.below(1_000_000))) * unit;
                let known: Vec<(u64, u128)> = (model.lots.iter())
                    .filter(|((staker, lot), (left, _))| *staker == by && *left > 0 && *lot < epoch)
                    .map(|((_, lot), (left, _))| (*lot, *left))
                    .collect();
                let ready: Vec<u128> = (model.unbonding.keys())
                    .filter(|(staker, _)| *staker == by)
                    .map(|(_, id)| *id)
                    .collect();
                calls.push(match dice.below(10) {
                    0..4 => world.join(by, amount),
                    4..7 if !known.is_empty() => {
                        let (lot, left) = *dice.pick(&known);
                        world.unbond(by, lot, 1 + left / 7)
                    }
                    7..9 if !ready.is_empty() => world.withdraw(by, *dice.pick(&ready)),
                    _ => world.fund(epoch + dice.below(3), amount),
                });
            }
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            let done = || block.calls.iter().filter(|call| call.receipt.is_success());
            succeeded += done().count();
            withdrawn += done().filter(|call| call.call.method == "withdraw").count();
            slashed += done().filter(|call| call.call.method == "slash").count();
            model.follow(&block);

            let held = world.held(world.stake.address);
            assert_eq!(held, model.paid_in - model.paid_out);
            let pool: Pool = world.chain.query(world.stake, "pool", ());
            assert_eq!(pool.0, model.next);
            let waiting: u128 = model.funded.range(model.next..).map(|(_, funded)| funded).sum();
            let mut owed = waiting + pool.4;
            // Units and indexes are counted to some 10¹⁵ths.
            let slack = |worth: &BigRational| {
                whole(2 + u128::from(world.epoch()) + slashed as u128)
                    + worth / whole(1_000_000_000_000_000)
            };
            for ((staker, lot), (left, worth)) in &model.lots {
                assert_eq!(world.chain.query::<u128>(world.stake, "lot", (staker, lot)), *left);
                let found = world.worth(*staker, *lot);
                owed += found;
                let near =
                    whole(found) <= worth + slack(worth) && whole(found) >= worth - slack(worth);
                assert!(near, "{found} of {worth}");
            }
            for ((staker, id), worth) in &model.unbonding {
                let (found, _) = world.unbonding(*staker, *id).expect("it is unbonding");
                owed += found;
                let near =
                    whole(found) <= worth + slack(worth) && whole(found) >= worth - slack(worth);
                assert!(near, "{found} of {worth}");
            }
            assert!(owed <= held, "{owed} are owed, {held} are there");
        }
    }
    println!("{succeeded} of {ran} calls succeeded, {withdrawn} withdrawals, {slashed} slashes");
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
    assert!(withdrawn >= 100 && slashed >= 8, "{withdrawn} withdrawals, {slashed} slashes");
}

#[test]
fn methods_keep_their_budget() {
    let mut world = World::new();
    let alice = world.staker("alice");
    world.chain.run(world.join(alice, 10_000)).succeeded();
    world.chain.run(world.fund(1, 1_000)).succeeded();
    world.next_epoch();
    world.next_epoch();
    let id = world.take_off(alice, 0, 5_000);
    world.chain.run(world.slash(100)).succeeded();
    world.chain.pass_ms(DELAY_MS);
    world.chain.run(world.withdraw(alice, id)).succeeded();
    world.chain.assert_contract_declares_only_used(world.stake);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
