//! The disk backend does what every backend must, with every setting.

mod common;

use common::{InDirectories, OnSimDisks, small};
use tollway_state::conformance;
use tollway_state_disk::{DiskOptions, Durability};

#[test]
fn disk_conforms() {
    conformance::run(&mut InDirectories::new(DiskOptions::default()));
}

#[test]
fn conforms_with_small_limits() {
    conformance::run(&mut OnSimDisks::new(small()));
}

#[test]
fn conforms_without_background() {
    let options = DiskOptions { background: false, ..small() };
    conformance::run(&mut OnSimDisks::new(options));
}

#[test]
fn conforms_when_several_blocks_are_made_durable_at_once() {
    let options = DiskOptions { durability: Durability::EveryBlocks(5), ..small() };
    conformance::run(&mut OnSimDisks::new(options));
}

/// `TOLLWAY_TEST_STEPS` sets how many steps, 1500 by default.
#[test]
fn long_random_histories() {
    let steps = std::env::var("TOLLWAY_TEST_STEPS").map_or(1500, |steps| steps.parse().unwrap());
    for seed in 200..200 + steps / 500 {
        conformance::random::run(&mut OnSimDisks::new(small()), seed, 500);
    }
}
