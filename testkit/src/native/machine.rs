//! Runs calls natively, one contract on the stack at a time.
//!
//! ```text
//! run ─▶ frame ─▶ entry point ─▶ host functions ─▶ call ─▶ frame ─▶ …
//!          │          │ unwinds: a panic is a trap, a Stop what it says
//!          ◀──────────┘ what failed leaves nothing
//! ```

use super::changes::{Changes, OutOfRange, State, Writes};
use super::host::Shared;
use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use tollway::host_api::{MethodStatus, Mutability};
use tollway::{Address, Call, Event, Failure, Limits, Outcome};
use tollway_sdk::native::Native;

/// A contract that is there natively.
#[derive(Clone, Debug)]
pub(crate) struct Twin {
    pub(crate) native: &'static Native,
    pub(crate) immutables: Vec<u8>,
}

/// Contracts by address; `None` for one that is there as Wasm only.
pub(crate) type ByAddress = BTreeMap<Address, Option<Twin>>;

/// What a call may know of where it runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Env {
    pub(crate) height: u64,
    pub(crate) time_ms: u64,
    pub(crate) call_index: u32,
    pub(crate) seed: [u8; 32],
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NativeRun {
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Event>,
    pub(crate) writes: Writes,
}

/// Why a host function stopped its contract.
#[derive(Debug)]
pub(super) enum Stop {
    Outcome(Outcome),
    OutOfRange,
    /// Not the contract's fault: the whole test stops with this message.
    Test(String),
}

/// A contract on the call stack.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) contract: Address,
    pub(super) caller: Address,
    pub(super) view: bool,
    pub(super) args: Vec<u8>,
    pub(super) output: Vec<u8>,
    pub(super) last_failure: Option<Outcome>,
    pub(super) last_output: Vec<u8>,
}

impl Frame {
    pub(super) fn new(contract: Address, caller: Address, view: bool, args: Vec<u8>) -> Self {
        let (output, last_output) = (Vec::new(), Vec::new());
        Self { contract, caller, view, args, output, last_failure: None, last_output }
    }
}

/// What is undone where a contract fails.
#[derive(Clone, Debug, Default)]
pub(super) struct Undoable {
    pub(super) changes: Changes,
    pub(super) events: Vec<Event>,
    pub(super) transient: BTreeMap<(Address, Vec<u8>), Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Running {
    pub(super) state: State,
    pub(super) undoable: Undoable,
    pub(super) sequence: u32,
    pub(super) stack: Vec<Frame>,
}

impl Running {
    pub(super) fn top(&mut self) -> &mut Frame {
        self.stack.last_mut().expect("a contract runs")
    }
}

/// A host for one call.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(super) twins: Arc<ByAddress>,
    pub(super) limits: Limits,
    pub(super) env: Env,
    running: RefCell<Running>,
}

impl Machine {
    /// Runs a method on a state, which is given back as it was. The call must be one that a chain
    /// would run: of a contract with a twin, with arguments that decode. Gas plays no part.
    ///
    /// # Panics
    /// If a contract without a twin is called.
    pub(crate) fn run(
        twins: &Arc<ByAddress>,
        limits: &Limits,
        env: Env,
        call: &Call,
        state: State,
    ) -> (State, NativeRun) {
        let undoable = Undoable::default();
        let running = Running { state, undoable, sequence: 0, stack: Vec::new() };
        let (twins, limits) = (Arc::clone(twins), limits.clone());
        let machine = Rc::new(Self { twins, limits, env, running: RefCell::new(running) });
        let twin = machine.twin(&call.contract).unwrap_or_else(|message| panic!("{message}"));
        let method = twin.native.abi.method(&call.method).expect("the call is a valid one");
        let view = method.mutability == Mutability::View;
        let frame = Frame::new(call.contract, call.caller, view, call.args.clone());
        let ran = catch_unwind(AssertUnwindSafe(|| machine.run_frame(frame, &call.method)));
        let mut outcome = match ran.map_err(|payload| payload.downcast::<Stop>()) {
            Ok(outcome) => outcome,
            Err(Ok(stop)) => match *stop {
                Stop::Test(message) => panic!("{message}"),
                stop => unreachable!("{stop:?} stops no more than a contract"),
            },
            Err(Err(payload)) => resume_unwind(payload),
        };
        let running = Rc::into_inner(machine).expect("nothing runs any more").running.into_inner();
        let Running { state, undoable, .. } = running;
        let (mut events, mut writes) = (undoable.events, Writes::new());
        if matches!(outcome, Outcome::Returned(_)) {
            match undoable.changes.settle(&state) {
                Ok(settled) => writes = settled,
                Err(OutOfRange) => {
                    outcome = Outcome::Failed(Failure::AddOverflow { contract: call.contract });
                    events.clear();
                }
            }
        }
        (state, NativeRun { outcome, events, writes })
    }

    pub(super) fn running(&self) -> RefMut<'_, Running> {
        self.running.borrow_mut()
    }

    pub(super) fn look(&self) -> Ref<'_, Running> {
        self.running.borrow()
    }

    /// The contract at an address.
    fn twin(&self, address: &Address) -> Result<&Twin, String> {
        match self.twins.get(address) {
            Some(Some(twin)) => Ok(twin),
            _ => Err(format!(
                "a contract that runs natively calls the one at 0x{address}, which is there as \
                 Wasm only: give it its native twin with `also_native`, too"
            )),
        }
    }

    /// Runs a method of a contract. If it fails, its changes and events are undone.
    pub(super) fn run_frame(self: &Rc<Self>, frame: Frame, method: &str) -> Outcome {
        let (contract, args_len) = (frame.contract, frame.args.len() as u32);
        let twin = match self.twin(&contract) {
            Ok(twin) => twin,
            Err(message) => stop(Stop::Test(message)),
        };
        let before = self.look().undoable.clone();
        self.running().stack.push(frame);
        let host = Rc::new(Shared(Rc::clone(self)));
        let ran = catch_unwind(AssertUnwindSafe(|| twin.native.run(host, method, args_len)));
        let frame = self.running().stack.pop().expect("it was pushed above");
        let outcome = match ran {
            Ok(Some(status)) if status == MethodStatus::Ok as i32 => {
                Outcome::Returned(frame.output)
            }
            Ok(Some(_)) => Outcome::Reverted { contract, error: frame.output },
            Ok(None) => unreachable!("the twin has the methods of its ABI"),
            Err(payload) => match payload.downcast::<Stop>().map(|stop| *stop) {
                Ok(Stop::Outcome(outcome)) => outcome,
                Ok(Stop::OutOfRange) => Outcome::Failed(Failure::AddOverflow { contract }),
                Ok(Stop::Test(message)) => stop(Stop::Test(message)),
                // A panic of the contract, or a misuse of a host function.
                Err(_) => Outcome::Failed(Failure::Trap { contract }),
            },
        };
        if !matches!(outcome, Outcome::Returned(_)) {
            self.running().undoable = before;
        }
        outcome
    }
}

/// Stops the contract that runs. No panic, so nothing is printed.
pub(super) fn stop(why: Stop) -> ! {
    resume_unwind(Box::new(why))
}
