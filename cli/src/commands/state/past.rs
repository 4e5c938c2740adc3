//! What a state was before: the values of a key, going back, forgetting.

use super::ABSENT;
use crate::format::{count, fit};
use crate::output;
use crate::store::{Key, Words, hex, history, open};
use crate::table::aligned;
use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use std::ops::ControlFlow;
use std::path::Path;
use tollway_state::{Backend, BackendError, Height};

/// The most characters of a value in a table.
const VALUE_CHARS_MAX: usize = 80;

pub(super) fn values(dir: &Path, key: &Key, limit: u64, json: bool) -> Result<()> {
    let backend = open(dir)?;
    let history = history(&backend)?;
    let (oldest, head) = (history.oldest(), backend.head().height);
    let (mut values, mut more) = (Vec::new(), false);
    history.values(key.bytes(), &mut |height, value| {
        more = values.len() as u64 == limit;
        if more {
            return ControlFlow::Break(());
        }
        values.push((height, value.map(<[u8]>::to_vec)));
        ControlFlow::Continue(())
    })?;
    let first = history.read_at(oldest, key.bytes())?;
    if json {
        let digits = |value: &Option<Vec<u8>>| value.as_deref().map(hex);
        let values = values
            .iter()
            .map(|(height, value)| json!({ "height": height, "value": digits(value) }));
        return output::print_json(&json!({
            "key": key.to_string(),
            "head": head,
            "values": values.collect::<Vec<_>>(),
            "more": more,
            "oldest": { "height": oldest, "value": digits(&first) },
        }));
    }
    let words = Words::of(&backend, key);
    let text = |value: &Option<Vec<u8>>| match value {
        Some(value) => fit(&words.value(value).unwrap_or_else(|| hex(value)), VALUE_CHARS_MAX),
        None => ABSENT.to_owned(),
    };
    let rows = values.iter().map(|(height, value)| [height.to_string(), text(value)]);
    let name = words.key().map_or_else(String::new, |name| format!("{name}\n"));
    let mut page = format!("{} {key}\n{name}", key.kind());
    page.push_str(&match values.is_empty() {
        true => format!("\nnever changed from height {oldest} to {head}"),
        false => format!("\n{}", aligned(["height", "value"], &[0], rows)),
    });
    if more {
        page.push_str(&format!("\nand older ones: more than --limit {limit}"));
    }
    page.push_str(&format!("\n\nat height {oldest}, the oldest that is kept: {}", text(&first)));
    output::print(&page)
}

pub(super) fn rollback(dir: &Path, height: Height, yes: bool, json: bool) -> Result<()> {
    let mut backend = open(dir)?;
    let head = backend.head().height;
    let history = backend.history_mut().context("this state has no history")?;
    let oldest = history.oldest();
    if height < oldest || height > head {
        bail!(BackendError::UnknownHeight { height, oldest, head });
    }
    let forgotten = head.0 - height.0;
    ensure!(
        yes,
        "going back to height {height} would forget {} for good; add --yes to do it",
        match forgotten {
            0 => "nothing".to_owned(),
            1 => format!("the block of height {head}"),
            _ => format!("the blocks of heights {} to {head}", height.0 + 1),
        }
    );
    let now = history.rollback(height)?;
    if json {
        return output::print_json(&json!({
            "height": now.height,
            "root": now.root.to_string(),
            "blocks_forgotten": forgotten,
        }));
    }
    output::print(&format!(
        "height  {}\nroot    {}\n\n{} forgotten",
        now.height,
        now.root,
        count(forgotten, "block")
    ))
}

pub(super) fn prune(dir: &Path, below: Height, yes: bool, json: bool) -> Result<()> {
    let mut backend = open(dir)?;
    let head = backend.head().height;
    let oldest = history(&backend)?.oldest();
    ensure!(below <= head, "height {below} is not there yet, the head is at {head}");
    let forgotten = below.0.saturating_sub(oldest.0);
    ensure!(
        yes,
        "this would forget the states before height {below} for good, {} of them; add --yes to do \
         it",
        forgotten
    );
    backend.prune(below)?;
    let now = history(&backend)?.oldest();
    if json {
        return output::print_json(&json!({
            "oldest_height": now,
            "height": head,
            "states_forgotten": forgotten,
        }));
    }
    output::print(&format!(
        "history  from height {now} to {head}\n\n{} forgotten",
        count(forgotten, "state")
    ))
}
