//! Liquidity mining: who leaves tokens here shares, epoch by epoch, in rewards that somebody
//! funded.
//!
//! ```text
//! join(epoch, amount)        add   joined[epoch], lots[caller, epoch]
//! leave(epoch, lot, amount)  add   left[epoch], joined[epoch];  own keys
//! claim(lot, from, to)       read  ends[from], ends[to];        own keys
//! close(epoch)               write pool, ends[epoch], read joined, left, funded   once an epoch
//!
//! epoch    ──── 4 ────┃──── 5 ────┃──── 6 ────┃
//! a lot         joins │ earns     │ earns     │      ends[e]: what a unit had earned
//!                     ▲ ends[4]   ▲ ends[5]   ▲      by the end of epoch e
//! ```
//!
//! # Stakers do not wait for each other
//! The usual farm has one total that every call reads and writes, so that a thousand stakers are a
//! chain of a thousand. Here, whoever joins in an epoch earns from the next one on, and whoever
//! leaves in it earns nothing more from it. So nobody needs the total before the epoch is over:
//! calls add to what joined and left, and [`close`], which anybody may call once, works out the
//! total and what a unit earned. Everything else only reads what earlier epochs ended with, which
//! never changes. Joins, claims and departures of any number of stakers have a critical path of 1.
//!
//! Numbers of epochs are arguments, because keys must be known before a call runs; the contract
//! holds them against the time.
//!
//! # Promises
//! - Rewards paid are at most rewards funded: what a unit earned is rounded down, and each claim
//!   is. Rewards of an epoch without stakes go to the next one.
//! - What a lot earned before it joined, or while its rewards were claimed before, is not paid:
//!   the claim says from where on, and has to begin where the last one ended.
//! - A lot is paid back in full at any time in which all epochs before are closed and claimed.
//!
//! [`close`]: farm::Farm::close
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod farm {
    use tollway_interfaces::TokenRef;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::{above, mul_div, mul_div_up};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// What a unit earned is counted in steps of one 10¹⁸th.
    pub const SCALE: u128 = 1_000_000_000_000_000_000;

    /// What is fixed when the farm is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// What is staked.
        pub staked: TokenRef,
        /// What rewards are in.
        pub reward: TokenRef,
        /// When epoch 0 starts.
        pub start_ms: u64,
        /// How long an epoch is; at least 1.
        pub epoch_ms: u64,
    }

    /// Where the farm is.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Pool {
        /// The first epoch that is not closed.
        pub next: u64,
        /// What earns in that epoch, before departures.
        pub total: u128,
        /// What a unit that was there from the start has earned, times [`SCALE`].
        pub earned: u128,
        /// Rewards that nobody has earned yet.
        pub carried: u128,
    }

    /// The state.
    #[storage]
    pub struct Farm {
        pool: Item<Pool>,
        /// What a unit had earned by the end of an epoch.
        ends: Map<u64, Item<u128>>,
        /// What joined in an epoch.
        joined: Map<u64, Counter>,
        /// What of what earned before left in an epoch.
        left: Map<u64, Counter>,
        /// Rewards for an epoch.
        funded: Map<u64, Counter>,
        /// What each account joined with in an epoch.
        lots: Map<(Address, u64), Counter>,
        /// The epoch with which each lot's rewards are claimed.
        claimed: Map<(Address, u64), Item<u64>>,
    }

    /// Rewards were funded.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Funded {
        /// By whom.
        pub by: Address,
        /// For which epoch.
        pub epoch: u64,
        /// How much.
        pub amount: u128,
    }

    /// Somebody joined.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Joined {
        /// Who.
        pub staker: Address,
        /// When; it earns from the next epoch on.
        pub epoch: u64,
        /// With how much.
        pub amount: u128,
    }

    /// Somebody left.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Left {
        /// Who.
        pub staker: Address,
        /// The epoch in which it had joined.
        pub lot: u64,
        /// With how much.
        pub amount: u128,
    }

    /// Rewards were paid.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Claimed {
        /// To whom.
        pub staker: Address,
        /// For which lot.
        pub lot: u64,
        /// The last epoch that they are for.
        pub to: u64,
        /// How much.
        pub amount: u128,
    }

    /// An epoch was closed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Closed {
        /// Which.
        pub epoch: u64,
        /// What shared in its rewards.
        pub total: u128,
        /// The rewards.
        pub rewards: u128,
    }

    /// Why a call reverts. Failures of tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// A farm cannot be like that.
        BadFarm,
        /// That is not the epoch at hand, or, for funds, one that is closed.
        WrongEpoch,
        /// The epoch is not over, or the one before it is not closed.
        TooEarly,
        /// Nothing is not enough.
        AmountTooSmall,
        /// An amount is too large.
        AmountTooLarge,
        /// The epoch up to which is to be claimed is not closed.
        NotClosed,
        /// The claim does not begin where the last one ended.
        WrongStart,
        /// There is nothing to claim up to there.
        NothingToClaim,
        /// Rewards of the epochs before have to be claimed first.
        ClaimFirst,
        /// The lot has less than that.
        NotEnoughStaked,
    }

    impl Farm {
        /// Refuses a farm that cannot be.
        #[init]
        pub fn init(&mut self) -> Result<(), Error> {
            if self.imm.epoch_ms == 0 { Err(Error::BadFarm) } else { Ok(()) }
        }

        /// Takes `amount` of the caller's reward tokens for an epoch that is not over.
        #[call]
        pub fn fund(&mut self, epoch: u64, amount: u128) -> Result<(), Error> {
            if epoch < self.epoch_now()? {
                return Err(Error::WrongEpoch);
            }
            if amount == 0 {
                return Err(Error::AmountTooSmall);
            }
            let by = caller();
            self.funded.at(epoch).add(amount);
            Funded { by, epoch, amount }.emit();
            self.imm.reward.transfer_from(by, this(), amount);
            Ok(())
        }

        /// Takes `amount` of the caller's tokens into the lot of this epoch, which earns from the
        /// next one on.
        #[call]
        pub fn join(&mut self, epoch: u64, amount: u128) -> Result<(), Error> {
            if epoch != self.epoch_now()? {
                return Err(Error::WrongEpoch);
            }
            if amount == 0 {
                return Err(Error::AmountTooSmall);
            }
            let staker = caller();
            self.joined.at(epoch).add(amount);
            self.lots.at((staker, epoch)).add(amount);
            Joined { staker, epoch, amount }.emit();
            self.imm.staked.transfer_from(staker, this(), amount);
            Ok(())
        }

        /// Pays what the caller's lot earned after epoch `from` up to and with epoch `to`, and
        /// returns how much. `from` is the epoch up to which it was claimed, at first that in
        /// which it joined.
        #[call]
        pub fn claim(&mut self, lot: u64, from: u64, to: u64) -> Result<u128, Error> {
            let staker = caller();
            let claimed = self.claimed.at((staker, lot));
            if claimed.get_or(lot) != from {
                return Err(Error::WrongStart);
            }
            if to <= from {
                return Err(Error::NothingToClaim);
            }
            let (Some(start), Some(end)) = (self.ends.at(from).get(), self.ends.at(to).get())
            else {
                return Err(Error::NotClosed);
            };
            let staked = self.lots.at((staker, lot)).get();
            if staked == 0 {
                return Err(Error::NothingToClaim);
            }
            let amount = mul_div(staked, end - start, SCALE).ok_or(Error::AmountTooLarge)?;
            claimed.set(&to);
            Claimed { staker, lot, to, amount }.emit();
            if amount > 0 {
                self.imm.reward.transfer(staker, amount);
            }
            Ok(amount)
        }

        /// Pays `amount` of the caller's lot back. It earns nothing more from this epoch; what it
        /// earned before has to be claimed first.
        #[call]
        pub fn leave(&mut self, epoch: u64, lot: u64, amount: u128) -> Result<(), Error> {
            if epoch != self.epoch_now()? {
                return Err(Error::WrongEpoch);
            }
            if amount == 0 {
                return Err(Error::AmountTooSmall);
            }
            let staker = caller();
            self.lots.at((staker, lot)).sub(amount).map_err(|_| Error::NotEnoughStaked)?;
            if lot == epoch {
                // It did not earn yet: what joined is less.
                self.joined.at(epoch).sub(amount).map_err(|_| Error::NotEnoughStaked)?;
            } else {
                // Epochs after the lot's own have it; the last one before this is the last that
                // can be claimed.
                if self.claimed.at((staker, lot)).get_or(lot) + 1 < epoch {
                    return Err(Error::ClaimFirst);
                }
                self.left.at(epoch).add(amount);
            }
            Left { staker, lot, amount }.emit();
            self.imm.staked.transfer(staker, amount);
            Ok(())
        }

        /// Shares an epoch's rewards out. Anybody may, once the epoch is over and those before it
        /// are closed.
        #[call]
        pub fn close(&mut self, epoch: u64) -> Result<(), Error> {
            let mut pool = self.pool.get_or_default();
            if pool.next != epoch {
                return Err(if epoch < pool.next { Error::WrongEpoch } else { Error::TooEarly });
            }
            // Before epoch 0 nothing is over.
            if self.epoch_now().unwrap_or(0) <= epoch {
                return Err(Error::TooEarly);
            }
            let left = self.left.at(epoch).get();
            // What left was there: lots do not give more than they have.
            let total = pool.total.checked_sub(left).ok_or(Error::NotEnoughStaked)?;
            let funded = self.funded.at(epoch).get();
            let rewards = pool.carried.checked_add(funded).ok_or(Error::AmountTooLarge)?;
            // Where a unit would have earned more than can be counted, it waits for more units.
            let room = u128::MAX - pool.earned;
            let gain = match mul_div(rewards, SCALE, total) {
                Some(gain) if gain <= room => gain,
                _ => 0,
            };
            // Rounded up: what is carried on is not promised to anybody.
            let given = mul_div_up(gain, total, SCALE).ok_or(Error::AmountTooLarge)?;
            pool.carried = rewards - given;
            pool.earned += gain;
            let joined = self.joined.at(epoch).get();
            pool.total = total.checked_add(joined).ok_or(Error::AmountTooLarge)?;
            pool.next = epoch + 1;
            self.pool.set(&pool);
            self.ends.at(epoch).set(&pool.earned);
            Closed { epoch, total, rewards: given }.emit();
            Ok(())
        }

        /// The epoch at hand.
        #[view]
        pub fn epoch(&self) -> Result<u64, Error> {
            self.epoch_now()
        }

        /// Where the farm is.
        #[view]
        pub fn pool(&self) -> Pool {
            self.pool.get_or_default()
        }

        /// How much an account's lot has, and up to which epoch its rewards are claimed.
        #[view]
        pub fn lot(&self, staker: Address, lot: u64) -> (u128, u64) {
            let claimed = self.claimed.at((staker, lot)).get_or(lot);
            (self.lots.at((staker, lot)).get(), claimed)
        }

        /// What an account's lot would be paid for the epochs after `from` up to and with `to`.
        #[view]
        pub fn rewards(&self, staker: Address, lot: u64, from: u64, to: u64) -> u128 {
            let start = self.ends.at(from).get_or(0);
            let end = self.ends.at(to).get_or(0);
            let staked = self.lots.at((staker, lot)).get();
            mul_div(staked, above(end, start), SCALE).unwrap_or(0)
        }

        #[inline(never)]
        fn epoch_now(&self) -> Result<u64, Error> {
            let since = time_ms().checked_sub(self.imm.start_ms).ok_or(Error::TooEarly)?;
            Ok(since / self.imm.epoch_ms)
        }
    }
}
