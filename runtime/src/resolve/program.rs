//! Access templates compiled for one contract: where every size is fixed, a key is a list of byte
//! ranges to copy.
//!
//! ```text
//! balances[(caller, token_in)]    literal 02 │ caller │ args[4..8] reversed
//! token_in.transfer(to, amount)   the callee's keys, its arguments replaced by ours
//! ```
//!
//! A method has a program if all its parameters have a fixed size and every bit pattern of them is
//! a value, if its templates have no loops, and if the contracts that it calls are known from
//! constants and immutables. The others are evaluated step by step ([`super::evaluate`]); both ways
//! give the same keys, in the same order, for the same number of steps
//! (`tests::programs_equal_evaluation`).

use crate::engine::gas::BYTES_PER_STEP;
use crate::limits::Limits;
use crate::registry::{ContractIndex, Registry};
use crate::resolve::evaluate::{STEPS_PER_KEY, mode_of, shard};
use std::sync::Arc;
use tollway_host_api::key::{KEY_BYTES_MAX, transcode};
use tollway_host_api::value::skip;
use tollway_host_api::{AccessTemplate, Address, Expr, Method, Mode, Text, Type};

/// The keys of a method of a contract.
///
/// A block may call as many contracts as it has calls, and finds what is theirs alone in no cache.
/// So that is little: what contracts of the same code have in common is in their shape.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(super) shape: Arc<Shape>,
    /// Whose the keys are: the contract itself, then those that it calls.
    contracts: [ContractIndex; CONTRACTS_MAX],
}

/// A method with keys of more contracts has no program: one fits a cache line, and the shape's
/// address with it.
const CONTRACTS_MAX: usize = 8;

/// What the keys of a method are made of, whatever contract it is a method of.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    /// The size of the arguments, in bytes.
    pub(super) args_size: usize,
    /// Positions in the arguments that hold a 0 or a 1.
    pub(super) bools: Vec<usize>,
    pub(super) steps: u32,
    keys: Vec<KeyShape>,
    parts: Vec<Part>,
    literals: Vec<u8>,
}

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct KeyShape {
    /// Whose it is, by its place in [`Program::contracts`].
    contract: u8,
    mode: Mode,
    is_prefix: bool,
    /// Where its parts start and end.
    start: u16,
    end: u16,
}

/// A part of a key: a range of bytes, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Part {
    of: Source,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    Literals,
    /// All of the contract's address.
    This,
    /// All of it.
    Caller,
    /// The arguments' bytes as they are.
    Args,
    /// The arguments' bytes, last first.
    Reversed,
    /// So too, and the first one's top bit flipped.
    Signed,
    /// The call's identifier, big-endian.
    CallId,
    /// The shard of one of these, out of so many.
    Shard(Whole, u16),
}

/// A value whose bytes a shard is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Whole {
    Args,
    This,
    Caller,
    CallId,
}

/// A program with more keys is not worth it: keys are compared with each other.
const KEYS_MAX: usize = 16;

/// Why there is no program.
#[derive(Debug, PartialEq, Eq)]
enum NoProgram {
    /// There never will be one.
    Never,
    /// A contract that it calls does not exist yet.
    NotYet,
}

/// What the keys of a call are made of.
#[derive(Clone, Copy)]
pub(super) struct Sources<'c> {
    /// The address of the contract that is called.
    pub(super) this: &'c Address,
    pub(super) caller: &'c Address,
    pub(super) call_id: u128,
    pub(super) args: &'c [u8],
}

impl Program {
    /// Whether these are arguments of the method.
    #[inline]
    pub(super) fn fits(&self, args: &[u8]) -> bool {
        let Shape { args_size, bools, .. } = &*self.shape;
        args.len() == *args_size && bools.iter().all(|at| args[*at] <= 1)
    }

    /// The keys: contract, mode, whether it is a prefix, and what appends the bytes for a call that fits.
    #[inline]
    pub(super) fn keys<'p>(
        &'p self,
        sources: Sources<'p>,
    ) -> impl Iterator<Item = (ContractIndex, Mode, bool, impl FnOnce(&mut Vec<u8>) + 'p)> {
        let shape = &*self.shape;
        shape.keys.iter().map(move |key| {
            let append = move |bytes: &mut Vec<u8>| shape.append(*key, sources, bytes);
            (self.contracts[usize::from(key.contract)], key.mode, key.is_prefix, append)
        })
    }
}

impl Shape {
    #[inline]
    fn append(&self, key: KeyShape, sources: Sources<'_>, bytes: &mut Vec<u8>) {
        for part in &self.parts[usize::from(key.start)..usize::from(key.end)] {
            let range = part.start as usize..part.end as usize;
            match part.of {
                Source::Literals => bytes.extend_from_slice(&self.literals[range]),
                Source::This => bytes.extend_from_slice(&sources.this.0),
                Source::Caller => bytes.extend_from_slice(&sources.caller.0),
                Source::Args => bytes.extend_from_slice(&sources.args[range]),
                Source::Reversed | Source::Signed => {
                    let start = bytes.len();
                    bytes.extend_from_slice(&sources.args[range]);
                    bytes[start..].reverse();
                    bytes[start] ^= if part.of == Source::Signed { 0x80 } else { 0 };
                }
                Source::CallId => bytes.extend_from_slice(&sources.call_id.to_be_bytes()),
                Source::Shard(of, count) => bytes.extend_from_slice(match of {
                    Whole::Args => shard(&sources.args[range], count),
                    Whole::This => shard(&sources.this.0, count),
                    Whole::Caller => shard(&sources.caller.0, count),
                    Whole::CallId => shard(&sources.call_id.to_le_bytes(), count),
                }),
            }
        }
    }
}

/// Compiles a method of a contract: `Ok(None)` if that can't be.
///
/// # Errors
/// [`NotYet`] if it calls a contract that does not exist now.
pub(crate) fn compile(
    contract: ContractIndex,
    method: &Method,
    registry: &Registry,
    limits: &Limits,
) -> Result<Option<Program>, NotYet> {
    let result = Compiler::new(contract, method, registry, limits)
        .and_then(|mut compiler| compiler.method(method).map(|()| compiler));
    match result {
        Ok(compiler) => Ok(Some(compiler.finish())),
        Err(NoProgram::Never) => Ok(None),
        Err(NoProgram::NotYet) => Err(NotYet),
    }
}

/// What a method calls does not exist yet.
#[derive(Debug)]
pub(crate) struct NotYet;

/// A value that a template uses, as far as it is known beforehand.
#[derive(Clone)]
enum Value<'a> {
    /// It starts here in the call's arguments.
    Args(&'a Type, usize),
    /// The address of the contract that the program is for.
    This,
    Caller,
    CallId,
    /// The shard, out of so many, of a value; of arguments, those from the first number to the
    /// second.
    Shard(Whole, usize, usize, u16),
    /// Borsh bytes that start with a value of this type.
    Known(&'a Type, &'a [u8]),
    Integer(u128),
    Raw(&'a [u8]),
    Unknown,
}

struct Scope<'a> {
    contract: ContractIndex,
    caller: Value<'a>,
    params: Vec<Value<'a>>,
    depth: usize,
}

struct Compiler<'a> {
    registry: &'a Registry,
    limits: &'a Limits,
    shape: Shape,
    contracts: Vec<ContractIndex>,
}

impl<'a> Compiler<'a> {
    fn new(
        contract: ContractIndex,
        method: &'a Method,
        registry: &'a Registry,
        limits: &'a Limits,
    ) -> Result<Self, NoProgram> {
        let (mut args_size, mut bools) = (0, Vec::new());
        for param in method.params.iter() {
            args_size = plain(&param.ty, args_size, &mut bools)?;
        }
        let shape = Shape { args_size, bools, ..Shape::default() };
        Ok(Self { registry, limits, shape, contracts: vec![contract] })
    }

    fn finish(self) -> Program {
        let mut contracts = [self.contracts[0]; CONTRACTS_MAX];
        contracts[..self.contracts.len()].copy_from_slice(&self.contracts);
        Program { shape: self.registry.share(self.shape), contracts }
    }

    /// The place of a contract among those of the program.
    fn place(&mut self, contract: ContractIndex) -> Result<u8, NoProgram> {
        let place = self.contracts.iter().position(|known| *known == contract);
        let place = place.unwrap_or(self.contracts.len());
        if place == self.contracts.len() {
            self.contracts.push(contract);
        }
        if place < CONTRACTS_MAX { Ok(place as u8) } else { Err(NoProgram::Never) }
    }

    fn method(&mut self, method: &'a Method) -> Result<(), NoProgram> {
        if !method.declared {
            return Err(NoProgram::Never);
        }
        let mut at = 0;
        let params = method.params.iter().map(|param| {
            let value = Value::Args(&param.ty, at);
            plain(&param.ty, at, &mut Vec::new()).map(|end| {
                at = end;
                value
            })
        });
        let params = params.collect::<Result<_, _>>()?;
        let contract = self.contracts[0];
        self.templates(&method.access, &Scope { contract, caller: Value::Caller, params, depth: 1 })
    }

    fn take_steps(&mut self, steps: usize) -> Result<(), NoProgram> {
        let steps = self.shape.steps as usize + steps;
        // Where evaluation would stop, it shall.
        if steps > self.limits.access_keys_max * STEPS_PER_KEY {
            return Err(NoProgram::Never);
        }
        self.shape.steps = steps as u32;
        Ok(())
    }

    fn templates(
        &mut self,
        templates: &'a [AccessTemplate],
        scope: &Scope<'a>,
    ) -> Result<(), NoProgram> {
        for template in templates {
            match template {
                AccessTemplate::Key { mode, field, parts } => {
                    self.key(*mode, *field, parts, scope)?;
                }
                AccessTemplate::Call { contract, method, args } => {
                    self.call(contract, method, args, scope)?;
                }
                AccessTemplate::ForEach { .. } => return Err(NoProgram::Never),
            }
        }
        Ok(())
    }

    fn key(
        &mut self,
        mode: Mode,
        field: u8,
        exprs: &'a [Expr],
        scope: &Scope<'a>,
    ) -> Result<(), NoProgram> {
        self.take_steps(1 + exprs.len())?;
        let storage = &self.registry.contract(scope.contract).code.abi.storage[usize::from(field)];
        let start = self.shape.parts.len();
        let mut length = self.shape.literal(&[field], start);
        for (expr, ty) in exprs.iter().zip(storage.key.iter()) {
            let value = self.evaluate(expr, scope)?;
            length += append(value, ty, start, &mut self.shape)?;
        }
        if length > KEY_BYTES_MAX {
            self.shape.parts.truncate(start);
            return Ok(());
        }
        if self.shape.keys.len() >= KEYS_MAX.min(self.limits.access_keys_max) {
            return Err(NoProgram::Never);
        }
        let number = |place: usize| u16::try_from(place).map_err(|_| NoProgram::Never);
        let (start, end) = (number(start)?, number(self.shape.parts.len())?);
        let contract = self.place(scope.contract)?;
        let is_prefix = storage.prefix_parts.is_some();
        let mode = mode_of(mode, is_prefix);
        self.shape.keys.push(KeyShape { contract, mode, is_prefix, start, end });
        Ok(())
    }

    fn call(
        &mut self,
        contract: &'a Expr,
        method: &Text,
        args: &'a [Expr],
        scope: &Scope<'a>,
    ) -> Result<(), NoProgram> {
        self.take_steps(1 + args.len())?;
        let address = match self.evaluate(contract, scope)? {
            Value::This => Some(&self.registry.contract(self.contracts[0]).address.0),
            Value::Known(Type::Address, bytes) => bytes.first_chunk::<32>(),
            Value::Raw(bytes) => <&[u8; 32]>::try_from(bytes).ok(),
            _ => None,
        };
        let address = address.ok_or(NoProgram::Never)?;
        if scope.depth >= self.limits.call_depth_max {
            return Ok(());
        }
        let target = self.registry.find(&Address(*address)).ok_or(NoProgram::NotYet)?;
        let Some(method) = self.registry.contract(target).code.abi.method(method) else {
            return Ok(());
        };
        if !method.declared || method.params.len() != args.len() {
            return Err(NoProgram::Never);
        }
        let mut params = Vec::with_capacity(args.len());
        for (arg, param) in args.iter().zip(method.params.iter()) {
            let value = self.evaluate(arg, scope)?;
            let ty = match &value {
                Value::Args(ty, _) | Value::Known(ty, _) => Some(*ty),
                Value::This | Value::Caller => Some(&Type::Address),
                Value::CallId => Some(&Type::U128),
                Value::Shard(..) => Some(&Type::U8),
                Value::Integer(_) | Value::Raw(_) | Value::Unknown => None,
            };
            if ty.is_some_and(|ty| *ty != param.ty) {
                return Err(NoProgram::Never);
            }
            params.push(value);
        }
        let caller = self.this(scope);
        self.templates(
            &method.access,
            &Scope { contract: target, caller, params, depth: scope.depth + 1 },
        )
    }

    fn evaluate(&mut self, expr: &'a Expr, scope: &Scope<'a>) -> Result<Value<'a>, NoProgram> {
        let contract = self.registry.contract(scope.contract);
        match expr {
            Expr::Caller => Ok(scope.caller.clone()),
            Expr::This => Ok(self.this(scope)),
            Expr::Arg { param, path } => {
                let value = scope.params.get(usize::from(*param)).ok_or(NoProgram::Never)?;
                self.follow(value.clone(), path)
            }
            Expr::Element { .. } => Err(NoProgram::Never),
            Expr::Immutable { index, path } => {
                let fields = &contract.code.abi.immutables;
                let (index, mut rest) = (usize::from(*index), &contract.immutables[..]);
                self.pass_over(fields[..index].iter().map(|field| &field.ty), &mut rest)?;
                self.follow(Value::Known(&fields[index].ty, rest), path)
            }
            Expr::Integer(number) => Ok(Value::Integer(*number)),
            Expr::Bytes(bytes) => Ok(Value::Raw(bytes)),
            Expr::Unknown => Ok(Value::Unknown),
            Expr::CallId => Ok(Value::CallId),
            Expr::Shard { of, count } => {
                let of = self.evaluate(of.first().ok_or(NoProgram::Never)?, scope)?;
                self.shard(of, *count)
            }
        }
    }

    fn shard(&mut self, of: Value<'a>, count: u16) -> Result<Value<'a>, NoProgram> {
        Ok(match of {
            // A value of up to so many bytes takes no step, and all of these are shorter.
            Value::This => Value::Shard(Whole::This, 0, 0, count),
            Value::Caller => Value::Shard(Whole::Caller, 0, 0, count),
            Value::CallId => Value::Shard(Whole::CallId, 0, 0, count),
            Value::Args(ty, start) => {
                let end = plain(ty, start, &mut Vec::new())?;
                self.take_steps((end - start) / BYTES_PER_STEP)?;
                Value::Shard(Whole::Args, start, end, count)
            }
            Value::Known(ty, bytes) => {
                let mut rest = bytes;
                self.pass_over(std::iter::once(ty), &mut rest)?;
                let value = &bytes[..bytes.len() - rest.len()];
                Value::Known(&Type::U8, shard(value, count))
            }
            Value::Shard(..) | Value::Integer(_) | Value::Raw(_) | Value::Unknown => {
                return Err(NoProgram::Never);
            }
        })
    }

    /// The contract whose templates are evaluated.
    fn this(&self, scope: &Scope<'a>) -> Value<'a> {
        match scope.contract {
            first if first == self.contracts[0] => Value::This,
            callee => Value::Known(&Type::Address, &self.registry.contract(callee).address.0),
        }
    }

    fn follow(&mut self, mut value: Value<'a>, path: &[Text]) -> Result<Value<'a>, NoProgram> {
        for name in path {
            let ty = match value {
                Value::Args(ty, _) | Value::Known(ty, _) => ty,
                _ => return Err(NoProgram::Never),
            };
            let (before, inner): (Vec<&Type>, &Type) = match ty {
                Type::Struct { fields, .. } => {
                    let index = fields.iter().position(|field| field.name == *name);
                    let index = index.ok_or(NoProgram::Never)?;
                    (fields[..index].iter().map(|field| &field.ty).collect(), &fields[index].ty)
                }
                Type::Tuple(types) => {
                    let index = name.parse::<usize>().ok().filter(|index| *index < types.len());
                    let index = index.ok_or(NoProgram::Never)?;
                    (types[..index].iter().collect(), &types[index])
                }
                _ => return Err(NoProgram::Never),
            };
            value = match value {
                Value::Known(_, mut rest) => {
                    self.pass_over(before.into_iter(), &mut rest)?;
                    Value::Known(inner, rest)
                }
                Value::Args(_, start) => {
                    let mut at = start;
                    for ty in before {
                        at = plain(ty, at, &mut Vec::new())?;
                    }
                    self.take_steps((at - start) / BYTES_PER_STEP)?;
                    Value::Args(inner, at)
                }
                other => other,
            };
        }
        Ok(value)
    }

    /// Takes values that are known off `rest`, for the steps that it costs.
    fn pass_over<'t>(
        &mut self,
        mut types: impl Iterator<Item = &'t Type>,
        rest: &mut &[u8],
    ) -> Result<(), NoProgram> {
        let before = rest.len();
        types.try_for_each(|ty| skip(ty, rest)).map_err(|_| NoProgram::Never)?;
        self.take_steps((before - rest.len()) / BYTES_PER_STEP)
    }
}

/// The end of a value of fixed size that starts at `at`. Notes where it has bools; other types that
/// some bytes are no value of have no program.
fn plain(ty: &Type, at: usize, bools: &mut Vec<usize>) -> Result<usize, NoProgram> {
    match ty {
        Type::Bool => {
            bools.push(at);
            Ok(at + 1)
        }
        Type::Tuple(types) => types.iter().try_fold(at, |at, ty| plain(ty, at, bools)),
        Type::Struct { fields, .. } => {
            fields.iter().try_fold(at, |at, field| plain(&field.ty, at, bools))
        }
        Type::Text | Type::Bytes | Type::Option(_) | Type::List(_) | Type::Enum { .. } => {
            Err(NoProgram::Never)
        }
        _ => ty.fixed_size().map(|size| at + size).ok_or(NoProgram::Never),
    }
}

impl Shape {
    /// Appends constant bytes to the key whose parts start at `first`. Returns how many.
    fn literal(&mut self, bytes: &[u8], first: usize) -> usize {
        let start = self.literals.len() as u32;
        self.literals.extend_from_slice(bytes);
        let end = self.literals.len() as u32;
        match self.parts[first..].last_mut() {
            Some(last) if last.of == Source::Literals => last.end = end,
            _ => self.parts.push(Part { of: Source::Literals, start, end }),
        }
        bytes.len()
    }
}

/// Appends a value, as a part of type `ty`, to the key whose parts start at `first`. Returns how
/// many bytes that is.
fn append(
    value: Value<'_>,
    ty: &Type,
    first: usize,
    shape: &mut Shape,
) -> Result<usize, NoProgram> {
    let known = |mut bytes: &[u8]| {
        let mut key = Vec::new();
        transcode(ty, &mut bytes, &mut key).map_err(|_| NoProgram::Never).map(|()| key)
    };
    match value {
        Value::Args(actual, at) if actual == ty => append_args(ty, at, shape).map(|end| end - at),
        Value::This if *ty == Type::Address => {
            shape.parts.push(Part { of: Source::This, start: 0, end: 32 });
            Ok(32)
        }
        Value::Caller if *ty == Type::Address => {
            shape.parts.push(Part { of: Source::Caller, start: 0, end: 32 });
            Ok(32)
        }
        Value::CallId if *ty == Type::U128 => {
            shape.parts.push(Part { of: Source::CallId, start: 0, end: 0 });
            Ok(16)
        }
        Value::Shard(of, start, end, count) if *ty == Type::U8 => {
            let number = |place: usize| u32::try_from(place).map_err(|_| NoProgram::Never);
            let (start, end) = (number(start)?, number(end)?);
            shape.parts.push(Part { of: Source::Shard(of, count), start, end });
            Ok(1)
        }
        Value::Known(actual, bytes) if actual == ty => Ok(shape.literal(&known(bytes)?, first)),
        Value::Integer(number) => {
            let size = ty.fixed_size().ok_or(NoProgram::Never)?;
            let most = match ty {
                Type::Bool => 1,
                Type::U8 | Type::U16 | Type::U32 | Type::U64 => (1u128 << (8 * size)) - 1,
                Type::U128 => u128::MAX,
                Type::I64 => i64::MAX as u128,
                Type::I128 => i128::MAX as u128,
                _ => return Err(NoProgram::Never),
            };
            if number > most {
                return Err(NoProgram::Never);
            }
            Ok(shape.literal(&known(&number.to_le_bytes()[..size])?, first))
        }
        Value::Raw(bytes) => match ty {
            Type::Address if bytes.len() == 32 => Ok(shape.literal(bytes, first)),
            Type::FixedBytes(size) if bytes.len() == *size as usize => {
                Ok(shape.literal(bytes, first))
            }
            Type::Bytes | Type::Text => {
                let length = bytes.len().min(255) as u8;
                Ok(shape.literal(&[&[length][..], bytes].concat(), first))
            }
            _ => Err(NoProgram::Never),
        },
        Value::Args(..)
        | Value::This
        | Value::Caller
        | Value::CallId
        | Value::Shard(..)
        | Value::Known(..)
        | Value::Unknown => Err(NoProgram::Never),
    }
}

/// Appends the argument of type `ty` that starts at `at`. Returns its end.
fn append_args(ty: &Type, at: usize, shape: &mut Shape) -> Result<usize, NoProgram> {
    match ty {
        Type::Tuple(types) => types.iter().try_fold(at, |at, ty| append_args(ty, at, shape)),
        Type::Struct { fields, .. } => {
            fields.iter().try_fold(at, |at, field| append_args(&field.ty, at, shape))
        }
        _ => {
            let end = plain(ty, at, &mut Vec::new())?;
            let of = match ty {
                Type::Bool | Type::U8 | Type::Address | Type::FixedBytes(_) => Source::Args,
                Type::U16 | Type::U32 | Type::U64 | Type::U128 => Source::Reversed,
                Type::I64 | Type::I128 => Source::Signed,
                _ => return Err(NoProgram::Never),
            };
            let number = |place: usize| u32::try_from(place).map_err(|_| NoProgram::Never);
            shape.parts.push(Part { of, start: number(at)?, end: number(end)? });
            Ok(end)
        }
    }
}
