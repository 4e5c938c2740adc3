//! Contracts that run natively: beside their Wasm on a [`TestChain`](crate::TestChain), or alone on a
//! [`NativeChain`].
//!
//! A contract is a plain Rust module. Compiled for this machine, its entry points run in the test's
//! own process, so a debugger stops at a breakpoint in them, steps and shows variables; a panic says
//! where it was; and `println!` and `dbg!` print, as long as they are left out of the Wasm:
//!
//! ```text
//! #[call]
//! pub fn transfer_from(&mut self, from: Address, to: Address, amount: u128) -> Result<(), Error> {
//!     let allowed = self.allowances.at((from, caller())).get_or(0);
//!     #[cfg(not(target_family = "wasm"))]
//!     dbg!(allowed, amount);
//! ```
//!
//! With [`TestChain::also_native`](crate::TestChain::also_native) every call runs both ways, and a
//! difference in outcome, return value, events or state fails the test. Gas is not compared: native
//! code has none. So calls that ran out of it, or exhausted their stack, run as Wasm only, and so do
//! those of which the result depends on their gas.
//!
//! A contract that runs natively can't call one that is only there as Wasm: give that one its native
//! twin, too. The other way around, from Wasm, everything runs as Wasm.
//!
//! ```
//! use tollway_contract_token::token;
//! use tollway_testkit::native::NativeChain;
//!
//! let mut chain = NativeChain::new();
//! let [alice, bob] = chain.accounts(["alice", "bob"]);
//! let token = chain.deploy(&token::NATIVE, &alice);
//! chain.run(token.call(alice, "mint", (bob, 5u128))).succeeded();
//! chain.run(token.call(bob, "burn", 6u128)).reverted_with("InsufficientBalance");
//! assert_eq!(chain.query::<u128>(token, "balance_of", bob), 5);
//! ```
//!
//! A contract's own unit tests can do the same, with `super::NATIVE`, without any Wasm.

mod beside;
mod chain;

mod changes;
mod host;
mod machine;

pub(crate) use beside::{Twins, may_run_natively};
pub use chain::NativeChain;
pub(crate) use machine::{Env, Machine, Twin};
