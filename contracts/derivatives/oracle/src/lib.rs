//! An oracle: reporters say what things cost, their median is the price.
//!
//! ```text
//! report(seat, feed, value)   read  seats[seat]                who sits there
//!                             write reports[feed, seat]
//! update(feed)                read  seats[0..7]   read reports[feed, 0..7]
//!                             write prices[feed]
//! price(feed)                 read  prices[feed]
//! ```
//!
//! Up to seven reporters have *seats*. A report goes to a key of its own, so reporters never wait
//! for each other, of one feed or of several. Anybody may [`update`] a feed: its price becomes the
//! median of the reports that are not too old, if they are as many as the quorum. Whoever uses the
//! price reads one key, and waits for updates of that feed alone, not for reports.
//!
//! # Why the median is taken by an update, and not by its readers
//! Taken while reading, a price would be one call fresher, and would cost every one of its readers
//! seven keys in place of one, in its plan as in its gas; and readers would wait for every report.
//! A feed has few reports and very many readers. [`median`] is there for who wants it even so.
//! Nobody can hold an update back, since anybody may make it, and it only depends on reports and
//! time; nor does it matter who makes it.
//!
//! # What one reporter can do
//! With a quorum of three or more, the price lies between the least and the greatest of what the
//! other reporters say, and so does its time: one reporter, whatever they report or withhold, can
//! neither move the price past the others nor make it look newer or older than they do. A smaller
//! quorum is for an operator who trusts each reporter.
//!
//! No method declares its access: the macro finds it in the bodies.
//!
//! [`update`]: oracle::Oracle::update
//! [`median`]: oracle::Oracle::median
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

mod median;

/// The contract.
#[tollway_sdk::contract]
pub mod oracle {
    use alloc::vec::Vec;
    use tollway_interfaces::Price;
    use tollway_sdk::env::{caller, time_ms};
    use tollway_sdk::{Address, Item, Map, contract_type};

    /// How many reporters there may be.
    pub const SEATS: u8 = 7;

    /// What is fixed when the oracle is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who gives seats to reporters.
        pub owner: Address,
        /// How many reports a price needs, from 1 to [`SEATS`]; three for what the head of this
        /// crate promises.
        pub quorum: u8,
        /// The age from which on a report does not count.
        pub max_age_ms: u64,
    }

    /// Who reports from a seat.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Seat {
        /// The reporter; [`Address::ZERO`] if nobody has the seat.
        pub reporter: Address,
        /// Rises when the seat is given to somebody, so that reports from before do not count.
        pub term: u32,
    }

    /// What a reporter said last.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Report {
        /// The price, and the block's time when it was reported.
        pub price: Price,
        /// The seat's term then.
        pub term: u32,
    }

    /// A feed and its price.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct FeedPrice {
        /// The feed.
        pub feed: u32,
        /// The price, in units of one [`PRICE_SCALE`](tollway_interfaces::PRICE_SCALE)th.
        pub value: u128,
    }

    /// The state.
    #[storage]
    pub struct Oracle {
        seats: Map<u8, Item<Seat>>,
        /// By feed and seat.
        reports: Map<(u32, u8), Item<Report>>,
        prices: Map<u32, Item<Price>>,
    }

    /// A seat was given to somebody, or taken away.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Seated {
        /// The seat.
        pub seat: u8,
        /// Who reports from it now; [`Address::ZERO`] for nobody.
        pub reporter: Address,
    }

    /// A reporter said what something costs.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Reported {
        /// The feed.
        pub feed: u32,
        /// From where.
        pub seat: u8,
        /// The price.
        pub value: u128,
    }

    /// The price of a feed was taken from its reports.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Updated {
        /// The feed.
        pub feed: u32,
        /// The median of the reported prices.
        pub value: u128,
        /// The median of the times at which they were reported.
        pub time_ms: u64,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// There are seats 0 to 6 only.
        UnknownSeat,
        /// The reporter has another seat: nobody counts twice.
        AlreadySeated,
        /// The quorum is not from 1 to 7.
        QuorumOutOfRange,
        /// The caller does not have that seat.
        NotReporter,
        /// Nothing is worth nothing.
        ZeroPrice,
        /// Fewer reports than the quorum are new enough.
        TooFewReports,
    }

    impl Oracle {
        /// Gives the first seats to `reporters`.
        #[init]
        pub fn init(&mut self, reporters: Vec<Address>) -> Result<(), Error> {
            if self.imm.quorum == 0 || self.imm.quorum > SEATS {
                return Err(Error::QuorumOutOfRange);
            }
            for (seat, reporter) in (0u8..).zip(&reporters) {
                if seat >= SEATS {
                    return Err(Error::UnknownSeat);
                }
                self.give(seat, *reporter)?;
            }
            Ok(())
        }

        /// Gives a seat to `reporter`, or to nobody if that is [`Address::ZERO`]. What was
        /// reported from the seat before does not count any more. Only the owner may.
        #[call]
        pub fn give_seat(&mut self, seat: u8, reporter: Address) -> Result<(), Error> {
            if caller() != self.imm.owner {
                return Err(Error::NotOwner);
            }
            if seat >= SEATS {
                return Err(Error::UnknownSeat);
            }
            self.give(seat, reporter)
        }

        /// Reports the price of a feed from the caller's seat.
        #[call]
        pub fn report(&mut self, seat: u8, feed: u32, value: u128) -> Result<(), Error> {
            let term = self.term_of_caller(seat)?;
            if value == 0 {
                return Err(Error::ZeroPrice);
            }
            let price = Price { value, time_ms: time_ms() };
            self.reports.at((feed, seat)).set(&Report { price, term });
            Reported { feed, seat, value }.emit();
            Ok(())
        }

        /// Reports the prices of several feeds from the caller's seat.
        #[call]
        pub fn report_all(&mut self, seat: u8, prices: Vec<FeedPrice>) -> Result<(), Error> {
            let term = self.term_of_caller(seat)?;
            let time_ms = time_ms();
            for price in &prices {
                if price.value == 0 {
                    return Err(Error::ZeroPrice);
                }
                let report = Report { price: Price { value: price.value, time_ms }, term };
                self.reports.at((price.feed, seat)).set(&report);
                Reported { feed: price.feed, seat, value: price.value }.emit();
            }
            Ok(())
        }

        /// Makes the median of the reports of a feed its price, and returns that. Anybody may.
        #[call]
        pub fn update(&mut self, feed: u32) -> Result<Price, Error> {
            let price = self.agreed(feed).ok_or(Error::TooFewReports)?;
            self.prices.at(feed).set(&price);
            let Price { value, time_ms } = price;
            Updated { feed, value, time_ms }.emit();
            Ok(price)
        }

        /// The price of a feed as of its last update; `None` without one. Its time is the median of
        /// the times at which it was reported: whoever uses it decides how old it may be.
        #[view]
        pub fn price(&self, feed: u32) -> Option<Price> {
            self.prices.at(feed).get()
        }

        /// What [`update`](Self::update) would make the price now; `None` if reports are too few.
        /// Waits for all reports of the feed.
        #[view]
        pub fn median(&self, feed: u32) -> Option<Price> {
            self.agreed(feed)
        }

        /// Who has a seat; [`Address::ZERO`] for nobody.
        #[view]
        pub fn reporter(&self, seat: u8) -> Address {
            self.seats.at(seat).get().map_or(Address::ZERO, |seat| seat.reporter)
        }

        fn give(&mut self, seat: u8, reporter: Address) -> Result<(), Error> {
            let holders = [
                self.holder(0),
                self.holder(1),
                self.holder(2),
                self.holder(3),
                self.holder(4),
                self.holder(5),
                self.holder(6),
            ];
            if reporter != Address::ZERO && holders.contains(&reporter) {
                return Err(Error::AlreadySeated);
            }
            let place = self.seats.at(seat);
            // More terms than blocks cannot be reached in the life of a chain; should it happen,
            // the call traps.
            let term = place.get().map_or(0, |before| before.term + 1);
            place.set(&Seat { reporter, term });
            Seated { seat, reporter }.emit();
            Ok(())
        }

        // Seven copies of each of these would be most of the Wasm.
        #[inline(never)]
        fn holder(&self, seat: u8) -> Address {
            self.seats.at(seat).get().map_or(Address::ZERO, |seat| seat.reporter)
        }

        /// The term of a seat, if the caller has it.
        fn term_of_caller(&self, seat: u8) -> Result<u32, Error> {
            let holder = self.seats.at(seat).get().ok_or(Error::NotReporter)?;
            if caller() != holder.reporter || holder.reporter == Address::ZERO {
                return Err(Error::NotReporter);
            }
            Ok(holder.term)
        }

        /// The median of the reports that count, if there are enough.
        #[inline(never)]
        fn agreed(&self, feed: u32) -> Option<Price> {
            // One by one, since a key must be known before the call runs.
            let reports = [
                self.counting(feed, 0),
                self.counting(feed, 1),
                self.counting(feed, 2),
                self.counting(feed, 3),
                self.counting(feed, 4),
                self.counting(feed, 5),
                self.counting(feed, 6),
            ];
            let mut prices = [Price { value: 0, time_ms: 0 }; SEATS as usize];
            let mut count = 0;
            for price in reports.into_iter().flatten() {
                prices[count] = price;
                count += 1;
            }
            if count < usize::from(self.imm.quorum) {
                return None;
            }
            crate::median::median(&mut prices[..count])
        }

        /// What was reported from a seat, if it counts.
        #[inline(never)]
        fn counting(&self, feed: u32, seat: u8) -> Option<Price> {
            let report = self.reports.at((feed, seat)).get()?;
            let holder = self.seats.at(seat).get()?;
            let is_held = holder.reporter != Address::ZERO && holder.term == report.term;
            // A report is never from the future.
            let age_ms = time_ms().saturating_sub(report.price.time_ms);
            (is_held && age_ms < self.imm.max_age_ms).then_some(report.price)
        }
    }
}
