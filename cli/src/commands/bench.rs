//! `tollway bench`: measures a workload, one row for each number of threads, and says what more
//! threads would bring.

mod suite;

use crate::args::{BenchCommand, Cli, Dist, MeasureArgs, PayersName, SwapsStateArgs, Variant};
use crate::format::{count, thousands, wrapped};
use crate::output;
use crate::progress::with_bar;
use crate::scaling;
use crate::table::aligned;
use anyhow::{Context, Result, ensure};
use clap::CommandFactory;
use clap::error::ErrorKind;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use tollway::Compiler;
use tollway_benches::crowd::{
    CrowdRecord, CrowdReport, PaymentOptions, VoteOptions, payments, votes,
};
use tollway_benches::scaling::Scaling;
use tollway_benches::swaps::bench::{BenchOptions, BenchRecord, run_and_scale};
use tollway_benches::swaps::kept::{self, KeptRecord};
use tollway_benches::turns::TurnOptions;
use tollway_state_disk::{DiskBackend, DiskOptions, Durability};

/// Calls of a block of payments or votes.
const BLOCK_CALLS: usize = 10_000;

pub(crate) fn run(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Swaps { dist, variant, state, measure } => {
            swaps(*dist, *variant, state, measure)
        }
        BenchCommand::Payments { payers, measure } => payments(*payers, measure),
        BenchCommand::Votes { measure } => votes(measure),
        BenchCommand::Suite { suite, measure } => suite::run(suite, measure),
    }
}

fn swaps(
    dist: Dist,
    variant: Variant,
    state: &SwapsStateArgs,
    measure: &MeasureArgs,
) -> Result<()> {
    let options = BenchOptions {
        distribution: dist.into(),
        variant: variant.into(),
        threads: measure.threads.clone(),
        blocks: measure.blocks as usize,
        extra_accounts: state.extra_accounts,
        ..BenchOptions::default()
    };
    if let Some(dir) = &state.store {
        return kept_swaps(&options, dir, state.durable_every, measure);
    }
    let (records, scaling) = with_bar("swaps", |progress| run_and_scale(&options, progress))?;
    print(measure, "swaps", &records, &scaling, swaps_text)
}

/// The swaps on a store in a new directory, beside memory alone.
fn kept_swaps(
    options: &BenchOptions,
    dir: &Path,
    durable_every: Option<u64>,
    measure: &MeasureArgs,
) -> Result<()> {
    if options.threads.len() != 1 {
        let message = "--store is measured on one number of threads, such as --threads 2";
        Cli::command().error(ErrorKind::ArgumentConflict, message).exit();
    }
    ensure_new(dir)?;
    let durability = durable_every.map_or(Durability::EveryBlock, Durability::EveryBlocks);
    let store = DiskBackend::create(dir, DiskOptions { durability, ..DiskOptions::default() });
    let store = store.with_context(|| format!("cannot make a store in {}", dir.display()))?;
    let records = with_bar("swaps", |progress| kept::run(options, Box::new(store), progress))?;
    if measure.json {
        return records.iter().try_for_each(|record| {
            let mut document = serde_json::to_value(record)?;
            document["durable_every"] =
                if record.kept { durable_every.unwrap_or(1).into() } else { Value::Null };
            output::print_json(&document)
        });
    }
    output::print(&kept_text(&records, dir, durable_every))
}

/// Refuses a directory with anything in it, so that no store is measured that was there before.
fn ensure_new(dir: &Path) -> Result<()> {
    let name = || dir.display().to_string();
    match std::fs::read_dir(dir) {
        Ok(mut entries) => {
            ensure!(entries.next().is_none(), "{} is not empty: name a new directory", name());
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(name),
    }
}

fn kept_text(records: &[KeptRecord; 2], dir: &Path, durable_every: Option<u64>) -> String {
    let [_, kept] = records;
    let store = match durable_every {
        None | Some(1) => "on disk, durable every block".to_owned(),
        Some(blocks) => format!("on disk, durable every {blocks} blocks"),
    };
    let rows = records.iter().map(|record| {
        let figures = [
            record.ns_per_swap,
            record.block_ns_per_swap_median,
            record.block_ns_per_swap_min,
            record.block_ns_per_swap_max,
        ];
        let [all, median, min, max] = figures.map(|ns| format!("{ns:.0}"));
        [
            if record.kept { store.clone() } else { "in memory, no root".to_owned() },
            thousands(record.swaps_per_s.round() as u64),
            all,
            median,
            min,
            max,
            if record.kept { format!("{:.1}", record.flush_ms) } else { String::new() },
        ]
    });
    let headings = [
        "state",
        "swaps/s",
        "ns a swap",
        "ns a swap until\ncommitted, median",
        "min",
        "max",
        "waited at the\nend, ms",
    ];
    format!(
        "{}, {}: {} on {}, one after another{}\n\n{}\n\n{}\n\n\
         height {} in {}, the same root in both: {}\nstate: reserves {}, balances {}",
        kept.variant,
        kept.dist,
        blocks(kept.blocks, kept.block, "swaps"),
        count(kept.threads as u64, "thread"),
        extra(kept.extra_accounts),
        aligned(headings, &[1, 2, 3, 4, 5, 6], rows),
        wrapped(
            "Swaps a second are those of all blocks together, from the first byte decoded until \
             the last block is durable, with the root of the state after it: the wait at the end \
             is in the figure. Blocks are kept with the state."
        ),
        kept.height,
        dir.display(),
        kept.state_root,
        kept.reserves_fnv,
        kept.balances_fnv
    )
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
        "{}, {}: {}{}\n\n{}\n\nstate as published: reserves {}, balances {}\nroot {}",
        first.variant,
        first.dist,
        blocks(first.blocks, first.block, "swaps"),
        extra(first.extra_accounts),
        table(&rows, "swap"),
        first.reserves_fnv,
        first.balances_fnv,
        first.state_root
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

fn extra(accounts: u32) -> String {
    match accounts {
        0 => String::new(),
        accounts => format!(", in a state with {}", count(accounts.into(), "more account")),
    }
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
