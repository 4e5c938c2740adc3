//! What lending promises, who waits for whom, and what it costs. Interest is held against exact
//! fractions.

use num_bigint::BigInt;
use num_rational::BigRational;
use std::path::Path;
use tollway_contract_lend::lend;
use tollway_contract_oracle::oracle;
use tollway_contract_token::token;
use tollway_contracts_wasm::{LEND, ORACLE, TOKEN};
use tollway_sdk::math::above;
use tollway_testkit::random::RandomCalls;
use tollway_testkit::tollway::{Address, Call, Config};
use tollway_testkit::{Contract, Dice, TestChain, budget};

/// What everybody has of each token at first.
const WEALTH: u128 = 1 << 100;
const ONE: u128 = 1_000_000_000_000_000_000_000_000_000;
/// What a scaled unit of deposit is worth at first.
const START: u128 = 1_000_000_000_000_000_000;
/// A price of 1.
const PAR: u128 = 100_000_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const YEAR_S: u128 = 31_536_000;
/// Feed, collateral, threshold, bonus, fund, base, slope, steep, kink.
type Terms = (u32, u16, u16, u16, u16, u16, u16, u16, u16);
/// Time, indexes of debts and deposits, rates of debts and deposits.
type Rates = (u64, u128, u128, u128, u128);
/// Cash, fund, supplied, borrowed.
type Totals = (u128, u128, u128, u128);
/// Collateral, weighted, debt.
type Standing = (u128, u128, u128);
/// A token and its feed.
type Asset = (Address, u32);

const FIRST_FEED: u32 = 10;

fn terms(number: usize) -> Terms {
    (FIRST_FEED + number as u32, 7_500, 8_000, 500, 1_000, 100, 1_000, 6_000, 8_000)
}

struct World {
    chain: TestChain,
    owner: Address,
    oracle: Contract,
    tokens: Vec<Contract>,
    lend: Contract,
}

impl World {
    fn new(tokens: usize) -> Self {
        Self::with(Config { threads: 4, ..Config::default() }, tokens)
    }

    /// Reserves of so many tokens, each worth 1.
    fn with(config: Config, tokens: usize) -> Self {
        let mut chain = TestChain::with(config);
        let owner = chain.account("owner");
        let oracle = chain.deploy_by(owner, ORACLE, &(owner, 1u8, u64::MAX), vec![owner]);
        let tokens: Vec<Contract> = (0..tokens).map(|_| chain.deploy(TOKEN, &owner)).collect();
        let lend = chain.deploy(LEND, &(owner, oracle.address, 1_000 * DAY_MS, HOUR_MS));
        for token in &tokens {
            chain.also_native(*token, &token::NATIVE);
        }
        chain.also_native(oracle, &oracle::NATIVE);
        chain.also_native(lend, &lend::NATIVE);
        let mut world = Self { chain, owner, oracle, tokens, lend };
        for number in 0..world.tokens.len() {
            world.set_price(number, PAR);
            let list = world.lend.call(owner, "list", (world.token(number), terms(number)));
            world.chain.run(list).succeeded();
        }
        world
    }

    fn token(&self, number: usize) -> Address {
        self.tokens[number].address
    }

    fn asset(&self, number: usize) -> Asset {
        (self.token(number), FIRST_FEED + number as u32)
    }

    fn all(&self) -> Vec<Asset> {
        (0..self.tokens.len()).map(|number| self.asset(number)).collect()
    }

    fn price(&self, number: usize, price: u128) -> [Call; 2] {
        let feed = FIRST_FEED + number as u32;
        let report = self.oracle.call(self.owner, "report", (0u8, feed, price));
        [report, self.oracle.call(self.owner, "update", feed)]
    }

    fn set_price(&mut self, number: usize, price: u128) {
        let calls = self.price(number, price);
        self.chain.block(calls).succeeded();
    }

    /// Accounts with tokens that the contract may take.
    fn users(&mut self, names: impl IntoIterator<Item = String>) -> Vec<Address> {
        let users: Vec<Address> = names.into_iter().map(|name| self.chain.account(&name)).collect();
        let mut calls = Vec::new();
        for (user, token) in
            users.iter().flat_map(|user| self.tokens.iter().map(move |token| (user, token)))
        {
            calls.push(token.call(self.owner, "mint", (*user, WEALTH)));
            calls.push(token.call(*user, "approve", (self.lend.address, u128::MAX)));
        }
        self.chain.block(calls).succeeded();
        users
    }

    fn user(&mut self, name: &str) -> Address {
        self.users([name.to_owned()])[0]
    }

    fn deposit(&self, by: Address, number: usize, amount: u128) -> Call {
        self.lend.call(by, "deposit", (self.token(number), amount))
    }

    fn withdraw(&self, by: Address, number: usize, amount: u128) -> Call {
        self.lend.call(by, "withdraw", (self.token(number), amount, self.all()))
    }

    fn borrow(&self, by: Address, number: usize, amount: u128) -> Call {
        self.lend.call(by, "borrow", (self.token(number), amount, self.all()))
    }

    fn repay(&self, by: Address, user: Address, number: usize, amount: u128) -> Call {
        self.lend.call(by, "repay", (user, self.token(number), amount))
    }

    fn liquidate(
        &self,
        by: Address,
        user: Address,
        (debt, collateral): (usize, usize),
        amount: u128,
    ) -> Call {
        let args = (user, self.asset(debt), self.asset(collateral), amount, self.all());
        self.lend.call(by, "liquidate", args)
    }

    fn accrue(&self, number: usize) -> Call {
        self.lend.call(self.owner, "accrue", self.token(number))
    }

    fn held(&self, number: usize, owner: Address) -> u128 {
        self.chain.query(self.tokens[number], "balance_of", owner)
    }

    /// The reserve, its rates, and the index of debts now.
    fn state(&self, number: usize) -> ((u8, Terms), Rates, u128) {
        self.chain.query(self.lend, "state_of", self.token(number))
    }

    fn rates(&self, number: usize) -> Rates {
        self.state(number).1
    }

    fn totals(&self, number: usize) -> Totals {
        self.chain.query(self.lend, "totals", self.token(number))
    }

    fn balances(&self, user: Address, number: usize) -> (u128, u128) {
        let (deposited, owed, ..) = self.positions(user, number);
        (deposited, owed)
    }

    /// Deposits and debts, then both scaled.
    fn positions(&self, user: Address, number: usize) -> (u128, u128, u128, u128) {
        self.chain.query(self.lend, "balances", (user, self.token(number)))
    }

    fn standing(&self, user: Address) -> Standing {
        self.chain.query(self.lend, "standing_of", (user, self.all()))
    }

    /// The sums of an account's deposits and debts over `users` are the reserve's totals, the
    /// tokens are there, and the reserve has what it owes.
    fn assert_sums(&self, number: usize, users: &[Address]) {
        let (cash, fund, supplied, borrowed) = self.totals(number);
        assert_eq!(self.held(number, self.lend.address), cash);
        let (mut deposits, mut debts, mut owed, mut lent) = (0, 0, 0, 0);
        for user in users {
            let (deposited, debt, deposit_scaled, debt_scaled) = self.positions(*user, number);
            deposits += deposit_scaled;
            debts += debt_scaled;
            owed += deposited;
            lent += debt;
        }
        assert_eq!((deposits, debts), (supplied, borrowed), "not all is somebody's");
        assert!(cash + lent >= owed + fund, "reserve {number} owes more than it has");
    }
}

fn ratio(a: u128, b: u128) -> BigRational {
    BigRational::new(BigInt::from(a), BigInt::from(b))
}

/// Holds steps of 10⁻²⁷ against an exact number: at most so many apart.
#[track_caller]
fn assert_near(found: u128, exact: &BigRational, apart: u128) {
    let found = BigRational::from_integer(BigInt::from(found));
    let exact = exact * BigRational::from_integer(BigInt::from(ONE));
    let difference = if found > exact { &found - &exact } else { &exact - &found };
    let apart = BigRational::from_integer(BigInt::from(apart));
    assert!(difference <= apart, "{found} is not {}", exact.round());
}

#[test]
fn deposits_are_paid_back() {
    let mut world = World::new(1);
    let [alice, bob] = ["alice", "bob"].map(|name| world.user(name));
    let deposited = world.chain.run(world.deposit(alice, 0, 5_000));
    assert_eq!(deposited.event("Moved")["amount"].to_string(), "5000");
    world.chain.run(world.deposit(bob, 0, 7_000)).succeeded();
    world.chain.run(world.withdraw(alice, 0, 2_000)).succeeded();
    assert_eq!(world.held(0, alice), WEALTH - 3_000);
    // A unit may be lost to rounding, never won.
    let back: u128 = world.chain.run(world.withdraw(alice, 0, u128::MAX)).returned();
    assert!((2_998..=3_000).contains(&back), "{back}");
    assert_eq!(world.balances(alice, 0), (0, 0));
    world.chain.run(world.withdraw(alice, 0, 1)).reverted_with("NotEnoughDeposited");
    world.assert_sums(0, &[alice, bob]);
}

#[test]
fn borrowing_past_health_is_refused() {
    let mut world = World::new(2);
    let [alice, bob] = ["alice", "bob"].map(|name| world.user(name));
    world.chain.run(world.deposit(bob, 1, 1_000_000)).succeeded();
    world.chain.run(world.deposit(alice, 0, 100_000)).succeeded();
    let (collateral, weighted, debt) = world.standing(alice);
    assert_eq!(debt, 0);
    assert!((74_998..=75_000).contains(&collateral) && (79_998..=80_000).contains(&weighted));
    world.chain.run(world.borrow(alice, 1, collateral + 1)).reverted_with("Unhealthy");
    assert_eq!(world.held(1, alice), WEALTH, "a refused loan moves nothing");
    // What is owed is rounded up.
    let most = collateral - 1;
    world.chain.run(world.borrow(alice, 1, most)).succeeded().event("Moved");
    assert_eq!(world.held(1, alice), WEALTH + most);
    world.chain.run(world.borrow(alice, 1, 100)).reverted_with("Unhealthy");
    world.chain.run(world.withdraw(alice, 0, 100)).reverted_with("Unhealthy");
    // Repaid by whoever wants to.
    world.chain.run(world.repay(bob, alice, 1, 15_000)).succeeded();
    world.chain.run(world.withdraw(alice, 0, 10_000)).succeeded();
    world.set_price(1, 2 * PAR);
    world.chain.run(world.borrow(alice, 1, 1)).reverted_with("Unhealthy");
    world.set_price(1, PAR);
    let repaid: u128 = world.chain.run(world.repay(alice, alice, 1, u128::MAX)).returned();
    assert!(repaid >= collateral - 15_000);
    assert_eq!(world.balances(alice, 1), (0, 0));
    world.chain.run(world.repay(alice, alice, 1, 5)).reverted_with("NoDebt");
    world.chain.run(world.withdraw(alice, 0, u128::MAX)).succeeded();
    (0..2).for_each(|number| world.assert_sums(number, &[alice, bob]));
}

/// Grown by a rate each second, to the last digit, and then to 60 digits.
fn grow(index: BigRational, rate: u128, seconds: u64) -> BigRational {
    let seconds = u32::try_from(seconds).expect("days");
    let scale = BigInt::from(10u8).pow(60);
    let scaled = (index * BigRational::from_integer(scale.clone())).to_integer();
    let grown = scaled * BigInt::from(ONE + rate).pow(seconds) / BigInt::from(ONE).pow(seconds);
    BigRational::new(grown, scale)
}

#[test]
fn interest_is_what_the_exact_formula_says() {
    let mut world = World::new(2);
    let [alice, bob] = ["alice", "bob"].map(|name| world.user(name));
    let (deposited, borrowed) = (100_000_000_000u128, 60_000_000_000u128);
    world.chain.run(world.deposit(alice, 0, deposited)).succeeded();
    world.chain.run(world.deposit(bob, 1, 1_000_000_000_000_000)).succeeded();
    world.chain.run(world.borrow(bob, 0, borrowed)).succeeded();

    // The exact index as a fraction, from rates that are checked below.
    let mut index = BigRational::from_integer(BigInt::from(1));
    let mut supply_index = ratio(START, ONE);
    let deposit_scaled = world.positions(alice, 0).2;
    let debt_scaled = world.positions(bob, 0).3;
    let mut used = ratio(0, 1);
    let mut fund = ratio(0, 1);
    let mut before = world.rates(0);
    for wait_ms in [HOUR_MS, 2 * HOUR_MS, HOUR_MS + 700, HOUR_MS] {
        // base + slope · used / kink + steep · (used − kink) / (1 − kink), a second of a year.
        let kink = ratio(8, 10);
        let yearly = ratio(1, 100)
            + ratio(10, 100) * used.clone().min(kink.clone()) / &kink
            + ratio(60, 100) * (used.clone().max(kink.clone()) - &kink) / ratio(2, 10);
        let rate = yearly / ratio(YEAR_S, 1);
        // The contract knows debts to a unit, of 10¹¹.
        let apart = ONE / deposited / YEAR_S;
        assert_near(before.3, &rate, apart);
        assert_near(before.4, &(&rate * &used * ratio(9, 10)), apart);

        world.chain.pass_ms(wait_ms);
        world.chain.run(world.accrue(0)).succeeded();
        let after = world.rates(0);
        let seconds = (after.0 - before.0) / 1_000;
        assert_eq!(seconds, (world.chain.time_ms() - before.0) / 1_000);
        // The growth with the contract's own rate a second, exact to the last digit.
        index = grow(index, before.3, seconds);
        assert_near(after.1, &index, 1_000_000);
        let exact = &index * BigRational::from_integer(BigInt::from(ONE));
        assert!(BigRational::from_integer(BigInt::from(after.1)) >= exact, "rounded down");
        // Of what there is now beyond what depositors were owed, the fund gets a tenth.
        let debts = &index * ratio(debt_scaled, 1);
        let assets = ratio(deposited - borrowed, 1) + &debts - &fund;
        let interest = assets - &supply_index * ratio(deposit_scaled, 1);
        fund += &interest * ratio(1, 10);
        supply_index += &interest * ratio(9, 10) / ratio(deposit_scaled, 1);
        // A few of the token's units of rounding, in a deposit of 10¹¹.
        assert_near(after.2, &supply_index, 4 * START / deposited);
        let (.., fund_now, _, _) = (0, world.totals(0).1, 0, 0);
        assert!((fund.clone() - ratio(fund_now, 1)) < ratio(6, 1));
        used = &debts / (&debts + ratio(deposited - borrowed, 1));
        before = after;
    }
    // In between, debts grow by themselves.
    world.chain.pass_ms(9_000_000);
    let seconds = (world.chain.time_ms() - before.0) / 1_000;
    assert!(seconds >= 9_000);
    assert_near(world.state(0).2, &grow(index, before.3, seconds), 1_000_000);
    world.assert_sums(0, &[alice, bob]);
}

#[test]
fn who_comes_late_gets_nothing_of_what_was_earned_before() {
    let mut world = World::new(2);
    let [alice, bob, late] = ["alice", "bob", "late"].map(|name| world.user(name));
    world.chain.run(world.deposit(alice, 0, 100_000_000_000)).succeeded();
    world.chain.run(world.deposit(bob, 1, 1_000_000_000_000_000)).succeeded();
    world.chain.run(world.borrow(bob, 0, 80_000_000_000)).succeeded();
    world.chain.pass_ms(HOUR_MS);
    world.chain.run(world.accrue(0)).succeeded();
    world.chain.pass_ms(100 * DAY_MS);
    // A second before the interest of a hundred days is given out.
    world.chain.run(world.deposit(late, 0, 100_000_000_000)).succeeded();
    world.chain.run(world.accrue(0)).succeeded();
    let (of_late, _) = world.balances(late, 0);
    let (of_alice, _) = world.balances(alice, 0);
    assert!(of_alice > 102_000_000_000, "{of_alice}");
    assert!(of_late <= 100_000_001_000, "{of_late}");
    world.assert_sums(0, &[alice, bob, late]);
}

#[test]
fn liquidation_restores_health_with_a_bounded_bonus() {
    let mut world = World::new(2);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| world.user(name));
    world.chain.run(world.deposit(bob, 1, 10_000_000)).succeeded();
    world.chain.run(world.deposit(alice, 0, 1_000_000)).succeeded();
    world.chain.run(world.borrow(alice, 1, 740_000)).succeeded();
    world.chain.run(world.liquidate(carol, alice, (1, 0), 1_000)).reverted_with("Healthy");
    // What alice owes is worth 5 % more than what its deposits carry.
    world.set_price(1, PAR * 114 / 100);
    let (_, weighted, debt) = world.standing(alice);
    assert!(debt > weighted);
    let own = world.liquidate(alice, alice, (1, 0), 1_000);
    world.chain.run(own).reverted_with("OwnAccount");
    // A part first, then as much as it takes.
    let first = world.chain.run(world.liquidate(carol, alice, (1, 0), 1_000));
    assert_eq!(first.returned::<(u128, u128)>().0, 1_000);
    let rest = world.chain.run(world.liquidate(carol, alice, (1, 0), u128::MAX));
    let (repaid, seized): (u128, u128) = rest.returned();
    assert_eq!(rest.event("Liquidated")["seized"].to_string(), seized.to_string());
    assert!(repaid > 1_000 && repaid < 740_000 / 2, "it repaid {repaid}");
    // Its worth with 5 %, and not a unit more.
    let worth = repaid * 114 / 100 * 105 / 100;
    assert!((worth - 3..=repaid * 114 * 105 / 10_000).contains(&seized), "{seized} for {repaid}");
    let (_, weighted, debt) = world.standing(alice);
    assert!(weighted >= debt, "{weighted} do not carry {debt}");
    assert!(weighted <= debt * 102 / 100, "more was taken than it takes");
    world.chain.run(world.liquidate(carol, alice, (1, 0), 1)).reverted_with("Healthy");
    // The liquidator has deposits now, and can withdraw them.
    let (of_carol, _) = world.balances(carol, 0);
    let all: u128 = world.chain.run(world.withdraw(carol, 0, u128::MAX)).returned();
    assert_eq!(all, of_carol);
    (0..2).for_each(|number| world.assert_sums(number, &[alice, bob, carol]));
}

#[test]
fn bad_debt_is_paid_by_the_fund_and_then_by_all_depositors_alike() {
    let mut world = World::new(2);
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| world.user(name));
    world.chain.run(world.deposit(bob, 1, 30_000_000)).succeeded();
    world.chain.run(world.deposit(dave, 1, 10_000_000)).succeeded();
    world.chain.run(world.deposit(alice, 0, 40_000_000)).succeeded();
    world.chain.run(world.borrow(alice, 1, 20_000_000)).succeeded();
    world.chain.pass_ms(DAY_MS);
    world.chain.run(world.accrue(1)).succeeded();
    world.chain.pass_ms(200 * DAY_MS);
    world.chain.run(world.accrue(1)).succeeded();
    let write_off = world.lend.call(carol, "write_off", (alice, world.token(1)));
    world.chain.run(write_off.clone()).reverted_with("HasDeposits");
    // What alice deposited is worth a quarter of what it owes.
    world.set_price(0, PAR / 8);
    let taken = world.chain.run(world.liquidate(carol, alice, (1, 0), u128::MAX));
    let (repaid, seized): (u128, u128) = taken.returned();
    assert!(seized >= 39_999_990, "all was taken: {seized}");
    assert_eq!(world.balances(alice, 0).0, 0);
    let (_, bad) = world.balances(alice, 1);
    assert!(bad > 20_000_000 - repaid);
    let (_, fund, ..) = world.totals(1);
    assert!(fund > 0);
    let before = [bob, dave].map(|user| world.balances(user, 1).0);
    let index = world.rates(1).2;
    let written = world.chain.run(write_off.clone());
    assert_eq!(written.returned::<u128>(), bad);
    assert_eq!(written.event("WrittenOff")["from_fund"].to_string(), fund.to_string());
    assert_eq!(world.totals(1).1, 0, "the fund is spent first");
    let after = [bob, dave].map(|user| world.balances(user, 1).0);
    let lost = before[0] - after[0] + before[1] - after[1];
    assert!(lost.abs_diff(bad - fund) <= 8, "{lost} was lost of {}", bad - fund);
    assert!(world.rates(1).2 < index);
    // In proportion to what they had.
    let share = ratio(before[0] - after[0], before[0]) / ratio(before[1] - after[1], before[1]);
    let one = ratio(1, 1);
    let off = if share > one { share - one } else { one - share };
    assert!(off < ratio(1, 100_000));
    world.chain.run(write_off).reverted_with("NoDebt");
    (0..2).for_each(|number| world.assert_sums(number, &[alice, bob, carol, dave]));
}

#[test]
fn every_refusal_has_a_name() {
    let mut world = World::new(2);
    let [alice, bob] = ["alice", "bob"].map(|name| world.user(name));
    let (lend, owner) = (world.lend, world.owner);
    let [token0, token1] = [world.token(0), world.token(1)];
    let [asset0, asset1] = [world.asset(0), world.asset(1)];
    world.chain.run(world.deposit(bob, 1, 1_000)).succeeded();
    world.chain.run(world.deposit(alice, 0, 10_000)).succeeded();
    let stranger = world.chain.account("stranger");
    let bad = |change: &dyn Fn(&mut Terms)| {
        let mut terms = terms(7);
        change(&mut terms);
        lend.call(owner, "list", (stranger, terms))
    };
    let borrow =
        |amount: u128, held: Vec<Asset>| lend.call(alice, "borrow", (token1, amount, held));
    let refused: Vec<(Call, &str)> = vec![
        (lend.call(alice, "list", (stranger, terms(7))), "NotOwner"),
        (lend.call(owner, "list", (token0, terms(0))), "AlreadyListed"),
        (bad(&|terms| terms.1 = 8_001), "BadTerms"),
        (bad(&|terms| terms.3 = 2_500), "BadTerms"),
        (bad(&|terms| terms.4 = 10_001), "BadTerms"),
        (bad(&|terms| terms.8 = 0), "BadTerms"),
        (bad(&|terms| terms.8 = 10_000), "BadTerms"),
        (bad(&|terms| terms.7 = 50_000), "BadTerms"),
        (lend.call(alice, "deposit", (stranger, 5u128)), "UnknownReserve"),
        (lend.call(alice, "deposit", (token0, 0u128)), "AmountTooSmall"),
        (lend.call(alice, "deposit", (token0, u128::MAX)), "AmountTooLarge"),
        (world.withdraw(alice, 0, 0), "AmountTooSmall"),
        (world.withdraw(alice, 0, 10_001), "NotEnoughDeposited"),
        (world.withdraw(alice, 1, 5), "NotEnoughDeposited"),
        (borrow(0, world.all()), "AmountTooSmall"),
        (borrow(1_001, world.all()), "NotEnoughCash"),
        (borrow(5, vec![asset0]), "MissingAsset"),
        (borrow(5, vec![asset1]), "Unhealthy"),
        (borrow(5, vec![asset0, asset1, asset0]), "NamedTwice"),
        (borrow(5, vec![(token0, 11), asset1]), "WrongFeed"),
        (borrow(5, vec![(stranger, 10), asset1]), "UnknownReserve"),
        (world.repay(bob, alice, 1, 5), "NoDebt"),
        (lend.call(bob, "write_off", (stranger, token0)), "NoDebt"),
        (world.accrue(0), "TooEarly"),
        (lend.call(alice, "take_fund", (token0, 5u128)), "NotOwner"),
        (lend.call(owner, "take_fund", (token0, 5u128)), "NotEnoughFund"),
    ];
    for (call, error) in refused {
        world.chain.run(call).reverted_with(error);
    }
    // No price, and an old one.
    let list = lend.call(owner, "list", (stranger, terms(8)));
    world.chain.run(list).succeeded();
    let unpriced = borrow(5, vec![asset0, asset1, (stranger, FIRST_FEED + 8)]);
    world.chain.run(unpriced).reverted_with("NoPrice");
    world.chain.run(borrow(5, world.all())).succeeded();
    world.chain.pass_ms(1_001 * DAY_MS);
    world.chain.run(borrow(5, world.all())).reverted_with("StalePrice");
    // What is lent cannot be withdrawn.
    let (deposited, _) = world.balances(bob, 1);
    world.chain.run(world.withdraw(bob, 1, deposited)).reverted_with("NotEnoughCash");
    // The owner takes what the fund has.
    world.chain.run(world.accrue(1)).succeeded();
    let (_, fund, ..) = world.totals(1);
    let take = lend.call(owner, "take_fund", (token1, fund));
    if fund > 0 {
        world.chain.run(take).succeeded();
        assert_eq!(world.held(1, owner), fund);
    }
    world.assert_sums(1, &[alice, bob]);
}

#[test]
fn users_of_one_reserve_do_not_wait_for_each_other() {
    let mut world = World::new(2);
    let users = world.users((0..200).map(|number| format!("user {number}")));
    let deposits = users.iter().map(|user| world.deposit(*user, 0, 100_000));
    let block = world.chain.block(deposits.collect::<Vec<_>>());
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let supply = users.iter().map(|user| world.deposit(*user, 1, 100_000));
    world.chain.block(supply.collect::<Vec<_>>()).succeeded();
    // Loans, repayments, deposits and withdrawals of different accounts, in one block.
    let loans = users.iter().map(|user| world.borrow(*user, 1, 1_000));
    let block = world.chain.block(loans.collect::<Vec<_>>());
    block.succeeded().assert_critical_path(1).assert_no_misses();
    let mixed = users.iter().enumerate().map(|(number, user)| match number % 4 {
        0 => world.repay(*user, *user, 1, 500),
        1 => world.borrow(*user, 1, 500),
        2 => world.withdraw(*user, 1, 500),
        _ => world.deposit(*user, 1, 500),
    });
    let block = world.chain.block(mixed.collect::<Vec<_>>());
    block.succeeded().assert_critical_path(1).assert_no_misses();
    // One account's own calls wait, and everybody for what closes a period.
    let [alice, bob] = [users[0], users[1]];
    world.chain.assert_conflicting(&world.borrow(alice, 1, 5), &world.repay(alice, alice, 1, 5));
    world.chain.assert_conflicting(&world.deposit(alice, 1, 5), &world.accrue(1));
    world.chain.assert_independent(&world.deposit(alice, 0, 5), &world.accrue(1));
    let liquidate = world.liquidate(alice, bob, (1, 0), 5);
    world.chain.assert_conflicting(&liquidate, &world.borrow(bob, 1, 5));
    let other = world.liquidate(users[2], users[3], (1, 0), 5);
    world.chain.assert_independent(&liquidate, &other);
}

#[test]
fn no_reserve_ever_owes_more_than_it_has() {
    const TOKENS: usize = 3;
    let (mut ran, mut succeeded, mut liquidated, mut written_off) = (0, 0, 0, 0);
    for (seed, threads) in (0u64..).zip([1, 2, 4, 8]) {
        // Every other time with amounts of two words.
        let unit = if seed % 2 == 0 { 1 } else { (1u128 << 50) + 12_345 };
        let mut world = World::with(Config { threads, ..Config::default() }, TOKENS);
        let users = world.users((0..6).map(|number| format!("user {number}")));
        // The owner liquidates.
        let owner = world.users(["owner".to_owned()])[0];
        assert_eq!(owner, world.owner);
        let everybody: Vec<Address> =
            users.iter().copied().chain([world.owner, world.chain.account("deployer")]).collect();
        let mut dice = Dice::new(seed);
        let lend = world.lend;
        let mut random = RandomCalls::new(&world.chain, seed, [lend]);
        let mut prices = [PAR; TOKENS];
        let mut indexes = [(0, 0); TOKENS];
        // Half of the users are reckless: they have deposits in one token, borrow all they can against
        // them, and deposit no more while they owe.
        let is_reckless = |user: usize| user >= users.len() / 2;
        for number in 0..TOKENS {
            let depositors = users
                .iter()
                .enumerate()
                .filter(|(user, _)| !is_reckless(*user) || user % TOKENS == number);
            let deposits: Vec<Call> = depositors
                .map(|(_, user)| world.deposit(*user, number, 5_000_000 * unit))
                .collect();
            world.chain.block(deposits).succeeded();
        }
        for round in 0..36 {
            let wait = [1_000, HOUR_MS, DAY_MS, 20 * DAY_MS];
            world.chain.pass_ms(*dice.pick(&wait));
            let mut calls = random.take(8);
            calls.extend((0..TOKENS).map(|number| world.accrue(number)));
            // Whoever the last block's prices made unhealthy is liquidated in whatever it has, and
            // debts without deposits are written off.
            for user in &users {
                let held: Vec<(u128, u128)> =
                    (0..TOKENS).map(|number| world.balances(*user, number)).collect();
                let (_, weighted, debt) = world.standing(*user);
                let is_bare = held.iter().all(|(deposited, _)| *deposited == 0);
                for (number, _) in held.iter().enumerate().filter(|(_, (_, owed))| *owed > 0) {
                    if is_bare {
                        calls.push(lend.call(
                            world.owner,
                            "write_off",
                            (user, world.token(number)),
                        ));
                    } else if debt > weighted {
                        let others = held.iter().enumerate().filter(|(_, (has, _))| *has > 0);
                        calls.extend(others.map(|(other, _)| {
                            world.liquidate(world.owner, *user, (number, other), u128::MAX)
                        }));
                    }
                }
            }
            if round % 2 == 1 {
                // Prices step, now and then by much.
                let number = dice.below(TOKENS as u64) as usize;
                let step = if dice.percent(60) { 45 } else { dice.between(85, 125) };
                prices[number] = prices[number] * u128::from(step) / 100;
                if prices[number] < PAR / 4 {
                    prices[number] = PAR;
                }
                calls.extend(world.price(number, prices[number]));
            }
            // What each owes, and can still borrow.
            let mut owed: Vec<(bool, u128)> = (users.iter())
                .map(|user| world.standing(*user))
                .map(|(collateral, _, debt)| (debt > 0, above(collateral, debt)))
                .collect();
            while calls.len() < 85 {
                // Each has deposits mostly in one token, and debts in the next.
                let user = dice.below(users.len() as u64) as usize;
                let (by, own) = (users[user], user % TOKENS);
                let next = (own + 1) % TOKENS;
                let amount = (1 + u128::from(dice.below(2_000_000))) * unit;
                calls.push(match dice.below(13) {
                    0..11 if is_reckless(user) && owed[user].0 => {
                        let room = &mut owed[user].1;
                        let part = *room - *room / 3;
                        *room -= part;
                        world.borrow(by, next, (part * PAR / prices[next]).max(1))
                    }
                    5..7 if is_reckless(user) => world.borrow(by, next, amount),
                    0..4 => world.deposit(by, own, amount),
                    4 if is_reckless(user) => world.deposit(by, own, amount),
                    4 => world.deposit(by, dice.below(TOKENS as u64) as usize, amount),
                    5..7 => world.withdraw(by, own, amount / 2),
                    7..11 => world.borrow(by, next, amount),
                    11 => world.repay(by, by, next, amount),
                    _ => world.liquidate(by, *dice.pick(&users), (next, own), amount),
                });
            }
            ran += calls.len();
            let block = world.chain.block(calls);
            block.assert_no_misses();
            let done = || block.calls.iter().filter(|call| call.receipt.is_success());
            succeeded += done().count();
            liquidated += done().filter(|call| call.call.method == "liquidate").count();
            let writes = done().filter(|call| call.call.method == "write_off").count();
            written_off += writes;
            for (number, index) in indexes.iter_mut().enumerate() {
                world.assert_sums(number, &everybody);
                let (_, rates, borrow_index) = world.state(number);
                let now = (borrow_index, rates.2);
                assert!(now.0 >= index.0, "the index of debts fell");
                assert!(now.1 >= index.1 || writes > 0, "the index of deposits fell");
                *index = now;
            }
        }
    }
    println!(
        "{succeeded} of {ran} calls succeeded, {liquidated} liquidations, {written_off} written off"
    );
    assert!(ran >= 10_000 && succeeded * 2 > ran, "{succeeded} of {ran} calls succeeded");
    assert!(liquidated >= 50 && written_off >= 20, "{liquidated}, {written_off} written off");
}

#[test]
fn methods_keep_their_budget() {
    let mut world = World::new(2);
    let [alice, bob] = ["alice", "bob"].map(|name| world.user(name));
    world.chain.run(world.deposit(bob, 1, 10_000_000)).succeeded();
    world.chain.run(world.deposit(alice, 0, 1_000_000)).succeeded();
    world.chain.run(world.borrow(alice, 1, 740_000)).succeeded();
    world.chain.pass_ms(HOUR_MS);
    world.chain.run(world.accrue(1)).succeeded();
    world.chain.pass_ms(HOUR_MS);
    world.chain.run(world.repay(alice, alice, 1, 1_000)).succeeded();
    world.chain.run(world.withdraw(alice, 0, 1_000)).succeeded();
    // To the end: marks are written then.
    let carol = world.user("carol");
    world.chain.run(world.deposit(carol, 0, 10_000)).succeeded();
    world.chain.run(world.borrow(carol, 1, 1_000)).succeeded();
    world.chain.run(world.repay(carol, carol, 1, u128::MAX)).succeeded();
    world.chain.run(world.withdraw(carol, 0, world.balances(carol, 0).0)).succeeded();
    world.set_price(1, PAR * 115 / 100);
    world.chain.run(world.liquidate(bob, alice, (1, 0), u128::MAX)).succeeded();
    world.set_price(0, PAR / 10);
    world.chain.run(world.liquidate(bob, alice, (1, 0), u128::MAX)).succeeded();
    let write_off = world.lend.call(bob, "write_off", (alice, world.token(1)));
    world.chain.run(write_off).succeeded();
    let take = world.lend.call(world.owner, "take_fund", (world.token(1), 0u128));
    world.chain.run(take).succeeded();
    world.chain.assert_contract_declares_only_used(world.lend);
    println!("{}", world.chain.figures());
    budget::check(
        world.chain.figures(),
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.toml"),
    );
}
