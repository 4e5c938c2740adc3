//! `tollway bench`: measures a workload, one row for each number of threads, and says what more
//! threads would bring.

use crate::args::{BenchCommand, Dist, MeasureArgs, PayersName, Variant};
use crate::format::thousands;
use crate::output;
use crate::progress::with_bar;
use crate::scaling;
use crate::table::aligned;
use anyhow::Result;
use serde::Serialize;
use serde_json::json;
use tollway::Compiler;
use tollway_benches::crowd::{
    CrowdRecord, CrowdReport, PaymentOptions, VoteOptions, payments, votes,
};
use tollway_benches::scaling::Scaling;
use tollway_benches::swaps::bench::{BenchOptions, BenchRecord, run_and_scale};
use tollway_benches::turns::TurnOptions;

/// Calls of a block of payments or votes.
const BLOCK_CALLS: usize = 10_000;

pub(crate) fn run(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Swaps { dist, variant, measure } => swaps(*dist, *variant, measure),
        BenchCommand::Payments { payers, measure } => payments(*payers, measure),
        BenchCommand::Votes { measure } => votes(measure),
    }
}

fn swaps(dist: Dist, variant: Variant, measure: &MeasureArgs) -> Result<()> {
    let options = BenchOptions {
        distribution: dist.into(),
        variant: variant.into(),
        threads: measure.threads.clone(),
        blocks: measure.blocks as usize,
        ..BenchOptions::default()
    };
    let (records, scaling) = with_bar("swaps", |progress| run_and_scale(&options, progress))?;
    print(measure, "swaps", &records, &scaling, swaps_text)
}

fn payments(payers: PayersName, measure: &MeasureArgs) -> Result<()> {
    let turns = turns(measure);
    let options = PaymentOptions { turns, payers: payers.into(), block_calls: BLOCK_CALLS };
    let report = with_bar("payments", |progress| payments::run(&options, progress))?;
    print_crowd(measure, "payments", "merchant, payers and supply are right to the unit", &report)
}

fn votes(measure: &MeasureArgs) -> Result<()> {
    let options = VoteOptions { turns: turns(measure), block_calls: BLOCK_CALLS };
    let report = with_bar("votes", |progress| votes::run(&options, progress))?;
    print_crowd(measure, "votes", "every tally and choice is right", &report)
}

fn turns(measure: &MeasureArgs) -> TurnOptions {
    TurnOptions {
        threads: measure.threads.clone(),
        blocks: measure.blocks as usize,
        compiler: Compiler::default(),
        traced: true,
    }
}

fn print_crowd(
    measure: &MeasureArgs,
    calls: &str,
    checked: &str,
    report: &CrowdReport,
) -> Result<()> {
    let text = |records: &[CrowdRecord]| crowd_text(records, calls, checked);
    print(measure, calls, &report.records, &report.scaling, text)
}

/// Prints the rows, then what more threads would bring.
fn print<R: Serialize>(
    measure: &MeasureArgs,
    calls: &str,
    records: &[R],
    scaling: &Option<Scaling>,
    text: impl Fn(&[R]) -> String,
) -> Result<()> {
    if measure.json {
        records.iter().try_for_each(output::print_json)?;
        return match scaling {
            Some(scaling) => output::print_json(&json!({ "scaling": scaling })),
            None => Ok(()),
        };
    }
    output::print(&text(records))?;
    match scaling {
        Some(scaling) => output::print(&format!("\n{}", scaling::text(scaling, calls))),
        None => Ok(()),
    }
}

fn swaps_text(records: &[BenchRecord]) -> String {
    let Some(first) = records.first() else {
        return "nothing was measured".to_owned();
    };
    let row = |record: &BenchRecord| Row {
        threads: record.threads,
        per_s: record.swaps_per_s_median,
        ns: [record.ns_per_swap_median, record.ns_per_swap_min, record.ns_per_swap_max],
        gas: record.gas_per_swap,
    };
    let rows: Vec<Row> = records.iter().map(row).collect();
    format!(
        "{}, {}: {}\n\n{}\n\nstate as published: reserves {}, balances {}",
        first.variant,
        first.dist,
        blocks(first.blocks, first.block, "swaps"),
        table(&rows, "swap"),
        first.reserves_fnv,
        first.balances_fnv
    )
}

fn crowd_text(records: &[CrowdRecord], calls: &str, checked: &str) -> String {
    let Some(first) = records.first() else {
        return "nothing was measured".to_owned();
    };
    let row = |record: &CrowdRecord| Row {
        threads: record.threads,
        per_s: record.calls_per_s_median,
        ns: [record.ns_per_call_median, record.ns_per_call_min, record.ns_per_call_max],
        gas: record.gas_per_call,
    };
    let rows: Vec<Row> = records.iter().map(row).collect();
    format!(
        "{}, {}: {}\n\n{}\n\n{checked}; state {}",
        first.workload,
        first.dist,
        blocks(first.blocks, first.block, calls),
        table(&rows, calls.trim_end_matches('s')),
        first.state_root
    )
}

fn blocks(blocks: usize, calls: usize, name: &str) -> String {
    let calls = thousands(calls as u64);
    format!("{blocks} blocks of {calls} {name}, decode, execute and commit")
}

/// What was measured on one number of threads.
struct Row {
    threads: usize,
    per_s: f64,
    /// Nanoseconds a call: median, least, most.
    ns: [f64; 3],
    gas: f64,
}

fn table(rows: &[Row], call: &str) -> String {
    let one = rows.iter().find(|row| row.threads == 1).map(|row| row.per_s);
    let cells = rows.iter().map(|row| {
        let [median, min, max] = row.ns.map(|ns| format!("{ns:.0}"));
        [
            row.threads.to_string(),
            thousands(row.per_s.round() as u64),
            one.map_or_else(String::new, |one| format!("{:.2}×", row.per_s / one)),
            median,
            min,
            max,
            format!("{:.0}", row.gas),
        ]
    });
    let per_s = format!("{call}s/s");
    let median = format!("ns a {call}, median");
    let gas = format!("gas a {call}");
    let headings = ["threads", &per_s, "speed-up", &median, "min", "max", &gas];
    aligned(headings, &[0, 1, 2, 3, 4, 5, 6], cells)
}
