//! Access templates as the macro sees them, declared or inferred, and the code for them.
//!
//! # Invariants
//! 1. A key stands once in a list, with the union of its modes.
//! 2. Loops have numbers while templates are built, and depths, counted from the innermost, only
//!    in the code: so a private method's templates mean the same wherever it is inlined.

use crate::model::{Entry, Model};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, Index};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Read,
    Add,
    Write,
}

impl Mode {
    fn union(self, other: Self) -> Self {
        if self == other { self } else { Self::Write }
    }

    fn tokens(self) -> TokenStream {
        match self {
            Self::Read => quote!(::tollway_sdk::host_api::Mode::Read),
            Self::Add => quote!(::tollway_sdk::host_api::Mode::Add),
            Self::Write => quote!(::tollway_sdk::host_api::Mode::Write),
        }
    }
}

/// A value that is known before the call runs.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    Caller,
    This,
    CallId,
    /// The shard of a value, out of so many.
    Shard {
        of: Box<Known>,
        count: TokenStream,
    },
    Path {
        root: Root,
        path: Vec<String>,
    },
    Integer(TokenStream),
    Constant(TokenStream),
    Bytes(TokenStream),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Param(usize),
    Immutable(usize),
    /// The element of the loop with this number.
    Element(usize),
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Caller, Self::Caller)
            | (Self::This, Self::This)
            | (Self::CallId, Self::CallId) => true,
            (Self::Shard { of: a, count: b }, Self::Shard { of: c, count: d }) => {
                a == c && b.to_string() == d.to_string()
            }
            (Self::Path { root: a, path: b }, Self::Path { root: c, path: d }) => a == c && b == d,
            (Self::Integer(a), Self::Integer(b))
            | (Self::Constant(a), Self::Constant(b))
            | (Self::Bytes(a), Self::Bytes(b)) => a.to_string() == b.to_string(),
            _ => false,
        }
    }
}

impl Known {
    pub(crate) fn root(root: Root) -> Self {
        Self::Path { root, path: vec![] }
    }

    /// The field `name` of this value, if it is one that has fields.
    pub(crate) fn field(&self, name: &str) -> Option<Self> {
        let Self::Path { root, path } = self else {
            return None;
        };
        let mut path = path.clone();
        path.push(name.into());
        Some(Self::Path { root: *root, path })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Key { mode: Mode, field: usize, parts: Vec<Known> },
    ForEach { list: Known, number: usize, body: Vec<Template> },
    Call { contract: Known, method: String, args: Vec<Option<Known>> },
}

/// Adds `template` to `list`, merging it with one for the same key.
pub(crate) fn merge(list: &mut Vec<Template>, template: Template) {
    if let Template::Key { mode, field, parts } = &template {
        for present in list.iter_mut() {
            if let Template::Key { mode: present_mode, field: present_field, parts: present_parts } =
                present
                && present_field == field
                && present_parts == parts
            {
                *present_mode = present_mode.union(*mode);
                return;
            }
        }
    }
    if !list.contains(&template) {
        list.push(template);
    }
}

/// The list as an expression of type `&[AccessTemplate]`, for a constant.
pub(crate) fn list_tokens(list: &[Template], loops: &mut Vec<usize>) -> TokenStream {
    let entries: Vec<TokenStream> =
        list.iter().map(|template| template_tokens(template, loops)).collect();
    quote!(&[#(#entries),*])
}

fn borrowed(items: &[TokenStream]) -> TokenStream {
    quote!(::tollway_sdk::__private::Cow::Borrowed(&[#(#items),*]))
}

fn template_tokens(template: &Template, loops: &mut Vec<usize>) -> TokenStream {
    match template {
        Template::Key { mode, field, parts } => {
            let mode = mode.tokens();
            let field = *field as u8;
            let parts: Vec<_> = parts.iter().map(|part| part.tokens(loops)).collect();
            let parts = borrowed(&parts);
            quote! {
                ::tollway_sdk::host_api::AccessTemplate::Key {
                    mode: #mode, field: #field, parts: #parts,
                }
            }
        }
        Template::ForEach { list, number, body } => {
            let list = list.tokens(loops);
            loops.push(*number);
            let body = list_tokens(body, loops);
            loops.pop();
            quote! {
                ::tollway_sdk::host_api::AccessTemplate::ForEach {
                    list: #list, body: ::tollway_sdk::__private::Cow::Borrowed(#body),
                }
            }
        }
        Template::Call { contract, method, args } => {
            let contract = contract.tokens(loops);
            let args: Vec<_> = args
                .iter()
                .map(|arg| match arg {
                    Some(arg) => arg.tokens(loops),
                    None => quote!(::tollway_sdk::host_api::Expr::Unknown),
                })
                .collect();
            let args = borrowed(&args);
            quote! {
                ::tollway_sdk::host_api::AccessTemplate::Call {
                    contract: #contract,
                    method: ::tollway_sdk::__private::Cow::Borrowed(#method),
                    args: #args,
                }
            }
        }
    }
}

impl Known {
    fn tokens(&self, loops: &[usize]) -> TokenStream {
        let expr = quote!(::tollway_sdk::host_api::Expr);
        match self {
            Self::Caller => quote!(#expr::Caller),
            Self::This => quote!(#expr::This),
            Self::CallId => quote!(#expr::CallId),
            Self::Shard { of, count } => {
                let of = borrowed(&[of.tokens(loops)]);
                quote! {
                    #expr::Shard { of: #of, count: ::tollway_sdk::__private::shard_count(#count) }
                }
            }
            Self::Integer(literal) => quote!(#expr::Integer(#literal as u128)),
            Self::Constant(path) => quote!(::tollway_sdk::__private::Constant(&#path).expr()),
            Self::Bytes(literal) => {
                quote!(#expr::Bytes(::tollway_sdk::__private::Cow::Borrowed(#literal)))
            }
            Self::Path { root, path } => {
                let path: Vec<_> = path
                    .iter()
                    .map(|name| quote!(::tollway_sdk::__private::Cow::Borrowed(#name)))
                    .collect();
                let path = borrowed(&path);
                match root {
                    Root::Param(param) => {
                        let param = *param as u16;
                        quote!(#expr::Arg { param: #param, path: #path })
                    }
                    Root::Immutable(index) => {
                        let index = *index as u16;
                        quote!(#expr::Immutable { index: #index, path: #path })
                    }
                    Root::Element(number) => {
                        let outside = loops.iter().rev().position(|open| open == number);
                        let depth = outside.expect("an element is used inside its loop") as u8;
                        quote!(#expr::Element { depth: #depth, path: #path })
                    }
                }
            }
        }
    }

    /// The value as a place expression in code that has `this` and the entry point's parameters;
    /// `lists` are the lists of the loops by number.
    pub(crate) fn place(
        &self,
        model: &Model,
        entry: &Entry,
        lists: &[Known],
    ) -> Option<TokenStream> {
        let Self::Path { root, path } = self else {
            return None;
        };
        let root = match root {
            Root::Param(param) => {
                let name = &entry.params.get(*param)?.name;
                quote!(#name)
            }
            Root::Immutable(index) => {
                let name = &model.immutable_field(*index)?.ident;
                quote!(this.imm.#name)
            }
            Root::Element(number) => {
                let list = lists.get(*number)?.place(model, entry, lists)?;
                quote!(::tollway_sdk::__private::element(&#list))
            }
        };
        let path = path.iter().map(|name| match name.parse::<usize>() {
            Ok(index) => {
                let index = Index::from(index);
                quote!(#index)
            }
            Err(_) => {
                let name = Ident::new(name, proc_macro2::Span::call_site());
                quote!(#name)
            }
        });
        Some(quote!(#root #(.#path)*))
    }
}

/// A number of shards as tokens, if it is known when the contract is compiled.
pub(crate) fn shard_count(expr: &syn::Expr) -> Option<TokenStream> {
    match expr {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(_), .. }) => Some(quote!(#expr)),
        syn::Expr::Path(path) => {
            let last = path.path.segments.last()?;
            is_constant_name(&last.ident).then(|| quote!(#expr))
        }
        syn::Expr::Paren(paren) => shard_count(&paren.expr),
        syn::Expr::Group(group) => shard_count(&group.expr),
        _ => None,
    }
}

/// Whether `name` is written like a constant.
pub(crate) fn is_constant_name(name: &Ident) -> bool {
    let text = name.to_string();
    text.chars().any(|c| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// A literal as a known value.
pub(crate) fn known_literal(lit: &syn::Lit) -> Option<Known> {
    match lit {
        syn::Lit::Int(_) | syn::Lit::Bool(_) | syn::Lit::Byte(_) => {
            Some(Known::Integer(quote!(#lit)))
        }
        syn::Lit::ByteStr(_) => Some(Known::Bytes(quote!(#lit))),
        syn::Lit::Str(text) => {
            let bytes = syn::LitByteStr::new(text.value().as_bytes(), text.span());
            Some(Known::Bytes(quote!(#bytes)))
        }
        _ => None,
    }
}
