//! Interfaces that sample contracts call each other through, and the formulas that several share. A
//! contract depends on these, never on another contract's crate, whose exports would end up in its
//! own Wasm.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod curve;
mod exchange;
mod oracle;
mod payments;
mod synthetic;
mod token;

pub use exchange::{Hop, Leg, PairRef, Path, RouterRef};
pub use oracle::{OracleRef, PRICE_SCALE, Price};
pub use payments::{Invoice, InvoiceRef, InvoiceStatus, InvoiceTerms};
pub use synthetic::SyntheticRef;
pub use token::{TokenError, TokenRef};
