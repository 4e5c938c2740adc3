//! The oracle: runs a block's calls one after another, in the plainest way there is.
//!
//! ```text
//! for each call:  check it ─▶ its access set, by name ─▶ run it ─▶ apply its changes to one map
//! ```
//!
//! No plan, no lanes, no versions, no pool: every contract on the call stack gets an instance of
//! its own, made for it and dropped after it. What the runtime does must be, byte for byte, what
//! this does. So it shares with the runtime only what defines the rules (the gas schedule, the
//! host functions' signatures, hashes and signatures of [`crate::crypto`], the format of the root)
//! and the compiled modules; everything else is written twice, here to be read and there to be fast.
//!
//! # Invariants
//! 1. Changes of a call reach the state only if it succeeds, and all at once
//!    (`tests::what_fails_leaves_nothing`).
//! 2. The access set of a call decides what it pays, for declared keys and for misses, and nothing
//!    else (`tests::access_sets_agree` holds the runtime's against the ones found here).

mod declared;
mod guest;
mod rehearse;
mod window;

pub use rehearse::{LoggedFrame, Miss, Rehearsal, Rehearsed, Template, Touch};

use crate::block::{Block, Call, Gas};
use crate::engine::code::Code;
use crate::engine::config::thread_stack_bytes;
use crate::engine::gas::{intrinsic_gas, refused_gas};
use crate::engine::link::link;
use crate::limits::Limits;
use crate::receipt::{Failure, Outcome, Receipt};
use crate::runtime::{OnMiss, Runtime};
use declared::Unresolved;
use guest::{Change, Frame, Guest, Run};
use std::collections::BTreeMap;
use std::sync::Arc;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::value::DecodeError;
use tollway_host_api::{Address, Method, Mutability, StorageField};
use tollway_state::verify::{Pair, Root, subtree_hash};
use wasmtime::Linker;

/// The state: every entry, laid out as [`crate::state`] says.
pub type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// A contract as it was when the oracle was made.
struct Contract {
    code: Arc<Code>,
    immutables: Vec<u8>,
}

/// What does not change during a block.
struct World {
    contracts: BTreeMap<Address, Contract>,
    linker: Linker<Guest>,
    limits: Limits,
    on_miss: OnMiss,
}

/// A serial executor with a state of its own.
pub struct Oracle {
    world: Arc<World>,
    state: State,
    /// Whether what the last call did may depend on how much gas it had.
    gas_matters: bool,
}

/// A call that ran, of a block that was watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// What came of it.
    pub receipt: Receipt,
    /// Whether it knew how much gas it had, or saw another one run out of it.
    pub gas_matters: bool,
}

impl std::fmt::Debug for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oracle").field("entries", &self.state.len()).finish_non_exhaustive()
    }
}

impl Oracle {
    /// An oracle that starts from the runtime's contracts and committed state, which it copies.
    /// What is uploaded, instantiated or committed later is not known to it.
    ///
    /// # Panics
    /// If host functions can't be linked, which no input can bring about, or a backend that holds the
    /// state can't be read.
    pub fn new(runtime: &Runtime) -> Self {
        let mut linker = Linker::new(runtime.engine());
        link::<Guest>(&mut linker).expect("a new linker has none of the host functions");
        let contracts = runtime.registry().contracts().iter().map(|contract| {
            let code = Arc::clone(&contract.code);
            (contract.address, Contract { code, immutables: contract.immutables.to_vec() })
        });
        let config = runtime.config();
        let world = World {
            contracts: contracts.collect(),
            linker,
            limits: config.limits.clone(),
            on_miss: config.on_miss,
        };
        Self {
            world: Arc::new(world),
            state: runtime.state_entries().expect("the state can be read"),
            gas_matters: false,
        }
    }

    /// Runs a block, applies its changes to the oracle's state, and returns one receipt a call.
    ///
    /// # Panics
    /// If the engine does what it never should, or a thread can't be started.
    pub fn execute(&mut self, block: &Block) -> Vec<Receipt> {
        self.execute_watched(block, |_| ()).into_iter().map(|ran| ran.receipt).collect()
    }

    /// The same, and before each call `watch` may look at what it is about to do.
    ///
    /// # Panics
    /// As [`Self::execute`], and if `watch` does.
    pub fn execute_watched(
        &mut self,
        block: &Block,
        mut watch: impl FnMut(&mut Rehearsal<'_>) + Send,
    ) -> Vec<Watched> {
        let stack = std::thread::Builder::new().stack_size(thread_stack_bytes(&self.world.limits));
        std::thread::scope(|scope| {
            let serial = || {
                let calls = (0u32..).zip(&block.calls);
                let run = |(index, call)| {
                    watch(&mut Rehearsal::new(self, block, index, call));
                    self.gas_matters = false;
                    let receipt = self.execute_call(block, index, call);
                    Watched { receipt, gas_matters: self.gas_matters }
                };
                calls.map(run).collect()
            };
            let thread = stack.spawn_scoped(scope, serial).expect("a thread can be started");
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// The root of the oracle's state, comparable with [`Runtime::state_root`].
    pub fn state_root(&self) -> Root {
        let mut pairs: Vec<_> =
            self.state.iter().map(|(key, value)| Pair::of(key, value)).collect();
        pairs.sort_unstable();
        Root(subtree_hash(&pairs, 0).0)
    }

    /// The oracle's state, comparable with [`Runtime::state_entries`].
    pub fn state_entries(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.state
    }

    fn execute_call(&mut self, block: &Block, index: u32, call: &Call) -> Receipt {
        let limits = &self.world.limits;
        let (gas_limit, most) = (call.gas_limit.0, limits.call_gas_max);
        if gas_limit == 0 || gas_limit > most {
            let failure = Failure::BadGasLimit { gas_limit, limit: most };
            return Receipt::failed(failure, Gas(0), 0);
        }
        let call_id = call_id(block, index);
        let (method, access_set, steps) = match self.admit(call_id, call) {
            Ok(admitted) => admitted,
            // To find out that there are too many took as much work as there may be.
            Err(failure @ Failure::TooManyKeys { .. }) => {
                return Receipt::failed(failure, call.gas_limit, 0);
            }
            Err(failure) => return Receipt::failed(failure, refused_gas(call.gas_limit), 0),
        };
        let intrinsic = intrinsic_gas(call.args.len(), steps, access_set.len());
        let Some(allowance) = gas_limit.checked_sub(intrinsic.0) else {
            return Receipt::failed(Failure::OutOfGas, call.gas_limit, 0);
        };
        let run = self.start(block, index, access_set);
        let (run, end) = guest::run_frame(run, frame_of(call, &method), &method.name, allowance);
        self.state = run.state;
        self.gas_matters = run.gas_matters;
        if let Some(contract) = run.undeclared {
            return Receipt::failed(Failure::Undeclared { contract }, call.gas_limit, run.misses);
        }
        let mut receipt = Receipt {
            outcome: end.outcome,
            gas_used: Gas(intrinsic.0 + end.gas_used),
            misses: run.misses,
            events: Vec::new(),
        };
        if receipt.is_success() {
            match settle(run.changes, &self.state) {
                Some(writes) => {
                    apply(&mut self.state, writes);
                    receipt.events = run.events;
                }
                None => {
                    let contract = call.contract;
                    receipt.outcome = Outcome::Failed(Failure::AddOverflow { contract });
                }
            }
        }
        receipt
    }

    /// A call that is about to run, with the state, which goes back to the oracle after it.
    fn start(&mut self, block: &Block, index: u32, access_set: declared::AccessSet) -> Box<Run> {
        let (prefixes, exact) =
            (access_set.iter().cloned()).partition(|(key, _)| is_prefix_field(&self.world, key));
        Box::new(Run {
            world: Arc::clone(&self.world),
            state: std::mem::take(&mut self.state),
            height: block.height.0,
            time_ms: block.time_ms,
            seed: block.seed,
            call_index: index,
            access_set: exact,
            prefixes,
            declared: access_set,
            misses: 0,
            extra_keys: 0,
            changes: BTreeMap::new(),
            transient: BTreeMap::new(),
            sequence: 0,
            events: Vec::new(),
            stack: Vec::new(),
            undeclared: None,
            gas_matters: false,
            log: None,
        })
    }

    /// Checks what can be checked before a call runs, and finds its access set and the steps that
    /// this takes.
    fn admit(
        &self,
        call_id: u128,
        call: &Call,
    ) -> Result<(Method, declared::AccessSet, u32), Failure> {
        let (world, limits) = (&self.world, &self.world.limits);
        if call.args.len() > limits.args_bytes_max {
            let (size, limit) = (call.args.len() as u64, limits.args_bytes_max as u64);
            return Err(Failure::ArgumentsTooLarge { size, limit });
        }
        let Some(contract) = world.contracts.get(&call.contract) else {
            return Err(Failure::UnknownContract { contract: call.contract });
        };
        let method = contract.code.abi.method(&call.method);
        let Some(method) = method.filter(|_| call.method != INIT_METHOD) else {
            let (contract, method) = (call.contract, first_bytes(&call.method, 64));
            return Err(Failure::UnknownMethod { contract, method });
        };
        let (access_set, steps) = declared::access_set(world, call_id, call, method);
        match access_set {
            Ok(access_set) => Ok((method.clone(), access_set, steps)),
            Err(Unresolved::Undeclared) => Ok((method.clone(), Vec::new(), steps)),
            Err(Unresolved::TooManyKeys) => {
                Err(Failure::TooManyKeys { limit: limits.access_keys_max as u32 })
            }
            Err(Unresolved::BadArguments(error)) => {
                let kind = match error {
                    DecodeError::Truncated => 0,
                    DecodeError::Trailing => 1,
                    DecodeError::Invalid => 2,
                };
                Err(Failure::BadArguments { method: call.method.clone(), kind })
            }
        }
    }
}

/// The outermost contract of a call.
fn frame_of(call: &Call, method: &Method) -> Frame {
    Frame {
        contract: call.contract,
        caller: call.caller,
        view: method.mutability == Mutability::View,
        args: call.args.clone(),
        ..Frame::default()
    }
}

/// Whether a key in the state is of a storage field with prefixes.
fn is_prefix_field(world: &World, key: &[u8]) -> bool {
    field_of(world, key).is_some_and(|field| field.prefix_parts.is_some())
}

/// The storage field of a key in the state: after a byte for its kind come the contract's address,
/// then the contract's own key.
fn field_of<'w>(world: &'w World, key: &[u8]) -> Option<&'w StorageField> {
    let address = Address(key.get(1..33)?.try_into().ok()?);
    world.contracts.get(&address)?.code.abi.storage.get(usize::from(*key.get(33)?))
}

/// Values that a call leaves: `None` for a removed key.
type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Adds up what was added. `None` if a sum leaves its range.
fn settle(changes: BTreeMap<Vec<u8>, Change>, state: &State) -> Option<Writes> {
    let value_after = |(key, change): (Vec<u8>, Change)| {
        let value = match change {
            Change::Written(value) => value,
            change => {
                let before = guest::counter(state.get(&key).map(Vec::as_slice))?;
                Some(guest::after(before, &change)?.to_le_bytes().into())
            }
        };
        Some((key, value))
    };
    changes.into_iter().map(value_after).collect()
}

fn apply(state: &mut State, writes: Writes) {
    for (key, value) in writes {
        match value {
            Some(value) => state.insert(key, value),
            None => state.remove(&key),
        };
    }
}

/// The longest beginning of a text that has at most `count` bytes.
fn first_bytes(text: &str, count: usize) -> String {
    let fits = |end: &usize| text.is_char_boundary(*end);
    let end = (0..=count.min(text.len())).rev().find(fits).unwrap_or(0);
    text[..end].to_owned()
}

/// The identifier of a top-level call.
fn call_id(block: &Block, index: u32) -> u128 {
    (u128::from(block.height.0) << 64) | (u128::from(index) << 32)
}

#[cfg(test)]
mod tests;
