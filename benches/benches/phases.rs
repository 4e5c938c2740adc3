//! What RESOLVE and PLAN cost a block: `cargo bench -p tollway-benches --bench phases`.
//!
//! Each iteration executes the whole block, on one state, and counts the time alone that the runtime
//! reports for the phase ([`BlockStats`]): caches are then as in a real run. The lanes run too, and
//! make the bench longer, but are in no figure. All phases together are in the bench `block`, each of
//! them by instructions in `cargo xtask instructions`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use tollway::{BlockStats, Config};
use tollway_benches::swaps::{Distribution, Exchange, Swap, Variant, Workload};

const CALLS: usize = 1_000;

fn phases(criterion: &mut Criterion) {
    for distribution in [Distribution::Disjoint, Distribution::Hot] {
        let mut workload = Workload::new(distribution);
        let reserves = workload.initial_reserves().to_vec();
        let swaps = [workload.next_block(CALLS)];
        for variant in Variant::ALL {
            for threads in [1, 2] {
                let config = Config { threads, ..Config::default() };
                let exchange = Exchange::new(variant, &reserves, &swaps, config, &|_, _| {})
                    .expect("the workload sets up");
                let parameters = format!(
                    "variant={variant} dist={distribution} calls={CALLS} threads={threads}"
                );
                measure(criterion, exchange, &swaps[0], &parameters);
            }
        }
    }
}

fn measure(criterion: &mut Criterion, mut exchange: Exchange, swaps: &[Swap], parameters: &str) {
    type Phase = (&'static str, fn(&BlockStats) -> u64);
    let phases: [Phase; 2] =
        [("resolve::block", |stats| stats.resolve_ns), ("plan::block", |stats| stats.plan_ns)];
    let block = exchange.block(swaps);
    for (name, time_ns) in phases {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(swaps.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(parameters), |bencher| {
            bencher.iter_custom(|iterations| {
                let runs = (0..iterations).map(|_| {
                    let outcome = exchange.runtime_mut().execute(&block);
                    time_ns(&outcome.expect("the block is valid").stats)
                });
                Duration::from_nanos(runs.sum())
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500));
    targets = phases
}
criterion_main!(benches);
