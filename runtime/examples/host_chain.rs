//! A host chain in one file: accounts with nonces, a fee for gas, blocks from a queue of signed
//! transactions (signatures are left out), receipts, queries, a check against the oracle, and a proof
//! of a balance for somebody who has the state root alone.
//!
//! ```text
//! cargo run --release -p tollway --example host_chain
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use tollway::kept_state::{MemoryBackend, verify::Proof};
use tollway::oracle::Oracle;
use tollway::state::storage_key;
use tollway::{Address, Block, Call, Config, Gas, Height, Instantiate, Outcome, Receipt, Runtime};

/// What an account sends to this chain.
struct Transaction {
    sender: Address,
    nonce: u64,
    call: Call,
}

/// The chain: what it keeps beside the contracts' state.
struct Chain {
    runtime: Runtime,
    nonces: BTreeMap<Address, u64>,
    /// Gas paid so far. A chain's fees are its own business, not a contract's.
    fees: BTreeMap<Address, u64>,
}

impl Chain {
    fn new() -> Result<Self, Box<dyn Error>> {
        // On disk it is `tollway_state_disk::DiskBackend`, in the chain's own database whatever
        // implements `Backend`.
        let backend = Box::new(MemoryBackend::new());
        let runtime = Runtime::open(Config { threads: 2, ..Config::default() }, backend)?;
        Ok(Self { runtime, nonces: BTreeMap::new(), fees: BTreeMap::new() })
    }

    /// Makes, executes and commits the next block. Transactions with a wrong nonce stay out.
    fn produce_block(
        &mut self,
        pool: Vec<Transaction>,
    ) -> Result<(Block, Vec<Receipt>), Box<dyn Error>> {
        let height = Height(self.runtime.head().0 + 1);
        // A chain that draws random numbers also sets `seed`, from what nobody could know before.
        let mut block = Block { height, time_ms: height.0 * 1_000, ..Block::default() };
        for transaction in pool {
            let nonce = self.nonces.entry(transaction.sender).or_default();
            if *nonce == transaction.nonce && transaction.call.caller == transaction.sender {
                *nonce += 1;
                block.calls.push(transaction.call);
            }
        }
        let mut outcome = self.runtime.execute(&block)?;
        outcome.batch.keep_block(borsh::to_vec(&block)?);
        // The backend gets it on another thread; the next block need not wait for that.
        self.runtime.commit(outcome.batch)?;
        for (call, receipt) in block.calls.iter().zip(&outcome.receipts) {
            *self.fees.entry(call.caller).or_default() += receipt.gas_used.0;
        }
        Ok((block, outcome.receipts))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut chain = Chain::new()?;

    // Code is uploaded once, and instantiated as often as needed.
    let code = chain.runtime.upload(tollway_contracts_wasm::TOKEN)?;
    let owner = Address::from_u64(1);
    let token = chain.runtime.instantiate(Instantiate {
        code,
        creator: owner,
        salt: 0,
        immutables: borsh::to_vec(&owner)?,
        args: Vec::new(),
        gas_limit: Gas(1_000_000),
    })?;
    println!("token {token} runs code {code}");

    let call = |caller: Address, method: &str, args: Vec<u8>| Call {
        caller,
        contract: token,
        method: method.to_owned(),
        args,
        gas_limit: Gas(1_000_000),
    };
    let sent = |nonce, call: Call| Transaction { sender: call.caller, nonce, call };

    // Block 1: the owner mints for a hundred accounts.
    let accounts: Vec<Address> = (100..200).map(Address::from_u64).collect();
    let mut pool = Vec::new();
    for (nonce, account) in accounts.iter().enumerate() {
        let args = borsh::to_vec(&(account, 1_000u128))?;
        pool.push(sent(nonce as u64, call(owner, "mint", args)));
    }
    chain.produce_block(pool)?;

    // Block 2: all pay the first one, which is a counter, so nobody waits; one pays too much, one
    // sends a used nonce.
    let mut oracle = Oracle::new(&chain.runtime);
    let mut pool = Vec::new();
    for account in &accounts[1..] {
        let args = borsh::to_vec(&(accounts[0], 7u128))?;
        pool.push(sent(0, call(*account, "transfer", args)));
    }
    pool.push(sent(1, call(accounts[1], "transfer", borsh::to_vec(&(accounts[0], u128::MAX))?)));
    pool.push(sent(1, call(accounts[1], "transfer", borsh::to_vec(&(accounts[0], 1u128))?)));
    let (block, receipts) = chain.produce_block(pool)?;
    let failed = receipts.iter().filter(|receipt| !receipt.is_success()).count();
    println!("block {}: {} calls, {failed} failed", block.height, receipts.len());
    assert_eq!((receipts.len(), failed), (100, 1));

    // A query changes nothing.
    let receipt = chain.runtime.query(token, "balance_of", &borsh::to_vec(&accounts[0])?)?;
    let Outcome::Returned(bytes) = receipt.outcome else {
        return Err("balance_of failed".into());
    };
    let balance: u128 = borsh::from_slice(&bytes)?;
    println!("the first account holds {balance}");
    assert_eq!(balance, 1_000 + 99 * 7);

    // What one after another gives.
    assert_eq!(oracle.execute(&block), receipts);
    assert_eq!(oracle.state_root(), chain.runtime.state_root()?);
    println!("state {} as one after another", chain.runtime.state_root()?);

    // A light client knows the root of a block, and learns a balance of it.
    let kept = chain.runtime.flush()?.ok_or("there is a backend")?;
    assert_eq!(kept.durable.height, block.height);
    let storage = &chain.runtime.registry().contracts()[0].code.abi.storage;
    let field = storage.iter().position(|field| field.name == "balances").ok_or("no balances")?;
    let stored = [&[field as u8][..], &accounts[0].0].concat();
    let key = storage_key(&token, &stored);
    let value = chain.runtime.storage(token, &stored)?;
    let backend = chain.runtime.backend()?.ok_or("there is a backend")?;
    let proof = backend.proofs().ok_or("it makes proofs")?.prove(&[&key])?.to_bytes();
    drop(backend);
    Proof::from_bytes(&proof)?.verify(&kept.head.root, &[(key, value)])?;
    println!("proven by {} bytes", proof.len());

    // Back to the block before.
    chain.runtime.rollback(Height(1))?;
    assert_eq!(chain.runtime.storage(token, &stored)?, Some(1_000u128.to_le_bytes().to_vec()));
    Ok(())
}
