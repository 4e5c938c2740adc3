//! `tollway trace`: runs a block on one worker and on several, and shows the run on several.

use crate::args::TraceArgs;
use crate::chrome::chrome_trace;
use crate::output::{self, write_file};
use crate::picture::{Run, Section, page, svg};
use crate::report;
use crate::source::Source;
use crate::traced::{end_ns, fastest_run};
use anyhow::{Result, ensure};
use serde_json::json;
use tollway::{BlockTrace, Config, Receipt};

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

/// The block's run on so many threads, and its receipts.
fn traced(source: &Source, threads: usize) -> Result<(BlockTrace, Vec<Receipt>)> {
    let config = Config { threads, trace: true, ..Config::default() };
    let mut loaded = source.load(config)?;
    let block = loaded.block.clone();
    let (mut trace, receipts) = fastest_run(loaded.runtime(), &block)?;
    loaded.names.rename(&mut trace);
    Ok((trace, receipts))
}
