//! Transient storage: values that live as long as one top-level call, by contract and key.
//!
//! Every frame keeps, once for each key that it wrote, what was there before it. When it succeeds,
//! that becomes its caller's, unless the caller has an earlier one: so there is at most one entry
//! for each key and frame, however often contracts write and call.
//!
//! # Invariants
//! 1. It is empty when a top-level call starts.
//! 2. What a failed frame wrote is undone, so that the number of keys, which is bounded, depends on
//!    what remains alone (`tests::a_failed_frame_leaves_nothing`).
//! 3. No more than keys times frames are remembered (`tests::the_journal_is_bounded`).

use crate::bytes::Bytes;
use crate::registry::ContractIndex;
use foldhash::quality::RandomState;
use hashbrown::{HashMap, hash_map};

/// A key of a contract.
type Key = (ContractIndex, Bytes);

#[derive(Clone, Debug)]
struct Entry {
    value: Bytes,
    /// Where the journal has what was there before the last frame that wrote it.
    journaled: usize,
}

/// The transient storage of a top-level call.
#[derive(Debug, Default)]
pub(crate) struct Transient {
    values: HashMap<Key, Entry, RandomState>,
    /// What was under a key before a frame wrote it.
    journal: Vec<(Key, Option<Entry>)>,
    /// Where the journal stood when each of the running frames began.
    marks: Vec<usize>,
}

/// There are as many keys as there may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyKeys;

impl Transient {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.journal.clear();
        self.marks.clear();
    }

    /// The value under a key.
    pub(crate) fn get(&self, contract: ContractIndex, key: &[u8]) -> Option<&[u8]> {
        if self.values.is_empty() {
            return None;
        }
        self.values.get(&(contract, Bytes::new(key))).map(|entry| entry.value.as_ref())
    }

    /// Puts a value under a key.
    pub(crate) fn set(
        &mut self,
        contract: ContractIndex,
        key: &[u8],
        value: &[u8],
        keys_max: usize,
    ) -> Result<(), TooManyKeys> {
        let (count, journaled) = (self.values.len(), self.journal.len());
        let mark = self.marks.last().copied().unwrap_or(0);
        let key = (contract, Bytes::new(key));
        let new = Entry { value: Bytes::new(value), journaled };
        let before = match self.values.entry(key.clone()) {
            hash_map::Entry::Occupied(mut entry) if entry.get().journaled >= mark => {
                entry.get_mut().value = new.value;
                return Ok(());
            }
            hash_map::Entry::Occupied(mut entry) => Some(entry.insert(new)),
            hash_map::Entry::Vacant(_) if count >= keys_max => return Err(TooManyKeys),
            hash_map::Entry::Vacant(entry) => {
                entry.insert(new);
                None
            }
        };
        self.journal.push((key, before));
        Ok(())
    }

    /// A frame begins.
    pub(crate) fn enter(&mut self) {
        self.marks.push(self.journal.len());
    }

    /// The innermost frame ends; what it wrote is undone unless it succeeded.
    pub(crate) fn leave(&mut self, is_success: bool) {
        let mark = self.marks.pop().unwrap_or(0);
        if self.journal.len() == mark {
            return;
        }
        let written = self.journal.split_off(mark);
        if is_success {
            let callers_mark = self.marks.last().copied().unwrap_or(0);
            written.into_iter().for_each(|(key, before)| self.hand_over(key, before, callers_mark));
        } else {
            for (key, before) in written {
                match before {
                    Some(entry) => self.values.insert(key, entry),
                    None => self.values.remove(&key),
                };
            }
        }
    }

    /// Makes an entry of a frame's journal its caller's.
    fn hand_over(&mut self, key: Key, before: Option<Entry>, callers_mark: usize) {
        let earlier = before.as_ref().map(|entry| entry.journaled);
        let is_there = earlier.filter(|journaled| *journaled >= callers_mark);
        if let Some(entry) = self.values.get_mut(&key) {
            entry.journaled = is_there.unwrap_or(self.journal.len());
        }
        if is_there.is_none() {
            self.journal.push((key, before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const KEYS_MAX: usize = 4;

    fn set(transient: &mut Transient, key: u8, value: u8) -> Result<(), TooManyKeys> {
        transient.set(0, &[key], &[value], KEYS_MAX)
    }

    #[test]
    fn a_failed_frame_leaves_nothing() {
        let mut transient = Transient::default();
        transient.enter();
        assert_eq!(set(&mut transient, 0, 10), Ok(()));
        transient.enter();
        for key in 0..4 {
            assert_eq!(set(&mut transient, key, 20), Ok(()));
        }
        assert_eq!(set(&mut transient, 4, 20), Err(TooManyKeys));
        transient.leave(false);
        assert_eq!(transient.get(0, &[0]), Some(&[10][..]));
        assert_eq!(transient.get(0, &[1]), None);
        assert_eq!(set(&mut transient, 4, 20), Ok(()));
    }

    #[test]
    fn contracts_do_not_share_keys() {
        let mut transient = Transient::default();
        transient.enter();
        assert_eq!(set(&mut transient, 1, 1), Ok(()));
        assert_eq!(transient.get(1, &[1]), None);
    }

    #[test]
    fn the_journal_is_bounded() {
        let mut transient = Transient::default();
        transient.enter();
        transient.enter();
        for round in 0..100 {
            transient.enter();
            (0..4).for_each(|key| assert_eq!(set(&mut transient, key, round), Ok(())));
            transient.leave(true);
        }
        assert_eq!(transient.journal.len(), 4);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Set(u8, u8),
        Enter,
        Leave(bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..6u8, any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
            2 => Just(Step::Enter),
            2 => any::<bool>().prop_map(Step::Leave),
        ]
    }

    proptest! {
        #[test]
        fn is_a_stack_of_maps(steps in proptest::collection::vec(step(), 0..60)) {
            let mut transient = Transient::default();
            transient.enter();
            let mut stack: Vec<BTreeMap<u8, u8>> = vec![BTreeMap::new()];
            for step in steps {
                let now = stack.last_mut().expect("the outermost frame never ends here");
                match step {
                    Step::Set(key, value) => {
                        let fits = now.contains_key(&key) || now.len() < KEYS_MAX;
                        prop_assert_eq!(set(&mut transient, key, value).is_ok(), fits);
                        if fits {
                            now.insert(key, value);
                        }
                    }
                    Step::Enter => {
                        let copy = now.clone();
                        stack.push(copy);
                        transient.enter();
                    }
                    Step::Leave(is_success) if stack.len() > 1 => {
                        let inner = stack.pop().expect("there are two");
                        if is_success {
                            *stack.last_mut().expect("there is one") = inner;
                        }
                        transient.leave(is_success);
                    }
                    Step::Leave(_) => {}
                }
                let now = stack.last().expect("the outermost frame never ends here");
                for key in 0..6 {
                    let value = transient.get(0, &[key]).map(|value| value[0]);
                    prop_assert_eq!(value, now.get(&key).copied());
                }
                prop_assert!(transient.journal.len() <= KEYS_MAX * (stack.len() + 1));
            }
        }
    }
}
