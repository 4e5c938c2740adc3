//! A disk in memory that fails on demand, and forgets what was not synced when the power goes.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tollway_state::{BackendError, conformance::random::Dice};
use tollway_state_disk::{FileKind, Files, StorageBackend};

/// What an operation does instead of what it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing happens, and an error is given.
    Error,
    /// A write stops half way, and an error is given.
    ShortWrite,
    /// Nothing happens, and no space is said to be left.
    DiskFull,
}

/// What is left after a crash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// The process died: the system still writes all it was given.
    Process,
    /// The power went: any of the writes since the last sync are there or not, sector by sector.
    Power(u64),
}

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Default)]
struct Content {
    /// What was synced.
    synced: Vec<u8>,
    /// What is read.
    current: Vec<u8>,
    /// What happened since the last sync.
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum Pending {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default)]
struct State {
    files: [Content; 2],
    operations: u64,
    /// The operation that fails, how, and whether all later ones fail as well.
    fault: Option<(u64, Fault, bool)>,
    failed: bool,
}

/// A disk with the two files of a store.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}

impl SimDisk {
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    /// A disk of its own with the same content, all of it synced.
    pub fn copy(&self) -> SimDisk {
        let contents = [0, 1].map(|file| self.0.lock().unwrap().files[file].current.clone());
        SimDisk::of(contents)
    }

    /// A disk with these files.
    pub fn of(contents: [Vec<u8>; 2]) -> SimDisk {
        let files = contents.map(|bytes| Content {
            synced: bytes.clone(),
            current: bytes,
            pending: Vec::new(),
        });
        SimDisk(Arc::new(Mutex::new(State { files, ..State::default() })))
    }

    pub fn contents(&self) -> [Vec<u8>; 2] {
        [0, 1].map(|file| self.0.lock().unwrap().files[file].current.clone())
    }

    /// Lets the `after`-th operation from now on fail, and all later ones if `is_lasting`.
    pub fn fail(&self, after: u64, fault: Fault, is_lasting: bool) {
        let mut state = self.0.lock().unwrap();
        state.fault = Some((state.operations + after, fault, is_lasting));
    }

    /// Whether the fault came.
    pub fn has_failed(&self) -> bool {
        self.0.lock().unwrap().failed
    }

    /// The disk after a crash.
    pub fn crash(&self, crash: Crash) -> SimDisk {
        match crash {
            Crash::Process => self.copy(),
            Crash::Power(seed) => {
                let state = self.0.lock().unwrap();
                let mut dice = Dice(seed);
                SimDisk::of([0, 1].map(|file| state.files[file].after_power_cut(&mut dice)))
            }
        }
    }

    fn file(&self, kind: FileKind) -> SimFile {
        SimFile { disk: self.clone(), file: usize::from(kind == FileKind::State) }
    }
}

impl Content {
    fn after_power_cut(&self, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        // Some power cuts lose all, some nearly nothing.
        let keep_of_8 = dice.below(9);
        for pending in &self.pending {
            match pending {
                Pending::Length(length) if dice.below(8) < keep_of_8 => bytes.resize(*length, 0),
                Pending::Length(_) => {}
                Pending::Write(offset, data) => {
                    for (index, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                        if dice.below(8) < keep_of_8 {
                            put(&mut bytes, offset + index * SECTOR_BYTES, sector);
                        }
                    }
                }
            }
        }
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

impl Files for SimDisk {
    fn open(&self, kind: FileKind) -> Result<Box<dyn StorageBackend>, BackendError> {
        Ok(Box::new(self.file(kind)))
    }

    fn path(&self, kind: FileKind) -> PathBuf {
        PathBuf::from(format!("{kind:?}"))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl SimFile {
    /// Counts an operation, and runs it unless it is to fail.
    fn run<T>(
        &self,
        run: impl FnOnce(&mut Content) -> io::Result<T>,
        run_half: impl FnOnce(&mut Content),
    ) -> io::Result<T> {
        let mut state = self.disk.0.lock().unwrap();
        let operation = state.operations;
        state.operations += 1;
        let Some((at, fault, is_lasting)) = state.fault else {
            return run(&mut state.files[self.file]);
        };
        if operation < at || (operation > at && !is_lasting) {
            return run(&mut state.files[self.file]);
        }
        state.failed = true;
        if fault == Fault::ShortWrite && operation == at {
            run_half(&mut state.files[self.file]);
        }
        Err(match fault {
            Fault::DiskFull => io::Error::from(io::ErrorKind::StorageFull),
            _ => io::Error::other("injected"),
        })
    }
}

fn write(content: &mut Content, offset: u64, data: &[u8]) {
    put(&mut content.current, offset as usize, data);
    content.pending.push(Pending::Write(offset as usize, data.to_vec()));
}

impl StorageBackend for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.run(|content| Ok(content.current.len() as u64), |_| ())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let read = |content: &mut Content| {
            let bytes = content.current.get(offset as usize..).unwrap_or_default();
            let bytes = bytes.get(..out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        };
        self.run(read, |_| ())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let set = |content: &mut Content| {
            content.current.resize(len as usize, 0);
            content.pending.push(Pending::Length(len as usize));
            Ok(())
        };
        self.run(set, |_| ())
    }

    fn sync_data(&self) -> io::Result<()> {
        let sync = |content: &mut Content| {
            for pending in std::mem::take(&mut content.pending) {
                match pending {
                    Pending::Write(offset, data) => put(&mut content.synced, offset, &data),
                    Pending::Length(length) => content.synced.resize(length, 0),
                }
            }
            Ok(())
        };
        self.run(sync, |_| ())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let whole = |content: &mut Content| {
            write(content, offset, data);
            Ok(())
        };
        self.run(whole, |content| write(content, offset, &data[..data.len() / 2]))
    }
}
