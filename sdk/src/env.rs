//! What a contract may know of where it runs.

pub use crate::sys::{call_index, caller, gas_left, height, this, time_ms};
