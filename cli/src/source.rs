//! Where contracts and blocks come from.

mod block;
mod contract;
mod names;
mod recorded;

pub(crate) use block::Source;
pub(crate) use contract::{checked, contract_bytes};
pub(crate) use names::Names;
