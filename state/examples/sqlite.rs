//! A host's own database under the runtime: here SQLite, with the tree of this crate for the root.
//!
//! `cargo run --release -p tollway-state --example sqlite`
//!
//! What is here is what a backend needs: heads, bulk reads, atomic commits, snapshots. History and
//! snapshots to import are left out, so the backend says that it has none.
//! `tests/sqlite.rs` holds it against the rules of all backends.

use rusqlite::{Connection, OptionalExtension, params};
use std::{ops::Bound, path::PathBuf, sync::Mutex};
use tollway_state::{
    Backend, BackendError, Found, Head, Height, Proofs, Ranges, Snapshot, VisitEntry, WriteBatch,
    check_heights,
    memory::chunk_proofs,
    pages::is_past,
    tree::{Change, Tree},
    verify::{ChunkProof, Proof},
};

/// Keeps the state in a SQLite file. The tree is built again whenever it is opened.
pub struct Sqlite {
    path: PathBuf,
    connection: Connection,
    tree: Tree,
    height: Height,
}

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS state (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS head (height INTEGER NOT NULL);";

impl Sqlite {
    /// Opens the file, or makes it.
    pub fn open(path: PathBuf) -> Result<Sqlite, BackendError> {
        let connection = Connection::open(&path).map_err(failed)?;
        connection.execute_batch(SCHEMA).map_err(failed)?;
        let height = connection.query_row("SELECT height FROM head", [], |row| row.get(0));
        let height = Height(height.optional().map_err(failed)?.unwrap_or(0i64) as u64);
        let mut changes = Vec::new();
        scan(&connection, Bound::Unbounded, Bound::Unbounded, &mut |key, value| {
            changes.push(Change::set(key, None, value));
            std::ops::ControlFlow::Continue(())
        })?;
        let mut tree = Tree::new();
        tree.update(changes);
        Ok(Sqlite { path, connection, tree, height })
    }
}

impl Backend for Sqlite {
    fn head(&self) -> Head {
        Head { height: self.height, root: self.tree.root() }
    }

    fn durable_head(&self) -> Head {
        self.head()
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        read(&self.connection, keys, found)
    }

    fn commit(&mut self, batches: &[WriteBatch]) -> Result<Head, BackendError> {
        check_heights(self.height, batches)?;
        let sorted = batches.iter().map(WriteBatch::sorted).collect::<Result<Vec<_>, _>>()?;
        let transaction = self.connection.transaction().map_err(failed)?;
        let mut changes = Vec::new();
        let mut old = Found::new();
        for writes in &sorted {
            let keys: Vec<&[u8]> = writes.iter().map(|(key, _)| *key).collect();
            read(&transaction, &keys, &mut old)?;
            let with_old = || writes.iter().zip(old.iter());
            changes.push(with_old().map(|((key, new), old)| Change::new(key, old, *new)).collect());
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
        }
        let height = batches.last().map_or(self.height, WriteBatch::height);
        transaction.execute("DELETE FROM head", []).map_err(failed)?;
        let row = params![height.0 as i64];
        transaction.execute("INSERT INTO head VALUES (?)", row).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        // The tree follows what is on disk, so that the two agree also after an error.
        self.height = height;
        changes.into_iter().for_each(|changes: Vec<Change>| {
            self.tree.update(changes);
        });
        Ok(self.head())
    }

    fn flush(&mut self) -> Result<Head, BackendError> {
        Ok(self.head())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, BackendError> {
        let connection = Connection::open(&self.path).map_err(failed)?;
        // The first read fixes what the transaction sees.
        let begin = "BEGIN; SELECT COUNT(*) FROM head";
        connection.execute_batch(begin).map_err(failed)?;
        Ok(Box::new(SqliteSnapshot { connection: Mutex::new(connection), head: self.head() }))
    }

    fn prune(&mut self, _below: Height) -> Result<(), BackendError> {
        Ok(())
    }

    fn ranges(&self) -> Option<&dyn Ranges> {
        Some(self)
    }

    fn proofs(&self) -> Option<&dyn Proofs> {
        Some(self)
    }
}

impl Ranges for Sqlite {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        scan(&self.connection, from, to, visit)
    }
}

impl Proofs for Sqlite {
    fn prove(&self, keys: &[&[u8]]) -> Result<Proof, BackendError> {
        Ok(self.tree.prove(keys))
    }

    fn chunks(&self, keys_max: usize) -> Result<Vec<ChunkProof>, BackendError> {
        Ok(chunk_proofs(&self.tree, keys_max))
    }
}

/// A second connection in a transaction that stays open.
struct SqliteSnapshot {
    connection: Mutex<Connection>,
    head: Head,
}

impl SqliteSnapshot {
    fn with<T>(
        &self,
        run: impl FnOnce(&Connection) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let connection = self.connection.lock();
        run(&*connection.map_err(|_| BackendError::Bug("a reader panicked"))?)
    }
}

impl Snapshot for SqliteSnapshot {
    fn head(&self) -> Head {
        self.head
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        self.with(|connection| read(connection, keys, found))
    }
}

impl Ranges for SqliteSnapshot {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        self.with(|connection| scan(connection, from, to, visit))
    }
}

fn read(connection: &Connection, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
    let select = "SELECT value FROM state WHERE key = ?";
    let mut statement = connection.prepare_cached(select).map_err(failed)?;
    found.reset(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let value = statement.query_row([key], |row| row.get::<_, Vec<u8>>(0));
        found.set(index, value.optional().map_err(failed)?.as_deref());
    }
    Ok(())
}

fn scan(
    connection: &Connection,
    from: Bound<&[u8]>,
    to: Bound<&[u8]>,
    visit: VisitEntry<'_>,
) -> Result<(), BackendError> {
    let (compare, start) = match from {
        Bound::Included(key) => (">=", key),
        Bound::Excluded(key) => (">", key),
        Bound::Unbounded => (">=", &[][..]),
    };
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

fn failed(error: rusqlite::Error) -> BackendError {
    BackendError::from_io("using the database", std::io::Error::other(error))
}

#[allow(dead_code, reason = "the test of this file has a main of its own")]
fn main() -> Result<(), BackendError> {
    let path = std::env::temp_dir().join(format!("tollway-example-{}.sqlite", std::process::id()));
    let mut backend = Sqlite::open(path.clone())?;
    let mut batch = WriteBatch::new(backend.head().height.next());
    batch.put(b"alice", b"10")?;
    let head = backend.commit(&[batch])?;
    println!("height {}, root {}", head.height, head.root);
    drop(backend);
    assert_eq!(Sqlite::open(path.clone())?.head(), head);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    Ok(())
}
