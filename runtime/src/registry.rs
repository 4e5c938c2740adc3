//! Which contracts exist: their addresses, codes and immutables. Changes between blocks only, so a
//! block may plan with it.

use crate::engine::code::{Code, CodeHash};
use crate::limits::Limits;
use crate::resolve::{NotYet, Program, Shape, compile};
use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use tollway_host_api::Address;

/// The position of a contract among the contracts of this runtime: a short name for its address
/// inside one process, never part of a result.
pub type ContractIndex = u32;

/// An instantiated contract.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Where it is.
    pub address: Address,
    /// What it runs.
    pub code: Arc<Code>,
    /// The borsh-encoded values of its immutables, one after another.
    pub immutables: Arc<[u8]>,
    /// By method, how its keys are found, as far as it was asked for.
    programs: Arc<[ProgramSlot]>,
}

/// Where a method's program is.
#[derive(Debug, Default)]
struct ProgramSlot {
    program: OnceLock<Option<Program>>,
    /// How many contracts there were when it could not be made, because one that it calls did not
    /// exist: it is not tried again before there are more.
    waits_since: AtomicUsize,
}

impl Contract {
    pub(crate) fn new(address: Address, code: Arc<Code>, immutables: Arc<[u8]>) -> Self {
        let programs = code.abi.methods.iter().map(|_| ProgramSlot::default()).collect();
        Self { address, code, immutables, programs }
    }
}

/// All contracts.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    contracts: Vec<Contract>,
    by_address: HashMap<Address, ContractIndex, RandomState>,
    /// The shapes of all programs.
    shapes: Arc<Mutex<HashSet<Arc<Shape>, RandomState>>>,
}

impl Registry {
    /// The contract at an address.
    pub fn find(&self, address: &Address) -> Option<ContractIndex> {
        self.by_address.get(address).copied()
    }

    /// Finds many contracts, and brings them near.
    pub(crate) fn find_many<'a>(
        &self,
        addresses: impl Iterator<Item = &'a Address>,
        found: &mut [Option<ContractIndex>],
    ) {
        let mut last: (&Address, Option<ContractIndex>) = (&Address::ZERO, None);
        let mut count = 0;
        for (address, found) in addresses.zip(found.iter_mut()) {
            if last.0 != address || last.1.is_none() {
                last = (address, self.find(address));
            }
            *found = last.1;
            count += 1;
        }
        // Each step for all of them before the next, so that the processor waits for the cache
        // misses of many contracts at once.
        let contracts = found[..count].iter().flatten().map(|index| self.contract(*index));
        let touched = contracts.fold(0, |touched, contract| touched ^ contract.programs.len());
        std::hint::black_box(touched);
    }

    /// Brings the program of a method near, if it has been asked for before.
    #[inline]
    pub(crate) fn touch_program(&self, contract: ContractIndex, method: usize) {
        std::hint::black_box(self.contract(contract).programs[method].program.get().is_some());
    }

    /// The contract with an index that this registry gave.
    ///
    /// # Panics
    /// If the index is not from this registry.
    pub fn contract(&self, index: ContractIndex) -> &Contract {
        &self.contracts[index as usize]
    }

    /// The program that finds the keys of a method's calls, if it has one.
    #[inline]
    pub(crate) fn program(
        &self,
        contract: ContractIndex,
        method: usize,
        limits: &Limits,
    ) -> Option<&Program> {
        let slot = &self.contract(contract).programs[method];
        match slot.program.get() {
            Some(program) => program.as_ref(),
            None if slot.waits_since.load(Ordering::Relaxed) == self.contracts.len() => None,
            None => self.compile(contract, method, limits),
        }
    }

    #[cold]
    fn compile(&self, contract: ContractIndex, method: usize, limits: &Limits) -> Option<&Program> {
        let Contract { code, programs, .. } = self.contract(contract);
        // A program holds until a contract gets another code, see `replace`. One that
        // calls a contract to come is asked for again.
        let slot = &programs[method];
        match compile(contract, &code.abi.methods[method], self, limits) {
            Ok(program) => slot.program.get_or_init(|| program).as_ref(),
            Err(NotYet) => {
                slot.waits_since.store(self.contracts.len(), Ordering::Relaxed);
                None
            }
        }
    }

    /// The one copy of a shape.
    pub(crate) fn share(&self, shape: Shape) -> Arc<Shape> {
        let mut shapes = self.shapes.lock();
        if let Some(known) = shapes.get(&shape) {
            return Arc::clone(known);
        }
        let shape = Arc::new(shape);
        shapes.insert(Arc::clone(&shape));
        shape
    }

    /// All contracts, in the order of their instantiation.
    pub fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    /// Adds a contract whose address is not taken.
    pub(crate) fn insert(&mut self, contract: Contract) -> ContractIndex {
        let index = self.contracts.len() as ContractIndex;
        self.by_address.insert(contract.address, index);
        self.contracts.push(contract);
        index
    }

    /// Puts another contract in the place of one at the same address. All programs are forgotten: those
    /// of whoever calls it hold what its templates were, also where no key of it is among theirs.
    pub(crate) fn replace(&mut self, index: ContractIndex, contract: Contract) {
        for known in &mut self.contracts {
            if known.programs.iter().any(|slot| slot.program.get().is_some()) {
                known.programs = known.programs.iter().map(|_| ProgramSlot::default()).collect();
            }
        }
        self.contracts[index as usize] = contract;
    }

    /// Takes back the last insert.
    pub(crate) fn remove_last(&mut self) {
        if let Some(contract) = self.contracts.pop() {
            self.by_address.remove(&contract.address);
        }
    }

    /// The address of the contract that `creator` makes from a code, a salt and immutables.
    pub fn address(code: CodeHash, creator: &Address, salt: u64, immutables: &[u8]) -> Address {
        let mut hasher = blake3::Hasher::new_derive_key("tollway 2026 contract address v1");
        hasher.update(&code.0).update(&creator.0).update(&salt.to_le_bytes()).update(immutables);
        Address(*hasher.finalize().as_bytes())
    }
}
