//! COMMIT: the last version of every key that changed, as one write batch.

use crate::block::Height;
use crate::bytes::Bytes;
use crate::execute::overlay::Overlay;
use crate::execute::{LanesOutcome, add_up, value_of};
use crate::plan::keys::PlannedKey;
use crate::plan::{PARENT, Plan};
use crate::resolve::Resolved;
use crate::store::{NO_SLOT, Write, WriteBatch};
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
    let parts = match plan.keys.group_count() {
        1 => vec![writes_of(0)?],
        groups => (0..groups).into_par_iter().map(writes_of).collect::<Result<_, _>>()?,
    };
    Ok(WriteBatch::new(height, parent_version, parts))
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
    for (number, key) in keys {
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
    let (mut planned, others) = overlay.into_parts();
    let mut writes = Vec::new();
    if let Some(plan) = plan {
        for (number, key) in plan.keys.iter() {
            if let Some(value) = planned[number as usize].take()
                && value.as_ref() != plan.store.value(key.slot)
            {
                writes.push(write(plan, number, key, value));
            }
        }
    }
    let others = others.into_iter();
    writes.extend(others.map(|((contract, key), value)| Write::to_key(contract, &key, value)));
    WriteBatch::new(height, parent_version, vec![writes])
}
