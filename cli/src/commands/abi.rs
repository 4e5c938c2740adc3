//! `tollway abi`: prints a contract's ABI as JSON, or gives one to a module.

use crate::abi::{attach, parse, show};
use crate::args::AbiArgs;
use crate::output;
use crate::source::contract_bytes;
use anyhow::{Context, Result};
use std::path::Path;
use tollway::Limits;
use tollway::engine::validate::validate;

pub(crate) fn run(args: &AbiArgs) -> Result<()> {
    let wasm = contract_bytes(&args.contract, Path::new(""))?;
    let (Some(description), Some(out)) = (&args.set, &args.out) else {
        let checked = validate(&wasm, &Limits::default());
        let checked = checked.with_context(|| format!("{} is no contract", args.contract))?;
        return output::print(&serde_json::to_string_pretty(&show(&checked.abi))?);
    };
    let file = || description.display().to_string();
    let text =
        std::fs::read_to_string(description).with_context(|| format!("cannot read {}", file()))?;
    let value = serde_json::from_str(&text).with_context(file)?;
    let abi = parse(&value).with_context(file)?;
    let attached = attach(&wasm, &abi).with_context(|| args.contract.clone())?;
    validate(&attached, &Limits::default())
        .with_context(|| format!("{} with the ABI in {} is no contract", args.contract, file()))?;
    output::write_file(out, &attached)
}
