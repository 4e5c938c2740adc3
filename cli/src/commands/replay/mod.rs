//! `tollway replay`: real blocks and real swaps, and blocks of a kept state, held against the
//! record and the oracle.

mod block;

use crate::args::{ReplayCommand, RuleName};
use crate::format::{count, factor, sentence, thousands, wrapped};
use crate::output;
use crate::progress::with_bar;
use crate::table::aligned;
use anyhow::Result;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use tollway_benches::replay::access::{AccessOptions, AccessRecord, AccessSummary};
use tollway_benches::replay::swaps::{SwapsOptions, SwapsReport};
use tollway_benches::{access, replay, v2};

pub(crate) fn run(command: &ReplayCommand) -> Result<ExitCode> {
    match command {
        ReplayCommand::Swaps { file, threads, json } => swaps(file, threads.get(), *json),
        ReplayCommand::Block(args) => block::run(args),
        ReplayCommand::Access { dir, threads, rule, json } => {
            access(dir, threads.get(), *rule, *json)
        }
    }
}

fn swaps(file: &Path, threads: usize, json: bool) -> Result<ExitCode> {
    let swaps = v2::read(file)?;
    let options = SwapsOptions { threads, ..SwapsOptions::default() };
    let report = with_bar("swaps", |progress| replay::swaps::run(&swaps, &options, progress))?;
    if json {
        output::print_json(&report)?;
    } else {
        output::print(&swaps_text(&report))?;
    }
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn swaps_text(report: &SwapsReport) -> String {
    const MISMATCHES_SHOWN_MAX: usize = 20;
    let number = |number: usize| thousands(number as u64);
    let rows = [
        (report.exact, "exact", "the contract gives the real amounts and reserves to the unit"),
        (
            report.explained,
            "explained",
            "no formula gives the real amounts; accepted or refused as recorded",
        ),
        (report.mismatched, "mismatched", "not as recorded"),
    ];
    let rows =
        rows.map(|(count, name, meaning)| [number(count), name.to_owned(), meaning.to_owned()]);
    let table = aligned(["swaps", "", ""], &[0], rows);
    let mut text = format!(
        "{} on {}\n\n{table}\n\nstate   {}\noracle  {}",
        count(report.rows as u64, "real swap"),
        count(report.threads as u64, "thread"),
        report.state_root,
        report.oracle_root
    );
    text.push_str(match report.state_root == report.oracle_root {
        true => "  equal",
        false => "  DIFFERENT",
    });
    for mismatch in report.mismatches.iter().take(MISMATCHES_SHOWN_MAX) {
        text.push_str(&format!("\nline {}: {}", mismatch.line, mismatch.reason));
    }
    if let Some(more) = report.mismatches.len().checked_sub(MISMATCHES_SHOWN_MAX + 1) {
        text.push_str(&format!("\nand {} more", number(more + 1)));
    }
    text
}

fn access(dir: &Path, threads: usize, rule: RuleName, json: bool) -> Result<ExitCode> {
    let blocks = with_bar("reading", |progress| access::read(dir, progress))?;
    let options = AccessOptions { threads, rule: rule.into(), ..AccessOptions::default() };
    let on_record = |record: &AccessRecord| match json {
        true => output::print_json(record),
        false => Ok(()),
    };
    let records =
        with_bar("blocks", |progress| replay::access::run(&blocks, &options, on_record, progress))?;
    let summary = AccessSummary::new(&records, &options);
    if json {
        if let Some(summary) = summary {
            output::print_json(&json!({ "summary": summary }))?;
        }
    } else {
        output::print(&access_text(&records, &options))?;
        if let Some(summary) = summary {
            output::print(&format!("\n{}", summary_text(&summary)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn summary_text(summary: &AccessSummary) -> String {
    let quiet = match summary.reached_of_ideal_quiet {
        Some(reached) => format!(
            "{reached:.2} over the {} in which the machine was quiet",
            count(summary.quiet_blocks as u64, "block")
        ),
        None => "the machine was never quiet".to_owned(),
    };
    let mut text = format!(
        "speed-up reached on {}, over the ideal there: {:.2}, gas-weighted median; {quiet}",
        count(summary.threads as u64, "thread"),
        summary.reached_of_ideal
    );
    if summary.simulated.is_empty() {
        return text;
    }
    let rows = summary.simulated.iter().map(|point| {
        let speedups = [point.speedup, point.ideal_speedup].map(|speedup| format!("{speedup:.2}"));
        let [speedup, ideal] = speedups;
        [point.workers.to_string(), speedup, ideal]
    });
    let table = aligned(["workers", "speed-up", "possible"], &[0, 1, 2], rows);
    let off: Vec<String> =
        summary.simulation_errors.iter().map(|error| format!("{:.1} %", 100.0 * error)).collect();
    text.push_str(&format!(
        "\n\nsimulated, by number of workers; gas-weighted medians\n\n{table}\n\n{}",
        wrapped(&format!(
            "Median error against runs on 1 and {}: {}. {}.",
            count(summary.threads as u64, "thread"),
            off.join(" and "),
            sentence(summary.limits)
        ))
    ));
    text
}

fn access_text(records: &[AccessRecord], options: &AccessOptions) -> String {
    let rows = records.iter().map(|record| {
        let ideal = &record.ideal_speedup;
        [
            record.block.to_string(),
            thousands(record.calls as u64),
            thousands(record.gas_total),
            thousands(record.critical_path_calls.into()),
            factor(ideal.two),
            factor(ideal.eight),
            factor(ideal.thirty_two),
            factor(ideal.inf),
            format!("{:.2}", record.serial_ms),
            format!("{:.2}", record.parallel_ms),
            format!("{:.2}", record.serial_ms / record.parallel_ms),
        ]
    });
    let threads = format!("{} threads\nms", options.threads);
    let headings = [
        "block",
        "calls",
        "gas",
        "longest\nchain",
        "possible\non 2",
        "on 8",
        "on 32",
        "on any",
        "1 thread\nms",
        &threads,
        "speed-up\nreached",
    ];
    format!(
        "{}, rule {}: receipts and state equal the oracle's in every block\n\n{}",
        count(records.len() as u64, "recorded block"),
        options.rule,
        aligned(headings, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], rows)
    )
}
