//! The suite: one seeded block of everything that the sample contracts do, and each of them alone.
//!
//! ```text
//! KINDS    token 408 ‰ · pair 100 ‰ · router 60 ‰ · lend … · invoice …     who is called how often
//!            │ set up in one world: the same accounts, tokens and prices for all
//!            ▼
//! block    call after call, each of a kind drawn by weight, from what that kind says comes next
//! ```
//!
//! # The mix
//! Of the 11,531 transactions that the blocks from 10,000,000 on of Ethereum's mainnet have in the
//! data set that the replays use, 74 % are plain payments of ether, 11 % transfers of tokens, 4 %
//! approvals and transfers on somebody's behalf, 4 % swaps, and 8 % all else (these blocks were chosen,
//! at forks and for many transfers and swaps: they are no random sample). Here 41 % of the calls
//! are payments: less than half of those, so that contracts weigh more. 25 % are exchanges (pairs,
//! routes, a sharded pool, an order book), 9 % credit, 6 % derivatives with their oracle, 4 % votes,
//! 3 % a regulated asset, and 12 % what businesses pay each other and agree on.
//!
//! Accounts are drawn evenly, markets, merchants and items by Zipf's law (the k-th one k times rarer
//! than the first). All that needs prices reads one oracle, and they move as it is reported to.
//!
//! # What holds
//! Every call of a measured block succeeds, and touches nothing that its contract does not declare;
//! all numbers of threads end in one state.
//!
//! What adds bring is measured by their absence: [`Declared::AddsAsWrites`] gives every contract
//! the access section that it would have if nothing commuted. What else contracts do for parallelism
//! is in [`ABLATIONS`]: kinds that do without, measured alone only.

mod access;
mod measure;
mod parts;
mod world;

pub use access::{without_adds, without_immutables};
pub use measure::{
    BLOCK_CALLS_MAX, PartRecord, SuiteOptions, SuiteRecord, SuiteReport, TracedSuite, drawn, run,
    run_alone, traced,
};
pub use parts::{ABLATIONS, Ablation, KINDS, Kind};
pub use world::{At, Declared, Part, USERS, World, user};

#[cfg(test)]
mod tests;
