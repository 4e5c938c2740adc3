//! Soroban: the host that validators run, called as they call it, over a ledger in memory.
//!
//! ```text
//! transaction: function, footprint, authorization, all as XDR
//!    │   entries of the footprint ◀── ledger: one hash map from keys to entries, both as XDR
//!    ▼                                  ▲
//! invoke_host_function ── changed entries ┘
//! ```

use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::{Context, bail, ensure};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use sha2::{Digest, Sha256};
use soroban_env_host::budget::Budget;
use soroban_env_host::e2e_invoke::{
    InvokeHostFunctionResult, TtlLedgerEntryMeta, entry_size_for_rent, invoke_host_function,
};
use soroban_env_host::storage::Storage;
use soroban_env_host::xdr::{
    AccountId, ContractCodeEntry, ContractCodeEntryExt, ContractDataDurability, ContractDataEntry,
    ContractExecutable, ContractId, ExtensionPoint, Hash, HostFunction, Int128Parts,
    InvokeContractArgs, LedgerEntry, LedgerEntryData, LedgerEntryExt, LedgerFootprint, LedgerKey,
    LedgerKeyContractCode, LedgerKeyContractData, Limits, PublicKey, ReadXdr, ScAddress,
    ScContractInstance, ScSymbol, ScVal, ScVec, SorobanAuthorizationEntry,
    SorobanAuthorizedFunction, SorobanAuthorizedInvocation, SorobanCredentials, SorobanResources,
    Uint256, WriteXdr,
};
use soroban_env_host::{Host, HostError, LedgerInfo, ModuleCache, meta};
use std::time::Instant;
use tollway_benches::swaps::model::{FEE_BP, TOKENS, TRADER_BALANCE, TRADERS};
use tollway_benches::swaps::{Checksums, Swap, Variant};

const NOTE: &str = "\
a contract made with its SDK (guests/soroban), invoke_host_function for each swap: module cache warm,
  footprint and authorization by the source account prepared, budget metering on; changed entries go
  back to a hash map. Transactions come as XDR that is already cut into its parts.";

/// `guests/soroban`.
const WASM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest_soroban.wasm"));

/// Where the contract is.
const CONTRACT: ScAddress = ScAddress::Contract(ContractId(Hash([0xde; 32])));

/// The ledger that all blocks are run at.
const SEQUENCE: u32 = 1_000;

/// How long entries live, in ledgers.
const LIVE: u32 = 1_000_000;

/// What a swap gets to spend: the network's limits of a transaction.
const INSTRUCTIONS: u32 = 100_000_000;

pub(crate) fn peers() -> Vec<Peer> {
    vec![Peer {
        name: "soroban",
        version: env!("VERSION_SOROBAN_ENV_HOST"),
        variant: Variant::Monolith,
        threads: 1,
        unit: "instr",
        note: NOTE,
        open: |_, setup| Ok(Box::new(Soroban::new(setup)?)),
    }]
}

struct Soroban {
    /// Keys are XDR.
    ledger: HashMap<Vec<u8>, Entry, FixedState>,
    modules: ModuleCache,
    info: LedgerInfo,
    code: Hash,
    pools: u32,
}

struct Entry {
    xdr: Vec<u8>,
    ttl: TtlLedgerEntryMeta,
}

/// A swap as a node has it.
struct Transaction {
    function: Vec<u8>,
    resources: Vec<u8>,
    source: Vec<u8>,
    authorization: Vec<u8>,
    /// The keys of the footprint, in its order.
    keys: Vec<Vec<u8>>,
}

/// The host's error as the text that it prints.
fn plainly(error: HostError) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

fn account(number: u32) -> AccountId {
    let mut key = [0x72; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    AccountId(PublicKey::PublicKeyTypeEd25519(Uint256(key)))
}

fn address(number: u32) -> ScVal {
    ScVal::Address(ScAddress::Account(account(number)))
}

fn amount(number: u128) -> ScVal {
    ScVal::I128(Int128Parts { hi: (number >> 64) as i64, lo: number as u64 })
}

fn number(value: &ScVal) -> anyhow::Result<u128> {
    match value {
        ScVal::I128(Int128Parts { hi, lo }) => {
            Ok(u128::from(u64::try_from(*hi)?) << 64 | u128::from(*lo))
        }
        other => bail!("{other:?} is no amount"),
    }
}

fn tuple(values: Vec<ScVal>) -> anyhow::Result<ScVal> {
    Ok(ScVal::Vec(Some(ScVec(values.try_into()?))))
}

fn xdr(value: &impl WriteXdr) -> anyhow::Result<Vec<u8>> {
    Ok(value.to_xdr(Limits::none())?)
}

fn data_key(key: ScVal) -> LedgerKey {
    let durability = ContractDataDurability::Persistent;
    LedgerKey::ContractData(LedgerKeyContractData { contract: CONTRACT, key, durability })
}

fn pool_key(pool: u32) -> LedgerKey {
    data_key(ScVal::U32(pool))
}

fn balance_key(trader: u32, token: u32) -> anyhow::Result<LedgerKey> {
    Ok(data_key(tuple(vec![address(trader), ScVal::U32(token)])?))
}

impl Soroban {
    fn new(setup: &Setup<'_>) -> anyhow::Result<Self> {
        let protocol_version = meta::INTERFACE_VERSION.protocol;
        let info = LedgerInfo {
            protocol_version,
            sequence_number: SEQUENCE,
            timestamp: 1_700_000_000,
            network_id: [0; 32],
            base_reserve: 5_000_000,
            min_temp_entry_ttl: 17_280,
            min_persistent_entry_ttl: 120_960,
            max_entry_ttl: 3_110_400,
        };
        let host = Host::with_storage_and_budget(Storage::default(), Budget::default());
        let modules = ModuleCache::new(&host).map_err(plainly)?;
        modules.parse_and_cache_module_simple(&host, protocol_version, WASM).map_err(plainly)?;
        let code = Hash(Sha256::digest(WASM).into());
        let ledger = HashMap::with_hasher(FixedState::with_seed(0));
        let pools = setup.reserves.len() as u32;
        let mut this = Self { ledger, modules, info, code, pools };
        this.set_up(setup)?;
        Ok(this)
    }

    fn set_up(&mut self, setup: &Setup<'_>) -> anyhow::Result<()> {
        let code = ContractCodeEntry {
            ext: ContractCodeEntryExt::V0,
            hash: self.code.clone(),
            code: WASM.to_vec().try_into()?,
        };
        self.insert(&self.code_key(), LedgerEntryData::ContractCode(code))?;
        let executable = ContractExecutable::Wasm(self.code.clone());
        let instance = ScContractInstance { executable, storage: None };
        self.insert_data(
            data_key(ScVal::LedgerKeyContractInstance),
            ScVal::ContractInstance(instance),
        )?;
        for (pool, [a, b]) in (0..).zip(setup.reserves) {
            let fee = ScVal::U32(FEE_BP / 10);
            let value = tuple(vec![amount(*a), amount(*b), fee, ScVal::Bool(true)])?;
            self.insert_data(pool_key(pool), value)?;
        }
        for trader in 0..TRADERS {
            for token in TOKENS {
                self.insert_data(balance_key(trader, token)?, amount(TRADER_BALANCE))?;
            }
        }
        Ok(())
    }

    fn code_key(&self) -> LedgerKey {
        LedgerKey::ContractCode(LedgerKeyContractCode { hash: self.code.clone() })
    }

    fn insert_data(&mut self, key: LedgerKey, val: ScVal) -> anyhow::Result<()> {
        let LedgerKey::ContractData(LedgerKeyContractData { contract, key: name, durability }) =
            key.clone()
        else {
            bail!("{key:?} is no key of contract data");
        };
        let ext = ExtensionPoint::V0;
        let entry = ContractDataEntry { ext, contract, key: name, durability, val };
        self.insert(&key, LedgerEntryData::ContractData(entry))
    }

    fn insert(&mut self, key: &LedgerKey, data: LedgerEntryData) -> anyhow::Result<()> {
        let ext = LedgerEntryExt::V0;
        let entry = LedgerEntry { last_modified_ledger_seq: SEQUENCE, data, ext };
        let bytes = xdr(&entry)?;
        let size = u32::try_from(bytes.len())?;
        let entry_size_for_rent =
            entry_size_for_rent(&Budget::default(), &entry, size).map_err(plainly)?;
        let ttl = TtlLedgerEntryMeta { live_until_ledger: SEQUENCE + LIVE, entry_size_for_rent };
        self.ledger.insert(xdr(key)?, Entry { xdr: bytes, ttl });
        Ok(())
    }

    fn transaction(&self, swap: &Swap) -> anyhow::Result<Transaction> {
        let args = vec![
            address(swap.trader),
            ScVal::U32(swap.pool),
            ScVal::Bool(swap.reversed),
            amount(swap.amount_in),
            amount(swap.min_out),
        ];
        let call = InvokeContractArgs {
            contract_address: CONTRACT,
            function_name: ScSymbol("swap".try_into()?),
            args: args.try_into()?,
        };
        let root_invocation = SorobanAuthorizedInvocation {
            function: SorobanAuthorizedFunction::ContractFn(call.clone()),
            sub_invocations: Vec::new().try_into()?,
        };
        let credentials = SorobanCredentials::SourceAccount;
        let read_only = vec![data_key(ScVal::LedgerKeyContractInstance), self.code_key()];
        let read_write =
            vec![pool_key(swap.pool), balance_key(swap.trader, 0)?, balance_key(swap.trader, 1)?];
        let keys = read_only.iter().chain(&read_write).map(xdr).collect::<anyhow::Result<_>>()?;
        let footprint = LedgerFootprint {
            read_only: read_only.try_into()?,
            read_write: read_write.try_into()?,
        };
        let resources = SorobanResources {
            footprint,
            instructions: INSTRUCTIONS,
            disk_read_bytes: 10_000,
            write_bytes: 10_000,
        };
        Ok(Transaction {
            function: xdr(&HostFunction::InvokeContract(call))?,
            resources: xdr(&resources)?,
            source: xdr(&account(swap.trader))?,
            authorization: xdr(&SorobanAuthorizationEntry { credentials, root_invocation })?,
            keys,
        })
    }

    /// Runs a transaction, and returns what it gave with what it used.
    fn invoke(
        &mut self,
        transaction: &Transaction,
    ) -> Result<(InvokeHostFunctionResult, u64), HostError> {
        let budget = Budget::default();
        let entries: Vec<(Option<&[u8]>, _)> = transaction
            .keys
            .iter()
            .map(|key| match self.ledger.get(key) {
                Some(entry) => (Some(entry.xdr.as_slice()), Some(entry.ttl)),
                None => (None, None),
            })
            .collect();
        let mut result = invoke_host_function(
            &budget,
            false,
            transaction.function.as_slice(),
            transaction.resources.as_slice(),
            &[],
            transaction.source.as_slice(),
            [transaction.authorization.as_slice()].into_iter(),
            self.info.clone(),
            entries.into_iter(),
            [0; 32].as_slice(),
            &mut Vec::new(),
            None,
            Some(self.modules.clone()),
        )?;
        for change in &mut result.ledger_changes {
            let Some(new) = change.encoded_new_value.take() else {
                continue;
            };
            let live_until = change.ttl_change.as_ref().map(|ttl| ttl.new_live_until_ledger);
            let ttl = TtlLedgerEntryMeta {
                live_until_ledger: live_until.unwrap_or(0),
                entry_size_for_rent: change.new_entry_size_bytes_for_rent,
            };
            let key = std::mem::take(&mut change.encoded_key);
            self.ledger.insert(key, Entry { xdr: new, ttl });
        }
        let used = budget.get_cpu_insns_consumed()?;
        Ok((result, used))
    }

    fn value(&self, key: &LedgerKey) -> anyhow::Result<ScVal> {
        let entry = self.ledger.get(&xdr(key)?).context("no such entry")?;
        match LedgerEntry::from_xdr(&entry.xdr, Limits::none())?.data {
            LedgerEntryData::ContractData(entry) => Ok(entry.val),
            other => bail!("{other:?} is no contract data"),
        }
    }

    fn reserves(&self, pool: u32) -> anyhow::Result<[u128; 2]> {
        match self.value(&pool_key(pool))? {
            ScVal::Vec(Some(values)) if values.len() == 4 => {
                Ok([number(&values[0])?, number(&values[1])?])
            }
            other => bail!("{other:?} is no pool"),
        }
    }

    fn balances(&self, trader: u32) -> anyhow::Result<[u128; 2]> {
        let balance = |token| number(&self.value(&balance_key(trader, token)?)?);
        Ok([balance(0)?, balance(1)?])
    }
}

impl Engine for Soroban {
    fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
        let transactions =
            swaps.iter().map(|swap| self.transaction(swap)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut results = Vec::with_capacity(swaps.len());
        let clock = Instant::now();
        for transaction in &transactions {
            results.push(self.invoke(transaction).map_err(plainly)?);
        }
        let elapsed = clock.elapsed();
        let mut metered = 0;
        for (swap, (result, used)) in swaps.iter().zip(&results) {
            let bytes = result.encoded_invoke_result.as_ref();
            let bytes = bytes.map_err(|error| anyhow::anyhow!("{error}"))?;
            let out = number(&ScVal::from_xdr(bytes, Limits::none())?)?;
            ensure!(out == swap.out, "gave {out}, not {}", swap.out);
            ensure!(result.encoded_contract_events.len() == 1, "no event");
            metered += used;
        }
        Ok(Sample { elapsed, metered })
    }

    fn checksums(&mut self) -> anyhow::Result<Checksums> {
        let reserves = (0..self.pools).map(|pool| self.reserves(pool));
        let balances = (0..TRADERS).map(|trader| self.balances(trader));
        Ok(Checksums::new(
            reserves.collect::<anyhow::Result<Vec<_>>>()?,
            balances.collect::<anyhow::Result<Vec<_>>>()?,
        ))
    }
}
