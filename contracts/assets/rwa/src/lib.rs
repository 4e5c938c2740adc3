//! A compliant asset: shares, bonds or deeds as a token that only known holders have, within the
//! rules of their countries, and whose transfers can all be accounted for.
//!
//! ```text
//! transfer(to, amount, countries)
//!     read identities[caller]              read identities[to]         who they are, and if frozen
//!     read countries[countries.from]       read countries[countries.to]
//!     read locked_of[caller]
//!     add  free[caller]                    add  free[to]               the tokens
//!     add  room[countries.from]            add  room[countries.to]     what a country may still get
//!     add  headroom[caller]                add  headroom[to]           what a holder may still get
//! ```
//!
//! # Limits without reading
//! What a holder or a country may have at most is kept as what it may still get: a counter that is
//! taken from where tokens arrive and added to where they leave. Taking from a counter checks that
//! there is enough and does not read it, so a limit makes nobody wait: transfers between any holders,
//! of one country or several, run side by side. What rules read (identities, countries) changes
//! seldom. Tokens under a lock-up are apart from free ones, by holder and the time of their release, so
//! a transfer of free ones has nothing to check but that there are as many.
//!
//! The countries of both holders are arguments, so that their counters are known before a call
//! runs, and are checked against the identities; `identity_of` has them.
//!
//! # Reasons
//! `why_refused` says beforehand why a transfer would be refused, if it would. It gives the same
//! [`Error`](rwa::Error) that the transfer reverts with, whose number is the code of the reason.
//!
//! # Export
//! Every change of what anybody has is a `Transfer` event with its time (from or to
//! [`Address::ZERO`](tollway_sdk::Address::ZERO) where tokens come or go), forced ones have a
//! `Forced` event beside it. So the transfers of a period are its events: added up, they lead from all
//! balances at its start to those at its end.
//!
//! No method declares its access: the macro finds it in the bodies.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod rwa {
    use alloc::string::String;
    use tollway_sdk::env::{caller, time_ms};
    use tollway_sdk::{Address, Counter, Item, Map, Role, Underflow, contract_type};

    /// The role that issues tokens.
    pub const ISSUER: u8 = 0;
    /// The role that knows holders and sets limits.
    pub const REGISTRAR: u8 = 1;
    /// The role that freezes holders and forces transfers.
    pub const CONTROLLER: u8 = 2;

    /// What is fixed when the asset is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who gives roles, and has none by that.
        pub owner: Address,
    }

    /// Who a holder is.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Identity {
        /// Where they are: the number of ISO 3166-1.
        pub country: u16,
        /// The block time from which on this has to be looked at again.
        pub expires_ms: u64,
        /// The most that they may have.
        pub limit: u128,
        /// Whether they may neither send nor receive.
        pub frozen: bool,
    }

    /// The rules of a country.
    #[contract_type]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Country {
        /// Whether its holders may send and receive.
        pub open: bool,
        /// The most that all of them together may have.
        pub limit: u128,
    }

    /// The countries of who sends and who receives.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Countries {
        /// Of who sends.
        pub from: u16,
        /// Of who receives.
        pub to: u16,
    }

    /// The state.
    #[storage]
    pub struct Rwa {
        /// By role and who has it.
        roles: Map<(u8, Address), Role>,
        identities: Map<Address, Item<Identity>>,
        countries: Map<u16, Item<Country>>,
        /// What each country may still get.
        room: Map<u16, Counter>,
        /// What each holder may still get.
        headroom: Map<Address, Counter>,
        /// What each holder may send.
        free: Map<Address, Counter>,
        /// What each holder may send from a block time on.
        locked: Map<(Address, u64), Counter>,
        /// The sum of that, over all times.
        locked_of: Map<Address, Counter>,
        /// The sum of all that anybody has.
        supply: Counter,
    }

    /// A role was given or taken.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RoleSet {
        /// The role.
        pub role: u8,
        /// Whose.
        pub who: Address,
        /// Whether they have it now.
        pub has: bool,
    }

    /// A holder was registered, or what is known of them changed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct IdentitySet {
        /// The holder.
        pub holder: Address,
        /// All that is known now.
        pub identity: Identity,
    }

    /// The rules of a country changed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct CountrySet {
        /// The country.
        pub country: u16,
        /// The rules now.
        pub rules: Country,
    }

    /// Tokens moved. Issued ones come from, and redeemed ones go to, [`Address::ZERO`].
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Transfer {
        /// Whose balance fell.
        pub from: Address,
        /// Whose balance rose.
        pub to: Address,
        /// By how much.
        pub amount: u128,
        /// The block time from which on the receiver may send them; 0 if at once.
        pub locked_until_ms: u64,
        /// The block's time.
        pub time_ms: u64,
    }

    /// The transfer beside this event was not the holder's.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Forced {
        /// The controller.
        pub by: Address,
        /// Whose balance fell.
        pub from: Address,
        /// Whose balance rose.
        pub to: Address,
        /// By how much.
        pub amount: u128,
        /// Why: a text, or where one is.
        pub reason: String,
    }

    /// Tokens can be sent from now on.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Released {
        /// Whose.
        pub holder: Address,
        /// How many.
        pub amount: u128,
        /// Since when they could have been.
        pub until_ms: u64,
    }

    /// Why a call reverts. Those that a transfer may meet are its reasons, in the order in which
    /// they are looked at; their numbers never change.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// 0: an amount of 0.
        ZeroAmount,
        /// 1: nobody registered the sender.
        UnknownSender,
        /// 2: nobody registered the receiver.
        UnknownReceiver,
        /// 3: the sender has to be looked at again.
        SenderExpired,
        /// 4: the receiver has to be looked at again.
        ReceiverExpired,
        /// 5: the sender is frozen.
        SenderFrozen,
        /// 6: the receiver is frozen.
        ReceiverFrozen,
        /// 7: one of the countries is not the holder's.
        WrongCountry,
        /// 8: holders of the sender's country may not send.
        SenderCountryClosed,
        /// 9: holders of the receiver's country may not receive.
        ReceiverCountryClosed,
        /// 10: the sender has less.
        InsufficientBalance,
        /// 11: the sender has less that is free, and some that is not.
        LockedUp,
        /// 12: the receiver's country would have more than its limit.
        CountryLimit,
        /// 13: the receiver would have more than their limit.
        HolderLimit,
        /// 14: only the owner may do this.
        NotOwner,
        /// 15: the caller does not have the role.
        NotAllowed,
        /// 16: there is no such role.
        UnknownRole,
        /// 17: the holder is registered.
        AlreadyRegistered,
        /// 18: nothing is locked until then, or it still is.
        NothingToRelease,
        /// 19: the time of release is over.
        ReleaseInPast,
    }

    impl Rwa {
        /// Gives or takes a role. Only the owner may.
        #[call]
        pub fn set_role(&mut self, role: u8, who: Address, has: bool) -> Result<(), Error> {
            if caller() != self.imm.owner {
                return Err(Error::NotOwner);
            }
            if role > CONTROLLER {
                return Err(Error::UnknownRole);
            }
            let place = self.roles.at((role, who));
            if has {
                place.grant();
            } else {
                place.revoke();
            }
            RoleSet { role, who, has }.emit();
            Ok(())
        }

        /// Sets the rules of a country. Its limit can't be below what its holders have. For
        /// registrars.
        #[call]
        pub fn set_country(&mut self, country: u16, rules: Country) -> Result<(), Error> {
            self.must_be_registrar()?;
            let before = self.rules(country).limit;
            let room = self.room.at(country);
            if rules.limit >= before {
                give_room(&room, rules.limit - before);
            } else {
                take_room(&room, before - rules.limit).map_err(|_| Error::CountryLimit)?;
            }
            self.countries.at(country).set(&rules);
            CountrySet { country, rules }.emit();
            Ok(())
        }

        /// Registers a holder, who may have up to `limit`. For registrars.
        #[call]
        pub fn register(
            &mut self,
            holder: Address,
            country: u16,
            expires_ms: u64,
            limit: u128,
        ) -> Result<(), Error> {
            self.must_be_registrar()?;
            if self.identity(holder).is_some() {
                return Err(Error::AlreadyRegistered);
            }
            let identity = Identity { country, expires_ms, limit, frozen: false };
            self.set_identity(holder, identity);
            give(&self.headroom.at(holder), limit);
            Ok(())
        }

        /// Sets until when a holder is known; a time that is over ends it. For registrars.
        #[call]
        pub fn renew(&mut self, holder: Address, expires_ms: u64) -> Result<(), Error> {
            self.must_be_registrar()?;
            let before = self.identity(holder).ok_or(Error::UnknownReceiver)?;
            let identity = Identity { expires_ms, ..before };
            self.set_identity(holder, identity);
            Ok(())
        }

        /// Sets the most that a holder may have, which can't be below what they have. For
        /// registrars.
        #[call]
        pub fn set_limit(&mut self, holder: Address, limit: u128) -> Result<(), Error> {
            self.must_be_registrar()?;
            let before = self.identity(holder).ok_or(Error::UnknownReceiver)?;
            let headroom = self.headroom.at(holder);
            if limit >= before.limit {
                give(&headroom, limit - before.limit);
            } else {
                take(&headroom, before.limit - limit).map_err(|_| Error::HolderLimit)?;
            }
            let identity = Identity { limit, ..before };
            self.set_identity(holder, identity);
            Ok(())
        }

        /// Moves a holder with all that they have to another country, within its limit. For
        /// registrars.
        #[call]
        pub fn relocate(&mut self, holder: Address, countries: Countries) -> Result<(), Error> {
            self.must_be_registrar()?;
            let before = self.identity(holder).ok_or(Error::UnknownReceiver)?;
            if before.country != countries.from {
                return Err(Error::WrongCountry);
            }
            // What nobody can get any more is what the holder has.
            let has = before.limit - held(&self.headroom.at(holder));
            give_room(&self.room.at(countries.from), has);
            take_room(&self.room.at(countries.to), has).map_err(|_| Error::CountryLimit)?;
            let identity = Identity { country: countries.to, ..before };
            self.set_identity(holder, identity);
            Ok(())
        }

        /// Freezes a holder, or ends that. For controllers.
        #[call]
        pub fn freeze(&mut self, holder: Address, frozen: bool) -> Result<(), Error> {
            self.must_be_controller()?;
            let before = self.identity(holder).ok_or(Error::UnknownReceiver)?;
            let identity = Identity { frozen, ..before };
            self.set_identity(holder, identity);
            Ok(())
        }

        /// Issues tokens to a holder of a country, within all limits. For issuers.
        #[call]
        pub fn issue(&mut self, to: Address, amount: u128, country: u16) -> Result<(), Error> {
            self.must_be_issuer()?;
            self.take_in(to, amount, country)?;
            give(&self.free.at(to), amount);
            moved(Address::ZERO, to, amount, 0);
            Ok(())
        }

        /// The same, with tokens that can't be sent before the block time `until_ms`.
        #[call]
        pub fn issue_locked(
            &mut self,
            to: Address,
            amount: u128,
            country: u16,
            until_ms: u64,
        ) -> Result<(), Error> {
            self.must_be_issuer()?;
            if until_ms <= time_ms() {
                return Err(Error::ReleaseInPast);
            }
            self.take_in(to, amount, country)?;
            give_locked(&self.locked.at((to, until_ms)), amount);
            give(&self.locked_of.at(to), amount);
            moved(Address::ZERO, to, amount, until_ms);
            Ok(())
        }

        /// Makes what was locked until `until_ms` free, once that is over. Anybody may.
        #[call]
        pub fn release(&mut self, holder: Address, until_ms: u64) -> Result<u128, Error> {
            let locked = self.locked.at((holder, until_ms));
            let amount = locked.get();
            if amount == 0 || time_ms() < until_ms {
                return Err(Error::NothingToRelease);
            }
            locked.set(0);
            // The sum holds at least each part.
            take(&self.locked_of.at(holder), amount).map_err(|_| Error::NothingToRelease)?;
            give(&self.free.at(holder), amount);
            Released { holder, amount, until_ms }.emit();
            Ok(amount)
        }

        /// Gives `amount` of the caller's tokens back; they exist no more.
        #[call]
        pub fn redeem(&mut self, amount: u128, country: u16) -> Result<(), Error> {
            let from = caller();
            must_be_some(amount)?;
            let sender = self.identity(from).ok_or(Error::UnknownSender)?;
            if sender.frozen {
                return Err(Error::SenderFrozen);
            }
            if sender.country != country {
                return Err(Error::WrongCountry);
            }
            self.take_free(from, amount)?;
            give_room(&self.room.at(country), amount);
            give(&self.headroom.at(from), amount);
            // The supply is the sum of all that anybody has.
            self.supply.sub(amount).map_err(|_| Error::InsufficientBalance)?;
            moved(from, Address::ZERO, amount, 0);
            Ok(())
        }

        /// Moves `amount` of the caller's free tokens to `to`, if no rule is against it.
        #[call]
        pub fn transfer(
            &mut self,
            to: Address,
            amount: u128,
            countries: Countries,
        ) -> Result<(), Error> {
            let from = caller();
            if let Some(error) = self.rule_against(from, to, amount, countries) {
                return Err(error);
            }
            self.take_free(from, amount)?;
            self.move_limits(from, to, amount, countries)?;
            give(&self.free.at(to), amount);
            moved(from, to, amount, 0);
            Ok(())
        }

        /// Moves free tokens of `from`, whatever `from` wants, may, or is: only the receiver and the
        /// limits have to be in order. For controllers; logged with the reason.
        #[call]
        pub fn force_transfer(
            &mut self,
            from: Address,
            to: Address,
            amount: u128,
            countries: Countries,
            reason: String,
        ) -> Result<(), Error> {
            self.must_be_forcible(from, to, amount, countries)?;
            self.take_free(from, amount)?;
            self.move_limits(from, to, amount, countries)?;
            give(&self.free.at(to), amount);
            moved(from, to, amount, 0);
            let by = caller();
            Forced { by, from, to, amount, reason }.emit();
            Ok(())
        }

        /// The same with tokens that are locked until `until_ms`, and stay so.
        #[call]
        pub fn force_locked(
            &mut self,
            from: Address,
            to: Address,
            amount: u128,
            countries: Countries,
            until_ms: u64,
            reason: String,
        ) -> Result<(), Error> {
            self.must_be_forcible(from, to, amount, countries)?;
            let locked = self.locked.at((from, until_ms));
            take_locked(&locked, amount).map_err(|_| Error::InsufficientBalance)?;
            // The sum holds at least each part.
            take(&self.locked_of.at(from), amount).map_err(|_| Error::InsufficientBalance)?;
            self.move_limits(from, to, amount, countries)?;
            give_locked(&self.locked.at((to, until_ms)), amount);
            give(&self.locked_of.at(to), amount);
            moved(from, to, amount, until_ms);
            let by = caller();
            Forced { by, from, to, amount, reason }.emit();
            Ok(())
        }

        /// Why `from` could not transfer `amount` to `to` now; `None` if they could. The same error
        /// that the transfer would revert with.
        #[view]
        pub fn why_refused(
            &self,
            from: Address,
            to: Address,
            amount: u128,
            countries: Countries,
        ) -> Option<Error> {
            if let Some(error) = self.rule_against(from, to, amount, countries) {
                return Some(error);
            }
            if held(&self.free.at(from)) < amount {
                return Some(self.too_little(from));
            }
            if countries.from != countries.to && self.room.at(countries.to).get() < amount {
                return Some(Error::CountryLimit);
            }
            if from != to && held(&self.headroom.at(to)) < amount {
                return Some(Error::HolderLimit);
            }
            None
        }

        /// What a holder has, free and locked.
        #[view]
        pub fn balance_of(&self, holder: Address) -> u128 {
            held(&self.free.at(holder)) + held(&self.locked_of.at(holder))
        }

        /// What a holder has that is not free.
        #[view]
        pub fn locked_of(&self, holder: Address) -> u128 {
            held(&self.locked_of.at(holder))
        }

        /// What a holder has that is free from a block time on.
        #[view]
        pub fn locked_until(&self, holder: Address, until_ms: u64) -> u128 {
            self.locked.at((holder, until_ms)).get()
        }

        /// What is known of a holder.
        #[view]
        pub fn identity_of(&self, holder: Address) -> Option<Identity> {
            self.identity(holder)
        }

        /// The rules of a country, and what its holders may still get.
        #[view]
        pub fn country(&self, country: u16) -> (Country, u128) {
            (self.rules(country), self.room.at(country).get())
        }

        /// Whether somebody has a role.
        #[view]
        pub fn has_role(&self, role: u8, who: Address) -> bool {
            self.roles.at((role, who)).has()
        }

        /// The sum of all that anybody has.
        #[view]
        pub fn total_supply(&self) -> u128 {
            self.supply.get()
        }

        // Functions of their own, since each copy of what a cell does is some hundred bytes of Wasm.

        #[inline(never)]
        fn identity(&self, holder: Address) -> Option<Identity> {
            self.identities.at(holder).get()
        }

        #[inline(never)]
        fn set_identity(&mut self, holder: Address, identity: Identity) {
            self.identities.at(holder).set(&identity);
            IdentitySet { holder, identity }.emit();
        }

        #[inline(never)]
        fn rules(&self, country: u16) -> Country {
            self.countries.at(country).get_or_default()
        }

        /// What rule is against a transfer, before balances and limits are looked at.
        #[inline(never)]
        fn rule_against(
            &self,
            from: Address,
            to: Address,
            amount: u128,
            countries: Countries,
        ) -> Option<Error> {
            if amount == 0 {
                return Some(Error::ZeroAmount);
            }
            let Some(sender) = self.identity(from) else {
                return Some(Error::UnknownSender);
            };
            let Some(receiver) = self.identity(to) else {
                return Some(Error::UnknownReceiver);
            };
            let now_ms = time_ms();
            let rules = [
                (now_ms >= sender.expires_ms, Error::SenderExpired),
                (now_ms >= receiver.expires_ms, Error::ReceiverExpired),
                (sender.frozen, Error::SenderFrozen),
                (receiver.frozen, Error::ReceiverFrozen),
                (sender.country != countries.from, Error::WrongCountry),
                (receiver.country != countries.to, Error::WrongCountry),
                (!self.is_open(countries.from), Error::SenderCountryClosed),
                (!self.is_open(countries.to), Error::ReceiverCountryClosed),
            ];
            rules.into_iter().find_map(|(against, error)| against.then_some(error))
        }

        fn is_open(&self, country: u16) -> bool {
            self.rules(country).open
        }

        /// That a receiver may get tokens at all.
        #[inline(never)]
        fn must_receive(&self, to: Address, amount: u128, country: u16) -> Result<(), Error> {
            must_be_some(amount)?;
            let receiver = self.identity(to).ok_or(Error::UnknownReceiver)?;
            if time_ms() >= receiver.expires_ms {
                return Err(Error::ReceiverExpired);
            }
            if receiver.frozen {
                return Err(Error::ReceiverFrozen);
            }
            if receiver.country != country {
                return Err(Error::WrongCountry);
            }
            if self.is_open(country) { Ok(()) } else { Err(Error::ReceiverCountryClosed) }
        }

        /// Checks new tokens for a holder, and counts them everywhere but in their balance.
        fn take_in(&mut self, to: Address, amount: u128, country: u16) -> Result<(), Error> {
            self.must_receive(to, amount, country)?;
            take_room(&self.room.at(country), amount).map_err(|_| Error::CountryLimit)?;
            take(&self.headroom.at(to), amount).map_err(|_| Error::HolderLimit)?;
            self.supply.add(amount);
            Ok(())
        }

        fn must_be_forcible(
            &self,
            from: Address,
            to: Address,
            amount: u128,
            countries: Countries,
        ) -> Result<(), Error> {
            self.must_be_controller()?;
            let sender = self.identity(from).ok_or(Error::UnknownSender)?;
            if sender.country != countries.from {
                return Err(Error::WrongCountry);
            }
            self.must_receive(to, amount, countries.to)
        }

        /// Takes free tokens from a holder.
        fn take_free(&mut self, from: Address, amount: u128) -> Result<(), Error> {
            take(&self.free.at(from), amount).map_err(|_| self.too_little(from))
        }

        /// Why there is too little: what is free is not read for it, so that nobody waits.
        fn too_little(&self, from: Address) -> Error {
            if held(&self.locked_of.at(from)) > 0 {
                Error::LockedUp
            } else {
                Error::InsufficientBalance
            }
        }

        /// Moves tokens from one limit to another. What leaves first makes room for what arrives, so
        /// that a transfer within one country, or to oneself, meets no limit.
        #[inline(never)]
        fn move_limits(
            &mut self,
            from: Address,
            to: Address,
            amount: u128,
            countries: Countries,
        ) -> Result<(), Error> {
            give_room(&self.room.at(countries.from), amount);
            take_room(&self.room.at(countries.to), amount).map_err(|_| Error::CountryLimit)?;
            give(&self.headroom.at(from), amount);
            take(&self.headroom.at(to), amount).map_err(|_| Error::HolderLimit)
        }

        #[inline(never)]
        fn must_be_issuer(&self) -> Result<(), Error> {
            self.roles.at((ISSUER, caller())).require(Error::NotAllowed)
        }

        #[inline(never)]
        fn must_be_registrar(&self) -> Result<(), Error> {
            self.roles.at((REGISTRAR, caller())).require(Error::NotAllowed)
        }

        #[inline(never)]
        fn must_be_controller(&self) -> Result<(), Error> {
            self.roles.at((CONTROLLER, caller())).require(Error::NotAllowed)
        }
    }

    #[inline(never)]
    fn give(cell: &Counter<Address>, amount: u128) {
        cell.add(amount);
    }

    #[inline(never)]
    fn take(cell: &Counter<Address>, amount: u128) -> Result<(), Underflow> {
        cell.sub(amount)
    }

    #[inline(never)]
    fn held(cell: &Counter<Address>) -> u128 {
        cell.get()
    }

    #[inline(never)]
    fn give_room(cell: &Counter<u16>, amount: u128) {
        cell.add(amount);
    }

    #[inline(never)]
    fn take_room(cell: &Counter<u16>, amount: u128) -> Result<(), Underflow> {
        cell.sub(amount)
    }

    #[inline(never)]
    fn give_locked(cell: &Counter<(Address, u64)>, amount: u128) {
        cell.add(amount);
    }

    #[inline(never)]
    fn take_locked(cell: &Counter<(Address, u64)>, amount: u128) -> Result<(), Underflow> {
        cell.sub(amount)
    }

    #[inline(never)]
    fn moved(from: Address, to: Address, amount: u128, locked_until_ms: u64) {
        Transfer { from, to, amount, locked_until_ms, time_ms: time_ms() }.emit();
    }

    fn must_be_some(amount: u128) -> Result<(), Error> {
        if amount > 0 { Ok(()) } else { Err(Error::ZeroAmount) }
    }
}
