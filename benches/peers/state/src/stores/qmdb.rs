//! QMDB as Commonware writes it: a log of operations with a Merkle structure over it.
//!
//! ```text
//! this thread        thread "qmdb": the store's runtime
//!   commit ────────▶ write, merkleize, apply, commit
//!          ◀──────── root
//! ```
//!
//! The store is asynchronous and lives on its own runtime, which is gone when the channel is closed.

use super::{Row, Store, threads};
use crate::workload::{Key, Update, Value};
use anyhow::Context as _;
use commonware_cryptography::{Sha256, sha256::Digest};
use commonware_parallel::Rayon;
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use commonware_runtime::tokio::{Config as RuntimeConfig, Context, Runner};
use commonware_runtime::{BLOB_PAGE_SIZE, Runner as _, Strategizer as _, Supervisor as _};
use commonware_storage::journal::contiguous::fixed::Config as JournalConfig;
use commonware_storage::merkle::{full, mmb};
use commonware_storage::qmdb::current::{self, FixedConfig};
use commonware_storage::qmdb::floor::Proportional;
use commonware_storage::translator::EightCap;
use commonware_utils::{NZU64, NZUsize};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

pub(super) const ORDERED: Row = Row {
    name: "qmdb",
    kind: "current::ordered",
    package: "commonware-storage",
    root_of: Some("history"),
    is_durable: true,
    open: |directory, keys| Ok(Box::new(Qmdb::open(directory, keys, ordered::run)?)),
    note: "commonware-storage, current::ordered::fixed over MMB, which proves that a key is there or\n\
           that it is not, as Tollway and NOMT do; SHA-256; write, merkleize (Proportional), apply,\n\
           commit. Settings of its authors' benchmark of a whole chain: 512 MiB of page cache, or as\n\
           much as the log needs; as many threads as cores. The log is pruned after loading, not later.",
};

pub(super) const UNORDERED: Row = Row {
    kind: "current::unordered",
    open: |directory, keys| Ok(Box::new(Qmdb::open(directory, keys, unordered::run)?)),
    note: "The same, without ranges and without proofs that a key is not there.",
    ..ORDERED
};

/// Bytes of a bitmap chunk, as in the benchmarks of its authors.
const CHUNK_BYTES: usize = 32;
const BLOB_ITEMS: NonZeroU64 = NZU64!(10_000_000);
const BUFFER_BYTES: NonZeroUsize = NZUsize!(2 << 20);
/// 512 MiB, as in the benchmarks of its authors for a million keys.
const CACHE_PAGES_MIN: usize = 131_072;
/// With a cache smaller than the log it is several times slower, and a key takes about 300 bytes
/// of log.
const CACHE_BYTES_A_KEY: usize = 320;

/// What the thread is asked for. It answers with an error if it could not.
enum Request {
    Commit(Vec<Update>, SyncSender<anyhow::Result<[u8; 32]>>),
    Prune(SyncSender<anyhow::Result<[u8; 32]>>),
    Read(Vec<Key>, SyncSender<anyhow::Result<Vec<Option<Value>>>>),
}

/// Opens a store in a runtime, says which root it has, and serves it until nobody asks any more.
type Run = fn(Runner, u32, SyncSender<anyhow::Result<[u8; 32]>>, Receiver<Request>);

struct Qmdb {
    /// `None` only while this is dropped.
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    root: [u8; 32],
}

impl Qmdb {
    fn open(directory: &Path, keys: u32, run: Run) -> anyhow::Result<Qmdb> {
        let config = RuntimeConfig::new().with_storage_directory(directory);
        let (requests, received) = channel();
        let (opened, root) = sync_channel(1);
        let work = move || run(Runner::new(config), keys, opened, received);
        let thread = std::thread::Builder::new().name("qmdb".into()).spawn(work)?;
        let root = root.recv().context("the store's thread ended")??;
        Ok(Qmdb { requests: Some(requests), thread: Some(thread), root })
    }

    fn ask<T>(
        &self,
        request: impl FnOnce(SyncSender<anyhow::Result<T>>) -> Request,
    ) -> anyhow::Result<T> {
        let (answer, answered) = sync_channel(1);
        let requests = self.requests.as_ref().context("the store is closed")?;
        requests.send(request(answer)).ok().context("the store's thread ended")?;
        answered.recv().context("the store's thread ended")?
    }
}

impl Store for Qmdb {
    fn commit(&mut self, updates: Vec<Update>) -> anyhow::Result<()> {
        self.root = self.ask(|answer| Request::Commit(updates, answer))?;
        Ok(())
    }

    fn forget_past(&mut self) -> anyhow::Result<()> {
        self.root = self.ask(Request::Prune)?;
        Ok(())
    }

    fn root(&self) -> Option<[u8; 32]> {
        Some(self.root)
    }

    fn read(&self, keys: &[Key]) -> anyhow::Result<Vec<Option<Value>>> {
        self.ask(|answer| Request::Read(keys.to_vec(), answer))
    }
}

impl Drop for Qmdb {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was already said on stderr.
            let _ = thread.join();
        }
    }
}

fn config(context: &Context, keys: u32) -> anyhow::Result<FixedConfig<EightCap, Rayon>> {
    let page = page_size(BLOB_PAGE_SIZE);
    let wanted = keys as usize * CACHE_BYTES_A_KEY / usize::from(page.get());
    let pages = NonZeroUsize::new(wanted.max(CACHE_PAGES_MIN)).context("a cache without pages")?;
    let page_cache = CacheRef::new(page, pages);
    Ok(FixedConfig {
        merkle_config: full::Config {
            journal_partition: "merkle-journal".into(),
            metadata_partition: "merkle-metadata".into(),
            items_per_blob: BLOB_ITEMS,
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
            strategy: context.strategy(threads()),
            page_cache: page_cache.clone(),
        },
        journal_config: JournalConfig {
            partition: "log".into(),
            items_per_blob: BLOB_ITEMS,
            page_cache,
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
        },
        grafted_metadata_partition: "grafted-metadata".into(),
        translator: EightCap,
        init_cache: Some(NZUsize!(1 << 18)),
        init_buffer: BUFFER_BYTES,
        init_concurrency: (),
    })
}

/// A module for a variant: they have the same functions, but no trait for them without the
/// features that are for the library's own tests.
macro_rules! variant {
    ($variant:ident) => {
        mod $variant {
            use super::*;

            type State = current::$variant::fixed::Db<
                mmb::Family,
                Context,
                Digest,
                Digest,
                Sha256,
                EightCap,
                CHUNK_BYTES,
                Rayon,
            >;

            pub(super) fn run(
                runner: Runner,
                keys: u32,
                opened: SyncSender<anyhow::Result<[u8; 32]>>,
                requests: Receiver<Request>,
            ) {
                runner.start(|context| async move {
                    match open(context, keys).await {
                        Ok(state) => {
                            // Nobody waits any more where sending fails, here and below.
                            let _ = opened.send(Ok(state.root().0));
                            serve(state, requests).await;
                        }
                        Err(error) => {
                            let _ = opened.send(Err(error));
                        }
                    }
                });
            }

            async fn open(context: Context, keys: u32) -> anyhow::Result<State> {
                let config = config(&context, keys)?;
                Ok(State::init(context.child("state"), config, None).await?)
            }

            /// Answers until nobody asks any more, or the store is lost to an error.
            async fn serve(mut state: State, requests: Receiver<Request>) {
                // Waiting here blocks no task: the root task of the runtime has a thread of its own.
                for request in requests {
                    let (changed, answer) = match request {
                        Request::Commit(updates, answer) => (commit(state, updates).await, answer),
                        Request::Prune(answer) => (prune(state).await, answer),
                        Request::Read(keys, answer) => {
                            let _ = answer.send(read(&state, keys).await);
                            continue;
                        }
                    };
                    match changed {
                        Ok(changed) => {
                            let _ = answer.send(Ok(changed.root().0));
                            state = changed;
                        }
                        Err(error) => {
                            let _ = answer.send(Err(error));
                            return;
                        }
                    }
                }
            }

            async fn commit(state: State, updates: Vec<Update>) -> anyhow::Result<State> {
                let mut batch = state.new_batch();
                for update in updates {
                    batch = batch.write(Digest(update.key), Some(Digest(update.value)));
                }
                let batch = batch.merkleize(&state, None, &mut Proportional).await?;
                Ok(state.apply_batch(batch).await?.commit().await?)
            }

            async fn prune(state: State) -> anyhow::Result<State> {
                let boundary = state.sync_boundary();
                Ok(state.prune(boundary).await?)
            }

            async fn read(state: &State, keys: Vec<Key>) -> anyhow::Result<Vec<Option<Value>>> {
                let keys: Vec<Digest> = keys.into_iter().map(Digest).collect();
                let found = state.get_many(&keys.iter().collect::<Vec<_>>()).await?;
                Ok(found.into_iter().map(|value| value.map(|value| value.0)).collect())
            }
        }
    };
}

variant!(ordered);
variant!(unordered);
