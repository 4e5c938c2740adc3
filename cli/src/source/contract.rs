//! A contract's Wasm: a sample by its name, or a file.

use anyhow::{Context, Result, anyhow};
use std::borrow::Cow;
use std::path::Path;
use tollway::Limits;
use tollway::engine::validate::{Validated, validate};

/// The names of the sample contracts.
fn sample_names() -> String {
    let names: Vec<_> = tollway_contracts_wasm::ALL.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// The Wasm that a name or path stands for. A file that is called like a sample is named with a
/// folder: `./token`.
pub(crate) fn contract_bytes(name: &str, folder: &Path) -> Result<Cow<'static, [u8]>> {
    let sample = tollway_contracts_wasm::ALL.iter().find(|(sample, _)| *sample == name);
    if let Some((_, wasm)) = sample {
        return Ok(Cow::Borrowed(wasm));
    }
    let path = folder.join(name);
    let bytes = std::fs::read(&path).with_context(|| {
        format!(
            "cannot read {}, and no sample contract has this name ({})",
            path.display(),
            sample_names()
        )
    })?;
    Ok(Cow::Owned(bytes))
}

/// What an upload would learn of a contract; `name` is what the user knows it by.
pub(crate) fn checked(name: &str, wasm: &[u8]) -> Result<Validated> {
    // Not as the source of the error: it says itself where it comes from.
    validate(wasm, &Limits::default()).map_err(|error| anyhow!("{name} is no contract: {error}"))
}
