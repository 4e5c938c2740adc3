//! What one call, and a whole block, cost: `cargo bench -p tollway-benches --bench block`.
//!
//! `call::swap` is a block of one call, so it has the cost of a block; `block::swaps` has a thousand.
//! `block::nothing` has calls of a method that is empty: the engine's own share of a call, and of that
//! the lanes alone.
//! Timed is `execute` on one state: resolve, plan, lanes, and building the receipts and the batch.
//! Not timed: making and decoding the block, commit, and dropping the outcome. The rows of the native
//! model and of the oracle show the floor and the ceiling; making the oracle is not timed.

use criterion::measurement::WallTime;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use std::time::Duration;
use tollway::oracle::Oracle;
use tollway::{Address, Block, Config, Receipt, Runtime};
use tollway_benches::contracts::{call, instantiate, next_block};
use tollway_benches::swaps::{Distribution, Exchange, Model, Swap, Variant, Workload};
use tollway_contracts_wasm::SYNTHETIC;

const THREADS: [usize; 2] = [1, 2];

fn one_call(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call::swap");
    measure(&mut group, Distribution::Hot, 1, &THREADS[..1]);
    group.finish();
}

const EMPTY_CALLS: usize = 10_000;

fn empty_calls(criterion: &mut Criterion) {
    let mut runtime = Runtime::new(Config { threads: 1, ..Config::default() }).expect("it starts");
    let code = runtime.upload(SYNTHETIC).expect("a sample");
    let contract = instantiate(&mut runtime, code, 0, ()).expect("it has no immutables");
    let caller = |number| Address::from_u64(number);
    let calls = (0..EMPTY_CALLS as u64).map(|number| call(caller(number), contract, "nothing", ()));
    let block = next_block(&runtime, calls.collect());
    let mut group = criterion.benchmark_group("block::nothing");
    group.throughput(Throughput::Elements(EMPTY_CALLS as u64));
    group.bench_function("all", |bencher| {
        bencher.iter_with_large_drop(|| runtime.execute(&block));
    });
    group.bench_function("lanes", |bencher| {
        bencher.iter_custom(|iterations| {
            let runs = (0..iterations).map(|_| {
                let outcome = runtime.execute(&block).expect("the block is valid");
                assert!(outcome.receipts.iter().all(Receipt::is_success));
                outcome.stats.execute_ns
            });
            Duration::from_nanos(runs.sum())
        });
    });
    group.finish();
}

fn whole_block(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("block::swaps");
    measure(&mut group, Distribution::Disjoint, 1_000, &THREADS);
    measure(&mut group, Distribution::Hot, 1_000, &THREADS);
    group.finish();
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    distribution: Distribution,
    calls: usize,
    threads: &[usize],
) {
    let mut workload = Workload::new(distribution);
    let reserves = workload.initial_reserves().to_vec();
    let swaps = [workload.next_block(calls)];
    let parameters = format!("dist={distribution} calls={calls}");
    group.throughput(Throughput::Elements(calls as u64));
    native(group, &parameters, &Model::new(&reserves), &swaps[0]);
    for variant in Variant::ALL {
        let name = format!("variant={variant} {parameters}");
        for threads in threads {
            let config = Config { threads: *threads, ..Config::default() };
            let mut exchange = Exchange::new(variant, &reserves, &swaps, config, &|_, _| {})
                .expect("the workload sets up");
            let block = exchange.block(&swaps[0]);
            if *threads == 1 {
                oracle(group, &name, &exchange, &block);
            }
            let id = BenchmarkId::from_parameter(format!("{name} threads={threads}"));
            group.bench_function(id, |bencher| {
                bencher.iter_with_large_drop(|| exchange.runtime_mut().execute(&block));
            });
        }
    }
}

fn native(
    group: &mut BenchmarkGroup<'_, WallTime>,
    parameters: &str,
    model: &Model,
    swaps: &[Swap],
) {
    let id = BenchmarkId::from_parameter(format!("native {parameters}"));
    group.bench_function(id, |bencher| {
        bencher.iter_batched_ref(
            || model.clone(),
            |model| swaps.iter().try_for_each(|swap| model.apply(swap).map(|_| ())),
            BatchSize::LargeInput,
        );
    });
}

fn oracle(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    exchange: &Exchange,
    block: &Block,
) {
    group.bench_function(BenchmarkId::from_parameter(format!("oracle {name}")), |bencher| {
        bencher.iter_batched_ref(
            || Oracle::new(exchange.runtime()),
            |oracle| oracle.execute(block),
            BatchSize::LargeInput,
        );
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(500));
    targets = one_call, empty_calls, whole_block
}
criterion_main!(benches);
