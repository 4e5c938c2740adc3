//! The example over another database does what every backend must.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

#[path = "../examples/sqlite.rs"]
#[allow(unreachable_pub, reason = "it is an example of its own")]
mod sqlite;

use sqlite::Sqlite;
use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};
use tollway_state::{
    Backend, Head, Height, WriteBatch,
    conformance::{self, Factory},
    snapshot::{Export, import},
};

/// Files that go away with the test.
#[derive(Default)]
struct Files {
    made: Vec<PathBuf>,
}

impl Factory for Files {
    fn create(&mut self) -> Box<dyn Backend> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tollway-sqlite-{}-{count}", std::process::id());
        self.made.push(std::env::temp_dir().join(name));
        Box::new(Sqlite::open(self.made.last().unwrap()).unwrap())
    }

    fn reopen(&mut self, backend: Box<dyn Backend>) -> Box<dyn Backend> {
        drop(backend);
        Box::new(Sqlite::open(self.made.last().unwrap()).unwrap())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.made {
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
            }
        }
    }
}

#[test]
fn sqlite_conforms() {
    conformance::run(&mut Files::default());
}

#[test]
fn its_snapshots_are_those_of_all_others() {
    let mut files = Files::default();
    let mut backend = files.create();
    let mut batch = WriteBatch::new(Height(1));
    (0..9000).for_each(|n| batch.put(format!("key {n}").as_bytes(), b"value").unwrap());
    let head: Head = backend.commit(&[batch]).unwrap();
    let mut stream = Vec::new();
    Export::of(&*backend).unwrap().write(&mut stream, 0, &mut |_| ()).unwrap();
    let mut copy = tollway_state::MemoryBackend::new();
    assert_eq!(import(&mut &stream[..], &mut copy, Some(head), &mut |_| ()).unwrap(), head);
    let mut copy = files.create();
    assert_eq!(import(&mut &stream[..], &mut *copy, Some(head), &mut |_| ()).unwrap(), head);
    assert_eq!(files.reopen(copy).head(), head);
}
