//! The suite: one seeded block of everything that the sample contracts do, and each of them alone.
//!
//! ```text
//! KINDS    pair 160 ‰ · token 180 ‰ · lend … · dao … · invoice …      who is called how often
//!            │ set up in one world: the same accounts, tokens and prices for all
//!            ▼
//! block    call after call, each of a kind drawn by weight, from what that kind says comes next
//! ```
//!
//! Accounts are drawn evenly, markets by Zipf's law (the k-th one k times rarer than the first).
//! Every call of a measured block succeeds, and touches nothing that its contract does not declare;
//! all numbers of threads end in one state.
//!
//! What adds bring is measured by their absence: [`Declared::AddsAsWrites`] gives every contract
//! the access section that it would have if nothing commuted.

mod access;
mod measure;
mod parts;
mod world;

pub use access::without_adds;
pub use measure::{
    BLOCK_CALLS_MAX, PartRecord, SuiteOptions, SuiteRecord, SuiteReport, TracedSuite, drawn, run,
    run_alone, traced,
};
pub use parts::{KINDS, Kind};
pub use world::{At, Declared, Part, USERS, World, user};

#[cfg(test)]
mod tests;
