//! Assets.

use tollway_sdk::{Address, contract_type, interface};

/// Why a call of a token reverts.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// Only the owner may do this.
    NotOwner,
    /// The account holds less than that.
    InsufficientBalance,
    /// The caller was allowed less than that.
    InsufficientAllowance,
}

/// A fungible token: what others need of it. The contract is in `contracts/assets/token`.
#[interface(error = TokenError)]
pub trait Token {
    /// Moves `amount` from the caller to `to`.
    fn transfer(to: Address, amount: u128);
    /// Moves `amount` from `from`, which must have approved the caller, to `to`.
    fn transfer_from(from: Address, to: Address, amount: u128);
    /// Lets `spender` move up to `amount` of the caller's; `u128::MAX` is without limit.
    fn approve(spender: Address, amount: u128);
    /// Lets `spender` move up to `amount` of the caller's with `transfer_granted` until the
    /// top-level call ends.
    fn grant(spender: Address, amount: u128);
    /// Moves `amount` from `from`, which must have granted the caller as much in this call, to `to`.
    fn transfer_granted(from: Address, to: Address, amount: u128);
    /// What `owner` holds.
    fn balance_of(owner: Address) -> u128;
    /// What `spender` may still move of `owner`'s.
    fn allowance(owner: Address, spender: Address) -> u128;
    /// What all hold together.
    fn total_supply() -> u128;
}
