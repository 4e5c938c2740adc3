//! The command line.

mod author;
mod state;

pub(crate) use author::{
    AbiArgs, BuildArgs, CheckUpgradeArgs, ClientArgs, ClientLang, NewArgs, ReferenceFormat,
    TestArgs,
};
pub(crate) use state::{BlockReplayArgs, ExportArgs, ImportArgs, StateCommand};

use crate::what_if::WhatIf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tollway_benches::access::Rule;
use tollway_benches::crowd::Payers;
use tollway_benches::swaps::bench::EXTRA_ACCOUNTS_MAX;
use tollway_benches::swaps::{Distribution, exchange};

/// Run blocks of contract calls in parallel lanes, with the very result of running them one by
/// one, and see why they wait.
#[derive(Debug, Parser)]
#[command(name = "tollway", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a contract: a crate that works, with its tests
    #[command(after_help = author::NEW_EXAMPLES)]
    New(NewArgs),
    /// Compile a contract to Wasm, reproducibly, and check it as an upload would
    #[command(after_help = author::BUILD_EXAMPLES)]
    Build(BuildArgs),
    /// Build a contract, then run its tests
    Test(TestArgs),
    /// Run an exchange at four levels of contention, and draw what happened
    Demo(DemoArgs),
    /// Show a contract: methods, the keys they touch, and which calls wait for each other
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Say what becomes of stored values and of callers if a code takes the place of another
    #[command(after_help = author::CHECK_UPGRADE_EXAMPLES)]
    CheckUpgrade(CheckUpgradeArgs),
    /// Say how parallel a block is: chains, hot keys, speed-ups possible
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(PlanArgs),
    /// Run a block and show its lanes: as table, JSON, Chrome trace, SVG or HTML
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(TraceArgs),
    /// Run recorded blocks of a real chain, and hold the result against the oracle
    #[command(subcommand)]
    Replay(ReplayCommand),
    /// Measure a workload
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Look into a kept state: values, proofs, history; go back, or forget the past
    #[command(subcommand)]
    State(StateCommand),
    /// Write a whole kept state to one file
    Export(ExportArgs),
    /// Make a kept state of such a file, every chunk checked against the root
    #[command(after_help = IMPORT_EXAMPLE)]
    Import(ImportArgs),
    /// Write the sample contracts as Wasm files
    Samples {
        /// The folder to write to; made if it is missing
        dir: PathBuf,
    },
    /// Write a typed client of a contract
    #[command(after_help = author::CLIENT_EXAMPLES)]
    Client(ClientArgs),
    /// Print a contract's ABI as JSON, or give a module one that is described so
    #[command(after_help = author::ABI_EXAMPLES)]
    Abi(AbiArgs),
    /// Print the reference of the host functions
    Reference {
        /// As what
        #[arg(long, value_enum, default_value_t)]
        format: ReferenceFormat,
    },
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  tollway inspect target/my_contract.wasm
  tollway inspect token                  a sample contract; `tollway samples DIR` lists them
  tollway inspect pair --with token      look into the contracts that it calls, too
  tollway inspect pair --with token --conflicts
                                         who waits for whom, on one page
  tollway inspect token --json | jq '.methods[].access'";

const PLAN_EXAMPLES: &str = "\
Examples:
  tollway plan --workload swaps --dist zipf64
  tollway plan --block block.json
  tollway plan --workload swaps --dist hot --what-if dex.reserves=shard:8
  tollway plan --access data/mainnet --number 12300570 --rule credit --json";

const TRACE_EXAMPLES: &str = "\
Examples:
  tollway trace --workload swaps --dist hot --html hot.html
  tollway trace --workload swaps --dist zipf64 --calls 60 --svg lanes.svg
  tollway trace --block block.json --threads 4
  tollway trace --access data/mainnet --number 12300570 --chrome trace.json
                                         (open it in ui.perfetto.dev)";

const IMPORT_EXAMPLE: &str = "\
Example:
  tollway import state.tollway data/state --height 120 --root <ROOT OF THAT HEADER>";

const SWAPS_EXAMPLES: &str = "\
Examples:
  tollway bench swaps --dist disjoint --variant monolith --threads 1,2 --blocks 7
  tollway bench swaps --dist disjoint --variant monolith --threads 2 --store out/state
                                         (on disk, durable every block, with a root)";

const SUITE_EXAMPLES: &str = "\
Examples:
  tollway bench suite --threads 1,2
  tollway bench suite --each --blocks 3
  tollway bench suite --each --only token,pair --without-adds
  tollway bench suite --page --blocks 5 > book/src/suite-measured.md";

/// What `tollway demo` takes.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where the pictures go
    #[arg(long, value_name = "DIR", default_value = "out/demo")]
    pub(crate) out: PathBuf,
    /// Smaller blocks and fewer of them: a smoke test
    #[arg(long)]
    pub(crate) quick: bool,
}

/// What `tollway inspect` takes.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A Wasm file, or the name of a sample contract
    pub(crate) contract: String,
    /// A contract that it may call: a Wasm file or a sample; may be given more than once
    #[arg(long = "with", value_name = "CONTRACT")]
    pub(crate) with: Vec<String>,
    /// Show which methods make each other wait as a matrix, and what is worth a second look
    #[arg(long)]
    pub(crate) conflicts: bool,
    /// Print JSON for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which block to look at: one of three kinds.
#[derive(Debug, Args)]
pub(crate) struct BlockArgs {
    /// A generated block
    #[arg(long, value_enum, group = "block source", required_unless_present_any = ["access", "block"])]
    pub(crate) workload: Option<WorkloadName>,
    /// A recorded block: the folder with keys.csv.gz, access.csv.gz and txs.csv.gz
    #[arg(long, value_name = "DIR", group = "block source", requires = "number")]
    pub(crate) access: Option<PathBuf>,
    /// A block in a JSON file; see `docs/scenario.md`
    #[arg(long, value_name = "FILE", group = "block source")]
    pub(crate) block: Option<PathBuf>,
    /// How contended the generated block is
    #[arg(long, value_enum, default_value = "zipf64", conflicts_with_all = ["access", "block"])]
    pub(crate) dist: Dist,
    /// One contract, or pools that call token contracts
    #[arg(long, value_enum, default_value = "monolith", conflicts_with_all = ["access", "block"])]
    pub(crate) variant: Variant,
    /// Calls of the generated block
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with_all = ["access", "block"],
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) calls: u32,
    /// The number of the recorded block
    #[arg(long, value_name = "N", conflicts_with_all = ["workload", "block"])]
    pub(crate) number: Option<u64>,
    /// Which recorded accesses commute
    #[arg(long, value_enum, default_value = "credit", conflicts_with_all = ["workload", "block"])]
    pub(crate) rule: RuleName,
}

/// What `tollway plan` takes.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) block: BlockArgs,
    /// What would the plan be if this key or field were an add, sharded by caller, or not there:
    /// KEY=add, KEY=shard:N or KEY=none; may be given more than once
    #[arg(long, value_name = "KEY=…")]
    pub(crate) what_if: Vec<WhatIf>,
    /// Print JSON for programs
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `tollway trace` takes.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) block: BlockArgs,
    #[command(flatten)]
    pub(crate) threads: ThreadsArg,
    /// Print the whole trace as JSON for programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a trace for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE")]
    pub(crate) chrome: Option<PathBuf>,
    /// Write a picture
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write a page with the picture, which tells about the call under the pointer
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// How many worker threads.
#[derive(Debug, Args)]
pub(crate) struct ThreadsArg {
    /// Worker threads [default: as many as the machine has]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

impl ThreadsArg {
    /// The number asked for, or that of the machine.
    pub(crate) fn get(&self) -> usize {
        let machine = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(machine)
    }
}

/// The most worker threads that the command takes.
const THREADS_MAX: usize = 256;

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (1..=THREADS_MAX).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from 1 to {THREADS_MAX}")),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReplayCommand {
    /// Run real exchange swaps and compare amounts and reserves to the unit
    #[command(
        after_help = "Example:\n  tollway replay swaps data/mainnet/v2_swaps.csv --threads 2"
    )]
    Swaps {
        /// The swaps, with the columns of data/mainnet/v2_swaps.csv
        file: PathBuf,
        #[command(flatten)]
        threads: ThreadsArg,
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
    },
    /// Run a block of a kept state again, or its first calls, and hold it against the oracle
    #[command(after_help = "Example:\n  tollway replay block data/state 120 --until 7")]
    Block(BlockReplayArgs),
    /// Run the conflict pattern of real blocks, every call burning the gas it really used
    #[command(after_help = "Example:\n  tollway replay access data/mainnet --rule credit")]
    Access {
        /// The folder with keys.csv.gz, access.csv.gz and txs.csv.gz
        dir: PathBuf,
        #[command(flatten)]
        threads: ThreadsArg,
        /// Which accesses commute
        #[arg(long, value_enum, default_value = "all")]
        rule: RuleName,
        /// Print a JSON line a block for programs, then one with a summary
        #[arg(long)]
        json: bool,
    },
}

/// The state under measured swaps.
#[derive(Debug, Args)]
pub(crate) struct SwapsStateArgs {
    /// Keep the state in a new store in this directory too, and time that beside memory alone;
    /// takes one number of threads
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Make the store durable every N blocks instead of every block
    #[arg(long, value_name = "N", requires = "store",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) durable_every: Option<u64>,
    /// Accounts in the state beside the 10,000 traders
    #[arg(long, value_name = "N", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=i64::from(EXTRA_ACCOUNTS_MAX)))]
    pub(crate) extra_accounts: u32,
}

/// What a measurement of generated blocks takes.
#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    /// Worker threads, one row for each number; with 1 and more, also what up to 128 would bring
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', default_value = "1,2", value_parser = threads)]
    pub(crate) threads: Vec<usize>,
    /// Blocks to time, after one for warm-up
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) blocks: u32,
    /// Print a JSON line a row for programs, then one with what more threads would bring
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Time blocks of 10,000 generated swaps, and check the final state by checksum
    #[command(
        after_help = SWAPS_EXAMPLES
    )]
    Swaps {
        /// How contended the swaps are
        #[arg(long, value_enum)]
        dist: Dist,
        /// One contract, or pools that call token contracts
        #[arg(long, value_enum)]
        variant: Variant,
        #[command(flatten)]
        state: SwapsStateArgs,
        #[command(flatten)]
        measure: MeasureArgs,
    },
    /// Time blocks of 10,000 token payments to one merchant, and check every balance
    #[command(after_help = "Example:\n  tollway bench payments --payers uniform --threads 1,2")]
    Payments {
        /// Who pays
        #[arg(long, value_enum, default_value = "disjoint")]
        payers: PayersName,
        #[command(flatten)]
        measure: MeasureArgs,
    },
    /// Time blocks of 10,000 votes on one proposal, and check every tally
    #[command(after_help = "Example:\n  tollway bench votes --threads 1,2")]
    Votes {
        #[command(flatten)]
        measure: MeasureArgs,
    },
    /// Time blocks of everything that the sample contracts do: one mixed block, or each alone
    #[command(after_help = SUITE_EXAMPLES)]
    Suite {
        #[command(flatten)]
        suite: SuiteArgs,
        #[command(flatten)]
        measure: MeasureArgs,
    },
}

/// What of the suite is measured.
#[derive(Debug, Args)]
pub(crate) struct SuiteArgs {
    /// Contracts that are called; all of them if it is left out
    #[arg(long, value_name = "NAME,NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Each contract alone, not all in one block
    #[arg(long)]
    pub(crate) each: bool,
    /// Contracts declare every add as a write: what it would be if nothing commuted
    #[arg(long)]
    pub(crate) without_adds: bool,
    /// Contracts declare nothing by their immutables: what it would be if these were state
    #[arg(long, conflicts_with = "without_adds")]
    pub(crate) without_immutables: bool,
    /// Each contract alone, with its adds, immutables and shards and without: the book's tables, in Markdown
    #[arg(long, conflicts_with_all = ["each", "without_adds", "without_immutables", "json"])]
    pub(crate) page: bool,
    /// Calls of a block
    #[arg(long, value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) calls: u32,
}

/// Who pays the merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PayersName {
    /// Everybody once a block
    Disjoint,
    /// Anybody, so some pay several times
    Uniform,
}

impl From<PayersName> for Payers {
    fn from(payers: PayersName) -> Self {
        match payers {
            PayersName::Disjoint => Self::Disjoint,
            PayersName::Uniform => Self::Uniform,
        }
    }
}

/// A generator of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WorkloadName {
    /// Swaps of an exchange
    Swaps,
}

/// How contended generated swaps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Dist {
    /// Every swap has a pool and a trader of its own
    Disjoint,
    /// 1,024 pools, some far more popular than others
    Zipf1024,
    /// 64 pools, some far more popular than others
    Zipf64,
    /// One pool
    Hot,
}

/// How the exchange is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variant {
    /// One contract holds all pools and balances
    Monolith,
    /// A contract for each pool, which calls two token contracts
    Composed,
}

impl From<Dist> for Distribution {
    fn from(dist: Dist) -> Self {
        match dist {
            Dist::Disjoint => Self::Disjoint,
            Dist::Zipf1024 => Self::Zipf1024,
            Dist::Zipf64 => Self::Zipf64,
            Dist::Hot => Self::Hot,
        }
    }
}

impl From<Variant> for exchange::Variant {
    fn from(variant: Variant) -> Self {
        match variant {
            Variant::Monolith => Self::Monolith,
            Variant::Composed => Self::Composed,
        }
    }
}

impl From<RuleName> for Rule {
    fn from(rule: RuleName) -> Self {
        match rule {
            RuleName::All => Self::All,
            RuleName::Nofee => Self::Nofee,
            RuleName::Credit => Self::Credit,
        }
    }
}

/// Which recorded accesses commute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuleName {
    /// None: whatever changes a key is a write
    All,
    /// The same, without the fee account
    Nofee,
    /// Credits and fees are adds
    Credit,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn stores_take_the_options_of_stores() {
        use clap::error::ErrorKind::{MissingRequiredArgument, ValueValidation};
        let swaps = |more: &str| {
            parse(&format!("tollway bench swaps --dist hot --variant monolith {more}")).err()
        };
        assert_eq!(swaps("--store d --durable-every 8 --extra-accounts 5"), None);
        assert_eq!(swaps("--durable-every 8"), Some(MissingRequiredArgument));
        assert_eq!(swaps("--store d --durable-every 0"), Some(ValueValidation));
        assert_eq!(swaps("--extra-accounts 100000001"), Some(ValueValidation));
    }

    fn parse(line: &str) -> Result<Cli, clap::error::ErrorKind> {
        Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
    }

    #[test]
    fn a_block_comes_from_one_place() {
        use clap::error::ErrorKind::{ArgumentConflict, MissingRequiredArgument};
        assert!(parse("tollway plan --workload swaps").is_ok());
        assert!(parse("tollway plan --block b.json").is_ok());
        assert!(parse("tollway plan --access d --number 7").is_ok());
        assert_eq!(parse("tollway plan").err(), Some(MissingRequiredArgument));
        assert_eq!(parse("tollway plan --access d").err(), Some(MissingRequiredArgument));
        assert_eq!(parse("tollway plan --block b --workload swaps").err(), Some(ArgumentConflict));
        assert_eq!(parse("tollway plan --block b --dist hot").err(), Some(ArgumentConflict));
    }

    #[test]
    fn thread_counts_are_bounded() {
        let threads = |list: &str| {
            parse(&format!("tollway bench swaps --dist hot --variant monolith --threads {list}"))
        };
        assert!(threads("1,2,256").is_ok());
        assert!(parse("tollway bench votes").is_ok());
        assert!(parse("tollway bench payments --payers uniform --threads 2 --json").is_ok());
        for wrong in ["0", "1,", "257", "x", "1,,2"] {
            assert_eq!(
                threads(wrong).err(),
                Some(clap::error::ErrorKind::ValueValidation),
                "{wrong}"
            );
        }
    }
}
