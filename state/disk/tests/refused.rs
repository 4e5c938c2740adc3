//! What is not a store of this release is refused by name, and left as it is.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use common::{Scratch, chain, sim::SimDisk, small};
use redb::ReadableTable;
use std::fs;
use tollway_state::{Backend, BackendError};
use tollway_state_disk::{DiskBackend, DiskOptions, FORMAT};

fn open(path: &std::path::Path) -> Result<DiskBackend, BackendError> {
    DiskBackend::open(path, DiskOptions::default())
}

/// A store of some blocks, closed.
fn store() -> Scratch {
    let scratch = Scratch::new();
    let mut backend = DiskBackend::create(scratch.path(), small()).unwrap();
    for height in 1..=20 {
        backend.commit(&[chain::block(height)]).unwrap();
    }
    backend.close().unwrap();
    scratch
}

#[test]
fn wrong_paths() {
    let scratch = Scratch::new();
    assert!(matches!(open(scratch.path()), Err(BackendError::NotFound { .. })));
    fs::create_dir_all(scratch.path()).unwrap();
    assert!(matches!(open(scratch.path()), Err(BackendError::NotFound { .. })));
    let file = scratch.path().join("file");
    fs::write(&file, "text").unwrap();
    assert!(matches!(open(&file), Err(BackendError::NotADirectory { .. })));
    let create = DiskBackend::create(&file, DiskOptions::default());
    assert!(matches!(create, Err(BackendError::NotADirectory { .. })), "{:?}", create.err());
    let create = DiskBackend::create(&file.join("below"), DiskOptions::default());
    assert!(matches!(create, Err(BackendError::NotADirectory { .. })), "{:?}", create.err());
    let create = DiskBackend::create(scratch.path(), DiskOptions::default());
    assert!(matches!(create, Err(BackendError::Foreign { .. })), "{:?}", create.err());
    assert_eq!(fs::read(&file).unwrap(), b"text", "it is left as it was");
}

#[test]
fn foreign_files() {
    for name in ["log.redb", "state.redb"] {
        for content in [&b"a letter"[..], &[0; 5000], b"redb"] {
            let scratch = store();
            let path = scratch.path().join(name);
            fs::write(&path, content).unwrap();
            let error = open(scratch.path()).err().unwrap();
            assert!(
                matches!(&error, BackendError::Foreign { path: found, .. } if *found == path),
                "{name}: {error}"
            );
            assert_eq!(fs::read(&path).unwrap(), content, "it is left as it was");
        }
    }
}

#[test]
fn a_database_of_something_else() {
    let scratch = store();
    let path = scratch.path().join("log.redb");
    fs::remove_file(&path).unwrap();
    let database = redb::Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    let table: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("prices");
    write.open_table(table).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let error = open(scratch.path()).err().unwrap();
    assert!(matches!(error, BackendError::Foreign { .. }), "{error}");
}

#[test]
fn files_of_two_stores() {
    let (one, other) = (store(), store());
    fs::copy(other.path().join("log.redb"), one.path().join("log.redb")).unwrap();
    let error = open(one.path()).err().unwrap();
    assert!(matches!(error, BackendError::Foreign { .. }), "{error}");
}

#[test]
fn an_empty_log_beside_a_state() {
    let scratch = store();
    fs::write(scratch.path().join("log.redb"), b"").unwrap();
    for _ in 0..2 {
        let error = open(scratch.path()).err().unwrap();
        assert_eq!(error.to_string(), "damaged: the log is gone, the state is at 20.0");
    }
}

#[test]
fn newer_formats() {
    for name in ["log.redb", "state.redb"] {
        let scratch = store();
        let database = redb::Database::create(scratch.path().join(name)).unwrap();
        let write = database.begin_write().unwrap();
        let table: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
        let newer = (FORMAT + 1).to_le_bytes();
        write.open_table(table).unwrap().insert("format", &newer[..]).unwrap();
        write.commit().unwrap();
        drop(database);
        let error = open(scratch.path()).err().unwrap();
        let expected = format!("has format {}, this release reads up to {FORMAT}", FORMAT + 1);
        assert!(matches!(error, BackendError::NewerFormat { .. }), "{error}");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

#[test]
fn two_at_once() {
    let scratch = store();
    let first = open(scratch.path()).unwrap();
    let error = open(scratch.path()).err().unwrap();
    assert!(matches!(error, BackendError::Locked { .. }), "{error}");
    drop(first);
    open(scratch.path()).unwrap();
}

#[test]
fn a_damaged_row_of_the_log() {
    let scratch = Scratch::new();
    let mut backend = DiskBackend::create(scratch.path(), DiskOptions::default()).unwrap();
    for height in 1..=20 {
        backend.commit(&[chain::block(height)]).unwrap();
    }
    drop(backend);
    let database = redb::Database::create(scratch.path().join("log.redb")).unwrap();
    let write = database.begin_write().unwrap();
    let definition: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("changes");
    let mut table = write.open_table(definition).unwrap();
    let key = [&7u64.to_be_bytes()[..], &0u32.to_be_bytes()].concat();
    let end = [&8u64.to_be_bytes()[..], &0u32.to_be_bytes()].concat();
    let row = table.range(&key[..]..&end[..]).unwrap().next().unwrap().unwrap();
    let (key, mut value) = (row.0.value().to_vec(), row.1.value().to_vec());
    drop(row);
    let middle = value.len() / 2;
    value[middle] ^= 1;
    table.insert(&key[..], &value[..]).unwrap();
    drop(table);
    write.commit().unwrap();
    drop(database);
    let error = open(scratch.path()).err().unwrap();
    let expected = "damaged: row 7.0 of the log: the checksum of a page does not hold";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn making_a_store_may_be_broken_off() {
    for file in [0, 1] {
        let disk = SimDisk::new();
        let backend = DiskBackend::open_files(&disk, small()).unwrap();
        drop(backend);
        // The log is made last, so only it may be missing.
        let mut contents = disk.contents();
        contents[file].clear();
        let opened = DiskBackend::open_files(&SimDisk::of(contents), small());
        assert_eq!(opened.is_ok(), file == 0, "without file {file}");
    }
}
