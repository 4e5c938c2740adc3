//! The tree against the definition, over random batches of crafted keys.

mod definition;

use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use tollway_state_tree::{
    Change, Chunk, ChunkProof, Entry, Pair, Path, Proof, Root, Tree, VerifyError,
    verify_chunk_pairs, verify_partition,
};

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

/// The tree of a model, by all its batches.
fn tree_of(batches: &[Vec<Step>]) -> (Tree, Model) {
    let (mut tree, mut model) = (Tree::new(), Model::default());
    for batch in batches {
        tree.update_checked(changes_of(&mut model, batch)).expect("changes fit");
    }
    (tree, model)
}

/// Claims for some paths: what the model holds there, or that nothing is.
fn claims_of(model: &Model, paths: &[Path]) -> Vec<(Path, Option<Entry>)> {
    let claims = paths.iter().flat_map(|path| {
        let here = model.0.range((*path, 0)..=(*path, u8::MAX));
        let entries: Vec<_> = here.map(|(_, entry)| (*path, Some(*entry))).collect();
        if entries.is_empty() { vec![(*path, None)] } else { entries }
    });
    claims.collect()
}

fn check_proof(tree: &Tree, claims: &[(Path, Option<Entry>)]) -> Result<(), VerifyError> {
    let proof = tree.prove_paths(claims.iter().map(|(path, _)| *path).collect());
    let decoded = Proof::from_bytes(&proof.to_bytes()).expect("an encoding");
    assert_eq!(decoded, proof);
    decoded.verify_entries(&tree.root(), claims.iter().copied())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn root_is_that_of_the_definition(batches in any_batches()) {
        let mut model = Model::default();
        let mut tree = Tree::new();
        for batch in &batches {
            let root = tree.update_checked(changes_of(&mut model, batch)).expect("changes fit");
            prop_assert_eq!(root, model.root());
            prop_assert_eq!(tree.root(), root);
            prop_assert_eq!(tree.len(), model.0.len());
        }
        prop_assert_eq!(Tree::from_pairs(model.pairs()).root(), model.root());
    }

    #[test]
    fn every_proof_verifies(batches in any_batches(), others in vec(any_key(), 1..20)) {
        let (tree, model) = tree_of(&batches);
        let mut paths: Vec<Path> = model.0.keys().map(|(path, _)| *path).collect();
        paths.dedup();
        paths.extend(others.iter().map(|(path, _)| *path));
        for path in &paths {
            prop_assert_eq!(check_proof(&tree, &claims_of(&model, &[*path])), Ok(()));
        }
        prop_assert_eq!(check_proof(&tree, &claims_of(&model, &paths)), Ok(()));
    }

    #[test]
    fn no_wrong_claim_verifies(batches in any_batches(), other in any_key()) {
        let (tree, model) = tree_of(&batches);
        for ((path, name), entry) in model.0.iter().take(40) {
            let absent = check_proof(&tree, &[(*path, None)]);
            prop_assert_eq!(absent, Err(VerifyError::NotExcluded { index: 0 }));
            let mut wrong = *entry;
            wrong.0[usize::from(*name)] ^= 1;
            let changed = check_proof(&tree, &[(*path, Some(wrong))]);
            prop_assert_eq!(changed, Err(VerifyError::NotIncluded { index: 0 }));
        }
        let new = entry((other.0, 200), 0);
        let present = check_proof(&tree, &[(other.0, Some(new))]);
        prop_assert_eq!(present, Err(VerifyError::NotIncluded { index: 0 }));
    }

    #[test]
    fn order_batches_and_threads_do_not_reach_the_root(
        batches in any_batches(),
        size in 1usize..100,
        threads in 1usize..=8,
    ) {
        let (tree, model) = tree_of(&batches);
        let mut changes: Vec<Change> = model
            .pairs()
            .iter()
            .map(|pair| Change { path: pair.path, old: None, new: Some(pair.entry) })
            .collect();
        // By entry: as good as shuffled.
        changes.sort_by_key(|change| change.new);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let mut other = Tree::new();
        pool.install(|| changes.chunks(size).for_each(|some| _ = other.update(some.to_vec())));
        prop_assert_eq!(other.root(), tree.root());

        let undone: Vec<Change> = changes.iter().map(Change::inverse).collect();
        for some in undone.chunks(size).rev() {
            pool.install(|| other.update_checked(some.to_vec())).expect("undone");
        }
        prop_assert_eq!(other.root(), Root::empty());
    }

    #[test]
    fn chunks_together_are_the_state(batches in any_batches(), keys_max in 1usize..200) {
        let (tree, model) = tree_of(&batches);
        let prefixes = tree.chunk_prefixes(keys_max);
        prop_assert_eq!(verify_partition(prefixes.iter().copied()), Ok(()));
        let mut all = Vec::new();
        for prefix in prefixes {
            let Chunk { proof, len } = tree.chunk(prefix).expect("a node is there");
            prop_assert_eq!(&ChunkProof::from_bytes(&proof.to_bytes()), &Ok(proof.clone()));
            let mut pairs = model.pairs();
            pairs.retain(|pair| prefix.contains(&pair.path));
            prop_assert_eq!(pairs.len(), len);
            prop_assert!(len <= keys_max.max(8) || prefix.bits() == 128);
            all.extend_from_slice(&pairs);
            let check = |pairs| verify_chunk_pairs(&tree.root(), prefix, pairs, &proof.siblings);
            prop_assert_eq!(check(pairs.iter().rev().copied().collect()), Ok(()));
            if let Some(last) = pairs.pop() {
                prop_assert!(check(pairs.clone()).is_err());
                pairs.extend([last, last]);
                prop_assert!(check(pairs).is_err());
            }
        }
        all.sort();
        let mut pairs = model.pairs();
        pairs.sort();
        prop_assert_eq!(all, pairs);
    }

    #[test]
    fn mismatches_are_counted_and_the_rest_is_done(
        batches in any_batches(),
        strays in vec((any_key(), 0u8..3), 1..50),
    ) {
        let (mut tree, mut model) = tree_of(&batches);
        let mut changes = Vec::new();
        let mut mismatches = 0;
        let strays: BTreeMap<Key, u8> = strays.into_iter().collect();
        for ((path, name), kind) in strays {
            // Names above 100 are in no model.
            let stray = (path, name + 100);
            let old = (kind > 0).then(|| entry(stray, 0));
            mismatches += usize::from(old.is_some());
            let new = (kind < 2).then(|| entry(stray, 1));
            if let Some(new) = new {
                model.0.insert(stray, new);
            }
            changes.push(Change { path, old, new });
        }
        match tree.update_checked(changes) {
            Ok(_) => prop_assert_eq!(mismatches, 0),
            Err(error) => prop_assert_eq!(error.count, mismatches),
        }
        prop_assert_eq!(tree.root(), model.root());
        prop_assert_eq!(tree.len(), model.0.len());
    }
}

/// Enough keys that work is divided: by batches, and built at once.
#[test]
fn threads_do_not_reach_the_root() {
    let pair = |i: u32| Pair::of(&i.to_le_bytes(), b"");
    let pairs: Vec<Pair> = (0..20_000).map(pair).collect();
    let model = Model(pairs.iter().map(|pair| ((pair.path, 0), pair.entry)).collect());
    let root = model.root();
    let set = |pair: &Pair| Change { path: pair.path, old: None, new: Some(pair.entry) };
    for threads in 1..=8 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let mut tree = Tree::new();
            for some in pairs.chunks(6000) {
                tree.update_checked(some.iter().map(set).collect()).expect("new keys");
            }
            assert_eq!(tree.root(), root, "{threads} threads");
            assert_eq!(Tree::from_pairs(pairs.iter().copied()).root(), root);
            let gone = pairs[100..].iter().map(|pair| set(pair).inverse()).collect();
            tree.update_checked(gone).expect("keys that were there");
            assert_eq!(tree.root(), Tree::from_pairs(pairs[..100].iter().copied()).root());
        });
    }
}

/// More keys at one path than a leaf or a segment holds elsewhere, beside one that differs in the
/// last bit alone.
#[test]
fn a_leaf_at_the_deepest_level_holds_whatever_is_left() {
    let path = Path(u128::MAX.to_be_bytes());
    let near = Path((u128::MAX - 1).to_be_bytes());
    let (mut tree, mut model) = (Tree::new(), Model::default());
    for name in 0..200 {
        let new = entry((path, name), 1);
        let change = model.change((path, name), Some(new));
        assert_eq!(tree.update_checked(vec![change]).expect("it fits"), model.root());
    }
    let change = model.change((near, 0), Some(entry((near, 0), 1)));
    assert_eq!(tree.update_checked(vec![change]).expect("it fits"), model.root());
    assert_eq!(check_proof(&tree, &claims_of(&model, &[near, path])), Ok(()));
    assert_eq!(tree.prove_paths(vec![path]).to_bytes().len(), 5 + 5 + 200 * 48 + 128 * 32);
    for name in 0..200 {
        let change = model.change((path, name), None);
        assert_eq!(tree.update_checked(vec![change]).expect("it fits"), model.root());
    }
    assert_eq!(tree.len(), 1);
}

/// Two keys with one path, one of which goes: the old entry says which.
#[test]
fn equal_paths_are_told_apart_by_the_old_entry() {
    let path = Path([7; 16]);
    let [a, b, c] = [1, 2, 3].map(|value| entry((path, value), value));
    let pair = |entry| Pair { path, entry };
    let mut tree = Tree::from_pairs([pair(a), pair(b)]);
    tree.update_checked(vec![Change { path, old: Some(b), new: Some(c) }]).expect("it fits");
    assert_eq!(tree.root(), Tree::from_pairs([pair(a), pair(c)]).root());
    tree.update_checked(vec![Change { path, old: Some(a), new: None }]).expect("it fits");
    assert_eq!(tree.root(), Tree::from_pairs([pair(c)]).root());
}

/// Against the rule, but no reason for two nodes to disagree: old entries go, new ones stay.
#[test]
fn a_key_twice_in_a_batch_does_not_depend_on_order() {
    let path = Path([7; 16]);
    let [a, b, c] = [1, 2, 3].map(|value| entry((path, value), value));
    let pair = |entry| Pair { path, entry };
    let first = Change { path, old: Some(a), new: Some(b) };
    let second = Change { path, old: Some(b), new: Some(c) };
    for changes in [vec![first, second], vec![second, first]] {
        let mut tree = Tree::from_pairs([pair(a)]);
        let error = tree.update_checked(changes).expect_err("b was not there");
        assert_eq!(error.count, 1);
        assert_eq!(error.root, Tree::from_pairs([pair(b), pair(c)]).root());
    }
}

#[test]
fn pairs_that_are_equal_count_once() {
    let pairs: Vec<Pair> = (0..7).map(|key| Pair::of(&[key], b"")).collect();
    let tree = Tree::from_pairs(pairs.iter().copied().cycle().take(700));
    assert_eq!(tree.root(), Tree::from_pairs(pairs).root());
    assert_eq!(tree.len(), 7);
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
