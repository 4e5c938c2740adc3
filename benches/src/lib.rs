//! Workloads and measurements, for the `tollway` command and for the criterion benches.
//!
//! ```text
//! swaps      the generated exchange workload, a native model of it with checksums, the same as
//!            contracts, and the measurement of both
//! crowd      many callers that add to one key: payments to a merchant, votes on a proposal
//! suite      one block of everything that the sample contracts do, and each of them alone
//! access     recorded access sets of real blocks, read from files
//! v2         recorded swaps of real pairs, and the formula that explains them
//! replay     real blocks and real swaps run through the runtime and the oracle
//! turns      the measurement: numbers of threads take turns, a few blocks each
//! schedule   chains and ideal schedules of any block, computed apart from the runtime's planner;
//!            and the runtime's own schedule, simulated on any number of workers
//! scaling    what a host with more cores would see, from measured costs
//! contracts  the sample contracts as their callers see them
//! table      CSV files, with line numbers in errors
//! spread     min, median, max           quiet  whether a run had the machine to itself
//! ```
//!
//! All randomness is seeded: the same arguments give the same calls.
#![forbid(unsafe_code)]

pub mod access;
pub mod contracts;
pub mod crowd;
pub mod quiet;
pub mod replay;
pub mod scaling;
pub mod schedule;
pub mod spread;
pub mod suite;
pub mod swaps;
pub mod table;
pub mod turns;
pub mod v2;

/// Told how much of a long piece of work is done, and how much there is in all. Both start over
/// where a function says that it has several parts, such as a set-up before a run.
pub type Progress<'a> = &'a dyn Fn(u64, u64);
