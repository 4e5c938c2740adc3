//! The state beyond this process: opening it from a backend, handing changes to it, going back.
//!
//! ```text
//! open ◀── every entry: codes compiled, contracts, values     backend at some height
//! commit ─▶ keeper's queue ─▶ backend, its root and its disk  beside the next block
//! ```
//!
//! The store in memory holds all of the state, and the backend is read at the start alone; or it
//! holds a part ([`crate::store::cache`]), and what else a block names is read when it comes.

use super::{KeepError, Kept, Runtime, RuntimeError};
use crate::block::Height;
use crate::engine::code::CodeHash;
use crate::engine::validate::UploadError;
use crate::keeper::{BackendRef, Keeper};
use crate::registry::{Contract, Registry};
use crate::state::{self, CODE, CONTRACT, STORAGE, push_storage_key};
use crate::store::cache::StateKeys;
use crate::store::{FOUND_AT_ONCE, MemoryStore, Place, StoreError, WriteBatch};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use tollway_host_api::Address;
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::value::{DecodeError, check_fields};
use tollway_state::{Backend, BackendError, Head, Root, Snapshot, key_hex};

/// Why a kept state could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The runtime itself could not be set up.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The backend could not be read.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A code of the state is refused: by other limits than those it was uploaded under, or because
    /// it is not the module that its key names.
    #[error("code {code}: {error}")]
    Code {
        /// Its hash.
        code: CodeHash,
        /// Why.
        error: UploadError,
    },
    /// The immutables of a contract are not what its code declares.
    #[error("immutables of contract {contract}: {error}")]
    Immutables {
        /// Where it is.
        contract: Address,
        /// What is wrong.
        error: DecodeError,
    },
    /// An entry is none that a runtime has written.
    #[error("entry {} is {what}", key_hex(.key))]
    Foreign {
        /// Its key.
        key: Vec<u8>,
        /// What it is.
        what: &'static str,
    },
    /// The state is larger than the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is done with each entry, until an error.
type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<(), OpenError>;

/// The entries of a state at one height.
struct Entries<'b> {
    snapshot: &'b dyn Snapshot,
    /// What the height has in other words than the snapshot: values, or nothing.
    others: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl<'b> Entries<'b> {
    /// Those after `height`, on a snapshot of the backend.
    fn at(
        backend: &dyn Backend,
        snapshot: &'b dyn Snapshot,
        height: Height,
    ) -> Result<Self, BackendError> {
        let mut others = BTreeMap::new();
        let head = snapshot.head().height;
        if height != head {
            let history = backend.history().ok_or(BackendError::Unsupported { what: "history" })?;
            if height < history.oldest() || height > head {
                let oldest = history.oldest();
                return Err(BackendError::UnknownHeight { height, oldest, head });
            }
            for later in (height.0 + 1..=head.0).rev() {
                history.changes(Height(later), &mut |change| {
                    others.insert(change.key.to_vec(), change.old.map(<[u8]>::to_vec));
                    ControlFlow::Continue(())
                })?;
            }
        }
        Ok(Self { snapshot, others })
    }

    /// Refuses a state with entries of no kind that is known.
    fn check_kinds(&self) -> Result<(), OpenError> {
        let mut unknown = None;
        let mut visit = |key: &[u8], _: &[u8]| {
            unknown = Some(key.to_vec());
            ControlFlow::Break(())
        };
        let (first, after) = ([CODE], [STORAGE + 1]);
        self.snapshot.range(Bound::Unbounded, Bound::Excluded(&first), &mut visit)?;
        self.snapshot.range(Bound::Included(&after), Bound::Unbounded, &mut visit)?;
        let what = "of no kind that is known";
        unknown.map_or(Ok(()), |key| Err(OpenError::Foreign { key, what }))
    }

    /// Visits those whose keys start with `first`, until an error.
    fn visit(&self, first: u8, visit: Visit<'_>) -> Result<(), OpenError> {
        let mut failure = None;
        let mut step = |key: &[u8], value: &[u8]| match visit(key, value) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        self.snapshot.prefix(&[first], &mut |key, value| match self.others.get(key) {
            Some(_) => ControlFlow::Continue(()),
            None => step(key, value),
        })?;
        let others = self.others.range(vec![first]..vec![first + 1]);
        let _ = others
            .filter_map(|(key, value)| Some((key, value.as_ref()?)))
            .try_for_each(|(key, value)| step(key, value));
        failure.map_or(Ok(()), Err)
    }
}

impl Runtime {
    /// Opens a runtime on the state that a backend keeps, and has every later change kept there.
    ///
    /// Reads the whole state into memory, or where [`Config::cache_keys_max`](crate::Config::cache_keys_max)
    /// is set, the contracts alone; and compiles its codes unless
    /// [`Config::artifact_dir`](crate::Config::artifact_dir) has their native code; that is the
    /// backend's own directory where none is set. Commits reach the backend on a thread of its own:
    /// see [`Self::kept`] and [`Self::flush`].
    ///
    /// # Errors
    /// [`OpenError`] if the runtime can't be set up, or the state can't be read or is not that of a
    /// runtime.
    ///
    /// # Examples
    /// ```
    /// use tollway::{Config, Runtime, kept_state::MemoryBackend};
    /// let backend = Box::new(MemoryBackend::new());
    /// let runtime = Runtime::open(Config { threads: 1, ..Config::default() }, backend)?;
    /// assert_eq!(runtime.kept()?.map(|kept| kept.head.height), Some(tollway::Height(0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(mut config: super::Config, backend: Box<dyn Backend>) -> Result<Self, OpenError> {
        if config.artifact_dir.is_none() {
            config.artifact_dir = backend.artifact_dir().map(Into::into);
        }
        let mut runtime = Self::new(config)?;
        runtime.load(&*backend, backend.head().height)?;
        let threads = runtime.config.threads;
        let snapshot = match runtime.config.cache_keys_max {
            0 => None,
            _ => Some(backend.snapshot()?),
        };
        let keeper = Keeper::start(backend, threads, snapshot)
            .map_err(|reason| RuntimeError::Threads { threads, reason })?;
        runtime.keeper = Some(keeper);
        runtime.read_below();
        Ok(runtime)
    }

    /// A runtime on the state that a backend had after `height`, in memory alone: what it commits
    /// is kept nowhere. For replaying blocks of the past.
    ///
    /// # Errors
    /// [`OpenError`] as for [`Self::open`]; [`BackendError::UnknownHeight`] if the height is not
    /// kept.
    pub fn at(
        config: super::Config,
        backend: &dyn Backend,
        height: Height,
    ) -> Result<Self, OpenError> {
        let mut runtime = Self::new(super::Config { cache_keys_max: 0, ..config })?;
        runtime.load(backend, height)?;
        Ok(runtime)
    }

    /// Has the store read from the backend what it does not hold, if it is to hold a part only.
    fn read_below(&mut self) {
        if let (Some(keeper), keys_max @ 1..) = (&self.keeper, self.config.cache_keys_max) {
            Self::owned(&mut self.store).cache(keeper.below(), keys_max);
        }
    }

    /// Fetches the keys of a batch that the store does not know: what they held belongs to the past.
    pub(super) fn fetch_for(&mut self, batch: &WriteBatch) -> Result<(), StoreError> {
        if !self.store.is_cache() {
            return Ok(());
        }
        let writes = batch.parts.iter().flatten();
        let named = writes.filter_map(|write| match &write.place {
            Place::Key(named) => Some((named.0, &*named.1)),
            Place::Slot(_) => None,
        });
        let mut keys = StateKeys::default();
        named.clone().for_each(|(contract, key)| keys.push(&self.registry, contract, key));
        Self::owned(&mut self.store).fetch(&keys, named, |_, _| ())
    }

    /// What the backend failed with, if that is why a run could not be finished.
    pub(super) fn failure(&self) -> Option<StoreError> {
        self.kept().err().map(StoreError::Keep)
    }

    /// Makes the state of a height that of the runtime.
    fn load(&mut self, backend: &dyn Backend, height: Height) -> Result<(), OpenError> {
        let snapshot = backend.snapshot()?;
        let entries = Entries::at(backend, &*snapshot, height)?;
        let mut codes = BTreeMap::new();
        entries.visit(CODE, &mut |key, wasm| {
            let foreign = |what| OpenError::Foreign { key: key.to_vec(), what };
            let hash = <[u8; 32]>::try_from(&key[1..]).map_err(|_| foreign("no code's"))?;
            let hash = CodeHash(hash);
            if CodeHash::of(wasm) != hash {
                return Err(foreign("not the module that its key names"));
            }
            let code = self.compile(hash, wasm);
            codes.insert(hash, code.map_err(|error| OpenError::Code { code: hash, error })?);
            Ok(())
        })?;
        let mut registry = Registry::default();
        entries.visit(CONTRACT, &mut |key, value| {
            let foreign = |what| OpenError::Foreign { key: key.to_vec(), what };
            let address = <[u8; 32]>::try_from(&key[1..]).map_err(|_| foreign("no contract's"))?;
            let contract = Address(address);
            let (hash, immutables) =
                value.split_first_chunk().ok_or_else(|| foreign("a contract without code"))?;
            let code = codes.get(&CodeHash(*hash));
            let code = code.ok_or_else(|| foreign("a contract of a code that is not there"))?;
            check_fields(&code.abi.immutables, immutables)
                .map_err(|error| OpenError::Immutables { contract, error })?;
            registry.insert(Contract::new(contract, Arc::clone(code), immutables.into()));
            Ok(())
        })?;
        entries.check_kinds()?;
        let mut store = MemoryStore::new(self.config.limits.history_max);
        store.start_at(height);
        // Entries come in the order of their contracts.
        let mut last = None;
        let mut put = |key: &[u8], value: &[u8]| {
            let foreign = |what| OpenError::Foreign { key: key.to_vec(), what };
            let (address, key) =
                key[1..].split_first_chunk::<32>().ok_or_else(|| foreign("no contract's"))?;
            if key.is_empty() || key.len() > KEY_BYTES_MAX {
                return Err(foreign("none that a contract can have"));
            }
            if last.is_none_or(|(known, _)| known != *address) {
                let index = registry.find(&Address(*address));
                last = Some((*address, index.ok_or_else(|| foreign("a missing contract's"))?));
            }
            let contract = last.map_or(0, |(_, index)| index);
            Ok(store.put(contract, key, value)?)
        };
        if self.config.cache_keys_max == 0 {
            entries.visit(STORAGE, &mut put)?;
        }
        // Contexts give their shares back before a block or a query ends; see `commit`.
        (self.codes, self.registry, self.store) = (codes, Arc::new(registry), Arc::new(store));
        *self.memory.lock() = None;
        Ok(())
    }

    /// How far the backend is, if there is one. Does not wait.
    ///
    /// # Errors
    /// [`KeepError`] if it failed.
    pub fn kept(&self) -> Result<Option<Kept>, KeepError> {
        self.keeper.as_ref().map(Keeper::kept).transpose()
    }

    /// Waits until all that was committed is durable, and says how far that is; `None` without a
    /// backend.
    ///
    /// # Errors
    /// [`KeepError`] if the backend failed.
    pub fn flush(&self) -> Result<Option<Kept>, KeepError> {
        self.keeper.as_ref().map(Keeper::flush).transpose()
    }

    /// The backend, for reading: proofs, history, snapshots. Waits until it has all that was
    /// committed, and holds back what is committed next while it is held. `None` without one.
    ///
    /// # Errors
    /// [`KeepError`] if it failed.
    pub fn backend(&self) -> Result<Option<BackendRef<'_>>, KeepError> {
        self.keeper.as_ref().map(Keeper::backend).transpose()
    }

    /// The value of a state key after a height that is older than those in memory.
    pub(super) fn read_past(
        &self,
        height: Height,
        oldest: Height,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let unknown = |oldest| StoreError::UnknownHeight { height, oldest, head: self.head() };
        let backend = self.backend()?.ok_or(unknown(oldest))?;
        let history = backend.history().ok_or(unknown(oldest))?;
        match history.read_at(height, key) {
            Err(BackendError::UnknownHeight { oldest, .. }) => Err(unknown(oldest)),
            value => Ok(value.map_err(KeepError::from)?),
        }
    }

    /// Keys that the store in memory holds, also some that have no value.
    pub fn keys_in_memory(&self) -> usize {
        self.store.len()
    }

    /// The root of the state at the head. Waits for the backend, or without one, hashes the whole
    /// state.
    ///
    /// # Errors
    /// [`KeepError`] if the backend failed.
    pub fn state_root(&self) -> Result<Root, KeepError> {
        match &self.keeper {
            Some(keeper) => Ok(keeper.wait()?.head.root),
            None => {
                let entries = self.state_entries()?;
                Ok(self.pool.install(|| state::root_of(entries)))
            }
        }
    }

    /// Goes back to the state after `height`, and has the backend forget all that came later.
    /// Durable on return. Reads the whole state again.
    ///
    /// # Errors
    /// [`OpenError::Backend`] if there is no backend, it has no history, or the height is not
    /// kept: nothing changed. After any other error the runtime has to be opened again.
    pub fn rollback(&mut self, height: Height) -> Result<Head, OpenError> {
        let unsupported = BackendError::Unsupported { what: "history" };
        let Some(keeper) = self.keeper.take() else { return Err(unsupported.into()) };
        let result = (|| {
            let head = keeper.rollback(height)?;
            self.load(&*keeper.backend().map_err(BackendError::from)?, height)?;
            Ok(head)
        })();
        self.keeper = Some(keeper);
        self.read_below();
        result
    }

    /// Has the backend forget the past before `below`: heights that are in memory can still be
    /// read.
    ///
    /// # Errors
    /// [`KeepError`] if the backend failed.
    pub fn prune(&self, below: Height) -> Result<(), KeepError> {
        self.keeper.as_ref().map_or(Ok(()), |keeper| keeper.prune(below))
    }

    /// The changes of a batch as the backend gets them; `None` without one.
    pub(super) fn kept_batch(
        &self,
        batch: &mut WriteBatch,
    ) -> Result<Option<tollway_state::WriteBatch>, KeepError> {
        // Before anything is applied here that the backend will not take.
        if self.kept()?.is_none() {
            return Ok(None);
        }
        let (count, bytes) = (batch.len() + batch.others.len(), 96 * batch.len());
        let mut kept = tollway_state::WriteBatch::with_capacity(batch.height, count, bytes);
        for (key, value) in &batch.others {
            kept.put(key, value)?;
        }
        let mut state_key = Vec::new();
        for writes in batch.parts.iter().flat_map(|part| part.chunks(FOUND_AT_ONCE)) {
            self.store.prefetch(writes);
            for write in writes {
                let (contract, key) = match &write.place {
                    Place::Slot(slot) => self.store.name(*slot),
                    Place::Key(named) => (named.0, &*named.1),
                };
                state_key.clear();
                push_storage_key(&mut state_key, &self.registry.contract(contract).address, key);
                match &write.value {
                    Some(value) => kept.put(&state_key, value)?,
                    None => kept.remove(&state_key)?,
                }
            }
        }
        if let Some(block) = batch.block.take() {
            kept.set_block(block)?;
        }
        Ok(Some(kept))
    }

    /// Hands an entry to the backend, if there is one, as a change at this height.
    pub(super) fn keep_entry(
        &self,
        height: Height,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), KeepError> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let mut batch = tollway_state::WriteBatch::new(height);
        batch.put(key, value)?;
        keeper.send(batch)
    }
}
