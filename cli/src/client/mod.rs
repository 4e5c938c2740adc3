//! Typed clients of a contract, made from its ABI: they encode calls and decode what comes of them. How
//! calls get to a chain is not their business.
//!
//! `cli/tests/client` holds clients of the contract `echo`, which has every type, and runs them against
//! real receipts.

mod names;
mod rust;
mod typescript;

pub(crate) use rust::rust;
pub(crate) use typescript::typescript;

use names::{Names, camel};
use tollway_host_api::{Abi, Field, Type, Variant};

/// A struct or an enum of the contract, under the name that it has in the client.
struct Named<'a> {
    name: String,
    ty: &'a Type,
}

/// The structs and enums that an ABI's methods, events, errors and immutables are made of; each after
/// those that it is made of.
struct Types<'a> {
    all: Vec<Named<'a>>,
    names: Names,
    /// Stands before names that are taken.
    prefix: String,
}

impl<'a> Types<'a> {
    /// Those of an ABI; `reserved` are names that the client itself uses.
    fn of(abi: &'a Abi, reserved: &[&str]) -> Self {
        let mut types =
            Self { all: Vec::new(), names: Names::new(reserved), prefix: camel(&abi.name) };
        let params = abi.methods.iter().flat_map(|method| method.params.iter());
        let events = abi.events.iter().flat_map(|event| event.fields.iter());
        params.for_each(|field| types.add(&field.ty));
        abi.methods.iter().for_each(|method| types.add(&method.returns));
        events.for_each(|field| types.add(&field.ty));
        abi.error.iter().for_each(|ty| types.add(ty));
        abi.immutables.iter().for_each(|field| types.add(&field.ty));
        types
    }

    fn add(&mut self, ty: &'a Type) {
        match ty {
            Type::Option(types) | Type::List(types) | Type::Tuple(types) => {
                types.iter().for_each(|ty| self.add(ty));
            }
            Type::Struct { name, fields } => {
                self.add_fields(fields);
                self.name(name, ty);
            }
            Type::Enum { name, variants } => {
                variants.iter().for_each(|variant| self.add_fields(&variant.fields));
                self.name(name, ty);
            }
            _ => {}
        }
    }

    fn add_fields(&mut self, fields: &'a [Field]) {
        fields.iter().for_each(|field| self.add(&field.ty));
    }

    /// Two types may have one name in a contract, where they come from different modules.
    fn name(&mut self, name: &str, ty: &'a Type) {
        if self.all.iter().any(|known| known.ty == ty) {
            return;
        }
        let name = self.names.take(&names::identifier(name), &self.prefix);
        self.all.push(Named { name, ty });
    }

    /// The client's name of a struct or enum.
    fn name_of(&self, ty: &Type) -> &str {
        let found = self.all.iter().find(|known| known.ty == ty);
        &found.expect("all types of the ABI were added").name
    }
}

/// Whether fields have numbers for names, in order: those of a tuple.
fn is_tuple(fields: &[Field]) -> bool {
    !fields.is_empty()
        && fields.iter().enumerate().all(|(index, field)| field.name == index.to_string())
}

/// Whether no variant has fields.
fn is_plain(variants: &[Variant]) -> bool {
    variants.iter().all(|variant| variant.fields.is_empty())
}
