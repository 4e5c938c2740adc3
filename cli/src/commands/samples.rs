//! `tollway samples`: writes the sample contracts as files, and says how large they are.

use crate::format::thousands;
use crate::output::{print, write_file};
use crate::table::aligned;
use anyhow::Result;
use std::path::Path;
use tollway::CodeHash;

pub(crate) fn run(dir: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for (name, wasm) in tollway_contracts_wasm::ALL {
        write_file(&dir.join(format!("{name}.wasm")), wasm)?;
        let size = thousands(wasm.len() as u64);
        rows.push([(*name).to_owned(), size, CodeHash::of(wasm).to_string()]);
    }
    print(&aligned(["contract", "bytes", "code hash"], &[1], rows))
}
