//! What a host chain embeds.

mod config;
mod deploy;
mod error;
mod keep;
mod run;

pub use config::{Config, OnMiss};
pub use deploy::{Instantiate, Upgrade};
pub use error::{ExecuteError, InstantiateError, RuntimeError, UpgradeError};
pub use keep::OpenError;
use run::BlockMemory;
pub use run::{BlockOutcome, BlockStats};

use crate::block::{Block, Gas, Height};
use crate::engine::artifact::{ARTIFACT_BYTES_MAX, ArtifactCache, ArtifactStats};
use crate::engine::code::{Code, CodeHash};
use crate::engine::config as engine_settings;
use crate::engine::gas::refused_gas;
use crate::engine::link::link;
use crate::execute::call::{CallContext, Outside, Task};
use crate::execute::host::HostState;
use crate::execute::pool::InstancePool;
use crate::keeper::{KeepError, Keeper, Kept};
use crate::receipt::{Failure, Receipt};
use crate::registry::Registry;
use crate::resolve::{bad_arguments, unknown_method};
use crate::state::{code_key, contract_entry, storage_key};
use crate::store::{MemoryStore, SHARDS, StoreError, Write, WriteBatch};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use tollway_host_api::Address;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::value::check_fields;
use wasmtime::{Engine, Linker};

/// A runtime over a state in memory.
pub struct Runtime {
    config: Config,
    engine: Engine,
    linker: Linker<HostState>,
    artifacts: Option<ArtifactCache>,
    /// The codes of the state.
    codes: BTreeMap<CodeHash, Arc<Code>>,
    /// All that were ever compiled here; after going back, some may not be of the state.
    compiled: BTreeMap<CodeHash, Arc<Code>>,
    keeper: Option<Keeper>,
    registry: Arc<Registry>,
    /// Stands in for the registry in contexts that run nothing, so that the real one has one owner
    /// when it changes.
    no_registry: Arc<Registry>,
    store: Arc<MemoryStore>,
    pool: rayon::ThreadPool,
    workers: Vec<Mutex<Option<Box<CallContext>>>>,
    /// What the last block left.
    memory: Mutex<Option<BlockMemory>>,
    /// Room for the writes of batches.
    room: Arc<Mutex<Vec<Vec<Write>>>>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("head", &self.head())
            .field("threads", &self.workers.len())
            .field("contracts", &self.registry.contracts().len())
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// Starts a runtime with an empty state at height 0.
    ///
    /// # Errors
    /// [`RuntimeError`] if the engine, the threads or the artifacts' directory can't be had, or a
    /// limit can't be kept.
    ///
    /// # Examples
    /// ```
    /// let runtime = tollway::Runtime::new(tollway::Config { threads: 1, ..Default::default() })?;
    /// assert_eq!(runtime.head(), tollway::Height(0));
    /// # Ok::<(), tollway::RuntimeError>(())
    /// ```
    pub fn new(mut config: Config) -> Result<Self, RuntimeError> {
        if config.limits.stack_units_max > engine_settings::STACK_UNITS_CEILING {
            return Err(RuntimeError::Limit {
                name: "stack_units_max",
                value: config.limits.stack_units_max.into(),
                most: engine_settings::STACK_UNITS_CEILING.into(),
            });
        }
        let engine_error =
            |error: wasmtime::Error| RuntimeError::Engine { reason: format!("{error:#}") };
        let engine_config =
            engine_settings::engine_config(config.compiler).map_err(engine_error)?;
        let engine = Engine::new(&engine_config).map_err(engine_error)?;
        let mut linker = Linker::new(&engine);
        link::<HostState>(&mut linker).map_err(engine_error)?;
        if config.artifact_bytes_max == 0 {
            config.artifact_bytes_max = ARTIFACT_BYTES_MAX;
        }
        let artifacts = match &config.artifact_dir {
            Some(directory) => Some(ArtifactCache::open(
                directory,
                config.artifact_bytes_max,
                &engine,
                config.compiler,
            )?),
            None => None,
        };
        if config.threads == 0 {
            config.threads = std::thread::available_parallelism().map_or(1, usize::from);
        }
        let threads = config.threads;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("tollway-{number}"))
            .stack_size(engine_settings::thread_stack_bytes(&config.limits))
            .build()
            .map_err(|error| RuntimeError::Threads { threads, reason: error.to_string() })?;
        let no_registry = Arc::<Registry>::default();
        let limits = Arc::new(config.limits.clone());
        let reset = config.reset();
        let workers = (0..threads)
            .map(|_| {
                let pool = InstancePool::new(limits.instances_max, reset);
                let (registry, limits) = (Arc::clone(&no_registry), Arc::clone(&limits));
                Mutex::new(Some(Box::new(CallContext::new(pool, registry, limits))))
            })
            .collect();
        Ok(Self {
            store: Arc::new(MemoryStore::new(config.limits.history_max)),
            registry: Arc::default(),
            artifacts,
            codes: BTreeMap::new(),
            compiled: BTreeMap::new(),
            keeper: None,
            config,
            engine,
            linker,
            no_registry,
            pool,
            workers,
            memory: Mutex::new(None),
            room: Arc::default(),
        })
    }

    /// The height of the last committed block; 0 before the first.
    pub fn head(&self) -> Height {
        self.store.head()
    }

    /// How this runtime is set up; `threads` and `artifact_bytes_max` are the real numbers.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the artifact cache did so far, if there is one: hits, files refused, trouble with the
    /// disk, which never fails an upload.
    pub fn artifact_stats(&self) -> Option<&ArtifactStats> {
        self.artifacts.as_ref().map(ArtifactCache::stats)
    }

    /// All contracts.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The code of a hash, if it was uploaded.
    pub fn code(&self, hash: &CodeHash) -> Option<&Arc<Code>> {
        self.codes.get(hash)
    }

    /// All uploaded codes, by hash.
    pub fn codes(&self) -> impl Iterator<Item = &Arc<Code>> {
        self.codes.values()
    }

    /// The engine that compiled the codes, for the oracle.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn prepare_context(&self, ctx: &mut CallContext, block: &Block) {
        ctx.registry = Arc::clone(&self.registry);
        ctx.height = block.height;
        ctx.time_ms = block.time_ms;
        ctx.seed = block.seed;
    }

    /// The store, to be changed.
    fn owned(store: &mut Arc<MemoryStore>) -> &mut MemoryStore {
        // Contexts give their share back before `execute` and `query` return.
        Arc::get_mut(store).expect("nobody else holds the store between blocks")
    }

    /// Lets go of what a block shares, so that it has one owner again.
    pub(super) fn park_context(&self, ctx: &mut CallContext) {
        ctx.clear();
        ctx.outside = Outside::GiveUp;
        ctx.registry = Arc::clone(&self.no_registry);
    }

    /// Makes a block's changes the state, and its height the head.
    ///
    /// Where a backend keeps the state, it gets them on another thread, while the next block runs: a
    /// crash may lose the block until [`Self::kept`] says that it is durable. [`Self::flush`] waits
    /// for that. Who is more than some thirty blocks ahead of the backend waits here.
    ///
    /// # Errors
    /// [`StoreError::ForeignBatch`] if the batch was made from another state than the head's; the
    /// state is as before. [`StoreError::Keep`] if the backend failed, at this batch or an earlier
    /// one: the runtime has to be opened again.
    #[inline(never)] // A phase of its own, also for profilers: `cargo xtask instructions`.
    pub fn commit(&mut self, mut batch: WriteBatch) -> Result<Height, StoreError> {
        self.store.check(&batch)?;
        let kept = self.kept_batch(&mut batch)?;
        self.fetch_for(&batch)?;
        let store = Self::owned(&mut self.store);
        let forgotten = self.pool.install(|| store.commit(batch))?;
        if let (Some(keeper), Some(kept)) = (&self.keeper, kept) {
            keeper.send(kept)?;
            Self::owned(&mut self.store).evict(keeper.kept()?.head.height);
        }
        let room = Arc::clone(&self.room);
        let keep = move || {
            let parts = forgotten.into_room();
            let mut room = room.lock();
            // As much as one batch can use.
            room.extend(parts);
            room.truncate(SHARDS);
        };
        if self.workers.len() > 1 {
            // Beside whatever the chain does next.
            self.pool.spawn(keep);
        } else {
            keep();
        }
        Ok(self.head())
    }

    /// Runs a call on the head's state and drops its changes. Gas is limited by
    /// [`Limits::call_gas_max`](crate::Limits::call_gas_max); the caller is [`Address::ZERO`], the
    /// height the head's, time and seed are zero: for what depends on the time, see
    /// [`Self::query_at`].
    ///
    /// # Errors
    /// [`ExecuteError::Store`] if the state can't be read, and [`ExecuteError::Bug`]: what a wrong call
    /// leads to is in its receipt.
    pub fn query(
        &self,
        contract: Address,
        method: &str,
        args: &[u8],
    ) -> Result<Receipt, ExecuteError> {
        self.query_at(0, contract, method, args)
    }

    /// The same at a time of the caller's choice, in milliseconds: that of the last block shows what
    /// calls found in it, a later one what they would find if nothing happened until then.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn query_at(
        &self,
        time_ms: u64,
        contract: Address,
        method: &str,
        args: &[u8],
    ) -> Result<Receipt, ExecuteError> {
        let gas_limit = Gas(self.config.limits.call_gas_max);
        let refuse = |failure| Ok(Receipt::failed(failure, refused_gas(gas_limit), 0));
        if let Some(failure) = self.config.limits.arguments_failure(args) {
            return refuse(failure);
        }
        let Some(index) = self.registry.find(&contract) else {
            return refuse(Failure::UnknownContract { contract });
        };
        let methods = &self.registry.contract(index).code.abi.methods;
        let found = methods.iter().position(|found| found.name == method);
        let Some(number) = found.filter(|_| method != INIT_METHOD) else {
            return refuse(unknown_method(contract, method));
        };
        if let Err(error) = check_fields(&methods[number].params, args) {
            return refuse(bad_arguments(method, error));
        }
        let caller = Address::ZERO;
        let task = Task {
            call_index: 0,
            caller,
            contract: index,
            method: number,
            args,
            resolve_steps: 0,
            gas_limit,
        };
        let (receipt, _) = self
            .run_alone(task, time_ms)
            .map_err(|bug| self.failure().map_or(ExecuteError::Bug(bug), ExecuteError::Store))?;
        Ok(receipt)
    }

    /// A contract's stored value, as raw bytes; `key` is what the contract hands to the host.
    ///
    /// # Errors
    /// [`KeepError`] if it has to be read from the backend and can't be.
    pub fn storage(&self, contract: Address, key: &[u8]) -> Result<Option<Vec<u8>>, KeepError> {
        let Some(index) = self.registry.find(&contract) else {
            return Ok(None);
        };
        Ok(self.store.read(&self.registry, index, key)?.map(|value| value.to_vec()))
    }

    /// A contract's stored value after a height: one of the last
    /// [`Limits::history_max`](crate::Limits::history_max), which are in memory, or any that the
    /// backend's history goes back to, for which this waits until it has all that was committed.
    ///
    /// # Errors
    /// [`StoreError::UnknownHeight`] if that height is not remembered; [`StoreError::Keep`] if the
    /// backend fails.
    pub fn storage_at(
        &self,
        height: Height,
        contract: Address,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(index) = self.registry.find(&contract) else {
            return Ok(None);
        };
        match self.store.get_at(height, &self.registry, index, key) {
            Err(StoreError::UnknownHeight { oldest, .. }) if height < oldest => {
                self.read_past(height, oldest, &storage_key(&contract, key))
            }
            value => Ok(value?.map(|value| value.to_vec())),
        }
    }

    /// The whole state in key order, as [`state`](crate::state) lays it out. Copies it: for tests, the oracle
    /// and small states.
    ///
    /// # Errors
    /// [`KeepError`] if it has to be read from the backend and can't be.
    pub fn state_entries(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, KeepError> {
        if let Some(backend) = self.backend()?.filter(|_| self.store.is_cache()) {
            let mut entries = BTreeMap::new();
            backend.snapshot()?.prefix(&[], &mut |key, value| {
                entries.insert(key.to_vec(), value.to_vec());
                ControlFlow::Continue(())
            })?;
            return Ok(entries);
        }
        let codes = self.codes.values().map(|code| (code_key(&code.hash), code.wasm.to_vec()));
        let contracts = self.registry.contracts().iter().map(contract_entry);
        let storage = self.store.entries().map(|(contract, key, value)| {
            let address = &self.registry.contract(contract).address;
            (storage_key(address, key), value.to_vec())
        });
        Ok(codes.chain(contracts).chain(storage).collect())
    }
}
