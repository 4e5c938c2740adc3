//! A chain for tests of contracts: the real Wasm, on the real scheduler, in the test's own process.
//!
//! ```
//! use tollway_testkit::TestChain;
//! # let token_wasm = tollway_contracts_wasm::TOKEN;
//! let mut chain = TestChain::new();
//! let [alice, bob, carol] = chain.accounts(["alice", "bob", "carol"]);
//! let token = chain.deploy(token_wasm, &alice);
//!
//! chain.run(token.call(alice, "mint", (bob, 100u128))).succeeded();
//! let paid = chain.run(token.call(bob, "transfer", (carol, 30u128)));
//! assert_eq!(paid.event("Transfer")["amount"].to_string(), "30");
//! chain.run(token.call(bob, "transfer", (carol, 71u128))).reverted_with("InsufficientBalance");
//! assert_eq!(chain.query::<u128>(token, "balance_of", carol), 30);
//!
//! // Nobody who is paid waits for whoever else is.
//! let pay = |from| token.call(from, "transfer", (carol, 1u128));
//! chain.assert_independent(&pay(alice), &pay(bob));
//! ```
//!
//! A contract's own tests get its Wasm by [`wasm!`]. Time from the start of a test to its first call
//! goes to compiling it, once for each chain that deploys it; see `examples/first_call.rs`.
//!
//! Every block is run by the oracle too, one call after another, and whatever differs fails the
//! test. What goes wrong is told by contract, method and arguments.
//!
//! | To | use |
//! | --- | --- |
//! | run one call, or a block | [`TestChain::run`], [`TestChain::block`] |
//! | say what shall come of a call | [`Ran`] |
//! | say who may wait for whom | [`TestChain::assert_independent`], [`Block::assert_critical_path`] |
//! | find what is declared and not used, missing, or wider than it need be | [`TestChain::lints`], [`TestChain::assert_all_used`] |
//! | see a block's run as a picture | [`Block::write_picture`] |
//! | see gas, keys, bytes, lanes and misses of each method, and keep them in bounds | [`TestChain::figures`], [`budget`] |
//! | run a contract natively too, or step through it with a debugger | [`native`], [`TestChain::also_native`] |
//! | run random calls | [`random`], [`Dice`] |
//! | give a contract another code | [`TestChain::upgrade`] |
//!
//! # Panics
//! Everything here panics where a test would fail: that is how it fails.

#![forbid(unsafe_code)]

mod chain;
mod dice;
mod ran;
mod uses;

pub mod budget;
pub mod figures;
pub mod native;
pub mod random;
mod wasm;

pub use chain::{Block, Contract, TestChain};
pub use dice::Dice;
pub use figures::Figures;
pub use ran::{EventOf, Ran};
pub use tollway;
pub use uses::{Finding, Lint, Lints};
pub use wasm::wasm_of;
