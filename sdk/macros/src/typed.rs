//! `#[contract_type]`: borsh, `Typed` and, on demand, `KeyPart` for a struct or enum.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, Index, Result};

pub(crate) fn expand(args: TokenStream, input: TokenStream) -> Result<TokenStream> {
    let key = match args.to_string().as_str() {
        "" => false,
        "key" => true,
        _ => return Err(Error::new_spanned(args, "expected nothing or `key`")),
    };
    let input: DeriveInput = syn::parse2(input)?;
    with_impls(&input, key)
}

/// The item, with its borsh derives and implementations.
pub(crate) fn with_impls(input: &DeriveInput, key: bool) -> Result<TokenStream> {
    let impls = impls(input, key)?;
    Ok(quote! {
        #[derive(::tollway_sdk::borsh::BorshSerialize, ::tollway_sdk::borsh::BorshDeserialize)]
        #[borsh(crate = "::tollway_sdk::borsh")]
        #input
        #impls
    })
}

fn impls(input: &DeriveInput, key: bool) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a contract type cannot be generic: its shape is part of the ABI",
        ));
    }
    let shape = match &input.data {
        Data::Struct(data) => of_struct(&input.ident, &data.fields),
        Data::Enum(data) => of_enum(&input.ident, data)?,
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span(),
                "a union has no shape that others could decode",
            ));
        }
    };
    let Shape { ty, size_min, size_max, encode, decode, push } = shape;
    let name = &input.ident;
    let key_part = key.then(|| {
        quote! {
            impl ::tollway_sdk::key::KeyPart for #name {
                #[inline]
                fn push_to<S: ::tollway_sdk::typed::Sink>(&self, __key: &mut S) { #push }
            }
        }
    });
    Ok(quote! {
        impl ::tollway_sdk::typed::Typed for #name {
            const TYPE: ::tollway_sdk::host_api::Type = #ty;
            const SIZE_MIN: usize = #size_min;
            const SIZE_MAX: ::core::option::Option<usize> = #size_max;

            #[inline(always)]
            fn encode<S: ::tollway_sdk::typed::Sink>(&self, __sink: &mut S) { #encode }

            #[inline(always)]
            fn decode(__input: &mut &[u8]) -> ::core::option::Option<Self> { #decode }
        }
        #key_part
    })
}

struct Shape {
    ty: TokenStream,
    size_min: TokenStream,
    size_max: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
    push: TokenStream,
}

/// A list of `Field`s for the ABI.
pub(crate) fn fields_of(fields: &Fields) -> TokenStream {
    let entries = fields.iter().enumerate().map(|(index, field)| {
        let name = match &field.ident {
            Some(name) => name.to_string(),
            None => index.to_string(),
        };
        field_of(&name, &field.ty)
    });
    quote!(::tollway_sdk::__private::Cow::Borrowed(const { &[#(#entries),*] }))
}

/// A `Field` for the ABI.
pub(crate) fn field_of(name: &str, ty: &syn::Type) -> TokenStream {
    // `r#type` is how Rust writes the name `type`.
    let name = name.strip_prefix("r#").unwrap_or(name);
    quote! {
        ::tollway_sdk::host_api::Field {
            name: ::tollway_sdk::__private::Cow::Borrowed(#name),
            ty: <#ty as ::tollway_sdk::typed::Typed>::TYPE,
        }
    }
}

fn size_min(fields: &Fields) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    quote!(0 #(+ <#types as ::tollway_sdk::typed::Typed>::SIZE_MIN)*)
}

fn size_max(fields: &Fields) -> TokenStream {
    let types = fields.iter().map(|field| &field.ty);
    quote! {
        ::tollway_sdk::typed::sum_sizes(&[
            #(<#types as ::tollway_sdk::typed::Typed>::SIZE_MAX),*
        ])
    }
}

/// `{ a: decode, b: decode }`, or the same for a tuple.
fn decoded(fields: &Fields) -> TokenStream {
    let values = fields.iter().map(|field| {
        let ty = &field.ty;
        let name = field.ident.as_ref().map(|name| quote!(#name:));
        quote!(#name <#ty as ::tollway_sdk::typed::Typed>::decode(__input)?)
    });
    match fields {
        Fields::Named(_) => quote!({ #(#values),* }),
        Fields::Unnamed(_) => quote!(( #(#values),* )),
        Fields::Unit => quote!(),
    }
}

fn of_struct(name: &Ident, fields: &Fields) -> Shape {
    let members: Vec<TokenStream> = fields
        .iter()
        .enumerate()
        .map(|(index, field)| match &field.ident {
            Some(name) => quote!(#name),
            None => {
                let index = Index::from(index);
                quote!(#index)
            }
        })
        .collect();
    let text = name.to_string();
    let list = fields_of(fields);
    let decoded = decoded(fields);
    Shape {
        ty: quote! {
            ::tollway_sdk::host_api::Type::Struct {
                name: ::tollway_sdk::__private::Cow::Borrowed(#text),
                fields: #list,
            }
        },
        size_min: size_min(fields),
        size_max: size_max(fields),
        encode: quote!(#(::tollway_sdk::typed::Typed::encode(&self.#members, __sink);)*),
        decode: quote!(::core::option::Option::Some(Self #decoded)),
        push: quote!(#(::tollway_sdk::key::KeyPart::push_to(&self.#members, __key);)*),
    }
}

fn of_enum(name: &Ident, data: &syn::DataEnum) -> Result<Shape> {
    if data.variants.is_empty() || data.variants.len() > 256 {
        return Err(Error::new(name.span(), "an enum of a contract has 1 to 256 variants"));
    }
    let mut entries = Vec::new();
    let mut encode = Vec::new();
    let mut decode = Vec::new();
    let mut push = Vec::new();
    for (index, variant) in data.variants.iter().enumerate() {
        if let Some((_, value)) = &variant.discriminant {
            return Err(Error::new(
                value.span(),
                "variants are numbered in order; a number of their own would be ignored",
            ));
        }
        let index = index as u8;
        let ident = &variant.ident;
        let text = ident.to_string();
        let list = fields_of(&variant.fields);
        entries.push(quote! {
            ::tollway_sdk::host_api::Variant {
                name: ::tollway_sdk::__private::Cow::Borrowed(#text),
                fields: #list,
            }
        });
        let bound: Vec<Ident> = (0..variant.fields.len())
            .map(|number| format_ident!("__field_{number}", span = Span::call_site()))
            .collect();
        let pattern = match &variant.fields {
            Fields::Named(fields) => {
                let names = fields.named.iter().map(|field| &field.ident);
                quote!({ #(#names: #bound),* })
            }
            Fields::Unnamed(_) => quote!(( #(#bound),* )),
            Fields::Unit => quote!(),
        };
        encode.push(quote! {
            Self::#ident #pattern => {
                ::tollway_sdk::typed::Sink::put(__sink, &[#index]);
                #(::tollway_sdk::typed::Typed::encode(#bound, __sink);)*
            }
        });
        push.push(quote! {
            Self::#ident #pattern => {
                ::tollway_sdk::typed::Sink::put(__key, &[#index]);
                #(::tollway_sdk::key::KeyPart::push_to(#bound, __key);)*
            }
        });
        let decoded = decoded(&variant.fields);
        decode.push(quote!(#index => Self::#ident #decoded));
    }
    let text = name.to_string();
    let mins = data.variants.iter().map(|variant| size_min(&variant.fields));
    let maxes = data.variants.iter().map(|variant| size_max(&variant.fields));
    Ok(Shape {
        ty: quote! {
            ::tollway_sdk::host_api::Type::Enum {
                name: ::tollway_sdk::__private::Cow::Borrowed(#text),
                variants: ::tollway_sdk::__private::Cow::Borrowed(const { &[#(#entries),*] }),
            }
        },
        size_min: quote!(1 + ::tollway_sdk::typed::min_sizes(&[#(#mins),*])),
        size_max: quote! {
            ::tollway_sdk::typed::sum_sizes(&[
                ::core::option::Option::Some(1),
                ::tollway_sdk::typed::max_sizes(&[#(#maxes),*]),
            ])
        },
        encode: quote!(match self { #(#encode)* }),
        decode: quote! {
            ::core::option::Option::Some(
                match <u8 as ::tollway_sdk::typed::Typed>::decode(__input)? {
                    #(#decode,)*
                    _ => return ::core::option::Option::None,
                }
            )
        },
        push: quote!(match self { #(#push)* }),
    })
}
