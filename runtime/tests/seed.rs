//! The block's seed: what contracts get of it, and that it is part of the block wherever that is
//! kept.

mod support;

use support::{World, abi, call, entry, method, module};
use tollway::host_api::{Method, Mutability};
use tollway::oracle::Oracle;
use tollway::{Address, Block, Compiler, Config, Height, Outcome, Receipt, Runtime};

/// `init` and `draw` return the seed, or keep it as their output.
fn drawer() -> Vec<u8> {
    let draw = "(call $seed (i32.const 64)) (call $output (i32.const 64) (i32.const 32))";
    let view = Method { mutability: Mutability::View, ..method("look") };
    module(
        &abi("drawer", [method("draw"), view]),
        &format!("(memory (export \"memory\") 1) {} {}", entry("draw", draw), entry("look", draw)),
    )
}

fn returned(receipt: &Receipt) -> &[u8] {
    match &receipt.outcome {
        Outcome::Returned(output) => output,
        other => panic!("{other:?}"),
    }
}

fn block(world: &World, contract: Address, seed: [u8; 32]) -> Block {
    let next = world.next_block(vec![call(contract, "draw"), call(contract, "look")]);
    Block { seed, ..next }
}

#[test]
fn every_call_of_a_block_gets_its_seed() {
    for compiler in Compiler::ALL {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&drawer());
        for seed in [[7; 32], [0; 32], std::array::from_fn(|index| index as u8)] {
            let block = block(&world, contract, seed);
            let expected = Oracle::new(&world.runtime).execute(&block);
            let outcome = world.runtime.execute(&block).expect("the block is valid");
            assert_eq!(outcome.receipts, expected);
            for receipt in &outcome.receipts {
                assert_eq!(returned(receipt), seed);
            }
            // A query runs outside of blocks, whatever block came last.
            world.runtime.commit(outcome.batch).expect("the batch follows the head");
            let query = world.runtime.query(contract, "look", &[]).expect("it can be asked");
            assert_eq!(returned(&query), [0; 32]);
        }
    }
}

#[test]
fn a_kept_block_draws_the_same_again() {
    let mut world = World::with(Config { threads: 2, ..Config::default() });
    let contract = world.deploy(&drawer());
    let block = block(&world, contract, [9; 32]);
    let mut outcome = world.runtime.execute(&block).expect("the block is valid");
    outcome.batch.keep_block(borsh::to_vec(&block).expect("a block encodes"));
    world.runtime.commit(outcome.batch).expect("the batch follows the head");
    world.runtime.flush().expect("memory does not fail");
    let backend = world.runtime.backend().expect("memory does not fail").expect("there is one");
    let kept = backend.history().expect("it keeps one").block(Height(1));
    let kept = kept.expect("memory does not fail").expect("the block was kept");
    let kept: Block = borsh::from_slice(&kept).expect("it is a block");
    assert_eq!(kept, block);
    let mut past = Runtime::at(Config::default(), &*backend, Height(0)).expect("it is kept");
    let again = past.execute(&kept).expect("the block is valid");
    assert_eq!(again.receipts, outcome.receipts);
    assert_eq!(returned(&again.receipts[0]), [9; 32]);
}
