//! The chain: accounts, contracts, time, and blocks that two executors agree on.

use crate::figures::Figures;
use crate::native::{Env, Machine, Twin, Twins, may_run_natively};
use crate::ran::{Names, Ran};
use crate::uses::{Lint, Lints, Uses};
use borsh::{BorshDeserialize, BorshSerialize};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use tollway::host_api::{Mutability, abi::INIT_METHOD};
use tollway::kept_state::MemoryBackend;
use tollway::oracle::{Oracle, Watched};
use tollway::{
    Address, BlockTrace, Call, CodeHash, Config, Gas, Height, Instantiate, Outcome, Receipt,
    Runtime, Upgrade, UpgradeError,
};
use tollway_display::graph::Graph;
use tollway_display::picture::{Run, Section, page, svg};
use tollway_sdk::native::Native;

/// What each call may use, unless a test says otherwise: enough for whatever does not run away.
const GAS_LIMIT: Gas = Gas(10_000_000);

/// Milliseconds from one block to the next.
pub(crate) const BLOCK_TIME_MS: u64 = 1_000;

/// The time of the first block, in milliseconds: 2026-01-01, so that nothing looks like a small number.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// The account of a name.
pub(crate) fn account(name: &str) -> Address {
    let mut hasher = blake3::Hasher::new_derive_key("tollway 2026 test account v1");
    Address(*hasher.update(name.as_bytes()).finalize().as_bytes())
}

/// An instantiated contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Where it is.
    pub address: Address,
}

impl Contract {
    /// A call of one of its methods. One argument stands for itself, several are a tuple, none is `()`.
    ///
    /// # Panics
    /// If the arguments can't be encoded.
    pub fn call(self, caller: Address, method: &str, args: impl BorshSerialize) -> Call {
        Call {
            caller,
            contract: self.address,
            method: method.to_owned(),
            args: borsh::to_vec(&args).expect("arguments encode"),
            gas_limit: GAS_LIMIT,
        }
    }
}

/// A block that ran.
#[derive(Debug)]
pub struct Block {
    /// What came of each call.
    pub calls: Vec<Ran>,
    /// What waited for what.
    pub trace: BlockTrace,
}

impl Block {
    /// Requires that all calls succeeded.
    ///
    /// # Panics
    /// If one did not.
    pub fn succeeded(&self) -> &Self {
        self.calls.iter().for_each(|call| {
            call.succeeded();
        });
        self
    }

    /// Calls on the longest chain of calls that wait for each other.
    pub fn critical_path(&self) -> u32 {
        self.trace.plan.critical_path_calls
    }

    /// Requires that at most so many calls wait for each other in a chain: 1 if nobody waits.
    ///
    /// # Panics
    /// If there are more; the message names the keys that they waited for.
    pub fn assert_critical_path(&self, most: u32) -> &Self {
        let found = self.critical_path();
        assert!(
            found <= most,
            "{found} calls wait for each other in a chain, at most {most} may:\n{}",
            self.waits()
        );
        self
    }

    /// Draws the run: lanes over time, the plan, and the hot keys. A file that ends in `.html` tells
    /// about the call under the pointer, too; one that ends in `.svg` is a picture alone.
    ///
    /// # Panics
    /// If the file has another ending, or can't be written.
    pub fn write_picture(&self, file: impl AsRef<Path>) -> &Self {
        let file = file.as_ref();
        let title = format!("block {}", self.trace.height);
        let run =
            || Run { title: title.clone(), trace: &self.trace, serial_ns: None, parallel_ns: None };
        let picture = match file.extension().and_then(OsStr::to_str) {
            Some("svg") => svg(&run()),
            Some("html") => page(&title, "", &[Section { heading: String::new(), run: run() }]),
            _ => panic!("{}: a picture is an .svg or an .html file", file.display()),
        };
        let written = std::fs::write(file, picture);
        written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self
    }

    /// Requires that no call touched a key that it does not declare.
    ///
    /// # Panics
    /// If one did, with the keys.
    pub fn assert_no_misses(&self) -> &Self {
        for call in &self.calls {
            let misses = call.receipt.misses;
            assert!(
                misses == 0,
                "{call} touched {misses} keys that it does not declare:\n  {}",
                call.misses().join("\n  ")
            );
        }
        self
    }

    /// Who waits for whom, and for which key, a line each.
    fn waits(&self) -> String {
        let waiting = self
            .trace
            .calls
            .iter()
            .zip(&self.calls)
            .filter(|(trace, _)| !trace.waits_for.is_empty());
        let lines = waiting.take(20).map(|(trace, call)| {
            let others: Vec<_> = trace.waits_for.iter().map(u32::to_string).collect();
            format!(
                "  call {}, {call}, waits for {} because of {}",
                trace.call,
                others.join(", "),
                trace.waits_on
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A chain in a test.
#[derive(Debug)]
pub struct TestChain {
    runtime: Runtime,
    names: Names,
    time_ms: u64,
    seed: [u8; 32],
    instantiated: u64,
    figures: Figures,
    uses: Uses,
    twins: Twins,
}

impl Default for TestChain {
    fn default() -> Self {
        Self::new()
    }
}

impl TestChain {
    /// A chain without contracts, on four threads.
    ///
    /// # Panics
    /// If the runtime can't be set up.
    pub fn new() -> Self {
        Self::with(Config { threads: 4, ..Config::default() })
    }

    /// The same, with limits, threads or compiler of the test's choice. The trace is always on.
    ///
    /// # Panics
    /// If the runtime can't be set up.
    pub fn with(config: Config) -> Self {
        let config = Config { trace: true, ..config };
        let runtime = Runtime::open(config, Box::new(MemoryBackend::new()));
        Self {
            runtime: runtime.unwrap_or_else(|error| panic!("the chain can't start: {error}")),
            names: Names::default(),
            time_ms: START_MS,
            seed: [0; 32],
            instantiated: 0,
            figures: Figures::default(),
            uses: Uses::default(),
            twins: Twins::default(),
        }
    }

    /// An account of this name; the same name is the same account. It is shown by its name.
    pub fn account(&mut self, name: &str) -> Address {
        let address = account(name);
        self.names.add_account(address, name);
        address
    }

    /// Several accounts.
    pub fn accounts<const N: usize>(&mut self, names: [&str; N]) -> [Address; N] {
        names.map(|name| self.account(name))
    }

    /// Uploads a module.
    ///
    /// # Panics
    /// If it is refused.
    pub fn upload(&mut self, wasm: &[u8]) -> CodeHash {
        self.runtime.upload(wasm).unwrap_or_else(|error| panic!("the module is refused: {error}"))
    }

    /// Uploads a module and makes a contract of it, whose `init` takes nothing. The immutables are
    /// those of the contract, several of them a tuple.
    ///
    /// # Panics
    /// If either is refused.
    pub fn deploy(&mut self, wasm: &[u8], immutables: &impl BorshSerialize) -> Contract {
        let creator = self.account("deployer");
        self.deploy_by(creator, wasm, immutables, ())
    }

    /// The same, by an account, with arguments for `init`.
    ///
    /// # Panics
    /// If either is refused.
    pub fn deploy_by(
        &mut self,
        creator: Address,
        wasm: &[u8],
        immutables: &impl BorshSerialize,
        init: impl BorshSerialize,
    ) -> Contract {
        let code = self.upload(wasm);
        self.instantiated += 1;
        let request = Instantiate {
            code,
            creator,
            salt: self.instantiated,
            immutables: borsh::to_vec(immutables).expect("immutables encode"),
            args: borsh::to_vec(&init).expect("arguments encode"),
            gas_limit: GAS_LIMIT,
        };
        let address = self.runtime.instantiate(request);
        let address = address.unwrap_or_else(|error| panic!("no contract can be made: {error}"));
        let code = self.runtime.code(&code).expect("it was uploaded");
        self.uses.add_contract(address, &code.abi);
        self.twins.add_contract(address);
        self.names.add_contract(address, Arc::new(code.abi.clone()));
        Contract { address }
    }

    /// Gives a contract another code: its storage and immutables stay.
    ///
    /// # Panics
    /// If the module is refused, or does not fit what the contract has stored; the message names the
    /// field.
    pub fn upgrade(&mut self, contract: Contract, wasm: &[u8]) {
        if let Err(error) = self.try_upgrade(contract, wasm) {
            panic!("the contract can't be upgraded: {error}");
        }
    }

    /// The same, for tests of what is refused.
    ///
    /// # Errors
    /// [`UpgradeError`] says what does not fit; the contract runs the code that it had.
    ///
    /// # Panics
    /// If the module is refused.
    pub fn try_upgrade(&mut self, contract: Contract, wasm: &[u8]) -> Result<(), UpgradeError> {
        let code = self.upload(wasm);
        let request = Upgrade { contract: contract.address, code, migrates: false };
        self.runtime.upgrade(request)?;
        let code = self.runtime.code(&code).expect("it was uploaded");
        self.names.add_contract(contract.address, Arc::new(code.abi.clone()));
        // Its native twin, if it had one, is that of the code that it had.
        self.twins.add_contract(contract.address);
        Ok(())
    }

    /// Has a contract run natively, too, from now on: every call, block by block and in queries,
    /// runs both ways, and a difference fails the test. See [`crate::native`].
    ///
    /// # Panics
    /// If that is another contract, or another version of it.
    pub fn also_native(&mut self, contract: Contract, native: &'static Native) -> &mut Self {
        let abi = self.names.abi(&contract.address).expect("it was deployed here");
        assert!(
            **abi == *native.abi,
            "the native contract {} is not what the Wasm of {} was made of",
            native.abi.name,
            abi.name
        );
        let found = self.runtime.registry().find(&contract.address).expect("it was deployed here");
        let immutables = self.runtime.registry().contract(found).immutables.to_vec();
        self.twins.add_twin(contract.address, Twin { native, immutables });
        self
    }

    /// Lets time pass before the next block, beside the second that it takes.
    pub fn pass_ms(&mut self, time_ms: u64) {
        self.time_ms += time_ms;
    }

    /// Sets the seed from which contracts draw in the blocks that follow; zeros until then.
    pub fn set_seed(&mut self, seed: [u8; 32]) {
        self.seed = seed;
    }

    /// The time of the last block, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// The height of the last block.
    pub fn height(&self) -> Height {
        self.runtime.head()
    }

    /// Runs a block of one call.
    ///
    /// # Panics
    /// As [`Self::block`].
    pub fn run(&mut self, call: Call) -> Ran {
        self.block([call]).calls.remove(0)
    }

    /// Runs a block.
    ///
    /// # Panics
    /// If runtime and oracle do not agree on receipts or state, or the block is not valid.
    pub fn block(&mut self, calls: impl IntoIterator<Item = Call>) -> Block {
        let calls: Vec<Call> = calls.into_iter().collect();
        self.time_ms += BLOCK_TIME_MS;
        let height = Height(self.height().0 + 1);
        let block = tollway::Block { height, time_ms: self.time_ms, seed: self.seed, calls };
        let mut oracle = Oracle::new(&self.runtime);
        let (mut rehearsed, uses, names) = (Vec::new(), &mut self.uses, &self.names);
        let (twins, limits) = (&self.twins, &self.runtime.config().limits);
        let expected = oracle.execute_watched(&block, |rehearsal| {
            let call = &block.calls[rehearsal.index() as usize];
            let one = uses.rehearse(names, rehearsal);
            let native = one.as_ref().and_then(|one| {
                let call_index = rehearsal.index();
                let env =
                    Env { height: height.0, time_ms: block.time_ms, call_index, seed: block.seed };
                twins.run_beside(limits, env, call, rehearsal, one)
            });
            rehearsed.push(one.zip(Some(native)));
        });
        let outcome = self.runtime.execute(&block);
        let outcome = outcome.unwrap_or_else(|error| panic!("the block can't run: {error}"));
        self.runtime.commit(outcome.batch).expect("the batch follows the head");
        let mut calls: Vec<Ran> = (block.calls.iter().zip(outcome.receipts))
            .map(|(call, receipt)| Ran::new(call.clone(), receipt, self.names.clone()))
            .collect();
        let mut written = vec![0; calls.len()];
        let rehearsed = expected.into_iter().zip(rehearsed);
        for ((call, (expected, rehearsed)), written) in
            calls.iter_mut().zip(rehearsed).zip(&mut written)
        {
            let Watched { receipt, gas_matters } = expected;
            assert_eq!(call.receipt, receipt, "{call}: the oracle comes to another receipt");
            let Some((rehearsed, native)) = rehearsed else { continue };
            let is_same = self.uses.add(&self.names, &rehearsed, &receipt, gas_matters, call);
            if let Some(native) = native.filter(|_| is_same && !gas_matters) {
                native.compare(&rehearsed, &self.names, call);
            }
            if is_same {
                let bytes = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len) as u64;
                *written = rehearsed.writes.values().map(bytes).sum();
            }
            call.add_misses(rehearsed.misses);
        }
        let root = self.runtime.state_root().expect("memory does not fail");
        assert_eq!(root, oracle.state_root(), "the oracle comes to another state");
        let mut trace = outcome.trace.expect("the trace is on");
        self.names.rename(&mut trace);
        for (call, written) in calls.iter().zip(&written) {
            self.figures.add(call, self.declared_keys(&call.call), *written);
        }
        self.figures.add_lanes(&calls, &Graph::new(&trace.calls).depths());
        Block { calls, trace }
    }

    /// How many keys a call declares.
    fn declared_keys(&self, call: &Call) -> u64 {
        self.plan(vec![call.clone()]).plan.accesses
    }

    fn plan(&self, calls: Vec<Call>) -> BlockTrace {
        let height = Height(self.height().0 + 1);
        let block = tollway::Block { height, time_ms: self.time_ms, seed: self.seed, calls };
        let trace = self.runtime.plan(&block);
        let mut trace = trace.unwrap_or_else(|error| panic!("the block can't be planned: {error}"));
        self.names.rename(&mut trace);
        trace
    }

    /// The key for which the second of two calls would wait for the first, or the first for the
    /// second if the block had them the other way around. `None` if they run side by side.
    ///
    /// # Panics
    /// If one of them declares nothing: it would run after all others.
    pub fn conflict(&self, a: &Call, b: &Call) -> Option<String> {
        [[a, b], [b, a]].into_iter().find_map(|pair| {
            let plan = self.plan(pair.map(Call::clone).into());
            assert!(
                plan.plan.undeclared == 0,
                "{} or {} does not declare what it touches",
                self.names.describe(a),
                self.names.describe(b)
            );
            let waits = plan.calls.into_iter().nth(1)?;
            (!waits.waits_for.is_empty()).then_some(waits.waits_on)
        })
    }

    /// Requires that two calls never wait for each other.
    ///
    /// # Panics
    /// If they do, with the key.
    pub fn assert_independent(&self, a: &Call, b: &Call) {
        if let Some(key) = self.conflict(a, b) {
            let [a, b] = [a, b].map(|call| self.names.describe(call));
            panic!("{a} and {b} wait for each other because of {key}");
        }
    }

    /// Requires that two calls wait for each other: that the test knows what a conflict would be.
    ///
    /// # Panics
    /// If they do not.
    pub fn assert_conflicting(&self, a: &Call, b: &Call) {
        let [first, second] = [a, b].map(|call| self.names.describe(call));
        assert!(self.conflict(a, b).is_some(), "{first} and {second} do not wait for each other");
    }

    /// What a view returns at the head, at the time of the last block and what passed since.
    ///
    /// # Panics
    /// If it fails, or returns something of another type.
    pub fn query<T: BorshDeserialize>(
        &self,
        contract: Contract,
        method: &str,
        args: impl BorshSerialize,
    ) -> T {
        let call = contract.call(Address::ZERO, method, args);
        let name = self.names.describe(&call);
        let receipt = self.runtime.query_at(self.time_ms, contract.address, method, &call.args);
        let receipt = receipt.unwrap_or_else(|error| panic!("{name}: {error}"));
        self.compare_query(&call, &receipt);
        match &receipt.outcome {
            Outcome::Returned(bytes) => borsh::from_slice(bytes)
                .unwrap_or_else(|error| panic!("{name} returns something else: {error}")),
            _ => panic!("{}", Ran::new(call, receipt, self.names.clone()).ending()),
        }
    }

    /// Runs a query natively, too, if its contract is there natively.
    fn compare_query(&self, call: &Call, receipt: &Receipt) {
        if !self.twins.has(&call.contract) || !may_run_natively(&receipt.outcome) {
            return;
        }
        let env =
            Env { height: self.height().0, time_ms: self.time_ms, call_index: 0, seed: [0; 32] };
        let state = self.runtime.state_entries().expect("memory does not fail");
        let limits = &self.runtime.config().limits;
        let (_, native) = Machine::run(self.twins.all(), limits, env, call, state);
        let told = self.names.describe(call);
        assert_eq!(
            native.outcome, receipt.outcome,
            "{told}: native code and Wasm come to different ends"
        );
    }

    /// What the calls so far cost, by contract and method.
    pub fn figures(&self) -> &Figures {
        &self.figures
    }

    /// What is the matter with the declarations of methods, as far as the calls so far can tell.
    ///
    /// Every call of a block is *rehearsed* beside its real run, in a way in which each touch of a
    /// key can be seen; so this works for contracts in any language. Calls of other contracts count
    /// for the methods that they run. Views that only [`query`](Self::query) asks for are no calls
    /// of a block, and count for nothing, nor does a method that no call ran.
    pub fn lints(&self) -> Lints {
        self.uses.lints()
    }

    /// Requires that the methods which the calls so far ran declare no more than these used: no key
    /// that none of them touched, no call that none of them made, no `write` where they only read,
    /// or only add.
    ///
    /// What a branch touches that no call took counts as unused: the test has to take it.
    ///
    /// # Panics
    /// If one declares more, with the method and its declaration.
    pub fn assert_all_used(&self) -> &Self {
        self.require_used(|_| true);
        self
    }

    /// The same of one method.
    ///
    /// # Panics
    /// If no call ran it, or it declares more.
    pub fn assert_declares_only_used(&self, contract: Contract, method: &str) -> &Self {
        let name = self.uses.name(&contract.address).expect("it was deployed here");
        assert!(self.uses.was_called(name, method), "no call ran {name}.{method}");
        self.require_used(|lint| lint.contract == name && lint.method == method);
        self
    }

    /// The same of every method of a contract: calls ran all but its views, and none declares more.
    ///
    /// # Panics
    /// If no call ran one that is no view, or one declares more.
    pub fn assert_contract_declares_only_used(&self, contract: Contract) -> &Self {
        let abi = self.names.abi(&contract.address).expect("it was deployed here");
        let name = self.uses.name(&contract.address).expect("it was deployed here");
        let calls = abi.methods.iter().filter(|method| method.mutability == Mutability::Call);
        let missing: Vec<&str> = calls
            .map(|method| &*method.name)
            .filter(|method| *method != INIT_METHOD && !self.uses.was_called(name, method))
            .collect();
        assert!(missing.is_empty(), "no call ran these of {name}: {}", missing.join(", "));
        self.require_used(|lint| lint.contract == name);
        self
    }

    fn require_used(&self, is_asked: impl Fn(&Lint) -> bool) {
        let lints = self.lints();
        let wide: Vec<String> = (lints.iter())
            .filter(|lint| lint.finding.is_too_wide() && is_asked(lint))
            .map(|lint| format!("  {lint}"))
            .collect();
        assert!(wide.is_empty(), "more is declared than is used:\n{}", wide.join("\n"));
    }

    /// The runtime, for what this type does not do.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }
}
