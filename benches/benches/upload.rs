//! What an upload costs, and what artifacts on disk save: `cargo bench -p tollway-benches --bench upload`.
//!
//! ```text
//! prepare    validation and instrumentation: a part of every row below
//! compiled   no cache
//! stored     compiled, sealed, and written with an fsync: the first start with a cache
//! loaded     read, verified, deserialized: every start after it
//! ```
//!
//! Timed is `Runtime::upload` of one module to a new runtime; starting the runtime is not.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tollway::engine::validate::prepare;
use tollway::{Config, Limits, Runtime};
use tollway_contracts_wasm::{PAIR, TOKEN};

/// A directory that goes away with the bench.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn runtime(artifact_dir: Option<&Path>) -> Runtime {
    let artifact_dir = artifact_dir.map(Path::to_owned);
    let config = Config { threads: 1, artifact_dir, ..Config::default() };
    Runtime::new(config).expect("the runtime starts")
}

fn upload(criterion: &mut Criterion) {
    let name = format!("tollway-bench-upload-{}", std::process::id());
    let scratch = Scratch(std::env::temp_dir().join(name));
    let (loaded, stored) = (scratch.0.join("loaded"), scratch.0.join("stored"));
    let mut group = criterion.benchmark_group("upload::module");
    for (name, wasm) in [("token", TOKEN), ("pair", PAIR)] {
        let parameters = format!("contract={name} bytes={}", wasm.len());
        group.throughput(Throughput::Bytes(wasm.len() as u64));
        let limits = Limits::default();
        group.bench_function(BenchmarkId::new("prepare", &parameters), |bencher| {
            bencher.iter_with_large_drop(|| prepare(wasm, &limits));
        });
        let mut measure = |what: &str, start: &dyn Fn() -> Runtime| {
            group.bench_function(BenchmarkId::new(what, &parameters), |bencher| {
                bencher.iter_batched_ref(
                    start,
                    |runtime| runtime.upload(wasm).expect("the sample is sound"),
                    BatchSize::PerIteration,
                );
            });
        };
        measure("compiled", &|| runtime(None));
        measure("stored", &|| {
            let _ = std::fs::remove_dir_all(&stored);
            runtime(Some(&stored))
        });
        runtime(Some(&loaded)).upload(wasm).expect("the sample is sound");
        measure("loaded", &|| runtime(Some(&loaded)));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
    targets = upload
}
criterion_main!(benches);
