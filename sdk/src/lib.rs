//! What a Tollway contract author imports.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod call;
pub mod entry;
pub mod env;
pub mod key;
pub mod math;
pub mod storage;
#[allow(unsafe_code, reason = "the border to the host needs it, and nothing else does")]
pub mod sys;
pub mod typed;

pub use borsh;
pub use key::KeyPart;
pub use storage::{Counter, Item, Map, Underflow};
pub use tollway_host_api as host_api;
pub use tollway_host_api::{Address, CallStatus};
pub use tollway_sdk_macros::{contract, contract_type, interface};
pub use typed::{Bytes, Typed};

pub mod private;
#[doc(hidden)]
pub use private as __private;
