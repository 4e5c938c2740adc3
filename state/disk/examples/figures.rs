//! How fast state is committed, read and opened; beside the database alone.
//!
//! ```text
//! cargo run --release -p tollway-state-disk --example figures -- memory 1000000
//! cargo run --release -p tollway-state-disk --example figures -- load DIRECTORY 10000000
//! cargo run --release -p tollway-state-disk --example figures -- disk DIRECTORY
//! cargo run --release -p tollway-state-disk --example figures -- redb DIRECTORY 1000000
//! ```
//!
//! Keys and values have 32 bytes; `BLOCKS` blocks (24) update `BLOCK_KEYS` random keys (100,000).
//! Figures are medians with the
//! 10th and 90th percentile. `disk` opens what `load` left and adds blocks to it; each is on disk
//! when its commit returns, and each but the first waits for merges that the ones before caused.
//! Left out: execution, signatures, consensus.
#![allow(clippy::unwrap_used, reason = "a failed measurement has no result")]

use std::{
    path::Path,
    time::{Duration, Instant},
};
use tollway_state::{Backend, Found, Height, MemoryBackend, WriteBatch, conformance::random::Dice};
use tollway_state_disk::{DiskBackend, DiskOptions};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Keys asked for in one read.
const READ_KEYS: u64 = 100_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let blocks = std::env::var("BLOCKS").map_or(24, |blocks| blocks.parse().unwrap());
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["memory", keys] => {
            let keys = keys.parse().unwrap();
            let mut backend = MemoryBackend::new();
            load(&mut backend, keys);
            commits("memory", &mut backend, keys, blocks);
            reads("memory", &backend, keys);
            println!("tree: {:.1} bytes a key", backend.tree().memory_bytes() as f64 / keys as f64);
        }
        ["load", directory, keys] => {
            let mut backend = DiskBackend::create(Path::new(directory), options()).unwrap();
            let start = Instant::now();
            load(&mut backend, keys.parse().unwrap());
            backend.close().unwrap();
            println!("loaded in {:.1} s", start.elapsed().as_secs_f64());
        }
        ["disk", directory] => disk(Path::new(directory), blocks),
        ["redb", directory, keys] => {
            redb_alone(Path::new(directory), keys.parse().unwrap(), blocks)
        }
        _ => panic!("see the head of this file for the arguments"),
    }
}

/// Keys that a block updates.
fn block_keys() -> u64 {
    std::env::var("BLOCK_KEYS").map_or(100_000, |keys| keys.parse().unwrap())
}

fn options() -> DiskOptions {
    DiskOptions::default()
}

fn disk(directory: &Path, blocks: usize) {
    let start = Instant::now();
    let mut backend = DiskBackend::open(directory, options()).unwrap();
    let keys = backend.tree().len() as u64;
    println!("open {keys} keys: {:.2} s", start.elapsed().as_secs_f64());
    println!("resident after opening: {} MB", resident_mb());
    reads("disk, cold", &backend, keys);
    commits("disk", &mut backend, keys, blocks);
    reads("disk", &backend, keys);
    let tree = backend.tree().memory_bytes() as f64 / keys as f64;
    println!("tree: {tree:.1} bytes a key; resident {} MB", resident_mb());
    // As after a crash: what was not merged yet is replayed from the log.
    drop(backend);
    let start = Instant::now();
    let backend = DiskBackend::open(directory, options()).unwrap();
    println!("open with a log to replay: {:.2} s", start.elapsed().as_secs_f64());
    let mut backend = backend;
    let head = backend.head().height;
    let start = Instant::now();
    backend.prune(head).unwrap();
    println!("prune all: {:.2} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    backend.close().unwrap();
    println!("close: {:.2} s", start.elapsed().as_secs_f64());
}

fn key(number: u64) -> [u8; 32] {
    let mut dice = Dice(number);
    let mut key = [0; 32];
    key.chunks_exact_mut(8).for_each(|part| part.copy_from_slice(&dice.roll().to_le_bytes()));
    key
}

fn load(backend: &mut dyn Backend, keys: u64) {
    let mut height = backend.head().height;
    for start in (0..keys).step_by(500_000) {
        height = height.next();
        let mut batch = WriteBatch::new(height);
        (start..keys.min(start + 500_000)).for_each(|n| batch.put(&key(n), &key(!n)).unwrap());
        backend.commit(&[batch]).unwrap();
        backend.prune(height).unwrap();
    }
}

fn block(height: Height, keys: u64) -> WriteBatch {
    let mut dice = Dice(height.0 << 32);
    let mut numbers: Vec<u64> = (0..block_keys()).map(|_| dice.below(keys)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let mut batch = WriteBatch::with_capacity(height, numbers.len(), numbers.len() * 64);
    // Not in the order of the keys: those are hashes of the numbers.
    numbers.iter().for_each(|n| batch.put(&key(*n), &key(dice.roll())).unwrap());
    batch
}

fn commits(name: &str, backend: &mut dyn Backend, keys: u64, blocks: usize) {
    let mut times = Vec::new();
    let mut written = 0;
    for _ in 0..blocks {
        let batch = block(backend.head().height.next(), keys);
        written += batch.len();
        let start = Instant::now();
        backend.commit(&[batch]).unwrap();
        times.push(start.elapsed());
    }
    report(&format!("{name}: commit at {keys} keys"), &mut times, written);
}

fn reads(name: &str, backend: &dyn Backend, keys: u64) {
    let mut times = Vec::new();
    let mut found = Found::new();
    for round in 0..9 {
        let mut dice = Dice(round);
        let asked: Vec<[u8; 32]> = (0..READ_KEYS).map(|_| key(dice.below(keys))).collect();
        let asked: Vec<&[u8]> = asked.iter().map(|key| &key[..]).collect();
        let start = Instant::now();
        backend.read_many(&asked, &mut found).unwrap();
        times.push(start.elapsed());
        assert!(found.iter().all(|value| value.is_some()));
    }
    report(&format!("{name}: read {READ_KEYS} of {keys} keys"), &mut times, 9 * READ_KEYS as usize);
}

fn redb_alone(directory: &Path, keys: u64, blocks: usize) {
    const TABLE: redb::TableDefinition<'_, &[u8], &[u8]> = redb::TableDefinition::new("state");
    std::fs::create_dir_all(directory).unwrap();
    let database = redb::Database::create(directory.join("alone.redb")).unwrap();
    let put = |batch: &WriteBatch| {
        let write = database.begin_write().unwrap();
        let mut table = write.open_table(TABLE).unwrap();
        for (key, value) in batch.sorted().unwrap() {
            table.insert(key, value.unwrap()).unwrap();
        }
        drop(table);
        write.commit().unwrap();
    };
    for start in (0..keys).step_by(500_000) {
        let mut batch = WriteBatch::new(Height(0));
        (start..keys.min(start + 500_000)).for_each(|n| batch.put(&key(n), &key(!n)).unwrap());
        put(&batch);
    }
    let mut times = Vec::new();
    let mut written = 0;
    for height in 0..blocks as u64 {
        let batch = block(Height(height), keys);
        written += batch.len();
        let start = Instant::now();
        put(&batch);
        times.push(start.elapsed());
    }
    report(&format!("redb alone: commit at {keys} keys"), &mut times, written);
}

fn report(name: &str, times: &mut [Duration], items: usize) {
    let total: Duration = times.iter().sum();
    times.sort();
    let per = items as f64 / times.len() as f64;
    let ms = |part: usize| times[(times.len() - 1) * part / 10].as_secs_f64() * 1e3;
    println!(
        "{name}: {:.0} ms ({:.0} to {:.0}), {:.0}k keys/s, {:.2} us a key; over all {:.0}k keys/s",
        ms(5),
        ms(1),
        ms(9),
        per / ms(5),
        ms(5) * 1e3 / per,
        items as f64 / total.as_secs_f64() / 1e3,
    );
}

/// Memory of this process, as the system counts it.
fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
        / 1024
}
