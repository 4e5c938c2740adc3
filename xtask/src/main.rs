//! Set-up, demo and tests of the repository, in one command each: `cargo xtask help`.
//!
//! Needs nothing but rustup and a C compiler, and depends on no crate, so that it starts in
//! seconds on a fresh machine. It prints every command that it runs.
#![forbid(unsafe_code)]

mod book;
mod instructions;
mod steps;
mod target;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask <TASK> [ARGS]

Tasks:
  demo [ARGS]   Run an exchange at four levels of contention, serial and parallel, and draw it
  test [ARGS]   Run all tests and the embedder's example; ARGS go to cargo test
  ci            Run all that is checked before a change is taken: tests, format, lints, docs, demo
  contracts     Build the sample contracts and write them to out/contracts
  book          Build the book into out/book, with mdBook, which is installed in target/tools if it is missing
  instructions [--update] [--reset WAY]
                Count the hot path's instructions under callgrind, against a baseline
  help          Print this

The first run compiles the engine, which takes some minutes; later ones start at once.
What contracts are compiled for (the Rust target wasm32v1-none) is added where it is missing.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match args.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("", &[][..]),
    };
    let result = match (task, rest) {
        ("demo", rest) => target::ensure().and_then(|()| steps::demo(rest)),
        ("test", rest) => target::ensure().and_then(|()| steps::test(rest)),
        ("ci", []) => target::ensure().and_then(|()| steps::ci()),
        ("contracts", []) => target::ensure().and_then(|()| steps::contracts()),
        ("book", []) => book::build(),
        ("instructions", rest) => return instructions::task(rest),
        ("help" | "--help" | "-h", _) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
