//! `tollway build`: compiles a contract, and says what came of it.

use crate::args::BuildArgs;
use crate::built::{BuiltContract, built};
use crate::output;
use anyhow::{Result, bail, ensure};

pub(crate) fn run(args: &BuildArgs) -> Result<()> {
    let contracts = built(&args.folder)?;
    let wants_one = args.out.is_some() || args.check.is_some();
    ensure!(
        contracts.len() == 1 || !wants_one,
        "{} holds {} contracts: --out and --check are for one, name its folder",
        args.folder.display(),
        contracts.len()
    );
    for contract in &contracts {
        let file = args.out.clone().unwrap_or_else(|| contract.default_file());
        output::write_quietly(&file, &contract.wasm)?;
        if args.json {
            output::print_json(&contract.json(&file))?;
        } else {
            output::print(&contract.text(&file))?;
        }
        check(contract, args.check.as_deref())?;
    }
    Ok(())
}

/// Whether the code is the one that was asked for.
fn check(contract: &BuiltContract, expected: Option<&str>) -> Result<()> {
    match expected {
        Some(expected) if expected != contract.code_hash => bail!(
            "{} has code hash {}, not {expected}; it was built by {}",
            contract.package,
            contract.code_hash,
            contract.compiler
        ),
        _ => Ok(()),
    }
}
