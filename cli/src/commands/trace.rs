//! `tollway trace`: runs a block on one worker and on several, and shows the run on several.

use crate::args::TraceArgs;
use crate::chrome::chrome_trace;
use crate::output::{self, write_file};
use crate::picture::{Run, Section, page, svg};
use crate::report;
use crate::source::Source;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tollway::{BlockTrace, Config, Receipt};

/// How often a block runs: the run in the middle is shown, since the fastest and the slowest are
/// luck. The first one, which makes instances, is left out.
const RUNS: usize = 5;

pub(crate) fn run(args: &TraceArgs) -> Result<()> {
    let source = Source::new(&args.block)?;
    let (serial, expected) = traced(&source, 1)?;
    let (trace, receipts) = match args.threads.get() {
        1 => (serial.clone(), expected.clone()),
        threads => traced(&source, threads)?,
    };
    ensure!(
        receipts == expected,
        "receipts differ between 1 and {} threads: please report this",
        trace.threads
    );
    let run = || Run {
        title: source.title(),
        trace: &trace,
        serial_ns: Some(end_ns(&serial)),
        parallel_ns: None,
    };
    if let Some(path) = &args.chrome {
        write_file(path, chrome_trace(&trace).to_string().as_bytes())?;
    }
    if let Some(path) = &args.svg {
        write_file(path, svg(&run()).as_bytes())?;
    }
    if let Some(path) = &args.html {
        let section = Section { heading: String::new(), run: run() };
        write_file(path, page("A block's run", "", &[section]).as_bytes())?;
    }
    if args.json {
        output::print_json(&json!({
            "title": source.title(),
            "serial_ns": end_ns(&serial),
            "parallel_ns": end_ns(&trace),
            "plan": report::plan_json(&trace.plan),
            "trace": trace,
        }))
    } else {
        output::print(&report::run(&run()))
    }
}

/// The run in the middle of [`RUNS`], and its receipts.
pub(crate) fn traced(source: &Source, threads: usize) -> Result<(BlockTrace, Vec<Receipt>)> {
    let config = Config { threads, trace: true, ..Config::default() };
    let (mut runtime, block) = source.load(config)?;
    let mut receipts = runtime.execute(&block)?.receipts;
    let mut traces = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let outcome = runtime.execute(&block)?;
        receipts = outcome.receipts;
        traces.push(outcome.trace.context("the runtime made no trace")?);
    }
    traces.sort_by_key(end_ns);
    Ok((traces.swap_remove(RUNS / 2), receipts))
}

/// When a run was over.
pub(crate) fn end_ns(trace: &BlockTrace) -> u64 {
    trace.phases.iter().map(|phase| phase.end_ns).fold(1, u64::max)
}
