//! A chain without Wasm, for a contract's own unit tests.

use super::changes::State;
use super::machine::{ByAddress, Env, Machine, NativeRun, Twin};
use crate::Contract;
use crate::chain::{BLOCK_TIME_MS, START_MS, account};
use crate::ran::{Names, Ran};
use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;
use tollway::host_api::abi::INIT_METHOD;
use tollway::host_api::value::check_fields;
use tollway::{Address, Call, Gas, Limits, Outcome, Receipt};
use tollway_sdk::native::Native;

/// Contracts that run natively, one call after another: no Wasm, no gas, no scheduler. For unit tests
/// of a contract inside its own crate, and for debugging; what holds on a chain is what
/// [`TestChain`](crate::TestChain) shows.
#[derive(Debug)]
pub struct NativeChain {
    twins: Arc<ByAddress>,
    limits: Limits,
    state: State,
    names: Names,
    height: u64,
    time_ms: u64,
}

impl Default for NativeChain {
    fn default() -> Self {
        Self::new()
    }
}

impl NativeChain {
    /// A chain without contracts.
    pub fn new() -> Self {
        Self {
            twins: Arc::default(),
            limits: Limits::default(),
            state: State::new(),
            names: Names::default(),
            height: 0,
            time_ms: START_MS,
        }
    }

    /// An account of this name; the same name is the same account, on every chain.
    pub fn account(&mut self, name: &str) -> Address {
        let address = account(name);
        self.names.add_account(address, name);
        address
    }

    /// Several accounts.
    pub fn accounts<const N: usize>(&mut self, names: [&str; N]) -> [Address; N] {
        names.map(|name| self.account(name))
    }

    /// Makes a contract, whose `init` takes nothing. The immutables are those of the contract, several
    /// of them a tuple.
    ///
    /// # Panics
    /// If `init` fails.
    pub fn deploy(
        &mut self,
        native: &'static Native,
        immutables: &impl BorshSerialize,
    ) -> Contract {
        let creator = self.account("deployer");
        self.deploy_by(creator, native, immutables, ())
    }

    /// The same, by an account, with arguments for `init`.
    ///
    /// # Panics
    /// If `init` fails, or the arguments are not its own.
    pub fn deploy_by(
        &mut self,
        creator: Address,
        native: &'static Native,
        immutables: &impl BorshSerialize,
        init: impl BorshSerialize,
    ) -> Contract {
        let number = self.twins.len();
        let address = account(&format!("native contract {number}"));
        let immutables = borsh::to_vec(immutables).expect("immutables encode");
        let twin = Twin { native, immutables };
        Arc::make_mut(&mut self.twins).insert(address, Some(twin));
        self.names.add_contract(address, Arc::new(native.abi.clone()));
        let contract = Contract { address };
        let call = contract.call(creator, INIT_METHOD, init);
        if native.abi.method(INIT_METHOD).is_some() {
            self.execute(call).succeeded();
        } else {
            assert!(call.args.is_empty(), "{} has no init", native.abi.name);
        }
        contract
    }

    /// Lets time pass before the next call, beside the second that it takes.
    pub fn pass_ms(&mut self, time_ms: u64) {
        self.time_ms += time_ms;
    }

    /// Runs a call, in a block of its own.
    ///
    /// # Panics
    /// If there is no such contract or method, or the arguments are not its own.
    pub fn run(&mut self, call: Call) -> Ran {
        assert!(call.method != INIT_METHOD, "init runs when a contract is made");
        self.height += 1;
        self.time_ms += BLOCK_TIME_MS;
        self.execute(call)
    }

    /// What a view returns.
    ///
    /// # Panics
    /// If it fails, or returns something of another type.
    pub fn query<T: BorshDeserialize>(
        &mut self,
        contract: Contract,
        method: &str,
        args: impl BorshSerialize,
    ) -> T {
        let call = contract.call(Address::ZERO, method, args);
        let (state, ran) = self.on_state(&call);
        self.state = state;
        self.ran(call, ran).returned()
    }

    fn execute(&mut self, call: Call) -> Ran {
        let (state, ran) = self.on_state(&call);
        self.state = state;
        for (key, value) in &ran.writes {
            match value {
                Some(value) => self.state.insert(key.clone(), value.clone()),
                None => self.state.remove(key),
            };
        }
        self.ran(call, ran)
    }

    fn on_state(&mut self, call: &Call) -> (State, NativeRun) {
        let told = self.names.describe(call);
        let abi = self.names.abi(&call.contract);
        let method = abi.and_then(|abi| abi.method(&call.method));
        let method = method.unwrap_or_else(|| panic!("{told}: there is no such method"));
        check_fields(&method.params, &call.args).unwrap_or_else(|error| panic!("{told}: {error}"));
        let env = Env { height: self.height, time_ms: self.time_ms, call_index: 0, seed: [0; 32] };
        Machine::run(&self.twins, &self.limits, env, call, std::mem::take(&mut self.state))
    }

    fn ran(&self, call: Call, ran: NativeRun) -> Ran {
        let NativeRun { outcome, mut events, .. } = ran;
        if !matches!(outcome, Outcome::Returned(_)) {
            events.clear();
        }
        let receipt = Receipt { outcome, gas_used: Gas(0), misses: 0, events };
        Ran::new(call, receipt, self.names.clone())
    }
}
