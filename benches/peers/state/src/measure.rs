//! Lets one store after the other do its blocks, kills its process, and has another open what it
//! left.

use crate::args::{Args, Options};
use crate::stores::{self, Row};
use crate::worker::{Filled, Line, Reopened, Task};
use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The figures of one store.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) store: String,
    pub(crate) version: &'static str,
    pub(crate) keys: u32,
    pub(crate) block_keys: usize,
    pub(crate) blocks: usize,
    pub(crate) keys_per_s_median: f64,
    pub(crate) block_ms_min: f64,
    pub(crate) block_ms_median: f64,
    pub(crate) block_ms_max: f64,
    pub(crate) processor_us_per_key: f64,
    /// The share of all cores' time that other processes had during the blocks.
    pub(crate) others_share: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    /// On disk once the process is killed; `None` for a store in memory, as the next.
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) reopen_s: Option<f64>,
    /// In hexadecimal digits.
    pub(crate) root: Option<String>,
    pub(crate) root_of: Option<&'static str>,
    pub(crate) note: &'static str,
}

/// Measures all rows.
///
/// # Errors
/// If a store fails or does not hold what it must, or two of one name disagree about the root.
pub(crate) fn run(options: &Options, rows: &[Row]) -> anyhow::Result<Vec<Record>> {
    ensure!(options.blocks > 0, "at least one block must be measured");
    let mut records: Vec<Record> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let record = measure(row, options).with_context(|| row.title())?;
        for (other, other_record) in rows.iter().zip(&records).take(index) {
            ensure!(
                (other.name, other.root_of) != (row.name, Some("state"))
                    || other_record.root == record.root,
                "{} and {} have different roots for one state",
                other.title(),
                row.title()
            );
        }
        records.push(record);
    }
    Ok(records)
}

fn measure(row: &Row, options: &Options) -> anyhow::Result<Record> {
    let directory = tempfile::Builder::new()
        .prefix("tollway-peers-state-")
        .tempdir_in(&options.directory)
        .with_context(|| format!("no directory can be made in {}", options.directory.display()))?;
    let directory = directory.path();
    let (times_ms, filled) = fill(row, directory, options)?;
    let (mut disk_bytes, mut reopened) = (None, None);
    if row.is_durable {
        disk_bytes = Some(bytes_on_disk(directory)?);
        let found = reopen(row, directory, options)?;
        ensure!(
            found.root == filled.root,
            "opened again it has the root {:?}, it had {:?}",
            found.root,
            filled.root
        );
        reopened = Some(found);
    }
    let mut sorted = times_ms;
    sorted.sort_unstable_by(f64::total_cmp);
    let median = (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0;
    let updates = options.block_keys as f64 * options.blocks as f64;
    Ok(Record {
        store: row.title(),
        version: stores::version(row.package),
        keys: options.keys,
        block_keys: options.block_keys,
        blocks: options.blocks,
        keys_per_s_median: options.block_keys as f64 / median * 1e3,
        block_ms_min: sorted[0],
        block_ms_median: median,
        block_ms_max: sorted[sorted.len() - 1],
        processor_us_per_key: filled.processor_ns as f64 / 1e3 / updates,
        others_share: filled.others_share,
        resident_bytes: filled.resident_bytes,
        disk_bytes,
        reopen_s: reopened.map(|reopened| reopened.elapsed_ns as f64 / 1e9),
        root: filled.root,
        root_of: row.root_of,
        note: row.note,
    })
}

/// Has a child do all blocks, and kills it.
fn fill(row: &Row, directory: &Path, options: &Options) -> anyhow::Result<(Vec<f64>, Filled)> {
    let bar = bar(&row.title(), options.blocks as u64 + 1);
    let mut child = Worker::start(row, directory, options, Task::Fill)?;
    let mut times_ms = Vec::new();
    let filled = loop {
        match child.line()? {
            Line::Loaded => {}
            Line::Block { elapsed_ns } => times_ms.push(elapsed_ns as f64 / 1e6),
            Line::Filled(filled) => break filled,
            line => bail!("the child said {line:?}"),
        }
        bar.inc(1);
    };
    ensure!(times_ms.len() == options.blocks, "the child committed {} blocks", times_ms.len());
    bar.finish_and_clear();
    Ok((times_ms, filled))
}

fn reopen(row: &Row, directory: &Path, options: &Options) -> anyhow::Result<Reopened> {
    match Worker::start(row, directory, options, Task::Reopen)?.line()? {
        Line::Reopened(reopened) => Ok(reopened),
        line => bail!("the child said {line:?}"),
    }
}

/// A child. It is killed when this is dropped.
struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Kept open: its end would be the child's end too, in good order.
    _stdin: Option<ChildStdin>,
}

impl Worker {
    fn start(row: &Row, directory: &Path, options: &Options, task: Task) -> anyhow::Result<Worker> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(Args::of_worker(row, directory, options, task)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().context("the child has no output")?;
        let _stdin = child.stdin.take();
        Ok(Worker { child, lines: BufReader::new(stdout).lines(), _stdin })
    }

    fn line(&mut self) -> anyhow::Result<Line> {
        let line = self.lines.next().context("the child ended; its reason is above")??;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the files in a directory take, without what is only reserved by their length.
fn bytes_on_disk(directory: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => bytes_on_disk(&entry.path())?,
            false => metadata.blocks() * 512,
        };
    }
    Ok(bytes)
}

/// A bar on stderr; not there when stderr is no terminal.
fn bar(label: &str, steps: u64) -> ProgressBar {
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("{prefix:>24} {bar:32} {percent:>3} %  {eta}");
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(label.to_owned());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_count() {
        let directory = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join("inner")).unwrap();
        std::fs::write(directory.path().join("a"), vec![1; 100_000]).unwrap();
        std::fs::write(directory.path().join("inner/b"), vec![1; 300_000]).unwrap();
        let bytes = bytes_on_disk(directory.path()).unwrap();
        assert!((400_000..500_000).contains(&bytes), "{bytes}");
    }
}
