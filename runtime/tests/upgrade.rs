//! Another code for a contract that exists: what stays, what is refused, and that nothing of the old
//! code is left anywhere.

mod support;

use std::path::Path;
use support::{
    ALICE, World, abi, call, cell, entry, everywhere, field, list, method, module, returned, text,
};
use tollway::host_api::window::WINDOW_EXPORT;
use tollway::host_api::{Abi, AccessTemplate, Expr, Method, Mode, StorageField, Type};
use tollway::kept_state::Backend;
use tollway::upgrade::Part;
use tollway::{Address, CodeHash, Config, Height, StoreError, Upgrade, UpgradeError};
use tollway_state_disk::{DiskBackend, DiskOptions, Durability};

/// Keys of the cells 7 and 8, an amount, and a name.
const MEMORY: &str = "(memory (export \"memory\") 1)
    (data (i32.const 16) \"\\00\\07\") (data (i32.const 24) \"\\00\\08\")
    (data (i32.const 32) \"\\2a\") (data (i32.const 48) \"put\")";

/// `put`, which touches these cells of its contract.
fn put(cells: &[u8]) -> Method {
    let cells = cells.iter().map(|number| cell(Mode::Add, Expr::Integer((*number).into())));
    Method { access: list(cells), ..method("put") }
}

fn add(key: u32, amount: u32) -> String {
    format!("(call $add (i32.const {key}) (i32.const 2) (i64.const {amount}) (i64.const 0))")
}

/// `put` touches nothing.
fn idle() -> Vec<u8> {
    module(&abi("jar", [put(&[])]), &[MEMORY, &entry("put", "")].concat())
}

/// `put` adds 1 to cell 7.
fn first() -> Vec<u8> {
    module(&abi("jar", [put(&[7])]), &[MEMORY, &entry("put", &add(16, 1))].concat())
}

/// `put` adds 10 to cell 7 and 1 to cell 8. It has a storage field and a method more.
fn second() -> Vec<u8> {
    let mut abi = abi("jar", [put(&[7, 8]), method("more")]);
    abi.storage.to_mut().push(StorageField {
        name: text("fees"),
        key: list([]),
        value: Type::U64,
        counter: false,
        prefix_parts: None,
    });
    let both = add(16, 10) + &add(24, 1);
    module(&abi, &[MEMORY, &entry("put", &both), &entry("more", "")].concat())
}

/// `put` writes eight bytes to cell 7, where the others have sixteen.
fn narrow() -> Vec<u8> {
    let mut abi = narrow_abi();
    abi.methods.to_mut()[0].access = list([cell(Mode::Write, Expr::Integer(7))]);
    let write = "(call $write (i32.const 16) (i32.const 2) (i32.const 32) (i32.const 8))";
    module(&abi, &[MEMORY, &entry("put", write)].concat())
}

fn narrow_abi() -> Abi {
    let mut abi = abi("jar", [put(&[])]);
    let cells = &mut abi.storage.to_mut()[0];
    (cells.value, cells.counter) = (Type::U64, false);
    abi
}

/// A contract that calls `put` of the one in its immutables, and declares so.
fn caller() -> Vec<u8> {
    let target = Expr::Immutable { index: 0, path: list([]) };
    let access = AccessTemplate::Call { contract: target, method: text("put"), args: list([]) };
    let through = Method { access: list([access]), ..method("through") };
    let mut abi = abi("caller", [through]);
    abi.immutables = list([field("jar", Type::Address)]);
    let code = "(drop (call $immutables (i32.const 64) (i32.const 32)))
        (drop (call $call (i32.const 64) (i32.const 48) (i32.const 3) (i32.const 0) (i32.const 0)
                          (i64.const 0)))";
    module(&abi, &[MEMORY, &entry("through", code)].concat())
}

fn upgrade(world: &mut World, contract: Address, code: CodeHash) -> Result<(), UpgradeError> {
    world.runtime.upgrade(Upgrade { contract, code, migrates: false })
}

/// Uploads and upgrades, which has to work.
fn renew(world: &mut World, contract: Address, wasm: &[u8]) {
    let code = world.upload(wasm);
    upgrade(world, contract, code).unwrap_or_else(|error| panic!("{error}"));
}

fn disk(directory: &Path) -> Box<dyn Backend> {
    let options = DiskOptions { durability: Durability::EveryBlock, ..DiskOptions::default() };
    Box::new(DiskBackend::create(directory, options).expect("the directory is ours"))
}

fn config() -> Config {
    Config { threads: 2, ..Config::default() }
}

#[test]
fn storage_stays_and_the_new_code_runs() {
    everywhere(&Config::default(), |mut world, name| {
        let jar = world.deploy(&first());
        world.run(vec![call(jar, "put"), call(jar, "put"), call(jar, "put")]);
        let (root, head) = (world.root(), world.runtime.head());
        renew(&mut world, jar, &second());
        assert_ne!(world.root(), root, "{name}: the code is part of the state");
        assert_eq!(world.runtime.head(), head, "{name}");
        assert_eq!(world.cell(jar, 7), Some(3), "{name}");
        let receipts = world.run(vec![call(jar, "put"), call(jar, "put"), call(jar, "more")]);
        assert!(receipts.iter().all(|receipt| receipt.is_success()), "{name}");
        assert_eq!((world.cell(jar, 7), world.cell(jar, 8)), (Some(23), Some(2)), "{name}");
        assert_eq!(world.runtime.registry().contracts().len(), 1, "{name}");
    });
}

/// What a caller's keys are is found once; what they were must not be left.
#[test]
fn callers_keys_are_found_anew() {
    for (old, new) in [(idle(), first()), (first(), second()), (first(), idle())] {
        let mut world = World::with(config());
        let jar = world.deploy(&old);
        let code = world.upload(&caller());
        let callers = [0; 2].map(|_| world.instantiate(code, &jar));
        let calls = || callers.iter().map(|caller| call(*caller, "through")).collect();
        let before = world.run(calls());
        renew(&mut world, jar, &new);
        let after = world.run(calls());
        for receipt in before.iter().chain(&after) {
            assert!(receipt.is_success() && receipt.misses == 0, "{receipt:?}");
        }
        assert_ne!(before[0].gas_used, after[0].gas_used, "the codes touch different keys");
    }
}

#[test]
fn what_breaks_the_state_is_refused() {
    let mut world = World::with(config());
    let jar = world.deploy(&first());
    world.run(vec![call(jar, "put")]);
    let root = world.root();
    let code = world.upload(&narrow());
    let root_with_code = world.root();
    assert_ne!(root, root_with_code);
    let error = upgrade(&mut world, jar, code).expect_err("values have sixteen bytes");
    assert_eq!(
        error.to_string(),
        "upgrade of jar breaks its state: storage field cells: value was u128, is u64"
    );
    let UpgradeError::BreaksState { finding, others, .. } = &error else { panic!("{error}") };
    assert_eq!((finding.part, &*finding.name, *others), (Part::Storage, "cells", 0));
    assert_eq!(world.root(), root_with_code, "nothing changed");
    world.run(vec![call(jar, "put")]);
    assert_eq!(world.cell(jar, 7), Some(2), "the old code runs");

    // Unless the new code sees to it.
    let request = Upgrade { contract: jar, code, migrates: true };
    world.runtime.upgrade(request).expect("it migrates by itself");
    // The key first holds sixteen bytes, which have no slot for eight, then eight.
    for _ in 0..2 {
        assert!(world.run_one(call(jar, "put")).is_success());
    }
    assert_eq!(world.runtime.storage(jar, &[0, 7]).unwrap(), Some(42u64.to_le_bytes().to_vec()));
    // Back again, the value is no counter, which the host has to survive, as the oracle does.
    let old = world.upload(&first());
    let request = Upgrade { contract: jar, code: old, migrates: true };
    world.runtime.upgrade(request).expect("it migrates by itself");
    assert!(!world.run_one(call(jar, "put")).is_success());
}

#[test]
fn immutables_stay_and_must_fit() {
    let mut world = World::with(config());
    let with = |immutables: &[(&str, Type)], window: u32| {
        let mut abi = abi("held", [method("owner")]);
        abi.methods.to_mut()[0].returns = Type::Address;
        abi.immutables = list(immutables.iter().map(|(name, ty)| field(name, ty.clone())));
        // The host lays them out at 616.
        let output = format!("(call $output (i32.const {}) (i32.const 32))", window + 616);
        let global = format!("(global (export \"{WINDOW_EXPORT}\") i32 (i32.const {window}))");
        module(&abi, &[MEMORY, &global, &entry("owner", &output)].concat())
    };
    let code = world.upload(&with(&[("owner", Type::Address)], 1_024));
    let held = world.instantiate(code, &ALICE);
    assert_eq!(returned(&world.run_one(call(held, "owner"))), ALICE.0);
    // The window lies elsewhere in the new code, and the field has another name.
    renew(&mut world, held, &with(&[("admin", Type::Address)], 8_192));
    assert_eq!(returned(&world.run_one(call(held, "owner"))), ALICE.0);

    let refusals: [(&[(&str, Type)], &str); 3] = [
        (&[], "immutable admin: removed: contracts have a value of it"),
        (&[("admin", Type::FixedBytes(31))], "immutable admin: was Address, is [u8; 31]"),
        (
            &[("admin", Type::Address), ("fee", Type::U8)],
            "immutable fee: added: contracts that exist have no value of it",
        ),
    ];
    for (immutables, expected) in refusals {
        let code = world.upload(&with(immutables, 1_024));
        for migrates in [false, true] {
            let request = Upgrade { contract: held, code, migrates };
            let error = world.runtime.upgrade(request).expect_err("they do not fit");
            assert_eq!(error.to_string(), format!("upgrade of held breaks its state: {expected}"));
        }
    }
    assert_eq!(returned(&world.run_one(call(held, "owner"))), ALICE.0);
}

#[test]
fn contract_and_code_have_to_be_there() {
    let mut world = World::with(config());
    let jar = world.deploy(&first());
    let code = world.upload(&second());
    let nowhere = Address::from_u64(7);
    let error = upgrade(&mut world, nowhere, code).expect_err("there is no contract");
    assert!(matches!(error, UpgradeError::UnknownContract { contract } if contract == nowhere));
    let missing = CodeHash([7; 32]);
    let error = upgrade(&mut world, jar, missing).expect_err("there is no code");
    assert!(matches!(error, UpgradeError::UnknownCode { code } if code == missing));

    // To the code that it has: nothing happens, and a block made before still follows.
    let block = world.next_block(vec![call(jar, "put")]);
    let outcome = world.runtime.execute(&block).expect("the block is valid");
    let own = CodeHash::of(&first());
    upgrade(&mut world, jar, own).expect("it is its code");
    world.runtime.commit(outcome.batch).expect("nothing came between");
    // To another: what the old code made of a block is not what the chain would have.
    let block = world.next_block(vec![call(jar, "put")]);
    let outcome = world.runtime.execute(&block).expect("the block is valid");
    upgrade(&mut world, jar, code).expect("it fits");
    let error = world.runtime.commit(outcome.batch).expect_err("the code changed");
    assert!(matches!(error, StoreError::ForeignBatch { .. }), "{error}");
    world.run(vec![call(jar, "put")]);
    assert_eq!(world.cell(jar, 7), Some(11));
}

#[test]
fn a_kept_state_has_the_code_of_its_height() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::on(config(), disk(directory.path()));
    let jar = world.deploy(&first());
    let code = world.upload(&caller());
    let through = world.instantiate(code, &jar);
    let block = || vec![call(jar, "put"), call(through, "through")];
    world.run(block());
    let at_one = world.root();
    world.run(block());
    // Belongs to height 2.
    renew(&mut world, jar, &second());
    let at_two = world.root();
    world.run(block());
    assert_eq!((world.cell(jar, 7), world.cell(jar, 8)), (Some(24), Some(2)));

    // Opened again: the new code, and all that it left.
    world.runtime.flush().expect("the disk works");
    let at_three = world.root();
    drop(world);
    let mut world = World::on(config(), disk(directory.path()));
    assert_eq!(world.root(), at_three);
    world.run(block());
    assert_eq!((world.cell(jar, 7), world.cell(jar, 8)), (Some(44), Some(4)));

    // Back to the height that the upgrade belongs to, and before it.
    world.runtime.rollback(Height(2)).expect("the height is kept");
    assert_eq!(world.root(), at_two);
    world.run(block());
    assert_eq!(world.cell(jar, 7), Some(24));
    world.runtime.rollback(Height(1)).expect("the height is kept");
    assert_eq!(world.root(), at_one);
    assert!(world.runtime.code(&CodeHash::of(&second())).is_none(), "it was uploaded later");
    let receipts = world.run(block());
    assert!(receipts.iter().all(|receipt| receipt.is_success() && receipt.misses == 0));
    assert_eq!((world.cell(jar, 7), world.cell(jar, 8)), (Some(4), None));
    // And forward again, on the other way.
    renew(&mut world, jar, &second());
    world.run(block());
    assert_eq!((world.cell(jar, 7), world.cell(jar, 8)), (Some(24), Some(2)));
}
