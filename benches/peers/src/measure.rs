//! Lets the runtimes take turns, block by block, and holds their state against the model.

use crate::engine::Peer;
use crate::worker::{Remote, Turn, Worker, bar};
use anyhow::{Context, ensure};
use serde::Serialize;
use tollway_benches::spread::Spread;
use tollway_benches::swaps::{Distribution, Variant, Workload};

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) distributions: Vec<Distribution>,
    /// Measured blocks; one more is run before them.
    pub(crate) blocks: usize,
    pub(crate) block_swaps: usize,
}

/// The figures of one runtime on one distribution.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) peer: &'static str,
    pub(crate) version: &'static str,
    pub(crate) variant: Variant,
    pub(crate) dist: Distribution,
    pub(crate) threads: usize,
    /// Swaps of a block.
    pub(crate) block: usize,
    /// Measured blocks.
    pub(crate) blocks: usize,
    pub(crate) ns_per_swap_min: f64,
    pub(crate) ns_per_swap_median: f64,
    pub(crate) ns_per_swap_max: f64,
    pub(crate) swaps_per_s_median: f64,
    /// How many times as long as Tollway on one thread in the same variant, by medians.
    pub(crate) times_tollway: Option<f64>,
    /// Over all measured blocks, in the runtime's own unit.
    pub(crate) metered_per_swap: f64,
    pub(crate) unit: &'static str,
    /// Checksum of the reserves at the end, as 16 hexadecimal digits.
    pub(crate) reserves_fnv: String,
    /// Checksum of the traders' balances at the end.
    pub(crate) balances_fnv: String,
    /// After how many blocks the state was held against a published checksum, if it was.
    pub(crate) published_after_blocks: Option<usize>,
}

/// Measures all peers on all distributions.
///
/// # Errors
/// If a swap fails, or a state is not the model's or not the published one.
pub(crate) fn run(options: &Options, peers: &[Peer]) -> anyhow::Result<Vec<Record>> {
    run_with(options, peers, |peer, distribution, options| {
        Ok(Box::new(Remote::new(peer, distribution, options)?))
    })
}

fn run_with(options: &Options, peers: &[Peer], start: Start) -> anyhow::Result<Vec<Record>> {
    ensure!(options.blocks > 0, "at least one block must be measured");
    ensure!(options.block_swaps > 0, "a block needs at least one swap");
    let mut records = Vec::new();
    for distribution in &options.distributions {
        let most = distribution.pools() as usize;
        ensure!(
            *distribution != Distribution::Disjoint || options.block_swaps <= most,
            "a disjoint block has at most {most} swaps"
        );
        records.extend(run_distribution(*distribution, options, peers, start)?);
    }
    add_ratios(&mut records);
    Ok(records)
}

/// How a runtime is started.
type Start = fn(&Peer, Distribution, &Options) -> anyhow::Result<Box<dyn Worker>>;

/// A runtime and what was measured on it.
struct Lane<'a> {
    peer: &'a Peer,
    worker: Box<dyn Worker>,
    /// One for each block, the warm-up first.
    turns: Vec<Turn>,
    published_after_blocks: Option<usize>,
}

fn run_distribution(
    distribution: Distribution,
    options: &Options,
    peers: &[Peer],
    start: Start,
) -> anyhow::Result<Vec<Record>> {
    let mut lanes = Vec::new();
    for peer in peers {
        let worker =
            start(peer, distribution, options).with_context(|| title(peer, distribution))?;
        lanes.push(Lane { peer, worker, turns: Vec::new(), published_after_blocks: None });
    }
    let bar = bar(&format!("{distribution}: blocks"));
    let blocks = options.blocks + 1;
    bar.set_length((blocks * lanes.len()) as u64);
    for _ in 0..blocks {
        for lane in &mut lanes {
            lane.run(distribution, options)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let mut workload = Workload::new(distribution);
    for _ in 0..blocks {
        workload.next_block(options.block_swaps);
    }
    lanes.into_iter().map(|lane| lane.record(&workload, options)).collect()
}

impl Lane<'_> {
    fn run(&mut self, distribution: Distribution, options: &Options) -> anyhow::Result<()> {
        let blocks = self.turns.len() + 1;
        let what = || format!("{}, after {blocks} blocks", title(self.peer, distribution));
        let turn = self.worker.turn().with_context(what)?;
        self.turns.push(turn);
        if let Some(published) = distribution.checksums(blocks, options.block_swaps) {
            let found = turn.checksums().with_context(|| format!("{}: no checksums", what()))?;
            ensure!(found == published, "{} is in {found}, published is {published}", what());
            self.published_after_blocks = Some(blocks);
        }
        Ok(())
    }

    fn record(self, workload: &Workload, options: &Options) -> anyhow::Result<Record> {
        let Peer { name, version, variant, threads, unit, .. } = *self.peer;
        let dist = workload.distribution();
        let title = title(self.peer, dist);
        let found = self.turns.last().and_then(Turn::checksums);
        let found = found.with_context(|| format!("{title}: no checksums"))?;
        let expected = workload.model().checksums();
        ensure!(found == expected, "{title} ends in {found}, the model in {expected}");
        let swaps = options.block_swaps as f64;
        let measured = &self.turns[1..];
        let times: Vec<f64> = measured.iter().map(|turn| turn.elapsed_ns as f64 / swaps).collect();
        let spread = Spread::of(&times);
        let metered: u64 = measured.iter().map(|turn| turn.metered).sum();
        Ok(Record {
            peer: name,
            version,
            variant,
            dist,
            threads,
            block: options.block_swaps,
            blocks: options.blocks,
            ns_per_swap_min: spread.min,
            ns_per_swap_median: spread.median,
            ns_per_swap_max: spread.max,
            swaps_per_s_median: 1e9 / spread.median,
            times_tollway: None,
            metered_per_swap: metered as f64 / (swaps * options.blocks as f64),
            unit,
            reserves_fnv: format!("{:016x}", found.reserves),
            balances_fnv: format!("{:016x}", found.balances),
            published_after_blocks: self.published_after_blocks,
        })
    }
}

fn title(peer: &Peer, distribution: Distribution) -> String {
    let Peer { name, variant, threads, .. } = peer;
    format!("{name} {variant} {distribution} on {threads} thread(s)")
}

/// Sets every ratio for which there is a row of ours.
fn add_ratios(records: &mut [Record]) {
    let ours: Vec<_> = records
        .iter()
        .filter(|record| record.peer == "tollway" && record.threads == 1)
        .cloned()
        .collect();
    for record in records {
        let same = |ours: &&Record| ours.dist == record.dist && ours.variant == record.variant;
        let base = ours.iter().find(same);
        record.times_tollway = base.map(|base| record.ns_per_swap_median / base.ns_per_swap_median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Sample};
    use crate::engines;
    use crate::worker::Local;
    use std::time::Duration;
    use tollway_benches::swaps::{Checksums, Model, Swap};

    const OPTIONS: Options = Options { distributions: Vec::new(), blocks: 1, block_swaps: 1_000 };

    /// Does all swaps of a block but the first.
    struct Forgetful(Model);

    impl Engine for Forgetful {
        fn run(&mut self, swaps: &[Swap]) -> anyhow::Result<Sample> {
            for swap in &swaps[1..] {
                self.0.apply(swap)?;
            }
            Ok(Sample { elapsed: Duration::from_millis(1), metered: 0 })
        }

        fn checksums(&mut self) -> anyhow::Result<Checksums> {
            Ok(self.0.checksums())
        }
    }

    fn check(peer: Peer, distribution: Distribution, expected: Result<usize, &str>) {
        let options = Options { distributions: vec![distribution], ..OPTIONS };
        let found = run_with(&options, &[peer], |peer, distribution, options| {
            Ok(Box::new(Local::new(peer, distribution, options)?))
        });
        match (found, expected) {
            (Ok(records), Ok(blocks)) => {
                assert_eq!(records[0].published_after_blocks, Some(blocks));
            }
            (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error:#}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn every_runtime_ends_in_the_published_state() {
        for peer in engines::all() {
            check(peer, Distribution::Hot, Ok(2));
        }
        for peer in engines::all().into_iter().filter(|peer| peer.variant == Variant::Monolith) {
            check(peer, Distribution::Disjoint, Ok(2));
        }
    }

    #[test]
    fn another_state_is_refused() {
        let mut native = engines::all().swap_remove(0);
        native.open = |_, setup| Ok(Box::new(Forgetful(Model::new(setup.reserves))));
        check(native, Distribution::Disjoint, Err("published is"));
    }
}
