//! The database's errors, as those of the boundary.

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};
use std::{io, path::Path};
use tollway_state::BackendError;

/// An error of the database, or of its file.
pub(crate) trait IntoBackend {
    /// Says what was being done.
    fn into_backend(self, during: &'static str) -> BackendError;
}

impl IntoBackend for StorageError {
    fn into_backend(self, during: &'static str) -> BackendError {
        match self {
            StorageError::Io(source) => BackendError::from_io(during, source),
            StorageError::Corrupted(what) => BackendError::Damaged { what },
            StorageError::PreviousIo => BackendError::Failed { why: self.to_string() },
            other => BackendError::from_io(during, io::Error::other(other.to_string())),
        }
    }
}

impl IntoBackend for TableError {
    fn into_backend(self, during: &'static str) -> BackendError {
        match self {
            TableError::Storage(source) => source.into_backend(during),
            other => BackendError::Damaged { what: other.to_string() },
        }
    }
}

impl IntoBackend for TransactionError {
    fn into_backend(self, during: &'static str) -> BackendError {
        match self {
            TransactionError::Storage(source) => source.into_backend(during),
            other => BackendError::from_io(during, io::Error::other(other.to_string())),
        }
    }
}

impl IntoBackend for CommitError {
    fn into_backend(self, during: &'static str) -> BackendError {
        match self {
            CommitError::Storage(source) => source.into_backend(during),
            other => BackendError::from_io(during, io::Error::other(other.to_string())),
        }
    }
}

/// An error from opening the database in the file at `path`.
pub(crate) fn from_open(error: DatabaseError, path: &Path) -> BackendError {
    let path = path.to_path_buf();
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            BackendError::Locked { path }
        }
        DatabaseError::UpgradeRequired(_) => BackendError::Foreign { path, why: error.to_string() },
        DatabaseError::Storage(StorageError::Io(source))
            if source.kind() == io::ErrorKind::InvalidData =>
        {
            BackendError::Foreign { path, why: source.to_string() }
        }
        DatabaseError::Storage(StorageError::Corrupted(what)) => {
            BackendError::Damaged { what: format!("{}: {what}", path.display()) }
        }
        DatabaseError::Storage(source) => source.into_backend("opening the store"),
        other => BackendError::from_io("opening the store", io::Error::other(other.to_string())),
    }
}

/// Says what was being done where the database failed.
pub(crate) trait During<T> {
    /// Turns the error into one of the boundary.
    fn during(self, during: &'static str) -> Result<T, BackendError>;
}

impl<T, E: IntoBackend> During<T> for Result<T, E> {
    fn during(self, during: &'static str) -> Result<T, BackendError> {
        self.map_err(|error| error.into_backend(during))
    }
}
