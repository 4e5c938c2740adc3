//! The access set of a call, found by decoding everything and looking it up by name.
//!
//! Templates are taken in their order; the first thing that stops the evaluation decides how it
//! ends, so the order in which keys and steps are counted is part of the rules.

use super::{Contract, World};
use crate::block::Call;
use crate::engine::gas::BYTES_PER_STEP;
use crate::resolve::STEPS_PER_KEY;
use crate::state::storage_key;
use std::collections::BTreeMap;
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::shard::shard_of;
use tollway_host_api::value::{DecodeError, Value, decode};
use tollway_host_api::{AccessTemplate, Address, Expr, Field, Method, Mode, Text, Type};

/// Keys as they stand in the state, and how each may be touched: once each, in the order in which
/// the templates first name them.
/// Those of fields with prefixes stand for all keys that start with them.
pub(super) type AccessSet = Vec<(Vec<u8>, Mode)>;

/// Why a call has no access set.
pub(super) enum Unresolved {
    BadArguments(DecodeError),
    TooManyKeys,
    /// It, or something that it calls, is not declared, or by what is only known in the run.
    Undeclared,
}

/// What is known of a value before the run.
#[derive(Clone)]
enum Known<'a> {
    Value(&'a Type, Value),
    Integer(u128),
    Bytes(&'a [u8]),
    Nothing,
}

/// The method whose templates are evaluated.
struct Scope<'a> {
    address: Address,
    contract: &'a Contract,
    caller: Address,
    /// Of the top-level call.
    call_id: u128,
    params: Vec<Known<'a>>,
    depth: usize,
}

struct Evaluation<'a> {
    world: &'a World,
    found: AccessSet,
    /// Where each key stands in `found`.
    positions: BTreeMap<Vec<u8>, usize>,
    found_count: usize,
    steps: usize,
}

/// The access set of a call to `method`, and the steps that it took to find it.
pub(super) fn access_set(
    world: &World,
    call_id: u128,
    call: &Call,
    method: &Method,
) -> (Result<AccessSet, Unresolved>, u32) {
    let params = match decode_all(&method.params, &call.args) {
        Ok(params) => params,
        Err(error) => return (Err(Unresolved::BadArguments(error)), 0),
    };
    if !method.declared {
        return (Err(Unresolved::Undeclared), 0);
    }
    let scope = Scope {
        address: call.contract,
        contract: &world.contracts[&call.contract],
        caller: call.caller,
        call_id,
        params,
        depth: 1,
    };
    let mut evaluation = Evaluation {
        world,
        found: AccessSet::new(),
        positions: BTreeMap::new(),
        found_count: 0,
        steps: 0,
    };
    let result = evaluation.templates(&method.access, &scope, &[]);
    (result.map(|()| evaluation.found), evaluation.steps as u32)
}

/// What one of a method's own templates names in one call, see [`own_templates`].
pub(super) enum Named {
    /// A key, as it stands in the state.
    Key(Vec<u8>),
    /// A method of another contract, and those of its arguments that are known before the run.
    Call { contract: Address, method: String, args: Vec<Option<Value>> },
}

impl Named {
    /// Whether this is the call of `method` with these arguments.
    pub(super) fn is_call(&self, world: &World, to: Address, name: &[u8], bytes: &[u8]) -> bool {
        let Self::Call { contract, method, args } = self else { return false };
        if *contract != to || method.as_bytes() != name {
            return false;
        }
        let callee = world.contracts.get(&to).and_then(|to| to.code.abi.method(method));
        // Whoever is not there, or takes other arguments, refuses the call: it was made even so.
        let Some(callee) = callee else { return true };
        let Ok(given) = decode_all(&callee.params, bytes) else { return true };
        args.iter().zip(given).all(|(arg, given)| match (arg, given) {
            (Some(arg), Known::Value(_, given)) => *arg == given,
            _ => true,
        })
    }
}

/// What the templates of a method name for one call of it, those of contracts that it calls left
/// out: each with its template's number. They are numbered as they are written, one within a loop
/// once. At most as many as a call may declare.
pub(super) fn own_templates(
    world: &World,
    (address, caller, call_id): (Address, Address, u128),
    method: &Method,
    args: &[u8],
) -> Vec<(usize, Named)> {
    let Ok(params) = decode_all(&method.params, args) else { return Vec::new() };
    let contract = &world.contracts[&address];
    let scope = Scope { address, contract, caller, call_id, params, depth: 1 };
    let mut naming = Naming { world, scope: &scope, named: Vec::new() };
    naming.all(&method.access, &[], 0);
    naming.named
}

struct Naming<'a, 's> {
    world: &'a World,
    scope: &'s Scope<'a>,
    named: Vec<(usize, Named)>,
}

impl<'a> Naming<'a, '_> {
    /// Names what templates of which the first has this number name. Returns the next number.
    fn all(
        &mut self,
        templates: &'a [AccessTemplate],
        elements: &[Known<'a>],
        number: usize,
    ) -> usize {
        templates.iter().fold(number, |number, template| {
            if let AccessTemplate::ForEach { list, body } = template {
                self.for_each(list, body, elements, number);
                return number + leaf_count(body);
            }
            if self.named.len() < self.world.limits.access_keys_max {
                let named = self.one(template, elements);
                self.named.extend(named.map(|named| (number, named)));
            }
            number + 1
        })
    }

    fn for_each(
        &mut self,
        list: &'a Expr,
        body: &'a [AccessTemplate],
        elements: &[Known<'a>],
        number: usize,
    ) {
        let Some(Known::Value(Type::List(types), Value::List(values))) = self.value(list, elements)
        else {
            return;
        };
        for value in values {
            let inside = [elements, &[Known::Value(&types[0], value)]].concat();
            self.all(body, &inside, number);
        }
    }

    fn one(&self, template: &'a AccessTemplate, elements: &[Known<'a>]) -> Option<Named> {
        match template {
            AccessTemplate::Key { field, parts, .. } => {
                let storage = &self.scope.contract.code.abi.storage[usize::from(*field)];
                let mut key = vec![*field];
                for (part, ty) in parts.iter().zip(storage.key.iter()) {
                    append_part(self.value(part, elements)?, ty, &mut key).ok()?;
                }
                Some(Named::Key(storage_key(&self.scope.address, &key)))
            }
            AccessTemplate::Call { contract, method, args } => {
                let contract = match self.value(contract, elements)? {
                    Known::Value(_, Value::Address(address)) => address,
                    Known::Bytes(bytes) => Address(bytes.try_into().ok()?),
                    _ => return None,
                };
                let value = |arg| match self.value(arg, elements)? {
                    Known::Value(_, value) => Some(value),
                    Known::Integer(number) => Some(Value::Unsigned(number)),
                    Known::Bytes(_) | Known::Nothing => None,
                };
                let args = args.iter().map(value).collect();
                Some(Named::Call { contract, method: method.to_string(), args })
            }
            AccessTemplate::ForEach { .. } => None,
        }
    }

    fn value(&self, expr: &'a Expr, elements: &[Known<'a>]) -> Option<Known<'a>> {
        evaluate(expr, self.scope, elements).map(|(known, _)| known).ok()
    }
}

/// How many templates these are, loops themselves left out.
fn leaf_count(templates: &[AccessTemplate]) -> usize {
    let count = |template: &AccessTemplate| match template {
        AccessTemplate::Key { .. } | AccessTemplate::Call { .. } => 1,
        AccessTemplate::ForEach { body, .. } => leaf_count(body),
    };
    templates.iter().map(count).sum()
}

fn decode_all<'a>(fields: &'a [Field], mut bytes: &[u8]) -> Result<Vec<Known<'a>>, DecodeError> {
    let values = fields
        .iter()
        .map(|field| Ok(Known::Value(&field.ty, decode(&field.ty, &mut bytes)?)))
        .collect::<Result<_, _>>()?;
    if bytes.is_empty() { Ok(values) } else { Err(DecodeError::Trailing) }
}

impl<'a> Evaluation<'a> {
    fn take_steps(&mut self, steps: usize) -> Result<(), Unresolved> {
        self.steps += steps;
        if self.steps > self.world.limits.access_keys_max * STEPS_PER_KEY {
            return Err(Unresolved::TooManyKeys);
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        expr: &'a Expr,
        scope: &Scope<'a>,
        elements: &[Known<'a>],
    ) -> Result<Known<'a>, Unresolved> {
        let (known, passed) = evaluate(expr, scope, elements)?;
        self.take_steps(passed)?;
        Ok(known)
    }

    fn templates(
        &mut self,
        templates: &'a [AccessTemplate],
        scope: &Scope<'a>,
        elements: &[Known<'a>],
    ) -> Result<(), Unresolved> {
        templates.iter().try_for_each(|template| match template {
            AccessTemplate::Key { mode, field, parts } => {
                self.key(*mode, *field, parts, scope, elements)
            }
            AccessTemplate::ForEach { list, body } => self.for_each(list, body, scope, elements),
            AccessTemplate::Call { contract, method, args } => {
                self.call(contract, method, args, scope, elements)
            }
        })
    }

    fn key(
        &mut self,
        mode: Mode,
        field: u8,
        parts: &'a [Expr],
        scope: &Scope<'a>,
        elements: &[Known<'a>],
    ) -> Result<(), Unresolved> {
        self.take_steps(1 + parts.len())?;
        let storage = &scope.contract.code.abi.storage[usize::from(field)];
        let mut key = vec![field];
        for (part, ty) in parts.iter().zip(storage.key.iter()) {
            append_part(self.evaluate(part, scope, elements)?, ty, &mut key)?;
        }
        // No contract can touch a key that is too long.
        if key.len() <= KEY_BYTES_MAX {
            if self.found_count >= self.world.limits.access_keys_max {
                return Err(Unresolved::TooManyKeys);
            }
            self.found_count += 1;
            let key = storage_key(&scope.address, &key);
            let mode = match mode {
                Mode::Add if storage.prefix_parts.is_some() => Mode::Write,
                mode => mode,
            };
            match self.positions.get(&key) {
                Some(position) => {
                    let found = &mut self.found[*position].1;
                    *found = found.union(mode);
                }
                None => {
                    self.positions.insert(key.clone(), self.found.len());
                    self.found.push((key, mode));
                }
            }
        }
        Ok(())
    }

    fn for_each(
        &mut self,
        list: &'a Expr,
        body: &'a [AccessTemplate],
        scope: &Scope<'a>,
        elements: &[Known<'a>],
    ) -> Result<(), Unresolved> {
        let Known::Value(Type::List(types), Value::List(values)) =
            self.evaluate(list, scope, elements)?
        else {
            return Err(Unresolved::Undeclared);
        };
        for value in values {
            self.take_steps(1)?;
            let passed = size(&value, &types[0]) / BYTES_PER_STEP;
            let inside = [elements, &[Known::Value(&types[0], value)]].concat();
            self.templates(body, scope, &inside)?;
            self.take_steps(passed)?;
        }
        Ok(())
    }

    fn call(
        &mut self,
        contract: &'a Expr,
        method: &Text,
        args: &'a [Expr],
        scope: &Scope<'a>,
        elements: &[Known<'a>],
    ) -> Result<(), Unresolved> {
        self.take_steps(1 + args.len())?;
        let address = match self.evaluate(contract, scope, elements)? {
            Known::Value(_, Value::Address(address)) => address,
            Known::Bytes(bytes) => Address(bytes.try_into().map_err(|_| Unresolved::Undeclared)?),
            _ => return Err(Unresolved::Undeclared),
        };
        // A call that is refused touches nothing.
        if scope.depth >= self.world.limits.call_depth_max {
            return Ok(());
        }
        let Some(contract) = self.world.contracts.get(&address) else { return Ok(()) };
        let Some(method) = contract.code.abi.method(method) else { return Ok(()) };
        if !method.declared || method.params.len() != args.len() {
            return Err(Unresolved::Undeclared);
        }
        let mut params = Vec::new();
        for (arg, param) in args.iter().zip(method.params.iter()) {
            let known = self.evaluate(arg, scope, elements)?;
            match known {
                Known::Value(ty, _) if *ty != param.ty => return Err(Unresolved::Undeclared),
                known => params.push(known),
            }
        }
        let (caller, call_id, depth) = (scope.address, scope.call_id, scope.depth + 1);
        let scope = Scope { address, contract, caller, call_id, params, depth };
        self.templates(&method.access, &scope, &[])
    }
}

/// The value of an expression, and the steps for the bytes that stand before it.
fn evaluate<'a>(
    expr: &'a Expr,
    scope: &Scope<'a>,
    elements: &[Known<'a>],
) -> Result<(Known<'a>, usize), Unresolved> {
    let simple = |known| Ok((known, 0));
    match expr {
        Expr::Caller => simple(Known::Value(&Type::Address, Value::Address(scope.caller))),
        Expr::This => simple(Known::Value(&Type::Address, Value::Address(scope.address))),
        Expr::Arg { param, path } => follow(scope.params[usize::from(*param)].clone(), path),
        Expr::Element { depth, path } => {
            let innermost = elements.len() - 1;
            follow(elements[innermost - usize::from(*depth)].clone(), path)
        }
        Expr::Immutable { index, path } => {
            let Contract { code, immutables } = scope.contract;
            let values = decode_all(&code.abi.immutables, immutables);
            let values = values.map_err(|_| Unresolved::Undeclared)?;
            let index = usize::from(*index);
            let before: usize = values[..index].iter().map(known_size).sum();
            let (known, passed) = follow(values[index].clone(), path)?;
            Ok((known, passed + before / BYTES_PER_STEP))
        }
        Expr::Integer(number) => simple(Known::Integer(*number)),
        Expr::Bytes(bytes) => simple(Known::Bytes(bytes)),
        Expr::Unknown => simple(Known::Nothing),
        Expr::CallId => simple(Known::Value(&Type::U128, Value::Unsigned(scope.call_id))),
        Expr::Shard { of, count } => {
            let (known, passed) = evaluate(&of[0], scope, elements)?;
            let Known::Value(ty, value) = known else { return Err(Unresolved::Undeclared) };
            let mut bytes = Vec::new();
            encode(&value, ty, &mut bytes);
            let shard = Value::Unsigned(shard_of(&bytes, *count).into());
            Ok((Known::Value(&Type::U8, shard), passed + bytes.len() / BYTES_PER_STEP))
        }
    }
}

fn follow<'a>(known: Known<'a>, path: &[Text]) -> Result<(Known<'a>, usize), Unresolved> {
    let Some((step, rest)) = path.split_first() else { return Ok((known, 0)) };
    let parts: Vec<(String, &Type, Value)> = match known {
        Known::Value(Type::Struct { fields, .. }, Value::Struct(values)) => {
            let parts = fields.iter().zip(values);
            parts.map(|(field, (name, value))| (name.to_string(), &field.ty, value)).collect()
        }
        Known::Value(Type::Tuple(types), Value::Tuple(values)) => {
            let parts = types.iter().zip(values).enumerate();
            parts.map(|(index, (ty, value))| (index.to_string(), ty, value)).collect()
        }
        _ => return Err(Unresolved::Undeclared),
    };
    let position = parts.iter().position(|(name, ..)| name == step);
    let position = position.ok_or(Unresolved::Undeclared)?;
    let before: usize = parts[..position].iter().map(|(_, ty, value)| size(value, ty)).sum();
    let (_, ty, value) = parts[position].clone();
    let (known, passed) = follow(Known::Value(ty, value), rest)?;
    Ok((known, passed + before / BYTES_PER_STEP))
}

fn known_size(known: &Known<'_>) -> usize {
    match known {
        Known::Value(ty, value) => size(value, ty),
        Known::Integer(_) | Known::Bytes(_) | Known::Nothing => 0,
    }
}

/// How many bytes a value has in arguments.
fn size(value: &Value, ty: &Type) -> usize {
    let fields_size = |values: &[(Text, Value)], fields: &[Field]| -> usize {
        values.iter().zip(fields).map(|((_, value), field)| size(value, &field.ty)).sum()
    };
    match (value, ty) {
        (Value::Bytes(bytes), Type::Bytes) => 4 + bytes.len(),
        (Value::Text(text), _) => 4 + text.len(),
        (Value::Option(None), _) => 1,
        (Value::Option(Some(value)), Type::Option(types)) => 1 + size(value, &types[0]),
        (Value::List(values), Type::List(types)) => {
            4 + values.iter().map(|value| size(value, &types[0])).sum::<usize>()
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            values.iter().zip(types.iter()).map(|(value, ty)| size(value, ty)).sum()
        }
        (Value::Struct(values), Type::Struct { fields, .. }) => fields_size(values, fields),
        (Value::Enum(index, _, values), Type::Enum { variants, .. }) => {
            1 + fields_size(values, &variants[usize::from(*index)].fields)
        }
        _ => ty.fixed_size().unwrap_or(0),
    }
}

/// The encoding of arguments: borsh.
fn encode(value: &Value, ty: &Type, bytes: &mut Vec<u8>) {
    let encode_fields = |values: &[(Text, Value)], fields: &[Field], bytes: &mut Vec<u8>| {
        for ((_, value), field) in values.iter().zip(fields) {
            encode(value, &field.ty, bytes);
        }
    };
    let count = |count: usize| (count as u32).to_le_bytes();
    let width = ty.fixed_size().unwrap_or(0);
    match (value, ty) {
        (Value::Bool(value), _) => bytes.push((*value).into()),
        (Value::Unsigned(value), _) => bytes.extend_from_slice(&value.to_le_bytes()[..width]),
        (Value::Signed(value), _) => bytes.extend_from_slice(&value.to_le_bytes()[..width]),
        (Value::Address(address), _) => bytes.extend_from_slice(&address.0),
        (Value::Bytes(value), Type::FixedBytes(_)) => bytes.extend_from_slice(value),
        (Value::Bytes(value), _) => {
            bytes.extend_from_slice(&count(value.len()));
            bytes.extend_from_slice(value);
        }
        (Value::Text(text), _) => {
            bytes.extend_from_slice(&count(text.len()));
            bytes.extend_from_slice(text.as_bytes());
        }
        (Value::Option(None), _) => bytes.push(0),
        (Value::Option(Some(value)), Type::Option(types)) => {
            bytes.push(1);
            encode(value, &types[0], bytes);
        }
        (Value::List(values), Type::List(types)) => {
            bytes.extend_from_slice(&count(values.len()));
            values.iter().for_each(|value| encode(value, &types[0], bytes));
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            values.iter().zip(types.iter()).for_each(|(value, ty)| encode(value, ty, bytes));
        }
        (Value::Struct(values), Type::Struct { fields, .. }) => {
            encode_fields(values, fields, bytes)
        }
        (Value::Enum(index, _, values), Type::Enum { variants, .. }) => {
            bytes.push(*index);
            encode_fields(values, &variants[usize::from(*index)].fields, bytes);
        }
        _ => unreachable!("a value is of the type that it was decoded by"),
    }
}

fn append_part(known: Known<'_>, ty: &Type, key: &mut Vec<u8>) -> Result<(), Unresolved> {
    let value = match known {
        Known::Value(actual, value) if actual == ty => value,
        Known::Integer(number) => integer(number, ty).ok_or(Unresolved::Undeclared)?,
        Known::Bytes(bytes) => constant(bytes, ty).ok_or(Unresolved::Undeclared)?,
        Known::Value(..) | Known::Nothing => return Err(Unresolved::Undeclared),
    };
    append(&value, ty, key);
    Ok(())
}

fn integer(number: u128, ty: &Type) -> Option<Value> {
    let most = match ty {
        Type::Bool => return (number <= 1).then_some(Value::Bool(number == 1)),
        Type::U8 => u8::MAX.into(),
        Type::U16 => u16::MAX.into(),
        Type::U32 => u32::MAX.into(),
        Type::U64 => u64::MAX.into(),
        Type::U128 => u128::MAX,
        Type::I64 => return i64::try_from(number).ok().map(|number| Value::Signed(number.into())),
        Type::I128 => return i128::try_from(number).ok().map(Value::Signed),
        _ => return None,
    };
    (number <= most).then_some(Value::Unsigned(number))
}

fn constant(bytes: &[u8], ty: &Type) -> Option<Value> {
    match ty {
        Type::Address => bytes.try_into().ok().map(|bytes| Value::Address(Address(bytes))),
        Type::FixedBytes(size) if bytes.len() == *size as usize => Some(Value::Bytes(bytes.into())),
        // A constant text has the bytes that it has, whether or not they are a text.
        Type::Bytes | Type::Text => Some(Value::Bytes(bytes.into())),
        _ => None,
    }
}

/// The encoding of key parts that [`tollway_host_api::key`] tells.
fn append(value: &Value, ty: &Type, key: &mut Vec<u8>) {
    match (value, ty) {
        (Value::Bool(value), _) => key.push((*value).into()),
        (Value::Unsigned(value), _) => {
            let size = ty.fixed_size().unwrap_or(0);
            key.extend_from_slice(&value.to_be_bytes()[16 - size..]);
        }
        (Value::Signed(value), Type::I64) => {
            key.extend_from_slice(&(*value as u64 ^ 1 << 63).to_be_bytes());
        }
        (Value::Signed(value), _) => {
            key.extend_from_slice(&(*value as u128 ^ 1 << 127).to_be_bytes());
        }
        (Value::Address(address), _) => key.extend_from_slice(&address.0),
        (Value::Bytes(bytes), Type::FixedBytes(_)) => key.extend_from_slice(bytes),
        (Value::Bytes(bytes), _) => append_long(bytes, key),
        (Value::Text(text), _) => append_long(text.as_bytes(), key),
        (Value::Option(None), _) => key.push(0),
        (Value::Option(Some(value)), Type::Option(types)) => {
            key.push(1);
            append(value, &types[0], key);
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            values.iter().zip(types.iter()).for_each(|(value, ty)| append(value, ty, key));
        }
        (Value::Struct(values), Type::Struct { fields, .. }) => append_fields(values, fields, key),
        (Value::Enum(index, _, values), Type::Enum { variants, .. }) => {
            key.push(*index);
            append_fields(values, &variants[usize::from(*index)].fields, key);
        }
        _ => unreachable!("a value is of the type that it was decoded by, and no list is in a key"),
    }
}

fn append_fields(values: &[(Text, Value)], fields: &[Field], key: &mut Vec<u8>) {
    values.iter().zip(fields).for_each(|((_, value), field)| append(value, &field.ty, key));
}

/// Bytes after their number. Above 255 the key is too long in any case.
fn append_long(bytes: &[u8], key: &mut Vec<u8>) {
    let length = bytes.len().min(255);
    key.push(length as u8);
    key.extend_from_slice(&bytes[..length]);
}
