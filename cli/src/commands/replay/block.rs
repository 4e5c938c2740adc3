//! `tollway replay block`: a block of a kept state again, on the state before it.
//!
//! ```text
//! state after HEIGHT - 1 ──▶ the block that was kept ──▶ receipts, root ── as in the history?
//!           └──────────────▶ the oracle, the same block ─▶ receipts, root ── equal?
//!
//! --until I    the calls before I alone, and beside them what call I would change
//! ```

use crate::args::BlockReplayArgs;
use crate::format::{count, fit, short_key, thousands};
use crate::output;
use crate::store::{Key, hex, history, key_name, open, value_text};
use crate::table::{aligned, table};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;
use tollway::oracle::Oracle;
use tollway::{Block, Call, Config, Outcome, Receipt, Registry, Runtime};
use tollway_host_api::value::decode;
use tollway_state::{Backend, Height, History, Root};

/// The most receipts and changes in a table.
const ROWS_SHOWN_MAX: usize = 40;
/// The most characters of a value in a table.
const VALUE_CHARS_MAX: usize = 44;

pub(super) fn run(args: &BlockReplayArgs) -> Result<ExitCode> {
    let backend = open(&args.dir.path)?;
    let block = kept_block(&backend, args.height)?;
    let before = Height(args.height.0 - 1);
    let config = Config {
        threads: args.threads.get(),
        artifact_dir: backend.artifact_dir().map(Into::into),
        ..Config::default()
    };
    let past = Runtime::at(config, &backend, before)?;
    let (root, kept) = (past.state_root()?, history(&backend)?.root_at(before)?);
    ensure!(
        root == kept,
        "the state after height {before} has root {root}, its history says {kept}"
    );
    match args.until {
        Some(until) => run_until(args, past, &block, until, root),
        None => run_whole(args, past, &block, history(&backend)?, root),
    }
}

/// The block that was kept with a height.
fn kept_block(backend: &dyn Backend, height: Height) -> Result<Block> {
    let (history, head) = (history(backend)?, backend.head().height);
    ensure!(height.0 > 0, "there is no block of height 0, blocks start at 1");
    ensure!(height <= head, "there is no block of height {height} yet, the head is at {head}");
    let oldest = history.oldest();
    ensure!(
        height > oldest,
        "block {height} cannot run again: it needs the state before it, and states are kept from \
         height {oldest} on"
    );
    let bytes = history.block(height)?;
    let bytes = bytes.with_context(|| format!("the host kept no block with height {height}"))?;
    let block = Block::from_bytes(&bytes)
        .with_context(|| format!("what was kept with height {height} is no block"))?;
    ensure!(
        block.height == height,
        "the block that was kept with height {height} says that it is of height {}",
        block.height
    );
    Ok(block)
}

/// Runs calls on the runtime and on the oracle, which must agree on every receipt.
fn run_both(past: &mut Runtime, oracle: &mut Oracle, block: &Block) -> Result<Vec<Receipt>> {
    let outcome = past.execute(block)?;
    let expected = oracle.execute(block);
    for (index, (found, expected)) in outcome.receipts.iter().zip(&expected).enumerate() {
        ensure!(
            found == expected,
            "call {index}: receipt is {found:?}, the oracle's is {expected:?}: please report this"
        );
    }
    ensure!(
        outcome.receipts.len() == expected.len(),
        "the oracle gives another number of receipts"
    );
    past.commit(outcome.batch)?;
    let (root, oracle) = (past.state_root()?, oracle.state_root());
    ensure!(root == oracle, "root is {root}, the oracle's is {oracle}: please report this");
    Ok(outcome.receipts)
}

/// What the history says of the height, beside the block.
struct Recorded {
    root: Root,
    /// Codes and contracts that came at this height. They come between blocks, after this one.
    added: u64,
}

fn recorded(history: &dyn History, height: Height) -> Result<Recorded> {
    let mut added = 0;
    history.changes(height, &mut |change| {
        added += u64::from(Key::split(change.key).is_none());
        ControlFlow::Continue(())
    })?;
    Ok(Recorded { root: history.root_at(height)?, added })
}

fn run_whole(
    args: &BlockReplayArgs,
    mut past: Runtime,
    block: &Block,
    history: &dyn History,
    before: Root,
) -> Result<ExitCode> {
    let mut oracle = Oracle::new(&past);
    let receipts = run_both(&mut past, &mut oracle, block)?;
    let after = past.state_root()?;
    let recorded = recorded(history, block.height)?;
    let agrees = after == recorded.root;
    // Codes and contracts that came after the block are part of its height, and not of the block.
    let is_wrong = !agrees && recorded.added == 0;
    if args.json.json {
        output::print_json(&json!({
            "height": block.height,
            "threads": past.config().threads,
            "root_before": before.to_string(),
            "root_after": after.to_string(),
            "root_recorded": recorded.root.to_string(),
            "added_after_block": recorded.added,
            "agrees": match (agrees, is_wrong) {
                (true, _) => Value::Bool(true),
                (false, true) => Value::Bool(false),
                // What the block alone led to was not recorded.
                (false, false) => Value::Null,
            },
            "receipts": receipts_json(past.registry(), block, &receipts),
        }))?;
    } else {
        let verdict = match (agrees, is_wrong) {
            (true, _) => "equal to the history's".to_owned(),
            (false, true) => format!("DIFFERENT: the history has {}", recorded.root),
            (false, false) => format!(
                "the history has {}, with {} added after the block",
                recorded.root,
                count(recorded.added, "code or contract").replace("contracts", "contract")
            ),
        };
        output::print(&format!(
            "{}\n\n{}\n\nroot before  {before}\nroot after   {after}  {verdict}",
            heading(args, &past, block.calls.len()),
            receipts_text(past.registry(), block, &receipts)
        ))?;
    }
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run_until(
    args: &BlockReplayArgs,
    mut past: Runtime,
    block: &Block,
    until: u32,
    start: Root,
) -> Result<ExitCode> {
    let index = until as usize;
    let call = block.calls.get(index).with_context(|| {
        format!("block {} has {}, no call {until}", block.height, calls(block.calls.len()))
    })?;
    let cut = |count: usize| Block { calls: block.calls[..count].to_vec(), ..*block };
    let (parent, mut oracle, mut next) =
        (Oracle::new(&past), Oracle::new(&past), Oracle::new(&past));
    let receipts = run_both(&mut past, &mut oracle, &cut(index))?;
    let root = past.state_root()?;
    let mut after = next.execute(&cut(index + 1));
    let receipt = after.pop().context("the oracle gave no receipt")?;
    let so_far = changes(parent.state_entries(), oracle.state_entries());
    let by_call = changes(oracle.state_entries(), next.state_entries());
    let registry = past.registry();
    if args.json.json {
        output::print_json(&json!({
            "height": block.height,
            "threads": past.config().threads,
            "until": until,
            "root_before_block": start.to_string(),
            "root_before_call": root.to_string(),
            "receipts": receipts_json(registry, block, &receipts),
            "changed_before_call": changes_json(registry, &so_far),
            "call": receipt_json(registry, index, call, &receipt),
            "changed_by_call": changes_json(registry, &by_call),
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::print(&format!(
        "{}\n\n{}\n\n{}\n\nroot before the block  {start}\nroot before call {until:<5} {root}\n\n\
         call {until}: {} {}, {}, {} gas\n\n{}",
        heading(args, &past, index),
        match receipts.is_empty() {
            true => "no call comes before it".to_owned(),
            false => receipts_text(registry, block, &receipts),
        },
        changes_text(registry, &so_far, "changed so far", "before the block", "now"),
        contract_name(registry, call),
        call.method,
        status(registry, &receipt),
        thousands(receipt.gas_used.0),
        changes_text(registry, &by_call, "changed by the call", "before", "after"),
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn calls(number: usize) -> String {
    count(number as u64, "call")
}

fn heading(args: &BlockReplayArgs, past: &Runtime, run: usize) -> String {
    let first = if args.until.is_some() { "the first " } else { "" };
    format!(
        "block {} on the state after height {}: {first}{} on {}, receipts and root equal the \
         oracle's",
        args.height,
        args.height.0 - 1,
        calls(run),
        count(past.config().threads as u64, "thread")
    )
}

/// A key, and its value before and after.
type Changed<'a> = (&'a [u8], Option<&'a [u8]>, Option<&'a [u8]>);

/// The keys whose values differ between two states, by ascending key.
fn changes<'a>(
    before: &'a BTreeMap<Vec<u8>, Vec<u8>>,
    after: &'a BTreeMap<Vec<u8>, Vec<u8>>,
) -> Vec<Changed<'a>> {
    let kept = before.iter().filter_map(|(key, old)| {
        let new = after.get(key);
        (new != Some(old)).then(|| (&key[..], Some(&old[..]), new.map(|new| &new[..])))
    });
    let made = after.iter().filter(|(key, _)| !before.contains_key(*key));
    let mut changes: Vec<_> =
        kept.chain(made.map(|(key, new)| (&key[..], None, Some(&new[..])))).collect();
    changes.sort_unstable();
    changes
}

fn changes_json(registry: &Registry, changes: &[Changed<'_>]) -> Vec<Value> {
    let change = |(key, before, after): &Changed<'_>| {
        json!({
            "key": hex(key),
            "name": key_name(registry, key),
            "before": before.map(hex),
            "after": after.map(hex),
        })
    };
    changes.iter().map(change).collect()
}

fn changes_text(
    registry: &Registry,
    changes: &[Changed<'_>],
    title: &str,
    before: &str,
    after: &str,
) -> String {
    let rows = changes.iter().take(ROWS_SHOWN_MAX).map(|(key, old, new)| {
        let value = |value: &Option<&[u8]>| match value {
            Some(value) => fit(&value_text(registry, key, value), VALUE_CHARS_MAX),
            None => "-".to_owned(),
        };
        [short_key(&key_name(registry, key)), value(old), value(new)]
    });
    let table = table([title, before, after], rows);
    match changes.len() {
        0 => format!("{title}: nothing"),
        number => with_more(table, number, "change"),
    }
}

fn receipts_text(registry: &Registry, block: &Block, receipts: &[Receipt]) -> String {
    let rows = block.calls.iter().zip(receipts).enumerate().take(ROWS_SHOWN_MAX);
    let rows = rows.map(|(index, (call, receipt))| {
        [
            index.to_string(),
            contract_name(registry, call),
            call.method.clone(),
            status(registry, receipt),
            thousands(receipt.gas_used.0),
        ]
    });
    match receipts.len() {
        0 => "the block has no calls".to_owned(),
        number => {
            let headings = ["call", "contract", "method", "status", "gas"];
            with_more(aligned(headings, &[0, 4], rows), number, "call")
        }
    }
}

fn with_more(table: String, number: usize, noun: &str) -> String {
    match number.saturating_sub(ROWS_SHOWN_MAX) {
        0 => table,
        more => format!("{table}\nand {}, see --json", count(more as u64, &format!("more {noun}"))),
    }
}

fn receipts_json(registry: &Registry, block: &Block, receipts: &[Receipt]) -> Vec<Value> {
    let calls = block.calls.iter().zip(receipts).enumerate();
    calls.map(|(index, (call, receipt))| receipt_json(registry, index, call, receipt)).collect()
}

fn receipt_json(registry: &Registry, index: usize, call: &Call, receipt: &Receipt) -> Value {
    json!({
        "call": index,
        "contract": call.contract.to_string(),
        "method": call.method,
        "outcome": match receipt.outcome {
            Outcome::Returned(_) => "ok",
            Outcome::Reverted { .. } => "reverted",
            Outcome::Failed(_) => "failed",
        },
        "status": status(registry, receipt),
        "gas": receipt.gas_used.0,
        "misses": receipt.misses,
        "events": receipt.events.len(),
    })
}

/// `token@0x1234…cdef`, or the address alone where there is no contract.
fn contract_name(registry: &Registry, call: &Call) -> String {
    let address = short_key(&format!("0x{}", call.contract));
    match registry.find(&call.contract) {
        Some(index) => format!("{}@{address}", registry.contract(index).code.abi.name),
        None => address,
    }
}

/// `ok`, `reverted: Slippage`, or why the call failed.
fn status(registry: &Registry, receipt: &Receipt) -> String {
    match &receipt.outcome {
        Outcome::Returned(_) => "ok".to_owned(),
        Outcome::Reverted { contract, error } => {
            let found = registry.find(contract).map(|index| registry.contract(index));
            let named = found.and_then(|contract| {
                let mut rest = &error[..];
                let value = decode(contract.code.abi.error.first()?, &mut rest).ok()?;
                rest.is_empty().then(|| value.to_string())
            });
            format!("reverted: {}", named.unwrap_or_else(|| format!("0x{}", hex(error))))
        }
        Outcome::Failed(failure) => format!("failed: {failure}"),
    }
}
