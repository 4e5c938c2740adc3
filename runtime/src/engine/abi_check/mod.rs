//! Whether a contract's ABI is well formed, and true as far as data can tell.
//!
//! ```text
//! section ─▶ walk: how deep? ─▶ borsh ─▶ names, counts ─▶ types ─▶ methods are exported
//!                                                             └──▶ templates: every expression has
//!                                                                  the type that its place wants
//! ```
//!
//! # Invariants
//! 1. No bytes overflow the stack: nesting is measured before anything recursive reads them
//!    (`tests::nesting_is_bounded`).
//! 2. Whoever evaluates a template of an ABI that passed meets no index, path or type that isn't
//!    there (`tests::lies_are_refused`). What remains is up to the call: lengths, the callee of a
//!    [`AccessTemplate::Call`], and how many keys it all gives.
//! 3. Every value has at least one byte for each value inside it, so that work on arguments is
//!    bounded by their bytes (`tests::values_without_bytes_are_refused`).

mod decode;
mod template;

pub use decode::decode;

use crate::limits::Limits;
use std::collections::BTreeSet;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::key::{self, KEY_BYTES_MAX, STORAGE_FIELDS_MAX};
use tollway_host_api::{Abi, Field, Method, Mutability, StorageField, Type};

#[cfg(doc)]
use tollway_host_api::AccessTemplate;

/// How deep the loops of an access template may nest.
pub const LOOP_DEPTH_MAX: usize = 4;

/// Why an ABI is refused. Places read like `method transfer, access[2].body[0]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant's message says what its fields are")]
pub enum AbiError {
    /// Types, or loops of templates, nest deeper than allowed.
    #[error("nests too deep at byte {offset}")]
    TooDeep { offset: usize },
    /// The bytes are not an encoded ABI.
    #[error("does not decode at byte {offset}: {message}")]
    Undecodable { offset: usize, message: String },
    /// The ABI is of another version.
    #[error("version is {found}, this runtime reads {expected}")]
    Version { found: u16, expected: u16 },

    /// A name is empty, too long, or has characters that names can't have.
    #[error("{place}: {name:?} is not a name")]
    BadName { place: String, name: String },
    /// Two of one kind have the same name.
    #[error("{place}: {name:?} stands twice")]
    DuplicateName { place: String, name: String },
    /// More methods than the limit.
    #[error("has {count} methods, limit is {limit}")]
    TooManyMethods { count: usize, limit: usize },
    /// More events than the limit.
    #[error("has {count} events, limit is {limit}")]
    TooManyEvents { count: usize, limit: usize },
    /// More storage fields than a key's first byte can tell apart.
    #[error("has {count} storage fields, limit is {limit}")]
    TooManyStorageFields { count: usize, limit: usize },
    /// More templates than the limit, nested ones included.
    #[error("method {method} has {count} access templates, limit is {limit}")]
    TooManyTemplates { method: String, count: usize, limit: usize },
    /// More than one error type.
    #[error("has {count} error types, limit is 1")]
    TooManyErrors { count: usize },

    /// An option or list that doesn't hold exactly one type, or too many variants.
    #[error("{place}: type is not well formed")]
    TypeNotWellFormed { place: String },
    /// A type inside another, or a parameter, has no bytes.
    #[error("{place}: values of this type have no bytes")]
    TypeWithoutBytes { place: String },
    /// A type that can't be part of a key.
    #[error("storage field {field}: key part {part} can't be part of a key")]
    NotAKeyType { field: String, part: usize },
    /// Every key of the field is longer than keys may be.
    #[error("storage field {field}: keys have {size} bytes, limit is {limit}")]
    KeyTooLong { field: String, size: usize, limit: usize },
    /// A prefix of more parts than keys have.
    #[error("storage field {field}: prefixes have {parts} parts, keys have {found}")]
    PrefixTooLong { field: String, parts: u8, found: usize },
    /// A counter's value must be `u128`.
    #[error("storage field {field}: a counter's value is u128")]
    CounterValue { field: String },

    /// The module exports no function of the method's name.
    #[error("method {method} is not exported")]
    MethodNotExported { method: String },
    /// The exported function is not `(i32) -> i32`.
    #[error("method {method} is exported with another signature than (i32) -> i32")]
    MethodSignature { method: String },
    /// `init` is there to write.
    #[error("method init is a view")]
    InitIsView,
    /// Templates of a method that says it declares none.
    #[error("method {method} has access templates but is not declared")]
    NotDeclared { method: String },

    /// A view declares that it writes or adds.
    #[error("{place}: a view can't {mode}")]
    ViewChanges { place: String, mode: &'static str },
    /// There is no storage field of that index.
    #[error("{place}: there is no storage field {field}")]
    NoSuchField { place: String, field: u8 },
    /// The template has more or fewer parts than the field's key.
    #[error("{place}: {found} key parts, the field has {expected}")]
    PartCount { place: String, found: usize, expected: usize },
    /// Only counters can be added to.
    #[error("{place}: the field is no counter")]
    NotACounter { place: String },
    /// There is no parameter of that index.
    #[error("{place}: there is no parameter {param}")]
    NoSuchParam { place: String, param: u16 },
    /// There is no immutable of that index.
    #[error("{place}: there is no immutable {index}")]
    NoSuchImmutable { place: String, index: u16 },
    /// There are not so many loops around the expression.
    #[error("{place}: there is no loop {depth} levels out")]
    NoSuchElement { place: String, depth: u8 },
    /// A path leads nowhere: its step is no field of a struct and no index of a tuple.
    #[error("{place}: path step {step:?} leads nowhere")]
    NoSuchPath { place: String, step: String },
    /// A loop goes over something that is not a list.
    #[error("{place}: loops over what is not a list")]
    NotAList { place: String },
    /// A loop gives no keys, so nothing would bound its work.
    #[error("{place}: the loop has no body")]
    EmptyLoop { place: String },
    /// The contract to call is not an address.
    #[error("{place}: the contract is not an address")]
    NotAnAddress { place: String },
    /// An expression has another type than its place wants.
    #[error("{place}: expected {expected}, found {found}")]
    WrongType { place: String, expected: String, found: String },
    /// A constant is not a value of its type.
    #[error("{place}: constant {constant} is not a value of type {expected}")]
    BadConstant { place: String, constant: String, expected: String },
    /// A shard of nothing, or of several values, or out of none or too many.
    #[error("{place}: a shard is of one value, out of 1 to 256, not of {values} out of {count}")]
    BadShard { place: String, values: usize, count: u16 },
    /// A shard of a constant, or of what is not known before the run.
    #[error("{place}: a shard can't be of a constant or of what is not known")]
    ShardOfNoValue { place: String },
    /// A key part, list or contract is `Unknown`, which only arguments of calls can be.
    #[error("{place}: can't be unknown")]
    UnknownHere { place: String },
}

/// What a module has under the name of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodExport {
    /// No function.
    Missing,
    /// A function, but not `(i32) -> i32`.
    WrongSignature,
    /// A function `(i32) -> i32`.
    Fits,
}

/// Checks a decoded ABI against limits and against the module's exports.
///
/// # Errors
/// [`AbiError`] names what is wrong.
pub fn check(
    abi: &Abi,
    limits: &Limits,
    export: impl Fn(&str) -> MethodExport,
) -> Result<(), AbiError> {
    let checker = Checker { abi, limits };
    checker.counts()?;
    checker.contract_name()?;
    checker.fields(&abi.immutables, || "immutables".into())?;
    checker.storage()?;
    checker.events()?;
    for ty in abi.error.iter() {
        checker.ty(ty, &|| "error".into())?;
    }
    checker.unique(abi.methods.iter().map(|method| &*method.name), || "methods".into())?;
    for method in abi.methods.iter() {
        checker.method(method)?;
        match export(&method.name) {
            MethodExport::Missing => {
                return Err(AbiError::MethodNotExported { method: method.name.to_string() });
            }
            MethodExport::WrongSignature => {
                return Err(AbiError::MethodSignature { method: method.name.to_string() });
            }
            MethodExport::Fits => {}
        }
    }
    Ok(())
}

/// Where in the ABI something is; put together only when it is wrong.
type Place<'a> = &'a dyn Fn() -> String;

pub(crate) struct Checker<'a> {
    abi: &'a Abi,
    limits: &'a Limits,
}

impl Checker<'_> {
    fn counts(&self) -> Result<(), AbiError> {
        let (abi, limit) = (self.abi, self.limits.methods_max);
        if abi.methods.len() > limit {
            return Err(AbiError::TooManyMethods { count: abi.methods.len(), limit });
        }
        if abi.events.len() > limit {
            return Err(AbiError::TooManyEvents { count: abi.events.len(), limit });
        }
        if abi.storage.len() > STORAGE_FIELDS_MAX {
            let (count, limit) = (abi.storage.len(), STORAGE_FIELDS_MAX);
            return Err(AbiError::TooManyStorageFields { count, limit });
        }
        if abi.error.len() > 1 {
            return Err(AbiError::TooManyErrors { count: abi.error.len() });
        }
        Ok(())
    }

    /// The name of the contract is for people, and package names have hyphens.
    fn contract_name(&self) -> Result<(), AbiError> {
        let name = self.abi.name.replace('-', "_");
        self.name(&name, is_identifier, &|| "contract".into())
    }

    fn storage(&self) -> Result<(), AbiError> {
        self.unique(self.abi.storage.iter().map(|field| &*field.name), || "storage".into())?;
        self.abi.storage.iter().try_for_each(|field| self.storage_field(field))
    }

    fn storage_field(&self, field: &StorageField) -> Result<(), AbiError> {
        let place = || format!("storage field {}", field.name);
        self.name(&field.name, is_identifier, &place)?;
        self.ty(&field.value, &place)?;
        for (part, ty) in field.key.iter().enumerate() {
            self.inner_type(ty, &|| format!("{}, key part {part}", place()))?;
            if !key::is_key_type(ty) {
                return Err(AbiError::NotAKeyType { field: field.name.to_string(), part });
            }
        }
        let size = (field.key.iter())
            .fold(1usize, |size, ty| size.saturating_add(ty.fixed_size().unwrap_or(1)));
        if size > KEY_BYTES_MAX {
            let (field, limit) = (field.name.to_string(), KEY_BYTES_MAX);
            return Err(AbiError::KeyTooLong { field, size, limit });
        }
        if let Some(parts) = field.prefix_parts
            && usize::from(parts) > field.key.len()
        {
            let (field, found) = (field.name.to_string(), field.key.len());
            return Err(AbiError::PrefixTooLong { field, parts, found });
        }
        if field.counter && field.value != Type::U128 {
            return Err(AbiError::CounterValue { field: field.name.to_string() });
        }
        Ok(())
    }

    fn events(&self) -> Result<(), AbiError> {
        self.unique(self.abi.events.iter().map(|event| &*event.name), || "events".into())?;
        self.abi.events.iter().try_for_each(|event| {
            let place = || format!("event {}", event.name);
            self.name(&event.name, is_identifier, &place)?;
            self.fields(&event.fields, place)
        })
    }

    fn method(&self, method: &Method) -> Result<(), AbiError> {
        let place = || format!("method {}", method.name);
        self.name(&method.name, is_identifier, &place)?;
        self.fields(&method.params, place)?;
        self.ty(&method.returns, &place)?;
        if method.name == INIT_METHOD && method.mutability == Mutability::View {
            return Err(AbiError::InitIsView);
        }
        if !method.declared && !method.access.is_empty() {
            return Err(AbiError::NotDeclared { method: method.name.to_string() });
        }
        template::check(self, method)
    }

    /// Named values one after another: parameters, immutables, the fields of an event or struct.
    fn fields(&self, fields: &[Field], place: impl Fn() -> String) -> Result<(), AbiError> {
        self.unique(fields.iter().map(|field| &*field.name), &place)?;
        fields.iter().try_for_each(|field| {
            let place = || format!("{}, field {}", place(), field.name);
            self.name(&field.name, is_field_name, &place)?;
            self.inner_type(&field.ty, &place)
        })
    }

    /// A type that stands by itself, where even one without bytes does no harm.
    fn ty(&self, ty: &Type, place: Place<'_>) -> Result<(), AbiError> {
        if !ty.is_well_formed() {
            return Err(AbiError::TypeNotWellFormed { place: place() });
        }
        self.parts(ty, place)
    }

    /// A type inside another.
    fn inner_type(&self, ty: &Type, place: Place<'_>) -> Result<(), AbiError> {
        if ty.fixed_size() == Some(0) {
            return Err(AbiError::TypeWithoutBytes { place: place() });
        }
        self.ty(ty, place)
    }

    fn parts(&self, ty: &Type, place: Place<'_>) -> Result<(), AbiError> {
        match ty {
            Type::Option(inner) | Type::List(inner) | Type::Tuple(inner) => {
                inner.iter().try_for_each(|ty| self.inner_type(ty, place))
            }
            Type::Struct { name, fields } => {
                self.name(name, is_type_name, place)?;
                self.fields(fields, || format!("{}, struct {name}", place()))
            }
            Type::Enum { name, variants } => {
                self.name(name, is_type_name, place)?;
                let place = || format!("{}, enum {name}", place());
                self.unique(variants.iter().map(|variant| &*variant.name), place)?;
                variants.iter().try_for_each(|variant| {
                    self.name(&variant.name, is_identifier, &place)?;
                    self.fields(&variant.fields, || format!("{}, {}", place(), variant.name))
                })
            }
            _ => Ok(()),
        }
    }

    fn name(&self, name: &str, is: fn(&str) -> bool, place: Place<'_>) -> Result<(), AbiError> {
        if name.len() <= self.limits.name_bytes_max && is(name) {
            return Ok(());
        }
        let name = name.chars().take(self.limits.name_bytes_max).collect();
        Err(AbiError::BadName { place: place(), name })
    }

    fn unique<'n>(
        &self,
        names: impl Iterator<Item = &'n str>,
        place: impl Fn() -> String,
    ) -> Result<(), AbiError> {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(name) {
                return Err(AbiError::DuplicateName { place: place(), name: name.into() });
            }
        }
        Ok(())
    }
}

/// Letters, digits and underscores, not beginning with a digit.
fn is_identifier(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

/// An identifier, or the number of a field that has no name.
fn is_field_name(name: &str) -> bool {
    is_identifier(name) || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a type may be called; generic ones have more than letters.
fn is_type_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests;
