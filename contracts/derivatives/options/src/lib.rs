//! European options, fully collateralized, settled at one price of an oracle.
//!
//! ```text
//!          create   write · close · offer · buy      settle      exercise        reclaim
//!             │     transfer                            │            │              │
//!  ───────────┴───────────────────────────────┼─────────┴────────────┴───────┼──────┴──────▶ time
//!                                           expiry                  settled + exercise_ms
//!
//! write(series, amount)        read series   add collateral   add written
//!                              add shorts[series, caller]     add longs[series, caller]
//!                              call collateral.transfer_from(caller, this, _)
//! buy(series, seller, amount)  read asks[series, seller]      add offered[series, seller]
//!                              add longs[series, caller]
//!                              call quote.transfer_from(caller, seller, _)
//! settle(series)               read series   write settlements[series]
//!                              call oracle.price(feed)
//! exercise(series, amount)     read settlements[series]       add longs[series, caller]
//!                              add collateral[series]         call collateral.transfer(caller, _)
//! reclaim(series)              read settlements, collateral, written, series
//!                              write shorts[series, caller]   call collateral.transfer(caller, _)
//! ```
//!
//! A contract has options of one kind on one underlying; a *series* of it is a strike and an
//! expiry. A writer locks the most that an option can pay and gets the option (*long*) and the
//! duty (*short*); the long is then sold or given away. At expiry, `settle` fixes the price of the
//! oracle once, for all; for `exercise_ms` from then on, holders exercise. What they leave goes back
//! to the writers, to each in proportion to what they wrote.
//!
//! # What nobody waits for
//! Amounts are counters, and whatever takes from one does not read it: users of one series write,
//! sell, buy, transfer and exercise side by side, also from one seller. What `reclaim` reads has
//! stopped changing when it is allowed, so writers reclaim side by side too. Only `settle` is waited
//! for, once in a series.
//!
//! # What nobody can lock
//! Anybody may create any series, and settle it as soon as the oracle has a price from after the
//! expiry, so nobody can wait for a better one: whoever loses by it settles first. If the oracle has no price from after the expiry
//! until `settle_ms` after it, the series ends without exercise and writers take everything back.
//! No call walks a list, so no number of users makes another's call dear.
//!
//! # Rounding
//! What a writer locks is rounded up, all that is paid is rounded down. So a series never pays more
//! than was locked for it, and at most one smallest unit for each call stays in the contract.
//!
//! No method declares its access: the macro finds it in the bodies.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

mod payoff;

/// The contract.
#[tollway_sdk::contract]
pub mod options {
    use crate::payoff::{collateral_for, collateral_of, payoff};
    use tollway_interfaces::{OracleRef, PRICE_SCALE, TokenRef};
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::{mul_div, mul_div_up};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// What an option is a right to.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        /// To the underlying, for the strike. Its collateral is the underlying.
        Call,
        /// To the strike, for the underlying. Its collateral is the quote token.
        Put,
    }

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// The kind of all options here.
        pub kind: Kind,
        /// What writers lock and exercise pays: the underlying of calls, the quote token of puts.
        pub collateral: TokenRef,
        /// The token that strikes, premiums and the oracle's prices are in.
        pub quote: TokenRef,
        /// Who knows the price of the underlying in the quote token.
        pub oracle: OracleRef,
        /// Under which number.
        pub feed: u32,
        /// How long after expiry a series may be settled.
        pub settle_ms: u64,
        /// How long after that its options may be exercised.
        pub exercise_ms: u64,
    }

    /// Options that are alike.
    #[contract_type(key)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Series {
        /// The price of one unit of the underlying, in units of one [`PRICE_SCALE`]th.
        pub strike: u128,
        /// The block time from which on options are no longer written or sold, and may be settled.
        pub expiry_ms: u64,
    }

    /// The end of a series.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Settlement {
        /// The price that all of it is settled at.
        pub price: u128,
        /// The block time from which on its options can't be exercised.
        pub until_ms: u64,
    }

    /// The state.
    #[storage]
    pub struct Options {
        /// The series that exist.
        series: Map<Series, Item<bool>>,
        /// What is locked for a series; what was exercised is gone from it.
        collateral: Map<Series, Counter>,
        /// How many options of a series were written and not closed.
        written: Map<Series, Counter>,
        /// Duties of each writer.
        shorts: Map<(Series, Address), Counter>,
        /// Options of each holder that are not offered.
        longs: Map<(Series, Address), Counter>,
        /// Options that each holder offers.
        offered: Map<(Series, Address), Counter>,
        /// For how much each.
        asks: Map<(Series, Address), Item<u128>>,
        settlements: Map<Series, Item<Settlement>>,
    }

    /// A series exists.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Created {
        /// The series.
        pub series: Series,
    }

    /// Options were written.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Written {
        /// The series.
        pub series: Series,
        /// Who wrote and got them.
        pub writer: Address,
        /// How many.
        pub amount: u128,
        /// What was locked.
        pub collateral: u128,
    }

    /// Options and the duties from them were destroyed together before expiry.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Closed {
        /// The series.
        pub series: Series,
        /// Whose.
        pub writer: Address,
        /// How many.
        pub amount: u128,
        /// What was paid back.
        pub collateral: u128,
    }

    /// Options changed hands.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Moved {
        /// The series.
        pub series: Series,
        /// Who had them.
        pub from: Address,
        /// Who has them.
        pub to: Address,
        /// How many.
        pub amount: u128,
        /// What was paid for them.
        pub premium: u128,
    }

    /// What a holder offers changed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Offered {
        /// The series.
        pub series: Series,
        /// The holder.
        pub seller: Address,
        /// How many were added to the offer.
        pub amount: u128,
        /// The price of one unit of all, in units of one [`PRICE_SCALE`]th.
        pub ask: u128,
    }

    /// Options are not offered any more.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Withdrawn {
        /// The series.
        pub series: Series,
        /// The holder.
        pub seller: Address,
        /// How many.
        pub amount: u128,
    }

    /// A series has its price.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Settled {
        /// The series.
        pub series: Series,
        /// The price.
        pub price: u128,
        /// The block time from which on its options can't be exercised.
        pub until_ms: u64,
    }

    /// Options were exercised.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Exercised {
        /// The series.
        pub series: Series,
        /// Whose.
        pub holder: Address,
        /// How many.
        pub amount: u128,
        /// What they paid.
        pub payoff: u128,
    }

    /// A writer got back what was not exercised.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Reclaimed {
        /// The series.
        pub series: Series,
        /// The writer.
        pub writer: Address,
        /// The duties that ended.
        pub amount: u128,
        /// What was paid back.
        pub collateral: u128,
    }

    /// Why a call reverts. Failures of the tokens and the oracle come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Puts have the quote token as collateral.
        WrongCollateral,
        /// A strike of 0.
        ZeroStrike,
        /// The series was created before.
        AlreadyCreated,
        /// The series was not created.
        UnknownSeries,
        /// An amount of 0.
        ZeroAmount,
        /// The amount is worth more than 128 bits can hold.
        AmountTooLarge,
        /// The series has expired.
        Expired,
        /// The series has not expired.
        NotExpired,
        /// The caller has fewer options.
        TooFewOptions,
        /// The caller wrote fewer options.
        TooFewWritten,
        /// The seller offers fewer options.
        TooFewOffered,
        /// The options cost more than the buyer would pay.
        PremiumTooHigh,
        /// The series has its price.
        AlreadySettled,
        /// The oracle has no price from after the expiry.
        NoPrice,
        /// The time for settling is over.
        TooLateToSettle,
        /// The series has no price.
        NotSettled,
        /// The time for exercising is over.
        TooLateToExercise,
        /// The options pay nothing.
        WorthNothing,
        /// Options may still be exercised, or the series settled.
        TooEarlyToReclaim,
    }

    impl Options {
        /// Checks that the immutables fit together.
        #[init]
        pub fn init(&mut self) -> Result<(), Error> {
            if self.imm.kind == Kind::Put && self.imm.collateral != self.imm.quote {
                return Err(Error::WrongCollateral);
            }
            Ok(())
        }

        /// Creates a series. Anybody may.
        #[call]
        pub fn create(&mut self, series: Series) -> Result<(), Error> {
            if series.strike == 0 {
                return Err(Error::ZeroStrike);
            }
            must_run(series)?;
            let exists = self.series.at(series);
            if exists.exists() {
                return Err(Error::AlreadyCreated);
            }
            exists.set(&true);
            Created { series }.emit();
            Ok(())
        }

        /// Writes options: locks the most that they can pay, rounded up, and gives them to the
        /// caller. The contract must be approved to take the collateral.
        #[call]
        pub fn write(&mut self, series: Series, amount: u128) -> Result<(), Error> {
            self.must_exist(series)?;
            must_run(series)?;
            must_be_some(amount)?;
            let writer = caller();
            let collateral = collateral_for(self.imm.kind, series, amount);
            let collateral = collateral.ok_or(Error::AmountTooLarge)?;
            give_to(&self.collateral.at(series), collateral);
            give_to(&self.written.at(series), amount);
            give(&self.shorts.at((series, writer)), amount);
            give(&self.longs.at((series, writer)), amount);
            Written { series, writer, amount, collateral }.emit();
            self.imm.collateral.transfer_from(writer, this(), collateral);
            Ok(())
        }

        /// Destroys options of the caller's together with as many duties, before expiry, and pays
        /// their collateral back, rounded down.
        #[call]
        pub fn close(&mut self, series: Series, amount: u128) -> Result<(), Error> {
            must_run(series)?;
            must_be_some(amount)?;
            let writer = caller();
            let collateral = collateral_of(self.imm.kind, series, amount);
            let collateral = collateral.ok_or(Error::AmountTooLarge)?;
            take(&self.shorts.at((series, writer)), amount, Error::TooFewWritten)?;
            take(&self.longs.at((series, writer)), amount, Error::TooFewOptions)?;
            // Both hold at least what the writer put in.
            take_of(&self.written.at(series), amount, Error::TooFewWritten)?;
            take_of(&self.collateral.at(series), collateral, Error::TooFewWritten)?;
            Closed { series, writer, amount, collateral }.emit();
            self.pay(writer, collateral);
            Ok(())
        }

        /// Gives options of the caller's to `to`.
        #[call]
        pub fn transfer(&mut self, series: Series, to: Address, amount: u128) -> Result<(), Error> {
            let from = caller();
            take(&self.longs.at((series, from)), amount, Error::TooFewOptions)?;
            give(&self.longs.at((series, to)), amount);
            Moved { series, from, to, amount, premium: 0 }.emit();
            Ok(())
        }

        /// Offers options of the caller's, with those offered before, at `ask` for one unit, in
        /// units of one [`PRICE_SCALE`]th of the quote token. An `amount` of 0 changes the price.
        #[call]
        pub fn offer(&mut self, series: Series, amount: u128, ask: u128) -> Result<(), Error> {
            must_run(series)?;
            let seller = caller();
            take(&self.longs.at((series, seller)), amount, Error::TooFewOptions)?;
            give(&self.offered.at((series, seller)), amount);
            self.asks.at((series, seller)).set(&ask);
            Offered { series, seller, amount, ask }.emit();
            Ok(())
        }

        /// Takes options out of the caller's offer, at any time.
        #[call]
        pub fn withdraw(&mut self, series: Series, amount: u128) -> Result<(), Error> {
            let seller = caller();
            take(&self.offered.at((series, seller)), amount, Error::TooFewOffered)?;
            give(&self.longs.at((series, seller)), amount);
            Withdrawn { series, seller, amount }.emit();
            Ok(())
        }

        /// Buys options that `seller` offers, before expiry, for at most `premium_max` in all, and
        /// returns what was paid: to the seller, rounded up. The contract must be approved to take
        /// the quote token.
        #[call]
        pub fn buy(
            &mut self,
            series: Series,
            seller: Address,
            amount: u128,
            premium_max: u128,
        ) -> Result<u128, Error> {
            must_run(series)?;
            must_be_some(amount)?;
            let buyer = caller();
            let ask = self.asks.at((series, seller)).get().ok_or(Error::TooFewOffered)?;
            let premium = mul_div_up(amount, ask, PRICE_SCALE).ok_or(Error::AmountTooLarge)?;
            if premium > premium_max {
                return Err(Error::PremiumTooHigh);
            }
            take(&self.offered.at((series, seller)), amount, Error::TooFewOffered)?;
            give(&self.longs.at((series, buyer)), amount);
            Moved { series, from: seller, to: buyer, amount, premium }.emit();
            self.imm.quote.transfer_from(buyer, seller, premium);
            Ok(premium)
        }

        /// Fixes the price of an expired series: the oracle's, which must be from after the expiry.
        /// Anybody may, once; from now on options can be exercised.
        #[call]
        pub fn settle(&mut self, series: Series) -> Result<u128, Error> {
            self.must_exist(series)?;
            let now_ms = time_ms();
            if now_ms < series.expiry_ms {
                return Err(Error::NotExpired);
            }
            let settlement = self.settlements.at(series);
            if settlement.exists() {
                return Err(Error::AlreadySettled);
            }
            if now_ms >= self.settle_end_ms(series) {
                return Err(Error::TooLateToSettle);
            }
            let price = self.imm.oracle.price(self.imm.feed).ok_or(Error::NoPrice)?;
            if price.time_ms < series.expiry_ms || price.value == 0 {
                return Err(Error::NoPrice);
            }
            let price = price.value;
            let until_ms = now_ms.saturating_add(self.imm.exercise_ms);
            settlement.set(&Settlement { price, until_ms });
            Settled { series, price, until_ms }.emit();
            Ok(price)
        }

        /// Exercises options of the caller's and pays what they are worth, which is returned.
        #[call]
        pub fn exercise(&mut self, series: Series, amount: u128) -> Result<u128, Error> {
            let settlement = self.settled(series).ok_or(Error::NotSettled)?;
            if time_ms() >= settlement.until_ms {
                return Err(Error::TooLateToExercise);
            }
            let payoff = payoff(self.imm.kind, series, settlement.price, amount);
            let payoff = payoff.ok_or(Error::AmountTooLarge)?;
            if payoff == 0 {
                return Err(Error::WorthNothing);
            }
            let holder = caller();
            take(&self.longs.at((series, holder)), amount, Error::TooFewOptions)?;
            // What was locked is at least what all options pay.
            take_of(&self.collateral.at(series), payoff, Error::TooFewOptions)?;
            Exercised { series, holder, amount, payoff }.emit();
            self.pay(holder, payoff);
            Ok(payoff)
        }

        /// Ends all duties of the caller's, and pays their share of what was not exercised, which
        /// is returned: as soon as nothing can be exercised any more.
        #[call]
        pub fn reclaim(&mut self, series: Series) -> Result<u128, Error> {
            // None of these changes any more: no option is written or closed after expiry, and none
            // can be exercised.
            if !self.has_ended(series) {
                return Err(Error::TooEarlyToReclaim);
            }
            let left = total(&self.collateral.at(series));
            let written = total(&self.written.at(series));
            let writer = caller();
            let duties = self.shorts.at((series, writer));
            let amount = duties.get();
            must_be_some(amount)?;
            // At most `left`, since nobody wrote more than all.
            let collateral = mul_div(amount, left, written).ok_or(Error::AmountTooLarge)?;
            duties.set(0);
            Reclaimed { series, writer, amount, collateral }.emit();
            self.pay(writer, collateral);
            Ok(collateral)
        }

        /// How many options `holder` has, beside those that they offer.
        #[view]
        pub fn long_of(&self, series: Series, holder: Address) -> u128 {
            held(&self.longs.at((series, holder)))
        }

        /// How many options `writer` wrote and has not closed or reclaimed.
        #[view]
        pub fn short_of(&self, series: Series, writer: Address) -> u128 {
            held(&self.shorts.at((series, writer)))
        }

        /// How many options `seller` offers, and at which price.
        #[view]
        pub fn offer_of(&self, series: Series, seller: Address) -> (u128, u128) {
            let amount = held(&self.offered.at((series, seller)));
            (amount, self.asks.at((series, seller)).get_or(0))
        }

        /// How a series was settled, if it was.
        #[view]
        pub fn settlement(&self, series: Series) -> Option<Settlement> {
            self.settled(series)
        }

        /// What was locked for a series and not exercised, and how many options that is for. What
        /// writers reclaimed still counts.
        #[view]
        pub fn locked(&self, series: Series) -> (u128, u128) {
            (total(&self.collateral.at(series)), total(&self.written.at(series)))
        }

        /// Whether nothing can be exercised any more.
        fn has_ended(&self, series: Series) -> bool {
            let now_ms = time_ms();
            match self.settled(series) {
                Some(Settlement { price, until_ms }) => {
                    let is_worthless = match self.imm.kind {
                        Kind::Call => price <= series.strike,
                        Kind::Put => price >= series.strike,
                    };
                    is_worthless || now_ms >= until_ms
                }
                None => now_ms >= self.settle_end_ms(series),
            }
        }

        /// The block time from which on a series can't be settled.
        fn settle_end_ms(&self, series: Series) -> u64 {
            series.expiry_ms.saturating_add(self.imm.settle_ms)
        }

        #[inline(never)]
        fn pay(&mut self, to: Address, amount: u128) {
            self.imm.collateral.transfer(to, amount);
        }

        #[inline(never)]
        fn settled(&self, series: Series) -> Option<Settlement> {
            self.settlements.at(series).get()
        }

        fn must_exist(&self, series: Series) -> Result<(), Error> {
            if self.series.at(series).exists() { Ok(()) } else { Err(Error::UnknownSeries) }
        }
    }

    // Functions of their own, since each copy of what a cell does is some hundred bytes of Wasm.

    #[inline(never)]
    fn give(cell: &Counter<(Series, Address)>, amount: u128) {
        cell.add(amount);
    }

    #[inline(never)]
    fn take(cell: &Counter<(Series, Address)>, amount: u128, error: Error) -> Result<(), Error> {
        cell.sub(amount).map_err(|_| error)
    }

    #[inline(never)]
    fn held(cell: &Counter<(Series, Address)>) -> u128 {
        cell.get()
    }

    #[inline(never)]
    fn give_to(cell: &Counter<Series>, amount: u128) {
        cell.add(amount);
    }

    #[inline(never)]
    fn take_of(cell: &Counter<Series>, amount: u128, error: Error) -> Result<(), Error> {
        cell.sub(amount).map_err(|_| error)
    }

    #[inline(never)]
    fn total(cell: &Counter<Series>) -> u128 {
        cell.get()
    }

    fn must_run(series: Series) -> Result<(), Error> {
        if time_ms() < series.expiry_ms { Ok(()) } else { Err(Error::Expired) }
    }

    fn must_be_some(amount: u128) -> Result<(), Error> {
        if amount > 0 { Ok(()) } else { Err(Error::ZeroAmount) }
    }
}
