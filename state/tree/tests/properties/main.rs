//! The tree against the definition, over random batches of crafted keys.

mod definition;

use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tollway_state_tree::{Change, Entry, Pair, Path, Root, Tree};

/// A key that is nothing but its path and its name, so that paths may be as close as they like.
type Key = (Path, u8);

/// The state, by a map.
#[derive(Clone, Default)]
struct Model(BTreeMap<Key, Entry>);

impl Model {
    /// The change that gives `key` the entry `new`.
    fn change(&mut self, key: Key, new: Option<Entry>) -> Change {
        let old = match new {
            Some(entry) => self.0.insert(key, entry),
            None => self.0.remove(&key),
        };
        Change { path: key.0, old, new }
    }

    fn root(&self) -> Root {
        let pairs = self.0.iter().map(|((path, _), entry)| (path.0, entry.0)).collect();
        Root(definition::subtree(pairs, 0))
    }

    fn pairs(&self) -> Vec<Pair> {
        self.0.iter().map(|((path, _), entry)| Pair { path: *path, entry: *entry }).collect()
    }
}

/// One change before it is known what was there: which key, and the value or nothing.
type Step = (Key, Option<u8>);

/// Keys that share from none to all of their bits: a few stems, left at some depth for a few tails.
fn any_key() -> impl Strategy<Value = Key> {
    let stem = prop_oneof![Just(0u128), Just(u128::MAX), Just(0x5aa5_0ff0 << 96), any::<u128>()];
    let shared = prop_oneof![0u32..8, 0u32..=128, 100u32..=128, Just(128)];
    (stem, shared, any::<u128>(), 0u8..12).prop_map(|(stem, shared, tail, name)| {
        let tail_bits = u128::MAX.checked_shr(shared).unwrap_or(0);
        (Path(((stem & !tail_bits) | (tail & tail_bits)).to_be_bytes()), name)
    })
}

/// Batches over a pool of keys, so that keys are met again: set, changed and removed.
fn any_batches() -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(any_key(), 1..300).prop_flat_map(|pool| {
        let key = proptest::sample::select(pool);
        let value = prop_oneof![2 => any::<u8>().prop_map(Some), 1 => Just(None)];
        vec(vec((key, value), 0..200), 1..16)
    })
}

fn entry(key: Key, value: u8) -> Entry {
    Entry(*blake3::hash(&[&key.0.0[..], &[key.1, value]].concat()).as_bytes())
}

/// The batch as changes, each key once: the last step of a key counts.
fn changes_of(model: &mut Model, batch: &[Step]) -> Vec<Change> {
    let last: BTreeMap<Key, Option<u8>> = batch.iter().copied().collect();
    let changes = last.into_iter();
    changes.map(|(key, value)| model.change(key, value.map(|value| entry(key, value)))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn root_is_that_of_the_definition(batches in any_batches()) {
        let mut model = Model::default();
        let mut tree = Tree::new();
        for batch in &batches {
            let mut changes = changes_of(&mut model, batch);
            changes.retain(|change| change.old.is_some() || change.new.is_some());
            let root = tree.update_checked(changes).unwrap();
            prop_assert_eq!(root, model.root());
            prop_assert_eq!(tree.root(), root);
            prop_assert_eq!(tree.len(), model.0.len());
        }
        prop_assert_eq!(Tree::from_pairs(model.pairs()).root(), model.root());
    }
}

#[test]
fn keys_and_values_hash_as_defined() {
    for (key, value) in [(&b""[..], &b""[..]), (b"key", b"value"), (&[7; 100], &[9; 3000])] {
        let (path, entry) = definition::pair(key, value);
        assert_eq!(Pair::of(key, value), Pair { path: Path(path), entry: Entry(entry) });
        let root = Root(definition::subtree(vec![(path, entry)], 0));
        assert_eq!(Tree::new().update(vec![Change::set(key, None, value)]), root);
    }
}
