//! What a Tollway contract author imports: macros that turn a plain Rust module into a contract,
//! typed storage, calls to other contracts, and exchange math.
//!
//! ```
//! /// A jar that anybody can tip into. Tips do not wait for each other.
//! #[tollway_sdk::contract]
//! pub mod jar {
//!     use tollway_sdk::env::caller;
//!     use tollway_sdk::{Address, Counter, Map, interface};
//!
//!     #[interface]
//!     pub trait Token {
//!         fn transfer(to: Address, amount: u128);
//!         fn transfer_from(from: Address, to: Address, amount: u128);
//!     }
//!
//!     /// Set once, when the contract is created: `self.imm`.
//!     #[immutables]
//!     pub struct Immutables {
//!         pub token: TokenRef,
//!         pub owner: Address,
//!     }
//!
//!     #[storage]
//!     pub struct Jar {
//!         total: Counter,
//!         tipped: Map<Address, Counter>,
//!     }
//!
//!     #[event]
//!     pub struct Tipped {
//!         pub by: Address,
//!         pub amount: u128,
//!     }
//!
//!     #[error]
//!     pub enum Error {
//!         NotOwner,
//!         Empty,
//!     }
//!
//!     impl Jar {
//!         /// Touches: add total, add tipped[caller],
//!         /// and what the token's `transfer_from(caller, this, amount)` touches.
//!         #[call]
//!         pub fn tip(&mut self, amount: u128) {
//!             let by = caller();
//!             self.total.add(amount);
//!             self.tipped.at(by).add(amount);
//!             Tipped { by, amount }.emit();
//!             let jar = tollway_sdk::env::this();
//!             self.imm.token.transfer_from(by, jar, amount);
//!         }
//!
//!         /// The same, written out: `_` is an argument that nobody can know before.
//!         #[call]
//!         #[access(write total, call imm.token.transfer(imm.owner, _))]
//!         pub fn empty(&mut self) -> Result<u128, Error> {
//!             let owner = self.imm.owner;
//!             if caller() != owner {
//!                 return Err(Error::NotOwner);
//!             }
//!             let amount = self.total.get();
//!             self.total.sub(amount).map_err(|_| Error::Empty)?;
//!             self.imm.token.transfer(owner, amount);
//!             Ok(amount)
//!         }
//!
//!         #[view]
//!         pub fn total(&self) -> u128 {
//!             self.total.get()
//!         }
//!     }
//! }
//!
//! use tollway_sdk::host_api::{AccessTemplate, Mode};
//! let tip = jar::ABI.method("tip").unwrap();
//! assert_eq!(tip.access.len(), 3);
//! assert!(matches!(tip.access[0], AccessTemplate::Key { mode: Mode::Add, field: 0, .. }));
//! ```
//!
//! A contract's crate is a `cdylib` for `wasm32v1-none` and starts with
//! `#![cfg_attr(target_family = "wasm", no_std)]`; natively it compiles for lints, docs and tests, in
//! which it runs on a host of theirs (`NATIVE` and [`native`]; `tollway-testkit` has the host). Two contracts cannot share a module: depend on a crate with
//! the other's [`interface`](macro@interface), never on the other contract.
//!
//! # The module
//!
//! | attribute | on | what it makes |
//! | --- | --- | --- |
//! | `#[immutables]` | a struct | `self.imm`, loaded when a method first looks at it |
//! | `#[storage]` | a struct of [kinds of storage](#storage) | the state; a field's index is the first byte of its keys |
//! | `#[event]` | a struct | `.emit()` |
//! | `#[error]` | an enum | what `Err` of an entry point carries |
//! | `#[init]` | the method `init` | runs once, at instantiation |
//! | `#[call]`, `#[call(reentrant)]` | a method | an entry point that may write |
//! | `#[view]` | a method with `&self` | an entry point that only reads |
//! | `#[access(..)]` | an entry point | its declaration, where it is not inferred |
//!
//! An entry point returns `T` or `Result<T, Error>`. Arguments, results and stored values are
//! [`Typed`]: builtin types, and your own with [`contract_type`](macro@contract_type). The macro
//! adds `pub static ABI`, which the Wasm carries in its section `tollway.abi`.
//!
//! # Storage
//!
//! | kind | holds | calls wait for each other |
//! | --- | --- | --- |
//! | [`Item<T>`](Item) | one value or none | at the value, if one of them changes it |
//! | [`Counter`] | an amount | only who reads it, for those who change it: adders and takers do not |
//! | [`Map<K, C>`](Map) | a cell (`Item`, `Counter`, `Transient`) for every key | at one key |
//! | [`Set<K>`](Set) | keys | at one key |
//! | [`Transient<T>`](Transient) | a value for as long as the call runs | never |
//! | [`Vector<T>`](Vector), [`Queue<T>`](Queue) | values one after another | at all of it |
//! | [`OrderedMap<K, V>`](OrderedMap) | entries in key order: first, last, from a bound on | at all of it |
//! | [`Group<P, S>`](Group) | one of the kinds above but `Transient`, for every `P` | at one `P` |
//!
//! What calls wait for has to be known before they run: the key of a map, the `P` of a group. What lies
//! below a `P`, or in a vector, queue or ordered map, may come from anywhere: the runtime keeps, for
//! each call, all that the calls before it changed there. Keys below have no place in the window, so
//! each touch is a host call, and the first touch of a key costs 100 gas and one for each byte that it
//! holds. Use them where keys cannot be known; use maps where they can.
//!
//! # Access
//!
//! What an entry point touches is known before it runs: that is how the runtime runs calls side
//! by side. Without `#[access(..)]` the macro finds it in the body: cells reached from `self`,
//! through variables, branches, `for` loops over arguments, private methods and functions of the
//! module; and calls of clients that are immutables or arguments. Storage that it cannot follow,
//! and keys of maps and groups that are not known before the call runs, are compile errors at their
//! place. With `#[access(..)]`, the body is not looked at:
//!
//! ```text
//! #[access(
//!     read  config[pool],                            one key; `read total` for a single value
//!     write allowances[(from, caller)],              also [from, caller]
//!     write orders[market],                          a Group: all that is under `market`
//!     add   balances[leg.to],                        a Counter, not read: `add` and `sub`
//!     for leg in legs { add balances[leg.to] },      a list that is an argument or in one
//!     call  imm.token.transfer_from(caller, this, _) what the other contract's method declares
//! )]
//! #[access(none)]                                    touches nothing
//! #[access(undeclared)]                              cannot say; runs alone, after the others
//! ```
//!
//! Key parts are arguments and their fields, `caller`, `this`, `imm.field`, literals, constants in
//! `CAPITALS`, `call_id` and `shard_of(part, COUNT)`. A key that the declaration leaves out never changes a result, but
//! costs a second run. [`Transient`] storage is the call's own: it is neither declared nor found.
//!
//! The host lays declared values of a fixed size out in the contract's memory before the call
//! starts (see [`host_api::window`]), and takes changes back after it. Cells look there first, so
//! that most methods call no host function at all. There is nothing to do for that but to declare:
//! values of up to 128 bytes, sixteen keys a contract, in the order of the declaration.
//!
//! Not inferred are calls of clients that come from somewhere else, such as storage, and calls
//! made inside of other crates: declare those.
//!
//! # Fewer conflicts
//!
//! - What calls only add to and take from is a [`Counter`]: its callers wait for nobody.
//! - What a call stores for good (an order, a receipt) goes under [`env::call_id`], which nobody else
//!   has: `self.orders.at(call_id()).set(&order)` waits for nobody.
//! - What a call finds out only while it runs (the best order of a market, the next of a queue) goes into
//!   a [`Group`] by what is known: calls of two markets do not wait for each other.
//! - What many calls read and write can have [shards](shard_of): `self.pools.at(shard_of(&caller(),
//!   8))`. A counter needs none.
//!
//! # Failures of other contracts
//!
//! A client's `transfer` fails the caller when the callee fails; its twin `try_transfer` returns the
//! failure, a [`CallError`](call::CallError). An interface that names the errors of its contracts,
//! `#[interface(error = TokenError)]`, has them there as values:
//!
//! ```
//! use tollway_sdk::call::CallError;
//! use tollway_sdk::{Address, contract_type, interface};
//!
//! #[contract_type]
//! pub enum TokenError {
//!     NotOwner,
//!     InsufficientBalance,
//! }
//!
//! #[interface(error = TokenError)]
//! pub trait Token {
//!     fn transfer(to: Address, amount: u128);
//! }
//!
//! /// Whether it was paid; `false` if there was too little.
//! pub fn pay(token: TokenRef, to: Address) -> bool {
//!     match token.try_transfer(to, 5) {
//!         Ok(()) => true,
//!         Err(CallError { error: Some(TokenError::InsufficientBalance), .. }) => false,
//!         Err(other) => other.forward(),
//!     }
//! }
//! ```
//!
//! # Who may do what
//!
//! [`Role`] is a cell that says whether its key's account has a right, [`Owner`] one that holds an
//! owner who can hand over in two steps. A check is one line, and reads one key that hardly anyone
//! writes: `self.minters.at(caller()).require(Error::NotMinter)?`. See [`roles`].
//!
//! # Hashes and signatures
//!
//! [`crypto`] has SHA-256, Keccak-256 and BLAKE3, and checks signatures of Ed25519, secp256k1 and
//! secp256r1: the host computes them, at native speed.
//!
//! # Random numbers
//!
//! [`Random`] draws from the block's seed. What that is worth, and how a contract has to go about it,
//! is told there: whoever can foretell or refuse a draw has already won.
//!
//! # 128-bit sums
//!
//! Contracts are compiled with wide arithmetic, and rustc 1.95 gets one thing wrong with it:
//! `u128::saturating_add`, `saturating_sub` and whatever else chooses between a sum or difference and a
//! constant without a branch may, depending on what stands around them, return the upper half of an
//! operand in place of the result's. Use `checked_add` and return an error, or `+`, which traps, and
//! [`math::above`]; Clippy is told to refuse the two (`contracts/clippy.toml`). Tests with amounts above 2⁶⁴ find
//! whatever else there is, above all those that run natively too.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;
// For hosts of contracts that run natively, in tests.
#[cfg(not(target_family = "wasm"))]
extern crate std;
// The macros name this crate from outside.
extern crate self as tollway_sdk;

pub mod call;
pub mod crypto;
pub mod entry;
pub mod env;
pub mod group;
pub mod key;
pub mod math;
pub mod ordered;
pub mod private;
pub mod random;
pub mod roles;
pub mod storage;
#[allow(unsafe_code, reason = "the border to the host needs it, and nothing else does")]
pub mod sys;
pub mod typed;

#[doc(hidden)]
pub use private as __private;

pub use borsh;
pub use group::{Group, Queue, Set, Vector};
pub use key::{KeyPart, shard_of};
pub use ordered::OrderedMap;
pub use random::Random;
pub use roles::{Owner, Role};
pub use storage::{Counter, Item, Map, Transient, Underflow};
#[cfg(not(target_family = "wasm"))]
pub use sys::native;
pub use tollway_host_api as host_api;
pub use tollway_host_api::{Address, CallStatus};
pub use tollway_sdk_macros::{contract, contract_type, interface};
pub use typed::{Bytes, Typed};
