//! What a call makes of its keys, until it is known whether it succeeds.
//!
//! By the rules of the host functions `add` and `sub`: they do not read, so a sum out of range is found
//! when somebody reads it, or at the call's end.

use std::collections::BTreeMap;

/// Values by key, as they stand in the state.
pub(crate) type State = BTreeMap<Vec<u8>, Vec<u8>>;

/// Values that a call leaves: `None` for a removed key.
pub(crate) type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A sum left the range of a counter, or the key holds none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange;

#[derive(Clone, Debug)]
enum Change {
    Written(Option<Vec<u8>>),
    More(u128),
    Less(u128),
}

/// The changes of a call so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(BTreeMap<Vec<u8>, Change>);

fn amount(value: Option<&[u8]>) -> Result<u128, OutOfRange> {
    match value {
        Some(bytes) => bytes.try_into().map(u128::from_le_bytes).map_err(|_| OutOfRange),
        None => Ok(0),
    }
}

fn encoded(amount: u128) -> Option<Vec<u8>> {
    Some(amount.to_le_bytes().to_vec())
}

fn settled(change: &Change, before: Option<&[u8]>) -> Result<Option<Vec<u8>>, OutOfRange> {
    let total = match change {
        Change::Written(value) => return Ok(value.clone()),
        Change::More(more) => amount(before)?.checked_add(*more),
        Change::Less(less) => amount(before)?.checked_sub(*less),
    };
    total.map(encoded).ok_or(OutOfRange)
}

impl Changes {
    /// The value of a key now. What was added to it is added up.
    pub(crate) fn read(
        &mut self,
        state: &State,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, OutOfRange> {
        let before = state.get(key).map(Vec::as_slice);
        let Some(change) = self.0.get_mut(key) else { return Ok(before.map(<[u8]>::to_vec)) };
        let value = settled(change, before)?;
        *change = Change::Written(value.clone());
        Ok(value)
    }

    /// Puts a value, or none, under a key.
    pub(crate) fn write(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.0.insert(key, Change::Written(value));
    }

    pub(crate) fn add(&mut self, key: Vec<u8>, more: u128) -> Result<(), OutOfRange> {
        let change = match self.0.get(&key) {
            None => Some(Change::More(more)),
            Some(Change::More(before)) => before.checked_add(more).map(Change::More),
            Some(Change::Less(less)) if more > *less => Some(Change::More(more - less)),
            Some(Change::Less(less)) => Some(Change::Less(less - more)),
            Some(Change::Written(value)) => {
                let total = amount(value.as_deref())?.checked_add(more);
                total.map(|total| Change::Written(encoded(total)))
            }
        };
        self.0.insert(key, change.ok_or(OutOfRange)?);
        Ok(())
    }

    /// Takes from a counter, if it holds as much; says whether it does.
    pub(crate) fn sub(
        &mut self,
        state: &State,
        key: Vec<u8>,
        less: u128,
    ) -> Result<bool, OutOfRange> {
        let before = || amount(state.get(&key).map(Vec::as_slice));
        let change = match self.0.get(&key) {
            Some(Change::Written(value)) => {
                let rest = amount(value.as_deref())?.checked_sub(less);
                rest.map(|rest| Change::Written(encoded(rest)))
            }
            Some(Change::More(more)) => match (before()?, less.checked_sub(*more)) {
                (_, None) => Some(Change::More(more - less)),
                (before, Some(missing)) => (before >= missing).then_some(Change::Less(missing)),
            },
            Some(Change::Less(taken)) => {
                let rest = before()? - taken;
                (rest >= less).then(|| Change::Less(taken + less))
            }
            None => (before()? >= less).then_some(Change::Less(less)),
        };
        let is_enough = change.is_some();
        self.0.extend(change.map(|change| (key, change)));
        Ok(is_enough)
    }

    /// What the call leaves.
    pub(crate) fn settle(&self, state: &State) -> Result<Writes, OutOfRange> {
        let value = |(key, change): (&Vec<u8>, &Change)| {
            Ok((key.clone(), settled(change, state.get(key).map(Vec::as_slice))?))
        };
        self.0.iter().map(value).collect()
    }
}
