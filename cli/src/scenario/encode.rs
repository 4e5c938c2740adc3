//! JSON values as the borsh bytes that a schema asks for.
//!
//! | type | JSON |
//! | --- | --- |
//! | integers | a number, or a text of digits, with `_` where it helps: `"1_000_000"` |
//! | address | a name from the file, or 64 hexadecimal digits after `0x` |
//! | bytes, fixed bytes | hexadecimal digits after `0x` |
//! | option | `null`, or the value |
//! | list, tuple | a list |
//! | struct | an object with exactly its fields |
//! | enum | `"Variant"`, or `{"Variant": {fields}}` |
//!
//! Parameters are an object by name, or a list by position.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use tollway_host_api::{Address, Field, Type, Variant, schema::TYPE_DEPTH_MAX};

/// The addresses that a file has names for.
pub(crate) type Names = BTreeMap<String, Address>;

/// Why a value does not fit, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub(crate) struct EncodeError {
    /// The path to the value: `calls[3].args.to`.
    pub(crate) at: String,
    /// What is wrong with it.
    pub(crate) problem: Problem,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Problem {
    /// Another kind of JSON value was expected.
    #[error("expected {expected}, found {found}")]
    Kind { expected: String, found: String },
    /// The number is not in its type's range.
    #[error("{number} is not in the range of {ty}")]
    Range { number: String, ty: &'static str },
    /// The text is neither an address nor a name in this file.
    #[error("no account or contract of this file is named {name:?}, and it is no address")]
    UnknownName { name: String },
    /// The text is not hexadecimal, or of the wrong length.
    #[error("expected {expected} hexadecimal after 0x")]
    Hex { expected: String },
    /// A field or parameter has no value.
    #[error("{name:?} is missing")]
    Missing { name: String },
    /// A value for something that does not exist.
    #[error("{name:?} is not one of: {known}")]
    Unknown { name: String, known: String },
    /// The number of values differs.
    #[error("expected {expected} values, found {found}")]
    Count { expected: usize, found: usize },
    /// The type nests too deep.
    #[error("the type nests too deep")]
    Depth,
}

/// The values of `fields`, one after another.
///
/// # Errors
/// [`EncodeError`] names the first value that does not fit.
pub(crate) fn encode_fields(
    fields: &[Field],
    value: &Value,
    names: &Names,
    at: &str,
) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder { names, bytes: &mut bytes };
    match value {
        Value::Array(values) => {
            let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
            encoder.sequence(&types, values, at, TYPE_DEPTH_MAX)?;
        }
        Value::Object(object) => encoder.fields(fields, object, at, TYPE_DEPTH_MAX)?,
        Value::Null if fields.is_empty() => {}
        other => return Err(kind(at, "an object or a list of values", other)),
    }
    Ok(bytes)
}

struct Encoder<'a> {
    names: &'a Names,
    bytes: &'a mut Vec<u8>,
}

impl Encoder<'_> {
    fn value(
        &mut self,
        ty: &Type,
        value: &Value,
        at: &str,
        depth: usize,
    ) -> Result<(), EncodeError> {
        let below = depth.checked_sub(1).ok_or_else(|| error(at, Problem::Depth))?;
        match ty {
            Type::Bool => match value {
                Value::Bool(bit) => self.bytes.push(u8::from(*bit)),
                other => return Err(kind(at, "true or false", other)),
            },
            Type::U8 => self.put(&integer::<u8>(value, at, "u8")?.to_le_bytes()),
            Type::U16 => self.put(&integer::<u16>(value, at, "u16")?.to_le_bytes()),
            Type::U32 => self.put(&integer::<u32>(value, at, "u32")?.to_le_bytes()),
            Type::U64 => self.put(&integer::<u64>(value, at, "u64")?.to_le_bytes()),
            Type::U128 => self.put(&integer::<u128>(value, at, "u128")?.to_le_bytes()),
            Type::I64 => self.put(&integer::<i64>(value, at, "i64")?.to_le_bytes()),
            Type::I128 => self.put(&integer::<i128>(value, at, "i128")?.to_le_bytes()),
            Type::Address => {
                let address = address(text(value, at, "an address or a name")?, self.names);
                self.put(&address.map_err(|problem| error(at, problem))?.0);
            }
            Type::Bytes => {
                let bytes = hex(value, at, None)?;
                self.length(bytes.len(), at)?;
                self.put(&bytes);
            }
            Type::FixedBytes(size) => self.put(&hex(value, at, Some(*size as usize))?),
            Type::Text => {
                let text = text(value, at, "a text")?;
                self.length(text.len(), at)?;
                self.put(text.as_bytes());
            }
            Type::Option(inner) => match (value, inner.first()) {
                (Value::Null, _) => self.bytes.push(0),
                (value, Some(inner)) => {
                    self.bytes.push(1);
                    self.value(inner, value, at, below)?;
                }
                (_, None) => return Err(error(at, Problem::Depth)),
            },
            Type::List(inner) => {
                let values = list(value, at)?;
                self.length(values.len(), at)?;
                let types: Vec<_> = values.iter().filter_map(|_| inner.first()).collect();
                self.sequence(&types, values, at, below)?;
            }
            Type::Tuple(types) => {
                let types: Vec<_> = types.iter().collect();
                match value {
                    Value::Null if types.is_empty() => {}
                    value => self.sequence(&types, list(value, at)?, at, below)?,
                }
            }
            Type::Struct { fields, .. } => match value {
                Value::Object(object) => self.fields(fields, object, at, below)?,
                other => return Err(kind(at, "an object", other)),
            },
            Type::Enum { variants, .. } => self.variant(variants, value, at, below)?,
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize, at: &str) -> Result<(), EncodeError> {
        let number = length.to_string();
        let length = u32::try_from(length)
            .map_err(|_| error(at, Problem::Range { number, ty: "a length" }))?;
        self.put(&length.to_le_bytes());
        Ok(())
    }

    fn sequence(
        &mut self,
        types: &[&Type],
        values: &[Value],
        at: &str,
        depth: usize,
    ) -> Result<(), EncodeError> {
        if types.len() != values.len() {
            let problem = Problem::Count { expected: types.len(), found: values.len() };
            return Err(error(at, problem));
        }
        for (index, (ty, value)) in types.iter().zip(values).enumerate() {
            self.value(ty, value, &format!("{at}[{index}]"), depth)?;
        }
        Ok(())
    }

    fn fields(
        &mut self,
        fields: &[Field],
        object: &Map<String, Value>,
        at: &str,
        depth: usize,
    ) -> Result<(), EncodeError> {
        if let Some(name) =
            object.keys().find(|name| fields.iter().all(|field| field.name != **name))
        {
            return Err(error(at, unknown(name, fields.iter().map(|field| field.name.as_ref()))));
        }
        for field in fields {
            let missing = || error(at, Problem::Missing { name: field.name.to_string() });
            let value = object.get(field.name.as_ref()).ok_or_else(missing)?;
            self.value(&field.ty, value, &format!("{at}.{}", field.name), depth)?;
        }
        Ok(())
    }

    fn variant(
        &mut self,
        variants: &[Variant],
        value: &Value,
        at: &str,
        depth: usize,
    ) -> Result<(), EncodeError> {
        let empty = Value::Object(Map::new());
        let (name, content) = match value {
            Value::String(name) => (name, &empty),
            Value::Object(object) if object.len() == 1 => {
                object.iter().next().expect("an object of one field has a first one")
            }
            other => {
                return Err(kind(
                    at,
                    "a variant's name, or an object with it as the only field",
                    other,
                ));
            }
        };
        let known = || unknown(name, variants.iter().map(|variant| variant.name.as_ref()));
        let index = variants.iter().position(|variant| variant.name == *name);
        let index = index.ok_or_else(|| error(at, known()))?;
        self.bytes.push(u8::try_from(index).map_err(|_| error(at, known()))?);
        let at = format!("{at}.{name}");
        let fields = &variants[index].fields;
        match content {
            Value::Object(object) => self.fields(fields, object, &at, depth),
            Value::Array(values) => {
                let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
                self.sequence(&types, values, &at, depth)
            }
            other => Err(kind(&at, "an object or a list", other)),
        }
    }
}

/// The address that a text names.
///
/// # Errors
/// [`Problem::UnknownName`] if it is neither a known name nor an address.
pub(crate) fn address(text: &str, names: &Names) -> Result<Address, Problem> {
    match names.get(text) {
        Some(address) => Ok(*address),
        None => text.parse().map_err(|_| Problem::UnknownName { name: text.to_owned() }),
    }
}

fn integer<T>(value: &Value, at: &str, ty: &'static str) -> Result<T, EncodeError>
where
    T: std::str::FromStr,
{
    let digits = match value {
        Value::Number(number) if !number.is_f64() => number.to_string(),
        Value::String(text) => text.replace('_', ""),
        other => return Err(kind(at, "an integer", other)),
    };
    digits.parse().map_err(|_| match digits.trim_start_matches('-') {
        number if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => {
            error(at, Problem::Range { number: digits.clone(), ty })
        }
        _ => kind(at, "an integer", value),
    })
}

fn text<'a>(value: &'a Value, at: &str, expected: &str) -> Result<&'a str, EncodeError> {
    value.as_str().ok_or_else(|| kind(at, expected, value))
}

fn list<'a>(value: &'a Value, at: &str) -> Result<&'a [Value], EncodeError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| kind(at, "a list", value))
}

fn hex(value: &Value, at: &str, size: Option<usize>) -> Result<Vec<u8>, EncodeError> {
    let expected = size.map_or_else(|| "bytes in".to_owned(), |size| format!("{size} bytes in"));
    let wrong = || error(at, Problem::Hex { expected: expected.clone() });
    let digits = text(value, at, "hexadecimal bytes")?.strip_prefix("0x").ok_or_else(wrong)?;
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    match bytes {
        Some(bytes) if rest.is_empty() && size.is_none_or(|size| size == bytes.len()) => Ok(bytes),
        _ => Err(wrong()),
    }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Problem {
    Problem::Unknown { name: name.to_owned(), known: known.collect::<Vec<_>>().join(", ") }
}

fn kind(at: &str, expected: &str, found: &Value) -> EncodeError {
    const SHOWN_MAX: usize = 40;
    let found = crate::format::fit(&found.to_string(), SHOWN_MAX);
    error(at, Problem::Kind { expected: expected.to_owned(), found })
}

fn error(at: &str, problem: Problem) -> EncodeError {
    EncodeError { at: at.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use tollway_host_api::value::{Value as Decoded, decode};

    fn fields(types: &[Type]) -> Vec<Field> {
        let name = |index: usize| ["a", "b", "c"][index];
        types
            .iter()
            .enumerate()
            .map(|(index, ty)| Field { name: name(index).into(), ty: ty.clone() })
            .collect()
    }

    fn encode(ty: Type, value: Value) -> Result<Vec<u8>, String> {
        let names = Names::from([("alice".to_owned(), Address::from_u64(7))]);
        encode_fields(&fields(&[ty]), &json!({ "a": value }), &names, "args")
            .map_err(|error| error.to_string())
    }

    fn decoded(ty: Type, value: Value) -> String {
        let bytes = encode(ty.clone(), value).expect("the value fits");
        let mut input = bytes.as_slice();
        let value: Decoded = decode(&ty, &mut input).expect("what was encoded decodes");
        assert!(input.is_empty());
        value.to_string()
    }

    fn leg() -> Type {
        let fields = vec![
            Field { name: "to".into(), ty: Type::Address },
            Field { name: "amount".into(), ty: Type::U128 },
        ];
        Type::Struct { name: "Leg".into(), fields: fields.into() }
    }

    fn side() -> Type {
        let variants = vec![
            Variant { name: "Buy".into(), fields: vec![].into() },
            Variant {
                name: "Sell".into(),
                fields: vec![Field { name: "at".into(), ty: Type::U8 }].into(),
            },
        ];
        Type::Enum { name: "Side".into(), variants: variants.into() }
    }

    #[test]
    fn values_decode_as_they_were_written() {
        assert_eq!(decoded(Type::Bool, json!(true)), "true");
        assert_eq!(
            decoded(Type::U128, json!("340_282_366_920_938_463_463_374_607_431_768_211_455")),
            u128::MAX.to_string()
        );
        assert_eq!(decoded(Type::I64, json!(-5)), "-5");
        assert_eq!(decoded(Type::Bytes, json!("0x00fF")), "0x00ff");
        assert_eq!(decoded(Type::FixedBytes(2), json!("0x0102")), "0x0102");
        assert_eq!(decoded(Type::Text, json!("hi")), "\"hi\"");
        assert_eq!(decoded(Type::Option(vec![Type::U8].into()), json!(null)), "none");
        assert_eq!(decoded(Type::Option(vec![Type::U8].into()), json!(3)), "some(3)");
        assert_eq!(decoded(Type::List(vec![Type::U16].into()), json!([1, "2"])), "[1, 2]");
        assert_eq!(decoded(side(), json!("Buy")), "Buy");
        assert_eq!(decoded(side(), json!({ "Sell": { "at": 9 } })), "Sell{at: 9}");
        let alice = format!("0x{}", Address::from_u64(7));
        assert_eq!(decoded(Type::Address, json!("alice")), alice);
        assert_eq!(decoded(Type::Address, json!(alice)), alice);
        assert_eq!(
            decoded(leg(), json!({ "amount": 1, "to": "alice" })),
            format!("{{to: {alice}, amount: 1}}")
        );
    }

    #[test]
    fn parameters_may_stand_in_a_list() {
        let types = fields(&[Type::U8, Type::Bool]);
        let bytes = encode_fields(&types, &json!([1, true]), &Names::new(), "args");
        assert_eq!(bytes, Ok(vec![1, 1]));
        assert_eq!(encode_fields(&[], &Value::Null, &Names::new(), "args"), Ok(vec![]));
    }

    #[test]
    fn errors_name_the_place_and_the_problem() {
        let check = |ty: Type, value: Value, expected: &str| {
            assert_eq!(encode(ty, value).expect_err("the value does not fit"), expected);
        };
        check(Type::U8, json!(256), "args.a: 256 is not in the range of u8");
        check(Type::U8, json!("-1"), "args.a: -1 is not in the range of u8");
        check(Type::U8, json!(1.5), "args.a: expected an integer, found 1.5");
        check(Type::U8, json!(""), "args.a: expected an integer, found \"\"");
        check(Type::Bool, json!(1), "args.a: expected true or false, found 1");
        check(
            Type::FixedBytes(2),
            json!("0x01"),
            "args.a: expected 2 bytes in hexadecimal after 0x",
        );
        check(Type::Bytes, json!("0x0"), "args.a: expected bytes in hexadecimal after 0x");
        check(Type::Bytes, json!("0xäö"), "args.a: expected bytes in hexadecimal after 0x");
        check(
            Type::Address,
            json!("bob"),
            "args.a: no account or contract of this file is named \"bob\", and it is no address",
        );
        check(
            Type::List(vec![leg()].into()),
            json!([{ "to": "alice", "amount": 1 }, { "to": "alice" }]),
            "args.a[1]: \"amount\" is missing",
        );
        check(
            leg(),
            json!({ "to": "alice", "sum": 1 }),
            "args.a: \"sum\" is not one of: to, amount",
        );
        check(side(), json!("Hold"), "args.a: \"Hold\" is not one of: Buy, Sell");
        check(
            Type::Tuple(vec![Type::U8].into()),
            json!([1, 2]),
            "args.a: expected 1 values, found 2",
        );
    }
}
