//! Perpetual futures against a pool, in one quote token, at the prices of an oracle.
//!
//! ```text
//! open(long, size, margin, limit)   write positions[caller, long]
//!                                   add   free              add open_interest[long]
//!                                   read  funding           call oracle.price(feed)
//!                                   call  quote.transfer_from(caller, this, margin)
//! close(long, size, limit)          the same, and call quote.transfer(caller, _)
//! liquidate(trader, long)           the same with positions[trader, long]
//! add_margin(long, amount)          write positions[caller, long]   call quote.transfer_from(..)
//! update_funding()                  read  open_interest[long, short]
//!                                   write funding           call oracle.price(feed)
//! deposit(amount) withdraw(amount)  add   free              call quote...
//! ```
//!
//! # The pool
//! The pool is the other side of every position, and belongs to one provider (which may be a
//! contract that many share). When a position is opened, as much as it is worth then is taken out
//! of what the pool has free and set aside as the position's *reserve*: the most that it can gain,
//! funding included. A position can't lose more than its margin. So whatever the price does, the
//! contract holds what it owes, and nobody's loss is another trader's.
//!
//! # Funding
//! The side with more open interest pays the other: an index in quote for one unit of the
//! underlying grows with time, in proportion to the price and to how far the sides are apart. Longs
//! pay its growth, shorts get it, each for exactly as long as they are open; the pool, which is short
//! what longs have more, or long what shorts have more, gets or pays for that part. So all funding
//! sums to zero, but for rounding: payers' is rounded up and receivers' down, by less than one unit
//! each time a position is touched, and that goes to the pool. (What a position can't pay because its
//! margin is gone, or can't get because its reserve is, the pool loses or keeps.)
//!
//! The rate changes when anybody calls `update_funding`, and holds until the next time: trades add
//! to open interest and never read it.
//!
//! # Who waits for whom
//! Traders write their own positions, and add to or take from totals without reading them, the limit
//! of the pool included: taking from a counter checks that there is enough, and does not wait. So
//! traders never wait for each other, nor for the provider. All wait for the last `update_funding` and
//! for the last update of the oracle's price, and `update_funding` waits for the trades before it.
//!
//! A price older than `price_age_ms` stops everything but adding margin and the provider's calls.
//!
//! No method declares its access: the macro finds it in the bodies.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

mod position;

/// The contract.
#[tollway_sdk::contract]
pub mod perp {
    pub use crate::position::{INDEX_SCALE, Position};
    use tollway_interfaces::{OracleRef, PRICE_SCALE, TokenRef};
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::{mul_div, mul_div_up};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// Shares of a notional are in ten-thousandths.
    pub const BP_SCALE: u128 = 10_000;

    /// Rates of funding are in millionths of the price a day.
    pub const PPM_DAY: u128 = 1_000_000 * 86_400_000;

    /// What traders agree to.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Terms {
        /// The equity that a position needs when it is opened or margin is removed, in
        /// ten-thousandths of what it is worth.
        pub initial_bp: u16,
        /// The equity below which it is liquidated, likewise.
        pub maintenance_bp: u16,
        /// What the liquidator gets, likewise, at most what is left.
        pub liquidation_bp: u16,
        /// What the pool gets for opening and for closing, likewise.
        pub fee_bp: u16,
        /// The age from which on a price can't be used, in milliseconds.
        pub price_age_ms: u64,
        /// The highest rate of funding, in millionths of the price a day.
        pub funding_ppm: u32,
        /// How far apart the open interest of the sides is when the rate is highest.
        pub skew_full: u128,
    }

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// The token of margins, gains and fees.
        pub quote: TokenRef,
        /// Who knows the price of the underlying in it.
        pub oracle: OracleRef,
        /// Under which number.
        pub feed: u32,
        /// To whom the pool belongs.
        pub provider: Address,
        /// What traders agree to.
        pub terms: Terms,
    }

    /// The funding index as a function of time.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Funding {
        /// The index at `since_ms`, in units of one [`INDEX_SCALE`]th of the quote token.
        pub index: i128,
        /// Its growth in a millisecond: above 0 if longs pay.
        pub rate: i128,
        /// The block time from which on the rate holds.
        pub since_ms: u64,
    }

    /// The state.
    #[storage]
    pub struct Perp {
        /// By trader and side: `true` is long.
        positions: Map<(Address, bool), Item<Position>>,
        /// What the pool has that is not set aside for a position.
        free: Counter,
        /// The size of all positions of a side.
        open_interest: Map<bool, Counter>,
        funding: Item<Funding>,
    }

    /// A position was opened or grew.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Opened {
        /// Whose.
        pub trader: Address,
        /// The side.
        pub long: bool,
        /// How much was added.
        pub size: u128,
        /// At which price.
        pub price: u128,
        /// The margin that was added, before the fee.
        pub margin: u128,
        /// The fee.
        pub fee: u128,
    }

    /// A position, or a part of it, was closed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Closed {
        /// Whose.
        pub trader: Address,
        /// The side.
        pub long: bool,
        /// How much.
        pub size: u128,
        /// At which price.
        pub price: u128,
        /// What it gained, funding included.
        pub gain: i128,
        /// The fee.
        pub fee: u128,
        /// What went to the trader.
        pub paid: u128,
        /// What went to whoever liquidated it.
        pub reward: u128,
    }

    /// The margin of a position changed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct MarginSet {
        /// Whose.
        pub trader: Address,
        /// The side.
        pub long: bool,
        /// The margin now.
        pub margin: u128,
    }

    /// The rate of funding was set.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct FundingSet {
        /// The index now.
        pub index: i128,
        /// Its growth in a millisecond from now on.
        pub rate: i128,
    }

    /// The provider put something into the pool, or took it out.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PoolChanged {
        /// What was put in.
        pub deposited: u128,
        /// What was taken out.
        pub withdrawn: u128,
    }

    /// Why a call reverts. Failures of the token and the oracle come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The terms do not fit together.
        BadTerms,
        /// Only the provider may do this.
        NotProvider,
        /// An amount of 0.
        ZeroAmount,
        /// The amount is worth more than the contract can count.
        AmountTooLarge,
        /// The oracle has no price.
        NoPrice,
        /// The oracle's price is too old.
        StalePrice,
        /// The price is beyond what the trader would accept.
        PriceBeyondLimit,
        /// The pool has less free than the position could gain.
        PoolTooSmall,
        /// The position would have too little equity.
        NotEnoughMargin,
        /// There is no such position.
        NoPosition,
        /// The position is smaller than that.
        PositionTooSmall,
        /// The position has the equity that it needs.
        Healthy,
    }

    impl Perp {
        /// Checks the terms.
        #[init]
        pub fn init(&mut self) -> Result<(), Error> {
            let terms = self.imm.terms;
            let in_order = terms.liquidation_bp < terms.maintenance_bp
                && terms.maintenance_bp < terms.initial_bp
                && u128::from(terms.initial_bp) <= BP_SCALE
                && terms.skew_full > 0;
            if in_order { Ok(()) } else { Err(Error::BadTerms) }
        }

        /// Puts `amount` into the pool. Only the provider may.
        #[call]
        pub fn deposit(&mut self, amount: u128) -> Result<(), Error> {
            self.must_be_provider()?;
            self.free.add(amount);
            PoolChanged { deposited: amount, withdrawn: 0 }.emit();
            self.imm.quote.transfer_from(self.imm.provider, this(), amount);
            Ok(())
        }

        /// Takes `amount` of what is free out of the pool. Only the provider may.
        #[call]
        pub fn withdraw(&mut self, amount: u128) -> Result<(), Error> {
            self.must_be_provider()?;
            self.free.sub(amount).map_err(|_| Error::PoolTooSmall)?;
            PoolChanged { deposited: 0, withdrawn: amount }.emit();
            self.imm.quote.transfer(self.imm.provider, amount);
            Ok(())
        }

        /// Opens a position of the caller's, or adds to it, with `margin` more, at the oracle's
        /// price: at most `price_limit` for a long, at least for a short. What it is worth is
        /// rounded up, and so is the fee, which is taken from the margin.
        #[call]
        pub fn open(
            &mut self,
            long: bool,
            size: u128,
            margin: u128,
            price_limit: u128,
        ) -> Result<(), Error> {
            must_be_some(size)?;
            let price = self.price()?;
            must_be_within(price, price_limit, long)?;
            let trader = caller();
            let index = self.index()?;
            let place = self.positions.at((trader, long));
            let mut position = place.get().unwrap_or(Position { index, ..Position::default() });
            let worth = fits(mul_div_up(size, price, PRICE_SCALE))?;
            let fee = self.fee_of(worth)?;
            fits(position.accrue(long, index))?;
            fits(position.grow(long, size, price))?;
            let with_margin = fits(position.margin.checked_add(margin))?;
            position.margin = with_margin.checked_sub(fee).ok_or(Error::NotEnoughMargin)?;
            position.reserve = fits(position.reserve.checked_add(worth))?;
            self.must_be_safe(&position, long, price)?;
            self.free.sub(worth).map_err(|_| Error::PoolTooSmall)?;
            self.free.add(fee);
            self.open_interest.at(long).add(size);
            place.set(&position);
            Opened { trader, long, size, price, margin, fee }.emit();
            self.imm.quote.transfer_from(trader, this(), margin);
            Ok(())
        }

        /// Closes `size` of a position of the caller's at the oracle's price: at least
        /// `price_limit` for a long, at most for a short. Returns what is paid: its share of the
        /// margin, and what it gained, less the fee; rounded down.
        #[call]
        pub fn close(&mut self, long: bool, size: u128, price_limit: u128) -> Result<u128, Error> {
            must_be_some(size)?;
            let price = self.price()?;
            must_be_within(price, price_limit, !long)?;
            let trader = caller();
            let index = self.index()?;
            let place = self.positions.at((trader, long));
            let mut position = place.get().ok_or(Error::NoPosition)?;
            fits(position.accrue(long, index))?;
            if size > position.size {
                return Err(Error::PositionTooSmall);
            }
            let part = fits(position.split(size))?;
            if position.size == 0 {
                place.remove();
            } else {
                place.set(&position);
            }
            let fee = self.fee_of(fits(part.notional(price))?)?;
            let (gain, equity) = outcome(&part, long, price)?;
            let fee = fee.min(equity);
            let paid = equity - fee;
            self.release(&part, long, gain, fee)?;
            Closed { trader, long, size, price, gain, fee, paid, reward: 0 }.emit();
            self.imm.quote.transfer(trader, paid);
            Ok(paid)
        }

        /// Closes a position whose equity is below what it needs, whoever's it is, and returns the
        /// reward that the caller gets out of what is left of it; the rest goes to the trader.
        #[call]
        pub fn liquidate(&mut self, trader: Address, long: bool) -> Result<u128, Error> {
            let price = self.price()?;
            let index = self.index()?;
            let place = self.positions.at((trader, long));
            let mut position = place.get().ok_or(Error::NoPosition)?;
            fits(position.accrue(long, index))?;
            let worth = fits(position.notional(price))?;
            let needed = fits(mul_div_up(worth, self.imm.terms.maintenance_bp.into(), BP_SCALE))?;
            if fits(position.equity(long, price))? >= fits(i128::try_from(needed).ok())? {
                return Err(Error::Healthy);
            }
            place.remove();
            let (gain, equity) = outcome(&position, long, price)?;
            let reward = fits(mul_div(worth, self.imm.terms.liquidation_bp.into(), BP_SCALE))?;
            let reward = reward.min(equity);
            let paid = equity - reward;
            self.release(&position, long, gain, 0)?;
            let size = position.size;
            Closed { trader, long, size, price, gain, fee: 0, paid, reward }.emit();
            self.imm.quote.transfer(trader, paid);
            self.imm.quote.transfer(caller(), reward);
            Ok(reward)
        }

        /// Adds margin to a position of the caller's. Works without a price.
        #[call]
        pub fn add_margin(&mut self, long: bool, amount: u128) -> Result<(), Error> {
            let trader = caller();
            let place = self.positions.at((trader, long));
            let mut position = place.get().ok_or(Error::NoPosition)?;
            position.margin = fits(position.margin.checked_add(amount))?;
            place.set(&position);
            MarginSet { trader, long, margin: position.margin }.emit();
            self.imm.quote.transfer_from(trader, this(), amount);
            Ok(())
        }

        /// Takes margin out of a position of the caller's that keeps enough.
        #[call]
        pub fn remove_margin(&mut self, long: bool, amount: u128) -> Result<(), Error> {
            let price = self.price()?;
            let trader = caller();
            let index = self.index()?;
            let place = self.positions.at((trader, long));
            let mut position = place.get().ok_or(Error::NoPosition)?;
            fits(position.accrue(long, index))?;
            let rest = position.margin.checked_sub(amount);
            position.margin = rest.ok_or(Error::NotEnoughMargin)?;
            self.must_be_safe(&position, long, price)?;
            place.set(&position);
            MarginSet { trader, long, margin: position.margin }.emit();
            self.imm.quote.transfer(trader, amount);
            Ok(())
        }

        /// Sets the rate of funding by how far the sides are apart now, and returns it. Anybody
        /// may, at any time.
        #[call]
        pub fn update_funding(&mut self) -> Result<i128, Error> {
            let price = self.price()?;
            let index = self.index()?;
            let longs = self.open_interest.at(true).get();
            let shorts = self.open_interest.at(false).get();
            let terms = self.imm.terms;
            let skew = longs.abs_diff(shorts).min(terms.skew_full);
            let highest = fits(price.checked_mul(terms.funding_ppm.into()))?;
            let at_skew = fits(mul_div(highest, skew, terms.skew_full))?;
            let rate = mul_div(at_skew, INDEX_SCALE / PRICE_SCALE, PPM_DAY);
            let rate = fits(i128::try_from(fits(rate)?).ok())?;
            let rate = if longs >= shorts { rate } else { -rate };
            self.funding.set(&Funding { index, rate, since_ms: time_ms() });
            FundingSet { index, rate }.emit();
            Ok(rate)
        }

        /// A trader's position, with funding up to when it was last touched.
        #[view]
        pub fn position(&self, trader: Address, long: bool) -> Option<Position> {
            self.positions.at((trader, long)).get()
        }

        /// What a position would bring now, without fees; less than 0 if it lost more than its
        /// margin. 0 if there is none.
        #[view]
        pub fn equity(&self, trader: Address, long: bool) -> Result<i128, Error> {
            let price = self.price()?;
            let index = self.index()?;
            let mut position = self.positions.at((trader, long)).get().unwrap_or_default();
            fits(position.accrue(long, index))?;
            fits(position.equity(long, price))
        }

        /// What the pool has that is not set aside.
        #[view]
        pub fn free(&self) -> u128 {
            self.free.get()
        }

        /// The size of all positions of a side.
        #[view]
        pub fn open_interest(&self, long: bool) -> u128 {
            self.open_interest.at(long).get()
        }

        /// The funding index now.
        #[view]
        pub fn funding_index(&self) -> Result<i128, Error> {
            self.index()
        }

        fn must_be_provider(&self) -> Result<(), Error> {
            if caller() == self.imm.provider { Ok(()) } else { Err(Error::NotProvider) }
        }

        /// The oracle's price, if it is new enough.
        #[inline(never)]
        fn price(&self) -> Result<u128, Error> {
            let price = self.imm.oracle.price(self.imm.feed).ok_or(Error::NoPrice)?;
            let age_ms = time_ms().saturating_sub(price.time_ms);
            if age_ms >= self.imm.terms.price_age_ms {
                return Err(Error::StalePrice);
            }
            Ok(price.value)
        }

        /// The funding index now.
        #[inline(never)]
        fn index(&self) -> Result<i128, Error> {
            let funding = self.funding.get_or_default();
            let elapsed_ms = time_ms().saturating_sub(funding.since_ms);
            let growth = fits(funding.rate.checked_mul(elapsed_ms.into()))?;
            fits(funding.index.checked_add(growth))
        }

        fn fee_of(&self, worth: u128) -> Result<u128, Error> {
            fits(mul_div_up(worth, self.imm.terms.fee_bp.into(), BP_SCALE))
        }

        /// That a position has the equity that it needs to be opened.
        fn must_be_safe(&self, position: &Position, long: bool, price: u128) -> Result<(), Error> {
            let worth = fits(position.notional(price))?;
            let needed = fits(mul_div_up(worth, self.imm.terms.initial_bp.into(), BP_SCALE))?;
            let equity = fits(position.equity(long, price))?;
            if equity < fits(i128::try_from(needed).ok())? {
                return Err(Error::NotEnoughMargin);
            }
            Ok(())
        }

        /// Gives the pool what was set aside for what is closed, less what that gained.
        fn release(
            &mut self,
            part: &Position,
            long: bool,
            gain: i128,
            fee: u128,
        ) -> Result<(), Error> {
            // A gain is at most the reserve, and a loss at most the margin.
            let kept = fits(part.reserve.checked_add_signed(-gain))?;
            self.free.add(fits(kept.checked_add(fee))?);
            // Each position is in the sum.
            self.open_interest.at(long).sub(part.size).map_err(|_| Error::PositionTooSmall)
        }
    }

    /// What a position gains when it is closed, at least what is covered by its margin, and what it
    /// is worth then.
    fn outcome(position: &Position, long: bool, price: u128) -> Result<(i128, u128), Error> {
        let gain = fits(position.gain(long, price))?;
        let least = fits(i128::try_from(position.margin).ok())?;
        let gain = gain.max(-least);
        Ok((gain, fits(position.margin.checked_add_signed(gain))?))
    }

    fn fits<T>(value: Option<T>) -> Result<T, Error> {
        value.ok_or(Error::AmountTooLarge)
    }

    fn must_be_some(amount: u128) -> Result<(), Error> {
        if amount > 0 { Ok(()) } else { Err(Error::ZeroAmount) }
    }

    /// That a price is at most the limit for whoever buys, at least for whoever sells.
    fn must_be_within(price: u128, limit: u128, buys: bool) -> Result<(), Error> {
        let is_within = if buys { price <= limit } else { price >= limit };
        if is_within { Ok(()) } else { Err(Error::PriceBeyondLimit) }
    }
}
