//! What the tests of the store share: directories that go away, and stores in them.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "shared by tests, each of which uses its own part"
)]

pub mod chain;
pub mod sim;

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};
use tollway_state::Backend;
use tollway_state_disk::{DiskBackend, DiskOptions};

/// A directory that is removed when it goes out of scope.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tollway-test-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Scratch(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Small limits, so that few blocks already freeze, merge and evict.
pub fn small() -> DiskOptions {
    DiskOptions { overlay_bytes_max: 20_000, cache_bytes_max: 20_000, ..DiskOptions::default() }
}

/// Stores in directories of their own, for the conformance suite.
pub struct InDirectories {
    pub options: DiskOptions,
    current: Option<Scratch>,
}

impl InDirectories {
    pub fn new(options: DiskOptions) -> InDirectories {
        InDirectories { options, current: None }
    }
}

impl tollway_state::conformance::Factory for InDirectories {
    fn create(&mut self) -> Box<dyn Backend> {
        let scratch = Scratch::new();
        let backend = DiskBackend::create(scratch.path(), self.options.clone()).unwrap();
        self.current = Some(scratch);
        Box::new(backend)
    }

    fn reopen(&mut self, backend: Box<dyn Backend>) -> Box<dyn Backend> {
        drop(backend);
        let path = self.current.as_ref().unwrap().path();
        Box::new(DiskBackend::open(path, self.options.clone()).unwrap())
    }
}

/// Stores on disks in memory.
pub struct OnSimDisks {
    options: DiskOptions,
    current: sim::SimDisk,
}

impl OnSimDisks {
    pub fn new(options: DiskOptions) -> OnSimDisks {
        OnSimDisks { options, current: sim::SimDisk::new() }
    }
}

impl tollway_state::conformance::Factory for OnSimDisks {
    fn create(&mut self) -> Box<dyn Backend> {
        self.current = sim::SimDisk::new();
        Box::new(DiskBackend::open_files(&self.current, self.options.clone()).unwrap())
    }

    fn reopen(&mut self, backend: Box<dyn Backend>) -> Box<dyn Backend> {
        drop(backend);
        Box::new(DiskBackend::open_files(&self.current, self.options.clone()).unwrap())
    }
}
