//! RESOLVE: what each call of a block may touch, from its contract's access templates, its
//! arguments, its caller and immutables. No Wasm runs.
//!
//! ```text
//! calls ─▶ refused, with a receipt
//!      └─▶ contract, method, access set: keys where templates first name them, one mode each
//! ```
//!
//! Keys come from a program where a method has one ([`program`]), else from its templates, step by
//! step ([`evaluate`]).
//!
//! # Invariants
//! 1. An access set depends on the call and the registry alone (`tests::is_pure`).
//! 2. The work for a call is bounded by [`Limits::access_keys_max`], whatever its arguments
//!    (`tests::nested_loops_are_bounded`).
//! 3. A call whose set cannot be known in full has none: it counts as undeclared.

mod evaluate;
mod keys;
mod program;

pub use evaluate::STEPS_PER_KEY;
use program::Sources;
pub(crate) use program::{NotYet, Program, Shape, compile};

use crate::block::{Call, Gas, Height};
use crate::bytes::Bytes;
use crate::engine::gas::refused_gas;
use crate::limits::Limits;
use crate::prefetch::prefetch;
use crate::receipt::{Failure, Receipt};
use crate::registry::{ContractIndex, Registry};
use crate::store::cache::StateKeys;
use crate::store::{MemoryStore, NO_SLOT, SlotIndex, StoreError};
use evaluate::{Evaluator, Unresolved};
use keys::KeyList;
use parking_lot::Mutex;
use rayon::prelude::*;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::template::call_id;
use tollway_host_api::value::DecodeError;
use tollway_host_api::{Address, Method, Mode};

/// A (call, key) pair of an access set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) hash: u64,
    pub(crate) contract: ContractIndex,
    /// The key's slot in the store.
    pub(crate) slot: SlotIndex,
    /// The position of the call in the block.
    pub(crate) call: u32,
    key_start: u32,
    key_len: u8,
    pub(crate) mode: Mode,
    /// Whether the key stands for all keys that start with it.
    pub(crate) is_prefix: bool,
}

/// Where a call goes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// It can run.
    Method {
        contract: ContractIndex,
        /// The contract's code, as [`Code::index`](crate::engine::code::Code) has it.
        code: u32,
        method: u32,
        /// Whether its access set is known.
        declared: bool,
        /// The steps that it took to find out; see [`STEPS_PER_KEY`].
        steps: u32,
    },
    /// It cannot; this is its receipt.
    Refused(Box<Receipt>),
}

/// The access sets of a block, in chunks as threads made them.
///
/// Accesses are numbered through all chunks.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    chunks: Vec<Chunk>,
    /// Calls of each chunk but the last.
    chunk_calls: usize,
    call_count: usize,
    /// By chunk, the number of its first access; then the number of all.
    firsts: Vec<u32>,
}

/// The access sets of calls that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    targets: Vec<Target>,
    /// `accesses[starts[i]..starts[i + 1]]` are those of the chunk's call i.
    starts: Vec<u32>,
    accesses: Vec<Access>,
    key_bytes: Vec<u8>,
    /// By access, the key's value in the parent state.
    bases: Vec<Option<Bytes>>,
}

/// The access set of a call.
#[derive(Clone, Copy)]
pub(crate) struct AccessSet<'r> {
    chunk: &'r Chunk,
    start: usize,
    end: usize,
    /// The number of its first access.
    first: usize,
}

impl<'r> AccessSet<'r> {
    /// The numbers of its accesses.
    #[inline]
    pub(crate) fn numbers(&self) -> std::ops::Range<usize> {
        self.first..self.first + (self.end - self.start)
    }

    /// Asks for its accesses before they are needed.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(&self.chunk.accesses[self.start..self.end]);
        prefetch(&self.chunk.bases[self.start..self.end]);
    }

    /// Asks for the bytes of its keys, when its accesses are near.
    #[inline]
    pub(crate) fn prefetch_keys(&self) {
        if let [first, .., last] = &self.chunk.accesses[self.start..self.end] {
            let end = last.key_start as usize + usize::from(last.key_len);
            prefetch(&self.chunk.key_bytes[first.key_start as usize..end]);
        }
    }

    /// Its accesses, with their keys and the values of these in the parent state.
    #[inline]
    pub(crate) fn iter(
        self,
    ) -> impl ExactSizeIterator<Item = (&'r Access, &'r [u8], Option<&'r Bytes>)> {
        let Self { chunk, start, end, .. } = self;
        let bases = &chunk.bases[start..end];
        chunk.accesses[start..end]
            .iter()
            .zip(bases)
            .map(|(access, base)| (access, access.key(&chunk.key_bytes), base.as_ref()))
    }
}

impl Access {
    /// Its key, among the bytes of its chunk's keys.
    #[inline]
    fn key<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let start = self.key_start as usize;
        &bytes[start..start + usize::from(self.key_len)]
    }
}

impl Resolved {
    fn of_chunks(chunks: Vec<Chunk>, chunk_calls: usize) -> Self {
        let mut firsts = vec![0];
        let mut count = 0;
        for chunk in &chunks {
            count += chunk.accesses.len() as u32;
            firsts.push(count);
        }
        let call_count = chunks.iter().map(|chunk| chunk.targets.len()).sum();
        Self { chunks, chunk_calls: chunk_calls.max(1), call_count, firsts }
    }

    /// Has the store fetch the keys that it does not hold, if there is a state below it.
    ///
    /// # Errors
    /// [`StoreError`] if that can't be read, or there is no room.
    pub(crate) fn fetch(
        &mut self,
        store: &mut MemoryStore,
        registry: &Registry,
    ) -> Result<(), StoreError> {
        for chunk in &mut self.chunks {
            let Chunk { accesses, key_bytes, bases, .. } = chunk;
            let missing: Vec<usize> =
                (0..accesses.len()).filter(|at| accesses[*at].slot == NO_SLOT).collect();
            let mut keys = StateKeys::default();
            for at in &missing {
                keys.push(registry, accesses[*at].contract, accesses[*at].key(key_bytes));
            }
            let mut slots = Vec::with_capacity(missing.len());
            let names = missing.iter().map(|at| {
                let access = &accesses[*at];
                (access.contract, access.key(key_bytes))
            });
            store.fetch(&keys, names, |slot, value| slots.push((slot, value.cloned())))?;
            for (at, (slot, value)) in missing.into_iter().zip(slots) {
                (accesses[at].slot, bases[at]) = (slot, value);
            }
        }
        Ok(())
    }

    /// How many calls there are.
    #[inline]
    pub(crate) fn call_count(&self) -> usize {
        self.call_count
    }

    /// Where a call goes.
    #[inline]
    pub(crate) fn target(&self, call: usize) -> &Target {
        &self.chunks[call / self.chunk_calls].targets[call % self.chunk_calls]
    }

    /// Asks for what [`Self::target`] gives.
    #[inline]
    pub(crate) fn prefetch_target(&self, call: usize) {
        prefetch(std::slice::from_ref(self.target(call)));
    }

    /// Where all calls go, in block order.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.chunks.iter().flat_map(|chunk| &chunk.targets)
    }

    /// A call's access set.
    #[inline]
    pub(crate) fn access_set(&self, call: usize) -> AccessSet<'_> {
        let (number, place) = (call / self.chunk_calls, call % self.chunk_calls);
        let chunk = &self.chunks[number];
        let (start, end) = (chunk.starts[place] as usize, chunk.starts[place + 1] as usize);
        AccessSet { chunk, start, end, first: self.firsts[number] as usize + start }
    }

    /// How many accesses there are.
    #[inline]
    pub(crate) fn access_count(&self) -> usize {
        self.firsts.last().map_or(0, |count| *count as usize)
    }

    /// An access, by its number.
    pub(crate) fn access(&self, number: usize) -> Option<&Access> {
        let chunk = self.firsts.partition_point(|first| *first as usize <= number) - 1;
        let place = number - self.firsts[chunk] as usize;
        self.chunks.get(chunk).map(|chunk| &chunk.accesses[place])
    }

    /// The value in the parent state of an access's key.
    #[inline]
    pub(crate) fn base(&self, number: usize) -> Option<&Bytes> {
        let chunk = self.firsts.partition_point(|first| *first as usize <= number) - 1;
        self.chunks[chunk].bases[number - self.firsts[chunk] as usize].as_ref()
    }

    /// Asks for what [`Self::base`] gives.
    #[inline]
    pub(crate) fn prefetch_base(&self, number: usize) {
        let chunk = self.firsts.partition_point(|first| *first as usize <= number) - 1;
        prefetch(&self.chunks[chunk].bases[number - self.firsts[chunk] as usize..][..1]);
    }

    /// All accesses in the order of their numbers.
    pub(crate) fn accesses(&self) -> impl Iterator<Item = &Access> {
        self.chunks.iter().flat_map(|chunk| &chunk.accesses)
    }

    /// The same, as threads made them, each piece after the number of its first.
    pub(crate) fn chunks_of_accesses(&self) -> impl Iterator<Item = (u32, &[Access])> {
        let firsts = self.firsts.iter().copied();
        firsts.zip(self.chunks.iter().map(|chunk| &chunk.accesses[..]))
    }

    /// The key bytes of an access.
    #[inline]
    pub(crate) fn key(&self, access: &Access) -> &[u8] {
        access.key(&self.chunks[access.call as usize / self.chunk_calls].key_bytes)
    }
}

/// The block's access sets are too large together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("block declares {declared} keys, limit is {limit}")]
pub struct BlockTooLarge {
    /// Keys declared by all calls, at least.
    pub declared: usize,
    /// The limit.
    pub limit: usize,
}

/// The contracts of so many calls are looked up in one go, so that the processor has many cache
/// misses under way.
const FOUND_AT_ONCE: usize = 64;

/// Fewer calls than this are not worth another thread.
const CHUNK_CALLS_MIN: usize = 256;

/// Resolves a block on the threads of the current rayon pool. `memory` is an older block's, to be
/// used again.
///
/// # Errors
/// [`BlockTooLarge`] if all access sets together exceed [`Limits::block_keys_max`].
#[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
pub(crate) fn resolve(
    height: Height,
    calls: &[Call],
    registry: &Registry,
    store: &MemoryStore,
    limits: &Limits,
    memory: Resolved,
) -> Result<Resolved, BlockTooLarge> {
    let memory = Mutex::new(memory.chunks);
    let chunk_size = calls.len().div_ceil(rayon::current_num_threads()).max(CHUNK_CALLS_MIN);
    let chunk = |(number, calls): (usize, &[Call])| {
        let first = (number * chunk_size) as u32;
        let memory = memory.lock().pop().unwrap_or_default();
        resolve_chunk(height, first, calls, registry, store, limits, memory)
    };
    let chunks = if calls.len() <= chunk_size {
        vec![chunk((0, calls))?]
    } else {
        let chunks = calls.par_chunks(chunk_size).enumerate().map(chunk);
        chunks.collect::<Result<Vec<_>, _>>()?
    };
    let (declared, limit) =
        (chunks.iter().map(|chunk| chunk.accesses.len()).sum(), limits.block_keys_max);
    if declared > limit {
        return Err(BlockTooLarge { declared, limit });
    }
    Ok(Resolved::of_chunks(chunks, chunk_size))
}

fn resolve_chunk(
    height: Height,
    first: u32,
    calls: &[Call],
    registry: &Registry,
    store: &MemoryStore,
    limits: &Limits,
    memory: Chunk,
) -> Result<Chunk, BlockTooLarge> {
    let mut out = memory;
    out.targets.clear();
    out.targets.reserve(calls.len());
    let mut starts = std::mem::take(&mut out.starts);
    let mut targets = std::mem::take(&mut out.targets);
    starts.clear();
    starts.reserve(calls.len() + 1);
    starts.push(0);
    let mut resolver = Resolver {
        registry,
        limits,
        evaluator: Evaluator::new(registry, limits),
        height,
        keys: KeyList::new(store, &mut out),
        last_method: 0,
    };
    let mut contracts = [None; FOUND_AT_ONCE];
    let mut methods = [None; FOUND_AT_ONCE];
    for (batch, calls) in calls.chunks(FOUND_AT_ONCE).enumerate() {
        let first = first + (batch * FOUND_AT_ONCE) as u32;
        registry.find_many(calls.iter().map(|call| &call.contract), &mut contracts);
        for ((call, contract), method) in calls.iter().zip(contracts).zip(&mut methods) {
            *method = contract.and_then(|contract| resolver.find_method(contract, &call.method));
        }
        let targets_of_calls = calls.iter().zip(contracts.into_iter().zip(methods));
        for (number, (call, (contract, method))) in (first..).zip(targets_of_calls) {
            resolver.keys.start(number);
            let target = resolver
                .resolve_call(number, call, contract, method)
                .unwrap_or_else(|receipt| Target::Refused(Box::new(receipt)));
            targets.push(target);
            starts.push(resolver.keys.len() as u32);
            if resolver.keys.len() > limits.block_keys_max {
                let (declared, limit) = (resolver.keys.len(), limits.block_keys_max);
                return Err(BlockTooLarge { declared, limit });
            }
        }
    }
    resolver.keys.finish(&mut out);
    (out.starts, out.targets) = (starts, targets);
    Ok(out)
}

/// What resolves the calls of a chunk, one after another.
struct Resolver<'r> {
    registry: &'r Registry,
    limits: &'r Limits,
    evaluator: Evaluator<'r>,
    height: Height,
    keys: KeyList<'r>,
    /// The method of the last call: the next one's is often the same.
    last_method: usize,
}

impl Resolver<'_> {
    /// Checks what can be checked before a call runs, in the order in which a receipt reports it,
    /// and lists its keys.
    fn resolve_call(
        &mut self,
        number: u32,
        call: &Call,
        contract: Option<ContractIndex>,
        method: Option<usize>,
    ) -> Result<Target, Receipt> {
        let (registry, limits) = (self.registry, self.limits);
        if call.gas_limit.0 == 0 || call.gas_limit.0 > limits.call_gas_max {
            let failure =
                Failure::BadGasLimit { gas_limit: call.gas_limit.0, limit: limits.call_gas_max };
            return Err(Receipt::failed(failure, Gas(0), 0));
        }
        let refuse = |failure| Receipt::failed(failure, refused_gas(call.gas_limit), 0);
        if let Some(failure) = limits.arguments_failure(&call.args) {
            return Err(refuse(failure));
        }
        let Some(contract) = contract else {
            return Err(refuse(Failure::UnknownContract { contract: call.contract }));
        };
        let Some(method) = method else {
            return Err(refuse(unknown_method(call.contract, &call.method)));
        };
        let code = registry.contract(contract).code.index as u32;
        let target = |declared, steps| {
            Ok(Target::Method { contract, code, method: method as u32, declared, steps })
        };
        if let Some(program) = registry.program(contract, method, limits)
            && program.fits(&call.args)
        {
            let sources = Sources {
                this: &call.contract,
                caller: &call.caller,
                call_id: call_id(self.height.0, number),
                args: &call.args,
            };
            for (contract, mode, is_prefix, append) in program.keys(sources) {
                self.keys.push(contract, mode, is_prefix, append);
            }
            return target(true, program.shape.steps);
        }
        let call_id = call_id(self.height.0, number).to_le_bytes();
        let resolution =
            self.evaluator.resolve(contract, method, &call.caller, &call_id, &call.args);
        match resolution {
            Ok(()) => {
                for (found, key) in self.evaluator.keys() {
                    let append = |bytes: &mut Vec<u8>| bytes.extend_from_slice(key);
                    self.keys.push(found.contract, found.mode, found.is_prefix, append);
                }
                target(true, self.evaluator.steps())
            }
            Err(Unresolved::Undeclared) => target(false, self.evaluator.steps()),
            Err(Unresolved::TooManyKeys) => {
                // Finding out took as much work as a call may make, so it costs all of the limit.
                let failure = Failure::TooManyKeys { limit: limits.access_keys_max as u32 };
                Err(Receipt::failed(failure, call.gas_limit, 0))
            }
            Err(Unresolved::BadArguments(error)) => Err(refuse(bad_arguments(&call.method, error))),
        }
    }

    /// Finds a method that calls may name, and brings its program near.
    #[inline]
    fn find_method(&mut self, contract: ContractIndex, name: &str) -> Option<usize> {
        let methods = &self.registry.contract(contract).code.abi.methods;
        let is_it = |method: &Method| method.name == name && name != INIT_METHOD;
        if !methods.get(self.last_method).is_some_and(is_it) {
            self.last_method = methods.iter().position(is_it)?;
        }
        self.registry.touch_program(contract, self.last_method);
        Some(self.last_method)
    }
}

pub(crate) fn bad_arguments(method: &str, error: DecodeError) -> Failure {
    let kind = match error {
        DecodeError::Truncated => 0,
        DecodeError::Trailing => 1,
        DecodeError::Invalid => 2,
    };
    Failure::BadArguments { method: method.to_owned(), kind }
}

pub(crate) fn unknown_method(contract: Address, method: &str) -> Failure {
    // A hostile name must not make the receipt as long as the block.
    let mut end = method.len().min(64);
    while !method.is_char_boundary(end) {
        end -= 1;
    }
    Failure::UnknownMethod { contract, method: method[..end].to_owned() }
}

#[cfg(test)]
impl Resolved {
    /// Access sets as they stand, for tests of what comes after: for each call, keys and modes.
    pub(crate) fn of_keys(calls: &[Vec<(Vec<u8>, Mode)>], store: &MemoryStore) -> Self {
        let mut chunk = Chunk { starts: vec![0], ..Chunk::default() };
        let mut list = KeyList::new(store, &mut Chunk::default());
        for (call, keys) in calls.iter().enumerate() {
            list.start(call as u32);
            for (key, mode) in keys {
                list.push(0, *mode, false, |bytes| bytes.extend_from_slice(key));
            }
            chunk.starts.push(list.len() as u32);
            let (contract, code, method) = (0, 0, 0);
            let target = Target::Method { contract, code, method, declared: true, steps: 0 };
            chunk.targets.push(target);
        }
        list.finish(&mut chunk);
        Self::of_chunks(vec![chunk], calls.len())
    }
}

#[cfg(test)]
mod tests;
