//! `tollway check-upgrade`: what an upgrade would do to stored values and to callers.

use crate::args::CheckUpgradeArgs;
use crate::output;
use crate::source::contract_bytes;
use crate::table::table;
use anyhow::{Context, Result};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use tollway::engine::validate::validate;
use tollway::upgrade::{Effect, Finding, compare};
use tollway::{CodeHash, Limits};
use tollway_host_api::Abi;

pub(crate) fn run(args: &CheckUpgradeArgs) -> Result<ExitCode> {
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let findings = compare(&old.1, &new.1);
    let worst = findings.iter().map(|finding| finding.effect).max().unwrap_or(Effect::Fine);
    let is_safe = match worst {
        Effect::BreaksState => false,
        Effect::BreaksCallers => !args.strict,
        Effect::Fine => true,
    };
    if args.json {
        let finding = |finding: &Finding| {
            json!({
                "effect": word(finding.effect),
                "part": finding.part.to_string(),
                "name": finding.name,
                "what": finding.what,
            })
        };
        output::print_json(&json!({
            "old": old.0.to_string(),
            "new": new.0.to_string(),
            "findings": findings.iter().map(finding).collect::<Vec<_>>(),
            "is_safe": is_safe,
        }))?;
    } else {
        output::print(&text(args, &findings, worst))?;
    }
    Ok(if is_safe { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn load(name: &str) -> Result<(CodeHash, Abi)> {
    let wasm = contract_bytes(name, Path::new(""))?;
    let checked = validate(&wasm, &Limits::default());
    let checked = checked.with_context(|| format!("{name} is no contract"))?;
    Ok((CodeHash::of(&wasm), checked.abi))
}

fn text(args: &CheckUpgradeArgs, findings: &[Finding], worst: Effect) -> String {
    let mut sorted: Vec<_> = findings.iter().collect();
    // What matters most comes first; else the order of the contract's parts.
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.effect));
    let rows = sorted.iter().map(|finding| {
        let thing = format!("{} {}", finding.part, finding.name);
        [word(finding.effect).to_owned(), thing, finding.what.clone()]
    });
    let verdict = match worst {
        Effect::BreaksState => "breaks stored state: a runtime refuses this upgrade",
        Effect::BreaksCallers if args.strict => "keeps stored state, breaks callers",
        Effect::BreaksCallers => "keeps stored state; breaks callers, which may be meant",
        Effect::Fine => "keeps stored state, and callers go on as before",
    };
    let table = table(["effect", "", "what changed"], rows);
    let space = if table.is_empty() { "" } else { "\n\n" };
    format!("{table}{space}{} → {}: {verdict}", args.old, args.new)
}

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Fine => "fine",
        Effect::BreaksCallers => "breaks callers",
        Effect::BreaksState => "breaks state",
    }
}
