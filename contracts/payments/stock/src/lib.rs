//! Stock: what merchants have of each item, sold and reserved by many at once, never sold twice.
//!
//! ```text
//! sell(merchant, item, quantity)            read  roles[merchant, caller]
//!                                           add   available[merchant, item]   a debit
//!                                           add   sold[merchant, item]
//! reserve(merchant, item, quantity, slot)   read  roles[merchant, caller]
//!                                           add   available[merchant, item]   a debit
//!                                           add   expiring[merchant, item, slot]
//!                                           write reservations[merchant, item, call_id]
//! fulfil, release(.., id, slot)             add   expiring, sold or available
//!                                           write reservations[merchant, item, id]
//! reclaim(merchant, item, slot)             write expiring[merchant, item, slot]
//!                                           add   available[merchant, item]
//! ```
//!
//! What is available is a counter that sales take from without reading it. So a thousand sales of
//! one item run side by side, and still none that is too much succeeds.
//!
//! # Reservations
//! ```text
//! slots   ├────── 7 ──────┼────── 8 ──────┼──
//! times   7 · slot_ms                      a reservation for slot 8 holds until 8 · slot_ms
//! ```
//! Time is cut into slots, and a reservation holds until one of them starts. The quantities of all
//! that end with one slot are summed in one counter, as they come and go. When the slot has started
//! that sum is what was reserved and not taken: it is stock again, whoever says so first, by one
//! addition, however many reservations it was. Until somebody says so, sales do not find it: who
//! finds too little names the slots that are over (`sell_reclaiming`).
//!
//! # Invariants
//! 1. What came in = available + sold + written off + sums of all slots (`tests/random.rs`).
//! 2. A reservation is fulfilled before its slot starts, and reclaimed from then on: never both.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod stock {
    use alloc::vec::Vec;
    use tollway_sdk::env::{call_id, caller, time_ms};
    use tollway_sdk::{Address, Counter, Item, Map, contract_type};

    /// May sell, reserve, fulfil and release.
    pub const SELLER: u8 = 1;

    /// May restock and write off.
    pub const KEEPER: u8 = 2;

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// How long a slot is. With 0, nothing can be reserved.
        pub slot_ms: u64,
    }

    /// A part of the stock that is kept for somebody.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Reservation {
        /// How much.
        pub quantity: u128,
        /// Until when: the start of this slot.
        pub slot: u64,
        /// Who reserved it.
        pub by: Address,
    }

    /// The state. Items are numbered by each merchant.
    #[storage]
    pub struct Stock {
        /// What can be sold.
        available: Map<(Address, u64), Counter>,
        /// What was sold.
        sold: Map<(Address, u64), Counter>,
        /// By merchant, item and slot: what is reserved until that slot.
        expiring: Map<(Address, u64, u64), Counter>,
        /// By merchant, item and identifier.
        reservations: Map<(Address, u64, u128), Item<Reservation>>,
        /// What accounts may do for a merchant, who himself may do everything.
        roles: Map<(Address, Address), Item<u8>>,
    }

    /// An account's roles were set.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RolesSet {
        /// By whom.
        pub merchant: Address,
        /// Whose.
        pub account: Address,
        /// To what: a sum of [`SELLER`] and [`KEEPER`].
        pub roles: u8,
    }

    /// Stock came in.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Restocked {
        /// Whose.
        pub merchant: Address,
        /// Of which item.
        pub item: u64,
        /// How much.
        pub quantity: u128,
    }

    /// Stock was lost.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct WrittenOff {
        /// Whose.
        pub merchant: Address,
        /// Of which item.
        pub item: u64,
        /// How much.
        pub quantity: u128,
    }

    /// Stock was sold.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Sold {
        /// Whose.
        pub merchant: Address,
        /// Of which item.
        pub item: u64,
        /// How much.
        pub quantity: u128,
        /// Who sold it.
        pub by: Address,
        /// The reservation that it was kept by; 0 if it was not.
        pub reservation: u128,
    }

    /// Stock was reserved.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Reserved {
        /// Whose.
        pub merchant: Address,
        /// Of which item.
        pub item: u64,
        /// The reservation.
        pub id: u128,
        /// What it keeps.
        pub reservation: Reservation,
    }

    /// A reservation was given up.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Released {
        /// Whose stock.
        pub merchant: Address,
        /// Which item.
        pub item: u64,
        /// The reservation.
        pub id: u128,
    }

    /// What was reserved and not taken is available again.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Reclaimed {
        /// Whose stock.
        pub merchant: Address,
        /// Which item.
        pub item: u64,
        /// Until which slot it was reserved.
        pub slot: u64,
        /// How much.
        pub quantity: u128,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// The caller has no role that allows this.
        NotAllowed,
        /// A quantity of 0 changes nothing.
        ZeroQuantity,
        /// There is less available.
        OutOfStock,
        /// The slot has started, or its time is out of range.
        SlotOver,
        /// The slot has not started.
        SlotNotOver,
        /// This call has reserved the item already.
        AlreadyReserved,
        /// There is no such reservation.
        UnknownReservation,
        /// The reservation is for another slot.
        WrongSlot,
        /// The reservation has ended.
        ReservationExpired,
    }

    impl Stock {
        /// Sets what `account` may do with the caller's stock: a sum of [`SELLER`] and [`KEEPER`].
        #[call]
        pub fn set_roles(&mut self, account: Address, roles: u8) {
            let merchant = caller();
            self.roles.at((merchant, account)).set(&roles);
            RolesSet { merchant, account, roles }.emit();
        }

        /// Adds to the stock.
        #[call]
        pub fn restock(
            &mut self,
            merchant: Address,
            item: u64,
            quantity: u128,
        ) -> Result<(), Error> {
            self.may(merchant, KEEPER)?;
            self.available.at((merchant, item)).add(quantity);
            Restocked { merchant, item, quantity }.emit();
            Ok(())
        }

        /// Takes lost stock off what is available.
        #[call]
        pub fn write_off(
            &mut self,
            merchant: Address,
            item: u64,
            quantity: u128,
        ) -> Result<(), Error> {
            self.may(merchant, KEEPER)?;
            self.take(merchant, item, quantity)?;
            WrittenOff { merchant, item, quantity }.emit();
            Ok(())
        }

        /// Sells from what is available.
        #[call]
        pub fn sell(&mut self, merchant: Address, item: u64, quantity: u128) -> Result<(), Error> {
            self.may(merchant, SELLER)?;
            self.take(merchant, item, quantity)?;
            self.count_sale(merchant, item, quantity, 0);
            Ok(())
        }

        /// The same after making available what reservations until these slots left over. Slots
        /// that have not started are refused.
        #[call]
        pub fn sell_reclaiming(
            &mut self,
            merchant: Address,
            item: u64,
            quantity: u128,
            slots: Vec<u64>,
        ) -> Result<(), Error> {
            for slot in &slots {
                self.put_back(merchant, item, *slot)?;
            }
            self.sell(merchant, item, quantity)
        }

        /// Keeps a part of what is available until `slot` starts. Returns the reservation's
        /// identifier, which is the call's: one call reserves an item once.
        #[call]
        pub fn reserve(
            &mut self,
            merchant: Address,
            item: u64,
            quantity: u128,
            slot: u64,
        ) -> Result<u128, Error> {
            self.may(merchant, SELLER)?;
            if self.has_started(slot)? {
                return Err(Error::SlotOver);
            }
            let id = call_id();
            let cell = self.reservations.at((merchant, item, call_id()));
            if cell.exists() {
                return Err(Error::AlreadyReserved);
            }
            self.take(merchant, item, quantity)?;
            self.expiring.at((merchant, item, slot)).add(quantity);
            let reservation = Reservation { quantity, slot, by: caller() };
            cell.set(&reservation);
            Reserved { merchant, item, id, reservation }.emit();
            Ok(id)
        }

        /// Sells what a reservation keeps.
        #[call]
        pub fn fulfil(
            &mut self,
            merchant: Address,
            item: u64,
            id: u128,
            slot: u64,
        ) -> Result<(), Error> {
            self.may(merchant, SELLER)?;
            let quantity = self.end(merchant, item, id, slot)?;
            self.count_sale(merchant, item, quantity, id);
            Ok(())
        }

        /// Gives up a reservation: what it keeps is available again.
        #[call]
        pub fn release(
            &mut self,
            merchant: Address,
            item: u64,
            id: u128,
            slot: u64,
        ) -> Result<(), Error> {
            self.may(merchant, SELLER)?;
            let quantity = self.end(merchant, item, id, slot)?;
            self.available.at((merchant, item)).add(quantity);
            Released { merchant, item, id }.emit();
            Ok(())
        }

        /// Makes available what reservations until `slot` left over, once that has started, and
        /// returns how much it was. Anybody may.
        #[call]
        pub fn reclaim(&mut self, merchant: Address, item: u64, slot: u64) -> Result<u128, Error> {
            self.put_back(merchant, item, slot)
        }

        /// What a sale finds.
        #[view]
        pub fn available(&self, merchant: Address, item: u64) -> u128 {
            self.available.at((merchant, item)).get()
        }

        /// What a sale finds that reclaims these slots.
        #[view]
        pub fn available_reclaiming(
            &self,
            merchant: Address,
            item: u64,
            slots: Vec<u64>,
        ) -> Result<u128, Error> {
            let mut quantity = self.available.at((merchant, item)).get();
            for slot in &slots {
                if !self.has_started(*slot)? {
                    return Err(Error::SlotNotOver);
                }
                quantity += self.expiring.at((merchant, item, *slot)).get();
            }
            Ok(quantity)
        }

        /// What is reserved until `slot`, or was and is not reclaimed.
        #[view]
        pub fn reserved(&self, merchant: Address, item: u64, slot: u64) -> u128 {
            self.expiring.at((merchant, item, slot)).get()
        }

        /// What was sold.
        #[view]
        pub fn sold(&self, merchant: Address, item: u64) -> u128 {
            self.sold.at((merchant, item)).get()
        }

        /// A reservation; `None` if there is none, or it was fulfilled or released.
        #[view]
        pub fn reservation(&self, merchant: Address, item: u64, id: u128) -> Option<Reservation> {
            self.reservations.at((merchant, item, id)).get()
        }

        /// What `account` may do for `merchant`.
        #[view]
        pub fn roles(&self, merchant: Address, account: Address) -> u8 {
            self.roles.at((merchant, account)).get_or(0)
        }

        #[inline(never)]
        fn may(&self, merchant: Address, role: u8) -> Result<(), Error> {
            let roles = self.roles.at((merchant, caller())).get_or(0);
            if caller() == merchant || roles & role != 0 { Ok(()) } else { Err(Error::NotAllowed) }
        }

        #[inline(never)]
        fn take(&mut self, merchant: Address, item: u64, quantity: u128) -> Result<(), Error> {
            if quantity == 0 {
                return Err(Error::ZeroQuantity);
            }
            self.available.at((merchant, item)).sub(quantity).map_err(|_| Error::OutOfStock)
        }

        #[inline(never)]
        fn count_sale(&mut self, merchant: Address, item: u64, quantity: u128, reservation: u128) {
            self.sold.at((merchant, item)).add(quantity);
            Sold { merchant, item, quantity, by: caller(), reservation }.emit();
        }

        /// Whether the time of a slot has come.
        fn has_started(&self, slot: u64) -> Result<bool, Error> {
            let start_ms = slot.checked_mul(self.imm.slot_ms).ok_or(Error::SlotOver)?;
            Ok(time_ms() >= start_ms)
        }

        /// Ends a reservation before its time, and returns what it kept.
        #[inline(never)]
        fn end(
            &mut self,
            merchant: Address,
            item: u64,
            id: u128,
            slot: u64,
        ) -> Result<u128, Error> {
            let cell = self.reservations.at((merchant, item, id));
            let reservation = cell.get().ok_or(Error::UnknownReservation)?;
            if reservation.slot != slot {
                return Err(Error::WrongSlot);
            }
            if self.has_started(slot)? {
                return Err(Error::ReservationExpired);
            }
            cell.remove();
            // Until the slot starts nothing else takes from its sum, so it holds at least this.
            let expiring = self.expiring.at((merchant, item, slot));
            expiring.sub(reservation.quantity).map_err(|_| Error::ReservationExpired)?;
            Ok(reservation.quantity)
        }

        #[inline(never)]
        fn put_back(&mut self, merchant: Address, item: u64, slot: u64) -> Result<u128, Error> {
            if !self.has_started(slot)? {
                return Err(Error::SlotNotOver);
            }
            let expiring = self.expiring.at((merchant, item, slot));
            let quantity = expiring.get();
            if quantity > 0 {
                expiring.set(0);
                self.available.at((merchant, item)).add(quantity);
                Reclaimed { merchant, item, slot, quantity }.emit();
            }
            Ok(quantity)
        }
    }
}
