//! Snapshots go from store to store, and an import that was killed goes on.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{
    chain,
    sim::{Crash, Fault, SimDisk},
    small,
};
use tollway_state::{
    Backend, Height, MemoryBackend,
    snapshot::{Export, import},
};
use tollway_state_disk::{DiskBackend, DiskOptions};

const BLOCKS: u64 = 150;

fn source() -> MemoryBackend {
    let mut backend = MemoryBackend::new();
    for height in 1..=BLOCKS {
        backend.commit(&[chain::block(height)]).unwrap();
    }
    backend
}

#[test]
fn from_memory_to_disk_and_back() {
    let source = source();
    let mut stream = Vec::new();
    Export::of(&source).unwrap().write(&mut stream, 0, &mut |_| ()).unwrap();
    let disk = SimDisk::new();
    let mut copy = DiskBackend::open_files(&disk, small()).unwrap();
    assert_eq!(import(&mut &stream[..], &mut copy, None, &mut |_| ()).unwrap(), source.head());
    let mut reference = chain::Reference::new();
    for height in BLOCKS + 1..BLOCKS + 10 {
        copy.commit(&[chain::block(height)]).unwrap();
    }
    drop(copy);
    let mut copy = DiskBackend::open_files(&disk.crash(Crash::Power(1)), small()).unwrap();
    reference.check(&copy);
    assert_eq!(copy.history().unwrap().oldest(), Height(BLOCKS));
    assert_eq!(reference.check_past(&copy), 0);
    assert!(copy.history_mut().unwrap().rollback(Height(BLOCKS - 1)).is_err());
    assert_eq!(copy.history_mut().unwrap().rollback(Height(BLOCKS)).unwrap(), source.head());
    let mut again = Vec::new();
    Export::of(&copy).unwrap().write(&mut again, 0, &mut |_| ()).unwrap();
    assert!(again == stream, "the same state gives the same stream");
}

#[test]
fn imports_broken_off_anywhere_go_on() {
    let source = source();
    let mut stream = Vec::new();
    Export::of(&source).unwrap().write(&mut stream, 0, &mut |_| ()).unwrap();
    let options = DiskOptions { background: false, ..small() };
    let mut reference = chain::Reference::new();
    for nth in 0.. {
        let disk = SimDisk::new();
        let mut copy = DiskBackend::open_files(&disk, options.clone()).unwrap();
        disk.fail(nth, Fault::ShortWrite, true);
        let broken = import(&mut &stream[..], &mut copy, None, &mut |_| ());
        if !disk.has_failed() {
            break;
        }
        drop(copy);
        let disk = disk.crash(Crash::Power(nth));
        let mut copy = DiskBackend::open_files(&disk, options.clone()).unwrap();
        if broken.is_ok() {
            assert_eq!(copy.head(), source.head(), "operation {nth}");
        }
        assert_eq!(import(&mut &stream[..], &mut copy, None, &mut |_| ()).unwrap(), source.head());
        reference.check(&copy);
    }
}
