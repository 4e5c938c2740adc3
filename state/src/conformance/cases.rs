//! The rules one by one, each on a backend of its own.

use super::{
    Factory,
    model::{Map, Model, root_of},
};
use crate::{
    Backend, BackendError, Found, Head, Height, KEY_BYTES_MAX, VALUE_BYTES_MAX, WriteBatch,
};
use std::ops::ControlFlow;

/// Holds a backend against each case.
///
/// # Panics
/// If one does not hold.
pub fn run(factory: &mut dyn Factory) {
    starts_empty(factory);
    refuses_wrong_heights(factory);
    refuses_repeated_keys(factory);
    changes_between_blocks_belong_to_the_block(factory);
    keeps_large_and_empty(factory);
    root_depends_on_the_state_alone(factory);
    snapshots_work_beside_commits(factory);
    unknown_heights_are_refused(factory);
    goes_back_and_on_again(factory);
}

/// A new backend holds nothing, and says so also when opened again.
pub fn starts_empty(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let empty = Head { height: Height(0), root: root_of(&Map::new()) };
    for _ in 0..2 {
        assert_eq!(backend.head(), empty);
        assert_eq!(backend.durable_head(), empty);
        assert_eq!(backend.commit(&[]).expect("no blocks"), empty);
        Model::new().check_head(&*backend);
        backend = factory.reopen(backend);
    }
}

/// Only the head's height and the next are taken, and a refused group leaves no trace.
pub fn refuses_wrong_heights(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let mut model = Model::new();
    commit(&mut *backend, &mut model, 1, &[("a", Some("1"))]);
    for wrong in [&[0][..], &[3], &[2, 4], &[2, 3, 2]] {
        let batches: Vec<WriteBatch> =
            wrong.iter().map(|height| batch(*height, &[("a", Some("2"))])).collect();
        let refused = backend.commit(&batches);
        assert!(matches!(refused, Err(BackendError::NotNext { .. })), "{wrong:?}: {refused:?}");
        model.check_head(&*backend);
    }
    commit(&mut *backend, &mut model, 2, &[("a", Some("3"))]);
    model.check_head(&*backend);
}

/// A key written twice is refused with the whole group, which leaves no trace.
pub fn refuses_repeated_keys(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let mut model = Model::new();
    commit(&mut *backend, &mut model, 1, &[("a", Some("1"))]);
    let good = batch(2, &[("a", Some("2"))]);
    let twice = batch(3, &[("a", Some("3")), ("b", None), ("a", None)]);
    let refused = backend.commit(&[good, twice]);
    assert!(matches!(refused, Err(BackendError::DuplicateKey { .. })), "{refused:?}");
    model.check_head(&*backend);
    commit(&mut *backend, &mut model, 2, &[("a", None)]);
    model.check_head(&*backend);
}

/// A batch for the head's height is part of it: in its changes, and gone with it.
pub fn changes_between_blocks_belong_to_the_block(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let mut model = Model::new();
    commit(&mut *backend, &mut model, 0, &[("code", Some("genesis"))]);
    commit(&mut *backend, &mut model, 1, &[("a", Some("1")), ("b", Some("1"))]);
    commit(&mut *backend, &mut model, 1, &[("code", Some("x")), ("a", Some("2")), ("b", None)]);
    commit(&mut *backend, &mut model, 2, &[("a", Some("3"))]);
    let mut backend = factory.reopen(backend);
    for height in 0..4 {
        model.check_height(&*backend, Height(height));
    }
    for to in [1, 0] {
        let Some(history) = backend.history_mut() else { return };
        history.rollback(Height(to)).expect("a rollback");
        model.rollback(Height(to));
        model.check_head(&*backend);
        backend = factory.reopen(backend);
        model.check_head(&*backend);
    }
}

/// The longest key and value, empty ones, and a block of no writes.
pub fn keeps_large_and_empty(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let mut model = Model::new();
    let mut large = WriteBatch::new(Height(1));
    large.put(&vec![7; KEY_BYTES_MAX], &vec![8; VALUE_BYTES_MAX]).expect("at the limit");
    large.put(&vec![7; KEY_BYTES_MAX - 1], &[]).expect("at the limit");
    large.put(b"", b"nothing").expect("an empty key");
    large.put(b"empty", b"").expect("an empty value");
    model.commit(&large);
    backend.commit(&[large, WriteBatch::new(Height(2))]).expect("a commit");
    model.commit(&WriteBatch::new(Height(2)));
    model.check_head(&*backend);
    let mut backend = factory.reopen(backend);
    model.check_head(&*backend);
    model.check_height(&*backend, Height(1));
    let mut gone = WriteBatch::new(Height(3));
    gone.remove(&vec![7; KEY_BYTES_MAX]).expect("at the limit");
    gone.remove(b"").expect("an empty key");
    model.commit(&gone);
    backend.commit(&[gone]).expect("a commit");
    model.check_head(&*backend);
}

/// Two backends that come to the same state by different ways have the same root.
pub fn root_depends_on_the_state_alone(factory: &mut dyn Factory) {
    let keys: Vec<String> = (0..300).map(|number| format!("key {number}")).collect();
    let mut one = factory.create();
    let all: Vec<(&str, Option<&str>)> = keys.iter().map(|key| (&key[..], Some("v"))).collect();
    let at_once = one.commit(&[batch(1, &all)]).expect("a commit");
    drop(one);
    let mut other = factory.create();
    let detour: Vec<(&str, Option<&str>)> = all.iter().map(|(key, _)| (*key, Some("w"))).collect();
    other.commit(&[batch(1, &detour), batch(2, &[("more", Some(""))])]).expect("a commit");
    let mut head = other.commit(&[batch(3, &[("more", None)])]).expect("a commit");
    assert_ne!(head.root, at_once.root);
    for (part, height) in all.chunks(77).rev().zip(4..) {
        head = other.commit(&[batch(height, part)]).expect("a commit");
    }
    assert_eq!(head.root, at_once.root);
}

/// A snapshot is read on another thread while commits, a prune and a rollback go on.
pub fn snapshots_work_beside_commits(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let keys: Vec<String> = (0..500).map(|number| format!("key {number}")).collect();
    let set = |height, value| {
        let all: Vec<(&str, Option<&str>)> =
            keys.iter().map(|key| (&key[..], Some(value))).collect();
        batch(height, &all)
    };
    backend.commit(&[set(1, "one")]).expect("a commit");
    let snapshot = backend.snapshot().expect("a snapshot");
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            for _ in 0..20 {
                let mut count = 0;
                let scan = snapshot.prefix(b"key ", &mut |_, value| {
                    assert_eq!(value, b"one");
                    count += 1;
                    ControlFlow::Continue(())
                });
                scan.expect("a scan");
                assert_eq!(count, 500);
                let mut found = Found::new();
                snapshot.read_many(&[b"key 7", b"key x"], &mut found).expect("a read");
                assert_eq!((found.get(0), found.get(1)), (Some(&b"one"[..]), None));
            }
        });
        for height in 2..12 {
            backend.commit(&[set(height, "more")]).expect("a commit");
        }
        backend.prune(Height(5)).expect("a prune");
        if let Some(history) = backend.history_mut() {
            history.rollback(Height(8)).expect("a rollback");
        }
        reader.join().expect("the reader saw one state");
    });
    assert_eq!(snapshot.head().height, Height(1));
}

/// Heights before the oldest and after the head are refused by name, and leave no trace.
pub fn unknown_heights_are_refused(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let mut model = Model::new();
    for height in 1..8 {
        commit(&mut *backend, &mut model, height, &[("a", Some(&height.to_string()))]);
    }
    if backend.history().is_none() {
        return;
    }
    backend.prune(Height(3)).expect("a prune");
    model.prune(Height(3));
    let mut backend = factory.reopen(backend);
    for height in 0..10 {
        model.check_height(&*backend, Height(height));
        let history = backend.history_mut().expect("it had one");
        if !(3..=7).contains(&height) {
            let refused = history.rollback(Height(height));
            assert!(
                matches!(refused, Err(BackendError::UnknownHeight { .. })),
                "rollback to {height}: {refused:?}"
            );
        }
        model.check_head(&*backend);
    }
    backend.prune(Height(100)).expect("a prune beyond the head");
    model.prune(Height(100));
    model.check_height(&*backend, Height(7));
    backend.prune(Height(0)).expect("a prune of what is gone");
    model.check_height(&*backend, Height(7));
    commit(&mut *backend, &mut model, 7, &[("b", Some("between"))]);
    commit(&mut *backend, &mut model, 8, &[("a", None)]);
    model.check_height(&*backend, Height(7));
    let mut backend = factory.reopen(backend);
    let history = backend.history_mut().expect("it had one");
    history.rollback(Height(7)).expect("a rollback to the oldest");
    model.rollback(Height(7));
    model.check_head(&*backend);
}

/// After a rollback other blocks may follow.
pub fn goes_back_and_on_again(factory: &mut dyn Factory) {
    let mut backend = factory.create();
    let mut model = Model::new();
    for round in 0..5 {
        for height in 1..10 {
            let height = model.height().0.max(height - 1) + 1;
            let value = format!("{round} {height}");
            commit(&mut *backend, &mut model, height, &[("a", Some(&value)), (&value, Some(""))]);
        }
        let Some(history) = backend.history_mut() else { return };
        let to = Height(model.height().0 - 4);
        history.rollback(to).expect("a rollback");
        model.rollback(to);
        backend = factory.reopen(backend);
        model.check_head(&*backend);
        model.check_height(&*backend, to);
    }
}

fn commit(
    backend: &mut dyn Backend,
    model: &mut Model,
    height: u64,
    writes: &[(&str, Option<&str>)],
) {
    let batch = batch(height, writes);
    model.commit(&batch);
    backend.commit(&[batch]).expect("a commit");
}

fn batch(height: u64, writes: &[(&str, Option<&str>)]) -> WriteBatch {
    let mut batch = WriteBatch::new(Height(height));
    for (key, value) in writes {
        match value {
            Some(value) => batch.put(key.as_bytes(), value.as_bytes()),
            None => batch.remove(key.as_bytes()),
        }
        .expect("short keys and values");
    }
    batch
}
