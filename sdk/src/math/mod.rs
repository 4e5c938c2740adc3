//! Arithmetic of exchanges, interest and rewards: products of two amounts need 256 bits, rates and
//! indexes a fixed point. Nothing wraps, and whatever rounds is told which way.
//!
//! | for | use |
//! | --- | --- |
//! | `a · b / c` of amounts | [`mul_div`], [`mul_div_up`]; with a sign [`mul_div_floor`], [`mul_div_ceil`] |
//! | rates, shares, prices, indexes | [`Fixed`]: [`Wad`], [`Ray`], [`BasisPoints`] |
//! | a difference or 0 | [`above`] |
//! | products whole | [`mul_wide`], [`U256`] |
//! | a root | [`sqrt`] |
//!
//! Round against the caller: what he gets [`Rounding::Down`], what he gives [`Rounding::Up`]. Then
//! no sequence of calls takes out more than was put in.

mod fixed;
mod wide;

pub use fixed::{BasisPoints, Fixed, Ray, Rounding, Wad};
pub use wide::{
    U256, above, div_rem, mul_div, mul_div_ceil, mul_div_floor, mul_div_up, mul_wide, sqrt,
};
