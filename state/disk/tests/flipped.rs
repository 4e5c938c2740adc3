//! A flipped byte anywhere in the files is refused or detected, and never served as state.
//!
//! `TOLLWAY_TEST_FLIPS` sets how many bytes are flipped, 600 by default.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{
    chain::{self, Reference},
    sim::SimDisk,
    small,
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
};
use tollway_state::{Backend, BackendError, Height, conformance::random::Dice};
use tollway_state_disk::DiskBackend;

const BLOCKS: u64 = 60;

fn store(close: bool) -> SimDisk {
    let disk = SimDisk::new();
    let mut backend = DiskBackend::open_files(&disk, small()).unwrap();
    for height in 1..=BLOCKS {
        backend.commit(&[chain::block(height)]).unwrap();
    }
    backend.prune(Height(10)).unwrap();
    if close {
        backend.close().unwrap();
    }
    // Without closing, as a crash leaves it.
    disk.crash(common::sim::Crash::Process)
}

fn flips(contents: &[Vec<u8>; 2]) -> Vec<(usize, usize, u8)> {
    let count = std::env::var("TOLLWAY_TEST_FLIPS").map_or(600, |count| count.parse().unwrap());
    let mut dice = Dice(1);
    let mut flips = Vec::new();
    for (file, bytes) in contents.iter().enumerate() {
        // The header, byte by byte, then everywhere in even steps, then at random.
        flips.extend((0..320).map(|at| (file, at, 1u8 << (at % 8))));
        let step = bytes.len() / (count / 4) + 1;
        flips.extend((0..bytes.len()).step_by(step).map(|at| (file, at, 0xff)));
        for _ in 0..count / 4 {
            let at = dice.below(bytes.len() as u64) as usize;
            flips.push((file, at, 1 + dice.below(255) as u8));
        }
    }
    flips
}

fn check(closed: bool) {
    let disk = store(closed);
    let contents = disk.contents();
    let mut reference = Reference::new();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, at, flip) in flips(&contents) {
        let mut flipped = contents.clone();
        flipped[file][at] ^= flip;
        let outcome = catch_unwind(AssertUnwindSafe(|| outcome(flipped, &mut reference)))
            .unwrap_or_else(|_| panic!("file {file}, byte {at}, flipped by {flip}"));
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("closed {closed}: {outcomes:?}");
    let refused = outcomes.get("refused").copied().unwrap_or(0);
    assert!(refused > 0, "{outcomes:?}");
}

/// What comes of opening a damaged store; panics if anything wrong is served.
fn outcome(contents: [Vec<u8>; 2], reference: &mut Reference) -> &'static str {
    let backend = match DiskBackend::open_files(&SimDisk::of(contents), small()) {
        Ok(backend) => backend,
        Err(BackendError::Damaged { .. }) => return "refused",
        Err(BackendError::Foreign { .. } | BackendError::NewerFormat { .. }) => return "foreign",
        Err(error) => panic!("{error:?}"),
    };
    reference.check(&backend);
    match (backend.head().height.0, reference.check_past(&backend)) {
        (BLOCKS, 0) => "without effect",
        (BLOCKS, _) => "past refused",
        // A database that was not closed goes back to the commit before a damaged one, as it must
        // after a torn write.
        (height, _) => {
            assert_eq!(height, BLOCKS - 1);
            "back by one"
        }
    }
}

#[test]
fn flipped_bytes_after_closing() {
    check(true);
}

#[test]
fn flipped_bytes_after_a_crash() {
    check(false);
}
