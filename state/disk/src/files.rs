//! The files of a store, and how they are opened.
//!
//! ```text
//! directory/
//!   log.redb     what each block changed, in order
//!   state.redb   the state some blocks ago
//!   artifacts/   native code, a cache
//! ```
//!
//! # Invariants
//! 1. What is not a store of this release is refused by name, and left as it is
//!    (`tests/refused.rs`).

use crate::error::{During, from_open};
use redb::{
    Database, ReadableDatabase, StorageBackend, TableDefinition, TableError, backends::FileBackend,
};
use std::{
    fmt,
    fs::{self, OpenOptions},
    io,
    ops::Bound,
    path::{Path, PathBuf},
};
use tollway_state::BackendError;

/// The version of what lies in the files. Raised whenever it changes.
pub const FORMAT: u32 = 1;

/// The database's own cache: its upper pages, and what is being written.
const DATABASE_CACHE_BYTES: usize = 64 << 20;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// One of the two databases of a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// What each block changed.
    Log,
    /// The state some blocks ago.
    State,
}

impl FileKind {
    fn name(self) -> &'static str {
        match self {
            FileKind::Log => "log.redb",
            FileKind::State => "state.redb",
        }
    }
}

/// Where the databases of a store lie. Tests put disks that fail here.
pub trait Files: fmt::Debug + Sync {
    /// Opens a file, and makes an empty one where there is none.
    ///
    /// # Errors
    /// Whatever opening a file may say.
    fn open(&self, kind: FileKind) -> Result<Box<dyn StorageBackend>, BackendError>;

    /// The file's path, for messages.
    fn path(&self, kind: FileKind) -> PathBuf;

    /// Where native code may be kept: a directory, which need not exist.
    fn artifact_dir(&self) -> Option<PathBuf> {
        None
    }
}

/// The files of a store in a directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// A directory that holds a store.
    pub(crate) fn existing(path: &Path) -> Result<Directory, BackendError> {
        let directory = Directory { path: path.to_path_buf() };
        directory.check_is_directory()?;
        for kind in [FileKind::Log, FileKind::State] {
            if !directory.path(kind).is_file() {
                return Err(BackendError::NotFound { path: directory.path(kind) });
            }
        }
        Ok(directory)
    }

    /// A directory for a new store: one that does not exist, is empty, or in which the making of
    /// a store was broken off.
    pub(crate) fn new(path: &Path) -> Result<Directory, BackendError> {
        let directory = Directory { path: path.to_path_buf() };
        fs::create_dir_all(path).or_else(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Ok(()),
            io::ErrorKind::NotADirectory => {
                Err(BackendError::NotADirectory { path: path.to_path_buf() })
            }
            _ => Err(BackendError::from_io("making the directory", error)),
        })?;
        directory.check_is_directory()?;
        let entries = fs::read_dir(path)
            .map_err(|error| BackendError::from_io("reading the directory", error))?;
        for entry in entries {
            let entry =
                entry.map_err(|error| BackendError::from_io("reading the directory", error))?;
            if !["log.redb", "state.redb", "artifacts"]
                .iter()
                .any(|name| entry.file_name() == *name)
            {
                let why = String::from("the directory is not empty");
                return Err(BackendError::Foreign { path: entry.path(), why });
            }
        }
        Ok(directory)
    }

    fn check_is_directory(&self) -> Result<(), BackendError> {
        let path = self.path.clone();
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(BackendError::NotADirectory { path }),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                Err(BackendError::NotADirectory { path })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(BackendError::NotFound { path })
            }
            Err(error) => Err(BackendError::from_io("looking at the directory", error)),
        }
    }
}

impl Files for Directory {
    fn open(&self, kind: FileKind) -> Result<Box<dyn StorageBackend>, BackendError> {
        let path = self.path(kind);
        let file = (OpenOptions::new().read(true).write(true).create(true).truncate(false))
            .open(&path)
            .map_err(|error| BackendError::from_io("opening the store", error))?;
        Ok(Box::new(FileBackend::new(file).map_err(|error| from_open(error, &path))?))
    }

    fn path(&self, kind: FileKind) -> PathBuf {
        self.path.join(kind.name())
    }

    fn artifact_dir(&self) -> Option<PathBuf> {
        Some(self.path.join("artifacts"))
    }
}

/// Tells the two databases of one store from those of others.
pub(crate) type StoreId = [u8; 16];

/// Opens a database, and gives the store that it says it belongs to: `None` if it is new.
pub(crate) fn open(
    files: &dyn Files,
    kind: FileKind,
) -> Result<(Database, Option<StoreId>), BackendError> {
    let path = files.path(kind);
    let storage = files.open(kind)?;
    let database = Database::builder()
        .set_cache_size(DATABASE_CACHE_BYTES)
        // A plain open trusts the file, and may panic where that was altered.
        .set_check_integrity_on_open(true)
        .create_with_backend(Storage(storage))
        .map_err(|error| from_open(error, &path))?;
    let id = store_id(&database, &path)?;
    Ok((database, id))
}

fn store_id(database: &Database, path: &Path) -> Result<Option<StoreId>, BackendError> {
    const DURING: &str = "opening the store";
    let foreign = |why: &str| BackendError::Foreign { path: path.into(), why: why.into() };
    let read = database.begin_read().during(DURING)?;
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => {
            return match read.list_tables().during(DURING)?.next() {
                None => Ok(None),
                Some(_) => Err(foreign("a database with other tables")),
            };
        }
        Err(TableError::Storage(error)) => return Err(error).during(DURING),
        Err(_) => return Err(foreign("a database with other tables")),
    };
    let format = meta.get("format").during(DURING)?.ok_or_else(|| foreign("no format"))?;
    let format = <[u8; 4]>::try_from(format.value()).map_err(|_| foreign("no format"))?;
    let found = u32::from_le_bytes(format);
    if found > FORMAT {
        return Err(BackendError::NewerFormat { path: path.into(), found, known: FORMAT });
    }
    if found == 0 {
        return Err(foreign("no format"));
    }
    let id = meta.get("store").during(DURING)?.ok_or_else(|| foreign("no store"))?;
    Ok(Some(StoreId::try_from(id.value()).map_err(|_| foreign("no store"))?))
}

/// Says in a new database what it is. Part of the transaction that also makes its other tables.
pub(crate) fn sign(write: &redb::WriteTransaction, id: &StoreId) -> Result<(), BackendError> {
    const DURING: &str = "making the store";
    let mut meta = write.open_table(META).during(DURING)?;
    meta.insert("format", &FORMAT.to_le_bytes()[..]).during(DURING)?;
    meta.insert("store", &id[..]).during(DURING)?;
    Ok(())
}

/// Passes everything on, so that the database can be opened on any kind of file.
#[derive(Debug)]
struct Storage(Box<dyn StorageBackend>);

type IoResult<T> = Result<T, io::Error>;
type LockResult<T> = Result<T, redb::BackendError>;

impl StorageBackend for Storage {
    fn len(&self) -> IoResult<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> IoResult<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> IoResult<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> IoResult<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> IoResult<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> IoResult<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockResult<bool> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockResult<bool> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockResult<()> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockResult<()> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockResult<()> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> LockResult<bool> {
        self.0.query_lock_range(start, end)
    }
}
