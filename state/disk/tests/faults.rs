//! Every single operation of a commit fails once, in every way; the store then opens at the last
//! acknowledged block or at the next, never between.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{
    chain::{self, Reference},
    sim::{Crash, Fault, SimDisk},
    small,
};
use tollway_state::{Backend, BackendError, Height};
use tollway_state_disk::{DiskBackend, DiskOptions, Durability};

const BASE_BLOCKS: u64 = 30;

/// Merges happen inside of commits, so that each run has the same operations.
fn options() -> DiskOptions {
    DiskOptions { background: false, overlay_bytes_max: 12_000, ..small() }
}

fn base() -> SimDisk {
    let disk = SimDisk::new();
    let mut backend = DiskBackend::open_files(&disk, options()).unwrap();
    for height in 1..=BASE_BLOCKS {
        backend.commit(&[chain::block(height)]).unwrap();
    }
    drop(backend);
    disk
}

/// What is done while operations fail.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Blocks, until pages were merged.
    Blocks,
    Rollback,
    Prune,
}

/// Does the work on a copy of `base` whose `nth` operation fails, and gives what is left of the
/// disk, the heights at which it may open, and whether the fault came.
fn run(
    base: &SimDisk,
    work: Work,
    nth: u64,
    fault: Fault,
    is_lasting: bool,
) -> (SimDisk, [u64; 2], bool) {
    let disk = base.copy();
    let mut backend = DiskBackend::open_files(&disk, options()).unwrap();
    disk.fail(nth, fault, is_lasting);
    let mut may_open_at = [BASE_BLOCKS; 2];
    let mut failure = None;
    match work {
        Work::Blocks => {
            for height in BASE_BLOCKS + 1..=BASE_BLOCKS + 6 {
                may_open_at[1] = height;
                match backend.commit(&[chain::block(height)]) {
                    Ok(_) => may_open_at[0] = height,
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
        }
        Work::Rollback => {
            may_open_at[1] = BASE_BLOCKS - 12;
            match backend.history_mut().unwrap().rollback(Height(BASE_BLOCKS - 12)) {
                Ok(_) => may_open_at[0] = BASE_BLOCKS - 12,
                Err(error) => failure = Some(error),
            }
        }
        Work::Prune => failure = backend.prune(Height(BASE_BLOCKS - 4)).err(),
    }
    if let Some(error) = failure {
        let is_typed = matches!(
            (&error, fault),
            (BackendError::DiskFull { .. }, Fault::DiskFull)
                | (BackendError::Io { .. }, Fault::Error | Fault::ShortWrite)
        );
        assert!(is_typed, "{work:?} {nth} {fault:?}: {error}");
        let again = backend.commit(&[chain::block(BASE_BLOCKS + 1)]);
        assert!(matches!(again, Err(BackendError::Failed { .. })), "{again:?}");
        let read = backend.read_many(&[b"key"], &mut tollway_state::Found::new());
        assert!(matches!(read, Err(BackendError::Failed { .. })), "{read:?}");
    }
    let has_failed = disk.has_failed();
    // Nothing is written any more, as if the process had died here.
    disk.fail(0, Fault::Error, true);
    drop(backend);
    (disk, may_open_at, has_failed)
}

fn check(work: Work, fault: Fault, is_lasting: bool) {
    let base = base();
    let mut reference = Reference::new();
    let mut nth = 0;
    loop {
        let (disk, may_open_at, has_failed) = run(&base, work, nth, fault, is_lasting);
        if !has_failed {
            break;
        }
        for crash in [Crash::Process, Crash::Power(nth), Crash::Power(nth + 1_000_000)] {
            let disk = disk.crash(crash);
            let context = || format!("{work:?}, operation {nth}, {fault:?}, then {crash:?}");
            let mut backend = DiskBackend::open_files(&disk, options())
                .unwrap_or_else(|error| panic!("{}: {error}", context()));
            let head = backend.head().height.0;
            assert!(may_open_at.contains(&head), "{}: {head} of {may_open_at:?}", context());
            reference.check(&backend);
            assert_eq!(reference.check_past(&backend), 0, "{}", context());
            backend.commit(&[chain::block(head + 1)]).unwrap();
            reference.check(&backend);
        }
        nth += 1;
    }
    assert!(nth > 10, "only {nth} operations failed");
    println!("{work:?}, {fault:?}, lasting {is_lasting}: {nth} operations failed");
}

#[test]
fn failing_operations_of_commits() {
    check(Work::Blocks, Fault::Error, false);
}

#[test]
fn operations_of_commits_that_fail_for_good() {
    check(Work::Blocks, Fault::Error, true);
}

#[test]
fn short_writes_of_commits() {
    check(Work::Blocks, Fault::ShortWrite, true);
}

#[test]
fn full_disks_in_commits() {
    check(Work::Blocks, Fault::DiskFull, true);
}

#[test]
fn failing_operations_of_rollbacks() {
    check(Work::Rollback, Fault::Error, true);
    check(Work::Rollback, Fault::ShortWrite, false);
}

#[test]
fn failing_operations_of_prunes() {
    check(Work::Prune, Fault::ShortWrite, true);
}

/// The power goes in the middle of everything, without a fault before.
#[test]
fn power_cuts_lose_nothing_acknowledged() {
    let mut reference = Reference::new();
    let disk = SimDisk::new();
    let mut backend = DiskBackend::open_files(&disk, options()).unwrap();
    for height in 1..=200 {
        backend.commit(&[chain::block(height)]).unwrap();
        for seed in 0..3 {
            let after = disk.crash(Crash::Power(height * 3 + seed));
            let opened = DiskBackend::open_files(&after, options()).unwrap();
            assert_eq!(opened.head().height.0, height);
            reference.check(&opened);
        }
    }
}

/// With several blocks made durable at once, a power cut takes blocks from the end only, and none
/// that was durable.
#[test]
fn power_cuts_lose_nothing_durable() {
    let options = DiskOptions { durability: Durability::EveryBlocks(7), ..options() };
    let mut reference = Reference::new();
    let disk = SimDisk::new();
    let mut backend = DiskBackend::open_files(&disk, options.clone()).unwrap();
    let mut lost = 0;
    for height in 1..=200 {
        backend.commit(&[chain::block(height)]).unwrap();
        let durable = backend.durable_head().height.0;
        assert!(durable + 7 > height, "{durable} is durable at {height}");
        for seed in 0..3 {
            let after = disk.crash(Crash::Power(height * 3 + seed));
            let opened = DiskBackend::open_files(&after, options.clone()).unwrap();
            let head = opened.head().height.0;
            assert!((durable..=height).contains(&head), "{head} of {durable} to {height}");
            lost += height - head;
            reference.check(&opened);
        }
    }
    assert!(lost > 0, "no block was ever waiting");
}

/// Opening fails at every operation, and works after.
#[test]
fn failing_operations_of_opening() {
    let base = base();
    let mut reference = Reference::new();
    for nth in 0.. {
        let disk = base.copy();
        disk.fail(nth, Fault::Error, true);
        let opened = DiskBackend::open_files(&disk, options());
        if !disk.has_failed() {
            break;
        }
        match opened {
            Ok(_) => {}
            Err(BackendError::Io { .. } | BackendError::Failed { .. }) => {}
            Err(other) => panic!("operation {nth}: {other:?}"),
        }
        let backend = DiskBackend::open_files(&disk.crash(Crash::Power(nth)), options()).unwrap();
        assert_eq!(backend.head().height.0, BASE_BLOCKS);
        reference.check(&backend);
    }
}
