//! Contracts with other access sections than their own.

use anyhow::{Context, ensure};
use std::borrow::Cow;
use tollway_host_api::abi::{ABI_SECTION, Abi};
use tollway_host_api::{AccessTemplate, Mode};
use wasm_encoder::{CustomSection, Module, RawSection};
use wasmparser::{Parser, Payload};

/// The module with every `add` that it declares as a `write`: the same contract on a runtime where
/// nothing commutes. Results stay, gas may not.
///
/// # Errors
/// If it is no module, or has no ABI.
pub fn without_adds(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::new();
    let mut found = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload
            && section.name() == ABI_SECTION
        {
            let mut abi: Abi = borsh::from_slice(section.data()).context("the ABI is damaged")?;
            for method in abi.methods.to_mut() {
                write_instead_of_add(method.access.to_mut());
            }
            let data = borsh::to_vec(&abi)?;
            module.section(&CustomSection { name: ABI_SECTION.into(), data: Cow::Owned(data) });
            found = true;
        } else if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: &wasm[range] });
        }
    }
    ensure!(found, "the module has no section {ABI_SECTION}");
    Ok(module.finish())
}

fn write_instead_of_add(templates: &mut [AccessTemplate]) {
    for template in templates {
        match template {
            AccessTemplate::Key { mode, .. } if *mode == Mode::Add => *mode = Mode::Write,
            AccessTemplate::ForEach { body, .. } => write_instead_of_add(body.to_mut()),
            AccessTemplate::Key { .. } | AccessTemplate::Call { .. } => {}
        }
    }
}
