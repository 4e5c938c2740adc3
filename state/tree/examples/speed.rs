//! How fast the tree is, and how large.
//!
//! `cargo run --release -p tollway-state-tree --example speed -- [keys] [threads] [batch]`
//!
//! Keys of 32 to 64 bytes, values of 32 bytes, both hashed within the times given. Left out: keeping
//! keys and values, which the tree does not do.
#![forbid(unsafe_code)]

use rayon::prelude::*;
use std::ops::Range;
use std::time::{Duration, Instant};
use tollway_state_tree::{Change, Pair, Proof, Tree};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Updated in each measured batch.
const BATCHES: usize = 15;
/// Proofs made and checked.
const PROOFS: usize = 20_000;

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<usize>().expect("a number"));
    let keys = args.next().unwrap_or(1_000_000);
    let threads = args.next().unwrap_or(2);
    let batch = args.next().unwrap_or(100_000);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| run(keys, threads, batch));
}

fn run(keys: usize, threads: usize, batch: usize) {
    println!("keys {keys}, threads {threads}, batches of {batch}");
    let mut versions = vec![0u32; keys];
    let resident_before = resident_bytes();

    let mut tree = Tree::new();
    let builds = (0..if keys > 2_000_000 { 1 } else { 5 }).map(|_| {
        tree = Tree::new();
        let start = Instant::now();
        tree = Tree::from_entries((0..keys).into_par_iter().map(|i| (key(i), value(i, 0))));
        start.elapsed()
    });
    print_rate("built from scratch", &builds.collect::<Vec<_>>(), keys);
    let resident = resident_bytes().saturating_sub(resident_before);
    print_memory("built", &tree, resident);

    let mut random = Random(7);
    let times = (0..BATCHES).map(|_| update(&mut tree, &mut versions, &mut random, batch));
    let (hashing, updating): (Vec<_>, Vec<_>) = times.unzip();
    let both: Vec<_> = hashing.iter().zip(&updating).map(|(one, other)| *one + *other).collect();
    print_rate("changes hashed", &hashing, batch);
    print_rate("tree updated", &updating, batch);
    print_rate("both", &both, batch);

    let resident = resident_bytes().saturating_sub(resident_before);
    print_memory("updated", &tree, resident);

    // Half of a batch adds keys, the other half removes those that the batch before added.
    let half = batch / 2;
    churn(&mut tree, keys..keys + half, 0..0);
    let turns = (0..BATCHES).map(|round| {
        let from = keys + round * half;
        churn(&mut tree, from + half..from + 2 * half, from..from + half)
    });
    print_rate("half added, half removed", &turns.collect::<Vec<_>>(), batch);
    let resident = resident_bytes().saturating_sub(resident_before);
    print_memory("after that", &tree, resident);
    let last = keys + BATCHES * half;
    churn(&mut tree, 0..0, last..last + half);
    assert_eq!(tree.len(), keys);

    proofs(&tree, &versions, &mut random);
    [0, 24, 32, 64, 96].into_iter().for_each(deep);
}

/// What keys cost that were ground so that nine of them share their first bits: 2,000 such groups,
/// one key of each updated, beside 100,000 ordinary keys. Paths and entries are made up, not hashed.
fn deep(shared_bits: u32) {
    let mut random = Random(9);
    let tail_bits = u128::MAX.checked_shr(shared_bits).unwrap_or(0);
    let paths: Vec<u128> = (0..100_000).map(|_| random.wide()).collect();
    let mut tree = Tree::from_pairs(paths.iter().map(|path| pair(*path, 0)));
    let (bytes, len) = (tree.memory_bytes(), tree.len());
    let stems: Vec<u128> = (0..2000).map(|_| random.wide()).collect();
    let mut near = |stem: &u128| (stem & !tail_bits) | (random.wide() & tail_bits);
    let paths: Vec<u128> = stems.iter().flat_map(|stem| [(); 9].map(|()| near(stem))).collect();
    let change = |path: &u128, old: Option<u8>, new: u8| Change {
        path: pair(*path, 0).path,
        old: old.map(|old| pair(*path, old).entry),
        new: Some(pair(*path, new).entry),
    };
    tree.update_checked(paths.iter().map(|path| change(path, None, 0)).collect()).expect("new");
    let bytes_each = (tree.memory_bytes() - bytes) as f64 / (tree.len() - len) as f64;
    let mut times: Vec<Duration> = (0..30)
        .map(|turn| {
            let changed = paths.iter().step_by(9);
            let changes = changed.map(|path| change(path, Some(turn), turn + 1)).collect();
            let start = Instant::now();
            tree.update_checked(changes).expect("the tree is that of the state");
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let each = micros(times[times.len() / 2]) / 2000.0;
    println!(
        "  nine keys share {shared_bits:>3} bits {each:>9.2} us an update, {bytes_each:.0} bytes a key"
    );
}

/// Updates random keys; the times that hashing and the tree took.
fn update(
    tree: &mut Tree,
    versions: &mut [u32],
    random: &mut Random,
    batch: usize,
) -> (Duration, Duration) {
    let mut indices: Vec<usize> = (0..batch).map(|_| random.below(versions.len())).collect();
    indices.sort_unstable();
    indices.dedup();
    let updates: Vec<_> = indices
        .iter()
        .map(|&i| (key(i), value(i, versions[i]), value(i, versions[i] + 1)))
        .collect();
    indices.iter().for_each(|&i| versions[i] += 1);

    let start = Instant::now();
    let changes = updates
        .par_iter()
        .map(|(key, old, new)| Change::set(key.as_ref(), Some(old), new))
        .collect();
    let hashed = start.elapsed();
    tree.update_checked(changes).expect("the tree is that of the state");
    (hashed, start.elapsed() - hashed)
}

/// Adds some keys and removes others.
fn churn(tree: &mut Tree, added: Range<usize>, removed: Range<usize>) -> Duration {
    let start = Instant::now();
    let add = |i| Change::set(key(i).as_ref(), None, &value(i, 0));
    let remove = |i| Change::remove(key(i).as_ref(), &value(i, 0));
    let changes = added.into_par_iter().map(add).chain(removed.into_par_iter().map(remove));
    tree.update_checked(changes.collect()).expect("the tree is that of the state");
    start.elapsed()
}

/// Proofs of one key, and one of a hundred.
fn proofs(tree: &Tree, versions: &[u32], random: &mut Random) {
    let indices: Vec<usize> = (0..PROOFS).map(|_| random.below(versions.len())).collect();
    let keys: Vec<_> = indices.iter().map(|&i| key(i)).collect();
    let root = tree.root();

    let start = Instant::now();
    let made: Vec<Vec<u8>> =
        keys.iter().map(|key| tree.prove(&[key.as_ref()]).to_bytes()).collect();
    println!("  proof made, encoded      {:>9.2} us", micros(start.elapsed()) / PROOFS as f64);

    let start = Instant::now();
    for ((bytes, key), &i) in made.iter().zip(&keys).zip(&indices) {
        let proof = Proof::from_bytes(bytes).expect("a proof");
        proof.verify(&root, &[(key, Some(value(i, versions[i])))]).expect("it holds");
    }
    println!("  proof decoded, checked   {:>9.2} us", micros(start.elapsed()) / PROOFS as f64);
    let bytes: usize = made.iter().map(Vec::len).sum();
    println!("  proof bytes              {:>9}", bytes / PROOFS);

    let hundred: Vec<&[u8]> = keys.iter().take(100).map(AsRef::as_ref).collect();
    let proof = tree.prove(&hundred).to_bytes();
    println!("  bytes for 100 keys       {:>9}", proof.len());
}

fn print_memory(when: &str, tree: &Tree, resident: usize) {
    let each = |bytes: usize| bytes as f64 / tree.len() as f64;
    let (own, resident) = (each(tree.memory_bytes()), each(resident));
    println!("  {when:<10} bytes a key   {own:>9.1} by count, {resident:.1} resident");
}

/// Median, and the tenth and ninetieth percentile.
fn print_rate(what: &str, times: &[Duration], batch: usize) {
    let mut times = times.to_vec();
    times.sort_unstable();
    let at = |percent: usize| millis(times[(times.len() - 1) * percent / 100]);
    let rate = batch as f64 / at(50);
    println!(
        "  {what:<24} {:>9.1} ms (p10 {:.1}, p90 {:.1}), {rate:.0}k keys/s",
        at(50),
        at(10),
        at(90)
    );
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

struct Key {
    bytes: [u8; 64],
    len: usize,
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn key(index: usize) -> Key {
    let mut random = Random(index as u64);
    let mut bytes = [0; 64];
    bytes.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&random.next().to_le_bytes()));
    Key { bytes, len: 32 + random.below(33) }
}

fn value(index: usize, version: u32) -> [u8; 32] {
    let mut random = Random(index as u64 ^ u64::from(version) << 40);
    let mut bytes = [0; 32];
    bytes.chunks_exact_mut(8).for_each(|word| word.copy_from_slice(&random.next().to_le_bytes()));
    bytes
}

/// SplitMix64: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn wide(&mut self) -> u128 {
        u128::from(self.next()) << 64 | u128::from(self.next())
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A pair at `path`, with an entry that stands for it and `value`.
fn pair(path: u128, value: u8) -> Pair {
    let mut bytes = [value; 48];
    bytes[..16].copy_from_slice(&path.to_be_bytes());
    bytes[16..32].copy_from_slice(&path.to_be_bytes());
    Pair::from_bytes(&bytes)
}
