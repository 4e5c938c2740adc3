//! Where the time goes from the start of a test to its first call:
//! `cargo run --release -p tollway-testkit --example first_call`.
//!
//! The first round pays for what a process does once; the others are what a second test in the same
//! binary pays.

use std::time::{Duration, Instant};
use tollway_contract_token::token;
use tollway_contracts_wasm::TOKEN;
use tollway_testkit::TestChain;

fn main() {
    println!("round    chain  deploy  native  first call     all  second call   (ms)");
    for round in 1..=5 {
        let start = Instant::now();
        let mut chain = TestChain::new();
        let made = start.elapsed();
        let [alice, bob] = chain.accounts(["alice", "bob"]);
        let token = chain.deploy(TOKEN, &alice);
        let deployed = start.elapsed();
        chain.also_native(token, &token::NATIVE);
        let native = start.elapsed();
        chain.run(token.call(alice, "mint", (bob, 5u128))).succeeded();
        let called = start.elapsed();
        chain.run(token.call(bob, "transfer", (alice, 5u128))).succeeded();
        let again = start.elapsed();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{round:5} {:8.2} {:7.2} {:7.2} {:11.2} {:7.2} {:12.2}",
            ms(made),
            ms(deployed - made),
            ms(native - deployed),
            ms(called - native),
            ms(called),
            ms(again - called),
        );
    }
}
