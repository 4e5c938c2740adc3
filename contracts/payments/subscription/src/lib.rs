//! Subscriptions: a payer allows a merchant to charge up to so much in each period.
//!
//! ```text
//! authorize(merchant, id, plan)        write plans, states[caller, merchant, id]
//! charge(payer, id, token, amount)     read  plans[payer, caller, id]
//!                                      write states[payer, caller, id]
//!                                      call  token.transfer_from(payer, caller, amount)
//! cancel(payer, merchant, id)          write states[payer, merchant, id]
//! ```
//!
//! The contract holds no money: a charge goes from the payer to the merchant. Charges of one
//! merchant share no key but his balance, a counter, so they never wait for each other. Two charges
//! of one payer in one token wait for his allowance.
//!
//! # When and how much
//! ```text
//! start       +1 period     +2            +3            end
//!   ├─────────────┼─────────────┼─────────────┼──── ─ ─ ─┤
//!        $                 ×  ×  $        $
//!                          failed, and tried again after `retry_ms`
//! ```
//! Periods are counted from the start, and each allows one charge of at most the cap; what a
//! merchant does not charge in a period is not added to the next. A charge that fails, because the
//! payer has not or no longer allows as much, is a call that succeeds: the failure is recorded, and
//! after as many in a row as agreed the subscription lapses for good.
//!
//! # Invariants
//! 1. No two charges are in one period, none is above the cap or takes the sum above the total
//!    cap, none is before the start, after the end, or after it was cancelled or lapsed
//!    (`tests/random.rs`, which knows what comes of every call).
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod subscription {
    use tollway_interfaces::TokenRef;
    use tollway_sdk::env::{caller, time_ms};
    use tollway_sdk::{Address, Item, Map, contract_type};

    /// What a payer allows. It never changes.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Plan {
        /// What is charged.
        pub token: TokenRef,
        /// The most in one period.
        pub cap: u128,
        /// The most in all; [`u128::MAX`] if it does not matter.
        pub total_cap: u128,
        /// When the first period starts.
        pub start_ms: u64,
        /// How long each is.
        pub period_ms: u64,
        /// The last block time at which it can be charged; [`u64::MAX`] if it does not end.
        pub end_ms: u64,
        /// Failures in a row after which it lapses; at least 1.
        pub tries_max: u8,
        /// How long after a failure the next try may be.
        pub retry_ms: u64,
    }

    /// How far a subscription is, as far as its plan and the time do not say it.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Stage {
        /// Can be charged.
        #[default]
        Running,
        /// Ended by one of the two.
        Cancelled,
        /// Ended by failures.
        Lapsed,
    }

    /// What happened to a subscription.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct State {
        /// How far it is.
        pub stage: Stage,
        /// Failures since the last charge.
        pub failures: u8,
        /// No charge before this.
        pub next_ms: u64,
        /// Charged in all.
        pub charged: u128,
    }

    /// Where a subscription stands.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Status {
        /// Its first period has not started.
        Ahead,
        /// It can be charged now.
        Due,
        /// It was charged in this period.
        Charged,
        /// A charge failed, and it can be tried again later.
        Retrying,
        /// It was cancelled.
        Cancelled,
        /// It failed too often.
        Lapsed,
        /// Its end is over.
        Ended,
    }

    /// A subscription as it stands at the time of the block.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Subscription {
        /// What was allowed.
        pub plan: Plan,
        /// What happened since.
        pub state: State,
        /// Where it stands.
        pub status: Status,
    }

    /// What came of a charge.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Outcome {
        /// The merchant has the money.
        Charged,
        /// He has not, and may try again at the time given.
        Failed {
            /// When.
            retry_ms: u64,
        },
        /// He has not, and the subscription is over.
        Lapsed,
    }

    /// The state. Keys are payer, merchant, and an identifier of the payer's choice.
    #[storage]
    pub struct Subscriptions {
        plans: Map<(Address, Address, u128), Item<Plan>>,
        states: Map<(Address, Address, u128), Item<State>>,
    }

    /// A payer allowed charges.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Authorized {
        /// Who.
        pub payer: Address,
        /// Whose charges.
        pub merchant: Address,
        /// Which subscription of the two.
        pub id: u128,
        /// What he allowed.
        pub plan: Plan,
    }

    /// A charge was tried.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Tried {
        /// Whose money.
        pub payer: Address,
        /// By whom.
        pub merchant: Address,
        /// Which subscription of the two.
        pub id: u128,
        /// How much.
        pub amount: u128,
        /// What came of it.
        pub outcome: Outcome,
    }

    /// A subscription was cancelled.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Cancelled {
        /// The payer.
        pub payer: Address,
        /// The merchant.
        pub merchant: Address,
        /// Which subscription of the two.
        pub id: u128,
        /// Which of them did.
        pub by: Address,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// There is no such subscription.
        UnknownSubscription,
        /// The payer has used this identifier with this merchant.
        IdTaken,
        /// A plan needs caps, a period and a number of tries above 0, and an end to come that is
        /// not before its start.
        BadPlan,
        /// The subscription is in another token.
        WrongToken,
        /// Only the payer or the merchant may do this.
        NotParty,
        /// The subscription was cancelled.
        SubscriptionCancelled,
        /// Too many charges failed.
        SubscriptionLapsed,
        /// The end is over.
        Ended,
        /// The period, or the time of the next try, has not started.
        TooEarly,
        /// A charge of 0 is none.
        ZeroAmount,
        /// More than a period allows.
        AboveCap,
        /// More than is left of what was allowed in all.
        AboveTotalCap,
    }

    impl Subscriptions {
        /// Lets `merchant` charge the caller by `plan`, under an identifier that the caller has not
        /// used with him. The contract must be approved to move the caller's tokens.
        #[call]
        pub fn authorize(&mut self, merchant: Address, id: u128, plan: Plan) -> Result<(), Error> {
            let payer = caller();
            let cell = self.plans.at((payer, merchant, id));
            if cell.exists() {
                return Err(Error::IdTaken);
            }
            let has_zero =
                plan.cap == 0 || plan.total_cap == 0 || plan.period_ms == 0 || plan.tries_max == 0;
            if has_zero || plan.start_ms > plan.end_ms || plan.end_ms < time_ms() {
                return Err(Error::BadPlan);
            }
            cell.set(&plan);
            let state = State { next_ms: plan.start_ms, ..State::default() };
            self.states.at((payer, merchant, id)).set(&state);
            Authorized { payer, merchant, id, plan }.emit();
            Ok(())
        }

        /// Takes `amount` from `payer` for the caller, or records that it could not.
        #[call]
        pub fn charge(
            &mut self,
            payer: Address,
            id: u128,
            token: TokenRef,
            amount: u128,
        ) -> Result<Outcome, Error> {
            let merchant = caller();
            let plan =
                self.plans.at((payer, merchant, id)).get().ok_or(Error::UnknownSubscription)?;
            if plan.token != token {
                return Err(Error::WrongToken);
            }
            let cell = self.states.at((payer, merchant, id));
            let mut state = cell.get_or_default();
            let charged = allowed(&plan, &state, amount)?;
            let outcome = match token.try_transfer_from(payer, merchant, amount) {
                Ok(()) => {
                    state.charged = charged;
                    state.failures = 0;
                    state.next_ms = next_period_ms(&plan, time_ms());
                    Outcome::Charged
                }
                Err(_) => fail(&plan, &mut state),
            };
            cell.set(&state);
            Tried { payer, merchant, id, amount, outcome }.emit();
            Ok(outcome)
        }

        /// Ends a subscription: nothing can be charged from this call on. Only the payer or the
        /// merchant may.
        #[call]
        pub fn cancel(&mut self, payer: Address, merchant: Address, id: u128) -> Result<(), Error> {
            let by = caller();
            if by != payer && by != merchant {
                return Err(Error::NotParty);
            }
            let cell = self.states.at((payer, merchant, id));
            let mut state = cell.get().ok_or(Error::UnknownSubscription)?;
            is_running(&state)?;
            state.stage = Stage::Cancelled;
            cell.set(&state);
            Cancelled { payer, merchant, id, by }.emit();
            Ok(())
        }

        /// The subscription as it stands; `None` if there is none.
        #[view]
        pub fn subscription(
            &self,
            payer: Address,
            merchant: Address,
            id: u128,
        ) -> Option<Subscription> {
            let plan = self.plans.at((payer, merchant, id)).get()?;
            let state = self.states.at((payer, merchant, id)).get_or_default();
            Some(Subscription { plan, state, status: status(&plan, &state) })
        }
    }

    fn is_running(state: &State) -> Result<(), Error> {
        match state.stage {
            Stage::Running => Ok(()),
            Stage::Cancelled => Err(Error::SubscriptionCancelled),
            Stage::Lapsed => Err(Error::SubscriptionLapsed),
        }
    }

    /// What is charged in all with `amount`, if that is allowed now.
    fn allowed(plan: &Plan, state: &State, amount: u128) -> Result<u128, Error> {
        is_running(state)?;
        let now = time_ms();
        if now > plan.end_ms {
            return Err(Error::Ended);
        }
        if now < state.next_ms {
            return Err(Error::TooEarly);
        }
        if amount == 0 {
            return Err(Error::ZeroAmount);
        }
        if amount > plan.cap {
            return Err(Error::AboveCap);
        }
        let charged = state.charged.checked_add(amount);
        charged.filter(|charged| *charged <= plan.total_cap).ok_or(Error::AboveTotalCap)
    }

    /// Records a failure.
    fn fail(plan: &Plan, state: &mut State) -> Outcome {
        // The subscription lapses at the latest where this would wrap.
        state.failures += 1;
        if state.failures >= plan.tries_max {
            state.stage = Stage::Lapsed;
            return Outcome::Lapsed;
        }
        let retry_ms = time_ms().saturating_add(plan.retry_ms);
        state.next_ms = retry_ms;
        Outcome::Failed { retry_ms }
    }

    /// When the period after that of `now` starts; never, if there is no such time.
    fn next_period_ms(plan: &Plan, now: u64) -> u64 {
        // No charge is before the start, and no plan has a period of 0.
        let periods = now.saturating_sub(plan.start_ms) / plan.period_ms.max(1) + 1;
        plan.start_ms.saturating_add(plan.period_ms.saturating_mul(periods))
    }

    fn status(plan: &Plan, state: &State) -> Status {
        let now = time_ms();
        match state.stage {
            Stage::Cancelled => Status::Cancelled,
            Stage::Lapsed => Status::Lapsed,
            Stage::Running if now > plan.end_ms => Status::Ended,
            Stage::Running if now >= state.next_ms => Status::Due,
            Stage::Running if state.failures > 0 => Status::Retrying,
            Stage::Running if state.charged > 0 => Status::Charged,
            Stage::Running => Status::Ahead,
        }
    }
}
