//! A contract's ABI as JSON, to be read and to be written by hand: how a contract in any language comes
//! by its section.
//!
//! ```json
//! { "name": "counter",
//!   "storage": [{ "name": "counts", "key": ["Address"], "value": "u128", "counter": true }],
//!   "methods": [{ "name": "add", "params": [{ "name": "amount", "type": "u64" }], "returns": "bool",
//!                 "access": [{ "add": "counts", "key": ["caller"] }] }] }
//! ```
//!
//! What may be left out: `immutables`, `storage`, `methods`, `events`, `error`, `params`, `returns`
//! (nothing), `view`, `reentrant` and `counter` (no), `key` (a single value),
//! `prefix` (no; else how many key parts are declared, for all keys that start with them). A method without `access`
//! is undeclared; one that touches nothing has `"access": []`.
//!
//! | types | |
//! | --- | --- |
//! | `"bool"`, `"u8"` … `"u128"`, `"i64"`, `"i128"`, `"Address"`, `"Bytes"`, `"Text"`, `"[u8; 20]"` | as they are |
//! | `{"option": T}`, `{"list": T}`, `{"tuple": [T, …]}` | |
//! | `{"struct": "Leg", "fields": [{"name": …, "type": T}, …]}` | |
//! | `{"enum": "Side", "variants": [{"name": "Bid", "fields": […]}, …]}` | `fields` may be left out |
//!
//! | access | |
//! | --- | --- |
//! | `{"read": "counts", "key": [E, …]}`, so too `add`, `write` | a key of a storage field |
//! | `{"for": E, "do": […]}` | once for each element of a list |
//! | `{"call": E, "method": "transfer", "args": [E, …]}` | what another contract declares |
//!
//! | expressions | |
//! | --- | --- |
//! | `"caller"`, `"this"`, `"_"` | who calls; the contract; not known |
//! | `"call_id"`, `{"shard": "caller", "of": 8}` | the call's identifier; one of eight shards |
//! | `"arg.legs"`, `"imm.owner"`, `"element.to"` | a parameter, an immutable, the element of the loop, or what is in them |
//! | `{"element": 1, "path": ["to"]}` | that of the loop around it |
//! | `7`, `{"integer": "340…"}`, `{"text": "fee"}`, `{"hex": "00ff"}` | constants |

mod parse;
mod section;
mod show;

pub(crate) use parse::parse;
pub(crate) use section::attach;
pub(crate) use show::show;

#[cfg(test)]
mod tests {
    use super::*;
    use tollway::Limits;
    use tollway::engine::validate::validate;

    #[test]
    fn every_sample_is_described_in_full() {
        for (name, wasm) in tollway_contracts_wasm::ALL {
            let abi = validate(wasm, &Limits::default()).expect("samples are contracts").abi;
            let text = show(&abi).to_string();
            let value = serde_json::from_str(&text).expect("it is JSON");
            assert_eq!(parse(&value).unwrap_or_else(|error| panic!("{name}: {error:#}")), abi);
            // And its section can be written anew: the same code, but for where the section stands.
            let again = attach(wasm, &abi).expect("samples are modules");
            let read = validate(&again, &Limits::default()).expect("it is a contract still").abi;
            assert_eq!((read, again.len()), (abi, wasm.len()), "{name}");
        }
    }
}
