//! What the scheduler's steps between workers cost on this machine, measured with the same parts:
//! an atomic counter, and `crossbeam` queues.

use crate::spread::Spread;
use crossbeam_deque::{Steal, Worker as Queue};
use crossbeam_utils::Backoff;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Costs of single steps, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredSteps {
    /// Reading the clock.
    pub clock_ns: f64,
    /// How long adding to a counter keeps it from a thread that adds to it at the same time.
    pub grab_ns: f64,
    /// Looking into a queue that is empty.
    pub look_ns: f64,
    /// From one thread's push to another's theft, which polls as idle workers do.
    pub steal_ns: f64,
}

/// A step is measured so often in a round, and in so many rounds, of which the fastest counts.
const STEPS_PER_ROUND: u64 = 200;
const ROUNDS: usize = 200;

/// Two threads that should add at the same time may have to wait for cores, but not longer.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Measures them. Takes up to some hundred milliseconds on two threads. On a machine with one core, handing a
/// call over takes the time of a thread switch.
pub fn measure_steps() -> MeasuredSteps {
    MeasuredSteps {
        clock_ns: clock_ns(),
        grab_ns: grab_ns(),
        look_ns: look_ns(),
        steal_ns: steal_ns(),
    }
}

/// The fastest of rounds, each of which measures one step's nanoseconds.
fn rounds(mut round: impl FnMut() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn ns_per_step(clock: Instant, steps: u64) -> f64 {
    clock.elapsed().as_nanos() as f64 / steps as f64
}

fn clock_ns() -> f64 {
    rounds(|| {
        let clock = Instant::now();
        for _ in 0..STEPS_PER_ROUND {
            black_box(clock.elapsed());
        }
        ns_per_step(clock, STEPS_PER_ROUND)
    })
}

fn look_ns() -> f64 {
    let queue: Queue<u32> = Queue::new_lifo();
    let stealer = queue.stealer();
    rounds(|| {
        let clock = Instant::now();
        for _ in 0..STEPS_PER_ROUND {
            black_box(stealer.steal().is_empty());
        }
        ns_per_step(clock, STEPS_PER_ROUND)
    })
}

/// How long an add keeps the counter from others: the time of a round over the adds of both, while
/// another thread does nothing but add. The median over rounds in which it did add; where there is
/// no such round, as on one core, an add costs nobody anything else.
fn grab_ns() -> f64 {
    let (counter, is_done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Relaxed) {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut shared = Vec::new();
        let waiting = Instant::now();
        while shared.len() < ROUNDS && waiting.elapsed() < WAIT_MAX {
            let before = counter.load(Ordering::Relaxed);
            let clock = Instant::now();
            for _ in 0..STEPS_PER_ROUND {
                black_box(counter.fetch_add(1, Ordering::Relaxed));
            }
            let ns = clock.elapsed().as_nanos() as f64;
            let adds = counter.load(Ordering::Relaxed) - before;
            // Half as many as this thread's: both were at it for most of the round.
            if adds > STEPS_PER_ROUND * 3 / 2 {
                shared.push(ns / adds as f64);
            }
        }
        is_done.store(true, Ordering::Relaxed);
        if shared.is_empty() { 0.0 } else { Spread::of(&shared).median }
    })
}

/// Half of the time in which a number goes to another thread and back, each way by a queue.
fn steal_ns() -> f64 {
    let (there, back) = (Queue::new_lifo(), Queue::new_lifo());
    let (from_here, from_there) = (there.stealer(), back.stealer());
    let total = ROUNDS as u64 * STEPS_PER_ROUND;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..total {
                back.push(stolen(&from_here));
            }
        });
        rounds(|| {
            let clock = Instant::now();
            for number in 0..STEPS_PER_ROUND {
                there.push(number);
                black_box(stolen(&from_there));
            }
            ns_per_step(clock, STEPS_PER_ROUND) / 2.0
        })
    })
}

/// Waits for a number as an idle worker does.
fn stolen(stealer: &crossbeam_deque::Stealer<u64>) -> u64 {
    let backoff = Backoff::new();
    loop {
        match stealer.steal() {
            Steal::Success(number) => return number,
            Steal::Empty => backoff.snooze(),
            Steal::Retry => {}
        }
    }
}
