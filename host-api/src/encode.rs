//! The borsh encoding of an [`Abi`], computed by the compiler, so that a contract can place it in
//! a section of its Wasm.
//!
//! # Invariants
//! 1. The bytes are those of `borsh::to_vec(&abi)` (`tests::same_as_borsh`).
//! 2. Only `Cow::Borrowed` parts can be read at compile time; an owned one panics, which is a
//!    compile error where it matters.

use crate::abi::{Abi, Event, Method, Mutability, StorageField};
use crate::schema::{Field, List, Text, Type, Variant};
use crate::template::{AccessTemplate, Expr, Mode};
use alloc::borrow::Cow;

/// The number of bytes that [`encode`] gives.
pub const fn encoded_len(abi: &Abi) -> usize {
    let mut writer = Writer::<0> { bytes: [], length: 0 };
    writer.abi(abi);
    writer.length
}

/// The borsh encoding of `abi`, which must consist of `Cow::Borrowed` parts.
///
/// # Panics
/// If `N` is not [`encoded_len`], or a part is owned. In a constant, that stops the compiler.
///
/// # Examples
/// ```
/// use std::borrow::Cow;
/// use tollway_host_api::{Abi, abi::ABI_VERSION, encode::{encode, encoded_len}};
/// static EMPTY: Abi = Abi {
///     version: ABI_VERSION,
///     name: Cow::Borrowed("empty"),
///     immutables: Cow::Borrowed(&[]),
///     storage: Cow::Borrowed(&[]),
///     methods: Cow::Borrowed(&[]),
///     events: Cow::Borrowed(&[]),
///     error: Cow::Borrowed(&[]),
/// };
/// static BYTES: [u8; encoded_len(&EMPTY)] = encode(&EMPTY);
/// assert_eq!(BYTES[..], borsh::to_vec(&EMPTY).unwrap());
/// ```
pub const fn encode<const N: usize>(abi: &Abi) -> [u8; N] {
    let mut writer = Writer { bytes: [0; N], length: 0 };
    writer.abi(abi);
    assert!(writer.length == N, "N must be encoded_len of the same ABI");
    writer.bytes
}

/// Counts bytes, and keeps them if it has room for any.
struct Writer<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

const fn borrowed<T>(list: &List<T>) -> &[T]
where
    [T]: alloc::borrow::ToOwned,
{
    match list {
        Cow::Borrowed(items) => items,
        Cow::Owned(_) => panic!("only borrowed lists can be encoded at compile time"),
    }
}

/// Writes a list: its count, then each item by the writer's method of that name.
macro_rules! write_list {
    ($writer:ident, $list:expr, $method:ident) => {{
        let items = borrowed($list);
        $writer.count(items.len());
        let mut index = 0;
        while index < items.len() {
            $writer.$method(&items[index]);
            index += 1;
        }
    }};
}

impl<const N: usize> Writer<N> {
    const fn raw(&mut self, bytes: &[u8]) {
        if N > 0 {
            let (_, free) = self.bytes.split_at_mut(self.length);
            let (place, _) = free.split_at_mut(bytes.len());
            place.copy_from_slice(bytes);
        }
        self.length += bytes.len();
    }

    const fn byte(&mut self, byte: u8) {
        self.raw(&[byte]);
    }

    const fn flag(&mut self, flag: bool) {
        self.byte(flag as u8);
    }

    const fn count(&mut self, count: usize) {
        assert!(count <= u32::MAX as usize, "a list is too long");
        self.raw(&(count as u32).to_le_bytes());
    }

    const fn text(&mut self, text: &Text) {
        match text {
            Cow::Borrowed(text) => {
                self.count(text.len());
                self.raw(text.as_bytes());
            }
            Cow::Owned(_) => panic!("only borrowed texts can be encoded at compile time"),
        }
    }

    const fn abi(&mut self, abi: &Abi) {
        self.raw(&abi.version.to_le_bytes());
        self.text(&abi.name);
        write_list!(self, &abi.immutables, field);
        write_list!(self, &abi.storage, storage_field);
        write_list!(self, &abi.methods, method);
        write_list!(self, &abi.events, event);
        write_list!(self, &abi.error, ty);
    }

    const fn storage_field(&mut self, field: &StorageField) {
        self.text(&field.name);
        write_list!(self, &field.key, ty);
        self.ty(&field.value);
        self.flag(field.counter);
        match field.prefix_parts {
            None => self.byte(0),
            Some(parts) => self.raw(&[1, parts]),
        }
    }

    const fn method(&mut self, method: &Method) {
        self.text(&method.name);
        self.byte(match method.mutability {
            Mutability::View => 0,
            Mutability::Call => 1,
        });
        self.flag(method.reentrant);
        write_list!(self, &method.params, field);
        self.ty(&method.returns);
        self.flag(method.declared);
        write_list!(self, &method.access, template);
    }

    const fn event(&mut self, event: &Event) {
        self.text(&event.name);
        write_list!(self, &event.fields, field);
    }

    const fn field(&mut self, field: &Field) {
        self.text(&field.name);
        self.ty(&field.ty);
    }

    const fn variant(&mut self, variant: &Variant) {
        self.text(&variant.name);
        write_list!(self, &variant.fields, field);
    }

    const fn ty(&mut self, ty: &Type) {
        match ty {
            Type::Bool => self.byte(0),
            Type::U8 => self.byte(1),
            Type::U16 => self.byte(2),
            Type::U32 => self.byte(3),
            Type::U64 => self.byte(4),
            Type::U128 => self.byte(5),
            Type::I64 => self.byte(6),
            Type::I128 => self.byte(7),
            Type::Address => self.byte(8),
            Type::Bytes => self.byte(9),
            Type::Text => self.byte(10),
            Type::FixedBytes(size) => {
                self.byte(11);
                self.raw(&size.to_le_bytes());
            }
            Type::Option(inner) => {
                self.byte(12);
                write_list!(self, inner, ty);
            }
            Type::List(inner) => {
                self.byte(13);
                write_list!(self, inner, ty);
            }
            Type::Tuple(types) => {
                self.byte(14);
                write_list!(self, types, ty);
            }
            Type::Struct { name, fields } => {
                self.byte(15);
                self.text(name);
                write_list!(self, fields, field);
            }
            Type::Enum { name, variants } => {
                self.byte(16);
                self.text(name);
                write_list!(self, variants, variant);
            }
        }
    }

    const fn template(&mut self, template: &AccessTemplate) {
        match template {
            AccessTemplate::Key { mode, field, parts } => {
                self.byte(0);
                self.byte(match mode {
                    Mode::Read => 0,
                    Mode::Add => 1,
                    Mode::Write => 2,
                });
                self.byte(*field);
                write_list!(self, parts, expr);
            }
            AccessTemplate::ForEach { list, body } => {
                self.byte(1);
                self.expr(list);
                write_list!(self, body, template);
            }
            AccessTemplate::Call { contract, method, args } => {
                self.byte(2);
                self.expr(contract);
                self.text(method);
                write_list!(self, args, expr);
            }
        }
    }

    const fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Caller => self.byte(0),
            Expr::This => self.byte(1),
            Expr::Arg { param, path } => {
                self.byte(2);
                self.raw(&param.to_le_bytes());
                write_list!(self, path, text);
            }
            Expr::Element { depth, path } => {
                self.byte(3);
                self.byte(*depth);
                write_list!(self, path, text);
            }
            Expr::Immutable { index, path } => {
                self.byte(4);
                self.raw(&index.to_le_bytes());
                write_list!(self, path, text);
            }
            Expr::Integer(value) => {
                self.byte(5);
                self.raw(&value.to_le_bytes());
            }
            Expr::Bytes(bytes) => {
                self.byte(6);
                let bytes = borrowed(bytes);
                self.count(bytes.len());
                self.raw(bytes);
            }
            Expr::Unknown => self.byte(7),
            Expr::CallId => self.byte(8),
            Expr::Shard { of, count } => {
                self.byte(9);
                write_list!(self, of, expr);
                self.raw(&count.to_le_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::ABI_VERSION;

    const TYPES: &[Type] = &[
        Type::Bool,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::U128,
        Type::I64,
        Type::I128,
        Type::Address,
        Type::Bytes,
        Type::Text,
        Type::FixedBytes(0x0102_0304),
        Type::Option(Cow::Borrowed(&[Type::U8])),
        Type::List(Cow::Borrowed(&[Type::Text])),
        Type::Tuple(Cow::Borrowed(&[Type::U8, Type::Bool])),
        Type::Struct { name: Cow::Borrowed("Leg"), fields: Cow::Borrowed(FIELDS) },
        Type::Enum {
            name: Cow::Borrowed("Side"),
            variants: Cow::Borrowed(&[
                Variant { name: Cow::Borrowed("Bid"), fields: Cow::Borrowed(&[]) },
                Variant { name: Cow::Borrowed("Ask"), fields: Cow::Borrowed(FIELDS) },
            ]),
        },
    ];

    const FIELDS: &[Field] = &[
        Field { name: Cow::Borrowed("to"), ty: Type::Address },
        Field { name: Cow::Borrowed("amount"), ty: Type::U128 },
    ];

    const PATH: List<Text> = Cow::Borrowed(&[Cow::Borrowed("legs"), Cow::Borrowed("0")]);

    const EXPRS: &[Expr] = &[
        Expr::Caller,
        Expr::This,
        Expr::Arg { param: 0x0102, path: PATH },
        Expr::Element { depth: 3, path: PATH },
        Expr::Immutable { index: 0x0304, path: PATH },
        Expr::Integer(u128::MAX - 1),
        Expr::Bytes(Cow::Borrowed(b"bytes")),
        Expr::Unknown,
        Expr::CallId,
        Expr::Shard { of: Cow::Borrowed(&[Expr::Caller]), count: 0x0102 },
    ];

    const fn key(mode: Mode) -> AccessTemplate {
        AccessTemplate::Key { mode, field: 7, parts: Cow::Borrowed(EXPRS) }
    }

    const BODY: &[AccessTemplate] = &[key(Mode::Read), key(Mode::Add), key(Mode::Write)];

    const fn method(mutability: Mutability, reentrant: bool, declared: bool) -> Method {
        Method {
            name: Cow::Borrowed("swap"),
            mutability,
            reentrant,
            params: Cow::Borrowed(FIELDS),
            returns: Type::UNIT,
            declared,
            access: Cow::Borrowed(&[
                AccessTemplate::ForEach { list: Expr::Caller, body: Cow::Borrowed(BODY) },
                AccessTemplate::Call {
                    contract: Expr::This,
                    method: Cow::Borrowed("transfer"),
                    args: Cow::Borrowed(EXPRS),
                },
            ]),
        }
    }

    static ABI: Abi = Abi {
        version: ABI_VERSION,
        name: Cow::Borrowed("everything"),
        immutables: Cow::Borrowed(FIELDS),
        storage: Cow::Borrowed(&[
            StorageField {
                name: Cow::Borrowed("all"),
                key: Cow::Borrowed(TYPES),
                value: Type::U128,
                counter: true,
                prefix_parts: Some(3),
            },
            StorageField {
                name: Cow::Borrowed("none"),
                key: Cow::Borrowed(&[]),
                value: Type::UNIT,
                counter: false,
                prefix_parts: None,
            },
        ]),
        methods: Cow::Borrowed(&[
            method(Mutability::View, true, false),
            method(Mutability::Call, false, true),
        ]),
        events: Cow::Borrowed(&[Event {
            name: Cow::Borrowed("Swap"),
            fields: Cow::Borrowed(FIELDS),
        }]),
        error: Cow::Borrowed(&[Type::U8]),
    };

    static BYTES: [u8; encoded_len(&ABI)] = encode(&ABI);

    #[test]
    fn same_as_borsh() {
        let expected = borsh::to_vec(&ABI).expect("writing to a vector does not fail");
        assert_eq!(BYTES[..], expected);
    }

    #[test]
    fn decodes_to_the_same_abi() {
        let decoded: Abi = borsh::from_slice(&BYTES).expect("the bytes are an ABI");
        assert_eq!(decoded, ABI);
    }
}
