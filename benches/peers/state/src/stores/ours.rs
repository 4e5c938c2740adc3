//! Tollway's own: in memory, and on disk.

use super::{Row, Store};
use crate::workload::{Key, Update, Value};
use tollway_state::{Backend, Found, MemoryBackend, WriteBatch};
use tollway_state_disk::{DiskBackend, DiskOptions};

pub(super) const MEMORY: Row = Row {
    name: "tollway",
    kind: "memory",
    package: "tollway-state",
    root_of: Some("state"),
    is_durable: false,
    open: |_, _| Ok(Box::new(Ours(MemoryBackend::new()))),
    note: "MemoryBackend; keeps the changes of all measured blocks, to go back to any of them.",
};

pub(super) const DISK: Row = Row {
    name: "tollway",
    kind: "disk",
    package: "tollway-state-disk",
    root_of: Some("state"),
    is_durable: true,
    open: |directory, _| {
        Ok(Box::new(Ours(DiskBackend::create(directory, DiskOptions::default())?)))
    },
    note: "DiskBackend, default options, durable every block; keeps the changes of all measured\n\
           blocks. Pages are brought up to date by a thread of its own, beside later blocks.",
};

struct Ours<B>(B);

impl<B: Backend> Store for Ours<B> {
    fn commit(&mut self, updates: Vec<Update>) -> anyhow::Result<()> {
        let height = self.0.head().height.next();
        let bytes = updates.len() * size_of::<Update>();
        let mut batch = WriteBatch::with_capacity(height, updates.len(), bytes);
        for update in &updates {
            batch.put(&update.key, &update.value)?;
        }
        self.0.commit(&[batch])?;
        Ok(())
    }

    fn forget_past(&mut self) -> anyhow::Result<()> {
        Ok(self.0.prune(self.0.head().height)?)
    }

    fn root(&self) -> Option<[u8; 32]> {
        Some(self.0.head().root.0)
    }

    fn read(&self, keys: &[Key]) -> anyhow::Result<Vec<Option<Value>>> {
        let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
        let mut found = Found::new();
        self.0.read_many(&keys, &mut found)?;
        found.iter().map(|value| Ok(value.map(Value::try_from).transpose()?)).collect()
    }
}
