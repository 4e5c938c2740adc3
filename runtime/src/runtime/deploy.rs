//! Code and contracts: upload, instantiate, and single calls outside blocks.

use super::{InstantiateError, Runtime, UpgradeError};
use crate::block::{Block, Gas};
use crate::bytes::Bytes;
use crate::engine::arguments::Methods;
use crate::engine::code::{Code, CodeHash};
use crate::engine::gas::refused_gas;
use crate::engine::validate::{UploadError, prepare};
use crate::execute::call::{self, Change, Outside, RunEnd, Task};
use crate::execute::overlay::Overlay;
use crate::plan::keys::KeyIndex;
use crate::receipt::{Failure, Receipt};
use crate::registry::{Contract, ContractIndex, Registry};
use crate::resolve::bad_arguments;
use crate::state::{code_key, contract_entry};
use crate::store::{StoreError, Write, WriteBatch};
use crate::upgrade::{self, Effect, Finding, Part};
use std::sync::{Arc, OnceLock};
use tollway_host_api::Address;
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::value::check_fields;
use wasmtime::Module;

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

/// Another code for a contract that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The contract.
    pub contract: Address,
    /// What it shall run; uploaded before.
    pub code: CodeHash,
    /// Whether the new code takes care of values that its predecessor stored and that are not of the
    /// types that it declares. If not, an upgrade that does not fit them is refused. What is read as
    /// something else harms nobody but the contract; immutables have to fit in any case.
    pub migrates: bool,
}

impl Runtime {
    /// Checks, compiles and keeps a module. Uploading what is there already changes nothing.
    ///
    /// Takes about half a millisecond for each kilobyte of Wasm; less than a tenth of that where
    /// [`Config::artifact_dir`](crate::Config::artifact_dir) has its native code.
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
        let code = self.compile(hash, wasm)?;
        self.keep_entry(self.head(), &code_key(&hash), wasm)?;
        self.codes.insert(hash, code);
        Ok(hash)
    }

    /// The code of a module, compiled unless this runtime has compiled it before.
    pub(super) fn compile(
        &mut self,
        hash: CodeHash,
        wasm: &[u8],
    ) -> Result<Arc<Code>, UploadError> {
        if let Some(code) = self.compiled.get(&hash) {
            return Ok(Arc::clone(code));
        }
        let prepared = prepare(wasm, &self.config.limits)?;
        let compile_error =
            |error: wasmtime::Error| UploadError::Compile { reason: format!("{error:#}") };
        let module = match &mut self.artifacts {
            Some(artifacts) => artifacts.module(hash, &prepared.wasm),
            None => Module::new(&self.engine, &prepared.wasm),
        }
        .map_err(compile_error)?;
        let linked = self.linker.instantiate_pre(&module).map_err(compile_error)?;
        let code = Code {
            hash,
            wasm: wasm.into(),
            slot_sizes: Code::slot_sizes_of(&prepared.abi),
            methods: Methods::of(&prepared.abi),
            abi: prepared.abi,
            index: self.compiled.len(),
            module,
            linked,
            mutable_globals: prepared.mutable_globals,
            depth_global: prepared.depth_global,
            stack_units_max: self.config.limits.stack_units_max,
            memory_pages_min: prepared.memory_pages_min,
            window: prepared.window,
            image: OnceLock::new(),
        };
        let code = Arc::new(code);
        self.compiled.insert(hash, Arc::clone(&code));
        Ok(code)
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
        let new = Contract::new(address, Arc::clone(&code), immutables.into());
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
            return Ok(self.commit_between_blocks(index, Vec::new())?);
        };
        let failed = |receipt: Receipt| InstantiateError::InitFailed {
            contract: contract.to_owned(),
            receipt: Box::new(receipt),
        };
        let most = self.config.limits.call_gas_max;
        if gas_limit.0 == 0 || gas_limit.0 > most {
            let failure = Failure::BadGasLimit { gas_limit: gas_limit.0, limit: most };
            return Err(failed(Receipt::failed(failure, Gas(0), 0)));
        }
        if let Some(failure) = self.config.limits.arguments_failure(args) {
            return Err(failed(Receipt::failed(failure, refused_gas(gas_limit), 0)));
        }
        let declaration = &self.registry.contract(index).code.abi.methods[method];
        if let Err(error) = check_fields(&declaration.params, args) {
            let receipt =
                Receipt::failed(bad_arguments(INIT_METHOD, error), refused_gas(gas_limit), 0);
            return Err(failed(receipt));
        }
        let task = Task {
            call_index: 0,
            caller: creator,
            contract: index,
            method,
            args,
            resolve_steps: 0,
            gas_limit,
        };
        let (receipt, writes) = self.run_alone(task, 0).map_err(|bug| {
            self.failure().map_or(InstantiateError::Bug(bug), InstantiateError::Store)
        })?;
        if !receipt.is_success() {
            return Err(failed(receipt));
        }
        Ok(self.commit_between_blocks(index, writes)?)
    }

    /// Gives a contract another code. It keeps its address, its storage and its immutables, and `init`
    /// does not run again. The change belongs to the state at the head's height. Who may ask for it is
    /// the chain's to decide.
    ///
    /// What does not fit is told by [`upgrade::compare`], before anybody asks.
    ///
    /// # Errors
    /// [`UpgradeError`] says why not; nothing changed.
    pub fn upgrade(&mut self, request: Upgrade) -> Result<(), UpgradeError> {
        let Upgrade { contract: address, code, migrates } = request;
        let Some(index) = self.registry.find(&address) else {
            return Err(UpgradeError::UnknownContract { contract: address });
        };
        let Some(new) = self.codes.get(&code).cloned() else {
            return Err(UpgradeError::UnknownCode { code });
        };
        let old = self.registry.contract(index).clone();
        if old.code.hash == code {
            return Ok(());
        }
        let contract = old.code.abi.name.to_string();
        let breaks = |finding: &Finding| {
            let is_forgiven = migrates && finding.part == Part::Storage;
            finding.effect == Effect::BreaksState && !is_forgiven
        };
        let findings = upgrade::compare(&old.code.abi, &new.abi);
        let mut broken = findings.into_iter().filter(breaks);
        if let Some(finding) = broken.next() {
            return Err(UpgradeError::BreaksState { contract, finding, others: broken.count() });
        }
        if let Err(error) = check_fields(&new.abi.immutables, &old.immutables) {
            return Err(UpgradeError::BadImmutables { contract, error });
        }
        let upgraded = Contract::new(address, new, Arc::clone(&old.immutables));
        Arc::make_mut(&mut self.registry).replace(index, upgraded);
        if let Err(error) = self.commit_between_blocks(index, Vec::new()) {
            Arc::make_mut(&mut self.registry).replace(index, old);
            return Err(error.into());
        }
        Ok(())
    }

    /// Also without writes a new contract is a new state, and so is one with another code: a block
    /// executed before it may have found it missing, or run the old one.
    fn commit_between_blocks(
        &mut self,
        index: ContractIndex,
        writes: Vec<Write>,
    ) -> Result<(), StoreError> {
        let mut batch = WriteBatch::new(self.head(), self.store.version(), vec![writes]);
        batch.others.push(contract_entry(self.registry.contract(index)));
        self.commit(batch)?;
        Ok(())
    }

    /// Runs one call on the head's state, with no access set. Returns its receipt and changes.
    pub(super) fn run_alone(
        &self,
        task: Task<'_>,
        time_ms: u64,
    ) -> Result<(Receipt, Vec<Write>), &'static str> {
        let overlay = Box::new(Overlay::new(Arc::clone(&self.store), Arc::<KeyIndex>::default()));
        self.pool.install(|| {
            let mut worker = self.workers[0].lock();
            let mut ctx = worker.take().ok_or("a worker lost its context")?;
            let block = Block { height: self.head(), time_ms, ..Block::default() };
            self.prepare_context(&mut ctx, &block);
            ctx.clear();
            ctx.outside = Outside::Free(overlay);
            let (mut ctx, end) = call::run(ctx, task);
            let receipt = match end {
                RunEnd::Done(receipt) => Ok(receipt),
                RunEnd::Missed => Err("a call without an access set missed"),
                RunEnd::Bug(bug) => Err(bug),
            };
            let writes = ctx
                .undeclared()
                .iter()
                .filter_map(|touched| match touched.change {
                    Change::Written(value) => {
                        let value = value.map(|value| Bytes::new(ctx.bytes(value)));
                        Some(Write::to_key(touched.contract, ctx.bytes(touched.key), value))
                    }
                    Change::None | Change::Added(_) => None,
                })
                .collect();
            self.park_context(&mut ctx);
            *worker = Some(ctx);
            Ok((receipt?, writes))
        })
    }
}
