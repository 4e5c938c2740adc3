//! `#[interface]`: a typed client from a trait.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, FnArg, ItemTrait, Pat, Result, ReturnType, TraitItem, TraitItemFn};

/// Methods that numbers, texts and lists have. Inference cannot see the type of `order.amount` in
/// `order.amount.min(5)`, so it takes these to be no calls to other contracts, and no client may
/// have them.
const RESERVED: &[&str] = &[
    "abs",
    "abs_diff",
    "address",
    "and_then",
    "any",
    "all",
    "as_bytes",
    "as_deref",
    "as_mut",
    "as_ref",
    "as_slice",
    "as_str",
    "borrow",
    "chunks",
    "chunks_exact",
    "clamp",
    "clone",
    "cloned",
    "cmp",
    "concat",
    "contains",
    "copied",
    "count_ones",
    "count_zeros",
    "deref",
    "div_ceil",
    "div_euclid",
    "ends_with",
    "enumerate",
    "eq",
    "expect",
    "filter",
    "find",
    "first",
    "flatten",
    "fold",
    "for_each",
    "ge",
    "get",
    "gt",
    "ilog10",
    "ilog2",
    "into",
    "into_iter",
    "is_empty",
    "is_none",
    "is_none_or",
    "is_power_of_two",
    "is_some",
    "is_some_and",
    "isqrt",
    "iter",
    "join",
    "last",
    "le",
    "leading_zeros",
    "len",
    "lt",
    "map",
    "map_or",
    "map_or_else",
    "max",
    "min",
    "ne",
    "next_multiple_of",
    "of",
    "ok_or",
    "ok_or_else",
    "or",
    "or_else",
    "partial_cmp",
    "per",
    "pow",
    "raw",
    "rem_euclid",
    "rev",
    "rotate_left",
    "rotate_right",
    "signum",
    "starts_with",
    "swap_bytes",
    "to_be_bytes",
    "to_le_bytes",
    "to_owned",
    "to_string",
    "to_vec",
    "trailing_zeros",
    "try_into",
    "unsigned_abs",
    "unwrap",
    "unwrap_or",
    "unwrap_or_default",
    "unwrap_or_else",
    "windows",
    "zip",
];

const RESERVED_PREFIXES: &[&str] = &["checked_", "overflowing_", "saturating_", "wrapping_"];

/// Whether a method of this name is one of plain values, and never of a client.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

pub(crate) fn expand(args: TokenStream, input: TokenStream) -> Result<TokenStream> {
    let error = parse_error(args)?;
    let item: ItemTrait = syn::parse2(input)?;
    let (attrs, vis, name) = (&item.attrs, &item.vis, &item.ident);
    let client = format_ident!("{name}Ref");
    let methods = item
        .items
        .iter()
        .map(|item| match item {
            TraitItem::Fn(method) => expand_method(method, &error),
            other => Err(Error::new_spanned(other, "an interface has methods only")),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        #(#attrs)*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            ::tollway_sdk::borsh::BorshSerialize, ::tollway_sdk::borsh::BorshDeserialize,
        )]
        #[borsh(crate = "::tollway_sdk::borsh")]
        #[repr(transparent)]
        #vis struct #client(
            /// The contract's address.
            pub ::tollway_sdk::Address,
        );

        impl #client {
            #(#methods)*
        }

        impl ::tollway_sdk::call::Client for #client {
            #[inline(always)]
            fn address(&self) -> ::tollway_sdk::Address {
                self.0
            }
        }

        impl ::core::convert::From<::tollway_sdk::Address> for #client {
            fn from(address: ::tollway_sdk::Address) -> Self {
                Self(address)
            }
        }

        impl ::tollway_sdk::typed::Typed for #client {
            const TYPE: ::tollway_sdk::host_api::Type = ::tollway_sdk::host_api::Type::Address;
            const SIZE_MIN: usize = 32;
            const SIZE_MAX: ::core::option::Option<usize> = ::core::option::Option::Some(32);

            #[inline(always)]
            fn encode<S: ::tollway_sdk::typed::Sink>(&self, __sink: &mut S) {
                ::tollway_sdk::typed::Typed::encode(&self.0, __sink);
            }

            #[inline(always)]
            fn decode(__input: &mut &[u8]) -> ::core::option::Option<Self> {
                ::core::option::Option::Some(Self(::tollway_sdk::typed::Typed::decode(__input)?))
            }
        }

        impl ::tollway_sdk::key::KeyPart for #client {
            #[inline(always)]
            fn push_to<S: ::tollway_sdk::typed::Sink>(&self, __key: &mut S) {
                ::tollway_sdk::key::KeyPart::push_to(&self.0, __key);
            }
        }
    })
}

/// What the contracts revert with: `error = Type`.
fn parse_error(args: TokenStream) -> Result<syn::Type> {
    if args.is_empty() {
        return Ok(syn::parse_quote!(::tollway_sdk::entry::NoError));
    }
    let assigned: syn::MetaNameValue = syn::parse2(args)?;
    if !assigned.path.is_ident("error") {
        return Err(Error::new_spanned(assigned, "expected nothing or `error = Type`"));
    }
    let value = &assigned.value;
    syn::parse2(quote!(#value)).map_err(|_| Error::new_spanned(value, "expected a type"))
}

fn expand_method(method: &TraitItemFn, error: &syn::Type) -> Result<TokenStream> {
    let name = &method.sig.ident;
    let text = name.to_string();
    if is_reserved(&text) || text.starts_with("try_") {
        return Err(Error::new(
            name.span(),
            format!("a client cannot have a method named `{text}`: it would be taken for another"),
        ));
    }
    if let Some(body) = &method.default {
        return Err(Error::new_spanned(
            body,
            "the method's body is in the contract, not in its interface",
        ));
    }
    let mut params = Vec::new();
    let mut names = Vec::new();
    let mut types = Vec::new();
    for input in &method.sig.inputs {
        match input {
            FnArg::Typed(param) => match &*param.pat {
                Pat::Ident(ident) => {
                    params.push(param);
                    names.push(&ident.ident);
                    types.push(&param.ty);
                }
                other => return Err(Error::new_spanned(other, "a parameter needs a name")),
            },
            FnArg::Receiver(receiver) => {
                return Err(Error::new_spanned(
                    receiver,
                    "an interface lists the arguments alone, without `self`",
                ));
            }
        }
    }
    let unit: syn::Type = syn::parse_quote!(());
    let returns = match &method.sig.output {
        ReturnType::Default => &unit,
        ReturnType::Type(_, ty) => ty,
    };
    let attrs = &method.attrs;
    let try_name = format_ident!("try_{name}", span = name.span());
    let try_doc = format!("Like [`{name}`](Self::{name}), but returns the callee's failure.");
    Ok(quote! {
        #(#attrs)*
        #[inline]
        pub fn #name(&self, #(#params),*) -> #returns {
            ::tollway_sdk::call::call::<(#(#types,)*), #returns>(&self.0, #text, &(#(#names,)*))
        }

        #[doc = #try_doc]
        ///
        /// # Errors
        /// `CallError` if the callee failed; nothing that it did remains.
        #[inline]
        pub fn #try_name(
            &self,
            #(#params),*
        ) -> ::core::result::Result<#returns, ::tollway_sdk::call::CallError<#error>> {
            ::tollway_sdk::call::try_call::<(#(#types,)*), #returns, #error>(
                &self.0, #text, &(#(#names,)*),
            )
        }
    })
}
