//! A host's own database under the runtime: here SQLite.
//!
//! `cargo run --release -p tollway-state --example sqlite`
//!
//! The host says how its database reads, scans, writes and is viewed; [`Rooted`] makes a backend
//! of it, with root and proofs. `tests/sqlite.rs` holds it against the rules of all backends.

use rusqlite::{Connection, OptionalExtension, params};
use std::{
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};
use tollway_state::{
    Backend, BackendError, Found, Height, Ranges, VisitEntry, Write, WriteBatch,
    pages::is_past,
    rooted::{Reads, Rooted, Store, View},
};

/// A connection to a file; in a view, one within a transaction that stays open.
pub struct Sqlite {
    path: PathBuf,
    connection: Mutex<Connection>,
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS head (height INTEGER NOT NULL);";

impl Sqlite {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> Result<Rooted<Sqlite>, BackendError> {
        Rooted::open(Sqlite::connect(path, SCHEMA)?)
    }

    fn connect(path: &Path, begin: &str) -> Result<Sqlite, BackendError> {
        let connection = Connection::open(path).map_err(failed)?;
        connection.execute_batch(begin).map_err(failed)?;
        Ok(Sqlite { path: path.into(), connection: Mutex::new(connection) })
    }

    fn lock(&self) -> Result<MutexGuard<'_, Connection>, BackendError> {
        self.connection.lock().map_err(|_| BackendError::Bug("a reader panicked"))
    }
}

impl Store for Sqlite {
    fn height(&self) -> Result<Height, BackendError> {
        let height = self.lock()?.query_row("SELECT height FROM head", [], |row| row.get(0));
        Ok(Height(height.optional().map_err(failed)?.unwrap_or(0i64) as u64))
    }

    fn write(&mut self, height: Height, writes: &[Write<'_>]) -> Result<(), BackendError> {
        let mut connection = self.lock()?;
        let transaction = connection.transaction().map_err(failed)?;
        for (key, new) in writes {
            match new {
                Some(value) => transaction
                    .prepare_cached("REPLACE INTO state VALUES (?, ?)")
                    .and_then(|mut statement| statement.execute(params![key, value])),
                None => transaction
                    .prepare_cached("DELETE FROM state WHERE key = ?")
                    .and_then(|mut statement| statement.execute(params![key])),
            }
            .map_err(failed)?;
        }
        transaction.execute("DELETE FROM head", []).map_err(failed)?;
        let row = params![height.0 as i64];
        transaction.execute("INSERT INTO head VALUES (?)", row).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    fn view(&self) -> Result<Box<dyn View>, BackendError> {
        // The first read fixes what the transaction sees.
        let begin = "BEGIN; SELECT COUNT(*) FROM head";
        Ok(Box::new(Sqlite::connect(&self.path, begin)?))
    }
}

impl View for Sqlite {}

impl Reads for Sqlite {
    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        let connection = self.lock()?;
        let select = "SELECT value FROM state WHERE key = ?";
        let mut statement = connection.prepare_cached(select).map_err(failed)?;
        found.reset(keys.len());
        for (index, key) in keys.iter().enumerate() {
            let value = statement.query_row([key], |row| row.get::<_, Vec<u8>>(0));
            found.set(index, value.optional().map_err(failed)?.as_deref());
        }
        Ok(())
    }
}

impl Ranges for Sqlite {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        let (compare, start) = match from {
            Bound::Included(key) => (">=", key),
            Bound::Excluded(key) => (">", key),
            Bound::Unbounded => (">=", &[][..]),
        };
        let connection = self.lock()?;
        let select = format!("SELECT key, value FROM state WHERE key {compare} ? ORDER BY key");
        let mut statement = connection.prepare_cached(&select).map_err(failed)?;
        let mut rows = statement.query([start]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (key, value): (Vec<u8>, Vec<u8>) =
                (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
            if is_past(&key, to) || visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn failed(error: rusqlite::Error) -> BackendError {
    BackendError::from_io("using the database", std::io::Error::other(error))
}

#[allow(dead_code, reason = "the test of this file has a main of its own")]
fn main() -> Result<(), BackendError> {
    let path = std::env::temp_dir().join(format!("tollway-example-{}.sqlite", std::process::id()));
    let mut backend = Sqlite::open(&path)?;
    let mut batch = WriteBatch::new(backend.head().height.next());
    batch.put(b"alice", b"10")?;
    let head = backend.commit(&[batch])?;
    println!("height {}, root {}", head.height, head.root);
    drop(backend);
    assert_eq!(Sqlite::open(&path)?.head(), head);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    Ok(())
}
