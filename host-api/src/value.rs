//! Values decoded by their schema: for tools that print arguments, events and errors, and for
//! checking bytes before a contract sees them.

use crate::address::Address;
use crate::schema::{Field, Text, Type};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Why bytes are not a value of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// They end too early.
    Truncated,
    /// They go on after the value.
    Trailing,
    /// A tag, length, boolean or text is not one.
    Invalid,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "bytes end before the value does",
            Self::Trailing => "bytes go on after the value",
            Self::Invalid => "bytes are not a value of this type",
        })
    }
}

impl core::error::Error for DecodeError {}

/// A decoded value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A boolean.
    Bool(bool),
    /// An unsigned integer of any width.
    Unsigned(u128),
    /// A signed integer of any width.
    Signed(i128),
    /// An address.
    Address(Address),
    /// Bytes, of fixed or varying length.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// An option.
    Option(Option<Box<Value>>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A struct: field names and values.
    Struct(Vec<(Text, Value)>),
    /// An enum: index and name of the variant, and its fields.
    Enum(u8, Text, Vec<(Text, Value)>),
}

/// Takes `count` bytes off the front of `input`.
///
/// # Errors
/// [`DecodeError::Truncated`] if there are fewer.
pub fn take<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], DecodeError> {
    let (head, tail) = input.split_at_checked(count).ok_or(DecodeError::Truncated)?;
    *input = tail;
    Ok(head)
}

fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], DecodeError> {
    take(input, N)?.try_into().map_err(|_| DecodeError::Truncated)
}

fn take_length(input: &mut &[u8]) -> Result<usize, DecodeError> {
    Ok(u32::from_le_bytes(take_array(input)?) as usize)
}

/// The size of a type of which any bytes are a value.
#[inline]
fn plain_size(ty: &Type) -> Option<usize> {
    match ty {
        Type::U8 => Some(1),
        Type::U16 => Some(2),
        Type::U32 => Some(4),
        Type::U64 | Type::I64 => Some(8),
        Type::U128 | Type::I128 => Some(16),
        Type::Address => Some(32),
        Type::FixedBytes(size) => Some(*size as usize),
        Type::Bool
        | Type::Text
        | Type::Bytes
        | Type::Option(_)
        | Type::List(_)
        | Type::Tuple(_)
        | Type::Struct { .. }
        | Type::Enum { .. } => None,
    }
}

/// Takes one value of type `ty` off `input` without building it. Time is linear in the bytes taken.
///
/// # Errors
/// [`DecodeError`] if `input` does not start with a value of type `ty`.
pub fn skip(ty: &Type, input: &mut &[u8]) -> Result<(), DecodeError> {
    match ty {
        Type::Bool => match take(input, 1)?[0] {
            0 | 1 => Ok(()),
            _ => Err(DecodeError::Invalid),
        },
        Type::Text => {
            let length = take_length(input)?;
            core::str::from_utf8(take(input, length)?).map_err(|_| DecodeError::Invalid)?;
            Ok(())
        }
        Type::Bytes => {
            let length = take_length(input)?;
            take(input, length).map(|_| ())
        }
        Type::Option(inner) => match take(input, 1)?[0] {
            0 => Ok(()),
            1 => skip(inner.first().ok_or(DecodeError::Invalid)?, input),
            _ => Err(DecodeError::Invalid),
        },
        Type::List(inner) => {
            let ty = inner.first().ok_or(DecodeError::Invalid)?;
            let count = take_length(input)?;
            match plain_size(ty) {
                Some(size) => {
                    let size = count.checked_mul(size).ok_or(DecodeError::Truncated)?;
                    take(input, size).map(|_| ())
                }
                None => (0..count).try_for_each(|_| skip(ty, input)),
            }
        }
        Type::Tuple(types) => types.iter().try_for_each(|ty| skip(ty, input)),
        Type::Struct { fields, .. } => fields.iter().try_for_each(|field| skip(&field.ty, input)),
        Type::Enum { variants, .. } => {
            let index = take(input, 1)?[0] as usize;
            let variant = variants.get(index).ok_or(DecodeError::Invalid)?;
            variant.fields.iter().try_for_each(|field| skip(&field.ty, input))
        }
        _ => take(input, plain_size(ty).ok_or(DecodeError::Invalid)?).map(|_| ()),
    }
}

/// Checks that `bytes` are exactly the values of `fields`, one after another.
///
/// # Errors
/// [`DecodeError`] says in what way they are not.
pub fn check_fields(fields: &[Field], mut bytes: &[u8]) -> Result<(), DecodeError> {
    fields.iter().try_for_each(|field| skip(&field.ty, &mut bytes))?;
    if bytes.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
}

/// Takes one value of type `ty` off `input`.
///
/// # Errors
/// [`DecodeError`] if `input` does not start with a value of type `ty`.
///
/// # Examples
/// ```
/// use tollway_host_api::{Type, value::{decode, Value}};
/// let value = decode(&Type::U16, &mut [1u8, 2].as_slice()).unwrap();
/// assert_eq!(value, Value::Unsigned(0x0201));
/// assert_eq!(value.to_string(), "513");
/// ```
pub fn decode(ty: &Type, input: &mut &[u8]) -> Result<Value, DecodeError> {
    Ok(match ty {
        Type::Bool => match take(input, 1)?[0] {
            0 => Value::Bool(false),
            1 => Value::Bool(true),
            _ => return Err(DecodeError::Invalid),
        },
        Type::U8 => Value::Unsigned(take(input, 1)?[0].into()),
        Type::U16 => Value::Unsigned(u16::from_le_bytes(take_array(input)?).into()),
        Type::U32 => Value::Unsigned(u32::from_le_bytes(take_array(input)?).into()),
        Type::U64 => Value::Unsigned(u64::from_le_bytes(take_array(input)?).into()),
        Type::U128 => Value::Unsigned(u128::from_le_bytes(take_array(input)?)),
        Type::I64 => Value::Signed(i64::from_le_bytes(take_array(input)?).into()),
        Type::I128 => Value::Signed(i128::from_le_bytes(take_array(input)?)),
        Type::Address => Value::Address(Address(take_array(input)?)),
        Type::FixedBytes(size) => Value::Bytes(take(input, *size as usize)?.into()),
        Type::Bytes => {
            let length = take_length(input)?;
            Value::Bytes(take(input, length)?.into())
        }
        Type::Text => {
            let length = take_length(input)?;
            let bytes = take(input, length)?;
            Value::Text(core::str::from_utf8(bytes).map_err(|_| DecodeError::Invalid)?.into())
        }
        Type::Option(inner) => match take(input, 1)?[0] {
            0 => Value::Option(None),
            1 => Value::Option(Some(Box::new(decode(
                inner.first().ok_or(DecodeError::Invalid)?,
                input,
            )?))),
            _ => return Err(DecodeError::Invalid),
        },
        Type::List(inner) => {
            let ty = inner.first().ok_or(DecodeError::Invalid)?;
            let count = take_length(input)?;
            // Grown step by step: a hostile count must not allocate ahead of its bytes.
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(decode(ty, input)?);
            }
            Value::List(values)
        }
        Type::Tuple(types) => {
            Value::Tuple(types.iter().map(|ty| decode(ty, input)).collect::<Result<_, _>>()?)
        }
        Type::Struct { fields, .. } => Value::Struct(decode_fields(fields, input)?),
        Type::Enum { variants, .. } => {
            let index = take(input, 1)?[0];
            let variant = variants.get(index as usize).ok_or(DecodeError::Invalid)?;
            Value::Enum(index, variant.name.clone(), decode_fields(&variant.fields, input)?)
        }
    })
}

/// Takes the values of `fields` off `input`, one after another, with their names.
///
/// # Errors
/// [`DecodeError`] if `input` does not start with them.
pub fn decode_fields(
    fields: &[Field],
    input: &mut &[u8],
) -> Result<Vec<(Text, Value)>, DecodeError> {
    fields.iter().map(|field| Ok((field.name.clone(), decode(&field.ty, input)?))).collect()
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Address(value) => write!(f, "0x{value}"),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Option(None) => f.write_str("none"),
            Self::Option(Some(value)) => write!(f, "some({value})"),
            Self::List(values) => write_joined(f, "[", values, "]"),
            Self::Tuple(values) => write_joined(f, "(", values, ")"),
            Self::Struct(fields) => write_fields(f, fields),
            Self::Enum(_, name, fields) => {
                f.write_str(name)?;
                if fields.is_empty() { Ok(()) } else { write_fields(f, fields) }
            }
        }
    }
}

fn write_joined(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    values: &[Value],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (index, value) in values.iter().enumerate() {
        write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
    }
    f.write_str(close)
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[(Text, Value)]) -> fmt::Result {
    f.write_str("{")?;
    for (index, (name, value)) in fields.iter().enumerate() {
        write!(f, "{}{name}: {value}", if index == 0 { "" } else { ", " })?;
    }
    f.write_str("}")
}
