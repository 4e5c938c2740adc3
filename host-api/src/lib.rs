//! What both sides of Tollway agree on: the contract's ABI and access templates, the encoding of
//! state keys, the table of host functions, and status codes. No I/O, `no_std`.
//!
//! ```text
//! contracts ──▶ sdk ──▶ host-api ◀── runtime ◀── cli, benches
//! ```
//!
//! Values cross the border as [borsh](https://borsh.io) bytes; state keys have an encoding of
//! their own ([`key`]), in which byte order is value order.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod abi;
pub mod address;
pub mod encode;
pub mod functions;
pub mod key;
pub mod schema;
pub mod shard;
pub mod status;
pub mod template;
pub mod value;
pub mod window;

pub use abi::{Abi, Event, Method, Mutability, StorageField};
pub use address::Address;
pub use schema::{Field, List, Text, Type, Variant};
pub use status::{CallStatus, MethodStatus};
pub use template::{AccessTemplate, Expr, Mode};
