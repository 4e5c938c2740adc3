//! The conflict pattern of a real block, run through the sample contract `synthetic`, with the
//! real names of its keys.

use super::Names;
use crate::format::fit;
use crate::progress::with_bar;
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::Path;
use tollway::{Block, Call, Config, Gas, Runtime};
use tollway_benches::access::{self, RecordedBlock, Rule};
use tollway_benches::contracts::{OPERATOR, call, instantiate, next_block};
use tollway_benches::table::Table;
use tollway_contracts_wasm::SYNTHETIC;
use tollway_host_api::Mode;

/// Gas of the real transaction for each round that its replay burns.
const GAS_PER_ROUND: u64 = 2;

/// A recorded block under a rule.
#[derive(Debug)]
pub(crate) struct Recorded {
    block: RecordedBlock,
    rule: Rule,
    /// What each key is, by its number in the block.
    keys: BTreeMap<u32, String>,
}

impl Recorded {
    /// Reads the block of this number.
    ///
    /// # Errors
    /// Names the file and line that is wrong, or says that there is no such block.
    pub(crate) fn read(dir: &Path, number: u64, rule: Rule) -> Result<Self> {
        let blocks = with_bar("reading", |progress| access::read(dir, progress))?;
        let block = blocks.into_iter().find(|block| block.block == number);
        let block = block.with_context(|| format!("{} has no block {number}", dir.display()))?;
        let keys = key_names(&dir.join("keys.csv.gz"), number)?;
        Ok(Self { block, rule, keys })
    }

    /// What the block is, in a few words.
    pub(crate) fn title(&self) -> String {
        format!("recorded block {}, rule {}", self.block.block, self.rule)
    }

    /// A runtime with the contract, and the block.
    pub(crate) fn load(&self, config: Config) -> Result<(Runtime, Block)> {
        let mut runtime = Runtime::new(config)?;
        let code = runtime.upload(SYNTHETIC)?;
        let contract = instantiate(&mut runtime, code, 0, ())?;
        let gas_limit = Gas(runtime.config().limits.call_gas_max);
        let tasks = self.block.tasks(self.rule);
        let calls = tasks.iter().map(|task| {
            let keys = |mode: Mode| -> Vec<u32> {
                let accesses = task.accesses.iter();
                accesses.filter(|access| access.1 == mode).map(|access| access.0).collect()
            };
            let args =
                (keys(Mode::Read), keys(Mode::Write), keys(Mode::Add), task.cost / GAS_PER_ROUND);
            Call { gas_limit, ..call(OPERATOR, contract, "run", args) }
        });
        let block = next_block(&runtime, calls.collect());
        Ok((runtime, block))
    }

    /// The keys by their real names.
    pub(crate) fn names(&self) -> Names {
        let key =
            |(number, name): (&u32, &String)| (format!("synthetic.cells[{number}]"), name.clone());
        Names::of_keys(self.keys.iter().map(key).collect())
    }
}

/// `storage 0xc02a…6cc2 #3`, `balance 0x4838…5f97`, `nonce …`, `code …`, `fees …`.
fn key_names(file: &Path, number: u64) -> Result<BTreeMap<u32, String>> {
    let mut table = Table::open(file, &["block", "key", "kind", "address", "slot"])?;
    let mut names = BTreeMap::new();
    while let Some(row) = table.next_row()? {
        if row.number::<u64>("block")? != number {
            continue;
        }
        let kind = match row.text("kind") {
            "S" => "storage",
            "B" => "balance",
            "N" => "nonce",
            "C" => "code",
            "F" => "fees",
            other => other,
        };
        const ADDRESS_CHARS: usize = 11;
        let address = fit(row.text("address"), ADDRESS_CHARS);
        let slot = match row.text("slot") {
            "" => String::new(),
            slot => format!(" [{}]", slot.trim_start_matches('#')),
        };
        names.insert(row.number("key")?, format!("{kind} {address}{slot}"));
    }
    Ok(names)
}
