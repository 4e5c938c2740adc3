//! `#[contract]`: the module with its ABI, and on Wasm its exports.

use crate::declare::{self, Declaration};
use crate::infer;
use crate::model::{Entry, Kind, Model, StorageField};
use crate::template::{Mode, Template, list_tokens};
use crate::typed;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, ItemMod, ItemStruct, Result};

pub(crate) fn expand(args: TokenStream, input: TokenStream) -> Result<TokenStream> {
    if !args.is_empty() {
        return Err(Error::new_spanned(args, "expected no arguments"));
    }
    let module: ItemMod = syn::parse2(input)?;
    let model = Model::parse(&module)?;

    let mut errors: Option<Error> = None;
    let mut accesses = Vec::new();
    for entry in &model.entries {
        match access_of(&model, entry) {
            Ok(access) => accesses.push(access),
            Err(error) => {
                accesses.push(Access::undeclared());
                match &mut errors {
                    Some(errors) => errors.combine(error),
                    None => errors = Some(error),
                }
            }
        }
    }
    // The module is there even so: else every use of it would be an error too.
    let errors = errors.map(Error::into_compile_error);

    let storage = storage(&model);
    let immutables =
        model.immutables.as_ref().map(|item| with_typed(item.to_token_stream())).transpose()?;
    let error = model.error.as_ref().map(|item| with_typed(item.to_token_stream())).transpose()?;
    let events = model
        .events
        .iter()
        .enumerate()
        .map(|(index, item)| event(index, item))
        .collect::<Result<Vec<_>>>()?;
    let checks = model
        .entries
        .iter()
        .zip(&accesses)
        .filter(|(_, access)| !access.checks.is_empty())
        .map(|(entry, access)| check_function(&model, entry, access));
    let abi = abi(&model, &accesses);
    let exports = exports(&model);

    let (attrs, vis, name, rest) = (&module.attrs, &module.vis, &model.name, &model.rest);
    Ok(quote! {
        #errors

        #(#attrs)*
        #vis mod #name {
            #(#rest)*
            #storage
            #immutables
            #error
            #(#events)*
            #(#checks)*
            #abi
            #exports
        }
    })
}

struct Access {
    declared: bool,
    templates: Vec<Template>,
    checks: TokenStream,
}

impl Access {
    fn undeclared() -> Self {
        Self { declared: false, templates: vec![], checks: quote!() }
    }
}

fn access_of(model: &Model, entry: &Entry) -> Result<Access> {
    if let Some(attr) = &entry.access {
        return match declare::read(model, entry, attr)? {
            Declaration::Undeclared => Ok(Access::undeclared()),
            Declaration::Declared { templates, checks } => {
                if entry.kind == Kind::View && templates.iter().any(changes_state) {
                    return Err(Error::new_spanned(
                        attr,
                        "a view only reads: it cannot declare `write` or `add`",
                    ));
                }
                Ok(Access { declared: true, templates, checks })
            }
        };
    }
    match infer::infer(model, entry) {
        Ok(inferred) => {
            Ok(Access { declared: true, templates: inferred.templates, checks: inferred.checks })
        }
        // `init` runs once, before anything could run beside it.
        Err(_) if entry.kind == Kind::Init => Ok(Access::undeclared()),
        Err(error) => Err(error),
    }
}

fn changes_state(template: &Template) -> bool {
    match template {
        Template::Key { mode, .. } => *mode != Mode::Read,
        Template::ForEach { body, .. } => body.iter().any(changes_state),
        Template::Call { .. } => false,
    }
}

fn with_typed(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    typed::with_impls(&input, false)
}

fn storage(model: &Model) -> TokenStream {
    let mut item = model.storage.clone();
    let name = &item.ident;
    let numbered = model.fields.iter().enumerate().chain(model.transients.iter().enumerate());
    let fields = numbered.map(|(index, field)| {
        let index = index as u8;
        let name = &field.name;
        quote!(#name: ::tollway_sdk::storage::Storage::field(#index))
    });
    let imm =
        model.immutables.as_ref().map(|_| quote!(imm: ::tollway_sdk::entry::Immutables::new(),));
    let constructor = quote! {
        impl #name {
            #[doc(hidden)]
            #[inline(always)]
            #[allow(dead_code, reason = "used by the exports on Wasm, and by their twins elsewhere")]
            fn __contract() -> Self {
                Self { #(#fields,)* #imm }
            }
        }
    };
    if let Some(immutables) = &model.immutables {
        let immutables = &immutables.ident;
        let field: syn::Field = syn::parse_quote! {
            #[allow(dead_code, reason = "a contract need not look at its immutables")]
            imm: ::tollway_sdk::entry::Immutables<#immutables>
        };
        match &mut item.fields {
            syn::Fields::Named(fields) => fields.named.push(field),
            fields => {
                *fields = syn::Fields::Named(syn::parse_quote!({ #field }));
                item.semi_token = None;
            }
        }
    }
    quote! { #item #constructor }
}

fn event(index: usize, item: &ItemStruct) -> Result<TokenStream> {
    let typed = with_typed(item.to_token_stream())?;
    let name = &item.ident;
    let index = index as u32;
    Ok(quote! {
        #typed

        impl #name {
            /// Emits the event.
            #[inline(always)]
            pub fn emit(&self) {
                ::tollway_sdk::entry::emit(#index, self);
            }
        }
    })
}

/// A function that never runs and type-checks what the macro took for granted.
fn check_function(model: &Model, entry: &Entry, access: &Access) -> TokenStream {
    let name = format_ident!("__access_of_{}", entry.name, span = Span::call_site());
    let storage = &model.storage.ident;
    let names = entry.params.iter().map(|param| &param.name);
    let types = entry.params.iter().map(|param| &param.ty);
    let checks = &access.checks;
    quote! {
        #[doc(hidden)]
        #[allow(
            dead_code,
            unused_variables,
            unused_must_use,
            clippy::all,
            reason = "never runs; it is there to be type-checked"
        )]
        fn #name(this: &#storage, #(#names: #types),*) { #checks }
    }
}

fn abi(model: &Model, accesses: &[Access]) -> TokenStream {
    let cow = quote!(::tollway_sdk::__private::Cow::Borrowed);
    let name = model.name.to_string();
    let immutables = match &model.immutables {
        Some(item) => typed::fields_of(&item.fields),
        None => quote!(#cow(&[])),
    };
    let storage = model.fields.iter().map(|field| {
        let StorageField { name, ty, .. } = field;
        let text = name.to_string();
        let span = ty.span();
        quote_spanned!(span=> ::tollway_sdk::storage::describe::<#ty>(#text))
    });
    // The number of parts was read off the tokens; an alias of a tuple would make it wrong.
    let counts = model.fields.iter().filter_map(|field| {
        let count = field.key.as_ref()?.len();
        let ty = &field.ty;
        Some(quote_spanned! {ty.span()=>
            const _: () = assert!(
                <#ty as ::tollway_sdk::storage::Storage>::KEY.len() == #count,
                "write the key of a map out as a tuple, not as an alias of one"
            );
        })
    });
    // So was whether it is transient; an alias of a cell would hide it.
    let kinds = model.fields.iter().chain(&model.transients).map(|field| {
        let (ty, transient) = (&field.ty, field.transient);
        quote_spanned! {ty.span()=>
            const _: () = assert!(
                <#ty as ::tollway_sdk::storage::Storage>::TRANSIENT == #transient,
                "write `Transient<T>` out, not an alias of it"
            );
        }
    });
    // And what its keys stand for.
    let prefixes = model.fields.iter().map(|field| {
        let (ty, has_prefixes) = (&field.ty, field.shape.has_prefixes());
        quote_spanned! {ty.span()=>
            const _: () = assert!(
                <#ty as ::tollway_sdk::storage::Storage>::PREFIX.is_some() == #has_prefixes,
                "write the kind of storage out, not an alias of it"
            );
        }
    });
    let error_type = error_type(model);
    let methods = model
        .entries
        .iter()
        .zip(accesses)
        .map(|(entry, access)| method(entry, access, &error_type));
    let events = model.events.iter().map(|item| {
        let name = item.ident.to_string();
        let fields = typed::fields_of(&item.fields);
        quote!(::tollway_sdk::host_api::Event { name: #cow(#name), fields: #fields })
    });
    let error = model.error.as_ref().map(|item| {
        let name = &item.ident;
        quote!(<#name as ::tollway_sdk::typed::Typed>::TYPE)
    });
    let storage_name = &model.storage.ident;
    let constants = model.entries.iter().zip(accesses).map(|(entry, access)| {
        let name = access_constant(entry);
        let list = list_tokens(&access.templates, &mut vec![]);
        quote! {
            #[doc(hidden)]
            const #name: &'static [::tollway_sdk::host_api::AccessTemplate] = #list;
        }
    });
    let methods: Vec<_> = methods.collect();
    quote! {
        #(#counts)*
        #(#kinds)*
        #(#prefixes)*

        #[allow(
            non_upper_case_globals,
            clippy::unnecessary_cast,
            reason = "named after methods; literals may be of any integer type"
        )]
        impl #storage_name { #(#constants)* }

        /// The contract as seen from outside: what its Wasm carries in the section `tollway.abi`.
        pub static ABI: ::tollway_sdk::host_api::Abi = ::tollway_sdk::host_api::Abi {
            version: ::tollway_sdk::host_api::abi::ABI_VERSION,
            name: #cow(#name),
            immutables: #immutables,
            storage: #cow(const { &[#(#storage),*] }),
            methods: #cow(const { &[#(#methods),*] }),
            events: #cow(const { &[#(#events),*] }),
            error: #cow(const { &[#error] }),
        };
    }
}

fn access_constant(entry: &Entry) -> syn::Ident {
    format_ident!("__ACCESS_{}", entry.name, span = Span::call_site())
}

fn error_type(model: &Model) -> TokenStream {
    match &model.error {
        Some(item) => item.ident.to_token_stream(),
        None => quote!(::tollway_sdk::entry::NoError),
    }
}

fn method(entry: &Entry, access: &Access, error_type: &TokenStream) -> TokenStream {
    let cow = quote!(::tollway_sdk::__private::Cow::Borrowed);
    let name = entry.name.to_string();
    let mutability = match entry.kind {
        Kind::View => quote!(View),
        Kind::Init | Kind::Call => quote!(Call),
    };
    let reentrant = entry.reentrant;
    let params =
        entry.params.iter().map(|param| typed::field_of(&param.name.to_string(), &param.ty));
    let returns = &entry.returns;
    let output = quote_spanned! {returns.span()=>
        <#returns as ::tollway_sdk::entry::Output<#error_type>>::RETURNS
    };
    let declared = access.declared;
    let constant = access_constant(entry);
    quote! {
        ::tollway_sdk::host_api::Method {
            name: #cow(#name),
            mutability: ::tollway_sdk::host_api::Mutability::#mutability,
            reentrant: #reentrant,
            params: #cow(const { &[#(#params),*] }),
            returns: #output,
            declared: #declared,
            access: #cow(__Contract::#constant),
        }
    }
}

fn exports(model: &Model) -> TokenStream {
    let storage = &model.storage.ident;
    let error_type = error_type(model);
    let twins = model.entries.iter().map(|entry| {
        let name = &entry.name;
        let text = name.to_string();
        let names: Vec<_> = entry.params.iter().map(|param| &param.name).collect();
        let types = entry.params.iter().map(|param| &param.ty);
        quote! {
            (#text, |args_len| ::tollway_sdk::entry::run::<(#(#types,)*), _, #error_type>(
                args_len,
                |(#(#names,)*)| __Contract::__contract().#name(#(#names),*),
            ))
        }
    });
    let twins = quote! {
        /// The contract's entry points, compiled for this machine: for tests that run it natively.
        #[cfg(not(target_family = "wasm"))]
        pub static NATIVE: ::tollway_sdk::native::Native = ::tollway_sdk::native::Native {
            abi: &ABI,
            methods: &[#(#twins),*],
        };
    };
    let functions = model.entries.iter().map(|entry| {
        let name = &entry.name;
        let text = name.to_string();
        let names: Vec<_> = entry.params.iter().map(|param| &param.name).collect();
        let types = entry.params.iter().map(|param| &param.ty);
        quote! {
            #[unsafe(export_name = #text)]
            extern "C" fn #name(args_len: u32) -> i32 {
                ::tollway_sdk::entry::run::<(#(#types,)*), _, #error_type>(
                    args_len,
                    |(#(#names,)*)| __Contract::__contract().#name(#(#names),*),
                )
            }
        }
    });
    quote! {
        #[doc(hidden)]
        use #storage as __Contract;

        #twins

        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "an export's name is the contract's own choice")]
        const _: () = {
            #(#functions)*

            #[unsafe(link_section = "tollway.abi")]
            static SECTION: [u8; ::tollway_sdk::host_api::encode::encoded_len(&ABI)] =
                ::tollway_sdk::host_api::encode::encode(&ABI);
        };
    }
}
