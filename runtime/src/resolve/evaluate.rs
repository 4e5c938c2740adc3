//! Evaluates the access templates of one call.
//!
//! Values are slices of the block's own bytes, typed by the ABI: nothing is decoded or copied but
//! the key bytes that come out.

use crate::engine::gas::BYTES_PER_STEP;
use crate::limits::Limits;
use crate::registry::{ContractIndex, Registry};
use tollway_host_api::key::{KEY_BYTES_MAX, transcode};
use tollway_host_api::shard::shard_of;
use tollway_host_api::value::{DecodeError, skip, take};
use tollway_host_api::{AccessTemplate, Address, Expr, Mode, Text, Type};

/// A call may take this many steps for each key that it may declare. A step is a template, each of
/// its key parts or arguments, an element of a loop, or [`BYTES_PER_STEP`] passed over. All work
/// is bounded by it, and paid for by it.
pub const STEPS_PER_KEY: usize = 8;

/// Why a call has no access set.
#[derive(Debug)]
pub(super) enum Unresolved {
    BadArguments(DecodeError),
    TooManyKeys,
    /// The method, or one that it calls, does not declare its access, or declares it by values
    /// that are not known before the run.
    Undeclared,
}

/// A value that a template uses.
#[derive(Clone, Copy)]
enum Value<'a> {
    /// Borsh bytes that start with a value of this type.
    Typed(&'a Type, &'a [u8]),
    Integer(u128),
    Raw(&'a [u8]),
    Unknown,
}

/// Up to so many parameters need no allocation.
const FEW: usize = 8;

/// Room for so many values.
fn room_for<'v, 'a>(
    count: usize,
    few: &'v mut [Value<'a>; FEW],
    many: &'v mut Vec<Value<'a>>,
) -> &'v mut [Value<'a>] {
    if count <= FEW {
        return &mut few[..count];
    }
    many.resize(count, Value::Unknown);
    many
}

/// The names that a method's templates can use.
struct Scope<'a> {
    contract: ContractIndex,
    caller: &'a [u8; 32],
    call_id: &'a [u8; 16],
    params: &'a [Value<'a>],
    depth: usize,
}

/// A key that a template gave: a range of [`Evaluator::bytes`].
#[derive(Clone, Copy)]
pub(super) struct FoundKey {
    pub(super) contract: ContractIndex,
    pub(super) mode: Mode,
    pub(super) is_prefix: bool,
    start: usize,
    end: usize,
}

/// The evaluator, with the keys of the last call. Reused from call to call.
pub(super) struct Evaluator<'r> {
    registry: &'r Registry,
    limits: &'r Limits,
    steps: usize,
    found: Vec<FoundKey>,
    bytes: Vec<u8>,
}

impl<'r> Evaluator<'r> {
    pub(super) fn new(registry: &'r Registry, limits: &'r Limits) -> Self {
        Self { registry, limits, steps: 0, found: Vec::new(), bytes: Vec::new() }
    }

    /// The keys of the call resolved last, in the order of the templates, some perhaps twice.
    pub(super) fn keys(&self) -> impl Iterator<Item = (FoundKey, &[u8])> {
        self.found.iter().map(|key| (*key, &self.bytes[key.start..key.end]))
    }

    /// Checks a call's arguments and finds its keys.
    pub(super) fn resolve(
        &mut self,
        contract: ContractIndex,
        method: usize,
        caller: &Address,
        call_id: &[u8; 16],
        args: &[u8],
    ) -> Result<(), Unresolved> {
        self.found.clear();
        self.bytes.clear();
        self.steps = 0;
        let method = &self.registry.contract(contract).code.abi.methods[method];
        let mut few = [Value::Unknown; FEW];
        let mut many = Vec::new();
        let params = room_for(method.params.len(), &mut few, &mut many);
        let mut rest = args;
        for (param, value) in method.params.iter().zip(params.iter_mut()) {
            *value = Value::Typed(&param.ty, rest);
            skip(&param.ty, &mut rest).map_err(Unresolved::BadArguments)?;
        }
        if !rest.is_empty() {
            return Err(Unresolved::BadArguments(DecodeError::Trailing));
        }
        if !method.declared {
            return Err(Unresolved::Undeclared);
        }
        let scope = Scope { contract, caller: &caller.0, call_id, params, depth: 1 };
        self.templates(&method.access, &scope, &mut Vec::new())
    }

    /// The steps that the call resolved last took.
    pub(super) fn steps(&self) -> u32 {
        self.steps as u32
    }

    fn take_steps(&mut self, steps: usize) -> Result<(), Unresolved> {
        self.steps += steps;
        if self.steps > self.limits.access_keys_max * STEPS_PER_KEY {
            return Err(Unresolved::TooManyKeys);
        }
        Ok(())
    }

    fn evaluate<'a>(
        &mut self,
        expr: &'a Expr,
        scope: &Scope<'a>,
        elements: &[Value<'a>],
    ) -> Result<Value<'a>, Unresolved>
    where
        'r: 'a,
    {
        let mut passed = 0;
        let value = evaluate(expr, self.registry, scope, elements, &mut passed)?;
        self.take_steps(passed)?;
        Ok(value)
    }

    fn templates<'a>(
        &mut self,
        templates: &'a [AccessTemplate],
        scope: &Scope<'a>,
        elements: &mut Vec<Value<'a>>,
    ) -> Result<(), Unresolved>
    where
        'r: 'a,
    {
        for template in templates {
            match template {
                AccessTemplate::Key { mode, field, parts } => {
                    self.key(*mode, *field, parts, scope, elements)?;
                }
                AccessTemplate::ForEach { list, body } => {
                    self.for_each(list, body, scope, elements)?;
                }
                AccessTemplate::Call { contract, method, args } => {
                    self.call(contract, method, args, scope, elements)?;
                }
            }
        }
        Ok(())
    }

    fn key<'a>(
        &mut self,
        mode: Mode,
        field: u8,
        parts: &'a [Expr],
        scope: &Scope<'a>,
        elements: &[Value<'a>],
    ) -> Result<(), Unresolved>
    where
        'r: 'a,
    {
        self.take_steps(1 + parts.len())?;
        let registry: &'a Registry = self.registry;
        let storage = &registry.contract(scope.contract).code.abi.storage[usize::from(field)];
        let start = self.bytes.len();
        self.bytes.push(field);
        for (part, ty) in parts.iter().zip(storage.key.iter()) {
            let value = self.evaluate(part, scope, elements)?;
            append_key_part(value, ty, &mut self.bytes)?;
        }
        let end = self.bytes.len();
        // No contract can touch a key that is too long, so it conflicts with nothing.
        if end - start > KEY_BYTES_MAX {
            self.bytes.truncate(start);
            return Ok(());
        }
        if self.found.len() >= self.limits.access_keys_max {
            return Err(Unresolved::TooManyKeys);
        }
        let (contract, is_prefix) = (scope.contract, storage.prefix_parts.is_some());
        let mode = mode_of(mode, is_prefix);
        self.found.push(FoundKey { contract, mode, is_prefix, start, end });
        Ok(())
    }

    fn for_each<'a>(
        &mut self,
        list: &'a Expr,
        body: &'a [AccessTemplate],
        scope: &Scope<'a>,
        elements: &mut Vec<Value<'a>>,
    ) -> Result<(), Unresolved>
    where
        'r: 'a,
    {
        let Value::Typed(Type::List(inner), mut rest) = self.evaluate(list, scope, elements)?
        else {
            return Err(Unresolved::Undeclared);
        };
        let ty = inner.first().ok_or(Unresolved::Undeclared)?;
        let count = take(&mut rest, 4).map_err(Unresolved::BadArguments)?;
        let count = count.try_into().map(u32::from_le_bytes).unwrap_or(0);
        for _ in 0..count {
            self.take_steps(1)?;
            elements.push(Value::Typed(ty, rest));
            let result = self.templates(body, scope, elements);
            elements.pop();
            result?;
            let before = rest.len();
            skip(ty, &mut rest).map_err(Unresolved::BadArguments)?;
            self.take_steps((before - rest.len()) / BYTES_PER_STEP)?;
        }
        Ok(())
    }

    fn call<'a>(
        &mut self,
        contract: &'a Expr,
        method: &Text,
        args: &'a [Expr],
        scope: &Scope<'a>,
        elements: &[Value<'a>],
    ) -> Result<(), Unresolved>
    where
        'r: 'a,
    {
        self.take_steps(1 + args.len())?;
        let registry: &'a Registry = self.registry;
        let address = match self.evaluate(contract, scope, elements)? {
            // Typed bytes may go on after the value; a constant is the value.
            Value::Typed(Type::Address, bytes) => bytes.first_chunk::<32>(),
            Value::Raw(bytes) => <&[u8; 32]>::try_from(bytes).ok(),
            _ => None,
        };
        let address = address.ok_or(Unresolved::Undeclared)?;
        // A call that nests too deep, or goes nowhere, is refused before it touches anything.
        if scope.depth >= self.limits.call_depth_max {
            return Ok(());
        }
        let Some(target) = registry.find(&Address(*address)) else {
            return Ok(());
        };
        let Some(method) = registry.contract(target).code.abi.method(method) else {
            return Ok(());
        };
        if !method.declared || method.params.len() != args.len() {
            return Err(Unresolved::Undeclared);
        }
        let mut few = [Value::Unknown; FEW];
        let mut many = Vec::new();
        let params = room_for(args.len(), &mut few, &mut many);
        for ((arg, param), place) in args.iter().zip(method.params.iter()).zip(&mut *params) {
            *place = match self.evaluate(arg, scope, elements)? {
                Value::Typed(ty, _) if *ty != param.ty => return Err(Unresolved::Undeclared),
                value => value,
            };
        }
        let this = &registry.contract(scope.contract).address.0;
        let (call_id, depth) = (scope.call_id, scope.depth + 1);
        let inner = Scope { contract: target, caller: this, call_id, params, depth };
        // The callee's loops see none of the caller's elements.
        self.templates(&method.access, &inner, &mut Vec::new())
    }
}

/// The value of an expression. Adds to `passed` the steps for the bytes that were passed over.
fn evaluate<'a>(
    expr: &'a Expr,
    registry: &'a Registry,
    scope: &Scope<'a>,
    elements: &[Value<'a>],
    passed: &mut usize,
) -> Result<Value<'a>, Unresolved> {
    let contract = registry.contract(scope.contract);
    Ok(match expr {
        Expr::Caller => Value::Typed(&Type::Address, scope.caller),
        Expr::This => Value::Typed(&Type::Address, &contract.address.0),
        Expr::Arg { param, path } => {
            let value = scope.params.get(usize::from(*param)).ok_or(Unresolved::Undeclared)?;
            follow(*value, path, passed)?
        }
        Expr::Element { depth, path } => {
            let index = elements.len().checked_sub(usize::from(*depth) + 1);
            follow(elements[index.ok_or(Unresolved::Undeclared)?], path, passed)?
        }
        Expr::Immutable { index, path } => {
            let mut rest = &contract.immutables[..];
            let fields = &contract.code.abi.immutables;
            let index = usize::from(*index);
            *passed += pass_over(fields[..index].iter().map(|field| &field.ty), &mut rest)?;
            follow(Value::Typed(&fields[index].ty, rest), path, passed)?
        }
        Expr::Integer(number) => Value::Integer(*number),
        Expr::Bytes(bytes) => Value::Raw(bytes),
        Expr::Unknown => Value::Unknown,
        Expr::CallId => Value::Typed(&Type::U128, scope.call_id),
        Expr::Shard { of, count } => {
            let of = of.first().ok_or(Unresolved::Undeclared)?;
            // What has no type has no bytes to speak of.
            let Value::Typed(ty, bytes) = evaluate(of, registry, scope, elements, passed)? else {
                return Err(Unresolved::Undeclared);
            };
            let mut rest = bytes;
            *passed += pass_over(std::iter::once(ty), &mut rest)?;
            Value::Typed(&Type::U8, shard(&bytes[..bytes.len() - rest.len()], *count))
        }
    })
}

/// How a template's key is touched: what is below a prefix is read or written.
pub(super) fn mode_of(mode: Mode, is_prefix: bool) -> Mode {
    match mode {
        Mode::Add if is_prefix => Mode::Write,
        mode => mode,
    }
}

/// The shard of a value, as the bytes of a `u8`.
pub(super) fn shard(value: &[u8], count: u16) -> &'static [u8] {
    const ALL: [u8; 256] = {
        let mut all = [0; 256];
        let mut at = 0;
        while at < all.len() {
            all[at] = at as u8;
            at += 1;
        }
        all
    };
    static BYTES: [u8; 256] = ALL;
    std::slice::from_ref(&BYTES[usize::from(shard_of(value, count))])
}

/// Follows a path of field names and tuple indices into a value.
fn follow<'a>(
    mut value: Value<'a>,
    path: &[Text],
    passed: &mut usize,
) -> Result<Value<'a>, Unresolved> {
    for name in path {
        let Value::Typed(ty, mut rest) = value else {
            return Err(Unresolved::Undeclared);
        };
        let ty = match ty {
            Type::Struct { fields, .. } => {
                let index = fields.iter().position(|field| field.name == *name);
                let index = index.ok_or(Unresolved::Undeclared)?;
                *passed += pass_over(fields[..index].iter().map(|field| &field.ty), &mut rest)?;
                &fields[index].ty
            }
            Type::Tuple(types) => {
                let index = name.parse::<usize>().ok().filter(|index| *index < types.len());
                let index = index.ok_or(Unresolved::Undeclared)?;
                *passed += pass_over(types[..index].iter(), &mut rest)?;
                &types[index]
            }
            _ => return Err(Unresolved::Undeclared),
        };
        value = Value::Typed(ty, rest);
    }
    Ok(value)
}

/// Takes the values of these types off `rest`. Returns how many steps that was.
fn pass_over<'a>(
    mut types: impl Iterator<Item = &'a Type>,
    rest: &mut &[u8],
) -> Result<usize, Unresolved> {
    let before = rest.len();
    types.try_for_each(|ty| skip(ty, rest)).map_err(|_| Unresolved::Undeclared)?;
    Ok((before - rest.len()) / BYTES_PER_STEP)
}

/// Appends a value to a key, as a part of type `ty`.
fn append_key_part(value: Value<'_>, ty: &Type, key: &mut Vec<u8>) -> Result<(), Unresolved> {
    match value {
        Value::Typed(actual, mut bytes) if actual == ty => {
            transcode(ty, &mut bytes, key).map_err(|_| Unresolved::Undeclared)
        }
        Value::Integer(number) => {
            let size = ty.fixed_size().ok_or(Unresolved::Undeclared)?;
            let most = match ty {
                Type::Bool => 1,
                Type::U8 | Type::U16 | Type::U32 | Type::U64 => (1u128 << (8 * size)) - 1,
                Type::U128 => u128::MAX,
                Type::I64 => i64::MAX as u128,
                Type::I128 => i128::MAX as u128,
                _ => return Err(Unresolved::Undeclared),
            };
            if number > most {
                return Err(Unresolved::Undeclared);
            }
            let bytes = number.to_le_bytes();
            transcode(ty, &mut &bytes[..size], key).map_err(|_| Unresolved::Undeclared)
        }
        Value::Raw(bytes) => {
            match ty {
                Type::Address if bytes.len() == 32 => {}
                Type::FixedBytes(size) if bytes.len() == *size as usize => {}
                Type::Bytes | Type::Text => key.push(bytes.len().min(255) as u8),
                _ => return Err(Unresolved::Undeclared),
            }
            key.extend_from_slice(bytes);
            Ok(())
        }
        Value::Typed(..) | Value::Unknown => Err(Unresolved::Undeclared),
    }
}
