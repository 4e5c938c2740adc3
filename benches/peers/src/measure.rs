//! Lets the runtimes take turns, block by block, and holds their state against the model.

use crate::engine::{Engine, Peer, Sample, Setup};
use anyhow::{Context, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tollway_benches::spread::Spread;
use tollway_benches::swaps::{Distribution, Swap, Variant, Workload};

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
    ensure!(options.blocks > 0, "at least one block must be measured");
    ensure!(options.block_swaps > 0, "a block needs at least one swap");
    let mut records = Vec::new();
    for distribution in &options.distributions {
        let most = distribution.pools() as usize;
        ensure!(
            *distribution != Distribution::Disjoint || options.block_swaps <= most,
            "a disjoint block has at most {most} swaps"
        );
        records.extend(run_distribution(*distribution, options, peers)?);
    }
    add_ratios(&mut records);
    Ok(records)
}

/// A runtime and what was measured on it.
struct Lane<'a> {
    peer: &'a Peer,
    engine: Box<dyn Engine>,
    /// One for each block, the warm-up first.
    samples: Vec<Sample>,
    published_after_blocks: Option<usize>,
}

fn run_distribution(
    distribution: Distribution,
    options: &Options,
    peers: &[Peer],
) -> anyhow::Result<Vec<Record>> {
    let mut workload = Workload::new(distribution);
    let swaps: Vec<Vec<Swap>> =
        (0..=options.blocks).map(|_| workload.next_block(options.block_swaps)).collect();
    let mut lanes = Vec::new();
    for peer in peers {
        let bar = bar(&format!("{distribution}: {} {}", peer.name, peer.variant));
        let progress = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let reserves = workload.initial_reserves();
        let setup = Setup { reserves, swaps: &swaps, progress: &progress };
        let engine = (peer.open)(peer, &setup).with_context(|| title(peer, distribution))?;
        lanes.push(Lane { peer, engine, samples: Vec::new(), published_after_blocks: None });
        bar.finish_and_clear();
    }

    let bar = bar(&format!("{distribution}: blocks"));
    bar.set_length((swaps.len() * lanes.len()) as u64);
    for (index, block) in swaps.iter().enumerate() {
        for lane in &mut lanes {
            lane.run(index, block, distribution)?;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    lanes.into_iter().map(|lane| lane.record(&workload, options)).collect()
}

impl Lane<'_> {
    fn run(
        &mut self,
        index: usize,
        swaps: &[Swap],
        distribution: Distribution,
    ) -> anyhow::Result<()> {
        let what = || format!("{}, block {index}", title(self.peer, distribution));
        self.samples.push(self.engine.run(swaps).with_context(what)?);
        if let Some(published) = distribution.checksums(index + 1, swaps.len()) {
            let found = self.engine.checksums().with_context(what)?;
            ensure!(found == published, "{} ends in {found}, published is {published}", what());
            self.published_after_blocks = Some(index + 1);
        }
        Ok(())
    }

    fn record(mut self, workload: &Workload, options: &Options) -> anyhow::Result<Record> {
        let Peer { name, version, variant, threads, unit, .. } = *self.peer;
        let dist = workload.distribution();
        let found = self.engine.checksums().with_context(|| title(self.peer, dist))?;
        let expected = workload.model().checksums();
        let title = title(self.peer, dist);
        ensure!(found == expected, "{title} ends in {found}, the model in {expected}");
        let swaps = options.block_swaps as f64;
        let measured = &self.samples[1..];
        let times: Vec<f64> =
            measured.iter().map(|sample| sample.elapsed.as_nanos() as f64 / swaps).collect();
        let spread = Spread::of(&times);
        let metered: u64 = measured.iter().map(|sample| sample.metered).sum();
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

/// A bar on stderr; not there when stderr is no terminal.
fn bar(label: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{prefix:>36} {bar:32} {percent:>3} %  {eta}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(label.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines;
    use std::time::Duration;
    use tollway_benches::swaps::{Checksums, Model};

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
        let found = run(&options, &[peer]);
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
