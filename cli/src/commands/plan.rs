//! `tollway plan`: resolves and plans a block without running it. Every call costs 1.

use crate::args::PlanArgs;
use crate::report::PlannedKey;
use crate::source::Source;
use crate::what_if::{Allowed, Sets, keys_of};
use crate::{output, report};
use anyhow::Result;
use serde_json::json;
use tollway::Config;

pub(crate) fn run(args: &PlanArgs) -> Result<()> {
    let source = Source::new(&args.block)?;
    let mut loaded = source.load(Config::default())?;
    let block = loaded.block.clone();
    let mut trace = loaded.runtime().plan(&block)?;
    let names = loaded.names.clone();
    names.rename(&mut trace);
    let declared = loaded.runtime().access_sets(&block)?;
    let sets = Sets::new(&block, &declared);
    let mut keys: Vec<PlannedKey> = (trace.hot_keys.iter().cloned())
        .map(|key| PlannedKey { chain_without: sets.chain_without(key.number), key })
        .collect();
    // What gains most stands first; of equals, what makes the longer chain by itself.
    keys.sort_by_key(|key| key.chain_without);
    let mut changes = Vec::new();
    for what_if in &args.what_if {
        changes.push((what_if, keys_of(what_if, &declared, &names)?));
    }
    let mut allowed: Vec<Allowed> = Vec::new();
    if !changes.is_empty() {
        allowed.push(sets.allowed(&[]));
        allowed.extend(changes.iter().map(|change| sets.allowed(std::slice::from_ref(change))));
    }
    if changes.len() > 1 {
        allowed.push(sets.allowed(&changes));
    }
    if args.json {
        return output::print_json(&json!({
            "title": source.title(),
            "height": trace.height,
            "plan": report::plan_json(&trace.plan),
            "hot_keys": keys,
            "what_if": allowed,
        }));
    }
    output::print(&format!("{}\n{}", source.title(), report::plan(&trace, &keys, &allowed)))
}
