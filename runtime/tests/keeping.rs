//! State that a backend keeps: opened again, gone back to, replayed, and what happens when the
//! backend fails.

mod support;

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::puppet::{self, Cells, Op, act_leaf};
use support::{ALICE, World, abi, method, module};
use tollway::kept_state::snapshot::{Export, IMPORTING_KEY, import};
use tollway::kept_state::{
    Backend, BackendError, Found, MemoryBackend, Ranges, Snapshot, VisitEntry, WriteBatch,
};
use tollway::oracle::Oracle;
use tollway::{
    Address, Block, Call, Config, ExecuteError, Failure, Head, Height, InstantiateError, Limits,
    OpenError, Outcome, Receipt, Root, Runtime, StoreError, UploadError,
};
use tollway_state_disk::{DiskBackend, DiskOptions, Durability};

/// A contract of another code.
fn other() -> Vec<u8> {
    let fields = "(memory (export \"memory\") 1)
        (func (export \"nothing\") (param i32) (result i32) (i32.const 0))";
    module(&abi("other", [method("nothing")]), fields)
}

fn config() -> Config {
    Config { threads: 2, ..Config::default() }
}

fn disk(directory: &Path) -> Box<dyn Backend> {
    let options = DiskOptions { durability: Durability::EveryBlock, ..DiskOptions::default() };
    Box::new(DiskBackend::create(directory, options).expect("the directory is ours"))
}

/// A few calls that write, add and remove, different at each height.
fn calls(contract: Address, height: u64) -> Vec<Call> {
    let cell = |number: u64| (number % 7) as u8;
    (0..12)
        .map(|number| {
            let key = cell(number * height + number);
            let op = match (number + height) % 5 {
                0 => Op::Remove(key),
                1 | 2 => Op::Write(key),
                _ => Op::Add(key, height * 100 + number),
            };
            act_leaf(contract, &[op], Cells { writes: vec![key], ..Cells::default() })
        })
        .collect()
}

fn block_after(runtime: &Runtime, contract: Address) -> Block {
    let height = Height(runtime.head().0 + 1);
    Block { height, time_ms: height.0, calls: calls(contract, height.0), ..Block::default() }
}

/// Runs the next block, keeps it with the state, and compares it with the oracle.
fn step(runtime: &mut Runtime, contract: Address) -> Vec<Receipt> {
    let block = block_after(runtime, contract);
    let expected = Oracle::new(runtime).execute(&block);
    let mut outcome = runtime.execute(&block).expect("the block is valid");
    assert_eq!(outcome.receipts, expected);
    outcome.batch.keep_block(borsh::to_vec(&block).expect("a block encodes"));
    runtime.commit(outcome.batch).expect("the backend works");
    outcome.receipts
}

#[test]
fn opened_again_it_is_the_same_chain() {
    let directory = tempfile::tempdir().unwrap();
    let mut unbroken = World::with(config());
    let contract = unbroken.deploy(&puppet::wasm());
    let mut kept = World::on(config(), disk(directory.path()));
    assert_eq!(kept.deploy(&puppet::wasm()), contract);
    for round in 0..6 {
        for _ in 0..=round {
            let receipts = step(&mut unbroken.runtime, contract);
            assert_eq!(step(&mut kept.runtime, contract), receipts);
        }
        let flushed = kept.runtime.flush().unwrap().expect("there is a backend");
        assert_eq!(flushed.head, flushed.durable);
        drop(kept);
        kept = World::on(config(), disk(directory.path()));
        assert_eq!(kept.runtime.head(), unbroken.runtime.head());
        assert_eq!(kept.root(), unbroken.root());
        assert_eq!(
            kept.runtime.state_entries().expect("the state can be read"),
            unbroken.runtime.state_entries().expect("the state can be read")
        );
    }
}

#[test]
fn going_back_forgets_what_came_later() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::on(config(), disk(directory.path()));
    let first = world.deploy(&puppet::wasm());
    let mut seen = Vec::new();
    let note = |world: &World| {
        (world.root(), world.runtime.state_entries().expect("the state can be read"))
    };
    seen.push(note(&world));
    for height in 1..=9 {
        step(&mut world.runtime, first);
        if height == 6 {
            world.deploy(&other());
        }
        seen.push(note(&world));
    }
    for to in [8, 5, 5, 1, 0] {
        let head = world.runtime.rollback(Height(to)).unwrap();
        assert_eq!((head.height, head.root), (Height(to), seen[to as usize].0));
        assert_eq!(note(&world), seen[to as usize]);
        assert_eq!(world.runtime.head(), Height(to));
        let codes = if to >= 6 { 2 } else { 1 };
        assert_eq!(world.runtime.codes().count(), codes);
        assert_eq!(world.runtime.registry().contracts().len(), codes);
    }
    let unknown = world.runtime.rollback(Height(3));
    assert!(
        matches!(unknown, Err(OpenError::Backend(BackendError::UnknownHeight { .. }))),
        "{unknown:?}"
    );
    // The same blocks lead to the same states, and a code that was forgotten can be uploaded again.
    for (height, expected) in seen.iter().enumerate().skip(1) {
        step(&mut world.runtime, first);
        if height == 6 {
            // The address that it had before.
            world.reset_salt(1);
            world.deploy(&other());
        }
        assert_eq!(note(&world), *expected);
    }
    drop(world);
    let world = World::on(config(), disk(directory.path()));
    assert_eq!(note(&world), seen[9]);
}

#[test]
fn blocks_of_the_past_run_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::on(config(), disk(directory.path()));
    let contract = world.deploy(&puppet::wasm());
    let mut seen = vec![(
        Vec::new(),
        world.root(),
        world.runtime.state_entries().expect("the state can be read"),
    )];
    for _ in 0..8 {
        let receipts = step(&mut world.runtime, contract);
        seen.push((
            receipts,
            world.root(),
            world.runtime.state_entries().expect("the state can be read"),
        ));
    }
    let backend = world.runtime.backend().unwrap().expect("there is one");
    for height in 0..=8u64 {
        let mut past = Runtime::at(config(), &*backend, Height(height)).unwrap();
        let (_, root, entries) = &seen[height as usize];
        assert_eq!(past.head(), Height(height));
        assert_eq!(past.state_root().unwrap(), *root);
        assert_eq!(past.state_entries().expect("the state can be read"), *entries);
        let history = backend.history().expect("it has one");
        assert_eq!(history.root_at(Height(height)).unwrap(), *root);
        if height < 8 {
            let bytes = history.block(Height(height + 1)).unwrap().expect("it was kept");
            let block: Block = borsh::from_slice(&bytes).unwrap();
            let outcome = past.execute(&block).unwrap();
            assert_eq!(outcome.receipts, seen[height as usize + 1].0);
        }
    }
    let unknown = |height| {
        let past = Runtime::at(config(), &*backend, Height(height));
        matches!(past, Err(OpenError::Backend(BackendError::UnknownHeight { .. })))
    };
    assert!(unknown(9) && !unknown(2));
    drop(backend);
    world.runtime.prune(Height(3)).unwrap();
    let backend = world.runtime.backend().unwrap().expect("there is one");
    let unknown = |height| {
        let past = Runtime::at(config(), &*backend, Height(height));
        matches!(past, Err(OpenError::Backend(BackendError::UnknownHeight { .. })))
    };
    assert!(unknown(2) && !unknown(3));
}

/// A call that touches some of 256 cells, most of which no other block near touches.
fn wide_calls(contract: Address, height: u64) -> Vec<Call> {
    let key = |number: u64| (height.wrapping_mul(97) + number * number * 31) as u8;
    (0..6)
        .map(|number| {
            let (declared, other) = (key(number), key(number + 40));
            let op = match (number + height) % 6 {
                0 => Op::Remove(declared),
                1 | 2 => Op::Write(declared),
                // Outside the access set: read from below at the call's own place.
                3 => Op::Write(other),
                4 => Op::Remove(other),
                _ => Op::Add(declared, height * 100 + number),
            };
            act_leaf(contract, &[op], Cells { writes: vec![declared], ..Cells::default() })
        })
        .collect()
}

#[test]
fn a_part_of_the_state_in_memory_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { history_max: 3, ..Limits::default() };
    let part = Config { cache_keys_max: 1, limits: limits.clone(), ..config() };
    let mut whole = World::with(Config { limits, ..config() });
    let contract = whole.deploy(&puppet::wasm());
    let mut cached = World::on(part.clone(), disk(directory.path()));
    assert_eq!(cached.deploy(&puppet::wasm()), contract);
    let (mut most, mut evicted) = (0, false);
    for height in 1..=120u64 {
        let calls = wide_calls(contract, height);
        let receipts = whole.run(calls.clone());
        let block = cached.next_block(calls);
        let outcome = cached.runtime.execute(&block).unwrap();
        assert_eq!(outcome.receipts, receipts, "height {height}");
        cached.runtime.commit(outcome.batch).unwrap();
        assert_eq!(cached.root(), whole.root(), "height {height}");
        for number in (0..=255u8).step_by(if height % 40 == 0 { 1 } else { 50 }) {
            let key = [0, number];
            let values = [&whole, &cached].map(|world| world.runtime.storage(contract, &key));
            assert_eq!(values[0], values[1]);
            for past in height.saturating_sub(3)..=height {
                let values = [&whole, &cached]
                    .map(|world| world.runtime.storage_at(Height(past), contract, &key));
                assert_eq!(values[0], values[1], "cell {number} at {past} of {height}");
            }
        }
        let now = cached.runtime.keys_in_memory();
        evicted |= now < most;
        most = most.max(now);
        if height % 50 == 0 {
            drop(cached);
            cached = World::on(part.clone(), disk(directory.path()));
            assert_eq!(cached.runtime.keys_in_memory(), 0);
        }
    }
    assert_eq!(cached.runtime.state_entries(), whole.runtime.state_entries());
    // About as many keys as four blocks name, of the hundreds that there are.
    assert!(evicted, "{most} keys at most");
    let all = whole.runtime.keys_in_memory();
    assert!(all > 2 * most, "{most} of {all} keys");
    for back in [118, 100, 3] {
        whole.runtime.rollback(Height(back)).unwrap();
        cached.runtime.rollback(Height(back)).unwrap();
        let calls = wide_calls(contract, back + 1);
        let receipts = whole.run(calls.clone());
        assert_eq!(cached.run(calls), receipts);
        assert_eq!(cached.root(), whole.root());
    }
}

#[test]
fn a_state_that_cannot_be_read_stops_the_block() {
    let go = Arc::new(AtomicBool::new(false));
    for undeclared in [false, true] {
        go.store(false, Ordering::Relaxed);
        let backend =
            Crooked { inner: MemoryBackend::new(), crime: Crime::Blind, go: Arc::clone(&go) };
        let part = Config { cache_keys_max: 1, ..config() };
        let mut world = World::on(part, Box::new(backend));
        let contract = world.deploy(&puppet::wasm());
        step(&mut world.runtime, contract);
        go.store(true, Ordering::Relaxed);
        let op = Op::Read(77);
        let declared = Cells { reads: vec![if undeclared { 1 } else { 77 }], ..Cells::default() };
        let block = world.next_block(vec![act_leaf(contract, &[op], declared)]);
        let refused = world.runtime.execute(&block).unwrap_err();
        assert!(matches!(refused, ExecuteError::Store(StoreError::Keep(_))), "{refused:?}");
        assert!(world.runtime.storage(contract, &[0, 99]).is_err());
        assert_eq!(world.runtime.head(), Height(1));
        assert!(world.runtime.kept().is_err());
    }
}

/// What a [`Crooked`] backend does from some commit on.
#[derive(Clone, Copy, PartialEq)]
enum Crime {
    Refuse,
    Panic,
    /// Panics when asked for a snapshot, which is after a commit.
    PanicLater,
    Dawdle,
    /// Its snapshots can't be read.
    Blind,
}

/// A snapshot that fails when it is told to.
struct BlindSnapshot {
    inner: Box<dyn Snapshot>,
    go: Arc<AtomicBool>,
}

impl Ranges for BlindSnapshot {
    fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        self.inner.range(from, to, visit)
    }
}

impl Snapshot for BlindSnapshot {
    fn head(&self) -> Head {
        self.inner.head()
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        match self.go.load(Ordering::Relaxed) {
            true => Err(BackendError::damaged("a page that a test damaged")),
            false => self.inner.read_many(keys, found),
        }
    }
}

/// A backend in memory that fails when it is told to.
struct Crooked {
    inner: MemoryBackend,
    crime: Crime,
    go: Arc<AtomicBool>,
}

impl Backend for Crooked {
    fn head(&self) -> Head {
        self.inner.head()
    }

    fn durable_head(&self) -> Head {
        self.inner.durable_head()
    }

    fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        self.inner.read_many(keys, found)
    }

    fn commit(&mut self, batches: &[WriteBatch]) -> Result<Head, BackendError> {
        if self.go.load(Ordering::Relaxed) {
            match self.crime {
                Crime::Refuse => return Err(BackendError::DiskFull { during: "testing" }),
                Crime::Panic => panic!("a panic that a test asked for"),
                Crime::Dawdle => std::thread::sleep(Duration::from_millis(20)),
                Crime::PanicLater | Crime::Blind => {}
            }
        }
        self.inner.commit(batches)
    }

    fn flush(&mut self) -> Result<Head, BackendError> {
        self.inner.flush()
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, BackendError> {
        assert!(
            self.crime != Crime::PanicLater || !self.go.load(Ordering::Relaxed),
            "a panic that a test asked for"
        );
        let inner = self.inner.snapshot()?;
        Ok(match self.crime {
            Crime::Blind => Box::new(BlindSnapshot { inner, go: Arc::clone(&self.go) }),
            _ => inner,
        })
    }

    fn prune(&mut self, below: Height) -> Result<(), BackendError> {
        self.inner.prune(below)
    }
}

fn crooked(crime: Crime) -> (World, Address, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let backend = Crooked { inner: MemoryBackend::new(), crime, go: Arc::clone(&go) };
    let cache_keys_max = usize::from(crime == Crime::PanicLater);
    let mut world = World::on(Config { cache_keys_max, ..config() }, Box::new(backend));
    let contract = world.deploy(&puppet::wasm());
    step(&mut world.runtime, contract);
    world.runtime.flush().expect("the backend works");
    (world, contract, go)
}

#[test]
fn everybody_learns_of_a_backend_that_failed() {
    for crime in [Crime::Refuse, Crime::Panic, Crime::PanicLater] {
        let (mut world, contract, go) = crooked(crime);
        let runtime = &mut world.runtime;
        go.store(true, Ordering::Relaxed);
        let outcome = runtime.execute(&block_after(runtime, contract)).unwrap();
        // The first is only queued.
        runtime.commit(outcome.batch).unwrap();
        let failure = runtime.state_root().unwrap_err();
        assert_eq!(runtime.kept().unwrap_err(), failure);
        assert_eq!(runtime.flush().unwrap_err(), failure);
        assert!(runtime.backend().is_err());
        assert!(runtime.rollback(Height(0)).is_err());
        go.store(false, Ordering::Relaxed);
        let outcome = runtime.execute(&block_after(runtime, contract)).unwrap();
        let refused = runtime.commit(outcome.batch).unwrap_err();
        assert_eq!(refused, StoreError::Keep(failure.clone()));
        let refused = runtime.upload(&other()).unwrap_err();
        assert_eq!(refused, UploadError::Keep(failure));
        let codes: Vec<_> = runtime.codes().map(|code| code.hash).collect();
        let request = tollway::Instantiate {
            code: codes[0],
            creator: ALICE,
            salt: 77,
            immutables: Vec::new(),
            args: Vec::new(),
            gas_limit: support::PLENTY,
        };
        let contracts = runtime.registry().contracts().len();
        let refused = runtime.instantiate(request).unwrap_err();
        assert!(matches!(refused, InstantiateError::Store(StoreError::Keep(_))), "{refused}");
        assert_eq!((runtime.codes().count(), runtime.registry().contracts().len()), (1, contracts));
    }
}

#[test]
fn who_is_too_far_ahead_waits() {
    let (mut world, contract, go) = crooked(Crime::Dawdle);
    go.store(true, Ordering::Relaxed);
    for _ in 0..100 {
        step(&mut world.runtime, contract);
        let kept = world.runtime.kept().unwrap().expect("there is a backend");
        // Those that wait, and those that the backend has in hand.
        assert!(world.runtime.head().0 - kept.head.height.0 <= 2 * 16 + 1);
    }
    assert_eq!(world.runtime.flush().unwrap().unwrap().durable.height, world.runtime.head());
}

#[test]
fn without_history_there_is_no_way_back() {
    let (mut world, _, _) = crooked(Crime::Refuse);
    let root: Root = world.root();
    let refused = world.runtime.rollback(Height(0)).unwrap_err();
    assert!(matches!(refused, OpenError::Backend(BackendError::Unsupported { .. })), "{refused}");
    assert_eq!(world.root(), root);
    let mut world = World::unkept(config());
    assert!(world.runtime.rollback(Height(0)).is_err());
    assert!(world.runtime.backend().unwrap().is_none());
}

#[test]
fn a_state_that_no_runtime_wrote_is_refused() {
    let wasm = puppet::wasm();
    let hash = blake3::hash(&wasm);
    let hash = hash.as_bytes();
    let code = [&[0], &hash[..]].concat();
    let contract = [&[1], &[7; 32][..]].concat();
    let value = |key: &[u8]| [&[2], &[7; 32][..], key].concat();
    type Entry = (Vec<u8>, Vec<u8>);
    let good: [Entry; 3] = [
        (code.clone(), wasm.clone()),
        (contract.clone(), hash.to_vec()),
        (value(&[0, 1]), vec![1; 16]),
    ];
    let open = |entries: &[Entry]| {
        let mut backend = MemoryBackend::new();
        let mut batch = WriteBatch::new(Height(1));
        entries.iter().for_each(|(key, value)| batch.put(key, value).unwrap());
        backend.commit(&[batch]).unwrap();
        Runtime::open(config(), Box::new(backend))
    };
    let runtime = open(&good).unwrap();
    assert_eq!(
        runtime.storage(Address([7; 32]), &[0, 1]).expect("the state can be read"),
        Some(vec![1; 16])
    );
    let bad: [&[Entry]; 9] = [
        &[(vec![0, 1, 2], wasm.clone())],
        &[(code.clone(), wasm[1..].to_vec())],
        &[([&[0], &blake3::hash(b"no module").as_bytes()[..]].concat(), b"no module".to_vec())],
        &[good[0].clone(), (vec![1, 5], hash.to_vec())],
        &[good[0].clone(), (contract.clone(), vec![1; 31])],
        &[(contract.clone(), hash.to_vec())],
        &[good[0].clone(), (contract.clone(), [&hash[..], &[1]].concat())],
        &[good[0].clone(), (value(&[0, 1]), vec![1])],
        &[good[0].clone(), good[1].clone(), (value(&[]), vec![1])],
    ];
    for entries in bad {
        let refused = open(entries).unwrap_err();
        assert!(
            matches!(
                refused,
                OpenError::Foreign { .. } | OpenError::Code { .. } | OpenError::Immutables { .. }
            ),
            "{refused:?}"
        );
    }
    let long = open(&[good[0].clone(), good[1].clone(), (value(&[0; 129]), vec![1])]);
    assert!(matches!(long, Err(OpenError::Foreign { .. })));
    let unknown = open(&[(vec![9], vec![])]);
    assert!(matches!(unknown, Err(OpenError::Foreign { .. })), "an entry of no kind");
}

#[test]
fn a_snapshot_is_the_same_chain_and_a_part_of_one_is_none() {
    let mut world = World::with(config());
    let contract = world.deploy(&puppet::wasm());
    for _ in 0..5 {
        step(&mut world.runtime, contract);
    }
    let mut stream = Vec::new();
    let backend = world.runtime.backend().unwrap().expect("there is one");
    Export::of(&*backend).unwrap().write(&mut stream, 0, &mut |_| ()).unwrap();
    drop(backend);
    let directory = tempfile::tempdir().unwrap();
    let mut copy = disk(directory.path());
    import(&mut &stream[..], &mut *copy, None, &mut |_| ()).unwrap();
    let mut copy = World::on(config(), copy);
    assert_eq!((copy.runtime.head(), copy.root()), (world.runtime.head(), world.root()));
    assert_eq!(step(&mut copy.runtime, contract), step(&mut world.runtime, contract));
    assert_eq!(copy.root(), world.root());

    let mut part = MemoryBackend::new();
    assert!(import(&mut &stream[..stream.len() - 1], &mut part, None, &mut |_| ()).is_err());
    // What came was too little to be put down before the end, so it is put down here.
    let mut batch = WriteBatch::new(Height(0));
    batch.put(IMPORTING_KEY, &world.root().0).unwrap();
    part.commit(&[batch]).unwrap();
    let refused = Runtime::open(config(), Box::new(part)).unwrap_err();
    assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
}

#[test]
fn a_call_to_a_forgotten_contract_finds_nobody() {
    let mut world = World::with(config());
    let first = world.deploy(&puppet::wasm());
    step(&mut world.runtime, first);
    let late = world.deploy(&puppet::wasm());
    step(&mut world.runtime, late);
    world.runtime.rollback(Height(0)).unwrap();
    let receipts = step(&mut world.runtime, late);
    // Both were made at heights that are 0 and 1; the second is gone.
    let unknown = Outcome::Failed(Failure::UnknownContract { contract: late });
    assert!(receipts.iter().all(|receipt| receipt.outcome == unknown), "{receipts:?}");
}
