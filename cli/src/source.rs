//! Where contracts and blocks come from.

mod block;
mod contract;
mod recorded;

pub(crate) use block::Source;
pub(crate) use contract::{checked, contract_bytes};
pub(crate) use tollway_display::names::Names;
