//! COMMIT: the last version of every key that changed, as one write batch.

use crate::block::Height;
use crate::bytes::Bytes;
use crate::execute::overlay::{Overlay, OverlayParts};
use crate::execute::{LanesOutcome, add_up, below_in, value_of};
use crate::plan::keys::PlannedKey;
use crate::plan::{PARENT, Plan};
use crate::registry::ContractIndex;
use crate::resolve::Resolved;
use crate::store::{NO_SLOT, SHARDS, Write, WriteBatch, shard_of_hash};
use parking_lot::Mutex;
use rayon::prelude::*;

/// A counter did not hold what a call took from it, or can't hold what was added.
#[derive(Debug)]
pub(crate) struct Unfit;

/// The batch of a block whose lanes need no repair. Each group of the plan's keys makes its part,
/// and sums up the adds that no call has read. `room` is where writes may be put.
///
/// # Errors
/// [`Unfit`] if one of these sums can't be: the block needs repair.
pub(crate) fn batch_of_lanes(
    resolved: &Resolved,
    plan: &Plan,
    lanes: &LanesOutcome,
    height: Height,
    parent_version: u64,
    room: &Mutex<Vec<Vec<Write>>>,
) -> Result<WriteBatch, Unfit> {
    let writes_of = |group| {
        let room = room.lock().pop().unwrap_or_default();
        writes_of_group(resolved, plan, lanes, group, room)
    };
    let mut parts = match plan.keys.group_count() {
        1 => vec![writes_of(0)?],
        groups => (0..groups).into_par_iter().map(writes_of).collect::<Result<_, _>>()?,
    };
    if plan.keys.has_prefixes() {
        writes_below(plan, lanes, &mut parts);
    }
    Ok(WriteBatch::new(height, parent_version, parts))
}

/// What makes up a key's value is asked for when so many keys before it are still to be done.
const AHEAD: usize = 8;

/// Asks for the version and the value in the parent state that a key's new value is made of.
#[inline]
fn ask(resolved: &Resolved, plan: &Plan, lanes: &LanesOutcome, key: &PlannedKey) {
    for cell in [plan.last_version(key), key.last_add] {
        if (cell as usize) < lanes.cells.len() {
            lanes.cells.prefetch(cell as usize..cell as usize + 1);
        }
    }
    if key.last_add != PARENT {
        plan.prefetch(key.last_add as usize..key.last_add as usize + 1);
    }
    resolved.prefetch_base(key.first_access as usize);
}

fn writes_of_group(
    resolved: &Resolved,
    plan: &Plan,
    lanes: &LanesOutcome,
    group: usize,
    mut writes: Vec<Write>,
) -> Result<Vec<Write>, Unfit> {
    let keys = plan.keys.iter_group(group);
    writes.reserve(keys.len());
    let mut adds = Vec::new();
    let mut ahead = plan.keys.iter_group(group).skip(AHEAD);
    for (number, key) in keys {
        if let Some((_, key)) = ahead.next() {
            ask(resolved, plan, lanes, key);
        }
        if key.is_prefix {
            continue;
        }
        let last = plan.last_version(key);
        if last == PARENT && key.last_add == PARENT {
            continue;
        }
        let base = resolved.base(key.first_access as usize);
        if key.last_add == PARENT {
            let value = value_of(&lanes.cells, last);
            if value != base {
                writes.push(write(plan, number, key, value.cloned()));
            }
            continue;
        }
        plan.adds_up_to(key.last_add, &mut adds);
        let prior = if last == PARENT { base } else { value_of(&lanes.cells, last) };
        let (value, fits) = add_up(&lanes.cells, prior, base, &adds);
        if !fits {
            return Err(Unfit);
        }
        if value.as_ref() != base {
            writes.push(write(plan, number, key, value));
        }
    }
    Ok(writes)
}

/// Adds the writes below prefixes, each to the part of its key.
#[cold]
fn writes_below(plan: &Plan, lanes: &LanesOutcome, parts: &mut [Vec<Write>]) {
    for (number, key) in plan.keys.iter().filter(|(_, key)| key.is_prefix) {
        let (contract, _) = plan.keys.name(number, &plan.store);
        let below = below_in(&lanes.cells, plan.last_version(key));
        for (key, value) in below.iter() {
            let shard = shard_of_hash(plan.store.hash(contract, key));
            let part = shard * parts.len() / SHARDS;
            parts[part].extend(write_below(plan, contract, key, value.cloned()));
        }
    }
}

/// The write of a key below a prefix, if it changes anything.
fn write_below(
    plan: &Plan,
    contract: ContractIndex,
    key: &[u8],
    value: Option<Bytes>,
) -> Option<Write> {
    let store = &plan.store;
    match store.find(store.hash(contract, key), contract, key) {
        // A cache may not have fetched it.
        NO_SLOT => {
            (value.is_some() || store.is_cache()).then(|| Write::to_key(contract, key, value))
        }
        slot => (value.as_ref() != store.value(slot)).then(|| Write::to_slot(slot, value)),
    }
}

fn write(plan: &Plan, number: u32, key: &PlannedKey, value: Option<Bytes>) -> Write {
    if key.slot != NO_SLOT {
        return Write::to_slot(key.slot, value);
    }
    let (contract, key) = plan.keys.name(number, &plan.store);
    Write::to_key(contract, key, value)
}

/// The batch of a block that was repaired, or of a call outside blocks.
pub(crate) fn batch_of_overlay(
    plan: Option<&Plan>,
    overlay: Overlay,
    height: Height,
    parent_version: u64,
) -> WriteBatch {
    let OverlayParts { mut planned, others, prefixes } = overlay.into_parts();
    let mut writes = Vec::new();
    if let Some(plan) = plan {
        for (number, key) in plan.keys.iter() {
            if let Some(value) = planned[number as usize].take()
                && value.as_ref() != plan.store.value(key.slot)
            {
                writes.push(write(plan, number, key, value));
            }
        }
        for (number, below) in prefixes {
            let (contract, _) = plan.keys.name(number, &plan.store);
            let writes_of = |(key, value): (&[u8], Option<&Bytes>)| {
                write_below(plan, contract, key, value.cloned())
            };
            writes.extend(below.iter().filter_map(writes_of));
        }
    }
    let others = others.into_iter();
    writes.extend(others.map(|((contract, key), value)| Write::to_key(contract, &key, value)));
    WriteBatch::new(height, parent_version, vec![writes])
}
