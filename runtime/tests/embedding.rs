//! What a host chain relies on: queries, old heights, batches that are committed or not, and that
//! the number of threads is nobody's business but its own.

mod support;

use support::puppet::{self, Cells, Op, act_leaf, act_undeclared};
use support::{ALICE, World, call_with, returned};
use tollway::{Address, Call, Compiler, Config, Height, Limits, Receipt, StoreError};

fn writes(cells: &[u8]) -> Cells {
    Cells { writes: cells.to_vec(), ..Cells::default() }
}

fn add(contract: Address, cell: u8, amount: u64) -> Call {
    act_leaf(contract, &[Op::Add(cell, amount)], writes(&[cell]))
}

#[test]
fn old_heights_keep_their_values_as_far_back_as_history_goes() {
    let limits = Limits { history_max: 4, ..Limits::default() };
    let mut world = World::unkept(Config { limits, ..Config::default() });
    let contract = world.deploy(&puppet::wasm());
    let key = [0, 1];
    let mut values = vec![None];
    for height in 1..=20u64 {
        let op = if height % 3 == 0 { Op::Remove(1) } else { Op::Add(1, height) };
        world.run_one(act_leaf(contract, &[op], writes(&[1])));
        values.push(world.runtime.storage(contract, &key).expect("the state can be read"));
        let oldest = height.saturating_sub(4);
        for old in 0..=height + 1 {
            let found = world.runtime.storage_at(Height(old), contract, &key);
            if (oldest..=height).contains(&old) {
                assert_eq!(found.unwrap(), values[old as usize], "{old} seen from {height}");
            } else {
                let expected = StoreError::UnknownHeight {
                    height: Height(old),
                    oldest: Height(oldest),
                    head: Height(height),
                };
                assert_eq!(found, Err(expected));
            }
        }
    }
    // A contract that is not there has no storage at any height.
    assert_eq!(world.runtime.storage(Address::ZERO, &key).expect("the state can be read"), None);
    assert_eq!(world.runtime.storage_at(Height(20), Address::ZERO, &key), Ok(None));
}

#[test]
fn a_contract_made_between_blocks_belongs_to_the_heads_height() {
    let mut world = World::with_limits(Limits::default());
    let first = world.deploy(&puppet::wasm());
    world.run_one(add(first, 1, 1));
    let before = world.root();
    let second = world.deploy(&puppet::wasm());
    assert_ne!(world.root(), before);
    assert_eq!(world.runtime.head(), Height(1));
    world.run(vec![add(second, 1, 5), add(first, 1, 5)]);
    assert_eq!((world.cell(first, 1), world.cell(second, 1)), (Some(6), Some(5)));
}

#[test]
fn executing_changes_nothing_until_the_batch_is_committed() {
    let mut world = World::with_limits(Limits::default());
    let contract = world.deploy(&puppet::wasm());
    let before = world.runtime.state_entries().expect("the state can be read");
    let block = world.next_block(vec![add(contract, 1, 1), add(contract, 2, 1)]);
    let first = world.runtime.execute(&block).unwrap();
    assert_eq!(world.runtime.state_entries().expect("the state can be read"), before);
    assert_eq!(world.runtime.head(), Height(0));
    let second = world.runtime.execute(&block).unwrap();
    assert_eq!(first.receipts, second.receipts);
    assert_eq!((first.batch.height(), first.batch.len()), (Height(1), 2));
    world.runtime.commit(second.batch).unwrap();
    assert_eq!(world.runtime.head(), Height(1));
    assert_eq!(world.cell(contract, 1), Some(1));
}

#[test]
fn a_block_without_calls_is_a_height() {
    let mut world = World::with_limits(Limits::default());
    let contract = world.deploy(&puppet::wasm());
    let before = world.root();
    assert_eq!(world.run(vec![]), []);
    assert_eq!(world.root(), before);
    assert_eq!(world.runtime.head(), Height(1));
    assert_eq!(world.runtime.storage_at(Height(0), contract, &[0, 1]), Ok(None));
}

#[test]
fn a_query_sees_the_head_and_changes_nothing() {
    let mut world = World::with_limits(Limits::default());
    let owner = ALICE;
    let token = world.upload(tollway_contracts_wasm::TOKEN);
    let token = world.instantiate(token, &owner);
    let balance = |world: &World, of: Address| -> u128 {
        let receipt =
            world.runtime.query(token, "balance_of", &borsh::to_vec(&of).unwrap()).unwrap();
        borsh::from_slice(returned(&receipt)).unwrap()
    };
    let bob = Address::from_u64(7);
    let mint = call_with(token, "mint", &(bob, 100u128));
    let block = world.next_block(vec![mint]);
    let outcome = world.runtime.execute(&block).unwrap();
    assert_eq!(balance(&world, bob), 0);
    world.runtime.commit(outcome.batch).unwrap();
    assert_eq!(balance(&world, bob), 100);
    // A method that writes can be asked what it would do. The caller is nobody.
    let before = world.root();
    let args = borsh::to_vec(&(bob, 0u128)).unwrap();
    let receipt = world.runtime.query(token, "transfer", &args).unwrap();
    assert!(receipt.is_success());
    assert_eq!((receipt.events.len(), receipt.misses), (1, 0));
    assert_eq!(world.root(), before);
    let receipt = world.runtime.query(token, "mint", &args).unwrap();
    assert!(!receipt.is_success(), "nobody may mint");
}

#[test]
fn queries_between_execution_and_commit_do_no_harm() {
    let mut world = World::with_limits(Limits::default());
    let contract = world.deploy(&puppet::wasm());
    let block = world.next_block(vec![add(contract, 1, 1)]);
    let outcome = world.runtime.execute(&block).unwrap();
    for _ in 0..3 {
        let args = puppet::leaf_args(&[Op::Read(1), Op::Write(1)], &Cells::default());
        assert!(world.runtime.query(contract, "act_undeclared", &args).unwrap().is_success());
    }
    world.runtime.commit(outcome.batch).unwrap();
    assert_eq!(world.cell(contract, 1), Some(1));
}

#[test]
fn queries_may_be_made_by_many_threads_at_once() {
    let mut world = World::with_limits(Limits::default());
    let contract = world.deploy(&puppet::wasm());
    world.run_one(add(contract, 1, 42));
    let runtime = &world.runtime;
    let args = borsh::to_vec(&puppet::script(&[Op::Read(1), Op::Burn(100)])).unwrap();
    let ask = || runtime.query(contract, "look", &args).unwrap();
    let expected = ask();
    std::thread::scope(|scope| {
        let askers: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..50).map(|_| ask()).collect::<Vec<_>>())).collect();
        for asker in askers {
            assert!(asker.join().unwrap().iter().all(|receipt| *receipt == expected));
        }
    });
}

/// Blocks in which calls conflict, commute, miss and fail, over `contracts`.
fn lively_block(contracts: &[Address], salt: usize, calls: usize) -> Vec<Call> {
    (0..calls)
        .map(|number| {
            let pick = |by: usize| ((number * 31 + salt * 17) / by % 7) as u8;
            let contract = contracts[(number + salt) % contracts.len()];
            let (read, write, added) = (pick(1), pick(2), 10 + pick(3) % 2);
            let cells = Cells { reads: vec![read], writes: vec![write], adds: vec![added] };
            let mut ops =
                vec![Op::Context, Op::Read(read), Op::Write(write), Op::Add(added, 3), Op::Emit];
            match number % 11 {
                3 => ops.push(Op::Trap),
                5 => ops.push(Op::Revert),
                7 => ops.push(Op::Write(added)),
                _ => {}
            }
            let caller = Address::from_u64(number as u64 % 5);
            let call = match number % 13 {
                0 => act_undeclared(contract, &ops),
                _ => act_leaf(contract, &ops, cells),
            };
            Call { caller, ..call }
        })
        .collect()
}

/// The receipts and roots of some blocks on one kind of runtime.
fn history(config: Config) -> Vec<(Vec<Receipt>, usize, tollway::Root)> {
    let mut world = World::with(config);
    let contracts: Vec<Address> = (0..3).map(|_| world.deploy(&puppet::wasm())).collect();
    (0..4)
        .map(|salt| {
            let block = world.next_block(lively_block(&contracts, salt, 300));
            let outcome = world.runtime.execute(&block).expect("the block is valid");
            let writes = outcome.batch.len();
            world.runtime.commit(outcome.batch).expect("the batch follows the head");
            (outcome.receipts, writes, world.root())
        })
        .collect()
}

#[test]
fn threads_and_compilers_and_traces_change_nothing() {
    let config = |threads, compiler| Config { threads, compiler, ..Config::default() };
    let expected = history(config(1, Compiler::Cranelift));
    let succeeded = expected[3].0.iter().filter(|receipt| receipt.is_success()).count();
    assert!((150..290).contains(&succeeded), "{succeeded}");
    for threads in [2, 3, 8] {
        assert_eq!(history(config(threads, Compiler::Cranelift)), expected, "{threads} threads");
    }
    for compiler in [Compiler::Winch, Compiler::Pulley] {
        assert_eq!(history(config(2, compiler)), expected, "{}", compiler.name());
    }
    let traced = Config { trace: true, ..config(2, Compiler::Cranelift) };
    assert_eq!(history(traced), expected);
}

#[test]
fn addresses_follow_from_code_creator_salt_and_immutables() {
    let (mut here, mut there) =
        (World::with_limits(Limits::default()), World::with_limits(Limits::default()));
    // Another order of uploads changes no address.
    there.upload(tollway_contracts_wasm::TOKEN);
    assert_eq!(here.deploy(&puppet::wasm()), there.deploy(&puppet::wasm()));
    assert_ne!(here.deploy(&puppet::wasm()), here.deploy(&puppet::wasm()));
}
