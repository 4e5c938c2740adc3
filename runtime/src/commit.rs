//! COMMIT: the last version of every key that changed, as one write batch.

use crate::block::Height;
use crate::bytes::Bytes;
use crate::execute::overlay::Overlay;
use crate::execute::{LanesOutcome, value_in};
use crate::plan::{PARENT, Plan};
use crate::store::{Write, WriteBatch};

/// The batch of a block whose lanes needed no repair.
pub(crate) fn batch_of_lanes(
    plan: &Plan,
    lanes: &LanesOutcome,
    height: Height,
    parent_version: u64,
) -> WriteBatch {
    let changed = plan
        .keys
        .iter()
        .enumerate()
        .filter(|(_, key)| key.last != PARENT);
    let writes = changed
        .filter_map(|(number, key)| {
            let value = value_in(&lanes.cells, plan, key.last, number as u32);
            (value != key.base.as_ref()).then(|| Write {
                contract: key.contract,
                key: key.key.clone(),
                value: value.cloned(),
                slot: key.slot,
            })
        })
        .collect();
    WriteBatch {
        height,
        parent_version,
        writes,
    }
}

/// The batch of a block that was repaired, or of a call outside blocks.
pub(crate) fn batch_of_overlay(
    plan: Option<&Plan>,
    overlay: Overlay,
    height: Height,
    parent_version: u64,
) -> WriteBatch {
    let (planned, others) = overlay.into_parts();
    let keys = plan.iter().flat_map(|plan| plan.keys.iter());
    let mut writes: Vec<Write> = keys
        .zip(planned)
        .filter(|(key, value)| *value != key.base)
        .map(|(key, value)| Write {
            contract: key.contract,
            key: key.key.clone(),
            value,
            slot: key.slot,
        })
        .collect();
    writes.extend(others.into_iter().map(|((contract, key), value)| Write {
        contract,
        key: Bytes::new(&key),
        value,
        slot: None,
    }));
    WriteBatch {
        height,
        parent_version,
        writes,
    }
}
