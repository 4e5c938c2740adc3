//! RESOLVE: what each call of a block may touch, from its contract's access templates, its
//! arguments, its caller and immutables. No Wasm runs.
//!
//! ```text
//! calls ─▶ refused, with a receipt
//!      └─▶ contract, method, access set: keys sorted by contract and bytes, one mode each
//! ```
//!
//! # Invariants
//! 1. An access set depends on the call and the registry alone (`tests::is_pure`).
//! 2. The work for a call is bounded by [`Limits::access_keys_max`], whatever its arguments
//!    (`tests::nested_loops_are_bounded`).
//! 3. A call whose set cannot be known in full has none: it counts as undeclared.

mod evaluate;

pub use evaluate::STEPS_PER_KEY;

use crate::block::{Call, Gas};
use crate::engine::gas::refused_gas;
use crate::limits::Limits;
use crate::receipt::{Failure, Receipt};
use crate::registry::{ContractIndex, Registry};
use crate::store::MemoryStore;
use evaluate::Unresolved;
use rayon::prelude::*;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::value::DecodeError;
use tollway_host_api::{Address, Mode};

/// A (call, key) pair of an access set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) hash: u64,
    pub(crate) contract: ContractIndex,
    /// The position of the call in the block.
    pub(crate) call: u32,
    key_start: u32,
    key_len: u8,
    pub(crate) mode: Mode,
}

/// Where a call goes.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// It can run.
    Method {
        contract: ContractIndex,
        method: u32,
        /// Whether its access set is known.
        declared: bool,
        /// The steps that it took to find out; see [`STEPS_PER_KEY`].
        steps: u32,
    },
    /// It cannot; this is its receipt.
    Refused(Box<Receipt>),
}

/// The access sets of a block.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) targets: Vec<Target>,
    /// `accesses[starts[i]..starts[i + 1]]` are call i's.
    pub(crate) starts: Vec<u32>,
    pub(crate) accesses: Vec<Access>,
    key_bytes: Vec<u8>,
}

impl Resolved {
    /// The key bytes of an access.
    #[inline]
    pub(crate) fn key(&self, access: &Access) -> &[u8] {
        let start = access.key_start as usize;
        &self.key_bytes[start..start + usize::from(access.key_len)]
    }

    /// The range of a call's accesses.
    #[inline]
    pub(crate) fn range(&self, call: usize) -> std::ops::Range<usize> {
        self.starts[call] as usize..self.starts[call + 1] as usize
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

/// Calls that one task resolves; the last step of a block is to join the tasks' lists.
const CHUNK_CALLS_MIN: usize = 256;

/// Resolves a block on the threads of the current rayon pool.
///
/// # Errors
/// [`BlockTooLarge`] if all access sets together exceed [`Limits::block_keys_max`].
#[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
pub(crate) fn resolve(
    calls: &[Call],
    registry: &Registry,
    store: &MemoryStore,
    limits: &Limits,
) -> Result<Resolved, BlockTooLarge> {
    let chunk_size = calls.len().div_ceil(rayon::current_num_threads()).max(CHUNK_CALLS_MIN);
    let chunk = |(number, calls): (usize, &[Call])| {
        let first = (number * chunk_size) as u32;
        resolve_chunk(first, calls, registry, store, limits)
    };
    let mut chunks: Vec<Result<Resolved, BlockTooLarge>> = if calls.len() <= chunk_size {
        vec![chunk((0, calls))]
    } else {
        calls.par_chunks(chunk_size).enumerate().map(chunk).collect()
    };
    if chunks.len() == 1 {
        return chunks.swap_remove(0);
    }
    join(chunks, limits)
}

fn join(
    chunks: Vec<Result<Resolved, BlockTooLarge>>,
    limits: &Limits,
) -> Result<Resolved, BlockTooLarge> {
    let chunks = chunks.into_iter().collect::<Result<Vec<_>, _>>()?;
    let declared = chunks.iter().map(|chunk| chunk.accesses.len()).sum();
    let limit = limits.block_keys_max;
    if declared > limit {
        return Err(BlockTooLarge { declared, limit });
    }
    let bytes: usize = chunks.iter().map(|chunk| chunk.key_bytes.len()).sum();
    let mut chunks = chunks.into_iter();
    // The first one stays where it is.
    let Some(mut all) = chunks.next() else {
        return Ok(Resolved { starts: vec![0], ..Resolved::default() });
    };
    all.accesses.reserve_exact(declared - all.accesses.len());
    all.key_bytes.reserve_exact(bytes - all.key_bytes.len());
    for chunk in chunks {
        let (access_base, byte_base) = (all.accesses.len() as u32, all.key_bytes.len() as u32);
        all.targets.extend(chunk.targets);
        all.starts.extend(chunk.starts[1..].iter().map(|start| start + access_base));
        all.key_bytes.extend_from_slice(&chunk.key_bytes);
        all.accesses.extend(chunk.accesses.into_iter().map(|mut access| {
            access.key_start += byte_base;
            access
        }));
    }
    Ok(all)
}

fn resolve_chunk(
    first: u32,
    calls: &[Call],
    registry: &Registry,
    store: &MemoryStore,
    limits: &Limits,
) -> Result<Resolved, BlockTooLarge> {
    let mut out = Resolved { starts: vec![0], ..Resolved::default() };
    out.targets.reserve(calls.len());
    out.starts.reserve(calls.len());
    let mut evaluator = evaluate::Evaluator::new(registry, limits);
    for (offset, call) in calls.iter().enumerate() {
        let target = resolve_call(call, registry, limits, &mut evaluator)
            .unwrap_or_else(|receipt| Target::Refused(Box::new(receipt)));
        if matches!(target, Target::Method { declared: true, .. }) {
            out.take_keys(first + offset as u32, &mut evaluator, store);
        }
        out.targets.push(target);
        out.starts.push(out.accesses.len() as u32);
        if out.accesses.len() > limits.block_keys_max {
            let (declared, limit) = (out.accesses.len(), limits.block_keys_max);
            return Err(BlockTooLarge { declared, limit });
        }
    }
    Ok(out)
}

impl Resolved {
    fn take_keys(
        &mut self,
        call: u32,
        evaluator: &mut evaluate::Evaluator<'_>,
        store: &MemoryStore,
    ) {
        for (contract, key, mode) in evaluator.sorted_keys() {
            self.accesses.push(Access {
                hash: store.hash(contract, key),
                contract,
                call,
                key_start: self.key_bytes.len() as u32,
                key_len: key.len() as u8,
                mode,
            });
            self.key_bytes.extend_from_slice(key);
        }
    }
}

/// Checks what can be checked before a call runs, in the order in which a receipt reports it.
fn resolve_call(
    call: &Call,
    registry: &Registry,
    limits: &Limits,
    evaluator: &mut evaluate::Evaluator<'_>,
) -> Result<Target, Receipt> {
    if call.gas_limit.0 == 0 || call.gas_limit.0 > limits.call_gas_max {
        let failure =
            Failure::BadGasLimit { gas_limit: call.gas_limit.0, limit: limits.call_gas_max };
        return Err(Receipt::failed(failure, Gas(0), 0));
    }
    let refuse = |failure| Receipt::failed(failure, refused_gas(call.gas_limit), 0);
    if let Some(failure) = limits.arguments_failure(&call.args) {
        return Err(refuse(failure));
    }
    let Some(contract) = registry.find(&call.contract) else {
        return Err(refuse(Failure::UnknownContract { contract: call.contract }));
    };
    let abi = &registry.contract(contract).code.abi;
    let method = abi.methods.iter().position(|method| method.name == call.method);
    let Some(method) = method.filter(|index| abi.methods[*index].name != INIT_METHOD) else {
        return Err(refuse(unknown_method(call.contract, &call.method)));
    };
    let resolution = evaluator.resolve(contract, method, &call.caller, &call.args);
    let declared = match resolution {
        Ok(()) => true,
        Err(Unresolved::Undeclared) => false,
        Err(Unresolved::TooManyKeys) => {
            // Finding out took as much work as a call may make, so it costs all of the limit.
            let failure = Failure::TooManyKeys { limit: limits.access_keys_max as u32 };
            return Err(Receipt::failed(failure, call.gas_limit, 0));
        }
        Err(Unresolved::BadArguments(error)) => {
            return Err(refuse(bad_arguments(&call.method, error)));
        }
    };
    Ok(Target::Method { contract, method: method as u32, declared, steps: evaluator.steps() })
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
        let mut resolved = Self { starts: vec![0], ..Self::default() };
        for (call, keys) in calls.iter().enumerate() {
            for (key, mode) in keys {
                resolved.accesses.push(Access {
                    hash: store.hash(0, key),
                    contract: 0,
                    call: call as u32,
                    key_start: resolved.key_bytes.len() as u32,
                    key_len: key.len() as u8,
                    mode: *mode,
                });
                resolved.key_bytes.extend_from_slice(key);
            }
            resolved.starts.push(resolved.accesses.len() as u32);
            resolved.targets.push(Target::Method {
                contract: 0,
                method: 0,
                declared: true,
                steps: 0,
            });
        }
        resolved
    }
}

#[cfg(test)]
mod tests;
