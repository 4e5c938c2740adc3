//! A scenario on a runtime: code uploaded, contracts instantiated, setup run, block encoded.

use super::encode::{EncodeError, Names, address, encode_fields};
use super::{CallEntry, ContractEntry, GAS_LIMIT, Scenario, ScenarioError};
use crate::source::contract_bytes;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use tollway::{Address, Block, Call, Config, Gas, Instantiate, Outcome, Receipt, Runtime};
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::{Abi, Field, Type};

impl Scenario {
    /// A runtime in the state before the block, the block, and the addresses by name. `path` is the
    /// file's, for errors and for the Wasm files that it names.
    ///
    /// # Errors
    /// [`ScenarioError::At`] names the place in the file; others come from the runtime.
    pub(crate) fn load(&self, path: &Path, config: Config) -> Result<(Runtime, Block, Names)> {
        let mut builder =
            Builder { path, names: self.account_names(), runtime: Runtime::new(config)? };
        for (index, contract) in self.contracts.iter().enumerate() {
            builder.instantiate(&format!("contracts[{index}]"), contract)?;
        }
        if !self.setup.is_empty() {
            builder.set_up(self)?;
        }
        let block = builder.block("calls", &self.calls, self)?;
        Ok((builder.runtime, block, builder.names))
    }

    fn account_names(&self) -> Names {
        (1..)
            .zip(&self.accounts)
            .map(|(number, name)| (name.clone(), Address::from_u64(number)))
            .collect()
    }
}

struct Builder<'a> {
    path: &'a Path,
    names: Names,
    runtime: Runtime,
}

impl Builder<'_> {
    fn instantiate(&mut self, at: &str, entry: &ContractEntry) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let code = contract_bytes(&entry.code, folder)
            .and_then(|wasm| Ok(self.runtime.upload(&wasm)?))
            .with_context(|| format!("{}: {at}.code", self.path.display()))?;
        let abi = self.runtime.code(&code).map(|code| code.abi.clone());
        let abi = abi.context("uploaded code is missing")?;
        let params: &[Field] = abi.method(INIT_METHOD).map_or(&[], |init| &init.params);
        let request = Instantiate {
            code,
            creator: self.address(&format!("{at}.creator"), &entry.creator)?,
            // Equal contracts may stand twice in a file, under two names.
            salt: self.runtime.registry().contracts().len() as u64,
            immutables: self.encode(
                &format!("{at}.immutables"),
                &abi.immutables,
                &entry.immutables,
            )?,
            args: self.encode(&format!("{at}.args"), params, &entry.args)?,
            gas_limit: Gas(GAS_LIMIT),
        };
        let address = (self.runtime.instantiate(request))
            .map_err(|error| self.error(at, &error.to_string()))?;
        self.names.insert(entry.name.clone(), address);
        Ok(())
    }

    fn set_up(&mut self, scenario: &Scenario) -> Result<()> {
        let block = self.block("setup", &scenario.setup, scenario)?;
        let outcome = self.runtime.execute(&block)?;
        let places = places("setup", &scenario.setup);
        for (at, receipt) in places.iter().zip(&outcome.receipts) {
            if !receipt.is_success() {
                return Err(self.error(at, &failure(receipt)).into());
            }
        }
        self.runtime.commit(outcome.batch)?;
        Ok(())
    }

    fn block(&self, list: &str, entries: &[CallEntry], scenario: &Scenario) -> Result<Block> {
        let mut calls = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let call = self.call(&format!("{list}[{index}]"), entry)?;
            calls.extend(std::iter::repeat_n(call, entry.repeat.unwrap_or(1) as usize));
        }
        let height = tollway::Height(self.runtime.head().0 + 1);
        Ok(Block { height, time_ms: scenario.time_ms, seed: self.seed(scenario)?, calls })
    }

    fn seed(&self, scenario: &Scenario) -> Result<[u8; 32]> {
        let Some(seed) = &scenario.seed else { return Ok([0; 32]) };
        let field = Field { name: "seed".into(), ty: Type::FixedBytes(32) };
        let bytes = self.encode("block", &[field], &json!({ "seed": seed }))?;
        bytes.try_into().ok().context("a seed has 32 bytes")
    }

    fn call(&self, at: &str, entry: &CallEntry) -> Result<Call> {
        let contract = self.address(&format!("{at}.contract"), &entry.contract)?;
        let abi = self.abi_of(&contract).ok_or_else(|| {
            self.error(&format!("{at}.contract"), "no contract of this file has this address")
        })?;
        let method = abi.method(&entry.method).ok_or_else(|| {
            let known: Vec<_> = abi.methods.iter().map(|method| method.name.as_ref()).collect();
            let problem = format!(
                "{} has no method {:?}; it has {}",
                abi.name,
                entry.method,
                known.join(", ")
            );
            self.error(&format!("{at}.method"), &problem)
        })?;
        Ok(Call {
            caller: self.address(&format!("{at}.caller"), &entry.caller)?,
            contract,
            method: entry.method.clone(),
            args: self.encode(&format!("{at}.args"), &method.params, &entry.args)?,
            gas_limit: Gas(entry.gas_limit.unwrap_or(GAS_LIMIT)),
        })
    }

    fn abi_of(&self, contract: &Address) -> Option<&Abi> {
        let index = self.runtime.registry().find(contract)?;
        Some(&self.runtime.registry().contract(index).code.abi)
    }

    fn address(&self, at: &str, name: &str) -> Result<Address, ScenarioError> {
        address(name, &self.names).map_err(|problem| self.error(at, &problem.to_string()))
    }

    fn encode(
        &self,
        at: &str,
        fields: &[Field],
        value: &serde_json::Value,
    ) -> Result<Vec<u8>, ScenarioError> {
        encode_fields(fields, value, &self.names, at)
            .map_err(|EncodeError { at, problem }| self.error(&at, &problem.to_string()))
    }

    fn error(&self, at: &str, problem: &str) -> ScenarioError {
        ScenarioError::At {
            path: self.path.to_path_buf(),
            at: at.to_owned(),
            problem: problem.to_owned(),
        }
    }
}

/// For each call, with its repetitions, where it stands in the file.
fn places(list: &str, entries: &[CallEntry]) -> Vec<String> {
    let place = |(index, entry): (usize, &CallEntry)| {
        std::iter::repeat_n(format!("{list}[{index}]"), entry.repeat.unwrap_or(1) as usize)
    };
    entries.iter().enumerate().flat_map(place).collect()
}

fn failure(receipt: &Receipt) -> String {
    match &receipt.outcome {
        Outcome::Returned(_) => "the call succeeded".to_owned(),
        Outcome::Reverted { error, .. } => {
            format!("the call reverted with error bytes {error:02x?}")
        }
        Outcome::Failed(failure) => format!("the call failed: {failure}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn load(file: &Value) -> Result<(Runtime, Block, Names), String> {
        let scenario: Scenario =
            serde_json::from_value(file.clone()).expect("the file has the right form");
        let config = Config { threads: 1, ..Config::default() };
        scenario.load(Path::new("block.json"), config).map_err(|error| format!("{error:#}"))
    }

    fn gold() -> Value {
        json!({
            "accounts": ["alice", "bob"],
            "contracts": [{
                "name": "gold", "code": "token", "creator": "alice",
                "immutables": { "owner": "alice" },
            }],
            "setup": [{
                "caller": "alice", "contract": "gold", "method": "mint",
                "args": { "to": "bob", "amount": "1_000" },
            }],
            "calls": [{
                "caller": "bob", "contract": "gold", "method": "transfer",
                "args": { "to": "alice", "amount": 7 }, "repeat": 3,
            }],
        })
    }

    #[test]
    fn a_scenario_becomes_a_block() {
        let (mut runtime, block, _) = load(&gold()).expect("the scenario loads");
        assert_eq!((block.calls.len(), block.height.0), (3, runtime.head().0 + 1));
        let outcome = runtime.execute(&block).expect("the block runs");
        assert!(outcome.receipts.iter().all(Receipt::is_success), "{:?}", outcome.receipts);
    }

    #[test]
    fn the_documented_example_loads() {
        let page = include_str!("../../../docs/scenario.md");
        let example = page.split("```json").nth(1).and_then(|rest| rest.split("```").next());
        let file = serde_json::from_str(example.expect("the page has an example"))
            .expect("the example is JSON");
        let (mut runtime, block, _) = load(&file).expect("the example loads");
        assert_eq!(block.calls.len(), 5);
        let outcome = runtime.execute(&block).expect("the block runs");
        assert!(outcome.receipts.iter().all(Receipt::is_success), "{:?}", outcome.receipts);
    }

    #[test]
    fn errors_name_the_place() {
        let check = |pointer: &str, value: Value, expected: &str| {
            let mut file = gold();
            *file.pointer_mut(pointer).expect("the fixture has it") = value;
            let error = load(&file).expect_err("the file is wrong");
            assert!(error.starts_with(&format!("block.json: {expected}")), "{error}");
        };
        check(
            "/contracts/0/code",
            json!("tokn"),
            "contracts[0].code: cannot read tokn, and no sample contract has this name (",
        );
        check(
            "/contracts/0/creator",
            json!("eve"),
            "contracts[0].creator: no account or contract of this file is named \"eve\"",
        );
        check(
            "/contracts/0/immutables",
            json!({}),
            "contracts[0].immutables: \"owner\" is missing",
        );
        check(
            "/calls/0/method",
            json!("send"),
            "calls[0].method: token has no method \"send\"; it has ",
        );
        check(
            "/calls/0/contract",
            json!("alice"),
            "calls[0].contract: no contract of this file has this address",
        );
        check("/calls/0/args/amount", json!("much"), "calls[0].args.amount: expected an integer");
        check("/setup/0/caller", json!("bob"), "setup[0]: the call reverted");
    }
}
