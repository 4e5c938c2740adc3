//! A guestbook.
//!
//! ```text
//! sign(text)      write entries[caller]   add signatures    no two guests wait for each other
//! like(guest)     add likes[guest]                          nor do those who like the same entry
//! pin(guest)      write pinned                              one after another: there is one place
//! ```
//!
//! No method declares its access: the macro finds it in the bodies. `tollway inspect` shows what it
//! found, and `tests/guestbook.rs` holds it to that.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod guestbook {
    use alloc::string::String;
    use tollway_sdk::env::caller;
    use tollway_sdk::{Address, Counter, Item, Map};

    /// The most bytes of an entry.
    pub const TEXT_BYTES_MAX: usize = 280;

    /// What is fixed when the guestbook is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who may pin.
        pub owner: Address,
    }

    /// The state.
    #[storage]
    pub struct Guestbook {
        /// What each guest wrote.
        entries: Map<Address, Item<String>>,
        /// How often an entry was liked. A counter: adding to it is not reading it.
        likes: Map<Address, Counter>,
        /// How often somebody signed.
        signatures: Counter,
        /// Whose entry is on the first page.
        pinned: Item<Address>,
    }

    /// Somebody signed.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Signed {
        /// Who.
        pub guest: Address,
        /// What.
        pub text: String,
    }

    /// Another entry is on the first page.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Pinned {
        /// Whose.
        pub guest: Address,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// An entry has at least one byte, and at most [`TEXT_BYTES_MAX`].
        BadLength,
        /// This guest has not signed.
        NoEntry,
    }

    impl Guestbook {
        /// Writes the caller's entry, in place of an earlier one.
        #[call]
        pub fn sign(&mut self, text: String) -> Result<(), Error> {
            if text.is_empty() || text.len() > TEXT_BYTES_MAX {
                return Err(Error::BadLength);
            }
            let guest = caller();
            self.entries.at(guest).set(&text);
            self.signatures.add(1);
            Signed { guest, text }.emit();
            Ok(())
        }

        /// Likes a guest's entry.
        #[call]
        pub fn like(&mut self, guest: Address) {
            self.likes.at(guest).add(1);
        }

        /// Puts a guest's entry on the first page. Only the owner may.
        #[call]
        pub fn pin(&mut self, guest: Address) -> Result<(), Error> {
            if caller() != self.imm.owner {
                return Err(Error::NotOwner);
            }
            if !self.entries.at(guest).exists() {
                return Err(Error::NoEntry);
            }
            self.pinned.set(&guest);
            Pinned { guest }.emit();
            Ok(())
        }

        /// What a guest wrote, if anything.
        #[view]
        pub fn entry(&self, guest: Address) -> Option<String> {
            self.entries.at(guest).get()
        }

        /// How often a guest's entry was liked.
        #[view]
        pub fn likes(&self, guest: Address) -> u128 {
            self.likes.at(guest).get()
        }

        /// How often somebody signed.
        #[view]
        pub fn signatures(&self) -> u128 {
            self.signatures.get()
        }

        /// Whose entry is on the first page.
        #[view]
        pub fn pinned(&self) -> Option<Address> {
            self.pinned.get()
        }
    }
}
