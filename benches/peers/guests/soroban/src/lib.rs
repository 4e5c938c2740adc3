//! The exchange as a contract for Soroban, made with its SDK.
//!
//! ```text
//! key                 value                               durability
//! pool                (reserve A, reserve B, fee, enabled)  persistent
//! (trader, token)     balance                             persistent
//! ```
//!
//! Keys and values are tuples and not named structures, which would cost more. There is no set-up
//! here: the host writes these entries to its ledger.
#![no_std]

use guest_formula::amount_out;
use soroban_sdk::{Address, Env, contract, contractevent, contractimpl};

/// A swap was made.
#[contractevent(data_format = "vec")]
pub struct Swap {
    /// Where.
    #[topic]
    pub pool: u32,
    /// By whom.
    #[topic]
    pub trader: Address,
    /// Whether token B came in.
    pub reversed: bool,
    /// How much came in.
    pub amount_in: i128,
    /// How much went out.
    pub out: i128,
}

type Pool = (i128, i128, u32, bool);

/// The contract.
#[contract]
pub struct Dex;

#[contractimpl]
impl Dex {
    /// Swaps exactly `amount_in` for at least `min_out`, and returns how much. Panics if it cannot.
    pub fn swap(
        env: Env,
        trader: Address,
        pool: u32,
        reversed: bool,
        amount_in: i128,
        min_out: i128,
    ) -> i128 {
        trader.require_auth();
        let storage = env.storage().persistent();
        let (a, b, fee, enabled): Pool = storage.get(&pool).expect("no such pool");
        assert!(enabled && amount_in > 0 && min_out >= 0);
        let (x, y) = if reversed { (b, a) } else { (a, b) };
        let (input, output) = (u32::from(reversed), u32::from(!reversed));

        let key_in = (trader.clone(), input);
        let balance_in: i128 = storage.get(&key_in).unwrap_or(0);
        assert!(balance_in >= amount_in);
        let out = amount_out(x as u128, y as u128, amount_in as u128, min_out as u128, fee.into())
            .expect("no such swap") as i128;
        let key_out = (trader.clone(), output);
        let balance_out: i128 = storage.get(&key_out).unwrap_or(0);

        let (x, y) = (x + amount_in, y - out);
        let (a, b) = if reversed { (y, x) } else { (x, y) };
        storage.set(&pool, &(a, b, fee, enabled));
        storage.set(&key_in, &(balance_in - amount_in));
        storage.set(&key_out, &balance_out.checked_add(out).expect("too much"));
        Swap { pool, trader, reversed, amount_in, out }.publish(&env);
        out
    }
}
