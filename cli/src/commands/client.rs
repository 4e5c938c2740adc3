//! `tollway client`: writes a typed client of a contract.

use crate::args::{ClientArgs, ClientLang};
use crate::client::{rust, typescript};
use crate::output;
use crate::source::contract_bytes;
use anyhow::{Context, Result};
use std::path::Path;
use tollway::Limits;
use tollway::engine::validate::validate;

pub(crate) fn run(args: &ClientArgs) -> Result<()> {
    let wasm = contract_bytes(&args.contract, Path::new(""))?;
    let checked = validate(&wasm, &Limits::default());
    let checked = checked.with_context(|| format!("{} is no contract", args.contract))?;
    let client = match args.lang {
        ClientLang::Rust => rust(&checked.abi).with_context(|| args.contract.clone())?,
        ClientLang::Typescript => typescript(&checked.abi),
    };
    match &args.out {
        Some(file) => output::write_file(file, client.as_bytes()),
        None => output::print(client.trim_end()),
    }
}
