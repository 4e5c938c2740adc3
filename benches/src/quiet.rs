//! Whether a run had the machine to itself: how long this process's threads were ready to run and
//! had no core.
//!
//! Linux tells; elsewhere nobody knows, and every run counts as quiet. What cores share, such as
//! caches and the clock, does not show here.

use crate::spread::Spread;
use std::time::{Duration, Instant};

/// A run is quiet if its threads waited for cores less than this share of its time.
pub const WAITED_SHARE_MAX: f64 = 0.02;

/// A run that is watched.
pub struct Watch {
    clock: Instant,
    waited_ns: Option<u64>,
}

impl Watch {
    /// Starts watching. Reads a small file for each thread of the process.
    pub fn start() -> Self {
        let waited_ns = waited_ns();
        Self { clock: Instant::now(), waited_ns }
    }

    /// Whether the run was quiet so far.
    pub fn was_quiet(&self) -> bool {
        let elapsed = self.clock.elapsed();
        match (self.waited_ns, waited_ns()) {
            (Some(before), Some(after)) => is_quiet(after.saturating_sub(before), elapsed),
            _ => true,
        }
    }
}

/// Several runs of one thing: the quiet ones if there are any, all of them otherwise.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs<T> {
    runs: Vec<T>,
    is_quiet: bool,
}

impl<T> Runs<T> {
    /// Of runs, each with whether it was quiet.
    pub fn new(runs: Vec<(T, bool)>) -> Self {
        let is_quiet = runs.iter().any(|run| run.1);
        let kept = runs.into_iter().filter(|run| run.1 == is_quiet);
        Self { runs: kept.map(|run| run.0).collect(), is_quiet }
    }

    /// The runs that count.
    pub fn as_slice(&self) -> &[T] {
        &self.runs
    }

    /// Whether they were quiet.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// What a run measures: the median over quiet runs, the least of others, which are slower for
    /// reasons of their own.
    ///
    /// # Panics
    /// If there are no runs.
    pub fn typical(&self, measured: impl Fn(&T) -> f64) -> f64 {
        self.typical_of(self.runs.iter().map(measured))
    }

    /// The same of numbers that come from these runs.
    ///
    /// # Panics
    /// If there are none.
    pub fn typical_of(&self, measured: impl Iterator<Item = f64>) -> f64 {
        let spread = Spread::of(&measured.collect::<Vec<_>>());
        if self.is_quiet { spread.median } else { spread.min }
    }
}

fn is_quiet(waited_ns: u64, elapsed: Duration) -> bool {
    waited_ns as f64 <= WAITED_SHARE_MAX * elapsed.as_nanos() as f64
}

/// Nanoseconds that all threads waited so far.
fn waited_ns() -> Option<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    // A thread that ends meanwhile has no file any more, and no part in what is measured.
    let texts =
        tasks.flatten().flat_map(|task| std::fs::read_to_string(task.path().join("schedstat")));
    let mut waited_ns = None;
    for text in texts {
        // Time on a core, time waiting for one, time slices.
        let ns: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
        waited_ns = Some(waited_ns.unwrap_or(0) + ns);
    }
    waited_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_waits_are_no_noise() {
        assert!(is_quiet(0, Duration::ZERO));
        assert!(is_quiet(20_000, Duration::from_millis(1)));
        assert!(!is_quiet(20_001, Duration::from_millis(1)));
    }

    #[test]
    fn quiet_runs_count_before_others() {
        let typical = |runs: &[(f64, bool)]| Runs::new(runs.into()).typical(|ns| *ns);
        assert_eq!(typical(&[(9.0, false), (14.0, true), (12.0, true), (20.0, true)]), 14.0);
        assert_eq!(typical(&[(9.0, false), (14.0, false)]), 9.0);
        assert_eq!(Runs::new(vec![(9.0, false), (14.0, true)]).as_slice(), [14.0]);
    }

    #[test]
    fn crowds_are_noticed() {
        if waited_ns().is_none() {
            println!("skipped: this system does not tell");
            return;
        }
        let watch = Watch::start();
        let threads = 4 * std::thread::available_parallelism().map_or(1, usize::from);
        let spin = || {
            let clock = Instant::now();
            while clock.elapsed() < Duration::from_millis(50) {}
        };
        // Watched from within: a thread's waits are gone when it ends.
        let quiet = std::thread::scope(|scope| {
            let spinning: Vec<_> = (0..threads).map(|_| scope.spawn(spin)).collect();
            spin();
            let quiet = watch.was_quiet();
            drop(spinning);
            quiet
        });
        assert!(!quiet);
    }
}
