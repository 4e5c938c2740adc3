//! A chain whose blocks depend on their heights alone, and the state that it must lead to.

use std::{collections::BTreeMap, ops::Bound, ops::ControlFlow};
use tollway_state::{
    Backend, Found, Height, MemoryBackend, Root, WriteBatch, conformance::random::Dice,
};

/// The block of a height: some 40 writes and removals of a few thousand keys.
pub fn block(height: u64) -> WriteBatch {
    let mut dice = Dice(height);
    let mut batch = WriteBatch::new(Height(height));
    let mut numbers: Vec<u64> = (0..40).map(|_| dice.below(3000)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let key = format!("key {number} {}", "k".repeat(number as usize % 20));
        match dice.below(5) {
            0 => batch.remove(key.as_bytes()).unwrap(),
            _ => {
                let value: Vec<u8> = (0..dice.below(80)).map(|_| dice.roll() as u8).collect();
                batch.put(key.as_bytes(), &value).unwrap();
            }
        }
    }
    batch.set_block(format!("block {height}").into_bytes()).unwrap();
    batch
}

/// An unbroken run of the chain.
pub struct Reference {
    backend: MemoryBackend,
    states: BTreeMap<u64, BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl Reference {
    pub fn new() -> Reference {
        Reference { backend: MemoryBackend::new(), states: BTreeMap::from([(0, BTreeMap::new())]) }
    }

    fn run_to(&mut self, height: u64) {
        while self.backend.head().height.0 < height {
            let next = self.backend.head().height.0 + 1;
            self.backend.commit(&[block(next)]).unwrap();
            let mut state = self.states[&(next - 1)].clone();
            for (key, value) in block(next).iter() {
                match value {
                    Some(value) => state.insert(key.to_vec(), value.to_vec()),
                    None => state.remove(key),
                };
            }
            self.states.insert(next, state);
            // Only the states of late are looked at.
            self.states.retain(|height, _| height + 200 > next);
        }
    }

    pub fn root(&mut self, height: u64) -> Root {
        self.run_to(height);
        self.backend.history().unwrap().root_at(Height(height)).unwrap()
    }

    /// Holds a backend's state against that of the chain at its head.
    pub fn check(&mut self, backend: &dyn Backend) {
        let head = backend.head();
        assert_eq!(head.root, self.root(head.height.0), "root at height {}", head.height);
        let state = &self.states[&head.height.0];
        let mut seen = BTreeMap::new();
        let scan = backend.ranges().unwrap().range(
            Bound::Unbounded,
            Bound::Unbounded,
            &mut |key, value| {
                seen.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            },
        );
        scan.unwrap();
        assert!(seen == *state, "state at height {}", head.height);
        let keys: Vec<&[u8]> = state.keys().map(|key| &key[..]).collect();
        let mut found = Found::new();
        backend.read_many(&keys, &mut found).unwrap();
        assert!(found.iter().eq(state.values().map(|value| Some(&value[..]))));
    }

    /// Holds the past of a backend against the chain: what is not an error must be right. Gives
    /// how many errors there were.
    pub fn check_past(&mut self, backend: &dyn Backend) -> usize {
        let history = backend.history().unwrap();
        let mut errors = 0;
        for height in history.oldest().0..=backend.head().height.0 {
            match history.root_at(Height(height)) {
                Ok(root) => assert_eq!(root, self.root(height), "root at height {height}"),
                Err(_) => errors += 1,
            }
            let Some(state) = self.states.get(&height) else { continue };
            for number in [height % 3000, height * 7 % 3000] {
                let key = format!("key {number} {}", "k".repeat(number as usize % 20));
                match history.read_at(Height(height), key.as_bytes()) {
                    Ok(value) => assert_eq!(value.as_ref(), state.get(key.as_bytes())),
                    Err(_) => errors += 1,
                }
            }
            if height == history.oldest().0 {
                continue;
            }
            match history.block(Height(height)) {
                Ok(block) => assert_eq!(block, Some(format!("block {height}").into_bytes())),
                Err(_) => errors += 1,
            }
            let before = self.states.get(&(height - 1));
            let visited = history.changes(Height(height), &mut |change| {
                assert_eq!(state.get(change.key).map(|value| &value[..]), change.new);
                if let Some(before) = before {
                    assert_eq!(before.get(change.key).map(|value| &value[..]), change.old);
                }
                ControlFlow::Continue(())
            });
            errors += usize::from(visited.is_err());
        }
        errors
    }
}
