//! Contracts with other access sections than their own.

use anyhow::{Context, ensure};
use std::borrow::Cow;
use tollway_host_api::abi::{ABI_SECTION, Abi, Method};
use tollway_host_api::{AccessTemplate, Expr, Mode};
use wasm_encoder::{CustomSection, Module, RawSection};
use wasmparser::{Parser, Payload};

/// The module with every `add` that it declares as a `write`: the same contract on a runtime where
/// nothing commutes. Results stay, gas may not.
///
/// # Errors
/// If it is no module, or has no ABI.
pub fn without_adds(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    with_methods(wasm, |method| write_instead_of_add(method.access.to_mut()))
}

/// The module as if its immutables were state, which is not known before a call runs: methods that
/// declare what they touch by an immutable, such as those that call a contract named by one, declare
/// nothing. Results stay, gas may not.
///
/// # Errors
/// As for [`without_adds`].
pub fn without_immutables(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    with_methods(wasm, |method| {
        if method.declared && !forget_immutables(method.access.to_mut()) {
            method.declared = false;
            method.access = Vec::new().into();
        }
    })
}

/// The module with other methods in its ABI.
fn with_methods(wasm: &[u8], mut change: impl FnMut(&mut Method)) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::new();
    let mut found = false;
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if let Payload::CustomSection(section) = &payload
            && section.name() == ABI_SECTION
        {
            let mut abi: Abi = borsh::from_slice(section.data()).context("the ABI is damaged")?;
            abi.methods.to_mut().iter_mut().for_each(&mut change);
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

/// Makes arguments that come from immutables unknown. Whether that is enough: keys and callees that do
/// so can't be.
fn forget_immutables(templates: &mut [AccessTemplate]) -> bool {
    templates.iter_mut().all(|template| match template {
        AccessTemplate::Key { parts, .. } => !parts.iter().any(is_of_immutable),
        AccessTemplate::ForEach { list, body } => {
            !is_of_immutable(list) && forget_immutables(body.to_mut())
        }
        AccessTemplate::Call { contract, args, .. } => {
            let known = args.to_mut().iter_mut().filter(|arg| is_of_immutable(arg));
            known.for_each(|arg| *arg = Expr::Unknown);
            !is_of_immutable(contract)
        }
    })
}

fn is_of_immutable(expr: &Expr) -> bool {
    match expr {
        Expr::Immutable { .. } => true,
        Expr::Shard { of, .. } => of.iter().any(is_of_immutable),
        _ => false,
    }
}
