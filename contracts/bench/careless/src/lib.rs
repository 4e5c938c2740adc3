//! A contract whose declarations do not say what it does, and which does one thing as Wasm and
//! another natively: every mistake that the tools for authors are there to find, once each.
//!
//! ```text
//! pay(to, amount)     read notes[to]         wrong: it touches shares[to]
//! rename(note)        read notes[caller]     too narrow: it writes it
//! deposit(amount)     write shares[caller]   too wide: it only adds
//! limit_of_all()      write limit            too wide: it only reads
//! raise(amount)       write total            wider than it need be: what it reads is not used
//! ```
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

extern crate alloc;

/// The contract.
#[tollway_sdk::contract]
pub mod careless {
    use alloc::vec::Vec;
    use tollway_sdk::env::{caller, gas_left};
    use tollway_sdk::{Address, Counter, Item, Map};

    /// The state.
    #[storage]
    pub struct Careless {
        /// Everything that was raised.
        total: Item<u128>,
        /// The most that [`raise_below`](Self::raise_below) makes of it.
        limit: Item<u128>,
        /// What each account has.
        shares: Map<Address, Counter>,
        /// What each account wrote down.
        notes: Map<Address, Item<u64>>,
    }

    /// Something was written down.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Noted {
        /// What.
        pub note: u64,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// It would be more than the limit.
        AboveLimit,
        /// Because it was told to.
        Asked,
    }

    /// Wasm has it, and native code has not.
    const IS_WASM: bool = cfg!(target_family = "wasm");

    impl Careless {
        /// Gives to another account, and declares something else of it.
        #[call]
        #[access(write shares[caller], read notes[to])]
        pub fn pay(&mut self, to: Address, amount: u128) {
            let _ = self.shares.at(caller()).sub(amount);
            self.shares.at(to).add(amount);
        }

        /// Writes what it declares to read.
        #[call]
        #[access(read notes[caller])]
        pub fn rename(&mut self, note: u64) {
            self.notes.at(caller()).set(&note);
            Noted { note }.emit();
        }

        /// Declares to write what it only adds to.
        #[call]
        #[access(write shares[caller])]
        pub fn deposit(&mut self, amount: u128) {
            self.shares.at(caller()).add(amount);
        }

        /// Declares to write what it only reads.
        #[call]
        #[access(write limit)]
        pub fn limit_of_all(&mut self) -> u128 {
            self.limit.get_or(0)
        }

        /// Declares what it does; but an add would do.
        #[call]
        pub fn raise(&mut self, amount: u128) {
            let total = self.total.get_or(0);
            self.total.set(&(total + amount));
        }

        /// Declares what it does, and has to.
        #[call]
        pub fn raise_below(&mut self, amount: u128) -> Result<u128, Error> {
            let total = self.total.get_or(0) + amount;
            if total > self.limit.get_or(100) {
                return Err(Error::AboveLimit);
            }
            self.total.set(&total);
            Ok(total)
        }

        /// Notes for all of a list, if it is told to; shares of them in any case.
        #[call]
        pub fn give_all(&mut self, all: Vec<Address>, noting: bool) {
            for to in all {
                if noting {
                    self.notes.at(to).set(&1);
                }
                self.shares.at(to).add(1);
            }
        }

        /// What a caller has.
        #[view]
        pub fn share_of(&self, owner: Address) -> u128 {
            self.shares.at(owner).get()
        }

        /// Does one thing as Wasm and another natively: 0 returns it, 1 emits it, 2 stores it,
        /// 3 reverts, 4 traps, 5 does nothing.
        #[call]
        #[access(write total)]
        pub fn differ(&mut self, how: u8) -> Result<u64, Error> {
            match how {
                0 => return Ok(u64::from(IS_WASM)),
                1 => Noted { note: u64::from(IS_WASM) }.emit(),
                2 => self.total.set(&u128::from(IS_WASM)),
                3 if IS_WASM => return Err(Error::Asked),
                4 if IS_WASM => tollway_sdk::sys::trap(),
                _ => {}
            }
            Ok(0)
        }

        /// Whether there is more gas than that.
        #[call]
        #[access(none)]
        pub fn has_gas(&mut self, gas: u64) -> bool {
            gas_left() > gas
        }
    }
}
