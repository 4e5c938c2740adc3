//! Hands what blocks change to the backend that keeps the state, on a thread of its own, so that
//! root and disk work runs beside the next block.
//!
//! ```text
//! commit(n) ─▶ queue ─▶ one group at a time ─▶ Backend::commit ─▶ head, durable head
//!      │
//!      └─▶ execute(n + 1), …
//! ```
//!
//! # Invariants
//! 1. Batches reach the backend in the order of their commits, each once
//!    (`tests/keeping.rs`).
//! 2. The queue is bounded: who is too far ahead waits.
//! 3. After a failure nothing more is handed over, and everybody who asks learns of it
//!    (`tests/keeping.rs`).

use crate::store::cache::Below;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use tollway_state::{Backend, BackendError, Found, Head, Height, Snapshot, WriteBatch};

/// Batches that may wait for the backend, and that it gets at once: enough for one to be made while
/// another is written, few enough to bound what a crash of the process loses.
const QUEUED_MAX: usize = 16;

/// Why the state is not kept any more. What was acknowledged before is; to go on, the runtime has to
/// be opened again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the state is not kept: {0}")]
pub struct KeepError(#[source] Arc<BackendError>);

impl KeepError {
    /// What the backend said.
    pub fn reason(&self) -> &BackendError {
        &self.0
    }
}

impl From<BackendError> for KeepError {
    fn from(error: BackendError) -> Self {
        Self(Arc::new(error))
    }
}

impl From<KeepError> for BackendError {
    fn from(error: KeepError) -> Self {
        Self::Failed { why: error.reason().to_string() }
    }
}

impl PartialEq for KeepError {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for KeepError {}

/// The backend of a runtime, for reading. Nothing is committed while it is held.
pub struct BackendRef<'a>(MutexGuard<'a, Box<dyn Backend>>);

impl std::ops::Deref for BackendRef<'_> {
    type Target = dyn Backend;

    fn deref(&self) -> &Self::Target {
        &**self.0
    }
}

impl std::fmt::Debug for BackendRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BackendRef").field(&self.0.head()).finish()
    }
}

/// How far the backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The last block that the backend has, with the root of the state after it.
    pub head: Head,
    /// The last block that a crash cannot take away.
    pub durable: Head,
}

struct Progress {
    queued: u64,
    done: u64,
    kept: Kept,
    failure: Option<KeepError>,
}

struct Shared {
    backend: Mutex<Box<dyn Backend>>,
    /// The state after what was committed last, if it is read from.
    snapshot: Option<Mutex<Arc<dyn Snapshot>>>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// The thread, and the way to it. Dropping it waits until all that was queued is committed.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    queue: Option<SyncSender<WriteBatch>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread, with a pool of so many threads for the backend's own work. `snapshot` is
    /// given where the state is to be read from the backend: see [`Self::below`].
    ///
    /// # Errors
    /// What the system says if there are no threads to be had.
    pub(crate) fn start(
        backend: Box<dyn Backend>,
        threads: usize,
        snapshot: Option<Box<dyn Snapshot>>,
    ) -> Result<Self, String> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("tollway-keeper-{number}"))
            .build()
            .map_err(|error| error.to_string())?;
        let kept = Kept { head: backend.head(), durable: backend.durable_head() };
        let progress = Progress { queued: 0, done: 0, kept, failure: None };
        let shared = Arc::new(Shared {
            backend: Mutex::new(backend),
            snapshot: snapshot.map(|snapshot| Mutex::new(Arc::from(snapshot))),
            progress: Mutex::new(progress),
            changed: Condvar::new(),
        });
        let (queue, batches) = sync_channel(QUEUED_MAX);
        let run = {
            let shared = Arc::clone(&shared);
            move || {
                // Whoever waits must learn of a backend that panicked, too.
                let keep = || shared.keep(&batches, &pool);
                if catch_unwind(AssertUnwindSafe(keep)).is_err() {
                    shared.fail(BackendError::Bug("the backend panicked"));
                }
            }
        };
        let thread = std::thread::Builder::new().name("tollway-keeper".into()).spawn(run);
        let thread = thread.map_err(|error| error.to_string())?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// How far the backend is.
    ///
    /// # Errors
    /// [`KeepError`] if it failed.
    pub(crate) fn kept(&self) -> Result<Kept, KeepError> {
        let progress = self.shared.progress.lock();
        progress.failure.clone().map_or(Ok(progress.kept), Err)
    }

    /// Queues a batch; waits while the queue is full.
    ///
    /// # Errors
    /// [`KeepError`] if an earlier one failed.
    pub(crate) fn send(&self, batch: WriteBatch) -> Result<(), KeepError> {
        {
            let mut progress = self.shared.progress.lock();
            if let Some(failure) = &progress.failure {
                return Err(failure.clone());
            }
            progress.queued += 1;
        }
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(batch).is_ok());
        // Without a receiver, the thread has failed since.
        if sent { Ok(()) } else { self.kept().map(|_| ()) }
    }

    /// Waits until the backend has all that was queued.
    ///
    /// # Errors
    /// [`KeepError`] if it failed.
    pub(crate) fn wait(&self) -> Result<Kept, KeepError> {
        let mut progress = self.shared.progress.lock();
        while progress.failure.is_none() && progress.done < progress.queued {
            self.shared.changed.wait(&mut progress);
        }
        progress.failure.clone().map_or(Ok(progress.kept), Err)
    }

    /// The backend, once it has all that was queued.
    ///
    /// # Errors
    /// [`KeepError`] if it failed.
    pub(crate) fn backend(&self) -> Result<BackendRef<'_>, KeepError> {
        self.lock().map(BackendRef)
    }

    fn lock(&self) -> Result<MutexGuard<'_, Box<dyn Backend>>, KeepError> {
        self.wait()?;
        Ok(self.shared.backend.lock())
    }

    /// Goes back to the state after `height`, and has reads see it.
    ///
    /// # Errors
    /// [`BackendError`] if there is no way back; [`BackendError::Failed`] if the backend failed
    /// before.
    pub(crate) fn rollback(&self, height: Height) -> Result<Head, BackendError> {
        let mut backend = self.lock()?;
        let history = backend.history_mut().ok_or(BackendError::Unsupported { what: "history" })?;
        let head = history.rollback(height)?;
        self.shared.renew(&**backend)?;
        self.shared.note(&**backend, Ok(()), 0)?;
        Ok(head)
    }

    /// Has the backend forget the past before `below`.
    ///
    /// # Errors
    /// [`KeepError`] if it failed, now or earlier.
    pub(crate) fn prune(&self, below: Height) -> Result<(), KeepError> {
        let mut backend = self.lock()?;
        let pruned = backend.prune(below);
        self.shared.note(&**backend, pruned, 0).map(|_| ())
    }

    /// Makes all that was queued durable.
    ///
    /// # Errors
    /// [`KeepError`] if the backend failed, now or earlier.
    pub(crate) fn flush(&self) -> Result<Kept, KeepError> {
        let mut backend = self.lock()?;
        let flushed = backend.flush();
        self.shared.note(&**backend, flushed.map(|_| ()), 0)
    }

    /// The state that the backend had at the last commit that it finished, for reading.
    pub(crate) fn below(&self) -> Arc<dyn Below> {
        Arc::clone(&self.shared) as Arc<dyn Below>
    }
}

impl Below for Shared {
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), KeepError> {
        let missing = BackendError::Bug("a state is read that is all in memory");
        let result = match &self.snapshot {
            Some(snapshot) => {
                let snapshot = Arc::clone(&snapshot.lock());
                snapshot.read_many(keys, found)
            }
            None => Err(missing),
        };
        result.map_err(|error| self.fail(error))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the backend was told by the thread's own message.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn keep(&self, batches: &Receiver<WriteBatch>, pool: &rayon::ThreadPool) {
        while let Ok(first) = batches.recv() {
            let group: Vec<_> =
                std::iter::once(first).chain(batches.try_iter().take(QUEUED_MAX - 1)).collect();
            let mut guard = self.backend.lock();
            let backend = &mut **guard;
            let result = pool.install(|| backend.commit(&group)).and_then(|_| self.renew(backend));
            let noted = self.note(backend, result, group.len() as u64);
            drop(guard);
            // What was queued is let go of with the receiver.
            if noted.is_err() {
                return;
            }
        }
    }

    /// Has reads see what was committed.
    fn renew(&self, backend: &dyn Backend) -> Result<(), BackendError> {
        if let Some(snapshot) = &self.snapshot {
            *snapshot.lock() = Arc::from(backend.snapshot()?);
        }
        Ok(())
    }

    /// Says how far the backend is, and what became of what it was asked for.
    fn note(
        &self,
        backend: &dyn Backend,
        result: Result<(), BackendError>,
        done: u64,
    ) -> Result<Kept, KeepError> {
        if let Err(error) = result {
            self.fail(error);
        }
        let mut progress = self.progress.lock();
        progress.done += done;
        progress.kept = Kept { head: backend.head(), durable: backend.durable_head() };
        self.changed.notify_all();
        progress.failure.clone().map_or(Ok(progress.kept), Err)
    }

    /// Notes a failure, and gives the first that there was.
    fn fail(&self, error: BackendError) -> KeepError {
        let mut progress = self.progress.lock();
        self.changed.notify_all();
        progress.failure.get_or_insert_with(|| error.into()).clone()
    }
}
