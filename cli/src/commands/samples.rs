//! `tollway samples`: writes the sample contracts as files.

use crate::output::write_file;
use anyhow::Result;
use std::path::Path;

pub(crate) fn run(dir: &Path) -> Result<()> {
    for (name, wasm) in tollway_contracts_wasm::ALL {
        write_file(&dir.join(format!("{name}.wasm")), wasm)?;
    }
    Ok(())
}
