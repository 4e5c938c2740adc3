//! Purchase orders: two parties agree on a version, the buyer's money is held until he has what he
//! ordered, and an arbiter divides it if they do not agree.
//!
//! ```text
//!                 propose        accept        fund           deliver          approve
//!            ┌──▶ Draft ───────▶ Agreed ─────▶ Funded ──────▶ Delivered ─────▶ Closed: supplier
//!            └─ ─ ─┘ next version  │             │               │    └ claim, after inspection
//!                  │               │             │ reclaim,      │ dispute
//!                  │ cancel        │ cancel      │ too late      ▼
//!                  ▼               ▼             ▼            Disputed ──────▶ Closed: divided
//!                Closed          Closed        Closed: buyer        rule, or divide after its time
//! ```
//!
//! Every method touches the order's keys alone:
//!
//! ```text
//! propose, accept, cancel          write terms, states[buyer, supplier, id]
//! fund(supplier, id, ..)           read  terms, write states, call token.transfer_from(caller, this, _)
//! deliver, dispute                 read  terms, write states
//! approve, claim, reclaim, refund, rule, divide
//!                                  read  terms, write states, call token.transfer(..)
//! ```
//!
//! The parties are part of the key, so that nobody else's order can be touched and no role has to be
//! looked up. No two orders share a key, but the balance that holds all escrows: a counter.
//!
//! # Who may do what, and when
//! | method | who | when | money |
//! | --- | --- | --- | --- |
//! | `propose` | buyer, supplier | before anybody accepted | |
//! | `accept` | who did not propose | the same version and terms | |
//! | `cancel` | buyer, supplier | before it is funded | |
//! | `fund` | buyer | until the delivery time, the accepted terms | buyer pays in |
//! | `deliver` | supplier | until the delivery time | |
//! | `reclaim` | buyer | not delivered in time | to the buyer |
//! | `approve` | buyer | at any time while it is held | to the supplier |
//! | `refund` | supplier | at any time while it is held | to the buyer |
//! | `dispute` | buyer | within the inspection time | stays |
//! | `claim` | supplier | after the inspection time, undisputed | to the supplier |
//! | `rule` | arbiter | disputed, within the ruling time | as he says |
//! | `divide` | buyer, supplier | disputed, after the ruling time | as agreed beforehand |
//!
//! # Invariants
//! 1. What the contract holds is the sum of the amounts of all orders that are funded, delivered or
//!    disputed; an order pays out exactly what was paid in (`tests/random.rs`).
//! 2. What is funded and paid are the terms of the version that both accepted.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod purchase_order {
    use tollway_interfaces::TokenRef;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::math::{BasisPoints, Rounding};
    use tollway_sdk::{Address, Item, Map, contract_type};

    /// What the parties agree on.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Terms {
        /// The hash of the document that says what is ordered.
        pub document: [u8; 32],
        /// What is paid in.
        pub token: TokenRef,
        /// How much; not 0.
        pub amount: u128,
        /// Who divides the money in a dispute.
        pub arbiter: Address,
        /// The last block time of payment and delivery.
        pub deliver_by_ms: u64,
        /// How long after delivery the buyer may dispute it.
        pub inspection_ms: u64,
        /// How long after that the arbiter may rule.
        pub ruling_ms: u64,
        /// What the supplier gets if he does not, in ten-thousandths; at most 10,000.
        pub fallback_bp: u16,
    }

    /// How far an order is.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub enum Stage {
        /// Not agreed.
        #[default]
        Draft,
        /// Both accepted the version.
        Agreed,
        /// The money is held.
        Funded,
        /// The supplier says that he delivered.
        Delivered,
        /// The buyer says that it is not what was ordered.
        Disputed,
        /// Over; nothing is held.
        Closed,
    }

    /// What happened to an order.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct State {
        /// How far it is.
        pub stage: Stage,
        /// The version that the terms are; the first is 1.
        pub version: u32,
        /// Whether the buyer proposed it.
        pub by_buyer: bool,
        /// The last time at which the stage can be left by whom it waits for: the delivery time,
        /// the end of the inspection, that of the ruling.
        pub until_ms: u64,
    }

    /// The state. Keys are buyer, supplier, and an identifier of their choice.
    #[storage]
    pub struct Orders {
        /// The latest version, from acceptance on the agreed one.
        terms: Map<(Address, Address, u128), Item<Terms>>,
        states: Map<(Address, Address, u128), Item<State>>,
    }

    /// A version was proposed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Proposed {
        /// The buyer.
        pub buyer: Address,
        /// The supplier.
        pub supplier: Address,
        /// Their order.
        pub id: u128,
        /// Which version.
        pub version: u32,
        /// What it says.
        pub terms: Terms,
        /// By which of the two.
        pub by: Address,
    }

    /// An order went on to its next stage.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Moved {
        /// The buyer.
        pub buyer: Address,
        /// The supplier.
        pub supplier: Address,
        /// Their order.
        pub id: u128,
        /// Where it is now.
        pub stage: Stage,
        /// The version that this is about.
        pub version: u32,
    }

    /// The money of an order was paid out.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PaidOut {
        /// The buyer.
        pub buyer: Address,
        /// The supplier.
        pub supplier: Address,
        /// Their order.
        pub id: u128,
        /// What the supplier got.
        pub to_supplier: u128,
        /// What the buyer got.
        pub to_buyer: u128,
    }

    /// Why a call reverts. Failures of the tokens come through as they are.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// There is no such order.
        UnknownOrder,
        /// Only another role may do this.
        WrongRole,
        /// The order is not at the stage for this.
        WrongStage,
        /// Somebody proposed another version meanwhile.
        WrongVersion,
        /// These are not the terms of the version.
        WrongTerms,
        /// The terms need two parties, an amount, a delivery time to come, times in range, and a
        /// share of at most the whole.
        BadTerms,
        /// Nobody accepts what he proposed himself.
        OwnProposal,
        /// The order is in another token.
        WrongToken,
        /// The time for this is over.
        TooLate,
        /// The time for this has not come.
        TooEarly,
        /// The arbiter divides at most what is held.
        AboveAmount,
    }

    impl Orders {
        /// Proposes a version of an order, by one of its parties: `version` is one more than that
        /// of the last one, or 1.
        #[call]
        pub fn propose(
            &mut self,
            buyer: Address,
            supplier: Address,
            id: u128,
            version: u32,
            terms: Terms,
        ) -> Result<(), Error> {
            let by = party(buyer, supplier)?;
            let mut state = self.states.at((buyer, supplier, id)).get_or_default();
            expect_stage(&state, Stage::Draft)?;
            if state.version.checked_add(1) != Some(version) {
                return Err(Error::WrongVersion);
            }
            check_terms(buyer, supplier, &terms)?;
            self.terms.at((buyer, supplier, id)).set(&terms);
            state.version = version;
            state.by_buyer = by == buyer;
            self.keep(buyer, supplier, id, &state);
            Proposed { buyer, supplier, id, version, terms, by }.emit();
            Ok(())
        }

        /// Accepts the version that the other party proposed last. `terms` is what the caller saw.
        #[call]
        pub fn accept(
            &mut self,
            buyer: Address,
            supplier: Address,
            id: u128,
            version: u32,
            terms: Terms,
        ) -> Result<(), Error> {
            let by = party(buyer, supplier)?;
            let mut state = self.state_of(buyer, supplier, id)?;
            expect_stage(&state, Stage::Draft)?;
            if state.version != version {
                return Err(Error::WrongVersion);
            }
            if self.terms_of(buyer, supplier, id)? != terms {
                return Err(Error::WrongTerms);
            }
            if state.by_buyer == (by == buyer) {
                return Err(Error::OwnProposal);
            }
            state.until_ms = terms.deliver_by_ms;
            self.go(buyer, supplier, id, state, Stage::Agreed);
            Ok(())
        }

        /// Ends an order that is not funded. Either party may.
        #[call]
        pub fn cancel(&mut self, buyer: Address, supplier: Address, id: u128) -> Result<(), Error> {
            party(buyer, supplier)?;
            let state = self.state_of(buyer, supplier, id)?;
            if !matches!(state.stage, Stage::Draft | Stage::Agreed) {
                return Err(Error::WrongStage);
            }
            self.go(buyer, supplier, id, state, Stage::Closed);
            Ok(())
        }

        /// Pays the agreed amount in: of the version that the caller, the buyer, names.
        #[call]
        pub fn fund(
            &mut self,
            supplier: Address,
            id: u128,
            version: u32,
            token: TokenRef,
        ) -> Result<(), Error> {
            let buyer = caller();
            let state = self.state_of(buyer, supplier, id)?;
            expect_stage(&state, Stage::Agreed)?;
            if state.version != version {
                return Err(Error::WrongVersion);
            }
            if time_ms() > state.until_ms {
                return Err(Error::TooLate);
            }
            let terms = self.terms_in(buyer, supplier, id, token)?;
            self.go(buyer, supplier, id, state, Stage::Funded);
            token.transfer_from(buyer, this(), terms.amount);
            Ok(())
        }

        /// Says that the order was delivered. Only the supplier may, in time.
        #[call]
        pub fn deliver(&mut self, buyer: Address, id: u128) -> Result<(), Error> {
            let supplier = caller();
            let mut state = self.state_of(buyer, supplier, id)?;
            expect_stage(&state, Stage::Funded)?;
            if time_ms() > state.until_ms {
                return Err(Error::TooLate);
            }
            let terms = self.terms_of(buyer, supplier, id)?;
            state.until_ms = time_ms().saturating_add(terms.inspection_ms);
            self.go(buyer, supplier, id, state, Stage::Delivered);
            Ok(())
        }

        /// Says that what was delivered is not what was ordered: the money stays until the arbiter
        /// rules. Only the buyer may, within the inspection time.
        #[call]
        pub fn dispute(&mut self, supplier: Address, id: u128) -> Result<(), Error> {
            let buyer = caller();
            let mut state = self.state_of(buyer, supplier, id)?;
            expect_stage(&state, Stage::Delivered)?;
            if time_ms() > state.until_ms {
                return Err(Error::TooLate);
            }
            let terms = self.terms_of(buyer, supplier, id)?;
            state.until_ms = time_ms().saturating_add(terms.ruling_ms);
            self.go(buyer, supplier, id, state, Stage::Disputed);
            Ok(())
        }

        /// Pays the supplier. Only the buyer may; also before the delivery, and in a dispute.
        #[call]
        pub fn approve(
            &mut self,
            supplier: Address,
            id: u128,
            token: TokenRef,
        ) -> Result<(), Error> {
            let buyer = caller();
            let state = self.state_of(buyer, supplier, id)?;
            expect_held(&state)?;
            let terms = self.terms_in(buyer, supplier, id, token)?;
            self.close(buyer, supplier, id, state, (terms.amount, 0));
            token.transfer(supplier, terms.amount);
            Ok(())
        }

        /// Pays the buyer back. Only the supplier may.
        #[call]
        pub fn refund(&mut self, buyer: Address, id: u128, token: TokenRef) -> Result<(), Error> {
            let supplier = caller();
            let state = self.state_of(buyer, supplier, id)?;
            expect_held(&state)?;
            let terms = self.terms_in(buyer, supplier, id, token)?;
            self.close(buyer, supplier, id, state, (0, terms.amount));
            token.transfer(buyer, terms.amount);
            Ok(())
        }

        /// Pays the buyer, the caller, back what was not delivered in time.
        #[call]
        pub fn reclaim(
            &mut self,
            supplier: Address,
            id: u128,
            token: TokenRef,
        ) -> Result<(), Error> {
            let buyer = caller();
            let state = self.state_of(buyer, supplier, id)?;
            expect_over(&state, Stage::Funded)?;
            let terms = self.terms_in(buyer, supplier, id, token)?;
            self.close(buyer, supplier, id, state, (0, terms.amount));
            token.transfer(buyer, terms.amount);
            Ok(())
        }

        /// Pays the supplier, the caller, for what the buyer did not dispute in time.
        #[call]
        pub fn claim(&mut self, buyer: Address, id: u128, token: TokenRef) -> Result<(), Error> {
            let supplier = caller();
            let state = self.state_of(buyer, supplier, id)?;
            expect_over(&state, Stage::Delivered)?;
            let terms = self.terms_in(buyer, supplier, id, token)?;
            self.close(buyer, supplier, id, state, (terms.amount, 0));
            token.transfer(supplier, terms.amount);
            Ok(())
        }

        /// Gives `to_supplier` to the supplier and the rest to the buyer. Only the arbiter may,
        /// within the ruling time.
        #[call]
        pub fn rule(
            &mut self,
            buyer: Address,
            supplier: Address,
            id: u128,
            token: TokenRef,
            to_supplier: u128,
        ) -> Result<(), Error> {
            let state = self.state_of(buyer, supplier, id)?;
            let terms = self.terms_in(buyer, supplier, id, token)?;
            if caller() != terms.arbiter {
                return Err(Error::WrongRole);
            }
            expect_stage(&state, Stage::Disputed)?;
            if time_ms() > state.until_ms {
                return Err(Error::TooLate);
            }
            let to_buyer = terms.amount.checked_sub(to_supplier).ok_or(Error::AboveAmount)?;
            self.close(buyer, supplier, id, state, (to_supplier, to_buyer));
            give(token, supplier, to_supplier);
            give(token, buyer, to_buyer);
            Ok(())
        }

        /// Divides what the arbiter did not rule on in time, as was agreed for that; the supplier's
        /// share is rounded down. Either party may.
        #[call]
        pub fn divide(
            &mut self,
            buyer: Address,
            supplier: Address,
            id: u128,
            token: TokenRef,
        ) -> Result<(), Error> {
            party(buyer, supplier)?;
            let state = self.state_of(buyer, supplier, id)?;
            expect_over(&state, Stage::Disputed)?;
            let terms = self.terms_in(buyer, supplier, id, token)?;
            let share = BasisPoints::from_raw(terms.fallback_bp.into());
            let to_supplier = share.of(terms.amount, Rounding::Down);
            // The share is at most the whole.
            let to_supplier = to_supplier.ok_or(Error::AboveAmount)?;
            let to_buyer = terms.amount.checked_sub(to_supplier).ok_or(Error::AboveAmount)?;
            self.close(buyer, supplier, id, state, (to_supplier, to_buyer));
            give(token, supplier, to_supplier);
            give(token, buyer, to_buyer);
            Ok(())
        }

        /// An order's terms and state; `None` if there is none.
        #[view]
        pub fn order(&self, buyer: Address, supplier: Address, id: u128) -> Option<(Terms, State)> {
            let terms = self.terms.at((buyer, supplier, id)).get()?;
            Some((terms, self.states.at((buyer, supplier, id)).get_or_default()))
        }

        #[inline(never)]
        fn state_of(&self, buyer: Address, supplier: Address, id: u128) -> Result<State, Error> {
            self.states.at((buyer, supplier, id)).get().ok_or(Error::UnknownOrder)
        }

        #[inline(never)]
        fn terms_of(&self, buyer: Address, supplier: Address, id: u128) -> Result<Terms, Error> {
            self.terms.at((buyer, supplier, id)).get().ok_or(Error::UnknownOrder)
        }

        /// The terms of an order that must be in `token`.
        fn terms_in(
            &self,
            buyer: Address,
            supplier: Address,
            id: u128,
            token: TokenRef,
        ) -> Result<Terms, Error> {
            let terms = self.terms_of(buyer, supplier, id)?;
            if terms.token == token { Ok(terms) } else { Err(Error::WrongToken) }
        }

        #[inline(never)]
        fn keep(&mut self, buyer: Address, supplier: Address, id: u128, state: &State) {
            self.states.at((buyer, supplier, id)).set(state);
        }

        #[inline(never)]
        fn go(&mut self, buyer: Address, supplier: Address, id: u128, state: State, stage: Stage) {
            self.keep(buyer, supplier, id, &State { stage, ..state });
            Moved { buyer, supplier, id, stage, version: state.version }.emit();
        }

        #[inline(never)]
        fn close(
            &mut self,
            buyer: Address,
            supplier: Address,
            id: u128,
            state: State,
            (to_supplier, to_buyer): (u128, u128),
        ) {
            self.go(buyer, supplier, id, state, Stage::Closed);
            PaidOut { buyer, supplier, id, to_supplier, to_buyer }.emit();
        }
    }

    /// The caller, if he is one of the two.
    fn party(buyer: Address, supplier: Address) -> Result<Address, Error> {
        let by = caller();
        if by == buyer || by == supplier { Ok(by) } else { Err(Error::WrongRole) }
    }

    fn check_terms(buyer: Address, supplier: Address, terms: &Terms) -> Result<(), Error> {
        let is_late = terms.deliver_by_ms < time_ms();
        if buyer == supplier || terms.amount == 0 || is_late || terms.fallback_bp > 10_000 {
            return Err(Error::BadTerms);
        }
        Ok(())
    }

    fn expect_stage(state: &State, stage: Stage) -> Result<(), Error> {
        if state.stage == stage { Ok(()) } else { Err(Error::WrongStage) }
    }

    fn expect_held(state: &State) -> Result<(), Error> {
        match state.stage {
            Stage::Funded | Stage::Delivered | Stage::Disputed => Ok(()),
            Stage::Draft | Stage::Agreed | Stage::Closed => Err(Error::WrongStage),
        }
    }

    /// Whether the stage's time is over.
    fn expect_over(state: &State, stage: Stage) -> Result<(), Error> {
        expect_stage(state, stage)?;
        if time_ms() > state.until_ms { Ok(()) } else { Err(Error::TooEarly) }
    }

    #[inline(never)]
    fn give(token: TokenRef, to: Address, amount: u128) {
        if amount > 0 {
            token.transfer(to, amount);
        }
    }
}
