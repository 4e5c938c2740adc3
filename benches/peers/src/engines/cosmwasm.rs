//! CosmWasm: its VM with its cache, called as chains call it, over a store in memory.
//!
//! ```text
//! Cache ──instance with backend──▶ execute(env, info, message as JSON) ──▶ response as JSON
//!   ▲                                  │ db_read, db_write
//!   └── pinned module                  ▼
//!                                    one hash map, and what to undo if the call fails
//! ```

use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::{Context, ensure};
use cosmwasm_std::{Binary, Checksum, ContractResult, Response, SystemResult};
use cosmwasm_vm::{
    Backend, BackendApi, BackendError, BackendResult, Cache, CacheOptions, GasInfo,
    InstanceOptions, Querier, Size, Storage, call_execute_raw, capabilities_from_csv,
};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use tollway_benches::swaps::model::{FEE_BP, TOKENS, TRADER_BALANCE, TRADERS};
use tollway_benches::swaps::{Checksums, Swap, Variant};

const NOTE: &str = "\
a contract against its interface (guests/cosmwasm), module pinned in the VM's cache, an instance and
  call_execute_raw for each swap, gas metering on; JSON as chains pass it, made and parsed outside the
  clock on the host's side. The store is a hash map with an undo list and charges nothing itself.";

/// `guests/cosmwasm`.
const WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest_cosmwasm.wasm"));

/// What a call gets to spend, in the VM's gas; it needs less than a thousandth.
const GAS_LIMIT: u64 = 500_000_000_000;

pub(crate) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "cosmwasm",
        version: env!("VERSION_COSMWASM_VM"),
        variant: Variant::Monolith,
        threads: 1,
        unit: "gas",
        note: NOTE,
        open: |_, setup| Ok(Box::new(CosmWasm::new(setup)?)),
    }]
}

struct CosmWasm {
    cache: Cache<Accounts, Store, Nothing>,
    code: Checksum,
    /// In the instance while a call runs.
    store: Option<Box<Values>>,
    pools: u32,
    _folder: Folder,
}

/// What a swap is passed as, all JSON.
struct Message {
    info: Vec<u8>,
    message: Vec<u8>,
}

impl CosmWasm {
    fn new(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let options = CacheOptions::new(
            folder.0.clone(),
            capabilities_from_csv("iterator,staking"),
            Size::mebi(100),
            Size::mebi(32),
        );
        // SAFETY: the folder was made for this cache, so all that is in it is what the cache wrote.
        let cache = unsafe { Cache::new(options) }?;
        let code = cache.store_code(WASM, true, true)?;
        cache.pin(&code)?;
        let store = Some(Box::new(Values::new(setup)));
        let pools = setup.reserves.len() as u32;
        Ok(Self { cache, code, store, pools, _folder: folder })
    }

    /// Runs one call, and returns its answer with the gas that it used.
    fn call(&mut self, env: &[u8], call: &Message) -> anyhow::Result<(Vec<u8>, u64)> {
        let storage = Store(self.store.take().context("the store is lost")?);
        let backend = Backend { api: Accounts, storage, querier: Nothing };
        let options = InstanceOptions { gas_limit: GAS_LIMIT };
        let mut instance = self.cache.get_instance(&self.code, backend, options)?;
        let result = call_execute_raw(&mut instance, env, &call.info, &call.message);
        let gas = GAS_LIMIT - instance.get_gas_left();
        let mut store = instance.recycle().context("the store is lost")?.storage.0;
        let is_done = result.as_ref().is_ok_and(|answer| answer.starts_with(b"{\"ok\""));
        if is_done {
            store.keep()
        } else {
            store.undo()
        }
        self.store = Some(store);
        Ok((result?, gas))
    }
}

/// Bech32 has six characters of checksum, and these have none: nobody looks.
fn trader(number: u32) -> String {
    format!("cosmwasm1{number:0>38}")
}

fn message(swap: &Swap) -> Message {
    let Swap { pool, reversed, amount_in, min_out, .. } = swap;
    let sender = trader(swap.trader);
    let info = format!(r#"{{"sender":"{sender}","funds":[]}}"#).into_bytes();
    let message = format!(
        r#"{{"swap":{{"pool":{pool},"reversed":{reversed},"amount_in":"{amount_in}","min_out":"{min_out}"}}}}"#
    );
    Message { info, message: message.into_bytes() }
}

/// What a call is told of its block.
const ENV: &str = concat!(
    r#"{"block":{"height":1000,"time":"1700000000000000000","chain_id":"peers-1"},"#,
    r#""transaction":{"index":0},"contract":{"address":"cosmwasm1contract"}}"#
);

impl Engine for CosmWasm {
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
        let calls: Vec<_> = swaps.iter().map(message).collect();
        let mut answers = Vec::with_capacity(swaps.len());
        let clock = Instant::now();
        for call in &calls {
            answers.push(self.call(ENV.as_bytes(), call)?);
        }
        let elapsed = clock.elapsed();
        let mut metered = 0;
        for (swap, (answer, gas)) in swaps.iter().zip(&answers) {
            let response: ContractResult<Response> = serde_json::from_slice(answer)?;
            let response = response.into_result().map_err(anyhow::Error::msg)?;
            let out = response.attributes.last().context("no attributes")?;
            ensure!(out.value == swap.out.to_string(), "gave {}, not {}", out.value, swap.out);
            metered += gas;
        }
        Ok(Sample { elapsed, metered })
    }

    fn checksums(&mut self) -> anyhow::Result<Checksums> {
        let store = self.store.as_ref().context("the store is lost")?;
        let reserves = (0..self.pools).map(|pool| store.reserves(pool));
        let balances = (0..TRADERS).map(|trader| store.balances(trader));
        Ok(Checksums::new(
            reserves.collect::<Option<Vec<_>>>().context("no such pool")?,
            balances.collect::<Option<Vec<_>>>().context("no such balance")?,
        ))
    }
}

/// What the contract stores, and what to undo.
struct Values {
    values: HashMap<Vec<u8>, Vec<u8>, FixedState>,
    undo: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn pool_key(pool: u32) -> Vec<u8> {
    [b"p", pool.to_le_bytes().as_slice()].concat()
}

fn balance_key(number: u32, token: u32) -> Vec<u8> {
    [&[b'b', token as u8], trader(number).as_bytes()].concat()
}

impl Values {
    fn new(setup: &Setup<'_>) -> Self {
        let mut values = HashMap::with_hasher(FixedState::with_seed(0));
        for (pool, [a, b]) in (0..).zip(setup.reserves) {
            let config = [(FEE_BP / 10) as u8, 1];
            let value = [&a.to_le_bytes(), b.to_le_bytes().as_slice(), &config].concat();
            values.insert(pool_key(pool), value);
        }
        for number in 0..TRADERS {
            for token in TOKENS {
                values.insert(balance_key(number, token), TRADER_BALANCE.to_le_bytes().into());
            }
        }
        Self { values, undo: Vec::new() }
    }

    fn set(&mut self, key: &[u8], value: Option<&[u8]>) {
        let before = match value {
            Some(value) => self.values.insert(key.into(), value.into()),
            None => self.values.remove(key),
        };
        self.undo.push((key.into(), before));
    }

    fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes back what the call did, last change first.
    fn undo(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
    }

    fn reserves(&self, pool: u32) -> Option<[u128; 2]> {
        let value = self.values.get(&pool_key(pool))?;
        let number =
            |at: usize| value.get(at..)?.first_chunk().map(|bytes| u128::from_le_bytes(*bytes));
        Some([number(0)?, number(16)?])
    }

    fn balances(&self, trader: u32) -> Option<[u128; 2]> {
        let balance = |token| {
            let value = self.values.get(&balance_key(trader, token))?;
            value.first_chunk().map(|bytes| u128::from_le_bytes(*bytes))
        };
        Some([balance(0)?, balance(1)?])
    }
}

/// The storage that an instance sees.
struct Store(Box<Values>);

impl Storage for Store {
    fn get(&self, key: &[u8]) -> BackendResult<Option<Vec<u8>>> {
        (Ok(self.0.values.get(key).cloned()), GasInfo::free())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> BackendResult<()> {
        self.0.set(key, Some(value));
        (Ok(()), GasInfo::free())
    }

    fn remove(&mut self, key: &[u8]) -> BackendResult<()> {
        self.0.set(key, None);
        (Ok(()), GasInfo::free())
    }
}

/// No account is looked at.
#[derive(Clone)]
struct Accounts;

impl BackendApi for Accounts {
    fn addr_validate(&self, _: &str) -> BackendResult<()> {
        (Ok(()), GasInfo::free())
    }

    fn addr_canonicalize(&self, human: &str) -> BackendResult<Vec<u8>> {
        (Ok(human.into()), GasInfo::free())
    }

    fn addr_humanize(&self, canonical: &[u8]) -> BackendResult<String> {
        (String::from_utf8(canonical.into()).map_err(BackendError::from), GasInfo::free())
    }
}

/// Nothing can be asked.
struct Nothing;

impl Querier for Nothing {
    fn query_raw(&self, _: &[u8], _: u64) -> BackendResult<SystemResult<ContractResult<Binary>>> {
        (Err(BackendError::unknown("there is nothing to ask")), GasInfo::free())
    }
}

/// A folder for the cache's files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tollway-peers-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is a few files in the folder for such.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
