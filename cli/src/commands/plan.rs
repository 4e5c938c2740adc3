//! `tollway plan`: resolves and plans a block without running it. Every call costs 1.

use crate::args::PlanArgs;
use crate::source::Source;
use crate::{output, report};
use anyhow::Result;
use serde_json::json;
use tollway::Config;

pub(crate) fn run(args: &PlanArgs) -> Result<()> {
    let source = Source::new(&args.block)?;
    let mut loaded = source.load(Config::default())?;
    let block = loaded.block.clone();
    let mut trace = loaded.runtime().plan(&block)?;
    loaded.names.rename(&mut trace);
    if args.json {
        return output::print_json(&json!({
            "title": source.title(),
            "height": trace.height,
            "plan": report::plan_json(&trace.plan),
            "hot_keys": trace.hot_keys,
        }));
    }
    output::print(&format!("{}\n{}", source.title(), report::plan(&trace)))
}
