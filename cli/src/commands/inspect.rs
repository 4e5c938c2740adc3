//! `tollway inspect`: validates a contract as an upload would, and shows what it declares.

use crate::args::InspectArgs;
use crate::inspect::{Subject, json, json_matrix, print, print_matrix};
use crate::output;
use crate::source::contract_bytes;
use anyhow::{Context, Result};
use std::path::Path;
use tollway::{Config, Runtime};
use tollway_host_api::Abi;

pub(crate) fn run(args: &InspectArgs) -> Result<()> {
    let mut runtime = Runtime::new(Config { threads: 1, ..Config::default() })?;
    let (bytes, code_hash, abi) = load(&mut runtime, &args.contract)?;
    let mut callees = Vec::new();
    for callee in &args.with {
        callees.push(load(&mut runtime, callee)?.2);
    }
    let subject = Subject { source: args.contract.clone(), code_hash, bytes, abi, callees };
    match (args.json, args.conflicts) {
        (true, true) => output::print_json(&json_matrix(&subject)),
        (true, false) => output::print_json(&json(&subject)),
        (false, true) => output::print(&print_matrix(&subject)),
        (false, false) => output::print(print(&subject).trim_end()),
    }
}

/// The size, code hash and ABI of a contract.
fn load(runtime: &mut Runtime, name: &str) -> Result<(usize, String, Abi)> {
    let wasm = contract_bytes(name, Path::new(""))?;
    let hash = runtime.upload(&wasm).with_context(|| format!("{name} is no contract"))?;
    let code = runtime.code(&hash).context("uploaded code is missing")?;
    Ok((wasm.len(), hash.to_string(), code.abi.clone()))
}
