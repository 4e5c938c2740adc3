//! What a host chain embeds.

use crate::block::{Block, Gas, Height};
use crate::bytes::Bytes;
use crate::commit::{batch_of_lanes, batch_of_overlay};
use crate::engine::code::{Code, CodeHash};
use crate::engine::config::{self, Compiler};
use crate::engine::gas::refused_gas;
use crate::engine::link::link;
use crate::engine::validate::{UploadError, prepare};
use crate::execute::call::{self, CallContext, Change, Outside, RunEnd, Task};
use crate::execute::host::HostState;
use crate::execute::overlay::Overlay;
use crate::execute::pool::InstancePool;
use crate::execute::{LaneResult, LanesOutcome, run_lanes};
use crate::limits::Limits;
use crate::plan::keys::KeyIndex;
use crate::plan::report::{self, Timings};
use crate::plan::{Plan, plan};
use crate::receipt::{Failure, Outcome, Receipt};
use crate::registry::{Contract, ContractIndex, Registry};
use crate::repair;
use crate::resolve::{BlockTooLarge, Resolved, Target, bad_arguments, resolve, unknown_method};
use crate::store::digest::{self, StateDigest};
use crate::store::{MemoryStore, StoreError, Write, WriteBatch};
use crate::trace::BlockTrace;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tollway_host_api::Address;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::value::{DecodeError, check_fields};
use wasmtime::{Engine, Linker, Module};

/// What happens to a call that touches a key outside its access set. Part of a chain's rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMiss {
    /// It runs again at its place and pays a surcharge; its result is the serial one.
    #[default]
    Repair,
    /// It fails with [`Failure::Undeclared`], and is charged its whole gas limit.
    Fail,
}

/// How a runtime is set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Worker threads. Default 0: as many as the machine has cores. Changes no result.
    pub threads: usize,
    /// Which of Wasmtime's compilers. Default Cranelift. Changes no result.
    pub compiler: Compiler,
    /// The bounds on guests and blocks. Part of a chain's rules.
    pub limits: Limits,
    /// What a miss leads to. Part of a chain's rules.
    pub on_miss: OnMiss,
    /// Whether [`Runtime::execute`] records a trace. Default off; costs about 100 ns a call.
    pub trace: bool,
}

/// Why a runtime could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The engine does not work on this machine, or not with this compiler.
    #[error("engine could not be set up: {reason}")]
    Engine {
        /// What the engine said.
        reason: String,
    },
    /// The worker threads could not be started.
    #[error("{threads} worker threads could not be started: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// A limit is outside what the engine can keep.
    #[error("limit {name} is {value}, most is {most}")]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The most that it may be.
        most: u64,
    },
}

/// Why a block could not be executed. A call that traps, reverts or runs out of gas is not an
/// error: that outcome is its [`Receipt`]. Nothing of the block remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecuteError {
    /// The block does not follow the head.
    #[error("block has height {block}, the head has {head}")]
    WrongHeight {
        /// Height of the block.
        block: Height,
        /// Height of the head.
        head: Height,
    },
    /// The block has too many calls.
    #[error("block has {calls} calls, limit is {limit}")]
    TooManyCalls {
        /// How many it has.
        calls: usize,
        /// The limit.
        limit: usize,
    },
    /// The access sets of the block are too large together.
    #[error(transparent)]
    TooLarge(#[from] BlockTooLarge),
    /// The runtime broke its own invariant. A bug: please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

/// Why a contract could not be instantiated. Nothing of it remains.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstantiateError {
    /// No code of this hash was uploaded.
    #[error("no code {code}")]
    UnknownCode {
        /// The hash.
        code: CodeHash,
    },
    /// The same creator has instantiated the same code with the same salt and immutables.
    #[error("address {address} is taken")]
    AddressTaken {
        /// The address.
        address: Address,
    },
    /// The immutables do not decode as the contract declares them.
    #[error("immutables of {contract}: {error}")]
    BadImmutables {
        /// The contract's name.
        contract: String,
        /// What is wrong.
        error: DecodeError,
    },
    /// The immutables are too long.
    #[error("immutables have {size} bytes, limit is {limit}")]
    ImmutablesTooLarge {
        /// Their size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The contract has no `init`, so it takes no arguments.
    #[error("contract {contract} has no init method, but {size} bytes of arguments were given")]
    NoInit {
        /// The contract's name.
        contract: String,
        /// Bytes of the arguments.
        size: usize,
    },
    /// Its `init` did not succeed.
    #[error("init of {contract} failed: {}", describe(.receipt))]
    InitFailed {
        /// The contract's name.
        contract: String,
        /// The receipt of `init`.
        receipt: Box<Receipt>,
    },
    /// The state could not be changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The runtime broke its own invariant. A bug: please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

fn describe(receipt: &Receipt) -> String {
    match &receipt.outcome {
        Outcome::Returned(_) => "it succeeded".to_owned(),
        Outcome::Reverted { error, .. } => format!("reverted with {:?}", Bytes::new(error)),
        Outcome::Failed(failure) => failure.to_string(),
    }
}

/// A contract to be made from uploaded code.
#[derive(Clone, Debug)]
pub struct Instantiate {
    /// The code.
    pub code: CodeHash,
    /// Who makes it: the caller of its `init`.
    pub creator: Address,
    /// Tells apart contracts that one creator makes from one code with the same immutables.
    pub salt: u64,
    /// The borsh-encoded values of its immutables, one after another.
    pub immutables: Vec<u8>,
    /// The borsh-encoded arguments of its `init`; empty if it has none.
    pub args: Vec<u8>,
    /// The most gas that `init` may use.
    pub gas_limit: Gas,
}

/// What became of a block. The state changes when `batch` is committed.
#[derive(Debug)]
pub struct BlockOutcome {
    /// One receipt a call, in block order.
    pub receipts: Vec<Receipt>,
    /// The changes of the block.
    pub batch: WriteBatch,
    /// Figures of the run. Not part of the result.
    pub stats: BlockStats,
    /// The trace, if [`Config::trace`] asks for one. Not part of the result.
    pub trace: Option<BlockTrace>,
}

/// Figures of a block's run; times in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct BlockStats {
    /// Finding every call's keys.
    pub resolve_ns: u64,
    /// Placing versions and fetching the parent state.
    pub plan_ns: u64,
    /// The lanes.
    pub execute_ns: u64,
    /// Repair, and building the batch.
    pub repair_ns: u64,
    /// Calls that ran again.
    pub repaired: u32,
}

/// A runtime over a state in memory.
pub struct Runtime {
    config: Config,
    engine: Engine,
    linker: Linker<HostState>,
    codes: BTreeMap<CodeHash, Arc<Code>>,
    registry: Arc<Registry>,
    /// Stands in for the registry in contexts that run nothing, so that the real one has one owner
    /// when it changes.
    no_registry: Arc<Registry>,
    store: Arc<MemoryStore>,
    pool: rayon::ThreadPool,
    workers: Vec<Mutex<Option<Box<CallContext>>>>,
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
    /// [`RuntimeError`] if the engine or the threads can't be had, or a limit can't be kept.
    ///
    /// # Examples
    /// ```
    /// let runtime = tollway::Runtime::new(tollway::Config { threads: 1, ..Default::default() })?;
    /// assert_eq!(runtime.head(), tollway::Height(0));
    /// # Ok::<(), tollway::RuntimeError>(())
    /// ```
    pub fn new(mut config: Config) -> Result<Self, RuntimeError> {
        if config.limits.stack_units_max > config::STACK_UNITS_CEILING {
            return Err(RuntimeError::Limit {
                name: "stack_units_max",
                value: config.limits.stack_units_max.into(),
                most: config::STACK_UNITS_CEILING.into(),
            });
        }
        let engine_error =
            |error: wasmtime::Error| RuntimeError::Engine { reason: format!("{error:#}") };
        let engine_config = config::engine_config(config.compiler).map_err(engine_error)?;
        let engine = Engine::new(&engine_config).map_err(engine_error)?;
        let mut linker = Linker::new(&engine);
        link::<HostState>(&mut linker).map_err(engine_error)?;
        if config.threads == 0 {
            config.threads = std::thread::available_parallelism().map_or(1, usize::from);
        }
        let threads = config.threads;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("tollway-{number}"))
            .stack_size(config::thread_stack_bytes(&config.limits))
            .build()
            .map_err(|error| RuntimeError::Threads { threads, reason: error.to_string() })?;
        let no_registry = Arc::<Registry>::default();
        let limits = Arc::new(config.limits.clone());
        let workers = (0..threads)
            .map(|_| {
                let pool = InstancePool::new(limits.instances_max);
                let (registry, limits) = (Arc::clone(&no_registry), Arc::clone(&limits));
                Mutex::new(Some(Box::new(CallContext::new(pool, registry, limits))))
            })
            .collect();
        Ok(Self {
            store: Arc::new(MemoryStore::new(config.limits.history_max)),
            registry: Arc::default(),
            codes: BTreeMap::new(),
            config,
            engine,
            linker,
            no_registry,
            pool,
            workers,
        })
    }

    /// The height of the last committed block; 0 before the first.
    pub fn head(&self) -> Height {
        self.store.head()
    }

    /// How this runtime is set up; `threads` is the real number.
    pub fn config(&self) -> &Config {
        &self.config
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

    /// Checks, compiles and keeps a module. Uploading what is there already changes nothing.
    ///
    /// Takes about a millisecond for each kilobyte of Wasm.
    ///
    /// # Errors
    /// [`UploadError`] names what is wrong; nothing was stored.
    pub fn upload(&mut self, wasm: &[u8]) -> Result<CodeHash, UploadError> {
        if wasm.len() > self.config.limits.module_bytes_max {
            let (size, limit) = (wasm.len(), self.config.limits.module_bytes_max);
            return Err(UploadError::ModuleTooLarge { size, limit });
        }
        let hash = CodeHash::of(wasm);
        if self.codes.contains_key(&hash) {
            return Ok(hash);
        }
        let prepared = prepare(wasm, &self.config.limits)?;
        let compile_error =
            |error: wasmtime::Error| UploadError::Compile { reason: format!("{error:#}") };
        let module = Module::new(&self.engine, &prepared.wasm).map_err(compile_error)?;
        let linked = self.linker.instantiate_pre(&module).map_err(compile_error)?;
        let code = Code {
            hash,
            abi: prepared.abi,
            index: self.codes.len(),
            module,
            linked,
            mutable_globals: prepared.mutable_globals,
            depth_global: prepared.depth_global,
            stack_units_max: self.config.limits.stack_units_max,
            memory_pages_min: prepared.memory_pages_min,
            image: OnceLock::new(),
        };
        self.codes.insert(hash, Arc::new(code));
        Ok(hash)
    }

    /// Makes a contract from uploaded code and runs its `init`, if it has one. The change belongs
    /// to the state at the head's height.
    ///
    /// # Errors
    /// [`InstantiateError`] says why not; nothing was stored.
    pub fn instantiate(&mut self, request: Instantiate) -> Result<Address, InstantiateError> {
        let Instantiate { code, creator, salt, immutables, args, gas_limit } = request;
        let Some(code) = self.codes.get(&code).cloned() else {
            return Err(InstantiateError::UnknownCode { code });
        };
        let contract = code.abi.name.to_string();
        let limit = self.config.limits.immutables_bytes_max;
        if immutables.len() > limit {
            let size = immutables.len();
            return Err(InstantiateError::ImmutablesTooLarge { size, limit });
        }
        if let Err(error) = check_fields(&code.abi.immutables, &immutables) {
            return Err(InstantiateError::BadImmutables { contract, error });
        }
        let address = Registry::address(code.hash, &creator, salt, &immutables);
        if self.registry.find(&address).is_some() {
            return Err(InstantiateError::AddressTaken { address });
        }
        let init = code.abi.methods.iter().position(|method| method.name == INIT_METHOD);
        if init.is_none() && !args.is_empty() {
            return Err(InstantiateError::NoInit { contract, size: args.len() });
        }
        let new = Contract { address, code: Arc::clone(&code), immutables: immutables.into() };
        let index = Arc::make_mut(&mut self.registry).insert(new);
        match self.run_init(index, init, creator, &args, gas_limit, &contract) {
            Ok(()) => Ok(address),
            Err(error) => {
                Arc::make_mut(&mut self.registry).remove_last();
                Err(error)
            }
        }
    }

    fn run_init(
        &mut self,
        index: ContractIndex,
        init: Option<usize>,
        creator: Address,
        args: &[u8],
        gas_limit: Gas,
        contract: &str,
    ) -> Result<(), InstantiateError> {
        let Some(method) = init else {
            return self.commit_between_blocks(Vec::new());
        };
        let failed = |receipt: Receipt| InstantiateError::InitFailed {
            contract: contract.to_owned(),
            receipt: Box::new(receipt),
        };
        let declaration = &self.registry.contract(index).code.abi.methods[method];
        if let Err(error) = check_fields(&declaration.params, args) {
            let receipt =
                Receipt::failed(bad_arguments(INIT_METHOD, error), refused_gas(gas_limit), 0);
            return Err(failed(receipt));
        }
        let task =
            Task { call_index: 0, caller: creator, contract: index, method, args, gas_limit };
        let (receipt, writes) = self.run_alone(task).map_err(InstantiateError::Bug)?;
        if !receipt.is_success() {
            return Err(failed(receipt));
        }
        self.commit_between_blocks(writes)
    }

    /// Also without writes a new contract is a new state: a block executed before it may have
    /// found it missing.
    fn commit_between_blocks(&mut self, writes: Vec<Write>) -> Result<(), InstantiateError> {
        let (height, parent_version) = (self.head(), self.store.version());
        let batch = WriteBatch { height, parent_version, parts: vec![writes] };
        self.commit(batch)?;
        Ok(())
    }

    /// Runs one call on the head's state, with no access set. Returns its receipt and changes.
    fn run_alone(&self, task: Task<'_>) -> Result<(Receipt, Vec<Write>), &'static str> {
        let overlay = Box::new(Overlay::new(Arc::clone(&self.store), Arc::<KeyIndex>::default()));
        self.pool.install(|| {
            let mut worker = self.workers[0].lock();
            let mut ctx = worker.take().ok_or("a worker lost its context")?;
            self.prepare_context(&mut ctx, self.head(), 0);
            ctx.clear();
            ctx.outside = Outside::Free(overlay);
            let (mut ctx, end) = call::run(ctx, task);
            let receipt = match end {
                RunEnd::Done(receipt) => Ok(receipt),
                RunEnd::Missed => Err("a call without an access set missed"),
                RunEnd::Bug(bug) => Err(bug),
            };
            let writes = ctx
                .changes()
                .1
                .iter_mut()
                .filter_map(|touched| match std::mem::replace(&mut touched.change, Change::None) {
                    Change::Written(value) => Some(Write {
                        contract: touched.contract,
                        key: touched.key.clone(),
                        value,
                        slot: None,
                    }),
                    Change::None | Change::Added(_) => None,
                })
                .collect();
            self.park_context(&mut ctx);
            *worker = Some(ctx);
            Ok((receipt?, writes))
        })
    }

    fn prepare_context(&self, ctx: &mut CallContext, height: Height, time_ms: u64) {
        ctx.registry = Arc::clone(&self.registry);
        ctx.height = height;
        ctx.time_ms = time_ms;
    }

    /// Lets go of what a block shares, so that it has one owner again.
    fn park_context(&self, ctx: &mut CallContext) {
        ctx.clear();
        ctx.outside = Outside::GiveUp;
        ctx.registry = Arc::clone(&self.no_registry);
    }

    /// Executes a block on the head's state. Blocks the thread until it is done.
    ///
    /// The result depends on the state and the block alone.
    ///
    /// # Errors
    /// [`ExecuteError`] if the block is not valid; the state is as before.
    pub fn execute(&mut self, block: &Block) -> Result<BlockOutcome, ExecuteError> {
        self.check_block(block)?;
        let clock = Instant::now();
        let this = &*self;
        this.pool.install(|| this.execute_in_pool(block, clock))
    }

    fn check_block(&self, block: &Block) -> Result<(), ExecuteError> {
        let head = self.head();
        let follows = block.height.0 == head.0.wrapping_add(1) || head.0 == 0 && block.height.0 > 0;
        if !follows {
            return Err(ExecuteError::WrongHeight { block: block.height, head });
        }
        let (calls, limit) = (block.calls.len(), self.config.limits.calls_max);
        if calls > limit {
            return Err(ExecuteError::TooManyCalls { calls, limit });
        }
        Ok(())
    }

    /// Resolves and plans a block without running it, for tools.
    ///
    /// # Errors
    /// [`ExecuteError`] as for [`Self::execute`].
    pub fn plan(&self, block: &Block) -> Result<BlockTrace, ExecuteError> {
        self.check_block(block)?;
        self.pool.install(|| {
            let resolved = resolve(&block.calls, &self.registry, &self.store, &self.config.limits)?;
            let plan = plan(&resolved, &self.store);
            Ok(report::trace_of_plan(block, &resolved, &plan, &self.registry))
        })
    }

    fn execute_in_pool(&self, block: &Block, clock: Instant) -> Result<BlockOutcome, ExecuteError> {
        let now = || clock.elapsed().as_nanos() as u64;
        let mut times = Timings::default();
        let resolved = resolve(&block.calls, &self.registry, &self.store, &self.config.limits)?;
        times.resolved_ns = now();
        let plan = plan(&resolved, &self.store);
        times.planned_ns = now();
        for worker in &self.workers {
            if let Some(ctx) = &mut *worker.lock() {
                self.prepare_context(ctx, block.height, block.time_ms);
            }
        }
        let trace_clock = self.config.trace.then_some(clock);
        let lanes = run_lanes(block, &resolved, &plan, &self.workers, trace_clock);
        times.executed_ns = now();
        let result = lanes
            .and_then(|mut lanes| {
                let spans = std::mem::take(&mut lanes.spans);
                let (receipts, batch, repaired) = self.settle(block, &resolved, &plan, lanes)?;
                times.repaired_ns = now();
                let trace = self.config.trace.then(|| {
                    let run = report::Run { times, spans: &spans, repaired: &repaired };
                    let threads = self.workers.len();
                    report::trace_of_run(
                        block,
                        &resolved,
                        &plan,
                        &self.registry,
                        &receipts,
                        threads,
                        &run,
                    )
                });
                Ok(BlockOutcome { receipts, batch, stats: times.stats(repaired.len()), trace })
            })
            .map_err(ExecuteError::Bug);
        for worker in &self.workers {
            if let Some(ctx) = &mut *worker.lock() {
                self.park_context(ctx);
            }
        }
        result
    }

    /// Receipts, batch, and the calls that ran again.
    fn settle(
        &self,
        block: &Block,
        resolved: &Resolved,
        plan: &Plan,
        lanes: LanesOutcome,
    ) -> Result<(Vec<Receipt>, WriteBatch, Vec<u32>), &'static str> {
        let (height, version) = (block.height, self.store.version());
        if repair::is_needed(resolved, &lanes) {
            let mut worker = self.workers[0].lock();
            let on_miss = self.config.on_miss;
            let repaired =
                repair::repair(block, resolved, plan, lanes, &self.store, on_miss, &mut worker)?;
            let batch = batch_of_overlay(Some(plan), repaired.overlay, height, version);
            return Ok((repaired.receipts, batch, repaired.repaired));
        }
        let batch = batch_of_lanes(plan, &lanes, height, version);
        let receipts = lanes
            .results
            .into_iter()
            .zip(&resolved.targets)
            .map(|(result, target)| match (result, target) {
                (Some(LaneResult::Done(receipt)), _) => Ok(receipt),
                (None, Target::Refused(receipt)) => Ok((**receipt).clone()),
                _ => Err("a call was left out"),
            })
            .collect::<Result<_, _>>()?;
        Ok((receipts, batch, Vec::new()))
    }

    /// Makes a block's changes the state, and its height the head.
    ///
    /// # Errors
    /// [`StoreError::ForeignBatch`] if the batch was made from another state than the head's; the
    /// state is as before.
    pub fn commit(&mut self, batch: WriteBatch) -> Result<Height, StoreError> {
        let store = Arc::get_mut(&mut self.store)
            // Contexts give their share back before `execute` and `query` return.
            .expect("nobody else holds the store between blocks");
        store.commit(batch)
    }

    /// Runs a call on the head's state and drops its changes. Gas is limited by
    /// [`Limits::call_gas_max`]; the caller is [`Address::ZERO`].
    ///
    /// # Errors
    /// [`ExecuteError::Bug`] only: what a wrong call leads to is in its receipt.
    pub fn query(
        &self,
        contract: Address,
        method: &str,
        args: &[u8],
    ) -> Result<Receipt, ExecuteError> {
        let gas_limit = Gas(self.config.limits.call_gas_max);
        let refuse = |failure| Ok(Receipt::failed(failure, refused_gas(gas_limit), 0));
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
        let task = Task { call_index: 0, caller, contract: index, method: number, args, gas_limit };
        let (receipt, _) = self.run_alone(task).map_err(ExecuteError::Bug)?;
        Ok(receipt)
    }

    /// A contract's stored value, as raw bytes; `key` is what the contract hands to the host.
    pub fn storage(&self, contract: Address, key: &[u8]) -> Option<Vec<u8>> {
        let index = self.registry.find(&contract)?;
        self.store.get(index, key).map(|value| value.to_vec())
    }

    /// A contract's stored value at one of the last [`Limits::history_max`] heights.
    ///
    /// # Errors
    /// [`StoreError::UnknownHeight`] if that height is not remembered.
    pub fn storage_at(
        &self,
        height: Height,
        contract: Address,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(index) = self.registry.find(&contract) else {
            return Ok(None);
        };
        Ok(self.store.get_at(height, index, key)?.map(|value| value.to_vec()))
    }

    /// The whole state in key order, as [`digest`] lays it out. Copies it: for tests, the oracle
    /// and small states.
    pub fn state_entries(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let codes = self.codes.keys().map(|hash| (digest::code_key(&hash.0), Vec::new()));
        let contracts = self.registry.contracts().iter().map(|contract| {
            let value = [&contract.code.hash.0[..], &contract.immutables].concat();
            (digest::contract_key(&contract.address), value)
        });
        let storage = self.store.entries().map(|(contract, key, value)| {
            let address = &self.registry.contract(contract).address;
            (digest::storage_key(address, key), value.to_vec())
        });
        codes.chain(contracts).chain(storage).collect()
    }

    /// The digest of the whole state. Linear in its size: a fast root is another matter.
    pub fn state_digest(&self) -> StateDigest {
        digest::digest_of(self.state_entries())
    }
}
