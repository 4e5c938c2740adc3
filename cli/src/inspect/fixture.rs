//! The contract that the tests show.

use super::Subject;
pub(crate) use tollway_display::fixture::contract::*;

pub(crate) fn subject() -> Subject {
    Subject {
        source: "token.wasm".into(),
        code_hash: "ab".repeat(32),
        bytes: 12_345,
        abi: token(),
        callees: Vec::new(),
    }
}
