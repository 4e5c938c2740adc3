//! One store, in a process of its own: filled and measured in one, opened again in another.
//!
//! ```text
//! parent                     child: --task fill --only redb …
//!   ◀──── loaded ──────────────  loads
//!   ◀──── block, each ─────────  commits a block
//!   ◀──── filled ──────────────  waits to be killed
//!
//!                            child: --task reopen --only redb …
//!   ◀──── reopened ────────────  opens, holds the values against the workload
//! ```

use crate::args::Options;
use crate::stores::{Row, Store};
use crate::workload::{Key, Update, Workload};
use anyhow::ensure;
use clap::ValueEnum;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Keys that are loaded at once.
const LOAD_KEYS: u32 = 100_000;

/// Keys that are read at once.
const READ_KEYS: usize = 10_000;

/// Keys that are held against the workload at the end, beside those of the last block.
const CHECKED_KEYS: u32 = 50_000;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Task {
    /// Makes the store and commits all blocks.
    Fill,
    /// Opens the store and reads it.
    Reopen,
}

impl Task {
    /// What it is called on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Task::Fill => "fill",
            Task::Reopen => "reopen",
        }
    }
}

/// A line of a child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Line {
    /// All keys are there.
    Loaded,
    /// A measured block is committed.
    Block { elapsed_ns: u64 },
    /// All blocks are committed.
    Filled(Filled),
    /// What was on disk is all there.
    Reopened(Reopened),
}

/// A store after its last block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Filled {
    /// Of all threads, during the measured blocks.
    pub(crate) processor_ns: u64,
    /// The share of all cores' time that other processes had meanwhile.
    pub(crate) others_share: Option<f64>,
    /// Memory of the process.
    pub(crate) resident_bytes: Option<u64>,
    /// In hexadecimal digits.
    pub(crate) root: Option<String>,
}

/// A store that was opened again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reopened {
    pub(crate) elapsed_ns: u64,
    /// In hexadecimal digits.
    pub(crate) root: Option<String>,
}

/// Does a child's task, and says on stdout how it went.
///
/// # Errors
/// If the store fails, or does not hold what it must.
pub(crate) fn serve(
    row: &Row,
    directory: &Path,
    options: &Options,
    task: Task,
) -> anyhow::Result<()> {
    match task {
        Task::Fill => {
            let store = fill(row, directory, options, &mut say)?;
            // Killed here, with the store open.
            std::io::stdin().read_to_end(&mut Vec::new())?;
            drop(store);
            Ok(())
        }
        Task::Reopen => say(Line::Reopened(reopen(row, directory, options)?)),
    }
}

/// Makes a store and commits all blocks. One that does not outlive its process is also checked.
///
/// # Errors
/// As [`serve`].
pub(crate) fn fill(
    row: &Row,
    directory: &Path,
    options: &Options,
    say: &mut dyn FnMut(Line) -> anyhow::Result<()>,
) -> anyhow::Result<Box<dyn Store>> {
    let mut workload = Workload::new(options.keys, options.block_keys)?;
    let mut store = (row.open)(directory, options.keys)?;
    for start in (0..options.keys).step_by(LOAD_KEYS as usize) {
        let end = options.keys.min(start.saturating_add(LOAD_KEYS));
        store.commit(workload.load(start..end))?;
    }
    store.forget_past()?;
    say(Line::Loaded)?;
    store.commit(workload.next_block())?;
    let start = processor_time(ClockId::ProcessCPUTime);
    let (all_clock, machine) = (Instant::now(), Machine::now());
    let mut drawing = Duration::ZERO;
    for _ in 0..options.blocks {
        let clock = processor_time(ClockId::ThreadCPUTime);
        let updates = workload.next_block();
        drawing += processor_time(ClockId::ThreadCPUTime) - clock;
        let clock = Instant::now();
        store.commit(updates)?;
        say(Line::Block { elapsed_ns: nanoseconds(clock.elapsed()) })?;
    }
    let processor = processor_time(ClockId::ProcessCPUTime) - start;
    let filled = Filled {
        processor_ns: nanoseconds(processor.saturating_sub(drawing)),
        others_share: machine.and_then(|before| {
            Machine::now()?.others_share(&before, processor, all_clock.elapsed())
        }),
        resident_bytes: resident_bytes(),
        root: root(store.as_ref()),
    };
    if !row.is_durable {
        check(store.as_ref(), &workload.sample(CHECKED_KEYS))?;
    }
    say(Line::Filled(filled))?;
    Ok(store)
}

/// Opens what [`fill`] left, and holds it against the workload.
///
/// # Errors
/// As [`serve`].
pub(crate) fn reopen(row: &Row, directory: &Path, options: &Options) -> anyhow::Result<Reopened> {
    let mut workload = Workload::new(options.keys, options.block_keys)?;
    for _ in 0..=options.blocks {
        workload.next_block();
    }
    let clock = Instant::now();
    let store = (row.open)(directory, options.keys)?;
    let elapsed_ns = nanoseconds(clock.elapsed());
    check(store.as_ref(), &workload.sample(CHECKED_KEYS))?;
    Ok(Reopened { elapsed_ns, root: root(store.as_ref()) })
}

/// Whether a store has the values that it must have.
fn check(store: &dyn Store, expected: &[Update]) -> anyhow::Result<()> {
    for expected in expected.chunks(READ_KEYS) {
        let keys: Vec<Key> = expected.iter().map(|update| update.key).collect();
        let found = store.read(&keys)?;
        ensure!(found.len() == keys.len(), "{} values for {} keys", found.len(), keys.len());
        for (update, found) in expected.iter().zip(found) {
            ensure!(
                found == Some(update.value),
                "key {} has the value {}, expected {}",
                hexadecimal(&update.key),
                found.map_or("none".into(), |value| hexadecimal(&value)),
                hexadecimal(&update.value)
            );
        }
    }
    Ok(())
}

fn say(line: Line) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", serde_json::to_string(&line)?)?;
    Ok(stdout.flush()?)
}

fn root(store: &dyn Store) -> Option<String> {
    store.root().map(|root| hexadecimal(&root))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn processor_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What all cores did since the machine started, in the system's own unit.
struct Machine {
    cores: usize,
    busy: u64,
    all: u64,
}

impl Machine {
    /// As Linux counts it; elsewhere nobody tells.
    fn now() -> Option<Machine> {
        Machine::of(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    fn of(stat: &str) -> Option<Machine> {
        let cores = stat.lines().filter(|line| line.starts_with("cpu")).count().checked_sub(1)?;
        // user nice system idle iowait irq softirq steal, then parts of the first two again
        let numbers = stat.lines().next()?.split_whitespace().skip(1).take(8);
        let times: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
        let all = times.iter().sum();
        Some(Machine { cores, busy: all - times.get(3)? - times.get(4)?, all })
    }

    /// The share of others since `before`, of which this process had `own`.
    fn others_share(&self, before: &Machine, own: Duration, elapsed: Duration) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        let busy = self.busy.checked_sub(before.busy)? as f64 / all as f64;
        let own = own.as_secs_f64() / (elapsed.as_secs_f64() * self.cores as f64);
        Some((busy - own).max(0.0))
    }
}

/// Memory of this process, as Linux counts it; elsewhere nobody tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;
    use crate::workload::Value;
    use tempfile::TempDir;

    fn options(directory: &Path) -> Options {
        Options { keys: 3_000, block_keys: 500, blocks: 3, directory: directory.to_owned() }
    }

    fn filled(row: &Row, directory: &Path, options: &Options) -> anyhow::Result<Filled> {
        let mut lines = Vec::new();
        let store = fill(row, directory, options, &mut |line| {
            lines.push(line);
            Ok(())
        })?;
        drop(store);
        assert_eq!(lines.len(), options.blocks + 2);
        match lines.pop() {
            Some(Line::Filled(filled)) => Ok(filled),
            line => panic!("{line:?} came last"),
        }
    }

    #[test]
    fn every_store_has_the_state_and_keeps_it_if_it_says_so() {
        for row in stores::all() {
            let directory = TempDir::new().unwrap();
            let options = options(directory.path());
            let filled = filled(&row, directory.path(), &options).unwrap();
            assert_eq!(filled.root.is_some(), row.root_of.is_some(), "{}", row.title());
            let reopened = reopen(&row, directory.path(), &options);
            assert_eq!(reopened.is_ok(), row.is_durable, "{}: {reopened:?}", row.title());
            if let Ok(reopened) = reopened {
                assert_eq!(reopened.root, filled.root, "{}", row.title());
            }
        }
    }

    #[test]
    fn a_root_that_is_of_the_state_does_not_know_its_history() {
        for row in stores::all() {
            let Some(root_of) = row.root_of else { continue };
            let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
            let updates = Workload::new(2_000, 1).unwrap().load(0..2_000);
            let mut at_once = (row.open)(directories[0].path(), 2_000).unwrap();
            at_once.commit(updates.clone()).unwrap();
            let mut in_parts = (row.open)(directories[1].path(), 2_000).unwrap();
            for part in updates.chunks(700) {
                in_parts.commit(part.to_vec()).unwrap();
            }
            let is_same = at_once.root() == in_parts.root();
            assert_eq!(is_same, root_of == "state", "{}", row.title());
        }
    }

    #[test]
    fn others_are_what_is_busy_and_not_us() {
        let stat =
            |user, idle| format!("cpu {user} 0 10 {idle} 20 0 0 30 0 0\ncpu0 1\ncpu1 2\nintr 3");
        let before = Machine::of(&stat(100, 200)).unwrap();
        let after = Machine::of(&stat(400, 300)).unwrap();
        assert_eq!((before.cores, before.busy, before.all), (2, 140, 360));
        // Two cores for two seconds, three quarters busy, one second of it ours.
        let seconds = Duration::from_secs;
        let share = after.others_share(&before, seconds(1), seconds(2)).unwrap();
        assert!((share - 0.5).abs() < 1e-9, "{share}");
        assert_eq!(after.others_share(&before, seconds(4), seconds(2)), Some(0.0));
        assert_eq!(after.others_share(&after, seconds(1), seconds(2)), None);
    }

    /// Loses the last update of every block.
    struct Forgetful(Box<dyn Store>);

    impl Store for Forgetful {
        fn commit(&mut self, mut updates: Vec<Update>) -> anyhow::Result<()> {
            updates.pop();
            self.0.commit(updates)
        }

        fn root(&self) -> Option<[u8; 32]> {
            self.0.root()
        }

        fn read(&self, keys: &[Key]) -> anyhow::Result<Vec<Option<Value>>> {
            self.0.read(keys)
        }
    }

    #[test]
    fn a_lost_update_is_noticed() {
        let mut row = stores::all().swap_remove(0);
        assert!(!row.is_durable);
        row.open = |directory, keys| {
            let whole = (stores::all()[0].open)(directory, keys)?;
            Ok(Box::new(Forgetful(whole)))
        };
        let directory = TempDir::new().unwrap();
        let error = filled(&row, directory.path(), &options(directory.path())).unwrap_err();
        assert!(error.to_string().contains("expected"), "{error}");
    }
}
