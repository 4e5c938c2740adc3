//! A smart account with a second factor: the contract's own address holds tokens, and two keys
//! spend them.
//!
//! ```text
//! open(periods)                 write opened[p], add left[p]      for each p
//! pay(payment, ..)              read keys[factor]   write used[nonce]   add left[period]
//!                               token.transfer(payment.to, _): add balances[this], balances[to]
//! pay_both(payment, ..)         read both keys      write used[nonce]   the same transfer
//! replace, revoke               read keys           write keys[factor], used[nonce]
//! support(first, second)        read guardians[caller]            write wishes[caller]
//! recover(.., guardians)        read guardians[g], write wishes[g] for each g; write recovery
//! cancel(..), finish()          write recovery; cancel: read both keys; finish: write both keys
//! ```
//!
//! One factor alone spends up to the limit in each period; both together any amount. Who sends the
//! call does not matter, signatures say everything: each is over a [`Message`] that names chain,
//! account, action, a number that is used once, and until when it is good.
//!
//! Payments of one account do not wait for each other: the numbers need not follow each other, each
//! has a key of its own; and what is left of a period's limit is a counter that payments take from
//! without reading it. For that it has to hold the limit before: [`open`](account::Account::open) adds it once a period, for
//! as many periods ahead as one likes. A period that nobody opened has nothing to spend by one
//! factor.
//!
//! # Who can do what with what he has
//! - **One key**: spend up to the limit, and revoke a key, his own or the other: what is revoked is
//!   dead for every later call of the block. He can not pass the limit, change a key or stop a
//!   recovery, so a thief of one key gains a period's limit at most until the other key revokes it.
//! - **Both keys**: everything, also stop a recovery.
//! - **Enough guardians**: set both keys anew, after a delay in which both keys can stop it.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod account {
    extern crate alloc;

    use alloc::vec::Vec;
    use tollway_interfaces::TokenRef;
    use tollway_sdk::crypto::PublicKey;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::typed::Typed;
    use tollway_sdk::{Address, Counter, Item, Map, Role, contract_type};

    /// The number of the first factor.
    pub const FIRST: u8 = 0;
    /// The number of the second factor.
    pub const SECOND: u8 = 1;
    /// How many periods ahead of the running one can be opened.
    pub const PERIODS_AHEAD_MAX: u64 = 400;
    /// What every message of such an account starts with.
    pub const DOMAIN: [u8; 18] = *b"tollway account v1";

    /// What is fixed when the account is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// What it spends.
        pub token: TokenRef,
        /// The number of the chain, so that a signature is good on this one alone.
        pub chain: u64,
        /// What one factor may spend in a period.
        pub limit: u128,
        /// How long a period is. Period n is from n times this on.
        pub period_ms: u64,
        /// How long the owner can stop a recovery.
        pub recovery_delay_ms: u64,
        /// How many guardians it takes.
        pub recovery_threshold: u32,
    }

    /// The state.
    #[storage]
    pub struct Account {
        /// The keys of both factors; a revoked one is not there.
        keys: Map<u8, Item<PublicKey>>,
        /// What one factor may still spend in a period.
        left: Map<u64, Counter>,
        /// Whether a period's limit was added to what is left of it.
        opened: Map<u64, Item<bool>>,
        /// Numbers of messages that were used.
        used: Map<u64, Item<bool>>,
        /// Who may help to recover.
        guardians: Map<Address, Role>,
        /// The keys that a guardian wants the account to have.
        wishes: Map<Address, Item<Keys>>,
        /// A recovery that waits.
        recovery: Item<Recovery>,
    }

    /// The keys of both factors.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Keys {
        /// The first.
        pub first: PublicKey,
        /// The second.
        pub second: PublicKey,
    }

    /// A recovery that waits.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Recovery {
        /// The keys to be.
        pub keys: Keys,
        /// From when on it can be finished.
        pub ready_ms: u64,
    }

    /// Tokens to be paid.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Payment {
        /// To whom.
        pub to: Address,
        /// How many.
        pub amount: u128,
    }

    /// What makes a message good once, and not for ever.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Ticket {
        /// Any number that no message of the account was used with before.
        pub nonce: u64,
        /// The last moment at which it is good.
        pub valid_until_ms: u64,
    }

    /// What a message is about.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action {
        /// A payment by one factor, in this period.
        Pay {
            /// The payment.
            payment: Payment,
            /// The period whose limit it counts to.
            period: u64,
        },
        /// A payment by both factors.
        PayBoth(Payment),
        /// Another key in place of a factor's.
        Replace {
            /// The factor.
            factor: u8,
            /// Its new key.
            key: PublicKey,
        },
        /// No key for a factor.
        Revoke(u8),
        /// The end of the recovery to these keys.
        Cancel(Keys),
    }

    /// What is signed: the borsh bytes of this. Ed25519 signs them, the other kinds their SHA-256.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Message {
        /// [`DOMAIN`].
        pub domain: [u8; 18],
        /// [`Immutables::chain`].
        pub chain: u64,
        /// The account's address.
        pub account: Address,
        /// What makes it good once.
        pub ticket: Ticket,
        /// What it is about.
        pub action: Action,
    }

    /// Tokens were paid.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Paid {
        /// To whom.
        pub to: Address,
        /// How many.
        pub amount: u128,
        /// By the message with this number.
        pub nonce: u64,
    }

    /// A factor has another key, or none.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct KeyChanged {
        /// The factor.
        pub factor: u8,
        /// Its key.
        pub key: Option<PublicKey>,
    }

    /// Guardians want to set the keys anew.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RecoveryStarted {
        /// The keys to be.
        pub keys: Keys,
        /// From when on it can be finished.
        pub ready_ms: u64,
    }

    /// The owner stopped the recovery.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct RecoveryCancelled {
        /// The keys that will not be.
        pub keys: Keys,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// A period of no time, or more guardians needed than there are, or none.
        BadTerms,
        /// Two factors with one key are one factor.
        SameKey,
        /// There is no such factor, or its key was revoked.
        NoKey,
        /// The signature is not one of this message by the factor's key.
        BadSignature,
        /// The message is no longer good.
        Expired,
        /// A message with this number was used.
        Replayed,
        /// That period is over, has not begun, or is too far ahead.
        WrongPeriod,
        /// One factor may not spend as much in this period, or the period was not opened.
        OverLimit,
        /// The caller is no guardian.
        NotGuardian,
        /// Too few of these guardians want these keys.
        TooFew,
        /// A recovery to these keys waits already.
        Waiting,
        /// There is no recovery.
        NoRecovery,
        /// The recovery's delay is not over.
        TooEarly,
    }

    impl Account {
        /// Creates the account.
        #[init]
        pub fn init(&mut self, keys: Keys, guardians: Vec<Address>) -> Result<(), Error> {
            require_different(&keys)?;
            let mut count = 0;
            for guardian in guardians {
                let role = self.guardians.at(guardian);
                count += u32::from(!role.has());
                role.grant();
            }
            let threshold = self.imm.recovery_threshold;
            if self.imm.period_ms == 0 || threshold == 0 || threshold > count {
                return Err(Error::BadTerms);
            }
            self.keys.at(FIRST).set(&keys.first);
            self.keys.at(SECOND).set(&keys.second);
            Ok(())
        }

        /// Makes the limit of these periods available; a period that was opened stays as it is.
        /// Anybody may.
        #[call]
        pub fn open(&mut self, periods: Vec<u64>) -> Result<(), Error> {
            let now = self.period_now();
            for period in periods {
                if period.checked_sub(now).is_none_or(|ahead| ahead > PERIODS_AHEAD_MAX) {
                    return Err(Error::WrongPeriod);
                }
                let opened = self.opened.at(period);
                if !opened.exists() {
                    opened.set(&true);
                    self.left.at(period).add(self.imm.limit);
                }
            }
            Ok(())
        }

        /// Pays by one factor, within the limit of the period, which must be the running one.
        #[call]
        pub fn pay(
            &mut self,
            payment: Payment,
            period: u64,
            ticket: Ticket,
            factor: u8,
            signature: [u8; 64],
        ) -> Result<(), Error> {
            if period != self.period_now() {
                return Err(Error::WrongPeriod);
            }
            let message = self.message(ticket, Action::Pay { payment, period })?;
            self.check(factor, &message, &signature)?;
            self.use_up(ticket.nonce)?;
            self.left.at(period).sub(payment.amount).map_err(|_| Error::OverLimit)?;
            self.transfer(payment, ticket.nonce);
            Ok(())
        }

        /// Pays any amount, by both factors.
        #[call]
        pub fn pay_both(
            &mut self,
            payment: Payment,
            ticket: Ticket,
            first: [u8; 64],
            second: [u8; 64],
        ) -> Result<(), Error> {
            let message = self.message(ticket, Action::PayBoth(payment))?;
            self.check(FIRST, &message, &first)?;
            self.check(SECOND, &message, &second)?;
            self.use_up(ticket.nonce)?;
            self.transfer(payment, ticket.nonce);
            Ok(())
        }

        /// Gives a factor another key, by both factors.
        #[call]
        pub fn replace(
            &mut self,
            factor: u8,
            key: PublicKey,
            ticket: Ticket,
            first: [u8; 64],
            second: [u8; 64],
        ) -> Result<(), Error> {
            let message = self.message(ticket, Action::Replace { factor, key })?;
            self.check(FIRST, &message, &first)?;
            self.check(SECOND, &message, &second)?;
            self.use_up(ticket.nonce)?;
            if factor > SECOND {
                return Err(Error::NoKey);
            }
            self.keys.at(factor).set(&key);
            let (Some(first), Some(second)) = (self.key(FIRST), self.key(SECOND)) else {
                return Err(Error::NoKey);
            };
            require_different(&Keys { first, second })?;
            KeyChanged { factor, key: Some(key) }.emit();
            Ok(())
        }

        /// Takes the key from a factor, by one factor, its own or the other.
        #[call]
        pub fn revoke(
            &mut self,
            factor: u8,
            ticket: Ticket,
            by: u8,
            signature: [u8; 64],
        ) -> Result<(), Error> {
            let message = self.message(ticket, Action::Revoke(factor))?;
            self.check(by, &message, &signature)?;
            self.use_up(ticket.nonce)?;
            let key = self.keys.at(factor);
            if !key.exists() {
                return Err(Error::NoKey);
            }
            key.remove();
            KeyChanged { factor, key: None }.emit();
            Ok(())
        }

        /// Says, as a guardian, which keys the account should have.
        #[call]
        pub fn support(&mut self, keys: Keys) -> Result<(), Error> {
            require_different(&keys)?;
            self.guardians.at(caller()).require(Error::NotGuardian)?;
            self.wishes.at(caller()).set(&keys);
            Ok(())
        }

        /// Starts the recovery to keys that enough of these guardians want, in place of one to other
        /// keys. Anybody may. What the guardians wanted is used up: it does not start another one.
        #[call]
        pub fn recover(&mut self, keys: Keys, guardians: Vec<Address>) -> Result<(), Error> {
            if self.recovery.get().is_some_and(|waiting| waiting.keys == keys) {
                return Err(Error::Waiting);
            }
            let mut count = 0_u32;
            for guardian in guardians {
                let wish = self.wishes.at(guardian);
                if self.guardians.at(guardian).has() && wish.get() == Some(keys) {
                    // Also counts nobody twice.
                    wish.remove();
                    count += 1;
                }
            }
            if count < self.imm.recovery_threshold {
                return Err(Error::TooFew);
            }
            let Some(ready_ms) = time_ms().checked_add(self.imm.recovery_delay_ms) else {
                return Err(Error::BadTerms);
            };
            self.recovery.set(&Recovery { keys, ready_ms });
            RecoveryStarted { keys, ready_ms }.emit();
            Ok(())
        }

        /// Stops a recovery, by both factors.
        #[call]
        pub fn cancel(
            &mut self,
            ticket: Ticket,
            first: [u8; 64],
            second: [u8; 64],
        ) -> Result<(), Error> {
            let Some(Recovery { keys, .. }) = self.recovery.get() else {
                return Err(Error::NoRecovery);
            };
            let message = self.message(ticket, Action::Cancel(keys))?;
            self.check(FIRST, &message, &first)?;
            self.check(SECOND, &message, &second)?;
            self.use_up(ticket.nonce)?;
            self.recovery.remove();
            RecoveryCancelled { keys }.emit();
            Ok(())
        }

        /// Sets the keys of a recovery whose delay is over. Anybody may.
        #[call]
        pub fn finish(&mut self) -> Result<(), Error> {
            let Some(Recovery { keys, ready_ms }) = self.recovery.get() else {
                return Err(Error::NoRecovery);
            };
            if time_ms() < ready_ms {
                return Err(Error::TooEarly);
            }
            self.recovery.remove();
            self.keys.at(FIRST).set(&keys.first);
            self.keys.at(SECOND).set(&keys.second);
            KeyChanged { factor: FIRST, key: Some(keys.first) }.emit();
            KeyChanged { factor: SECOND, key: Some(keys.second) }.emit();
            Ok(())
        }

        /// The key of a factor, if it has one.
        #[view]
        pub fn key(&self, factor: u8) -> Option<PublicKey> {
            self.keys.at(factor).get()
        }

        /// What one factor may still spend in a period, if it is opened.
        #[view]
        pub fn left(&self, period: u64) -> Option<u128> {
            self.opened.at(period).exists().then(|| self.left.at(period).get())
        }

        /// Whether a message with this number was used.
        #[view]
        pub fn is_used(&self, nonce: u64) -> bool {
            self.used.at(nonce).exists()
        }

        /// The recovery that waits.
        #[view]
        pub fn recovery(&self) -> Option<Recovery> {
            self.recovery.get()
        }

        fn period_now(&self) -> u64 {
            time_ms().checked_div(self.imm.period_ms).unwrap_or(0)
        }

        /// The bytes that are signed, if they are still good.
        fn message(&self, ticket: Ticket, action: Action) -> Result<Vec<u8>, Error> {
            if time_ms() > ticket.valid_until_ms {
                return Err(Error::Expired);
            }
            let (domain, chain, account) = (DOMAIN, self.imm.chain, this());
            let mut bytes = Vec::with_capacity(256);
            Message { domain, chain, account, ticket, action }.encode(&mut bytes);
            Ok(bytes)
        }

        fn check(&self, factor: u8, message: &[u8], signature: &[u8; 64]) -> Result<(), Error> {
            let key = self.keys.at(factor).get().ok_or(Error::NoKey)?;
            if key.verify(message, signature) { Ok(()) } else { Err(Error::BadSignature) }
        }

        fn use_up(&mut self, nonce: u64) -> Result<(), Error> {
            let used = self.used.at(nonce);
            if used.exists() {
                return Err(Error::Replayed);
            }
            used.set(&true);
            Ok(())
        }

        fn transfer(&mut self, payment: Payment, nonce: u64) {
            let Payment { to, amount } = payment;
            self.imm.token.transfer(payment.to, payment.amount);
            Paid { to, amount, nonce }.emit();
        }
    }

    fn require_different(keys: &Keys) -> Result<(), Error> {
        if keys.first == keys.second { Err(Error::SameKey) } else { Ok(()) }
    }
}
