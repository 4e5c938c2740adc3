//! Counts the instructions of the hot path under callgrind, and holds them against a baseline:
//! other work on the machine, its clock and its caches do not move them.
//!
//! ```text
//! hot_path --blocks 4 ─▶ callgrind ─▶ profile ┐ difference, by phase    ┌ benches/baselines/
//!                                             ├────────────────────────▶ ≤ instructions.toml?
//! hot_path --blocks 8 ─▶ callgrind ─▶ profile ┘ a swap                  └
//! ```
//!
//! The difference of two runs leaves out set-up, compilation and warm-up without having to know
//! where they are. What a phase takes is what callgrind counts in its function and below, native
//! code of contracts included. Not seen: waiting for memory, mispredicted branches, page faults;
//! those are what the criterion benches are for.

mod baseline;
mod profile;

use crate::steps::build_programs;
use crate::target::{ensure, root};
use baseline::{Baseline, Counts};
use profile::Profile;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// What is counted: a name, and what the example is told.
const CASES: [(&str, [&str; 4]); 3] = [
    ("disjoint-monolith", ["--dist", "disjoint", "--variant", "monolith"]),
    ("hot-monolith", ["--dist", "hot", "--variant", "monolith"]),
    ("hot-composed", ["--dist", "hot", "--variant", "composed"]),
];

/// The functions of each phase, as callgrind names them; none of a phase calls another. `commit` is
/// the batch, a repair if there is one, and the store. `total` has what is in no other phase too,
/// above all letting go of a block; not the program's own total, in which compiling contracts
/// differs between runs.
const PHASES: [(&str, &[&str]); 5] = [
    ("resolve", &["tollway::resolve::resolve"]),
    ("plan", &["tollway::plan::plan"]),
    ("execute", &["tollway::execute::run_lanes"]),
    ("commit", &["tollway::runtime::run::<impl tollway::runtime::Runtime>::settle", COMMIT]),
    (
        "total",
        &[
            "tollway::resolve::resolve",
            "tollway::runtime::run::<impl tollway::runtime::Runtime>::execute_in_pool",
            COMMIT,
        ],
    ),
];

const COMMIT: &str = "tollway::runtime::Runtime::commit";

const BLOCKS: [u64; 2] = [4, 8];
const BLOCK_SWAPS: u64 = 1_000;

/// The exit code where nothing could be said: no valgrind, or a baseline of another machine.
const UNABLE: u8 = 2;

enum Stop {
    /// Something is wrong, or slower.
    Failed(String),
    /// It can't be told here.
    Unable(String),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// Counts, prints, and compares with the baseline, or rewrites it.
pub(crate) fn task(args: &[String]) -> ExitCode {
    let stop = match run(args) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(stop) => stop,
    };
    let (message, code) = match stop {
        Stop::Failed(message) => (message, 1),
        Stop::Unable(message) => (message, UNABLE),
    };
    eprintln!("xtask: {message}");
    ExitCode::from(code)
}

struct Options {
    update: bool,
    /// How instances are rewound, if the example shall be told.
    reset: Option<String>,
}

fn parse(args: &[String]) -> Result<Options, String> {
    let mut options = Options { update: false, reset: None };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--update" => options.update = true,
            "--reset" => options.reset = Some(args.next().ok_or("--reset needs a value")?.clone()),
            _ => return Err(format!("unknown option {arg:?}: expected --update or --reset WAY")),
        }
    }
    Ok(options)
}

fn run(args: &[String]) -> Result<(), Stop> {
    let options = parse(args)?;
    let Some(valgrind) = version_of("valgrind", &["--version"]) else {
        return Err(Stop::Unable(
            "valgrind is missing, and nothing else counts instructions here. Install it:\n  \
             apt-get install valgrind, dnf install valgrind, or your system's package"
                .into(),
        ));
    };
    let environment = environment(&valgrind);
    ensure()?;
    build_programs()?;
    let program = program()?;
    let path = root().join("benches/baselines/instructions.toml");
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => Some(Baseline::parse(&text).map_err(|error| at(&path, &error))?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(at(&path, &error.to_string()).into()),
    };
    let mut new = Baseline::new(environment, options.reset.clone());
    for (name, line) in CASES {
        new.cases.push((name.to_owned(), count(&program, name, &line, &options)?));
    }
    if options.update {
        print!("{}", new.table(old.as_ref()));
        std::fs::write(&path, new.text()).map_err(|error| at(&path, &error.to_string()))?;
        eprintln!("xtask: wrote {}", path.display());
        return Ok(());
    }
    let Some(old) = old else {
        print!("{}", new.table(None));
        return Err(Stop::Unable(format!("no baseline: {} is missing; --update", path.display())));
    };
    if old.environment != new.environment || old.reset != new.reset {
        print!("{}", new.table(None));
        return Err(Stop::Unable(format!(
            "not compared: the baseline is of another environment\n  baseline  {}\n  here      {}\n\
             Go back to what it was made on, or write one there and here with --update",
            old.about(),
            new.about()
        )));
    }
    print!("{}", new.table(Some(&old)));
    let worse = new.regressions(&old);
    if worse.is_empty() {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "more instructions than {} allows:\n  {}\nIf that is meant, say why in the commit, with \
         `cargo xtask instructions --update`",
        path.display(),
        worse.join("\n  ")
    )))
}

fn at(path: &Path, error: &str) -> String {
    format!("{}: {error}", path.display())
}

/// What counts depend on, beside the code: compilers and libraries.
fn environment(valgrind: &str) -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let unknown = || "unknown".to_owned();
    let rustc = version_of(&rustc, &["--version"]).unwrap_or_else(unknown);
    let libc = version_of("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_else(unknown);
    format!("{}; {rustc}; {libc}; {valgrind}", std::env::consts::ARCH)
}

/// The first line of what a program says.
fn version_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(root()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().filter(|_| output.status.success()).map(|line| line.trim().to_owned())
}

/// The example, built beside this program.
fn program() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("cannot find xtask: {error}"))?;
    Ok(here.with_file_name("examples").join("hot_path"))
}

/// Instructions a swap, by phase.
fn count(program: &Path, name: &str, line: &[&str], options: &Options) -> Result<Counts, String> {
    let profiles = std::thread::scope(|scope| {
        let runs = BLOCKS
            .map(|blocks| scope.spawn(move || profile_of(program, name, line, blocks, options)));
        // A panic of the thread has printed its own message.
        runs.map(|run| run.join().unwrap_or_else(|_| Err("a run panicked".into())))
    });
    let [less, more] = profiles;
    let (less, more) = (less?, more?);
    let swaps = (BLOCKS[1] - BLOCKS[0]) * BLOCK_SWAPS;
    let a_swap = |less: u64, more: u64| more.saturating_sub(less) / swaps;
    let mut counts = Vec::new();
    for (phase, functions) in PHASES {
        let (mut low, mut high) = (0, 0);
        for function in functions {
            let missing = || {
                format!(
                    "callgrind saw no function {function} ({phase}). If it was renamed, name it \
                     in xtask/src/instructions; if it was inlined, `#[inline(never)]` keeps it"
                )
            };
            low += less.inclusive(function).ok_or_else(missing)?;
            high += more.inclusive(function).ok_or_else(missing)?;
        }
        counts.push((phase.to_owned(), a_swap(low, high)));
    }
    Ok(counts)
}

fn profile_of(
    program: &Path,
    name: &str,
    line: &[&str],
    blocks: u64,
    options: &Options,
) -> Result<Profile, String> {
    let out = std::env::temp_dir()
        .join(format!("tollway-callgrind-{}-{name}-{blocks}", std::process::id()));
    let mut command = Command::new("valgrind");
    command
        // Native code of contracts is made while it runs.
        .args(["--quiet", "--tool=callgrind", "--smc-check=all-non-file"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args(line)
        .args(["--blocks", &blocks.to_string(), "--block-swaps", &BLOCK_SWAPS.to_string()])
        // `rep stosb` is one instruction that callgrind counts once for each byte: clearing a page
        // of Wasm would be four fifths of a swap.
        .env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-ERMS,-FSRM")
        .stdout(Stdio::null());
    if let Some(reset) = &options.reset {
        command.args(["--reset", reset]);
    }
    eprintln!("$ {command:?}");
    let status = command.status().map_err(|error| format!("cannot run valgrind: {error}"))?;
    let text = std::fs::read_to_string(&out);
    // Nobody looks at it later.
    let _ = std::fs::remove_file(&out);
    if !status.success() {
        return Err(format!("{name} with {blocks} blocks ended with {status}"));
    }
    let text = text.map_err(|error| at(&out, &error.to_string()))?;
    Profile::parse(&text).map_err(|error| format!("callgrind's output: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_known_or_refused() {
        let parse = |args: &[&str]| {
            parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
                .map(|options| (options.update, options.reset))
        };
        assert_eq!(parse(&[]), Ok((false, None)));
        assert_eq!(parse(&["--update", "--reset", "zero"]), Ok((true, Some("zero".into()))));
        assert!(parse(&["--reset"]).is_err());
        assert!(parse(&["--updat"]).is_err());
    }
}
