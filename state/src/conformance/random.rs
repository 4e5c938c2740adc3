//! Random histories, held against the model after every step.

use super::{
    Factory,
    model::{Map, Model, check_ranges, check_reads},
};
use crate::{Backend, Height, Snapshot, WriteBatch};

/// Runs `steps` random steps on a backend of its own. The same seed gives the same steps.
///
/// # Panics
/// If the backend and the model differ.
pub fn run(factory: &mut dyn Factory, seed: u64, steps: usize) {
    let backend = factory.create();
    let mut run = Run { dice: Dice(seed), backend, model: Model::new(), snapshots: Vec::new() };
    run.model.check_head(&*run.backend);
    for _ in 0..steps {
        run.step(factory);
    }
    run.check_snapshots();
}

struct Run {
    dice: Dice,
    backend: Box<dyn Backend>,
    model: Model,
    snapshots: Vec<(Box<dyn Snapshot>, Height, Map)>,
}

impl Run {
    fn step(&mut self, factory: &mut dyn Factory) {
        match self.dice.below(16) {
            0..8 => self.commit_blocks(1),
            8..10 => self.commit_blocks(4),
            10 => self.commit_between(),
            11 => self.rollback(),
            12 => self.prune(),
            13 => self.reopen(factory),
            14 => self.take_snapshot(),
            _ => {
                let durable = self.backend.flush().expect("a flush");
                assert_eq!(durable, self.backend.head(), "all is durable after a flush");
            }
        }
        self.model.check_head(&*self.backend);
        let height = Height(self.dice.below(self.model.height().0 + 3));
        self.model.check_height(&*self.backend, height);
        let kept = self.model.height().0 - self.model.oldest().0;
        let height = Height(self.model.oldest().0 + self.dice.below(kept + 1));
        self.model.check_height(&*self.backend, height);
    }

    fn commit_blocks(&mut self, blocks_max: u64) {
        let blocks = 1 + self.dice.below(blocks_max);
        let mut height = self.model.height();
        let mut batches = Vec::new();
        for _ in 0..blocks {
            height = height.next();
            batches.push(self.batch(height));
            // A group may hold a change between two of its blocks.
            if self.dice.below(8) == 0 {
                batches.push(self.batch(height));
            }
        }
        self.commit(&batches);
    }

    fn commit_between(&mut self) {
        let batch = self.batch(self.model.height());
        self.commit(&[batch]);
    }

    fn commit(&mut self, batches: &[WriteBatch]) {
        batches.iter().for_each(|batch| self.model.commit(batch));
        let head = self.backend.commit(batches).expect("a commit");
        assert_eq!(head, self.backend.head(), "a commit gives the head");
    }

    fn batch(&mut self, height: Height) -> WriteBatch {
        let mut batch = WriteBatch::new(height);
        let writes = match self.dice.below(8) {
            0 => 0,
            1 => 200,
            _ => self.dice.below(30),
        };
        let mut keys: Vec<Vec<u8>> = (0..writes).map(|_| self.dice.key()).collect();
        keys.extend(self.model.state().keys().filter(|_| self.dice.below(40) == 0).cloned());
        keys.sort();
        keys.dedup();
        keys.sort_by_key(|key| key.iter().rev().copied().collect::<Vec<u8>>());
        for key in keys {
            match self.dice.below(4) {
                0 => batch.remove(&key).expect("a short key"),
                _ => batch.put(&key, &self.dice.value()).expect("a short value"),
            }
        }
        if self.dice.below(2) == 0 {
            batch.set_block(self.dice.value()).expect("a short block");
        }
        batch
    }

    fn rollback(&mut self) {
        let Some(history) = self.backend.history_mut() else { return };
        let kept = self.model.height().0 - self.model.oldest().0;
        let to = Height(self.model.height().0 - self.dice.below(kept.min(12) + 1));
        let head = history.rollback(to).expect("a rollback");
        self.model.rollback(to);
        assert_eq!(head, self.backend.head(), "a rollback gives the head");
    }

    fn prune(&mut self) {
        let below = Height((self.model.height().0 + 2).saturating_sub(self.dice.below(20)));
        self.backend.prune(below).expect("a prune");
        self.model.prune(below);
    }

    fn reopen(&mut self, factory: &mut dyn Factory) {
        self.check_snapshots();
        self.snapshots.clear();
        // A backend may be closed while the reopened one is made, so another stands in its place.
        let closed = Box::new(crate::MemoryBackend::new());
        let backend = std::mem::replace(&mut self.backend, closed);
        self.backend = factory.reopen(backend);
    }

    fn take_snapshot(&mut self) {
        let snapshot = self.backend.snapshot().expect("a snapshot");
        assert_eq!(snapshot.head(), self.backend.head(), "a snapshot is taken at the head");
        self.snapshots.push((snapshot, self.model.height(), self.model.state().clone()));
    }

    fn check_snapshots(&self) {
        for (snapshot, height, state) in &self.snapshots {
            assert_eq!(snapshot.head().height, *height, "a snapshot's height");
            check_ranges(&**snapshot, state);
            let keys: Vec<Vec<u8>> = state.keys().cloned().chain([b"nobody".to_vec()]).collect();
            check_reads(&keys, state, |keys, found| {
                snapshot.read_many(keys, found).expect("a snapshot is read");
            });
        }
    }
}

/// Random numbers that are the same everywhere (SplitMix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.roll().checked_rem(limit).unwrap_or(0)
    }

    /// A key of at most 40 bytes, one of some hundreds.
    fn key(&mut self) -> Vec<u8> {
        let number = self.below(400);
        let mut key = vec![(number % 3) as u8];
        key.extend_from_slice(&number.to_be_bytes()[6..]);
        key.resize(3 + (number % 37) as usize, b'k');
        key
    }

    /// A value: mostly short, at times empty or longer than a page.
    fn value(&mut self) -> Vec<u8> {
        let bytes = match self.below(50) {
            0 => 0,
            1 => 6000,
            _ => self.below(64),
        };
        (0..bytes).map(|_| self.roll() as u8).collect()
    }
}
