//! NOMT: a Merkle trie on disk, over the current state.

use super::{Row, Store, threads};
use crate::workload::{Key, Update, Value};
use ::nomt::hasher::Blake3Hasher;
use ::nomt::{KeyReadWrite, Nomt, Options, SessionParams};
use std::path::Path;

pub(super) const ROW: Row = Row {
    name: "nomt",
    kind: "",
    package: "nomt",
    root_of: Some("state"),
    is_durable: true,
    open: |directory, keys| Ok(Box::new(Trie::open(directory, keys)?)),
    note: "BLAKE3, a session a block, committed straight to disk; as many commit workers as cores,\n\
           else its defaults (256 MiB for pages, 256 MiB for leaves, no rollback). Keys are taken as\n\
           they are. Its hash table is on disk at full size from the start.",
};

/// Buckets that NOMT makes by default.
const BUCKETS_MIN: u32 = 64_000;

/// Keys for a bucket, which holds a page of the trie: a page for fewer than 20 keys is not stored.
const BUCKET_KEYS: u32 = 16;

struct Trie(Nomt<Blake3Hasher>);

impl Trie {
    fn open(directory: &Path, keys: u32) -> anyhow::Result<Trie> {
        let mut options = Options::new();
        options.path(directory);
        options.commit_concurrency(threads().get());
        options.hashtable_buckets((keys / BUCKET_KEYS).max(BUCKETS_MIN));
        Ok(Trie(Nomt::open(options)?))
    }
}

impl Store for Trie {
    fn commit(&mut self, updates: Vec<Update>) -> anyhow::Result<()> {
        let write =
            |update: &Update| (update.key, KeyReadWrite::Write(Some(update.value.to_vec())));
        let mut writes: Vec<_> = updates.iter().map(write).collect();
        writes.sort_unstable_by_key(|write| write.0);
        let session = self.0.begin_session(SessionParams::default());
        session.finish(writes)?.commit(&self.0)
    }

    fn root(&self) -> Option<[u8; 32]> {
        Some(self.0.root().into_inner())
    }

    fn read(&self, keys: &[Key]) -> anyhow::Result<Vec<Option<Value>>> {
        let value = |key: &Key| {
            let found = self.0.read(*key)?;
            Ok(found.as_deref().map(Value::try_from).transpose()?)
        };
        keys.iter().map(value).collect()
    }
}
