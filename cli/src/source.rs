//! Where contracts and blocks come from.

mod block;
mod contract;

pub(crate) use block::Source;
pub(crate) use contract::contract_bytes;
