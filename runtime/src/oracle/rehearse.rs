//! Rehearsals: a call runs beside its real run and changes nothing, to see what it touches.
//!
//! Values that are laid out in windows are read and changed without a host function, so a real run
//! does not say which of its declared keys a call uses. In a rehearsal no value is laid out: every
//! touch is a host call, whatever language the contract is written in. The same call ends in the
//! same way, with the same events; only its gas is another one, so there is room for more of it.
//!
//! # Invariants
//! 1. A rehearsal leaves the state as it was (`tests::rehearsals_change_nothing`).
//! 2. A touch is logged with the contract that made it, and held against the templates of the
//!    method that this contract ran: a template is used by the contract that wrote it
//!    (`tests::touches_belong_to_templates`).

use super::declared::{Named, own_templates};
use super::guest::{self, Frame};
use super::{Oracle, State, World, apply, call_id, frame_of, settle};
use crate::block::{Block, Call};
use crate::engine::gas::intrinsic_gas;
use crate::receipt::{Event, Failure, Outcome};
use std::collections::BTreeMap;
use tollway_host_api::{Address, Mode};

/// How a contract touched a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// It read the value, or asked whether there is one.
    pub read: bool,
    /// It wrote or removed the value.
    pub written: bool,
    /// It added to it, or took from it, without reading.
    pub added: bool,
}

impl Touch {
    fn add(&mut self, need: Mode) {
        match need {
            Mode::Read => self.read = true,
            Mode::Write => self.written = true,
            Mode::Add => self.added = true,
        }
    }
}

/// A template that a contract used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// It names a key that the contract touched.
    Key {
        /// The key, as it stands in the state: see [`crate::state`].
        key: Vec<u8>,
        /// How it was touched.
        touch: Touch,
    },
    /// It names a call that the contract made.
    Call,
}

/// A contract that ran during a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedFrame {
    /// The contract.
    pub contract: Address,
    /// Its method.
    pub method: String,
    /// The method's templates that were used: by number, as they are written, those within a loop
    /// each once. A template that names several keys may stand here several times.
    pub used: Vec<(usize, Template)>,
}

/// A touch that the call does not declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The contract that made it.
    pub contract: Address,
    /// Its method.
    pub method: String,
    /// The key, without what stands before it in the state: the storage field, then its parts.
    pub key: Vec<u8>,
    /// What it did.
    pub need: Mode,
    /// What the call declares of the key, if anything.
    pub declared: Option<Mode>,
}

/// What came of a rehearsal.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// How it ended.
    pub outcome: Outcome,
    /// What it emitted.
    pub events: Vec<Event>,
    /// The contracts that ran, in the order in which they began.
    pub frames: Vec<LoggedFrame>,
    /// Touches that it does not declare, each key at most twice.
    pub misses: Vec<Miss>,
    /// What it would leave: every key that it changed, with its value after it.
    pub writes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Whether the call knew how much gas it had, or saw another one run out of it: then the real
    /// run may have come to something else.
    pub gas_matters: bool,
}

/// A call that is about to run.
pub struct Rehearsal<'a> {
    oracle: &'a mut Oracle,
    block: &'a Block,
    index: u32,
    call: &'a Call,
}

impl std::fmt::Debug for Rehearsal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("call", self.call).finish_non_exhaustive()
    }
}

impl<'a> Rehearsal<'a> {
    pub(super) fn new(
        oracle: &'a mut Oracle,
        block: &'a Block,
        index: u32,
        call: &'a Call,
    ) -> Self {
        Self { oracle, block, index, call }
    }

    /// The call's place in its block.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The value of a key before the call.
    pub fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.oracle.state.get(key).map(Vec::as_slice)
    }

    /// Hands the state before the call to `to`, which has to give it back as it was: for whoever
    /// runs the call in another way.
    pub fn lend_state(&mut self, to: impl FnOnce(State) -> State) {
        self.oracle.state = to(std::mem::take(&mut self.oracle.state));
    }

    /// What the call would do. `None` if it is refused before it runs.
    pub fn run(&mut self) -> Option<Rehearsed> {
        let limits = &self.oracle.world.limits;
        let gas_limit = self.call.gas_limit.0;
        if gas_limit == 0 || gas_limit > limits.call_gas_max {
            return None;
        }
        let call_id = call_id(self.block, self.index);
        let (method, access_set, steps) = self.oracle.admit(call_id, self.call).ok()?;
        let intrinsic = intrinsic_gas(self.call.args.len(), steps, access_set.len());
        let allowance = room(gas_limit.checked_sub(intrinsic.0)?);
        let mut run = self.oracle.start(self.block, self.index, access_set);
        run.log = Some(Log::default());
        let frame = frame_of(self.call, &method);
        let (mut run, end) = guest::run_frame(run, frame, &method.name, allowance);
        self.oracle.state = run.state;
        let log = run.log.take().unwrap_or_default();
        let Log { frames, misses } = log;
        let frames =
            frames.into_iter().map(|frame| frame.matched(&self.oracle.world, call_id)).collect();
        let mut rehearsed = Rehearsed {
            outcome: end.outcome,
            events: run.events,
            frames,
            misses,
            writes: BTreeMap::new(),
            gas_matters: run.gas_matters,
        };
        if matches!(rehearsed.outcome, Outcome::Returned(_)) {
            match settle(run.changes, &self.oracle.state) {
                Some(writes) => rehearsed.writes = writes,
                None => {
                    let contract = self.call.contract;
                    rehearsed.outcome = Outcome::Failed(Failure::AddOverflow { contract });
                    rehearsed.events.clear();
                }
            }
        }
        Some(rehearsed)
    }

    /// What the call would do if a key held another value.
    pub fn run_with(&mut self, key: &[u8], value: Option<Vec<u8>>) -> Option<Rehearsed> {
        let before = self.value(key).map(<[u8]>::to_vec);
        apply(&mut self.oracle.state, [(key.to_vec(), value)].into());
        let rehearsed = self.run();
        apply(&mut self.oracle.state, [(key.to_vec(), before)].into());
        rehearsed
    }
}

/// Gas for what takes so much where values are in windows: their host functions cost more, by a
/// factor of two at the most that was seen.
pub(super) fn room(gas: u64) -> u64 {
    gas.saturating_mul(4).saturating_add(1_000_000)
}

/// What is written down while a rehearsal runs.
#[derive(Default)]
pub(super) struct Log {
    frames: Vec<OpenFrame>,
    misses: Vec<Miss>,
}

struct OpenFrame {
    contract: Address,
    caller: Address,
    method: String,
    args: Vec<u8>,
    touches: BTreeMap<Vec<u8>, Touch>,
    calls: Vec<LoggedCall>,
}

/// A call that a contract made: to whom, of which method, with what.
type LoggedCall = (Address, Vec<u8>, Vec<u8>);

impl Log {
    /// A contract begins to run. Returns its place.
    pub(super) fn begin(&mut self, frame: &Frame, method: &str) -> usize {
        self.frames.push(OpenFrame {
            contract: frame.contract,
            caller: frame.caller,
            method: method.to_owned(),
            args: frame.args.clone(),
            touches: BTreeMap::new(),
            calls: Vec::new(),
        });
        self.frames.len() - 1
    }

    /// A contract touches a key that the call may touch as `declared` says.
    pub(super) fn touch(&mut self, frame: usize, key: &[u8], need: Mode, declared: Option<Mode>) {
        let frame = &mut self.frames[frame];
        frame.touches.entry(key.to_vec()).or_default().add(need);
        if declared.is_none_or(|declared| declared != need && declared != Mode::Write) {
            self.misses.push(Miss {
                contract: frame.contract,
                method: frame.method.clone(),
                key: key[crate::state::storage_key(&frame.contract, &[]).len()..].to_vec(),
                need,
                declared,
            });
        }
    }

    /// A contract touches a key below a declared prefix: adding there is writing.
    pub(super) fn touch_below(&mut self, frame: usize, prefix: &[u8], need: Mode) {
        let need = if need == Mode::Add { Mode::Write } else { need };
        self.frames[frame].touches.entry(prefix.to_vec()).or_default().add(need);
    }

    /// A contract calls another one.
    pub(super) fn call(&mut self, frame: usize, to: Address, method: &[u8], args: &[u8]) {
        self.frames[frame].calls.push((to, method.to_vec(), args.to_vec()));
    }
}

impl OpenFrame {
    /// Holds what the contract did against its method's templates.
    fn matched(self, world: &World, call_id: u128) -> LoggedFrame {
        let Self { contract, caller, method, args, touches, calls } = self;
        let found = world.contracts[&contract].code.abi.method(&method);
        let named =
            found.map(|found| own_templates(world, (contract, caller, call_id), found, &args));
        let used = named.into_iter().flatten().filter_map(|(number, named)| {
            let template = match &named {
                Named::Key(key) => Template::Key { key: key.clone(), touch: *touches.get(key)? },
                named => {
                    let is_it =
                        |(to, method, args): &LoggedCall| named.is_call(world, *to, method, args);
                    calls.iter().any(is_it).then_some(Template::Call)?
                }
            };
            Some((number, template))
        });
        LoggedFrame { contract, used: used.collect(), method }
    }
}
