//! Staking: tokens at stake earn in the same token, may be slashed, and are paid back a while
//! after they were taken off.
//!
//! ```text
//! join(epoch, amount)              add   joined[epoch], lots[caller, epoch]
//! unbond(epoch, lot, amount)       read  pool, ends[lot];  add left[epoch];  own keys
//! withdraw(id)                     read  pool;  own keys
//! close(epoch), slash(epoch, ..)   write pool, read the sums       once an epoch; hardly ever
//!
//! epoch    ──── 4 ────┃──── 5 ────┃──── 6 ────┃
//! a lot         joins │ bonded    │ unbonds   │ … delay … withdraws
//!                     ▲ ends[4]
//! ```
//!
//! # Stakers do not wait for each other
//! Whoever joins in an epoch is bonded from the next one on, so the sums of an epoch are counters
//! that calls add to and nobody reads before the epoch is over. Then [`close`], which anybody may
//! call once, turns rewards into a higher *index*: what a unit of stake is worth. A lot's units
//! follow from what it joined with and the index at the end of that epoch, which never changes, so
//! rewards need no claim, and nothing is counted twice. Joins, departures and withdrawals of any
//! number of stakers have a critical path of 1.
//!
//! # Slashing
//! [`slash`] takes a fraction of everything that is bonded or unbonding, by lowering the index and
//! a second one, of what slashes left, that unbonding stakes are paid by. So everybody loses the
//! same fraction, and nobody is touched. Who joined in the epoch at hand is not bonded yet and
//! loses nothing.
//!
//! # Promises
//! What is paid and slashed is at most what was staked and funded: every amount is rounded down to
//! whoever gets it. What came before a lot was bonded is not in its units. Epochs without stakes
//! carry their rewards on.
//!
//! [`close`]: stake::Stake::close
//! [`slash`]: stake::Stake::slash
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod stake {
    use tollway_interfaces::TokenRef;
    use tollway_sdk::env::{call_id, caller, this, time_ms};
    use tollway_sdk::math::{Ray, Rounding, mul_div, mul_div_up};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// Ten-thousandths: the whole.
    pub const BP: u128 = 10_000;

    /// What a unit is worth at first: a 10⁹th of a token's unit. It rises to a whole unit at most,
    /// and rewards beyond are carried on. So what rounding takes of a stake is less than a unit,
    /// however few stakes there are and however much they earned.
    pub const INDEX_START: Ray = Ray::from_raw(1_000_000_000_000_000_000);

    /// The least that slashes may leave of either index.
    pub const INDEX_MIN: Ray = Ray::from_raw(1_000_000_000_000);

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// What is staked, and what rewards are in.
        pub token: TokenRef,
        /// When epoch 0 starts.
        pub start_ms: u64,
        /// How long an epoch is; at least 1.
        pub epoch_ms: u64,
        /// How long after it was taken off a stake is paid back.
        pub delay_ms: u64,
        /// Who slashes.
        pub slasher: Address,
        /// Who gets what is slashed.
        pub treasury: Address,
    }

    /// Where staking is.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Pool {
        /// The first epoch that is not closed.
        pub next: u64,
        /// The units that are bonded in that epoch, before departures.
        pub units: u128,
        /// What a unit is worth.
        pub index: Ray,
        /// What slashes left of a token that was there from the start.
        pub kept: Ray,
        /// Rewards that nobody has earned yet.
        pub carried: u128,
    }

    /// A stake that was taken off.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Unbonding {
        /// What it was worth then.
        pub amount: u128,
        /// What slashes had left of a token by then.
        pub kept: Ray,
        /// When it is paid.
        pub ready_ms: u64,
    }

    /// The state.
    #[storage]
    pub struct Stake {
        pool: Item<Pool>,
        /// The index at the end of an epoch.
        ends: Map<u64, Item<Ray>>,
        /// The tokens that joined in an epoch.
        joined: Map<u64, Counter>,
        /// The units that left in an epoch.
        left: Map<u64, Counter>,
        /// Rewards for an epoch.
        funded: Map<u64, Counter>,
        /// The tokens that each account joined with in an epoch, less what it took off of them.
        lots: Map<(Address, u64), Counter>,
        /// By account and the identifier of the call that took it off.
        unbonding: Map<(Address, u128), Item<Unbonding>>,
        /// What is unbonding, each as if no slash had come before it.
        unbonding_sum: Counter,
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
        /// When; it is bonded from the next epoch on.
        pub epoch: u64,
        /// With how much.
        pub amount: u128,
    }

    /// Somebody took a stake off.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Unbonded {
        /// Who.
        pub staker: Address,
        /// Of which lot.
        pub lot: u64,
        /// Its identifier, to withdraw it by.
        pub id: u128,
        /// What it is worth now.
        pub amount: u128,
        /// When it is paid.
        pub ready_ms: u64,
    }

    /// A stake was paid back.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Withdrawn {
        /// To whom.
        pub staker: Address,
        /// Its identifier, to withdraw it by.
        pub id: u128,
        /// How much.
        pub amount: u128,
    }

    /// An epoch was closed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Closed {
        /// Which.
        pub epoch: u64,
        /// What a unit is worth now.
        pub index: Ray,
        /// The rewards that went into that.
        pub rewards: u128,
    }

    /// Stakes were slashed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Slashed {
        /// By how much of each, in ten-thousandths.
        pub fraction_bp: u16,
        /// How much it was of what is bonded.
        pub bonded: u128,
        /// How much it was of what is unbonding.
        pub unbonding: u128,
    }

    /// Why a call reverts. Failures of the token come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Staking cannot be like that.
        BadTerms,
        /// Only the slasher may do this.
        NotSlasher,
        /// That is not the epoch at hand, or, for funds, one that is closed.
        WrongEpoch,
        /// The epoch is not over, or the one before it is not closed.
        TooEarly,
        /// Nothing, or too little to count.
        AmountTooSmall,
        /// An amount is too large.
        AmountTooLarge,
        /// The epochs before have to be closed first.
        NotClosed,
        /// The lot is not bonded yet.
        NotBonded,
        /// The lot has less than that.
        NotEnoughStaked,
        /// The caller unbonds a second time in one call.
        OncePerCall,
        /// The account has nothing unbonding under this identifier.
        NotUnbonding,
        /// The delay is not over.
        StillUnbonding,
        /// So much cannot be slashed.
        BadFraction,
    }

    impl Stake {
        /// Refuses terms that cannot be.
        #[init]
        pub fn init(&mut self) -> Result<(), Error> {
            if self.imm.epoch_ms == 0 { Err(Error::BadTerms) } else { Ok(()) }
        }

        /// Takes `amount` of the caller's tokens as rewards for an epoch that is not over.
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
            self.imm.token.transfer_from(by, this(), amount);
            Ok(())
        }

        /// Takes `amount` of the caller's tokens into the lot of this epoch, which is bonded from
        /// the next one on.
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
            self.imm.token.transfer_from(staker, this(), amount);
            Ok(())
        }

        /// Takes off what of the caller's lot joined as `amount`, for payment after the delay.
        /// Returns an identifier to withdraw it by, and what it is worth. It earns nothing more
        /// from this epoch.
        #[call]
        pub fn unbond(
            &mut self,
            epoch: u64,
            lot: u64,
            amount: u128,
        ) -> Result<(u128, u128), Error> {
            if epoch != self.epoch_now()? {
                return Err(Error::WrongEpoch);
            }
            let pool = self.pool_now();
            if pool.next != epoch {
                return Err(Error::NotClosed);
            }
            let Some(start) = self.ends.at(lot).get() else {
                return Err(Error::NotBonded);
            };
            let (staker, id) = (caller(), call_id());
            self.lots.at((staker, lot)).sub(amount).map_err(|_| Error::NotEnoughStaked)?;
            let units = start.per(amount, Rounding::Down).ok_or(Error::AmountTooLarge)?;
            let worth = pool.index.of(units, Rounding::Down).ok_or(Error::AmountTooLarge)?;
            if worth == 0 {
                return Err(Error::AmountTooSmall);
            }
            let unbonding = self.unbonding.at((staker, id));
            if unbonding.exists() {
                return Err(Error::OncePerCall);
            }
            let ready_ms = time_ms().checked_add(self.imm.delay_ms).ok_or(Error::AmountTooLarge)?;
            let record = Unbonding { amount: worth, kept: pool.kept, ready_ms };
            unbonding.set(&record);
            self.unbonding_sum.add(unslashed(&record)?);
            self.left.at(epoch).add(units);
            Unbonded { staker, lot, id, amount: worth, ready_ms }.emit();
            Ok((id, worth))
        }

        /// Pays what was unbonded under this identifier, less what was slashed since, and returns how
        /// much that is.
        #[call]
        pub fn withdraw(&mut self, id: u128) -> Result<u128, Error> {
            let staker = caller();
            let unbonding = self.unbonding.at((staker, id));
            let record = unbonding.get().ok_or(Error::NotUnbonding)?;
            if time_ms() < record.ready_ms {
                return Err(Error::StillUnbonding);
            }
            let amount = left_of(&record, self.pool_now().kept)?;
            unbonding.remove();
            self.unbonding_sum.sub(unslashed(&record)?).map_err(|_| Error::NotUnbonding)?;
            Withdrawn { staker, id, amount }.emit();
            if amount > 0 {
                self.imm.token.transfer(staker, amount);
            }
            Ok(amount)
        }

        /// Turns an epoch's rewards into a higher index, and bonds what joined in it. Anybody may,
        /// once the epoch is over and those before it are closed.
        #[call]
        pub fn close(&mut self, epoch: u64) -> Result<(), Error> {
            let mut pool = self.pool_now();
            if pool.next != epoch {
                return Err(if epoch < pool.next { Error::WrongEpoch } else { Error::TooEarly });
            }
            // Before epoch 0 nothing is over.
            if self.epoch_now().unwrap_or(0) <= epoch {
                return Err(Error::TooEarly);
            }
            let left = self.left.at(epoch).get();
            let units = pool.units.checked_sub(left).ok_or(Error::NotEnoughStaked)?;
            let funded = self.funded.at(epoch).get();
            let rewards = pool.carried.checked_add(funded).ok_or(Error::AmountTooLarge)?;
            // Where there are no units, or too few to count what each gets, rewards are carried on.
            // The index is never above 1.
            let room = Ray::ONE.raw() - pool.index.raw();
            let gain = match Ray::ratio(rewards, units, Rounding::Down) {
                Some(gain) if gain.raw() <= room => gain,
                _ => Ray::ZERO,
            };
            // Rounded up: what is carried on is not promised to anybody.
            let given = gain.of(units, Rounding::Up).ok_or(Error::AmountTooLarge)?;
            pool.index = Ray::from_raw(pool.index.raw() + gain.raw());
            pool.carried = rewards - given;
            let joined = self.joined.at(epoch).get();
            let bonded = pool.index.per(joined, Rounding::Down);
            let units = bonded.and_then(|bonded| units.checked_add(bonded));
            pool.units = units.ok_or(Error::AmountTooLarge)?;
            pool.next = epoch + 1;
            self.pool.set(&pool);
            self.ends.at(epoch).set(&pool.index);
            Closed { epoch, index: pool.index, rewards: given }.emit();
            Ok(())
        }

        /// Takes a fraction of everything bonded or unbonding, in ten-thousandths and less than
        /// the whole, and pays it to the treasury. Only the slasher may, once the epochs before
        /// are closed. Returns how much it was.
        #[call]
        pub fn slash(&mut self, epoch: u64, fraction_bp: u16) -> Result<u128, Error> {
            if caller() != self.imm.slasher {
                return Err(Error::NotSlasher);
            }
            let fraction = u128::from(fraction_bp);
            if fraction == 0 || fraction >= BP {
                return Err(Error::BadFraction);
            }
            if epoch != self.epoch_now()? {
                return Err(Error::WrongEpoch);
            }
            let mut pool = self.pool_now();
            if pool.next != epoch {
                return Err(Error::NotClosed);
            }
            let left = self.left.at(epoch).get();
            let units = pool.units.checked_sub(left).ok_or(Error::NotEnoughStaked)?;
            let (index, bonded) = lowered(pool.index, units, fraction)?;
            let (kept, unbonding) = lowered(pool.kept, self.unbonding_sum.get(), fraction)?;
            pool.index = index;
            pool.kept = kept;
            self.pool.set(&pool);
            Slashed { fraction_bp, bonded, unbonding }.emit();
            let amount = bonded.checked_add(unbonding).ok_or(Error::AmountTooLarge)?;
            self.imm.token.transfer(self.imm.treasury, amount);
            Ok(amount)
        }

        /// The epoch at hand.
        #[view]
        pub fn epoch(&self) -> Result<u64, Error> {
            self.epoch_now()
        }

        /// Where staking is.
        #[view]
        pub fn pool(&self) -> Pool {
            self.pool_now()
        }

        /// What an account's lot is worth, as of the last closed epoch and slash. A lot that is
        /// not bonded yet is worth what it joined with.
        #[view]
        pub fn worth(&self, staker: Address, lot: u64) -> Result<u128, Error> {
            let amount = self.lots.at((staker, lot)).get();
            let Some(start) = self.ends.at(lot).get() else {
                return Ok(amount);
            };
            let units = start.per(amount, Rounding::Down);
            let worth = units.and_then(|units| self.pool_now().index.of(units, Rounding::Down));
            worth.ok_or(Error::AmountTooLarge)
        }

        /// What of an account's lot is left, counted as it joined.
        #[view]
        pub fn lot(&self, staker: Address, lot: u64) -> u128 {
            self.lots.at((staker, lot)).get()
        }

        /// What an account has unbonding under an identifier: what would be paid, and from when on.
        #[view]
        pub fn unbonding(&self, staker: Address, id: u128) -> Option<(u128, u64)> {
            let record = self.unbonding.at((staker, id)).get()?;
            let amount = left_of(&record, self.pool_now().kept).ok()?;
            Some((amount, record.ready_ms))
        }

        #[inline(never)]
        fn epoch_now(&self) -> Result<u64, Error> {
            let since = time_ms().checked_sub(self.imm.start_ms).ok_or(Error::TooEarly)?;
            Ok(since / self.imm.epoch_ms)
        }

        #[inline(never)]
        fn pool_now(&self) -> Pool {
            let first = Pool { next: 0, units: 0, index: INDEX_START, kept: Ray::ONE, carried: 0 };
            self.pool.get_or(first)
        }
    }

    /// What an unbonding stake would be if no slash had come before it, rounded up.
    fn unslashed(record: &Unbonding) -> Result<u128, Error> {
        record.kept.per(record.amount, Rounding::Up).ok_or(Error::AmountTooLarge)
    }

    /// What slashes left of an unbonding stake, rounded down.
    fn left_of(record: &Unbonding, kept: Ray) -> Result<u128, Error> {
        mul_div(record.amount, kept.raw(), record.kept.raw()).ok_or(Error::AmountTooLarge)
    }

    /// An index less a fraction, rounded down, and what that takes of so many units: never more
    /// than they lose together.
    #[inline(never)]
    fn lowered(index: Ray, units: u128, fraction: u128) -> Result<(Ray, u128), Error> {
        let cut = mul_div_up(index.raw(), fraction, BP).ok_or(Error::AmountTooLarge)?;
        let lowered = Ray::from_raw(index.raw() - cut);
        if lowered < INDEX_MIN {
            return Err(Error::BadFraction);
        }
        // Units lose this much together; what they are worth after it stays covered.
        let taken = Ray::from_raw(cut).of(units, Rounding::Down).ok_or(Error::AmountTooLarge)?;
        Ok((lowered, taken))
    }
}
