//! redb alone: one table, nothing beside it.

use super::{Row, Store};
use crate::workload::{Key, Update, Value};
use ::redb::{Database, ReadableDatabase, TableDefinition};
use std::path::Path;

pub(super) const ROW: Row = Row {
    name: "redb",
    kind: "alone",
    package: "redb",
    root_of: None,
    is_durable: true,
    open: |directory, _| Ok(Box::new(Redb::open(directory)?)),
    note: "One table from 32 to 32 bytes, one durable transaction a block, updates sorted by key;\n\
           its default cache. No root, no past.",
};

const TABLE: TableDefinition<'_, Key, Value> = TableDefinition::new("state");

struct Redb(Database);

impl Redb {
    fn open(directory: &Path) -> anyhow::Result<Redb> {
        Ok(Redb(Database::create(directory.join("state.redb"))?))
    }
}

impl Store for Redb {
    fn commit(&mut self, updates: Vec<Update>) -> anyhow::Result<()> {
        let mut sorted = updates;
        sorted.sort_unstable_by_key(|update| update.key);
        let write = self.0.begin_write()?;
        {
            let mut table = write.open_table(TABLE)?;
            for update in &sorted {
                table.insert(update.key, update.value)?;
            }
        }
        write.commit()?;
        Ok(())
    }

    fn root(&self) -> Option<[u8; 32]> {
        None
    }

    fn read(&self, keys: &[Key]) -> anyhow::Result<Vec<Option<Value>>> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        keys.iter().map(|key| Ok(table.get(key)?.map(|value| value.value()))).collect()
    }
}
