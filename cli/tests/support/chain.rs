//! A small chain that is kept on disk, for the commands to look into.

use super::Scratch;
use std::path::Path;
use tollway::kept_state::Root;
use tollway::state::storage_key;
use tollway::{Address, Block, Config, Runtime};
use tollway_benches::contracts::{OPERATOR, call, instantiate, next_block};
use tollway_contracts_wasm::TOKEN;
use tollway_state_disk::{DiskBackend, DiskOptions};

/// After this height, and before the next, a second contract comes.
pub const SECOND_CONTRACT_AT: u64 = 4;
/// What is kept with this height is no block.
pub const GARBAGE_AT: u64 = 5;
/// Nothing is kept with this height.
pub const NOTHING_AT: u64 = 6;
/// The block of another height is kept with this one.
pub const OTHER_HEIGHT_AT: u64 = 7;
/// Another block of this height is kept with it.
pub const OTHER_BLOCK_AT: u64 = 8;
/// The last height.
pub const HEAD: u64 = 9;

/// What is known about the chain.
pub struct Chain {
    /// Where it is kept.
    pub dir: String,
    /// The token contract.
    pub token: Address,
    /// The root after each height, from 0.
    pub roots: Vec<Root>,
    /// The token contract's key of alice's balance.
    pub alice: Vec<u8>,
    /// Her balance after each height.
    pub balances: Vec<Option<Vec<u8>>>,
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Chain {
    /// Makes it in a new folder.
    pub fn new(scratch: &Scratch) -> Self {
        let dir = scratch.path("state");
        let backend = DiskBackend::create(Path::new(&dir), DiskOptions::default());
        let backend = Box::new(backend.expect("the folder is ours"));
        let config = Config { threads: 1, ..Config::default() };
        let mut runtime = Runtime::open(config, backend).expect("the state is new");
        let code = runtime.upload(TOKEN).expect("the sample is valid");
        let token = instantiate(&mut runtime, code, 0, (OPERATOR,)).expect("its owner is given");
        let [alice, bob] = [1, 2].map(Address::from_u64);
        let abi = &runtime.code(&code).expect("it was uploaded").abi;
        let field = abi.field_index("balances").expect("tokens have balances");
        let alice_key = [&[field][..], &alice.0].concat();
        let mut chain = Self { dir, token, roots: vec![], alice: alice_key, balances: vec![] };
        chain.note(&runtime);
        for height in 1..=HEAD {
            let calls = vec![
                call(OPERATOR, token, "mint", (alice, u128::from(100 * height))),
                call(alice, token, "transfer", (bob, 1u128)),
                call(bob, token, "transfer", (alice, 1_000_000u128)),
            ];
            let block = next_block(&runtime, calls);
            let mut outcome = runtime.execute(&block).expect("the block is valid");
            if let Some(bytes) = kept(&block) {
                outcome.batch.keep_block(bytes);
            }
            runtime.commit(outcome.batch).expect("the disk works");
            if height == SECOND_CONTRACT_AT {
                instantiate(&mut runtime, code, 1, (OPERATOR,)).expect("another salt");
            }
            chain.note(&runtime);
        }
        runtime.flush().expect("the disk works");
        chain
    }

    fn note(&mut self, runtime: &Runtime) {
        self.roots.push(runtime.state_root().expect("the disk works"));
        self.balances
            .push(runtime.storage(self.token, &self.alice).expect("the state can be read"));
    }

    /// The state key of alice's balance.
    pub fn alice_state_key(&self) -> String {
        hex(&storage_key(&self.token, &self.alice))
    }

    /// The root after a height, as text.
    pub fn root(&self, height: u64) -> String {
        self.roots[height as usize].to_string()
    }

    /// Alice's balance after a height, as the commands print it.
    pub fn balance(&self, height: u64) -> Option<String> {
        self.balances[height as usize].as_deref().map(hex)
    }
}

/// What is kept with a block.
fn kept(block: &Block) -> Option<Vec<u8>> {
    let mut kept = block.clone();
    match block.height.0 {
        GARBAGE_AT => return Some(vec![9; 3]),
        NOTHING_AT => return None,
        OTHER_HEIGHT_AT => kept.height.0 = 1,
        OTHER_BLOCK_AT => kept.calls.truncate(1),
        _ => {}
    }
    Some(borsh::to_vec(&kept).expect("a block encodes"))
}
