//! Amounts above 2⁶⁴ in compiled contracts: sums of two words, whose upper half a compiler may get
//! wrong without anything else showing it.

mod support;

use support::{ALICE, World, call_with, returned};
use tollway::{Address, Call, Compiler, Receipt};
use tollway_contracts_wasm::{PAIR, TOKEN};

#[test]
fn a_pair_adds_up_wide_reserves() {
    for compiler in Compiler::ALL {
        let mut world = World::new(1, compiler);
        let token = world.upload(TOKEN);
        let tokens = [(); 2].map(|()| world.instantiate(token, &ALICE));
        let pair = world.upload(PAIR);
        let pair = world.instantiate(pair, &(tokens[0], tokens[1], 30u16));
        let fund = |token: Address| {
            let amount = 1u128 << 105;
            [
                call_with(token, "mint", &(ALICE, amount)),
                call_with(token, "approve", &(pair, u128::MAX)),
            ]
        };
        let mut calls: Vec<Call> = tokens.into_iter().flat_map(fund).collect();
        // Low halves that carry into the upper ones.
        let (first, second) = ((7u128 << 90) + u128::from(u64::MAX), (14u128 << 90) + 99);
        let add = |amount: u128| call_with(pair, "add_liquidity", &(amount, amount, 0u128));
        let swap = (true, 5u128 << 80, 0u128, ALICE);
        calls.extend([add(first), add(second), call_with(pair, "swap_exact_in", &swap)]);
        let receipts = world.run(calls);
        assert!(receipts.iter().all(Receipt::is_success), "{receipts:?}");
        let out: u128 = borsh::from_slice(returned(&receipts[6])).expect("an amount");
        let reserves = world.run_one(call_with(pair, "reserves", &()));
        let reserves: (u128, u128) = borsh::from_slice(returned(&reserves)).expect("reserves");
        assert_eq!(reserves, (first + second + (5 << 80), first + second - out));
    }
}
