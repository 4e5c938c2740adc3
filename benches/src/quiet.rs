//! Whether a run had the machine to itself: how long this process's threads were ready to run and
//! had no core.
//!
//! Linux tells; elsewhere nobody knows, and every run counts as quiet. What cores share, such as
//! caches and the clock, does not show here.

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
