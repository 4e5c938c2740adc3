//! `tollway bench`: measures a workload, one row for each number of threads.

use crate::args::BenchCommand;
use crate::format::thousands;
use crate::output;
use crate::progress::with_bar;
use crate::scaling;
use crate::table::aligned;
use anyhow::Result;
use serde_json::json;
use tollway_benches::swaps::bench::{BenchOptions, BenchRecord, run_and_scale};

pub(crate) fn run(command: &BenchCommand) -> Result<()> {
    let BenchCommand::Swaps { dist, variant, threads, blocks, json } = command;
    let options = BenchOptions {
        distribution: (*dist).into(),
        variant: (*variant).into(),
        threads: threads.clone(),
        blocks: *blocks as usize,
        ..BenchOptions::default()
    };
    let (records, scaling) = with_bar("swaps", |progress| run_and_scale(&options, progress))?;
    if *json {
        for record in &records {
            output::print_json(record)?;
        }
        return scaling
            .iter()
            .try_for_each(|scaling| output::print_json(&json!({ "scaling": scaling })));
    }
    output::print(&table(&records))?;
    scaling
        .iter()
        .try_for_each(|scaling| output::print(&format!("\n{}", scaling::text(scaling, "swaps"))))
}

fn table(records: &[BenchRecord]) -> String {
    let one =
        records.iter().find(|record| record.threads == 1).map(|record| record.swaps_per_s_median);
    let rows = records.iter().map(|record| {
        let ns = |ns: f64| format!("{ns:.0}");
        let speedup =
            one.map_or_else(String::new, |one| format!("{:.2}×", record.swaps_per_s_median / one));
        [
            record.threads.to_string(),
            thousands(record.swaps_per_s_median.round() as u64),
            speedup,
            ns(record.ns_per_swap_median),
            ns(record.ns_per_swap_min),
            ns(record.ns_per_swap_max),
            format!("{:.0}", record.gas_per_swap),
        ]
    });
    let headings =
        ["threads", "swaps/s", "speed-up", "ns a swap, median", "min", "max", "gas a swap"];
    let Some(first) = records.first() else {
        return "nothing was measured".to_owned();
    };
    format!(
        "{}, {}: {} blocks of {} swaps, decode, execute and commit\n\n{}\n\nstate as published: reserves {}, balances {}",
        first.variant,
        first.dist,
        first.blocks,
        thousands(first.block as u64),
        aligned(headings, &[0, 1, 2, 3, 4, 5, 6], rows),
        first.reserves_fnv,
        first.balances_fnv
    )
}
