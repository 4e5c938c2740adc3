//! The exchange as contracts ends in the published state, in every variant and distribution.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

use tollway_benches::swaps::{BenchOptions, Distribution, Variant, bench};

/// One warm-up and one measured block of 1,000 swaps: a run with published checksums.
fn check(variant: Variant, distribution: Distribution) {
    let options = BenchOptions {
        distribution,
        variant,
        threads: vec![1, 2],
        blocks: 1,
        block_swaps: 1_000,
        ..BenchOptions::default()
    };
    let records = bench::run(&options, &|_, _| {}).unwrap();
    let published = distribution.checksums(2, 1_000).unwrap();
    assert_eq!(records.iter().map(|record| record.threads).collect::<Vec<_>>(), [1, 2]);
    for record in records {
        println!("{record:?}");
        assert_eq!(record.reserves_fnv, format!("{:016x}", published.reserves));
        assert_eq!(record.balances_fnv, format!("{:016x}", published.balances));
        assert!(record.ns_per_swap_min <= record.ns_per_swap_median);
        assert!(record.gas_per_swap > 0.0);
    }
}

#[test]
fn monolith_ends_in_the_published_state() {
    Distribution::ALL.into_iter().for_each(|distribution| check(Variant::Monolith, distribution));
}

#[test]
fn composed_ends_in_the_published_state() {
    Distribution::ALL.into_iter().for_each(|distribution| check(Variant::Composed, distribution));
}

#[test]
fn impossible_options_are_refused() {
    let refused = |options: BenchOptions| bench::run(&options, &|_, _| {}).unwrap_err().to_string();
    let default = BenchOptions::default;
    assert_eq!(
        refused(BenchOptions { blocks: 0, ..default() }),
        "at least one block must be measured"
    );
    assert_eq!(
        refused(BenchOptions { block_swaps: 10_001, ..default() }),
        "a disjoint block has at most 10000 swaps"
    );
    assert_eq!(
        refused(BenchOptions { threads: vec![], ..default() }),
        "no thread count to measure"
    );
    assert_eq!(
        refused(BenchOptions { threads: vec![1, 0], ..default() }),
        "a thread count must be above 0"
    );
}
