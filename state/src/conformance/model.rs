//! The plain ordered map that backends are held against, with the whole state at every height.

use crate::{Backend, Change, Found, Height, Ranges, Root, WriteBatch};
use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
};
use tollway_state_verify::{Pair, subtree_hash};

pub(crate) type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a backend must hold.
pub(crate) struct Model {
    /// The state after each height from the oldest.
    states: BTreeMap<Height, Map>,
    blocks: BTreeMap<Height, Vec<u8>>,
}

impl Model {
    pub(crate) fn new() -> Model {
        Model { states: BTreeMap::from([(Height(0), Map::new())]), blocks: BTreeMap::new() }
    }

    pub(crate) fn height(&self) -> Height {
        *self.states.last_key_value().expect("there is always a state").0
    }

    pub(crate) fn oldest(&self) -> Height {
        *self.states.first_key_value().expect("there is always a state").0
    }

    pub(crate) fn state(&self) -> &Map {
        &self.states[&self.height()]
    }

    pub(crate) fn commit(&mut self, batch: &WriteBatch) {
        let mut state = self.state().clone();
        for (key, value) in batch.iter() {
            match value {
                Some(value) => state.insert(key.to_vec(), value.to_vec()),
                None => state.remove(key),
            };
        }
        self.states.insert(batch.height(), state);
        if let Some(block) = batch.block() {
            self.blocks.insert(batch.height(), block.to_vec());
        }
    }

    pub(crate) fn rollback(&mut self, to: Height) {
        self.states.retain(|height, _| *height <= to);
        self.blocks.retain(|height, _| *height <= to);
    }

    pub(crate) fn prune(&mut self, below: Height) {
        let below = below.min(self.height());
        self.states.retain(|height, _| *height >= below);
        self.blocks.retain(|height, _| *height > below);
    }

    /// Holds the backend against everything known about the head.
    pub(crate) fn check_head(&self, backend: &dyn Backend) {
        let head = backend.head();
        assert_eq!(head.height, self.height(), "height of the head");
        assert_eq!(head.root, root_of(self.state()), "root at height {}", head.height);
        let keys = self.interesting_keys();
        check_reads(&keys, self.state(), |keys, found| {
            backend.read_many(keys, found).expect("keys are read");
        });
        if let Some(ranges) = backend.ranges() {
            check_ranges(ranges, self.state());
        }
        if let Some(proofs) = backend.proofs() {
            let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).step_by(7).collect();
            let proof = proofs.prove(&keys).expect("keys are proved");
            let claims: Vec<(&[u8], Option<&Vec<u8>>)> =
                keys.iter().map(|key| (*key, self.state().get(*key))).collect();
            proof.verify(&head.root, &claims).expect("a proof holds");
        }
    }

    /// Holds the backend against everything known about one height.
    pub(crate) fn check_height(&self, backend: &dyn Backend, height: Height) {
        let Some(history) = backend.history() else { return };
        assert_eq!(history.oldest(), self.oldest(), "oldest height");
        let Some(state) = self.states.get(&height) else {
            assert!(history.root_at(height).is_err(), "root of unknown height {height}");
            assert!(history.read_at(height, b"").is_err(), "read at unknown height {height}");
            return;
        };
        assert_eq!(history.root_at(height).expect("a root"), root_of(state), "root at {height}");
        let keys = self.interesting_keys();
        check_reads(&keys, state, |keys, found| {
            history.read_many_at(height, keys, found).expect("old values are read");
        });
        self.check_changes(backend, height);
        self.check_values(backend, &keys[height.0 as usize % keys.len()]);
    }

    fn check_changes(&self, backend: &dyn Backend, height: Height) {
        let Some(history) = backend.history() else { return };
        let mut changes = Vec::new();
        let visited = history.changes(height, &mut |change| {
            changes.push(owned(change));
            ControlFlow::Continue(())
        });
        if height == self.oldest() {
            assert!(visited.is_err(), "changes of the oldest height {height}");
            assert!(history.block(height).is_err(), "block of the oldest height {height}");
            return;
        }
        visited.expect("changes are visited");
        let (old, new) = (&self.states[&Height(height.0 - 1)], &self.states[&height]);
        let mut keys: Vec<&Vec<u8>> = old.keys().chain(new.keys()).collect();
        keys.sort();
        keys.dedup();
        let expected: Vec<OwnedChange> = (keys.into_iter())
            .filter(|key| old.get(*key) != new.get(*key))
            .map(|key| (key.clone(), old.get(key).cloned(), new.get(key).cloned()))
            .collect();
        assert_eq!(changes, expected, "changes of height {height}");
        let block = history.block(height).expect("a block is read");
        assert_eq!(block.as_ref(), self.blocks.get(&height), "block of height {height}");
    }

    fn check_values(&self, backend: &dyn Backend, key: &[u8]) {
        let Some(history) = backend.history() else { return };
        let mut values = Vec::new();
        let visited = history.values(key, &mut |height, value| {
            values.push((height, value.map(<[u8]>::to_vec)));
            ControlFlow::Continue(())
        });
        visited.expect("values are visited");
        // A key that a height changes and changes back may be named or not.
        let mut expected = Vec::new();
        for (older, newer) in self.states.iter().zip(self.states.iter().skip(1)) {
            if older.1.get(key) != newer.1.get(key) {
                expected.insert(0, (*newer.0, newer.1.get(key).cloned()));
            }
        }
        values.retain(|(height, value)| {
            assert_eq!(self.states[height].get(key), value.as_ref(), "value at height {height}");
            self.states[&Height(height.0 - 1)].get(key) != value.as_ref()
        });
        assert_eq!(values, expected, "values of key {key:?}");
    }

    /// Every key of the head and of the oldest state, and some that are in neither.
    fn interesting_keys(&self) -> Vec<Vec<u8>> {
        let mut keys: Vec<Vec<u8>> = self.state().keys().cloned().collect();
        keys.extend(self.states[&self.oldest()].keys().cloned());
        keys.extend([b"".to_vec(), b"nobody".to_vec(), vec![0xff; 40]]);
        // Neither sorted nor without repetition.
        keys.reverse();
        keys
    }
}

type OwnedChange = (Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);

fn owned(change: Change<'_>) -> OwnedChange {
    let value = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
    (change.key.to_vec(), value(change.old), value(change.new))
}

/// The root computed from scratch, without a tree.
pub(crate) fn root_of(state: &Map) -> Root {
    let mut pairs: Vec<Pair> = state.iter().map(|(key, value)| Pair::of(key, value)).collect();
    pairs.sort_unstable();
    subtree_hash(&pairs, 0).into()
}

pub(crate) fn check_reads(keys: &[Vec<u8>], state: &Map, read: impl FnOnce(&[&[u8]], &mut Found)) {
    let asked: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let mut found = Found::new();
    read(&asked, &mut found);
    assert_eq!(found.len(), keys.len(), "one place for each key");
    for (index, key) in keys.iter().enumerate() {
        assert_eq!(found.get(index), state.get(key).map(|value| &value[..]), "value of {key:?}");
    }
}

pub(crate) fn check_ranges(ranges: &dyn Ranges, state: &Map) {
    let expect_range = |from: Bound<&[u8]>, to: Bound<&[u8]>| {
        let mut seen = Vec::new();
        let visited = ranges.range(from, to, &mut |key, value| {
            seen.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        });
        visited.expect("a range is visited");
        let expected: Vec<(Vec<u8>, Vec<u8>)> = (state.iter())
            .filter(|(key, _)| is_inside(key, from, to))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(seen, expected, "range from {from:?} to {to:?}");
    };
    expect_range(Bound::Unbounded, Bound::Unbounded);
    let keys: Vec<&Vec<u8>> = state.keys().collect();
    if let (Some(low), Some(high)) = (keys.get(keys.len() / 3), keys.get(keys.len() * 2 / 3)) {
        expect_range(Bound::Included(low), Bound::Excluded(high));
        expect_range(Bound::Excluded(low), Bound::Included(high));
        expect_range(Bound::Included(high), Bound::Included(low));
        expect_range(Bound::Excluded(low), Bound::Excluded(low));
        let mut first = None;
        let visited = ranges.prefix(&low[..low.len().min(2)], &mut |key, _| {
            first = Some(key.to_vec());
            ControlFlow::Break(())
        });
        visited.expect("a prefix is visited");
        let expected = keys.iter().find(|key| key.starts_with(&low[..low.len().min(2)]));
        assert_eq!(first.as_ref(), expected.copied(), "first key of a prefix");
    }
}

fn is_inside(key: &[u8], from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    let after = match from {
        Bound::Included(from) => key >= from,
        Bound::Excluded(from) => key > from,
        Bound::Unbounded => true,
    };
    after && !crate::pages::is_past(key, to)
}
