//! An order book: orders meet by price, then by time, and whoever made the better price is paid in
//! the call that meets it.
//!
//! ```text
//! create(base, quote, ..)           write markets[call_id]
//! place(market, side, ..)           read  markets[market]
//!                                   write bids[market], asks[market], balances[market]
//! cancel(market, side, price, id)   the same
//! deposit, withdraw(market, ..)     read  markets[market], write balances[market]
//!                                   call  token
//!
//! bids of a market             asks of a market
//! best ─▶ 101 │ id 3, id 7     103 │ id 4, id 9 ◀─ best    in front: the better price,
//!         100 │ id 1           104 │ id 2                  then the smaller identifier
//! ```
//!
//! Nobody knows before it runs whose orders a call will meet. So books and balances are groups by
//! market: calls on one market wait for each other, orders in two markets never do, and no second
//! call (a crank) has to pay makers later. Funds are deposited for a market and stay in its group;
//! that is why deposits and withdrawals, too, wait for the matches of their market.
//!
//! # Prices and rounding
//! A price is what [`unit`](clob::Market::unit) of the base token costs, in the quote token. What is
//! traded is rounded against who comes: a seller gets the value rounded down, a buyer pays it rounded
//! up. Where `tick · lot` is a multiple of `unit`, nothing is rounded at all.
//!
//! # Bounds
//! A call meets at most [`MAKERS_MAX`] orders. What is left of a limit order then rests, if it no
//! longer crosses the book; if it does, it is returned: the book is never crossed, and whoever wants
//! the rest places it again.
//!
//! # Invariants
//! 1. Tokens held = sums of free balances + what orders lock (`tests/random.rs`).
//! 2. The best bid is below the best ask (`tests/random.rs`).
//!
//! [`MAKERS_MAX`]: clob::MAKERS_MAX
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod clob {
    use alloc::vec::Vec;
    use core::ops::Bound;
    use tollway_interfaces::TokenRef;
    use tollway_sdk::call::Client;
    use tollway_sdk::env::{call_id, caller, next_id, this};
    use tollway_sdk::math::{mul_div, mul_div_up};
    use tollway_sdk::{Address, Counter, Group, Item, Map, OrderedMap, contract_type};

    /// The most orders that one call meets.
    pub const MAKERS_MAX: u32 = 32;

    /// The most prices that [`depth`](Clob::depth) returns.
    pub const LEVELS_MAX: u32 = 64;

    /// How many orders are read at a time.
    const PAGE: u32 = 16;

    /// How many `place` reads first: most orders meet few.
    const FIRST_PAGE: u32 = 4;

    /// Balances of the base token.
    const BASE: u8 = 0;

    /// Balances of the quote token.
    const QUOTE: u8 = 1;

    /// What is traded in a market, and in which steps. It never changes.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Market {
        /// What is bought and sold.
        pub base: TokenRef,
        /// What is paid.
        pub quote: TokenRef,
        /// How much of the base token a price is for.
        pub unit: u128,
        /// Prices are multiples of this.
        pub tick: u128,
        /// Amounts are multiples of this.
        pub lot: u128,
    }

    /// Which way an order goes.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Side {
        /// Buys the base token: a bid.
        Buy,
        /// Sells it: an ask.
        Sell,
    }

    /// What becomes of what is not filled at once, and whether anything may be.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        /// The rest stays in the book.
        Limit,
        /// The rest is returned: immediate or cancel.
        Ioc,
        /// Nothing may be filled at once: the call fails instead.
        PostOnly,
    }

    /// An order in the book.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Order {
        /// Whose.
        pub owner: Address,
        /// What is still to be filled, of the base token.
        pub left: u128,
    }

    /// What came of an order at once.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Outcome {
        /// The order's identifier.
        pub id: u128,
        /// How much of the base token was traded.
        pub filled: u128,
        /// How much of the quote token was paid for that, or received.
        pub paid: u128,
        /// How much is in the book now. What is neither filled nor there is returned.
        pub rested: u128,
    }

    /// All orders of one price.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Level {
        /// The price.
        pub price: u128,
        /// What is to be filled at it.
        pub amount: u128,
        /// By how many orders.
        pub orders: u32,
    }

    /// An order that comes, and what has come of it so far.
    struct Taker {
        id: u128,
        owner: Address,
        side: Side,
        left: u128,
        paid: u128,
    }

    /// Where an order stands in its book: the rank of its price, and its identifier.
    type Place = (u128, u128);

    /// The state.
    #[storage]
    pub struct Clob {
        markets: Map<u128, Item<Market>>,
        bids: Group<u128, OrderedMap<Place, Order>>,
        asks: Group<u128, OrderedMap<Place, Order>>,
        /// What accounts have free in a market, by account and token.
        balances: Group<u128, Map<(Address, u8), Counter>>,
    }

    /// A market was created.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Created {
        /// Its identifier.
        pub market: u128,
        /// What it is.
        pub terms: Market,
    }

    /// Somebody deposited tokens.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Deposited {
        /// For which market.
        pub market: u128,
        /// Who.
        pub by: Address,
        /// What.
        pub token: Address,
        /// How much.
        pub amount: u128,
    }

    /// Somebody withdrew tokens.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Withdrawn {
        /// From which market.
        pub market: u128,
        /// Who.
        pub by: Address,
        /// What.
        pub token: Address,
        /// How much.
        pub amount: u128,
    }

    /// An order was placed. What it traded at once was told before, by [`Traded`].
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Placed {
        /// Where.
        pub market: u128,
        /// Its identifier.
        pub id: u128,
        /// Whose it is.
        pub owner: Address,
        /// Which way it goes.
        pub side: Side,
        /// At which price, or a better one.
        pub price: u128,
        /// How much was to be traded.
        pub amount: u128,
        /// How much is in the book now.
        pub rested: u128,
    }

    /// An order met another.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Traded {
        /// Where.
        pub market: u128,
        /// The order that was in the book.
        pub maker_id: u128,
        /// Whose it is.
        pub maker: Address,
        /// The order that came.
        pub taker_id: u128,
        /// Whose it is.
        pub taker: Address,
        /// Which way the order went that came.
        pub side: Side,
        /// At which price.
        pub price: u128,
        /// How much of the base token.
        pub amount: u128,
        /// For how much of the quote token.
        pub paid: u128,
    }

    /// An order left the book unfilled.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Cancelled {
        /// Where.
        pub market: u128,
        /// The order.
        pub id: u128,
        /// Whose it was.
        pub owner: Address,
        /// How much was still to be filled.
        pub left: u128,
        /// What it had locked, of the token that it would have paid with.
        pub freed: u128,
    }

    /// Why a call reverts. Failures of tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// A market cannot be like that.
        BadMarket,
        /// This call has created a market already.
        MarketExists,
        /// There is no such market.
        NoSuchMarket,
        /// The market does not trade that token.
        WrongToken,
        /// An amount is 0 or no multiple of the lot.
        BadAmount,
        /// A price is 0 or no multiple of the tick.
        BadPrice,
        /// A value is too large.
        AmountTooLarge,
        /// There is less in the caller's free balance.
        InsufficientBalance,
        /// An order that may only rest would trade at once.
        WouldCross,
        /// There is no such order.
        NoSuchOrder,
        /// It is somebody else's order.
        NotOwner,
    }

    impl Clob {
        /// Creates a market, whoever likes, and returns its identifier, which is the call's: a call
        /// creates one. A lot at the lowest price has to be worth something, so that nothing is
        /// ever traded for nothing.
        #[call]
        pub fn create(
            &mut self,
            base: TokenRef,
            quote: TokenRef,
            unit: u128,
            tick: u128,
            lot: u128,
        ) -> Result<u128, Error> {
            let is_worth_something = mul_div(tick, lot, unit).is_some_and(|value| value > 0);
            if base == quote || !is_worth_something {
                return Err(Error::BadMarket);
            }
            let market = call_id();
            let cell = self.markets.at(call_id());
            if cell.exists() {
                return Err(Error::MarketExists);
            }
            let terms = Market { base, quote, unit, tick, lot };
            cell.set(&terms);
            Created { market, terms }.emit();
            Ok(market)
        }

        /// Takes `amount` of the caller's tokens into his free balance in a market.
        #[call]
        pub fn deposit(
            &mut self,
            market: u128,
            token: TokenRef,
            amount: u128,
        ) -> Result<(), Error> {
            let leg = leg_of(&self.terms(market)?, token)?;
            if amount == 0 {
                return Err(Error::BadAmount);
            }
            let by = caller();
            self.give(market, by, leg, amount);
            Deposited { market, by, token: token.address(), amount }.emit();
            token.transfer_from(by, this(), amount);
            Ok(())
        }

        /// Pays `amount` of the caller's free balance in a market back.
        #[call]
        pub fn withdraw(
            &mut self,
            market: u128,
            token: TokenRef,
            amount: u128,
        ) -> Result<(), Error> {
            let leg = leg_of(&self.terms(market)?, token)?;
            if amount == 0 {
                return Err(Error::BadAmount);
            }
            let by = caller();
            self.take(market, by, leg, amount)?;
            Withdrawn { market, by, token: token.address(), amount }.emit();
            token.transfer(by, amount);
            Ok(())
        }

        /// Trades up to `amount` of the base token, at `price` or better, with the orders in the
        /// book, the best price first and, at one price, the oldest. What is left then does what
        /// `kind` says; see the [bounds](crate) for what a call does after [`MAKERS_MAX`] orders.
        ///
        /// All trades are at the price of the order in the book. An order of the caller's own that
        /// is met is cancelled: nobody trades with himself.
        #[call]
        pub fn place(
            &mut self,
            market: u128,
            side: Side,
            price: u128,
            amount: u128,
            kind: Kind,
        ) -> Result<Outcome, Error> {
            let terms = self.terms(market)?;
            if price == 0 || !price.is_multiple_of(terms.tick) {
                return Err(Error::BadPrice);
            }
            if amount == 0 || !amount.is_multiple_of(terms.lot) {
                return Err(Error::BadAmount);
            }
            // Unlike `call_id`, another one for each order of a contract that places several.
            let id = next_id();
            let mut taker = Taker { id, owner: caller(), side, left: amount, paid: 0 };
            let is_crossing = self.sweep(market, &terms, &mut taker, price, kind)?;
            let Taker { owner, left, paid, .. } = taker;
            let filled = amount - left;
            let rested = if kind == Kind::Ioc || is_crossing { 0 } else { left };
            if rested > 0 {
                // What meets it later can be worth this much.
                value_up(&terms, rested, price)?;
                let order = Order { owner, left: rested };
                self.set(market, side, (rank(side, price), id), order);
            }
            let (leg, gain) = match side {
                Side::Buy => {
                    let locks = value_down(&terms, rested, price)?;
                    let owed = paid.checked_add(locks).ok_or(Error::AmountTooLarge)?;
                    self.take(market, owner, QUOTE, owed)?;
                    (BASE, filled)
                }
                Side::Sell => {
                    self.take(market, owner, BASE, filled + rested)?;
                    (QUOTE, paid)
                }
            };
            if gain > 0 {
                self.give(market, owner, leg, gain);
            }
            Placed { market, id, owner, side, price, amount, rested }.emit();
            Ok(Outcome { id, filled, paid, rested })
        }

        /// Takes an order of the caller's out of the book, and returns how much of its token is
        /// free again.
        #[call]
        pub fn cancel(
            &mut self,
            market: u128,
            side: Side,
            price: u128,
            id: u128,
        ) -> Result<u128, Error> {
            let terms = self.terms(market)?;
            let order = self.remove(market, side, (rank(side, price), id));
            let order = order.ok_or(Error::NoSuchOrder)?;
            if order.owner != caller() {
                return Err(Error::NotOwner);
            }
            self.free(market, &terms, side, price, id, order)
        }

        /// What a market trades.
        #[view]
        pub fn market(&self, market: u128) -> Option<Market> {
            self.terms(market).ok()
        }

        /// The price of the best bid, and that of the best ask.
        #[view]
        pub fn best(&self, market: u128) -> (Option<u128>, Option<u128>) {
            let bid = self.first(market, Side::Buy);
            let ask = self.first(market, Side::Sell);
            (
                bid.map(|((place, _), _)| rank(Side::Buy, place)),
                ask.map(|((place, _), _)| rank(Side::Sell, place)),
            )
        }

        /// Up to `levels` prices of a side, at most [`LEVELS_MAX`], the best first, with what is to
        /// be filled at each.
        #[view]
        pub fn depth(&self, market: u128, side: Side, levels: u32) -> Result<Vec<Level>, Error> {
            let levels = levels.min(LEVELS_MAX) as usize;
            // All at once, so that the memory of each page can be given back.
            let mut found: Vec<Level> = Vec::with_capacity(levels);
            let mut last: Option<Place> = None;
            loop {
                let from = match &last {
                    Some(key) => Bound::Excluded(key),
                    None => Bound::Unbounded,
                };
                let page = match side {
                    Side::Buy => self.bids.of(market).ascend(from, PAGE),
                    Side::Sell => self.asks.of(market).ascend(from, PAGE),
                };
                let is_end = page.len() < PAGE as usize;
                for (key, order) in page {
                    let price = rank(side, key.0);
                    match found.last_mut() {
                        Some(level) if level.price == price => {
                            let sum = level.amount.checked_add(order.left);
                            level.amount = sum.ok_or(Error::AmountTooLarge)?;
                            level.orders += 1;
                        }
                        _ => {
                            if found.len() == levels {
                                return Ok(found);
                            }
                            found.push(Level { price, amount: order.left, orders: 1 });
                        }
                    }
                    last = Some(key);
                }
                if is_end {
                    return Ok(found);
                }
            }
        }

        /// An order in the book.
        #[view]
        pub fn order(&self, market: u128, side: Side, price: u128, id: u128) -> Option<Order> {
            let key = (rank(side, price), id);
            match side {
                Side::Buy => self.bids.of(market).get(&key),
                Side::Sell => self.asks.of(market).get(&key),
            }
        }

        /// What an account has free in a market: of the base token, and of the quote token.
        #[view]
        pub fn balances(&self, market: u128, account: Address) -> (u128, u128) {
            (self.balance(market, account, BASE), self.balance(market, account, QUOTE))
        }

        /// Lets an order meet those of the other side, until there is nothing left of it or none that
        /// it may meet. Returns whether what is left still crosses the book.
        fn sweep(
            &mut self,
            market: u128,
            terms: &Market,
            taker: &mut Taker,
            price: u128,
            kind: Kind,
        ) -> Result<bool, Error> {
            let makers = match taker.side {
                Side::Buy => Side::Sell,
                Side::Sell => Side::Buy,
            };
            let (mut met, mut page) = (0, FIRST_PAGE);
            loop {
                let front = self.front(market, makers, page);
                let is_last = front.len() < page as usize;
                page = PAGE;
                // Orders that are done with, all at the front: they leave the book together.
                let mut done = 0;
                let mut is_crossing = None;
                for (place, maker) in front {
                    let maker_price = rank(makers, place.0);
                    let meets = match taker.side {
                        Side::Buy => maker_price <= price,
                        Side::Sell => maker_price >= price,
                    };
                    if !meets || met == MAKERS_MAX {
                        is_crossing = Some(meets);
                        break;
                    }
                    if kind == Kind::PostOnly {
                        return Err(Error::WouldCross);
                    }
                    met += 1;
                    if maker.owner == taker.owner {
                        self.free(market, terms, makers, maker_price, place.1, maker)?;
                        done += 1;
                        continue;
                    }
                    let rest = self.trade(market, terms, taker, maker_price, place.1, maker)?;
                    if rest == 0 {
                        done += 1;
                    } else {
                        self.set(market, makers, place, Order { left: rest, ..maker });
                    }
                    if taker.left == 0 {
                        is_crossing = Some(false);
                        break;
                    }
                }
                self.remove_first(market, makers, done);
                if is_last || is_crossing.is_some() {
                    return Ok(is_crossing == Some(true));
                }
            }
        }

        /// Lets an order meet one of another owner, who is paid. Returns what is left of that.
        fn trade(
            &mut self,
            market: u128,
            terms: &Market,
            taker: &mut Taker,
            price: u128,
            maker_id: u128,
            maker: Order,
        ) -> Result<u128, Error> {
            let fill = if taker.left < maker.left { taker.left } else { maker.left };
            let rest = maker.left - fill;
            let (leg, value, gain) = match taker.side {
                Side::Buy => {
                    let value = value_up(terms, fill, price)?;
                    (QUOTE, value, value)
                }
                Side::Sell => {
                    let value = value_down(terms, fill, price)?;
                    // What rounding leaves of what the bid had locked is its owner's again. A bid
                    // that is filled at once locked what is paid for it.
                    if rest > 0 {
                        let locked = value_down(terms, maker.left, price)?;
                        let locks = value_down(terms, rest, price)?;
                        let dust = locked.checked_sub(value).and_then(|x| x.checked_sub(locks));
                        let dust = dust.ok_or(Error::AmountTooLarge)?;
                        if dust > 0 {
                            self.give(market, maker.owner, QUOTE, dust);
                        }
                    }
                    (BASE, value, fill)
                }
            };
            self.give(market, maker.owner, leg, gain);
            taker.left -= fill;
            taker.paid = taker.paid.checked_add(value).ok_or(Error::AmountTooLarge)?;
            Traded {
                market,
                maker_id,
                maker: maker.owner,
                taker_id: taker.id,
                taker: taker.owner,
                side: taker.side,
                price,
                amount: fill,
                paid: value,
            }
            .emit();
            Ok(rest)
        }

        #[inline(never)]
        fn terms(&self, market: u128) -> Result<Market, Error> {
            self.markets.at(market).get().ok_or(Error::NoSuchMarket)
        }

        /// The orders of a side that are met first.
        #[inline(never)]
        fn front(&self, market: u128, side: Side, count: u32) -> Vec<(Place, Order)> {
            match side {
                Side::Buy => self.bids.of(market).ascend(Bound::Unbounded, count),
                Side::Sell => self.asks.of(market).ascend(Bound::Unbounded, count),
            }
        }

        /// Takes those out of the book.
        #[inline(never)]
        fn remove_first(&mut self, market: u128, side: Side, count: u32) {
            match side {
                Side::Buy => self.bids.of(market).remove_first(count),
                Side::Sell => self.asks.of(market).remove_first(count),
            }
        }

        /// The order of a side that is met first of all.
        #[inline(never)]
        fn first(&self, market: u128, side: Side) -> Option<(Place, Order)> {
            match side {
                Side::Buy => self.bids.of(market).first(),
                Side::Sell => self.asks.of(market).first(),
            }
        }

        #[inline(never)]
        fn set(&mut self, market: u128, side: Side, place: Place, order: Order) {
            match side {
                Side::Buy => self.bids.of(market).set(place, order),
                Side::Sell => self.asks.of(market).set(place, order),
            }
        }

        #[inline(never)]
        fn remove(&mut self, market: u128, side: Side, place: Place) -> Option<Order> {
            match side {
                Side::Buy => self.bids.of(market).remove(&place),
                Side::Sell => self.asks.of(market).remove(&place),
            }
        }

        #[inline(never)]
        fn balance(&self, market: u128, account: Address, leg: u8) -> u128 {
            self.balances.of(market).at((account, leg)).get()
        }

        #[inline(never)]
        fn give(&mut self, market: u128, account: Address, leg: u8, amount: u128) {
            self.balances.of(market).at((account, leg)).add(amount);
        }

        #[inline(never)]
        fn take(
            &mut self,
            market: u128,
            account: Address,
            leg: u8,
            amount: u128,
        ) -> Result<(), Error> {
            let balance = self.balances.of(market).at((account, leg));
            balance.sub(amount).map_err(|_| Error::InsufficientBalance)
        }

        /// Gives back what an order locked that was taken out of the book.
        #[inline(never)]
        fn free(
            &mut self,
            market: u128,
            terms: &Market,
            side: Side,
            price: u128,
            id: u128,
            order: Order,
        ) -> Result<u128, Error> {
            let Order { owner, left } = order;
            let (leg, freed) = match side {
                Side::Buy => (QUOTE, value_down(terms, left, price)?),
                Side::Sell => (BASE, left),
            };
            self.give(market, owner, leg, freed);
            Cancelled { market, id, owner, left, freed }.emit();
            Ok(freed)
        }
    }

    /// Where a price stands in its book: the better one is smaller. The same leads back.
    fn rank(side: Side, price: u128) -> u128 {
        match side {
            Side::Buy => !price,
            Side::Sell => price,
        }
    }

    fn leg_of(terms: &Market, token: TokenRef) -> Result<u8, Error> {
        if token == terms.base {
            Ok(BASE)
        } else if token == terms.quote {
            Ok(QUOTE)
        } else {
            Err(Error::WrongToken)
        }
    }

    /// What `amount` of the base token is worth in the quote token, rounded down.
    #[inline(never)]
    fn value_down(terms: &Market, amount: u128, price: u128) -> Result<u128, Error> {
        mul_div(amount, price, terms.unit).ok_or(Error::AmountTooLarge)
    }

    /// The same rounded up.
    #[inline(never)]
    fn value_up(terms: &Market, amount: u128, price: u128) -> Result<u128, Error> {
        mul_div_up(amount, price, terms.unit).ok_or(Error::AmountTooLarge)
    }
}
