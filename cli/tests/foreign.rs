//! A contract in C: what any language has to do to get a contract onto a chain, which is nothing that
//! needs Rust.

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Scratch, prints};
use tollway_testkit::tollway::{Address, Outcome};
use tollway_testkit::{Contract, TestChain};

/// As `build.sh` made it; see `the_source_still_makes_it`.
const COUNTER: &[u8] = include_bytes!("../../contracts/foreign/c_counter/counter.wasm");

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/foreign/c_counter")
}

fn chain(wasm: &[u8]) -> (TestChain, Contract, [Address; 2]) {
    let mut chain = TestChain::new();
    let accounts = chain.accounts(["alice", "bob"]);
    let counter = chain.deploy(wasm, &());
    (chain, counter, accounts)
}

/// Everything that it does, each block held against the oracle; what it gave, in words.
fn behaviour(wasm: &[u8]) -> Vec<String> {
    let (mut chain, counter, [alice, bob]) = chain(wasm);
    let bump = |who, amount: u64| counter.call(who, "bump", amount);
    let mut said = Vec::new();
    for call in [
        bump(alice, 5),
        bump(bob, u64::MAX),
        bump(bob, u64::MAX),
        counter.call(alice, "withdraw", 6u64),
        counter.call(alice, "withdraw", 5u64),
        counter.call(alice, "withdraw", 1u64),
        counter.call(bob, "withdraw", 7u64),
        counter.call(alice, "total", ()),
        counter.call(alice, "count_of", bob),
        // Not its arguments: the host does not even start it.
        counter.call(alice, "bump", 1u32),
    ] {
        let ran = chain.run(call);
        assert_eq!(ran.receipt.misses, 0, "{ran}");
        // Without addresses, which depend on the code.
        let outcome = match &ran.receipt.outcome {
            Outcome::Reverted { error, .. } => format!("reverted with {error:?}"),
            outcome => format!("{outcome:?}"),
        };
        let events = ran.receipt.events.iter().map(|event| (event.event, &event.data));
        said.push(format!("{ran}: {outcome} {:?}", events.collect::<Vec<_>>()));
    }
    let count = |owner: Address| chain.query::<u128>(counter, "count_of", owner);
    assert_eq!((count(alice), count(bob)), (0, 2 * u128::from(u64::MAX) - 7));
    assert_eq!(chain.query::<u128>(counter, "total", ()), 2 * u128::from(u64::MAX) - 7);
    said
}

#[test]
fn callers_do_not_wait_for_each_other() {
    let (mut chain, counter, [alice, bob]) = chain(COUNTER);
    let bump = |who: Address| counter.call(who, "bump", 3u64);
    let bumped = chain.run(bump(alice));
    assert_eq!(bumped.succeeded().event("Bumped")["amount"].to_string(), "3");
    assert_eq!(bumped.event("Bumped")["by"].to_string(), format!("0x{alice}"));
    chain.run(counter.call(alice, "withdraw", 4u64)).reverted_with("TooLittle");
    chain.assert_independent(&bump(alice), &bump(bob));
    chain.assert_independent(&bump(alice), &bump(alice));
    chain.assert_independent(&bump(alice), &counter.call(alice, "withdraw", 1u64));
    chain.assert_conflicting(&bump(alice), &counter.call(bob, "total", ()));

    let callers: Vec<Address> = (0..100).map(|n| chain.account(&format!("caller {n}"))).collect();
    let calls = callers.iter().flat_map(|caller| [bump(*caller), bump(alice)]);
    chain.block(calls).succeeded().assert_critical_path(1).assert_no_misses();
    assert_eq!(chain.query::<u128>(counter, "total", ()), 3 * 201);
    assert_eq!(behaviour(COUNTER).len(), 10);
}

/// The description of its ABI is what it carries: setting it anew changes nothing.
#[test]
fn its_abi_is_as_described() {
    let scratch = Scratch::new("c-abi");
    let file = |name: &str| folder().join(name).to_str().expect("the path is text").to_owned();
    let out = scratch.path("again.wasm");
    prints(&["abi", &file("counter.wasm"), "--set", &file("counter.json"), "--out", &out]);
    assert_eq!(std::fs::read(&out).expect("it was written"), COUNTER);
}

/// The compiler, if it makes Wasm.
fn clang() -> Option<String> {
    let clang = std::env::var("CLANG").unwrap_or_else(|_| "clang".to_owned());
    let targets = Command::new(&clang).arg("--print-targets").output().ok()?;
    String::from_utf8_lossy(&targets.stdout).contains("wasm32").then_some(clang)
}

#[test]
fn the_source_still_makes_it() {
    let Some(clang) = clang() else {
        // Not by `eprintln`, which is captured.
        let line = b"SKIPPED in cli/tests/foreign.rs: there is no clang with the target wasm32; the module \
                     in the repository was run, but not made anew\n";
        return std::io::stderr().write_all(line).expect("stderr can be written to");
    };
    let scratch = Scratch::new("clang");
    let made = scratch.path("counter.wasm");
    let output = Command::new(folder().join("build.sh"))
        .arg(&made)
        .env("CLANG", clang)
        .env("TOLLWAY", env!("CARGO_BIN_EXE_tollway"))
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = std::fs::read(&made).expect("it was written");
    // Bytes differ between versions of clang; what it does must not.
    assert_eq!(behaviour(&made), behaviour(COUNTER));
}
