//! Gives every expression of an access template its type, and compares it with what its place
//! wants.

use super::{AbiError, Checker, is_identifier};
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::shard::SHARD_COUNT_MAX;
use tollway_host_api::{AccessTemplate, Expr, Method, Mode, Mutability, Text, Type};

/// What is known of an expression's value.
enum Found<'a> {
    Typed(&'a Type),
    Integer(u128),
    Bytes(&'a [u8]),
    Unknown,
}

/// Checks the templates of a method.
pub(super) fn check(checker: &Checker<'_>, method: &Method) -> Result<(), AbiError> {
    let count = count(&method.access);
    let limit = checker.limits.templates_max;
    if count > limit {
        return Err(AbiError::TooManyTemplates { method: method.name.to_string(), count, limit });
    }
    let mut scope = Scope { checker, method, elements: Vec::new() };
    scope.templates(&method.access, &format!("method {}, access", method.name))
}

fn count(templates: &[AccessTemplate]) -> usize {
    let inner = |template: &AccessTemplate| match template {
        AccessTemplate::ForEach { body, .. } => count(body),
        _ => 0,
    };
    templates.iter().map(|template| 1 + inner(template)).sum()
}

/// What expressions may refer to.
struct Scope<'a> {
    checker: &'a Checker<'a>,
    method: &'a Method,
    /// The types of the elements of the loops around, the innermost last.
    elements: Vec<&'a Type>,
}

impl<'a> Scope<'a> {
    fn templates(&mut self, templates: &'a [AccessTemplate], place: &str) -> Result<(), AbiError> {
        for (index, template) in templates.iter().enumerate() {
            self.template(template, format!("{place}[{index}]"))?;
        }
        Ok(())
    }

    fn template(&mut self, template: &'a AccessTemplate, place: String) -> Result<(), AbiError> {
        match template {
            AccessTemplate::Key { mode, field, parts } => self.key(*mode, *field, parts, place),
            AccessTemplate::ForEach { list, body } => {
                let element = match self.expr(list, &place)? {
                    Found::Typed(Type::List(inner)) => inner.first(),
                    Found::Unknown => return Err(AbiError::UnknownHere { place }),
                    _ => None,
                };
                let Some(element) = element else {
                    return Err(AbiError::NotAList { place });
                };
                if body.is_empty() {
                    return Err(AbiError::EmptyLoop { place });
                }
                self.elements.push(element);
                self.templates(body, &format!("{place}.body"))?;
                self.elements.pop();
                Ok(())
            }
            AccessTemplate::Call { contract, method, args } => {
                match self.expr(contract, &place)? {
                    Found::Typed(Type::Address) => {}
                    Found::Bytes(bytes) if bytes.len() == 32 => {}
                    Found::Unknown => return Err(AbiError::UnknownHere { place }),
                    _ => return Err(AbiError::NotAnAddress { place }),
                }
                self.checker.name(method, is_identifier, &|| place.clone())?;
                // The callee's parameters are not known here; that the paths exist is.
                args.iter().try_for_each(|arg| self.expr(arg, &place).map(|_| ()))
            }
        }
    }

    fn key(&self, mode: Mode, field: u8, parts: &'a [Expr], place: String) -> Result<(), AbiError> {
        if self.method.mutability == Mutability::View && mode != Mode::Read {
            return Err(AbiError::ViewChanges { place, mode: mode.name() });
        }
        let Some(storage) = self.checker.abi.storage.get(usize::from(field)) else {
            return Err(AbiError::NoSuchField { place, field });
        };
        if mode == Mode::Add && !storage.counter {
            return Err(AbiError::NotACounter { place });
        }
        let (found, expected) = (parts.len(), storage.template_parts().len());
        if found != expected {
            return Err(AbiError::PartCount { place, found, expected });
        }
        for (index, (part, ty)) in parts.iter().zip(storage.key.iter()).enumerate() {
            let place = format!("{place}, key part {index}");
            expect(self.expr(part, &place)?, ty, place)?;
        }
        Ok(())
    }

    fn expr(&self, expr: &'a Expr, place: &str) -> Result<Found<'a>, AbiError> {
        let place = || place.to_owned();
        let (root, path) = match expr {
            Expr::Caller | Expr::This => return Ok(Found::Typed(&Type::Address)),
            Expr::Integer(value) => return Ok(Found::Integer(*value)),
            Expr::Bytes(bytes) => return Ok(Found::Bytes(bytes)),
            Expr::Unknown => return Ok(Found::Unknown),
            Expr::CallId => return Ok(Found::Typed(&Type::U128)),
            Expr::Shard { of, count } => {
                let [value] = &**of else {
                    let (place, values) = (place(), of.len());
                    return Err(AbiError::BadShard { place, values, count: *count });
                };
                if *count == 0 || *count > SHARD_COUNT_MAX {
                    return Err(AbiError::BadShard { place: place(), values: 1, count: *count });
                }
                return match self.expr(value, &place())? {
                    Found::Typed(_) => Ok(Found::Typed(&Type::U8)),
                    _ => Err(AbiError::ShardOfNoValue { place: place() }),
                };
            }
            Expr::Arg { param, path } => {
                let field = self.method.params.get(usize::from(*param));
                let no = || AbiError::NoSuchParam { place: place(), param: *param };
                (&field.ok_or_else(no)?.ty, path)
            }
            Expr::Immutable { index, path } => {
                let field = self.checker.abi.immutables.get(usize::from(*index));
                let no = || AbiError::NoSuchImmutable { place: place(), index: *index };
                (&field.ok_or_else(no)?.ty, path)
            }
            Expr::Element { depth, path } => {
                let element = self.elements.iter().rev().nth(usize::from(*depth));
                let no = || AbiError::NoSuchElement { place: place(), depth: *depth };
                (*element.ok_or_else(no)?, path)
            }
        };
        let mut ty = root;
        for name in path.iter() {
            ty = step(ty, name)
                .ok_or_else(|| AbiError::NoSuchPath { place: place(), step: name.to_string() })?;
        }
        Ok(Found::Typed(ty))
    }
}

/// The type one step into a struct or tuple.
fn step<'a>(ty: &'a Type, name: &Text) -> Option<&'a Type> {
    match ty {
        Type::Struct { fields, .. } => {
            fields.iter().find(|field| field.name == *name).map(|field| &field.ty)
        }
        Type::Tuple(types) => {
            let index: usize = name.parse().ok()?;
            // "+1" and "01" are numbers too, but only one spelling may mean a place.
            types.get(index).filter(|_| index.to_string() == **name)
        }
        _ => None,
    }
}

fn expect(found: Found<'_>, expected: &Type, place: String) -> Result<(), AbiError> {
    match found {
        Found::Typed(ty) if ty == expected => Ok(()),
        Found::Typed(ty) => {
            Err(AbiError::WrongType { place, expected: name(expected), found: name(ty) })
        }
        Found::Integer(value) if is_integer(value, expected) => Ok(()),
        Found::Bytes(bytes) if is_bytes(bytes, expected) => Ok(()),
        Found::Integer(value) => Err(AbiError::BadConstant {
            place,
            constant: value.to_string(),
            expected: name(expected),
        }),
        Found::Bytes(bytes) => Err(AbiError::BadConstant {
            place,
            constant: format!("of {} bytes", bytes.len()),
            expected: name(expected),
        }),
        Found::Unknown => Err(AbiError::UnknownHere { place }),
    }
}

fn is_integer(value: u128, ty: &Type) -> bool {
    match ty {
        Type::Bool => value <= 1,
        Type::U8 => u8::try_from(value).is_ok(),
        Type::U16 => u16::try_from(value).is_ok(),
        Type::U32 => u32::try_from(value).is_ok(),
        Type::U64 => u64::try_from(value).is_ok(),
        Type::U128 => true,
        Type::I64 => i64::try_from(value).is_ok(),
        Type::I128 => i128::try_from(value).is_ok(),
        _ => false,
    }
}

fn is_bytes(bytes: &[u8], ty: &Type) -> bool {
    match ty {
        Type::Text => bytes.len() < KEY_BYTES_MAX && std::str::from_utf8(bytes).is_ok(),
        Type::Bytes => bytes.len() < KEY_BYTES_MAX,
        Type::FixedBytes(size) => bytes.len() == *size as usize,
        Type::Address => bytes.len() == 32,
        _ => false,
    }
}

/// A type in a message: short, because a hostile one may be 64 KiB long.
fn name(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::U8 => "u8".into(),
        Type::U16 => "u16".into(),
        Type::U32 => "u32".into(),
        Type::U64 => "u64".into(),
        Type::U128 => "u128".into(),
        Type::I64 => "i64".into(),
        Type::I128 => "i128".into(),
        Type::Address => "address".into(),
        Type::Bytes => "bytes".into(),
        Type::Text => "text".into(),
        Type::FixedBytes(size) => format!("{size} bytes"),
        Type::Option(_) => "option".into(),
        Type::List(_) => "list".into(),
        Type::Tuple(types) => format!("tuple of {}", types.len()),
        Type::Struct { name, .. } => format!("struct {name}"),
        Type::Enum { name, .. } => format!("enum {name}"),
    }
}
