//! A fungible token.
//!
//! ```text
//! transfer(to, amount)    add balances[caller]   add balances[to]
//! mint(to, amount)        add balances[to]       add supply
//! burn(amount)            add balances[caller]   add supply
//! ```
//!
//! Balances and the supply are counters, and adding to one and taking from it are both adds: no
//! payment waits for another, whoever sends or gets it. Only who asks for a balance waits for the
//! payments before.
//!
//! # Allowances
//! `transfer_from` reads what the payer allowed the caller and, where that has a limit, writes what is
//! left of it. So payments of one payer through one spender wait for each other; those of two payers,
//! or through two spenders, do not. A counter that payments take from without reading would free those
//! too, but what nobody reads cannot say that it has no limit. That takes a second key, which every
//! payment through a contract would declare, plan and pay for (about 160 gas), and most of those come
//! without a limit; or it takes a counter that goes down without a limit too, and so is written by
//! payments that now only read, and runs out.
//!
//! A contract that passes on what just came to it, as a checkout does, would have all its calls wait for
//! each other at the one allowance of whom it passes it on to. It calls `grant` instead, which holds until
//! the top-level call ends and is no state (after ERC-7674, "Temporary approval extension for
//! ERC-20", 2024).
//!
//! No method declares its access: the macro finds it in the bodies.
#![cfg_attr(target_family = "wasm", no_std)]
#![deny(unsafe_code)]

/// The contract.
#[tollway_sdk::contract]
pub mod token {
    use tollway_sdk::env::caller;
    use tollway_sdk::{Address, Counter, Item, Map, Transient};

    /// What is fixed when the token is created.
    #[immutables]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Immutables {
        /// Who may mint.
        pub owner: Address,
    }

    /// The state.
    #[storage]
    pub struct Token {
        /// What each account holds.
        balances: Map<Address, Counter>,
        /// What `(owner, spender)` may still move; [`u128::MAX`] is without limit.
        allowances: Map<(Address, Address), Item<u128>>,
        /// What `(owner, spender)` may still move in this call.
        granted: Map<(Address, Address), Transient<u128>>,
        /// The sum of all balances.
        supply: Counter,
    }

    /// Tokens moved. New ones come from, and burned ones go to, [`Address::ZERO`].
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Transfer {
        /// Whose balance fell.
        pub from: Address,
        /// Whose balance rose.
        pub to: Address,
        /// By how much.
        pub amount: u128,
    }

    /// An allowance was set.
    #[event]
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Approval {
        /// Who allows.
        pub owner: Address,
        /// Who may move tokens.
        pub spender: Address,
        /// How many.
        pub amount: u128,
    }

    /// Why a call reverts.
    #[error]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Error {
        /// Only the owner may do this.
        NotOwner,
        /// The account holds less than that.
        InsufficientBalance,
        /// The caller was allowed less than that.
        InsufficientAllowance,
    }

    impl Token {
        /// Creates `amount` new tokens for `to`. Only the owner may.
        #[call]
        pub fn mint(&mut self, to: Address, amount: u128) -> Result<(), Error> {
            if caller() != self.imm.owner {
                return Err(Error::NotOwner);
            }
            self.balances.at(to).add(amount);
            self.supply.add(amount);
            let from = Address::ZERO;
            Transfer { from, to, amount }.emit();
            Ok(())
        }

        /// Destroys `amount` of the caller's tokens.
        #[call]
        pub fn burn(&mut self, amount: u128) -> Result<(), Error> {
            let from = caller();
            self.debit(from, amount)?;
            // The supply is a sum: it holds at least what the account held.
            let _ = self.supply.sub(amount);
            let to = Address::ZERO;
            Transfer { from, to, amount }.emit();
            Ok(())
        }

        /// Moves `amount` from the caller to `to`.
        #[call]
        pub fn transfer(&mut self, to: Address, amount: u128) -> Result<(), Error> {
            self.move_tokens(caller(), to, amount)
        }

        /// Lets `spender` move up to `amount` of the caller's tokens in all.
        #[call]
        pub fn approve(&mut self, spender: Address, amount: u128) {
            let owner = caller();
            self.allowances.at((owner, spender)).set(&amount);
            Approval { owner, spender, amount }.emit();
        }

        /// Moves `amount` from `from` to `to`, out of what `from` allowed the caller.
        #[call]
        pub fn transfer_from(
            &mut self,
            from: Address,
            to: Address,
            amount: u128,
        ) -> Result<(), Error> {
            let allowance = self.allowances.at((from, caller()));
            let allowed = allowance.get_or(0);
            // A limit that is never reached is not counted down, and so not written.
            if allowed != u128::MAX {
                let Some(left) = allowed.checked_sub(amount) else {
                    return Err(Error::InsufficientAllowance);
                };
                allowance.set(&left);
            }
            self.move_tokens(from, to, amount)
        }

        /// Lets `spender` move up to `amount` of the caller's tokens with
        /// [`transfer_granted`](Self::transfer_granted) before the top-level call ends: what is then
        /// left is void.
        #[call]
        pub fn grant(&mut self, spender: Address, amount: u128) {
            self.granted.at((caller(), spender)).set(&amount);
        }

        /// Moves `amount` from `from` to `to`, out of what `from` granted the caller in this call.
        #[call]
        pub fn transfer_granted(
            &mut self,
            from: Address,
            to: Address,
            amount: u128,
        ) -> Result<(), Error> {
            let granted = self.granted.at((from, caller()));
            let Some(left) = granted.get_or(0).checked_sub(amount) else {
                return Err(Error::InsufficientAllowance);
            };
            granted.set(&left);
            self.move_tokens(from, to, amount)
        }

        /// What `owner` holds.
        #[view]
        pub fn balance_of(&self, owner: Address) -> u128 {
            self.balances.at(owner).get()
        }

        /// What `spender` may still move of `owner`'s.
        #[view]
        pub fn allowance(&self, owner: Address, spender: Address) -> u128 {
            self.allowances.at((owner, spender)).get_or(0)
        }

        /// What all hold together.
        #[view]
        pub fn total_supply(&self) -> u128 {
            self.supply.get()
        }

        fn move_tokens(&mut self, from: Address, to: Address, amount: u128) -> Result<(), Error> {
            self.debit(from, amount)?;
            self.balances.at(to).add(amount);
            Transfer { from, to, amount }.emit();
            Ok(())
        }

        fn debit(&mut self, from: Address, amount: u128) -> Result<(), Error> {
            self.balances.at(from).sub(amount).map_err(|_| Error::InsufficientBalance)
        }
    }
}
