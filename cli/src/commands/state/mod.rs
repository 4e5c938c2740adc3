//! `tollway state`: looks into a kept state, goes back, forgets the past.

mod past;
mod prove;

use crate::args::StateCommand;
use crate::format::thousands;
use crate::output;
use crate::store::{Key, Words, hex, history, open};
use crate::table::aligned;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use tollway::state::{CODE, CONTRACT, STORAGE};
use tollway_state::{Backend, Height, Snapshot};

pub(crate) fn run(command: &StateCommand) -> Result<ExitCode> {
    match command {
        StateCommand::Stats { dir, json } => stats(&dir.path, json.json)?,
        StateCommand::Get(args) => {
            let key = args.state_key().context("no key was given")?;
            get(&args.dir.path, &key, args.at, args.json.json)?;
        }
        StateCommand::Prove { dir, keys, out, json } => {
            prove::prove(&dir.path, keys, out, json.json)?;
        }
        StateCommand::Verify { file, root, json } => {
            return prove::verify(file, root.as_ref(), json.json);
        }
        StateCommand::History { dir, key, limit, json } => {
            past::values(&dir.path, key, *limit, json.json)?;
        }
        StateCommand::Rollback { dir, height, yes, json } => {
            past::rollback(&dir.path, *height, yes.yes, json.json)?;
        }
        StateCommand::Prune { dir, below, yes, json } => {
            past::prune(&dir.path, *below, yes.yes, json.json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// How many entries of a kind there are, and how long they are together.
#[derive(Default)]
struct Count {
    entries: u64,
    key_bytes: u64,
    value_bytes: u64,
}

fn count(snapshot: &dyn Snapshot, kind: u8) -> Result<Count> {
    let mut count = Count::default();
    snapshot.prefix(&[kind], &mut |key, value| {
        count.entries += 1;
        count.key_bytes += key.len() as u64;
        count.value_bytes += value.len() as u64;
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(count)
}

fn stats(dir: &Path, json: bool) -> Result<()> {
    let backend = open(dir)?;
    let (head, durable, oldest) =
        (backend.head(), backend.durable_head().height, history(&backend)?.oldest());
    let snapshot = backend.snapshot()?;
    let kinds = [("codes", CODE), ("contracts", CONTRACT), ("values", STORAGE)];
    let mut counts = Vec::new();
    for (name, kind) in kinds {
        counts.push((name, count(&*snapshot, kind)?));
    }
    let files = files(dir)?;
    if json {
        let counts = counts.iter().map(|(name, count)| {
            let Count { entries, key_bytes, value_bytes } = count;
            let count =
                json!({ "entries": entries, "key_bytes": key_bytes, "value_bytes": value_bytes });
            ((*name).to_owned(), count)
        });
        let files = files.iter().map(|(name, bytes)| (name.clone(), Value::from(*bytes)));
        return output::print_json(&json!({
            "height": head.height,
            "root": head.root.to_string(),
            "durable_height": durable,
            "oldest_height": oldest,
            "state": serde_json::Map::from_iter(counts),
            "file_bytes": serde_json::Map::from_iter(files),
        }));
    }
    let rows = counts.iter().map(|(name, count)| {
        let [entries, keys, values] =
            [count.entries, count.key_bytes, count.value_bytes].map(thousands);
        [(*name).to_owned(), entries, keys, values]
    });
    let state = aligned(["state", "entries", "key bytes", "value bytes"], &[1, 2, 3], rows);
    let rows = files.iter().map(|(name, bytes)| [name.clone(), thousands(*bytes)]);
    let files = aligned(["file", "bytes"], &[1], rows);
    output::print(&format!(
        "height   {}\nroot     {}\ndurable  up to height {durable}\nhistory  from height {oldest}\n\n\
         {state}\n\n{files}",
        head.height, head.root
    ))
}

/// The files and folders in a directory, by name, each with all the bytes in it.
fn files(dir: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        files.push(match metadata.is_dir() {
            true => {
                let inner = self::files(&entry.path())?;
                (format!("{name}/"), inner.iter().map(|(_, bytes)| bytes).sum())
            }
            false => (name, metadata.len()),
        });
    }
    files.sort();
    Ok(files)
}

fn get(dir: &Path, key: &Key, at: Option<Height>, json: bool) -> Result<()> {
    let backend = open(dir)?;
    let history = history(&backend)?;
    let height = at.unwrap_or(backend.head().height);
    let value = history.read_at(height, key.bytes())?;
    let root = history.root_at(height)?;
    if json {
        return output::print_json(&json!({
            "key": key.to_string(),
            "height": height,
            "root": root.to_string(),
            "value": value.as_deref().map(hex),
        }));
    }
    let words = Words::of(&backend, key);
    let name = words.key().map_or_else(String::new, |name| format!("         {name}\n"));
    let value = match value {
        Some(value) => match words.value(&value) {
            Some(text) => format!("{text}\n{}", hex(&value)),
            None => hex(&value),
        },
        None => ABSENT.to_owned(),
    };
    output::print(&format!(
        "{:<8} {key}\n{name}height   {height}\nroot     {root}\n\n{value}",
        key.kind()
    ))
}

/// What is printed where a key has no value.
const ABSENT: &str = "not in the state";
