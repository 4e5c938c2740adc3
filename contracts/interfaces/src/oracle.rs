//! Prices.

use tollway_sdk::{contract_type, interface};

/// Prices are in units of 10⁻⁸: how much of the quote asset's smallest unit one smallest unit of
/// the base asset is worth, times 10⁸.
pub const PRICE_SCALE: u128 = 100_000_000;

/// A price, and when it was agreed on.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// In units of one [`PRICE_SCALE`]th; never 0.
    pub value: u128,
    /// The block's time when it was agreed on, in milliseconds since the Unix epoch. Whoever uses
    /// the price decides how old it may be.
    pub time_ms: u64,
}

/// An oracle: what others need of it. The contract is in `contracts/derivatives/oracle`.
#[interface]
pub trait Oracle {
    /// The price of a feed; `None` until enough reporters have reported.
    fn price(feed: u32) -> Option<Price>;
}
