//! REPAIR: in block order, runs again the calls that missed or never ran in a lane, those that took
//! from a counter what it did not hold at their place, and those that they made stale. After it every receipt and value is the serial one.
//!
//! ```text
//! for each call in block order:
//!     missed, undeclared, or saw an input that is not the value now,
//!     or was told of a debit what is not true of the value now?       ─▶ run it on the values now
//!     otherwise                                                       ─▶ keep it, take its values
//! ```
//!
//! A call's run is a function of its inputs and of the answers that it got, so a run that saw the
//! right ones is right whatever else happened. In repair every value is known, so every answer is
//! true. Each call runs at most once here.
//!
//! # Invariants
//! 1. When the walk reaches a call, the overlay holds the state before it.
//! 2. Adds are checked here at their place in block order; one that does not fit makes its call
//!    fail, as it does serially.

use crate::block::Block;
use crate::bytes::Bytes;
use crate::delta::Net;
use crate::execute::call::{self, CallContext, Change, Input, Outside, RunEnd, Task};
use crate::execute::overlay::Overlay;
use crate::execute::{Cell, LaneResult, LanesOutcome, below_in, value_in};
use crate::plan::Plan;
use crate::receipt::{Failure, Outcome, Receipt};
use crate::registry::{ContractIndex, Registry};
use crate::resolve::{Access, Resolved, Target};
use crate::runtime::OnMiss;
use crate::store::MemoryStore;
use std::sync::Arc;
use tollway_host_api::{Address, Mode};

/// What repair leaves.
pub(crate) struct Repaired {
    pub(crate) receipts: Vec<Receipt>,
    /// The state after the block.
    pub(crate) overlay: Overlay,
    /// The calls that ran again.
    pub(crate) repaired: Vec<u32>,
}

/// Whether the lanes left anything to repair.
pub(crate) fn is_needed(resolved: &Resolved, lanes: &LanesOutcome) -> bool {
    lanes.unfit
        || resolved.targets().any(|target| matches!(target, Target::Method { declared: false, .. }))
        || (0..lanes.results.len())
            .any(|call| matches!(lanes.results.get(call), Some(LaneResult::Missed)))
}

struct Walk<'b> {
    block: &'b Block,
    resolved: &'b Resolved,
    plan: &'b Plan,
    lanes: &'b LanesOutcome,
    on_miss: OnMiss,
    /// Planned keys whose lane values can't be trusted from here on.
    suspect: Vec<bool>,
}

/// Walks the block once.
///
/// # Errors
/// What the engine did that it never should.
pub(crate) fn repair(
    block: &Block,
    resolved: &Resolved,
    plan: &Plan,
    lanes: &mut LanesOutcome,
    store: &Arc<MemoryStore>,
    on_miss: OnMiss,
    ctx: &mut Option<Box<CallContext>>,
) -> Result<Repaired, &'static str> {
    let mut results = std::mem::take(&mut lanes.results);
    let mut walk = Walk {
        block,
        resolved,
        plan,
        lanes,
        on_miss,
        suspect: vec![false; plan.keys.number_count()],
    };
    let mut overlay = Box::new(Overlay::new(Arc::clone(store), Arc::clone(&plan.keys)));
    let mut receipts = Vec::with_capacity(results.len());
    let mut repaired = Vec::new();
    for index in 0..results.len() {
        let result = results.take(index);
        let kept = match (resolved.target(index), result) {
            (Target::Refused(receipt), _) => Some((**receipt).clone()),
            (_, Some(LaneResult::Done(receipt))) if !walk.is_stale(index, &overlay) => {
                Some(walk.keep(index, receipt, &mut overlay))
            }
            _ => None,
        };
        let receipt = match kept {
            Some(receipt) => receipt,
            None => {
                repaired.push(index as u32);
                let taken = ctx.take().ok_or("a worker lost its context")?;
                let (taken, back, receipt) = walk.run_again(index, taken, overlay);
                *ctx = Some(taken);
                overlay = back.ok_or("a call lost the state that it ran on")?;
                receipt?
            }
        };
        receipts.push(receipt);
    }
    Ok(Repaired { receipts, overlay: *overlay, repaired })
}

impl Walk<'_> {
    fn accesses(&self, call: usize) -> impl Iterator<Item = (usize, &Access, u32)> {
        let set = self.resolved.access_set(call);
        set.numbers()
            .zip(set.iter())
            .map(|(at, (access, ..))| (at, access, self.plan.placement(at).key))
    }

    /// Whether a call saw, in its lane, an input that is not the value now, or got an answer that
    /// is not true now.
    fn is_stale(&self, call: usize, overlay: &Overlay) -> bool {
        self.accesses(call).any(|(at, access, key)| {
            if access.mode == Mode::Add {
                return match self.lanes.cells.get(at) {
                    Some(Cell::Delta(delta)) => {
                        let told = self.plan.base(key).map(Bytes::as_ref);
                        !delta.holds_for(overlay.planned(key).map(Bytes::as_ref), told)
                    }
                    _ => false,
                };
            }
            let source = self.plan.placement(at).source;
            if access.is_prefix {
                return self.suspect[key as usize]
                    && !below_in(&self.lanes.cells, source).is_same(&overlay.prefix(key));
            }
            self.suspect[key as usize]
                && value_in(&self.lanes.cells, self.plan, source, key) != overlay.planned(key)
        })
    }

    /// Takes over what a call did in its lane, unless one of its adds does not fit.
    fn keep(&mut self, call: usize, receipt: Receipt, overlay: &mut Overlay) -> Receipt {
        if !receipt.is_success() {
            return receipt;
        }
        let added = |at: usize| match self.lanes.cells.get(at) {
            Some(Cell::Delta(delta)) => delta.net(),
            _ => None,
        };
        let fits = self
            .accesses(call)
            .all(|(at, _, key)| added(at).is_none_or(|net| fits(net, overlay, key)));
        if !fits {
            for (_, access, key) in self.resolved_accesses(call) {
                self.suspect[key as usize] |= access.mode != Mode::Read;
            }
            return add_failed(receipt, self.block.calls[call].contract);
        }
        for (at, _, key) in self.accesses(call) {
            match self.lanes.cells.get(at) {
                Some(Cell::Value(value)) => overlay.set_planned(key, value.clone()),
                Some(Cell::Below(below)) => overlay.set_prefix(key, below.clone()),
                Some(Cell::Delta(delta)) => {
                    if let Some(net) = delta.net() {
                        add_up(net, overlay, key);
                    }
                }
                None => {}
            }
        }
        receipt
    }

    fn resolved_accesses(&self, call: usize) -> Vec<(usize, Access, u32)> {
        self.accesses(call).map(|(at, access, key)| (at, *access, key)).collect()
    }

    /// Runs a call on the state now. The overlay travels with the call, and comes back.
    fn run_again(
        &mut self,
        index: usize,
        mut ctx: Box<CallContext>,
        overlay: Box<Overlay>,
    ) -> (Box<CallContext>, Option<Box<Overlay>>, Result<Receipt, &'static str>) {
        let Target::Method { contract, method, steps, .. } = *self.resolved.target(index) else {
            return (ctx, Some(overlay), Err("a refused call was to be repaired"));
        };
        ctx.clear();
        for (_, access, key) in self.accesses(index) {
            let name = self.resolved.key(access);
            if access.is_prefix {
                let before = overlay.prefix(key);
                ctx.declare_prefix(access.contract, name, access.mode, before, overlay.store());
                continue;
            }
            let input = Input::Known(overlay.planned(key).map(Bytes::as_ref));
            ctx.declare(access.contract, name, access.mode, input);
        }
        let mut parked = None;
        ctx.outside = match self.on_miss {
            OnMiss::Repair => Outside::Read(overlay),
            OnMiss::Fail => {
                parked = Some(overlay);
                Outside::Fail
            }
        };
        let request = &self.block.calls[index];
        let task = Task::new(request, index as u32, contract, method, steps);
        let (mut ctx, end) = call::run(ctx, task);
        let outside = std::mem::replace(&mut ctx.outside, Outside::GiveUp);
        let overlay = match outside {
            Outside::Read(overlay) | Outside::Free(overlay) => Some(overlay),
            Outside::GiveUp | Outside::Fail => parked,
        };
        let receipt = match (end, overlay) {
            (RunEnd::Done(receipt), Some(mut overlay)) => {
                let receipt = self.apply(index, receipt, &ctx, &mut overlay);
                return (ctx, Some(overlay), Ok(receipt));
            }
            (RunEnd::Bug(bug), overlay) => (overlay, Err(bug)),
            (_, overlay) => (overlay, Err("a repaired call was given up")),
        };
        (ctx, receipt.0, receipt.1)
    }

    /// Puts what a repaired call did into the overlay.
    fn apply(
        &mut self,
        index: usize,
        receipt: Receipt,
        ctx: &CallContext,
        overlay: &mut Overlay,
    ) -> Receipt {
        let keys: Vec<u32> = self.accesses(index).map(|(_, _, key)| key).collect();
        let modes: Vec<Mode> = self.accesses(index).map(|(_, access, _)| access.mode).collect();
        for (key, mode) in keys.iter().zip(modes) {
            self.suspect[*key as usize] |= mode != Mode::Read;
        }
        let declared = ctx.declared();
        let fits = declared.iter().zip(&keys).all(|(touched, key)| match touched.change {
            Change::Added(net) => fits(net, overlay, *key),
            _ => true,
        });
        if !fits {
            return add_failed(receipt, self.block.calls[index].contract);
        }
        let bytes = |span: Option<call::Span>| span.map(|span| Bytes::new(ctx.bytes(span)));
        for (touched, key) in declared.iter().zip(&keys) {
            match touched.change {
                Change::None => continue,
                Change::Written(value) => overlay.set_planned(*key, bytes(value)),
                Change::Added(net) => add_up(net, overlay, *key),
            }
            self.suspect[*key as usize] = true;
        }
        for touched in ctx.undeclared() {
            if let Change::Written(value) = touched.change {
                let (contract, key) = (touched.contract, ctx.bytes(touched.key));
                self.write_undeclared(&ctx.registry, contract, key, bytes(value), overlay);
            }
        }
        receipt
    }

    fn write_undeclared(
        &mut self,
        registry: &Registry,
        contract: ContractIndex,
        key: &[u8],
        value: Option<Bytes>,
        overlay: &mut Overlay,
    ) {
        if let Some(planned) = overlay.write(registry, contract, key, value) {
            self.suspect[planned as usize] = true;
        }
    }
}

fn fits(net: Net, overlay: &Overlay, key: u32) -> bool {
    net.apply(overlay.planned(key).map(Bytes::as_ref)).is_some()
}

fn add_up(net: Net, overlay: &mut Overlay, key: u32) {
    let sum = net.apply(overlay.planned(key).map(Bytes::as_ref)).map(Bytes::from_amount);
    overlay.set_planned(key, sum);
}

/// The receipt of a call whose sums left their range at its end.
fn add_failed(receipt: Receipt, contract: Address) -> Receipt {
    Receipt {
        outcome: Outcome::Failed(Failure::AddOverflow { contract }),
        events: Vec::new(),
        ..receipt
    }
}
