//! COMMIT: the last version of every key that changed, as one write batch.

use crate::block::Height;
use crate::bytes::Bytes;
use crate::execute::overlay::Overlay;
use crate::execute::{LanesOutcome, value_in};
use crate::plan::{PARENT, Plan};
use crate::store::{Write, WriteBatch};
use rayon::prelude::*;

/// The batch of a block whose lanes needed no repair. Each shard of the plan's keys makes its part.
pub(crate) fn batch_of_lanes(
    plan: &Plan,
    lanes: &LanesOutcome,
    height: Height,
    parent_version: u64,
) -> WriteBatch {
    let writes_of = |shard| writes_of_shard(plan, lanes, shard);
    let parts = match plan.keys.shard_count() {
        1 => vec![writes_of(0)],
        shards => (0..shards).into_par_iter().map(writes_of).collect(),
    };
    WriteBatch { height, parent_version, parts }
}

fn writes_of_shard(plan: &Plan, lanes: &LanesOutcome, shard: usize) -> Vec<Write> {
    let keys = plan.keys.iter_shard(shard);
    let mut writes = Vec::with_capacity(keys.len());
    for (number, key) in keys {
        let last = plan.keys.last_version(number);
        let value = value_in(&lanes.cells, plan, last, number);
        if last != PARENT && value != key.base.as_ref() {
            writes.push(Write::new(key.slot, key.contract, &key.key, value.cloned()));
        }
    }
    writes
}

/// The batch of a block that was repaired, or of a call outside blocks.
pub(crate) fn batch_of_overlay(
    plan: Option<&Plan>,
    overlay: Overlay,
    height: Height,
    parent_version: u64,
) -> WriteBatch {
    let (mut planned, others) = overlay.into_parts();
    let keys = plan.iter().flat_map(|plan| plan.keys.iter());
    let mut writes: Vec<Write> = keys
        .filter_map(|(number, key)| {
            let value = planned[number as usize].take();
            (value != key.base).then(|| Write::new(key.slot, key.contract, &key.key, value))
        })
        .collect();
    let others = others.into_iter();
    writes.extend(
        others.map(|((contract, key), value)| Write::new(None, contract, &Bytes::new(&key), value)),
    );
    WriteBatch { height, parent_version, parts: vec![writes] }
}
