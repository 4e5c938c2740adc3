//! Lending against collateral: reserves of tokens, each with its own rates, and accounts that may
//! supply and borrow in several of them.
//!
//! ```text
//! deposit(token, ..)            read  reserves[token], rates[token]      set once; once a period
//!                               write marks[caller]
//!                               add   positions[caller, token, SUPPLIED]
//!                               add   sums[token, SUPPLIED], sums[token, CASH]
//! borrow(token, .., held)       the same keys with BORROWED, and
//!     for asset in held         read  reserves, rates, positions[caller, asset.token, ..]
//!                               call  oracle.price(asset.feed)
//! accrue(token)                 write rates[token], read the totals      once a period
//! ```
//!
//! # Users of one reserve do not wait for each other
//! A reserve's totals are counters that calls add to and take from, but do not read. Nobody needs
//! them but [`accrue`], which anybody may call once a period (an hour, say): it sets the rate for
//! the next period from the use of the reserve, and writes the indexes down. In between everybody
//! computes the index of debts from the time and that rate. So deposits, loans, repayments and
//! withdrawals of different accounts in one reserve have a critical path of 1. Only calls of one
//! account wait for each other, and everybody for `accrue` and [`write_off`].
//!
//! # Interest
//! Amounts are kept *scaled*: divided by the index of the time. A debt's index grows by
//! `(1 + rate)^seconds`, compounded by the second, rounded up; it never falls.
//!
//! What borrowers owe more at the end of a period goes to the depositors at `accrue`: the index of
//! deposits is what the reserve has, by what was deposited. It is so never promised more than
//! there is. A withdrawal is paid at the index of the last `accrue` and leaves the interest of the
//! current period to the others; a deposit buys at that index plus what the period should have
//! brought so far, so that who comes late gets nothing of what was earned before. A part of the
//! interest, `fund_bp`, goes to the reserve's fund.
//!
//! # Health
//! What an account owes must be at most `collateral_bp` of its deposits when it borrows or
//! withdraws. When it is more than `threshold_bp` of them, anybody may [`liquidate`]: repay for it
//! and take deposits worth that much and `bonus_bp` more, up to what brings the account back to
//! [`TARGET_BP`] of what it needs. `threshold_bp` with the bonus is less than the whole, so such an
//! account has enough until prices jump.
//!
//! # Bad debt
//! What an account without any deposit owes, anybody may [`write_off`]: interest that was not
//! given to depositors yet pays for it first, then the reserve's fund, then all its depositors
//! alike, by a fall of the index of deposits. It never falls otherwise.
//!
//! Everything is rounded against the caller, by less than a unit of the token or of value.
//!
//! [`accrue`]: lend::Lend::accrue
//! [`write_off`]: lend::Lend::write_off
//! [`liquidate`]: lend::Lend::liquidate
//! [`TARGET_BP`]: health::TARGET_BP
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod health;
pub mod rates;

/// The contract.
#[tollway_sdk::contract]
pub mod lend {
    use crate::health::{Standing, exchanged, exchanged_up, needed_repayment};
    use crate::rates::{
        BP, Rates, SUPPLY_INDEX_START, Terms, Totals, are_sound, assets, grown, owed, raised,
        rates_at, seconds, used,
    };
    use alloc::vec::Vec;
    use tollway_interfaces::{OracleRef, TokenRef};
    use tollway_sdk::entry::revert;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::{Ray, Rounding, above, mul_div};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// The most reserves: marks have a bit for each.
    pub const RESERVES_MAX: u8 = 128;

    /// Of sums: tokens there.
    pub const CASH: u8 = 0;

    /// Of sums: what of cash and debts is the fund's.
    pub const FUND: u8 = 1;

    /// Of sums and positions: deposits.
    pub const SUPPLIED: u8 = 2;

    /// Of sums and positions: debts.
    pub const BORROWED: u8 = 3;

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who lists reserves and takes from their funds.
        pub owner: Address,
        /// Where prices come from.
        pub oracle: OracleRef,
        /// How old a price may be.
        pub price_age_max_ms: u64,
        /// How long a period is at least.
        pub period_ms: u64,
    }

    /// A listed reserve.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Reserve {
        /// Its bit in [`Marks`].
        pub number: u8,
        /// What it is like.
        pub terms: Terms,
    }

    /// A token with the number of its feed, which has to be known before the call runs. The
    /// contract verifies it.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Asset {
        /// The token.
        pub token: TokenRef,
        /// Its feed.
        pub feed: u32,
    }

    /// In which reserves an account has something: a bit for each.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Marks {
        /// Where it has deposits.
        pub deposits: u128,
        /// Where it has debts.
        pub debts: u128,
    }

    /// The state.
    #[storage]
    pub struct Lend {
        reserves: Map<TokenRef, Item<Reserve>>,
        reserve_count: Item<u8>,
        rates: Map<TokenRef, Item<Rates>>,
        /// By token: [`CASH`], [`FUND`], and the sums of [`SUPPLIED`] and [`BORROWED`], scaled.
        sums: Map<(TokenRef, u8), Counter>,
        /// By account and token: what it has [`SUPPLIED`] and [`BORROWED`], scaled.
        positions: Map<(Address, TokenRef, u8), Counter>,
        marks: Map<Address, Item<Marks>>,
    }

    /// A reserve was listed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Listed {
        /// Of this token.
        pub token: TokenRef,
        /// Its number.
        pub number: u8,
    }

    /// What an account did in a reserve.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Deed {
        /// It deposited.
        Deposited,
        /// It withdrew.
        Withdrew,
        /// It borrowed.
        Borrowed,
        /// Its debt was repaid.
        Repaid,
    }

    /// An account did something in a reserve.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Moved {
        /// What.
        pub deed: Deed,
        /// Whose deposits or debts changed.
        pub user: Address,
        /// Whose tokens were taken or who got them.
        pub by: Address,
        /// Where.
        pub token: TokenRef,
        /// How many tokens.
        pub amount: u128,
        /// How much of it scaled.
        pub scaled: u128,
    }

    /// Deposits changed hands for the repayment of a debt.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Liquidated {
        /// Whose.
        pub user: Address,
        /// Who repaid and has them now.
        pub liquidator: Address,
        /// What was repaid.
        pub debt: TokenRef,
        /// How much.
        pub repaid: u128,
        /// Of which the deposits were.
        pub collateral: TokenRef,
        /// How much.
        pub seized: u128,
    }

    /// A debt was given up.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WrittenOff {
        /// Whose.
        pub user: Address,
        /// In which reserve.
        pub token: TokenRef,
        /// How much.
        pub amount: u128,
        /// What of it the fund paid.
        pub from_fund: u128,
        /// What a scaled unit of deposit is worth now.
        pub supply_index: Ray,
    }

    /// Indexes were written down, and rates set.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Accrued {
        /// Of this reserve.
        pub token: TokenRef,
        /// The new rates.
        pub rates: Rates,
    }

    /// Why a call reverts. Failures of tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// The token has a reserve already.
        AlreadyListed,
        /// A reserve cannot be like that, or there is no room for one more.
        BadTerms,
        /// The token has no reserve.
        UnknownReserve,
        /// The token has another feed.
        WrongFeed,
        /// The list names a token twice.
        NamedTwice,
        /// The list leaves out a token that the account has something of.
        MissingAsset,
        /// The feed has no price.
        NoPrice,
        /// The price is too old.
        StalePrice,
        /// An amount is 0, or too small to count.
        AmountTooSmall,
        /// An amount, or its value, is too large.
        AmountTooLarge,
        /// The account has deposited less than that.
        NotEnoughDeposited,
        /// The reserve has fewer tokens than that, as they are lent.
        NotEnoughCash,
        /// The fund has less than that.
        NotEnoughFund,
        /// The account would owe more than its deposits allow.
        Unhealthy,
        /// The account owes nothing there.
        NoDebt,
        /// The account owes no more than its deposits carry.
        Healthy,
        /// Nobody liquidates himself.
        OwnAccount,
        /// The account has deposits that can be liquidated.
        HasDeposits,
        /// The period is not over.
        TooEarly,
    }

    impl Lend {
        /// Lists a reserve. Only the owner may, once for each token.
        #[call]
        pub fn list(&mut self, token: TokenRef, terms: Terms) -> Result<u8, Error> {
            self.check_owner();
            if self.reserves.at(token).exists() {
                return Err(Error::AlreadyListed);
            }
            let number = self.reserve_count.get_or(0);
            if number == RESERVES_MAX || !are_sound(&terms) {
                return Err(Error::BadTerms);
            }
            self.reserve_count.set(&(number + 1));
            self.reserves.at(token).set(&Reserve { number, terms });
            let (borrow_rate, supply_rate) = rates_at(&terms, Ray::ZERO);
            let rates = Rates {
                time_ms: time_ms(),
                borrow_index: Ray::ONE,
                supply_index: SUPPLY_INDEX_START,
                borrow_rate,
                supply_rate,
            };
            self.set_rates(token, &rates);
            Listed { token, number }.emit();
            Ok(number)
        }

        /// Takes `amount` of the caller's tokens, and returns how much that is scaled.
        #[call]
        pub fn deposit(&mut self, token: TokenRef, amount: u128) -> Result<u128, Error> {
            let user = caller();
            let number = self.reserve(token).number;
            let rates = self.rates_of(token);
            // What the period should have brought so far is paid for.
            let index = grown(rates.supply_index, rates.supply_rate, &rates);
            let scaled = fitting(index.per(amount, Rounding::Down));
            if scaled == 0 {
                return Err(Error::AmountTooSmall);
            }
            self.give_deposit(user, token, number, scaled);
            self.add_sum(token, SUPPLIED, scaled);
            self.add_sum(token, CASH, amount);
            say(Deed::Deposited, user, token, (amount, scaled));
            pull(token, amount);
            Ok(scaled)
        }

        /// Pays `amount` of the caller's deposits back, or all if it is `u128::MAX`, and returns
        /// how much it was. If the caller owes anything, `held` has to name all tokens of its
        /// debts, and those of the deposits that carry them.
        #[call]
        pub fn withdraw(
            &mut self,
            token: TokenRef,
            amount: u128,
            held: Vec<Asset>,
        ) -> Result<u128, Error> {
            let user = caller();
            let number = self.reserve(token).number;
            let index = self.rates_of(token).supply_index;
            let (amount, scaled) = if amount == u128::MAX {
                let deposited = self.position(user, token, SUPPLIED);
                (fitting(index.of(deposited, Rounding::Down)), deposited)
            } else {
                (amount, index.per(amount, Rounding::Up).ok_or(Error::NotEnoughDeposited)?)
            };
            if amount == 0 {
                return Err(Error::AmountTooSmall);
            }
            self.take_deposit(user, token, number, scaled);
            self.take_sum(token, SUPPLIED, scaled);
            self.take_sum(token, CASH, amount);
            let marks = self.marks_of(user);
            if marks.debts != 0 {
                self.check_covered(user, marks, &held);
            }
            say(Deed::Withdrew, user, token, (amount, scaled));
            pay(token, user, amount);
            Ok(amount)
        }

        /// Lends `amount` to the caller, and returns how much that is scaled. `held` has to name
        /// all tokens of the caller's debts, this one too, and those of the deposits that carry
        /// them.
        #[call]
        pub fn borrow(
            &mut self,
            token: TokenRef,
            amount: u128,
            held: Vec<Asset>,
        ) -> Result<u128, Error> {
            let user = caller();
            let number = self.reserve(token).number;
            let scaled = fitting(self.index_of_debts(token).per(amount, Rounding::Up));
            if amount == 0 {
                return Err(Error::AmountTooSmall);
            }
            let mut marks = self.marks_of(user);
            marks.debts |= 1 << number;
            self.set_marks(user, marks);
            self.add_position(user, token, BORROWED, scaled);
            self.add_sum(token, BORROWED, scaled);
            self.take_sum(token, CASH, amount);
            self.check_covered(user, marks, &held);
            say(Deed::Borrowed, user, token, (amount, scaled));
            pay(token, user, amount);
            Ok(scaled)
        }

        /// Repays `amount` of `user`'s debt with the caller's tokens, or all of it if that is
        /// less, and returns how much it was.
        #[call]
        pub fn repay(&mut self, user: Address, token: TokenRef, amount: u128) -> u128 {
            let (amount, scaled) = self.take_debt(user, token, amount);
            say(Deed::Repaid, user, token, (amount, scaled));
            pull(token, amount);
            amount
        }

        /// Repays up to `amount` of an unhealthy account's debt with the caller's tokens, and
        /// gives the caller deposits of the account worth that much and the bonus more: as much as
        /// brings it back to [`TARGET_BP`](crate::health::TARGET_BP), and no more than there are.
        /// Returns how much was repaid and how much was seized. `held` has to name all tokens that
        /// the account has deposits or debts in.
        #[call]
        pub fn liquidate(
            &mut self,
            user: Address,
            debt: Asset,
            collateral: Asset,
            amount: u128,
            held: Vec<Asset>,
        ) -> Result<(u128, u128), Error> {
            let liquidator = caller();
            if liquidator == user {
                return Err(Error::OwnAccount);
            }
            let Reserve { number, terms } = self.reserve(collateral.token);
            let marks = self.marks_of(user);
            let standing = self.standing(user, marks.deposits | marks.debts, &held);
            if standing.debt <= standing.weighted {
                return Err(Error::Healthy);
            }
            let debt_price = self.price(debt);
            let collateral_price = self.price(collateral);
            let needed = needed_repayment(standing, &terms, debt_price);
            let index = self.rates_of(collateral.token).supply_index;
            let deposited = self.position(user, collateral.token, SUPPLIED);
            let most = fitting(index.of(deposited, Rounding::Down));
            let owed = self.debt_of(user, debt.token);
            // What is repaid, and what that is in the other token with the bonus, rounded down.
            let with_bonus = BP + u128::from(terms.bonus_bp);
            let mut repaid = amount.min(owed);
            if let Some(needed) = needed {
                repaid = repaid.min(needed);
            }
            let seized = exchanged(repaid, (debt_price, with_bonus), (collateral_price, BP));
            let (seized, scaled) = match seized {
                Some(seized) if seized < most => {
                    (seized, fitting(index.per(seized, Rounding::Down)))
                }
                _ => {
                    // All that there is, for what it is worth, rounded up.
                    let worth =
                        exchanged_up(most, (collateral_price, BP), (debt_price, with_bonus));
                    repaid = repaid.min(fitting(worth));
                    (most, deposited)
                }
            };
            if repaid == 0 || scaled == 0 {
                return Err(Error::AmountTooSmall);
            }
            self.take_deposit(user, collateral.token, number, scaled);
            self.give_deposit(liquidator, collateral.token, number, scaled);
            let (repaid, _) = self.take_debt(user, debt.token, repaid);
            let (debt, collateral) = (debt.token, collateral.token);
            Liquidated { user, liquidator, debt, repaid, collateral, seized }.emit();
            pull(debt, repaid);
            Ok((repaid, seized))
        }

        /// Gives up what an account without any deposit owes in a reserve, and returns how much
        /// it was. Anybody may.
        #[call]
        pub fn write_off(&mut self, user: Address, token: TokenRef) -> Result<u128, Error> {
            let number = self.reserve(token).number;
            if self.marks_of(user).deposits != 0 {
                return Err(Error::HasDeposits);
            }
            let amount = self.debt_of(user, token);
            if amount == 0 {
                return Err(Error::NoDebt);
            }
            let scaled = self.position(user, token, BORROWED);
            self.cancel_debt(user, token, number, scaled, scaled);

            let mut rates = self.rates_of(token);
            let totals = self.totals(token);
            let assets = assets(&totals, self.index_of_debts(token));
            let missing = above(owed(&totals, rates.supply_index), assets);
            let from_fund = missing.min(totals.fund);
            self.take_sum(token, FUND, from_fund);
            if missing > from_fund {
                // The fund is empty now, and what there is belongs to the depositors.
                let assets = assets + from_fund;
                rates.supply_index = fitting(Ray::ratio(assets, totals.supplied, Rounding::Down));
                self.set_rates(token, &rates);
            }
            let supply_index = rates.supply_index;
            WrittenOff { user, token, amount, from_fund, supply_index }.emit();
            Ok(amount)
        }

        /// Writes a reserve's indexes down, gives the period's interest to depositors and fund,
        /// and sets the rates for the next period. Anybody may, once a period.
        #[call]
        pub fn accrue(&mut self, token: TokenRef) -> Result<Rates, Error> {
            let terms = self.reserve(token).terms;
            let before = self.rates_of(token);
            if time_ms() - before.time_ms < self.imm.period_ms {
                return Err(Error::TooEarly);
            }
            let totals = self.totals(token);
            let borrow_index = self.index_of_debts(token);
            let owed = owed(&totals, before.supply_index);
            let interest = above(assets(&totals, borrow_index), owed);
            // All of it where nobody has deposited.
            let fund_bp = if totals.supplied == 0 { BP } else { terms.fund_bp.into() };
            let given = interest - fitting(mul_div(interest, fund_bp, BP));
            let supply_index = raised(before.supply_index, given, totals.supplied);
            let gain = Ray::from_raw(supply_index.raw() - before.supply_index.raw());
            let given = fitting(gain.of(totals.supplied, Rounding::Up));
            self.add_sum(token, FUND, above(interest, given));
            let (borrow_rate, supply_rate) = rates_at(&terms, used(&totals, borrow_index));
            // Parts of a second are left to the next period.
            let time_ms = before.time_ms + seconds(&before) * 1_000;
            let rates = Rates { time_ms, borrow_index, supply_index, borrow_rate, supply_rate };
            self.set_rates(token, &rates);
            Accrued { token, rates }.emit();
            Ok(rates)
        }

        /// Pays `amount` of a reserve's fund to the owner.
        #[call]
        pub fn take_fund(&mut self, token: TokenRef, amount: u128) {
            self.check_owner();
            self.take_sum(token, FUND, amount);
            self.take_sum(token, CASH, amount);
            pay(token, self.imm.owner, amount);
        }

        /// A reserve's number and terms; its indexes as of the last period, and its rates since; and
        /// what a scaled unit of debt is worth now.
        #[view]
        pub fn state_of(&self, token: TokenRef) -> (Reserve, Rates, Ray) {
            (self.reserve(token), self.rates_of(token), self.index_of_debts(token))
        }

        /// What a reserve has and owes.
        #[view]
        #[inline(never)]
        pub fn totals(&self, token: TokenRef) -> Totals {
            Totals {
                cash: self.sum(token, CASH),
                fund: self.sum(token, FUND),
                supplied: self.sum(token, SUPPLIED),
                borrowed: self.sum(token, BORROWED),
            }
        }

        /// What an account can withdraw of a reserve, if it owes nothing, and what it owes; then
        /// both scaled.
        #[view]
        pub fn balances(&self, user: Address, token: TokenRef) -> (u128, u128, u128, u128) {
            let deposited = self.position(user, token, SUPPLIED);
            let owed = self.position(user, token, BORROWED);
            (self.deposit_of(user, token), self.debt_of(user, token), deposited, owed)
        }

        /// An account's values. `held` has to name all tokens that it has deposits or debts in.
        #[view]
        pub fn standing_of(&self, user: Address, held: Vec<Asset>) -> Standing {
            let marks = self.marks_of(user);
            self.standing(user, marks.deposits | marks.debts, &held)
        }

        // What follows is not inlined, and refuses by itself instead of returning errors: the
        // Wasm would be half as large again.

        #[inline(never)]
        fn check_owner(&self) {
            if caller() != self.imm.owner {
                refuse(Error::NotOwner);
            }
        }

        #[inline(never)]
        fn reserve(&self, token: TokenRef) -> Reserve {
            match self.reserves.at(token).get() {
                Some(reserve) => reserve,
                None => refuse(Error::UnknownReserve),
            }
        }

        #[inline(never)]
        fn rates_of(&self, token: TokenRef) -> Rates {
            match self.rates.at(token).get() {
                Some(rates) => rates,
                None => refuse(Error::UnknownReserve),
            }
        }

        #[inline(never)]
        fn set_rates(&mut self, token: TokenRef, rates: &Rates) {
            self.rates.at(token).set(rates);
        }

        /// What a scaled unit of debt is worth now.
        #[inline(never)]
        fn index_of_debts(&self, token: TokenRef) -> Ray {
            let rates = self.rates_of(token);
            grown(rates.borrow_index, rates.borrow_rate, &rates)
        }

        #[inline(never)]
        fn sum(&self, token: TokenRef, which: u8) -> u128 {
            self.sums.at((token, which)).get()
        }

        #[inline(never)]
        fn add_sum(&mut self, token: TokenRef, which: u8, amount: u128) {
            self.sums.at((token, which)).add(amount);
        }

        #[inline(never)]
        fn take_sum(&mut self, token: TokenRef, which: u8, amount: u128) {
            if self.sums.at((token, which)).sub(amount).is_err() {
                // The other two are sums of what is taken from before.
                refuse(if which == FUND { Error::NotEnoughFund } else { Error::NotEnoughCash });
            }
        }

        #[inline(never)]
        fn position(&self, user: Address, token: TokenRef, which: u8) -> u128 {
            self.positions.at((user, token, which)).get()
        }

        #[inline(never)]
        fn add_position(&mut self, user: Address, token: TokenRef, which: u8, scaled: u128) {
            self.positions.at((user, token, which)).add(scaled);
        }

        #[inline(never)]
        fn set_position(&mut self, user: Address, token: TokenRef, which: u8, scaled: u128) {
            self.positions.at((user, token, which)).set(scaled);
        }

        #[inline(never)]
        fn marks_of(&self, user: Address) -> Marks {
            self.marks.at(user).get_or_default()
        }

        #[inline(never)]
        fn set_marks(&mut self, user: Address, marks: Marks) {
            self.marks.at(user).set(&marks);
        }

        /// What an account has deposited in a reserve, rounded down.
        #[inline(never)]
        fn deposit_of(&self, user: Address, token: TokenRef) -> u128 {
            let index = self.rates_of(token).supply_index;
            fitting(index.of(self.position(user, token, SUPPLIED), Rounding::Down))
        }

        /// What an account owes in a reserve, rounded up.
        #[inline(never)]
        fn debt_of(&self, user: Address, token: TokenRef) -> u128 {
            let index = self.index_of_debts(token);
            fitting(index.of(self.position(user, token, BORROWED), Rounding::Up))
        }

        #[inline(never)]
        fn give_deposit(&mut self, user: Address, token: TokenRef, number: u8, scaled: u128) {
            let mut marks = self.marks_of(user);
            let bit = 1 << number;
            if marks.deposits & bit == 0 {
                marks.deposits |= bit;
                self.set_marks(user, marks);
            }
            self.add_position(user, token, SUPPLIED, scaled);
        }

        #[inline(never)]
        fn take_deposit(&mut self, user: Address, token: TokenRef, number: u8, scaled: u128) {
            let Some(left) = self.position(user, token, SUPPLIED).checked_sub(scaled) else {
                refuse(Error::NotEnoughDeposited)
            };
            self.set_position(user, token, SUPPLIED, left);
            if left == 0 {
                let mut marks = self.marks_of(user);
                marks.deposits &= !(1 << number);
                self.set_marks(user, marks);
            }
        }

        /// Takes up to `amount` off a debt, counts it as cash, and returns how much it is, and how
        /// much that is scaled.
        #[inline(never)]
        fn take_debt(&mut self, user: Address, token: TokenRef, amount: u128) -> (u128, u128) {
            let number = self.reserve(token).number;
            let index = self.index_of_debts(token);
            let owed_scaled = self.position(user, token, BORROWED);
            let owed = fitting(index.of(owed_scaled, Rounding::Up));
            if owed == 0 {
                refuse(Error::NoDebt);
            }
            let (amount, scaled) = if amount >= owed {
                (owed, owed_scaled)
            } else {
                (amount, fitting(index.per(amount, Rounding::Down)))
            };
            if scaled == 0 {
                refuse(Error::AmountTooSmall);
            }
            self.cancel_debt(user, token, number, owed_scaled, scaled);
            self.add_sum(token, CASH, amount);
            (amount, scaled)
        }

        /// Takes `scaled` off a debt of `owed`.
        #[inline(never)]
        fn cancel_debt(
            &mut self,
            user: Address,
            token: TokenRef,
            number: u8,
            owed: u128,
            scaled: u128,
        ) {
            self.set_position(user, token, BORROWED, owed - scaled);
            if owed == scaled {
                let mut marks = self.marks_of(user);
                marks.debts &= !(1 << number);
                self.set_marks(user, marks);
            }
            self.take_sum(token, BORROWED, scaled);
        }

        /// Refuses what would leave debts that the deposits named do not carry.
        #[inline(never)]
        fn check_covered(&self, user: Address, marks: Marks, held: &[Asset]) {
            let standing = self.standing(user, marks.debts, held);
            if standing.debt > standing.collateral {
                refuse(Error::Unhealthy);
            }
        }

        /// The values of what an account has of the assets named, which must be at least those
        /// with a bit in `required`. Deposits are rounded down, debts up.
        #[inline(never)]
        fn standing(&self, user: Address, required: u128, held: &[Asset]) -> Standing {
            let mut standing = Standing::default();
            let mut seen = 0;
            for asset in held {
                let Reserve { number, terms } = self.reserve(asset.token);
                let bit = 1 << number;
                if seen & bit != 0 {
                    refuse(Error::NamedTwice);
                }
                seen |= bit;
                let deposited = self.deposit_of(user, asset.token);
                let owed = self.debt_of(user, asset.token);
                let price = self.price(*asset);
                standing = fitting(standing.with(deposited, owed, price, &terms));
            }
            if required & !seen != 0 {
                refuse(Error::MissingAsset);
            }
            standing
        }

        /// A price that is not too old, of the right feed.
        #[inline(never)]
        fn price(&self, asset: Asset) -> u128 {
            if self.reserve(asset.token).terms.feed != asset.feed {
                refuse(Error::WrongFeed);
            }
            match self.imm.oracle.price(asset.feed) {
                None => refuse(Error::NoPrice),
                Some(price) if price.value == 0 => refuse(Error::NoPrice),
                Some(price) => {
                    let age_ms = time_ms().saturating_sub(price.time_ms);
                    if age_ms > self.imm.price_age_max_ms {
                        refuse(Error::StalePrice);
                    }
                    price.value
                }
            }
        }
    }

    /// Says what an account did, or what the caller did for it.
    #[inline(never)]
    fn say(deed: Deed, user: Address, token: TokenRef, (amount, scaled): (u128, u128)) {
        let by = caller();
        Moved { deed, user, by, token, amount, scaled }.emit();
    }

    #[inline(never)]
    fn pay(token: TokenRef, to: Address, amount: u128) {
        token.transfer(to, amount);
    }

    #[inline(never)]
    fn pull(token: TokenRef, amount: u128) {
        token.transfer_from(caller(), this(), amount);
    }

    /// Ends the call as reverted.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(error: Error) -> ! {
        revert(&error)
    }

    /// A value, if it was not too large.
    #[inline(always)]
    pub(crate) fn fitting<T>(value: Option<T>) -> T {
        match value {
            Some(value) => value,
            None => refuse(Error::AmountTooLarge),
        }
    }
}
