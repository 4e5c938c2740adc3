//! State channels: two parties lock tokens, exchange signed states off the chain, and the highest
//! one that both signed says who gets what.
//!
//! ```text
//! open(channel, ..)            write channels[channel]   token.transfer_from(channel.a, this, _)
//! join(channel, ..)            write channels[channel]   token.transfer_from(channel.b, this, _)
//! close, settle, withdraw      write channels[channel]   token.transfer(channel.a / channel.b, _)
//! start, dispute               write channels[channel]
//! ```
//!
//! ```text
//! open ──▶ Offered ── join ──▶ Open ── start ──▶ Closing ── settle, after the window ──▶ Closed
//!             └── withdraw ──▶ Closed  └────────────┴────── close, by both, at once ──────▶
//! ```
//!
//! Each channel is one key, known from the arguments, so channels do not wait for each other. All
//! their tokens are in one balance, which they add to and take from without reading it.
//!
//! A state is good if both signed it, if its amounts are what was paid in, to the last unit, and if
//! its version is higher than what was there. Signatures are over a [`Message`](channel::Message)
//! that names chain, contract and channel, and a channel's name is never used again: so no
//! state is good anywhere else or later.
//!
//! **Who is online in the window loses nothing**: if the other submits an old state, submit the last
//! one, which both signed. Only give away your signature of a state after which you can live with the
//! one before it *or* this one, because the other may submit either.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod channel {
    extern crate alloc;

    use alloc::vec::Vec;
    use tollway_interfaces::TokenRef;
    use tollway_sdk::crypto::PublicKey;
    use tollway_sdk::env::{caller, this, time_ms};
    use tollway_sdk::typed::Typed;
    use tollway_sdk::{Address, Item, Map, contract_type};

    /// What every message of a channel starts with.
    pub const DOMAIN: [u8; 18] = *b"tollway channel v1";

    /// What is fixed when the contract is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// What channels hold.
        pub token: TokenRef,
        /// The number of the chain, so that a state is good on this one alone.
        pub chain: u64,
    }

    /// The state.
    #[storage]
    pub struct Channels {
        /// All channels that ever were: a name is used once.
        channels: Map<Name, Item<Channel>>,
    }

    /// What a channel is known by.
    #[contract_type(key)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Name {
        /// Who opens it.
        pub a: Address,
        /// Who joins.
        pub b: Address,
        /// A number, of the opener's choice.
        pub id: u64,
    }

    /// What the parties agree on when they lock their tokens.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Terms {
        /// What a locks.
        pub amount_a: u128,
        /// What b locks.
        pub amount_b: u128,
        /// How long the other can answer who wants to close alone.
        pub window_ms: u64,
    }

    /// Who gets what.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct State {
        /// A later state has a higher one. What was paid in is version 0.
        pub version: u64,
        /// What a gets.
        pub amount_a: u128,
        /// What b gets.
        pub amount_b: u128,
    }

    /// Both parties' signatures of one message.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Signatures {
        /// That of a.
        pub a: [u8; 64],
        /// That of b.
        pub b: [u8; 64],
    }

    /// A state that both signed.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SignedState {
        /// The state.
        pub state: State,
        /// Signatures of [`Action::Update`].
        pub signatures: Signatures,
    }

    /// How far a channel is.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Phase {
        /// a has paid in, b has not.
        Offered,
        /// Both have paid in; this is the key of b.
        Open(PublicKey),
        /// Somebody wants to close alone.
        Closing {
            /// The key of b.
            key_b: PublicKey,
            /// The highest state that was submitted.
            state: State,
            /// From then on it is paid out.
            until_ms: u64,
        },
        /// All was paid out.
        Closed,
    }

    /// A channel.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Channel {
        /// What was agreed on.
        pub terms: Terms,
        /// The key of a.
        pub key_a: PublicKey,
        /// How far it is.
        pub phase: Phase,
    }

    /// What a message says.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Action {
        /// This is the latest state.
        Update(State),
        /// Pay this out, at once.
        Close(State),
    }

    /// What is signed: the borsh bytes of this. Ed25519 signs them, the other kinds their SHA-256.
    #[contract_type]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Message {
        /// [`DOMAIN`].
        pub domain: [u8; 18],
        /// [`Immutables::chain`].
        pub chain: u64,
        /// The address of this contract.
        pub contract: Address,
        /// The channel.
        pub channel: Name,
        /// What it says.
        pub action: Action,
    }

    /// A channel waits for b.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Offered {
        /// Which.
        pub channel: Name,
        /// On these terms.
        pub terms: Terms,
    }

    /// A channel is open.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Opened {
        /// Which.
        pub channel: Name,
    }

    /// A channel will be closed with this state, if none with a higher version comes: whoever has
    /// one has to submit it.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Submitted {
        /// Which.
        pub channel: Name,
        /// The version.
        pub version: u64,
        /// Until when.
        pub until_ms: u64,
    }

    /// A channel was paid out.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Closed {
        /// Which.
        pub channel: Name,
        /// What a got.
        pub amount_a: u128,
        /// What b got.
        pub amount_b: u128,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only a party of the channel may do this, and maybe only the other one.
        NotParty,
        /// One party or one key for both sides, no window, or sums beyond all tokens.
        BadTerms,
        /// A channel of this name is there, or was.
        Taken,
        /// There is no such channel, or it is not in a phase for this.
        WrongPhase,
        /// The channel was offered on other terms.
        OtherTerms,
        /// The amounts are not what was paid in.
        WrongSum,
        /// A signature is not the party's, of this state in this channel.
        BadSignature,
        /// A state of this version or a higher one was submitted.
        OldState,
        /// The window is over.
        TooLate,
        /// The window is not over.
        TooEarly,
    }

    impl Channels {
        /// Offers a channel to `channel.b`, and locks the caller's tokens, which it must have
        /// approved.
        #[call]
        pub fn open(&mut self, channel: Name, terms: Terms, key: PublicKey) -> Result<(), Error> {
            if caller() != channel.a {
                return Err(Error::NotParty);
            }
            let sum = terms.amount_a.checked_add(terms.amount_b);
            if channel.a == channel.b || terms.window_ms == 0 || sum.is_none() {
                return Err(Error::BadTerms);
            }
            let place = self.channels.at(channel);
            if place.exists() {
                return Err(Error::Taken);
            }
            place.set(&Channel { terms, key_a: key, phase: Phase::Offered });
            self.imm.token.transfer_from(channel.a, this(), terms.amount_a);
            Offered { channel, terms }.emit();
            Ok(())
        }

        /// Joins a channel that was offered to the caller on exactly these terms, and locks its
        /// tokens, which it must have approved.
        #[call]
        pub fn join(&mut self, channel: Name, terms: Terms, key: PublicKey) -> Result<(), Error> {
            if caller() != channel.b {
                return Err(Error::NotParty);
            }
            let place = self.channels.at(channel);
            let mut found = place.get().ok_or(Error::WrongPhase)?;
            if found.phase != Phase::Offered {
                return Err(Error::WrongPhase);
            }
            if found.terms != terms {
                return Err(Error::OtherTerms);
            }
            if found.key_a == key {
                return Err(Error::BadTerms);
            }
            found.phase = Phase::Open(key);
            place.set(&found);
            self.imm.token.transfer_from(channel.b, this(), terms.amount_b);
            Opened { channel }.emit();
            Ok(())
        }

        /// Takes back, as a, what b did not join.
        #[call]
        pub fn withdraw(&mut self, channel: Name) -> Result<(), Error> {
            if caller() != channel.a {
                return Err(Error::NotParty);
            }
            let place = self.channels.at(channel);
            let found = place.get().ok_or(Error::WrongPhase)?;
            if found.phase != Phase::Offered {
                return Err(Error::WrongPhase);
            }
            // The name is used up: states that were signed for it must not come to life again.
            place.set(&Channel { phase: Phase::Closed, ..found });
            let amount_a = found.terms.amount_a;
            self.imm.token.transfer(channel.a, amount_a);
            Closed { channel, amount_a, amount_b: 0 }.emit();
            Ok(())
        }

        /// Pays a state out at once, which both signed for that. Anybody may.
        #[call]
        pub fn close(
            &mut self,
            channel: Name,
            state: State,
            signatures: Signatures,
        ) -> Result<(), Error> {
            let found = self.channels.at(channel).get().ok_or(Error::WrongPhase)?;
            let (Phase::Open(key_b) | Phase::Closing { key_b, .. }) = found.phase else {
                return Err(Error::WrongPhase);
            };
            self.check(channel, &found, key_b, Action::Close(state), state, &signatures)?;
            self.pay_out(channel, found, state);
            Ok(())
        }

        /// Starts, as a party, to close alone: with the latest state that it has, or none, which is
        /// what was paid in.
        #[call]
        pub fn start(&mut self, channel: Name, latest: Option<SignedState>) -> Result<(), Error> {
            let by = caller();
            if by != channel.a && by != channel.b {
                return Err(Error::NotParty);
            }
            let place = self.channels.at(channel);
            let mut found = place.get().ok_or(Error::WrongPhase)?;
            let Phase::Open(key_b) = found.phase else { return Err(Error::WrongPhase) };
            let state = match latest {
                None => initial(&found.terms),
                Some(signed) => self.signed_state(channel, &found, key_b, signed, 0)?,
            };
            let until_ms = time_ms().checked_add(found.terms.window_ms).ok_or(Error::BadTerms)?;
            found.phase = Phase::Closing { key_b, state, until_ms };
            place.set(&found);
            Submitted { channel, version: state.version, until_ms }.emit();
            Ok(())
        }

        /// Answers, within the window, with a state of a higher version. Anybody may, so a party can
        /// leave its states with somebody who watches.
        #[call]
        pub fn dispute(&mut self, channel: Name, latest: SignedState) -> Result<(), Error> {
            let place = self.channels.at(channel);
            let mut found = place.get().ok_or(Error::WrongPhase)?;
            let Phase::Closing { key_b, state, until_ms } = found.phase else {
                return Err(Error::WrongPhase);
            };
            if time_ms() >= until_ms {
                return Err(Error::TooLate);
            }
            let state = self.signed_state(channel, &found, key_b, latest, state.version)?;
            found.phase = Phase::Closing { key_b, state, until_ms };
            place.set(&found);
            Submitted { channel, version: state.version, until_ms }.emit();
            Ok(())
        }

        /// Pays out the highest state that was submitted, when the window is over. Anybody may.
        #[call]
        pub fn settle(&mut self, channel: Name) -> Result<(), Error> {
            let found = self.channels.at(channel).get().ok_or(Error::WrongPhase)?;
            let Phase::Closing { state, until_ms, .. } = found.phase else {
                return Err(Error::WrongPhase);
            };
            if time_ms() < until_ms {
                return Err(Error::TooEarly);
            }
            self.pay_out(channel, found, state);
            Ok(())
        }

        /// A channel, if there is or was one of this name.
        #[view]
        pub fn channel(&self, channel: Name) -> Option<Channel> {
            self.channels.at(channel).get()
        }

        /// A state that both signed, of a version above `above`.
        fn signed_state(
            &self,
            channel: Name,
            found: &Channel,
            key_b: PublicKey,
            signed: SignedState,
            above: u64,
        ) -> Result<State, Error> {
            let SignedState { state, signatures } = signed;
            // Before the signatures, which cost much more to check.
            if state.version <= above {
                return Err(Error::OldState);
            }
            self.check(channel, found, key_b, Action::Update(state), state, &signatures)?;
            Ok(state)
        }

        /// Whether a state gives out what was paid in, and both signed what is to be done with it.
        fn check(
            &self,
            channel: Name,
            found: &Channel,
            key_b: PublicKey,
            action: Action,
            state: State,
            signatures: &Signatures,
        ) -> Result<(), Error> {
            let Terms { amount_a, amount_b, .. } = found.terms;
            // The sum of the terms was checked when the channel was offered.
            if state.amount_a.checked_add(state.amount_b) != amount_a.checked_add(amount_b) {
                return Err(Error::WrongSum);
            }
            let (domain, chain, contract) = (DOMAIN, self.imm.chain, this());
            let mut bytes = Vec::with_capacity(256);
            Message { domain, chain, contract, channel, action }.encode(&mut bytes);
            let is_signed =
                found.key_a.verify(&bytes, &signatures.a) && key_b.verify(&bytes, &signatures.b);
            if is_signed { Ok(()) } else { Err(Error::BadSignature) }
        }

        fn pay_out(&mut self, channel: Name, found: Channel, state: State) {
            let State { amount_a, amount_b, .. } = state;
            self.channels.at(channel).set(&Channel { phase: Phase::Closed, ..found });
            if amount_a > 0 {
                self.imm.token.transfer(channel.a, amount_a);
            }
            if amount_b > 0 {
                self.imm.token.transfer(channel.b, amount_b);
            }
            Closed { channel, amount_a, amount_b }.emit();
        }
    }

    /// Everyone gets what he paid in.
    fn initial(terms: &Terms) -> State {
        State { version: 0, amount_a: terms.amount_a, amount_b: terms.amount_b }
    }
}
