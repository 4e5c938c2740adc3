//! `tollway demo`: what `cargo xtask demo` runs.

use crate::args::DemoArgs;
use crate::chrome::chrome_trace;
use crate::demo::{Level, Size, intro, measure, table};
use crate::format::count;
use crate::output::{self, write_quietly};
use crate::picture::{Run, Section, page, svg};
use crate::progress::with_bar;
use anyhow::Result;
use tollway_benches::swaps::Distribution;

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
    draw(args, &levels, &table)
}

fn draw(args: &DemoArgs, levels: &[Level], table: &str) -> Result<()> {
    let mut sections = Vec::new();
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

fn run_of(level: &Level) -> Run<'_> {
    Run {
        title: format!("swaps of an exchange, {}", level.distribution),
        trace: &level.trace,
        serial_ns: Some(level.serial_ns),
        parallel_ns: None,
    }
}
