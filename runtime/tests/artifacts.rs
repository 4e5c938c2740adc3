//! Native code on disk: it changes nothing but the time an upload takes, whatever happens to the
//! files.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use support::puppet::{self, Cells, Op, act_leaf};
use support::{ALICE, World, abi, call_with, entry, method, module};
use tollway::{
    ArtifactStats, Compiler, Config, DirectoryError, Limits, Receipt, Root, Runtime, RuntimeError,
};
use tollway_contracts_wasm::{ALL, PAIR, TOKEN};

/// A directory of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tollway-artifacts-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// Winch, because it compiles fastest.
    fn config(&self) -> Config {
        let artifact_dir = Some(self.0.clone());
        Config { threads: 1, compiler: Compiler::Winch, artifact_dir, ..Config::default() }
    }

    /// Paths of the artifacts, in order.
    fn artifacts(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).expect("the cache made the directory");
        let entries = entries.map(|entry| entry.expect("the directory can be listed").path());
        let is_artifact = |path: &PathBuf| path.extension().is_some_and(|end| end == "artifact");
        let mut paths: Vec<PathBuf> = entries.filter(is_artifact).collect();
        paths.sort();
        paths
    }

    /// Uploads one module, which makes one file.
    fn with_one(wasm: &[u8]) -> (Self, PathBuf) {
        let scratch = Self::new();
        World::with(scratch.config()).upload(wasm);
        let artifacts = scratch.artifacts();
        assert_eq!(artifacts.len(), 1);
        (scratch, artifacts[0].clone())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn stats(world: &World) -> &ArtifactStats {
    world.runtime.artifact_stats().expect("there is a cache")
}

/// Hits, misses, files refused, written, and not written.
fn counts(world: &World) -> [u64; 5] {
    let stats = stats(world);
    [stats.hits, stats.misses, stats.refused, stats.written, stats.unwritten]
}

/// What some calls on two contracts make of a new world, and the world. All is held against the
/// oracle on the way.
fn life(config: Config) -> (Vec<Receipt>, Root, World) {
    let mut world = World::with(config);
    let code = world.upload(TOKEN);
    let token = world.instantiate(code, &ALICE);
    let puppet = world.deploy(&puppet::wasm());
    let calls = (0..6u8)
        .flat_map(|number| {
            let cells = Cells { writes: vec![number], ..Cells::default() };
            let last = if number == 4 { Op::Trap } else { Op::Emit };
            let to = tollway::Address::from_u64(number.into());
            [
                act_leaf(puppet, &[Op::Add(number, 7), Op::Burn(100), last], cells),
                call_with(token, "mint", &(to, u128::from(number))),
            ]
        })
        .collect();
    let receipts = world.run(calls);
    assert_eq!(receipts.iter().filter(|receipt| receipt.is_success()).count(), 11);
    (receipts, world.root(), world)
}

/// The same without a cache.
fn life_without(config: &Config) -> (Vec<Receipt>, Root) {
    let (receipts, root, world) = life(Config { artifact_dir: None, ..config.clone() });
    assert_eq!(world.runtime.artifact_stats(), None);
    (receipts, root)
}

/// Uploads into a directory whose one file was tampered with: it has to be refused and replaced.
#[track_caller]
fn check_refused(scratch: &Scratch, wasm: &[u8], reason: &str) {
    let mut world = World::with(scratch.config());
    world.upload(wasm);
    assert_eq!(counts(&world), [0, 0, 1, 1, 0], "{:?}", stats(&world));
    let last = stats(&world).last_error.as_deref().expect("a refusal says why");
    assert!(last.contains(reason), "{last}");
    let mut next = World::with(scratch.config());
    next.upload(wasm);
    assert_eq!(counts(&next), [1, 0, 0, 0, 0]);
}

#[test]
fn loaded_code_does_as_compiled_code() {
    for compiler in Compiler::ALL {
        let scratch = Scratch::new();
        let config = Config { compiler, ..scratch.config() };
        let expected = life_without(&config);
        let cold = life(config.clone());
        assert_eq!((&cold.0, cold.1), (&expected.0, expected.1));
        assert_eq!(counts(&cold.2), [0, 2, 0, 2, 0], "{compiler:?}");
        for threads in [1, 4] {
            let warm = life(Config { threads, ..config.clone() });
            assert_eq!((&warm.0, warm.1), (&expected.0, expected.1));
            assert_eq!(counts(&warm.2), [2, 0, 0, 0, 0], "{compiler:?}");
            assert_eq!(stats(&warm.2).last_error, None);
        }
    }
}

#[test]
fn no_changed_byte_is_loaded() {
    let (scratch, path) = Scratch::with_one(TOKEN);
    let good = fs::read(&path).unwrap();
    let header = 84;
    // All of the header, and the native code from end to end.
    let sampled = (0..header).step_by(3).chain((header..good.len()).step_by(good.len() / 40));
    for at in sampled.chain([good.len() - 1]) {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, bytes).unwrap();
        check_refused(&scratch, TOKEN, "artifact ");
        // What replaced it is whole, and the same: compilers are deterministic.
        assert!(fs::read(&path).unwrap() == good, "byte {at}");
    }
}

#[test]
fn no_shorter_or_longer_file_is_loaded() {
    let (scratch, path) = Scratch::with_one(TOKEN);
    let good = fs::read(&path).unwrap();
    for length in [0, 1, 51, 83] {
        fs::write(&path, &good[..length]).unwrap();
        check_refused(&scratch, TOKEN, "ends in its header");
    }
    for length in [84, 1_000, good.len() / 2, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        check_refused(&scratch, TOKEN, "header says");
    }
    for more in [&[0][..], &good] {
        fs::write(&path, [&good[..], more].concat()).unwrap();
        check_refused(&scratch, TOKEN, "header says");
    }
    fs::write(&path, vec![0xa5; good.len()]).unwrap();
    check_refused(&scratch, TOKEN, "begins otherwise");
    // Native code alone, as Wasmtime would take it.
    fs::write(&path, &good[84..]).unwrap();
    check_refused(&scratch, TOKEN, "begins otherwise");
}

#[test]
fn a_file_of_another_key_is_refused() {
    let (scratch, token) = Scratch::with_one(TOKEN);
    World::with(scratch.config()).upload(PAIR);
    let pair = scratch.artifacts().into_iter().find(|path| *path != token).unwrap();
    fs::copy(&pair, &token).unwrap();
    check_refused(&scratch, TOKEN, "another key");

    // Of another compiler, and of limits that the passes compile in.
    let wasm = recursive();
    let winch = scratch.config();
    let limits = |limits| Config { limits, ..winch.clone() };
    let others = [
        Config { compiler: Compiler::Pulley, ..winch.clone() },
        limits(Limits { stack_units_max: 100_000, ..Limits::default() }),
        limits(Limits { memory_pages_max: 9, ..Limits::default() }),
    ];
    for other in others {
        let (scratch, path) = Scratch::with_one(&wasm);
        let mut world = World::with(Config { artifact_dir: Some(scratch.0.clone()), ..other });
        world.upload(&wasm);
        assert_eq!(counts(&world), [0, 1, 0, 1, 0]);
        let other = scratch.artifacts().into_iter().find(|found| *found != path).unwrap();
        fs::copy(&other, &path).unwrap();
        check_refused(&scratch, &wasm, "another key");
    }
}

/// A contract whose native code depends on the limits of stack and memory.
fn recursive() -> Vec<u8> {
    let dig = "(func $dig (param i32)
        (if (local.get 0) (then (call $dig (i32.sub (local.get 0) (i32.const 1))))))";
    let fields = format!(
        "(memory (export \"memory\") 1) {dig} {}",
        entry("dig", "(call $dig (local.get $args_len))")
    );
    module(&abi("digger", [method("dig")]), &fields)
}

#[test]
fn limits_that_change_no_code_share_it() {
    let (scratch, _) = Scratch::with_one(&recursive());
    let limits = Limits { calls_max: 7, functions_max: 4_000, ..Limits::default() };
    let mut world = World::with(Config { limits, ..scratch.config() });
    world.upload(&recursive());
    assert_eq!(counts(&world), [1, 0, 0, 0, 0]);
}

#[test]
fn a_file_of_another_host_is_refused() {
    let ((here, ours), (_there, theirs)) = (Scratch::with_one(TOKEN), Scratch::with_one(TOKEN));
    assert_eq!(ours.file_name(), theirs.file_name());
    fs::copy(&theirs, &ours).unwrap();
    check_refused(&here, TOKEN, "another secret");
    // A new secret makes all files foreign.
    fs::remove_file(here.0.join("secret")).unwrap();
    check_refused(&here, TOKEN, "another secret");
}

#[test]
fn whatever_is_in_the_way_fails_no_upload() {
    let expected = life_without(&Scratch::new().config());
    let check = |scratch: &Scratch, counted: [u64; 5], reason: &str| {
        let (receipts, root, world) = life(scratch.config());
        assert_eq!((receipts, root), expected);
        assert_eq!(counts(&world), counted);
        let last = stats(&world).last_error.as_deref().unwrap_or_default();
        assert!(last.contains(reason), "{last}");
    };

    let (scratch, path) = Scratch::with_one(TOKEN);
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("full")).unwrap();
    check(&scratch, [0, 1, 1, 1, 1], "");

    // Too small for anything.
    let scratch = Scratch::new();
    let (receipts, root, world) = life(Config { artifact_bytes_max: 1_000, ..scratch.config() });
    assert_eq!((receipts, root), expected);
    assert_eq!(counts(&world), [0, 2, 0, 0, 2]);
    let last = stats(&world).last_error.as_deref().unwrap_or_default();
    assert!(last.contains("do not fit, limit is 1000"), "{last}");
    assert_eq!(scratch.artifacts(), [] as [PathBuf; 0]);

    #[cfg(unix)]
    {
        let (scratch, path) = Scratch::with_one(TOKEN);
        fs::remove_file(&path).unwrap();
        // Reading a pipe would wait for ever.
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        if made.is_ok_and(|status| status.success()) {
            check(&scratch, [0, 1, 1, 2, 0], "not a regular file");
        }
    }
}

#[test]
fn a_directory_that_goes_away_fails_no_upload() {
    let scratch = Scratch::new();
    let mut world = World::with(scratch.config());
    world.upload(TOKEN);
    fs::remove_dir_all(&scratch.0).unwrap();
    world.upload(PAIR);
    assert_eq!(counts(&world), [0, 2, 0, 1, 1]);
    let last = stats(&world).last_error.as_deref().unwrap_or_default();
    assert!(last.contains("cannot list"), "{last}");
}

#[cfg(unix)]
#[test]
fn a_directory_that_becomes_read_only_fails_no_upload() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let scratch = Scratch::new();
    let mut world = World::with(scratch.config());
    world.upload(TOKEN);
    let set = |mode| fs::set_permissions(&scratch.0, fs::Permissions::from_mode(mode)).unwrap();
    set(0o500);
    world.upload(PAIR);
    // Root may write everywhere.
    let is_root = fs::metadata(&scratch.0).unwrap().uid() == 0;
    let expected = if is_root { [0, 2, 0, 2, 0] } else { [0, 2, 0, 1, 1] };
    assert_eq!(counts(&world), expected);
    set(0o700);
}

#[test]
fn a_directory_that_is_not_safe_is_an_error_at_the_start() {
    let scratch = Scratch::new();
    let start = || Runtime::new(scratch.config()).map(|_| ());
    start().unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&scratch.0, fs::Permissions::from_mode(0o777)).unwrap();
        let error = start().unwrap_err();
        assert!(
            matches!(error, RuntimeError::Artifacts(DirectoryError::OthersWrite { .. })),
            "{error}"
        );
    }
    fs::remove_dir_all(&scratch.0).unwrap();
    fs::write(&scratch.0, b"a file").unwrap();
    let error = start().unwrap_err();
    assert!(matches!(error, RuntimeError::Artifacts(DirectoryError::Io { .. })), "{error}");
    fs::remove_file(&scratch.0).unwrap();
}

#[test]
fn runtimes_share_a_directory_at_once() {
    let scratch = Scratch::new();
    let expected = life_without(&scratch.config());
    for round in 0..5 {
        let worlds: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| life(scratch.config()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (receipts, root, world) in worlds {
            assert_eq!((receipts, root), expected);
            let [hits, misses, refused, written, unwritten] = counts(&world);
            assert_eq!((hits + misses, refused, unwritten), (2, 0, 0));
            assert_eq!(written, misses);
            assert!(round == 0 || hits == 2);
        }
    }
    assert_eq!(scratch.artifacts().len(), 2);
}

#[test]
fn processes_share_a_directory_at_once() {
    const DIRECTORY: &str = "TOLLWAY_TEST_ARTIFACTS";
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        // One of the processes below.
        let config = Config {
            threads: 1,
            compiler: Compiler::Winch,
            artifact_dir: Some(directory.into()),
            ..Config::default()
        };
        let (receipts, root, world) = life(config.clone());
        assert_eq!((receipts, root), life_without(&config));
        let [hits, _, refused, _, unwritten] = counts(&world);
        assert_eq!((refused, unwritten), (0, 0));
        println!("hits {hits}");
        return;
    }
    let scratch = Scratch::new();
    let start = |directory: &Path| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes_share_a_directory_at_once", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(|_| start(&scratch.0)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    // Keys mean the same in every process.
    let output = start(&scratch.0).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("hits 2"), "{output:?}");
}

#[test]
fn the_oldest_make_room() {
    let scratch = Scratch::new();
    let sizes = || -> Vec<u64> {
        scratch.artifacts().iter().map(|path| fs::metadata(path).unwrap().len()).collect()
    };
    let mut world = World::with(scratch.config());
    for (_, wasm) in ALL {
        world.upload(wasm);
    }
    let all = sizes();
    assert_eq!((all.len(), stats(&world).removed), (ALL.len(), 0));
    fs::remove_dir_all(&scratch.0).unwrap();
    // Not quite enough for all.
    let artifact_bytes_max = all.iter().sum::<u64>() - 1;
    let mut world = World::with(Config { artifact_bytes_max, ..scratch.config() });
    for (_, wasm) in ALL {
        world.upload(wasm);
        assert!(sizes().iter().sum::<u64>() <= artifact_bytes_max);
    }
    assert_eq!(counts(&world)[3..], [ALL.len() as u64, 0]);
    assert!(stats(&world).removed >= 1);
    // The last one is there.
    let mut next = World::with(scratch.config());
    next.upload(ALL[ALL.len() - 1].1);
    assert_eq!(stats(&next).hits, 1);
}
