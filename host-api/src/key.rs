//! How a storage field and its key parts become the bytes of a state key.
//!
//! ```text
//! balances[(caller, 7u32)]   02 | caller, 32 bytes | 00 00 00 07
//!                            └ index of the field in the ABI
//! ```
//!
//! Byte order is value order for everything but texts and bytes (which sort by length first), and
//! no encoding is a prefix of another of the same type, so different keys never collide.
//! The state holds a key under its contract's address; guests see only what is shown here.
//!
//! | type | bytes |
//! | --- | --- |
//! | bool, unsigned integers | big-endian |
//! | signed integers | big-endian, sign bit flipped |
//! | address, fixed bytes | as they are |
//! | text, bytes | one length byte, then the bytes |
//! | option | 0, or 1 and the value |
//! | tuple, struct | the parts one after another |
//! | enum | the variant's index as one byte, then its fields |
//! | list | not allowed in a key |

use crate::schema::Type;
use crate::value::{DecodeError, take};
use alloc::vec::Vec;

/// The longest key, field index included, in bytes.
pub const KEY_BYTES_MAX: usize = 128;

/// The most storage fields that a contract may have: the index is one byte.
pub const STORAGE_FIELDS_MAX: usize = 256;

/// Whether values of this type may be part of a key.
pub fn is_key_type(ty: &Type) -> bool {
    match ty {
        Type::List(_) => false,
        Type::Option(inner) => inner.iter().all(is_key_type),
        Type::Tuple(types) => types.iter().all(is_key_type),
        Type::Struct { fields, .. } => fields.iter().all(|field| is_key_type(&field.ty)),
        Type::Enum { variants, .. } => {
            variants.iter().all(|v| v.fields.iter().all(|field| is_key_type(&field.ty)))
        }
        _ => true,
    }
}

/// Takes one borsh-encoded value off `input` and appends its key encoding to `key`.
///
/// Stops early, with a key that is too long and so never valid, once `key` holds more than
/// [`KEY_BYTES_MAX`] bytes by more than one value.
///
/// # Errors
/// [`DecodeError`] if `input` does not start with a value of type `ty`, or `ty` is no key type.
///
/// # Examples
/// ```
/// use tollway_host_api::{Type, key::transcode};
/// let mut key = vec![2];
/// transcode(&Type::U32, &mut 7u32.to_le_bytes().as_slice(), &mut key).unwrap();
/// assert_eq!(key, [2, 0, 0, 0, 7]);
/// ```
pub fn transcode(ty: &Type, input: &mut &[u8], key: &mut Vec<u8>) -> Result<(), DecodeError> {
    match ty {
        Type::Bool => {
            let byte = take(input, 1)?[0];
            if byte > 1 {
                return Err(DecodeError::Invalid);
            }
            key.push(byte);
        }
        Type::U8 => key.push(take(input, 1)?[0]),
        Type::U16 => push_reversed(take(input, 2)?, key),
        Type::U32 => push_reversed(take(input, 4)?, key),
        Type::U64 => push_reversed(take(input, 8)?, key),
        Type::U128 => push_reversed(take(input, 16)?, key),
        Type::I64 => push_signed(take(input, 8)?, key),
        Type::I128 => push_signed(take(input, 16)?, key),
        Type::Address => key.extend_from_slice(take(input, 32)?),
        Type::FixedBytes(size) => key.extend_from_slice(take(input, *size as usize)?),
        Type::Bytes | Type::Text => {
            let length =
                u32::from_le_bytes(take(input, 4)?.try_into().map_err(|_| DecodeError::Invalid)?)
                    as usize;
            let bytes = take(input, length)?;
            // Longer ones make the key too long in any case; 255 keeps the length in its byte.
            key.push(length.min(255) as u8);
            key.extend_from_slice(&bytes[..length.min(255)]);
        }
        Type::Option(inner) => match take(input, 1)?[0] {
            0 => key.push(0),
            1 => {
                key.push(1);
                transcode(inner.first().ok_or(DecodeError::Invalid)?, input, key)?;
            }
            _ => return Err(DecodeError::Invalid),
        },
        Type::Tuple(types) => {
            for ty in types.iter() {
                transcode(ty, input, key)?;
            }
        }
        Type::Struct { fields, .. } => {
            for field in fields.iter() {
                transcode(&field.ty, input, key)?;
            }
        }
        Type::Enum { variants, .. } => {
            let index = take(input, 1)?[0];
            let variant = variants.get(index as usize).ok_or(DecodeError::Invalid)?;
            key.push(index);
            for field in variant.fields.iter() {
                transcode(&field.ty, input, key)?;
            }
        }
        Type::List(_) => return Err(DecodeError::Invalid),
    }
    Ok(())
}

/// Takes one key part off `key` and appends its borsh encoding to `value`: the inverse of
/// [`transcode`], for tools that print keys.
///
/// # Errors
/// [`DecodeError`] if `key` does not start with a part of type `ty`, or `ty` is no key type.
///
/// # Examples
/// ```
/// use tollway_host_api::{Type, key::restore};
/// let mut value = vec![];
/// restore(&Type::U32, &mut [0, 0, 0, 7].as_slice(), &mut value).unwrap();
/// assert_eq!(value, 7u32.to_le_bytes());
/// ```
pub fn restore(ty: &Type, key: &mut &[u8], value: &mut Vec<u8>) -> Result<(), DecodeError> {
    match ty {
        Type::U16 | Type::U32 | Type::U64 | Type::U128 => {
            push_reversed(take(key, ty.fixed_size().ok_or(DecodeError::Invalid)?)?, value);
        }
        Type::I64 | Type::I128 => {
            push_reversed(take(key, ty.fixed_size().ok_or(DecodeError::Invalid)?)?, value);
            if let Some(last) = value.last_mut() {
                *last ^= 0x80;
            }
        }
        Type::Bool | Type::U8 | Type::Address | Type::FixedBytes(_) => {
            let size = ty.fixed_size().ok_or(DecodeError::Invalid)?;
            value.extend_from_slice(take(key, size)?);
        }
        Type::Bytes | Type::Text => {
            let length = take(key, 1)?[0];
            value.extend_from_slice(&u32::from(length).to_le_bytes());
            value.extend_from_slice(take(key, length.into())?);
        }
        Type::Option(inner) => {
            let tag = take(key, 1)?[0];
            value.push(tag);
            if tag == 1 {
                restore(inner.first().ok_or(DecodeError::Invalid)?, key, value)?;
            }
        }
        Type::Tuple(types) => {
            types.iter().try_for_each(|ty| restore(ty, key, value))?;
        }
        Type::Struct { fields, .. } => {
            fields.iter().try_for_each(|field| restore(&field.ty, key, value))?;
        }
        Type::Enum { variants, .. } => {
            let index = take(key, 1)?[0];
            value.push(index);
            let variant = variants.get(usize::from(index)).ok_or(DecodeError::Invalid)?;
            variant.fields.iter().try_for_each(|field| restore(&field.ty, key, value))?;
        }
        Type::List(_) => return Err(DecodeError::Invalid),
    }
    Ok(())
}

/// How many bytes of `key` are its first byte and the parts of these types; `None` if there are not
/// so many.
///
/// # Examples
/// ```
/// use tollway_host_api::{Type, key::parts_len};
/// assert_eq!(parts_len(&[Type::U16, Type::Text], &[9, 0, 7, 2, b'h', b'i', 1]), Some(6));
/// assert_eq!(parts_len(&[Type::U16], &[9, 0]), None);
/// ```
pub fn parts_len(types: &[Type], key: &[u8]) -> Option<usize> {
    let mut rest = key.get(1..)?;
    types.iter().try_for_each(|ty| pass_over(ty, &mut rest))?;
    Some(key.len() - rest.len())
}

/// Takes one key part off `key`.
fn pass_over(ty: &Type, key: &mut &[u8]) -> Option<()> {
    let mut pass = |count: usize| take(key, count).ok();
    match ty {
        Type::Bytes | Type::Text => {
            let length = pass(1)?[0];
            pass(length.into()).map(|_| ())
        }
        Type::Option(inner) => match pass(1)?[0] {
            0 => Some(()),
            1 => pass_over(inner.first()?, key),
            _ => None,
        },
        Type::Tuple(types) => types.iter().try_for_each(|ty| pass_over(ty, key)),
        Type::Struct { fields, .. } => {
            fields.iter().try_for_each(|field| pass_over(&field.ty, key))
        }
        Type::Enum { variants, .. } => {
            let variant = variants.get(usize::from(pass(1)?[0]))?;
            variant.fields.iter().try_for_each(|field| pass_over(&field.ty, key))
        }
        Type::List(_) => None,
        fixed => pass(fixed.fixed_size()?).map(|_| ()),
    }
}

fn push_reversed(little_endian: &[u8], key: &mut Vec<u8>) {
    key.extend(little_endian.iter().rev());
}

fn push_signed(little_endian: &[u8], key: &mut Vec<u8>) {
    let start = key.len();
    push_reversed(little_endian, key);
    key[start] ^= 0x80;
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::Cow;
    use alloc::vec;

    fn check(ty: &Type, value: &[u8], expected: &[u8]) {
        let mut key = vec![];
        let mut input = value;
        transcode(ty, &mut input, &mut key).expect("the value is of this type");
        assert!(input.is_empty());
        assert_eq!(key, expected);
        let mut restored = vec![];
        restore(ty, &mut &key[..], &mut restored).expect("the key is of this type");
        assert_eq!(restored, value);
        let types = core::slice::from_ref(ty);
        let whole = [&[7], &key[..], &[1]].concat();
        assert_eq!(parts_len(types, &whole), Some(1 + key.len()));
        assert_eq!(parts_len(types, &whole[..key.len()]), None);
    }

    #[test]
    fn integers_sort_as_bytes() {
        check(&Type::U64, &258u64.to_le_bytes(), &[0, 0, 0, 0, 0, 0, 1, 2]);
        check(&Type::I64, &(-1i64).to_le_bytes(), &[0x7f, 255, 255, 255, 255, 255, 255, 255]);
        check(&Type::I64, &1i64.to_le_bytes(), &[0x80, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn texts_carry_their_length() {
        check(&Type::Text, &[2, 0, 0, 0, b'h', b'i'], &[2, b'h', b'i']);
        let long = [&300u32.to_le_bytes()[..], &[7; 300]].concat();
        let mut key = vec![];
        transcode(&Type::Bytes, &mut &long[..], &mut key).expect("bytes decode");
        assert!(key.len() > KEY_BYTES_MAX);
    }

    #[test]
    fn parts_of_every_type_have_their_length() {
        let variant = |name, fields| crate::Variant { name: Cow::Borrowed(name), fields };
        let field = |ty| crate::Field { name: Cow::Borrowed("f"), ty };
        let side = Type::Enum {
            name: Cow::Borrowed("Side"),
            variants: Cow::Owned(vec![
                variant("Bid", Cow::Owned(vec![])),
                variant("Ask", Cow::Owned(vec![field(Type::U16)])),
            ]),
        };
        check(&side, &[0], &[0]);
        check(&side, &[1, 1, 2], &[1, 2, 1]);
        let option = Type::Option(Cow::Owned(vec![side.clone()]));
        check(&option, &[0], &[0]);
        check(&option, &[1, 1, 1, 2], &[1, 1, 2, 1]);
        let pair = Type::Tuple(Cow::Owned(vec![Type::Bool, Type::FixedBytes(2)]));
        check(&pair, &[1, 8, 9], &[1, 8, 9]);
        assert_eq!(parts_len(&[], &[7]), Some(1));
        assert_eq!(parts_len(&[], &[]), None);
        assert_eq!(parts_len(&[side], &[7, 2, 0, 0]), None);
        assert_eq!(parts_len(&[option], &[7, 2, 0, 0]), None);
    }

    #[test]
    fn wrong_values_are_refused() {
        let refused = |ty: Type, value: &[u8]| {
            transcode(&ty, &mut &value[..], &mut vec![]).expect_err("must be refused")
        };
        refused(Type::Bool, &[2]);
        refused(Type::U32, &[1, 2, 3]);
        refused(Type::Text, &[255, 255, 255, 255, 0]);
        refused(Type::List(Cow::Owned(vec![Type::U8])), &[0, 0, 0, 0]);
    }
}
