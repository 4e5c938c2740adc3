//! The memory backend does what every backend must.

use tollway_state::{Backend, MemoryBackend, conformance};

fn create() -> Box<dyn Backend> {
    Box::new(MemoryBackend::new())
}

#[test]
fn memory_conforms() {
    conformance::run(&mut create);
}

/// `TOLLWAY_TEST_STEPS` sets how many steps, 2000 by default.
#[test]
fn long_random_histories() {
    let steps = std::env::var("TOLLWAY_TEST_STEPS").map_or(2000, |steps| steps.parse().unwrap());
    for seed in 100..100 + steps / 500 {
        conformance::random::run(&mut create, seed, 500);
    }
}
