//! The command line.

use crate::engine::Peer;
use crate::engines;
use crate::measure::Options;
use anyhow::ensure;
use clap::Parser;
use tollway_benches::swaps::{Distribution, Variant};

/// Runs the swap workload on Tollway and on other runtimes, and prints one table.
///
/// The standard run, whose final state is published, is `--blocks 7 --swaps 10000`.
#[derive(Debug, Parser)]
#[command(name = "tollway-peers")]
pub(crate) struct Args {
    /// Which pools the swaps go to: disjoint, zipf1024, zipf64, hot.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "disjoint,hot")]
    dist: Vec<Distribution>,
    /// In how many contracts the exchange is: monolith, composed.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "monolith,composed")]
    variant: Vec<Variant>,
    /// Measured blocks; one more is run before them.
    #[arg(long, value_name = "COUNT", default_value_t = 15)]
    blocks: usize,
    /// Swaps of a block.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    swaps: usize,
    /// Only these runtimes.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Print records for programs.
    #[arg(long)]
    pub(crate) json: bool,
    /// Be the child that runs this row; see [`crate::worker`].
    #[arg(long, value_name = "INDEX", hide = true)]
    pub(crate) worker: Option<usize>,
}

impl Args {
    /// The arguments of the child that runs a row on a distribution.
    pub(crate) fn of_worker(
        peer: &Peer,
        distribution: Distribution,
        options: &Options,
    ) -> Vec<String> {
        let is_it = |other: &Peer| {
            (other.name, other.variant, other.threads) == (peer.name, peer.variant, peer.threads)
        };
        let index = engines::all().iter().position(is_it).unwrap_or(usize::MAX);
        let numbers =
            [("--worker", index), ("--blocks", options.blocks), ("--swaps", options.block_swaps)];
        let mut arguments = vec!["--dist".to_owned(), distribution.to_string()];
        arguments
            .extend(numbers.iter().flat_map(|(name, number)| [(*name).into(), number.to_string()]));
        arguments
    }

    /// What to measure.
    pub(crate) fn options(&self) -> Options {
        Options { distributions: self.dist.clone(), blocks: self.blocks, block_swaps: self.swaps }
    }

    /// The rows of the table, in its order.
    ///
    /// # Errors
    /// If a name is of no runtime in this build, or nothing is left.
    pub(crate) fn peers(&self) -> anyhow::Result<Vec<Peer>> {
        let all = engines::all();
        for name in &self.only {
            let mut names: Vec<_> = all.iter().map(|peer| peer.name).collect();
            names.dedup();
            ensure!(
                names.contains(&name.as_str()),
                "no runtime {name:?}: have {}",
                names.join(", ")
            );
        }
        let is_wanted = |peer: &Peer| {
            self.variant.contains(&peer.variant)
                && (self.only.is_empty() || self.only.iter().any(|name| name == peer.name))
        };
        let wanted: Vec<_> = all.into_iter().filter(is_wanted).collect();
        ensure!(!wanted.is_empty(), "no runtime is left to measure");
        Ok(wanted)
    }
}
