//! A block in a file: contracts, accounts, and the calls to run, as JSON.
//!
//! ```json
//! {
//!   "accounts": ["alice", "bob"],
//!   "contracts": [
//!     { "name": "gold", "code": "token", "creator": "alice", "args": { "owner": "alice" } }
//!   ],
//!   "setup": [
//!     { "caller": "alice", "contract": "gold", "method": "mint", "args": { "to": "bob", "amount": "1_000" } }
//!   ],
//!   "calls": [
//!     { "caller": "bob", "contract": "gold", "method": "transfer", "args": ["alice", 7], "repeat": 3 }
//!   ]
//! }
//! ```
//!
//! `code` is a sample contract's name, or the path of a Wasm file, relative to this file.
//! `contracts` are instantiated in order, so that later ones may name earlier ones in their
//! immutables; `setup` runs as a block of its own, and every call of it must succeed; `calls` is
//! the block to look at. How values are written: [`encode`]. For users: docs/scenario.md.

mod build;
mod encode;

use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The gas limit of calls that name none.
pub(crate) const GAS_LIMIT: u64 = 10_000_000;

/// The most calls that a file may ask for, repetitions included.
pub(crate) const CALLS_MAX: u64 = 1_000_000;

/// The file, as it stands.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Names of accounts; their addresses are 1, 2, 3, …
    #[serde(default)]
    pub(crate) accounts: Vec<String>,
    /// Contracts to instantiate.
    pub(crate) contracts: Vec<ContractEntry>,
    /// Calls before the block.
    #[serde(default)]
    pub(crate) setup: Vec<CallEntry>,
    /// The calls of the block.
    pub(crate) calls: Vec<CallEntry>,
    /// The block's time in milliseconds since the Unix epoch.
    #[serde(default)]
    pub(crate) time_ms: u64,
    /// The block's seed for random numbers, as 32 bytes; zeros if it is not there.
    pub(crate) seed: Option<Value>,
}

/// A contract to instantiate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContractEntry {
    /// What calls name it by.
    pub(crate) name: String,
    /// A sample's name or a path.
    pub(crate) code: String,
    /// Who instantiates it: an account's name or an address.
    pub(crate) creator: String,
    /// Its immutables.
    #[serde(default)]
    pub(crate) immutables: Value,
    /// The arguments of its `init`.
    #[serde(default)]
    pub(crate) args: Value,
}

/// A call, or several equal ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallEntry {
    /// Who calls: a name or an address.
    pub(crate) caller: String,
    /// The contract's name, or its address.
    pub(crate) contract: String,
    /// The method.
    pub(crate) method: String,
    /// The arguments.
    #[serde(default)]
    pub(crate) args: Value,
    /// The gas limit; [`GAS_LIMIT`] if none is given.
    #[serde(default)]
    pub(crate) gas_limit: Option<u64>,
    /// How many times the call stands in the block.
    #[serde(default)]
    pub(crate) repeat: Option<u32>,
}

/// Why a file is not a scenario.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    /// The file is not JSON, or not of this form.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Form { path: PathBuf, line: usize, column: usize, message: String },
    /// Something in the file does not fit.
    #[error("{}: {at}: {problem}", path.display())]
    At { path: PathBuf, at: String, problem: String },
}

impl Scenario {
    /// Reads a file.
    ///
    /// # Errors
    /// - [`ScenarioError::Read`] if it cannot be read.
    /// - [`ScenarioError::Form`] with line and column if it is not a scenario.
    /// - [`ScenarioError::At`] if a name stands twice, or it asks for too many calls.
    pub(crate) fn read(path: &Path) -> Result<Self, ScenarioError> {
        let owned = path.to_path_buf();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: owned, source })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| ScenarioError::Form {
            path: path.to_path_buf(),
            line: error.line(),
            column: error.column(),
            message: without_place(&error.to_string()),
        })?;
        let at = |at: String, problem: &str| ScenarioError::At {
            path: path.to_path_buf(),
            at,
            problem: problem.to_owned(),
        };
        let names: Vec<_> = (scenario.accounts.iter())
            .chain(scenario.contracts.iter().map(|contract| &contract.name))
            .collect();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(at(format!("{name:?}"), "two accounts or contracts have this name"));
            }
        }
        let repeats = |call: &CallEntry| u64::from(call.repeat.unwrap_or(1));
        for (list, calls) in [("setup", &scenario.setup), ("calls", &scenario.calls)] {
            if calls.iter().map(repeats).sum::<u64>() > CALLS_MAX {
                return Err(at(list.to_owned(), &format!("more than {CALLS_MAX} calls")));
            }
        }
        Ok(scenario)
    }
}

/// The message without its " at line 3 column 7", which stands before it already.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Scenario, String> {
        Scenario::parse(Path::new("block.json"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_small_file_is_read() {
        let scenario = parse(
            r#"{ "accounts": ["alice"],
                 "contracts": [{ "name": "gold", "code": "token", "creator": "alice" }],
                 "calls": [{ "caller": "alice", "contract": "gold", "method": "total", "repeat": 3 }] }"#,
        )
        .expect("the file is a scenario");
        assert_eq!(scenario.calls[0].repeat, Some(3));
        assert_eq!(scenario.contracts[0].args, Value::Null);
        assert!(scenario.setup.is_empty());
    }

    #[test]
    fn errors_name_line_column_and_field() {
        let error =
            parse("{\n  \"contracts\": [],\n  \"call\": []\n}").expect_err("a misspelt field");
        assert!(error.starts_with("block.json:3:8: unknown field `call`"), "{error}");
        let error = parse("{\n  \"contracts\": []").expect_err("the file ends early");
        assert!(error.starts_with("block.json:2:"), "{error}");
        let error = parse("{ \"contracts\": [] }").expect_err("calls are missing");
        assert!(error.contains("missing field `calls`"), "{error}");
    }

    #[test]
    fn names_stand_for_one_thing() {
        let error = parse(
            r#"{ "accounts": ["gold"], "calls": [],
                 "contracts": [{ "name": "gold", "code": "token", "creator": "gold" }] }"#,
        );
        let error = error.expect_err("a name stands twice");
        assert_eq!(error, "block.json: \"gold\": two accounts or contracts have this name");
    }

    #[test]
    fn calls_are_bounded() {
        let call = r#"{ "caller": "a", "contract": "b", "method": "c", "repeat": 4000000000 }"#;
        let error = parse(&format!(r#"{{ "contracts": [], "calls": [{call}, {call}] }}"#));
        assert_eq!(
            error.expect_err("too many calls"),
            "block.json: calls: more than 1000000 calls"
        );
    }

    #[test]
    fn unreadable_files_are_named() {
        let error = Scenario::read(Path::new("/nonexistent/block.json")).expect_err("no such file");
        assert_eq!(error.to_string(), "cannot read /nonexistent/block.json");
    }
}
