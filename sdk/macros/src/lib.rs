//! The attribute macros of the Tollway SDK. Import them from `tollway_sdk`, which documents them
//! with an example.
//!
//! ```text
//! #[contract] mod ──▶ model ──▶ infer │ declare ──▶ template ──▶ contract
//!                     parse      keys of a body      one form     the ABI, exports
//! ```
#![forbid(unsafe_code)]

mod contract;
mod declare;
mod infer;
mod interface;
mod model;
mod template;
mod typed;

use proc_macro::TokenStream;

/// Turns a module into a contract. See the documentation of `tollway_sdk`.
#[proc_macro_attribute]
pub fn contract(args: TokenStream, input: TokenStream) -> TokenStream {
    finish(contract::expand(args.into(), input.into()))
}

/// Turns a trait into a typed client for contracts that have its methods.
///
/// `#[interface] pub trait Token { fn transfer(to: Address, amount: u128); }` makes `TokenRef`, a
/// `Copy` wrapper of an address, with `transfer(to, amount)`, whose failure fails the caller too,
/// and `try_transfer(to, amount)`, which returns it as a `CallError`. The wrapper can be an immutable, an argument,
/// a stored value or a key, as which it is an address.
///
/// `#[interface(error = TokenError)]` names what its contracts revert with, a type with
/// `#[contract_type]`; `CallError::error` then holds it.
#[proc_macro_attribute]
pub fn interface(args: TokenStream, input: TokenStream) -> TokenStream {
    finish(interface::expand(args.into(), input.into()))
}

/// Lets a struct or enum cross the border: as an argument, a result, or a stored value.
///
/// `#[contract_type(key)]` lets it be the key of a map too, which its fields must then be able to.
#[proc_macro_attribute]
pub fn contract_type(args: TokenStream, input: TokenStream) -> TokenStream {
    finish(typed::expand(args.into(), input.into()))
}

fn finish(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(|error| error.into_compile_error()).into()
}
