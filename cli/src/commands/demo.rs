//! `tollway demo`: what `cargo xtask demo` runs.

use crate::args::DemoArgs;
use crate::chrome::chrome_trace;
use crate::demo::{Level, Size, intro, measure, table};
use crate::format::count;
use crate::output::{self, write_quietly};
use crate::picture::{Run, Section, page, svg};
use crate::progress::with_bar;
use crate::suite::{hot_keys_text, notes_text, parts_text, records_text};
use crate::traced::end_ns;
use anyhow::Result;
use tollway::Compiler;
use tollway_benches::suite::{self, Declared, SuiteOptions, TracedSuite, USERS};
use tollway_benches::swaps::Distribution;
use tollway_benches::turns::TurnOptions;

pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    let size = if args.quick { Size::QUICK } else { Size::FULL };
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    output::print(&format!(
        "An exchange as one WebAssembly contract, at four levels of contention: blocks of {},\n\
         one after another (the oracle), then by the runtime on one thread and on two.\n\
         This machine has {}.\n",
        count(size.block_swaps as u64, "swap"),
        count(cores, "core")
    ))?;
    let mut levels = Vec::new();
    for distribution in Distribution::ALL {
        let level =
            with_bar(distribution.name(), |progress| measure(distribution, size, progress))?;
        levels.push(level);
    }
    let table = table(&levels);
    output::print(&table)?;
    output::print(
        "\nEvery receipt, and the state after the last block, equal the oracle's at every level.\n\
         The oracle is right by construction, not fast: a fresh instance for each call, no plan.\n",
    )?;
    let suite = suite(args.quick)?;
    draw(args, &levels, &table, &suite)
}

/// The mixed block of all sample contracts, and each of them alone.
fn suite(quick: bool) -> Result<TracedSuite> {
    let options = SuiteOptions {
        turns: TurnOptions {
            threads: vec![1, 2],
            blocks: if quick { 1 } else { 3 },
            compiler: Compiler::default(),
            traced: false,
        },
        block_calls: if quick { 500 } else { 10_000 },
        only: Vec::new(),
        declared: Declared::AsWritten,
        users: if quick { 300 } else { USERS },
    };
    output::print(&format!(
        "Now all sample contracts at once: exchange, credit, derivatives, votes and payments of\n\
         {} in blocks of {}.\n",
        count(options.users as u64, "account"),
        count(options.block_calls as u64, "call")
    ))?;
    let report = with_bar("suite", |progress| suite::run(&options, progress))?;
    output::print(&records_text(&report.records))?;
    output::print(&format!("\n{}", hot_keys_text(&report.trace)))?;
    let parts = with_bar("each alone", |progress| suite::run_alone(&options, progress))?;
    output::print(&format!(
        "Each contract alone:\n\n{}\n{}\n",
        parts_text(&parts),
        notes_text(&parts)
    ))?;
    let drawn = if quick { options.block_calls } else { DRAWN_CALLS };
    with_bar("suite, traced", |progress| suite::traced(2, drawn, options.users, progress))
}

/// Calls of the suite's block in the picture.
const DRAWN_CALLS: usize = 4_000;

fn draw(args: &DemoArgs, levels: &[Level], table: &str, suite: &TracedSuite) -> Result<()> {
    let mut sections = vec![suite_section(args, suite)?];
    for level in levels {
        let name = level.distribution.name();
        write_quietly(&args.out.join(format!("{name}.svg")), svg(&run_of(level)).as_bytes())?;
        let trace = chrome_trace(&level.trace).to_string();
        write_quietly(&args.out.join(format!("{name}.trace.json")), trace.as_bytes())?;
        sections
            .push(Section { heading: intro(level.distribution).to_owned(), run: run_of(level) });
    }
    let index = args.out.join("index.html");
    write_quietly(
        &index,
        page("Tollway: an exchange at four levels of contention", table, &sections).as_bytes(),
    )?;
    output::print(&format!(
        "The lanes, drawn:  {}\n\
         Beside it, for each level: a picture (.svg), and a trace for ui.perfetto.dev (.trace.json).",
        index.display()
    ))
}

fn suite_section<'s>(args: &DemoArgs, suite: &'s TracedSuite) -> Result<Section<'s>> {
    let run = || Run {
        title: "everything that the sample contracts do, in one block".to_owned(),
        trace: &suite.trace,
        serial_ns: Some(end_ns(&suite.serial)),
        parallel_ns: None,
    };
    write_quietly(&args.out.join("suite.svg"), svg(&run()).as_bytes())?;
    let trace = chrome_trace(&suite.trace).to_string();
    write_quietly(&args.out.join("suite.trace.json"), trace.as_bytes())?;
    let heading = "suite: exchange, credit, derivatives, votes and payments in one block";
    Ok(Section { heading: heading.to_owned(), run: run() })
}

fn run_of(level: &Level) -> Run<'_> {
    Run {
        title: format!("swaps of an exchange, {}", level.distribution),
        trace: &level.trace,
        serial_ns: Some(level.serial_ns),
        parallel_ns: None,
    }
}
