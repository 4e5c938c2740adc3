//! A host's database that fails leaves height, root and state as they were.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tollway_state::{
    Backend, BackendError, Found, Height, Ranges, VisitEntry, Write, WriteBatch,
    pages::is_past,
    rooted::{Reads, Rooted, Store, View},
};

#[derive(Default)]
struct Map {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    height: u64,
    fails: Arc<AtomicBool>,
}

impl Ranges for Map {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        for (key, value) in self.entries.range::<[u8], _>((from, Bound::Unbounded)) {
            if is_past(key, to) || visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Reads for Map {
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        found.reset(keys.len());
        for (index, key) in keys.iter().enumerate() {
            found.set(index, self.entries.get(*key).map(|value| &value[..]));
        }
        Ok(())
    }
}

impl Store for Map {
    fn height(&self) -> Result<Height, BackendError> {
        Ok(Height(self.height))
    }

    fn write(&mut self, height: Height, writes: &[Write<'_>]) -> Result<(), BackendError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(BackendError::DiskFull { during: "writing" });
        }
        for (key, value) in writes {
            match value {
                Some(value) => self.entries.insert(key.to_vec(), value.to_vec()),
                None => self.entries.remove(*key),
            };
        }
        self.height = height.0;
        Ok(())
    }

    fn view(&self) -> Result<Box<dyn View>, BackendError> {
        Err(BackendError::Unsupported { what: "views" })
    }
}

#[test]
fn a_failed_write_changes_nothing() {
    let map = Map::default();
    let fails = map.fails.clone();
    let mut backend = Rooted::open(map).unwrap();
    let batch = |height, value: &[u8]| {
        let mut batch = WriteBatch::new(Height(height));
        batch.put(b"key", value).unwrap();
        batch
    };
    let head = backend.commit(&[batch(1, b"1")]).unwrap();
    fails.store(true, Ordering::Relaxed);
    assert!(backend.commit(&[batch(2, b"2"), batch(3, b"3")]).is_err());
    assert_eq!(backend.head(), head);
    fails.store(false, Ordering::Relaxed);
    let head = backend.commit(&[batch(2, b"2"), batch(3, b"3")]).unwrap();
    let mut same = Rooted::open(Map::default()).unwrap();
    let root = same.commit(&[batch(1, b"3")]).unwrap().root;
    assert_eq!((head.height, head.root), (Height(3), root));
}
