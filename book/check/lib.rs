//! Holds the book to the code: every Rust example on a page is a documentation test of this crate,
//! links are followed (`tests/pages.rs`), what is said of the sample contracts is held against them
//! (`tests/suite.rs`), and the tutorial is walked by `cli/tests/book.rs`.
//!
//! ```text
//! book/src/*.md ──▶ pages ──▶ page      blocks, headings, links of a page
//!                         └─▶ EXAMPLES  pages whose examples are compiled and run
//! ```
//!
//! Examples that show a declaration hold it, in lines that readers do not see, against
//! [`declared`]: what a page says that a method touches is what its Wasm says.
#![forbid(unsafe_code)]

mod declared;
pub mod page;
mod pages;

pub use declared::declared;
pub use pages::{markdown_below, pages, read};

use std::path::{Path, PathBuf};

/// The page whose blocks are walked in order, not compiled one by one.
pub const TUTORIAL: &str = "tutorial.md";

/// Pages whose `console` blocks are run, and what they show is compared.
pub const WALKED: &[&str] = &[TUTORIAL, "seeing.md", "tools.md"];

/// The folder with the pages.
pub fn pages_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

macro_rules! examples {
    ($($name:ident: $page:literal)*) => {
        /// Pages whose Rust examples are compiled and run.
        pub const EXAMPLES: &[&str] = &[$($page),*];

        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../src/", $page))]
            mod $name {}
        )*
    };
}

examples! {
    access: "access/index.md"
    inference: "access/inference.md"
    declarations: "access/declarations.md"
    conflicts: "access/conflicts.md"
    misses: "access/misses.md"
    parts: "parts/index.md"
    storage: "parts/storage.md"
    events: "parts/events.md"
    errors: "parts/errors.md"
    calls: "parts/calls.md"
    immutables: "parts/immutables.md"
    transient: "parts/transient.md"
    identifiers: "parts/identifiers.md"
    numbers: "parts/numbers.md"
    roles: "parts/roles.md"
    crypto: "parts/crypto.md"
    randomness: "parts/randomness.md"
    upgrades: "parts/upgrades.md"
    pass_and_verify: "patterns/pass-and-verify.md"
    instead_of_storage: "patterns/immutables.md"
    adds: "patterns/adds.md"
    by_user: "patterns/by-user.md"
    groups: "patterns/groups.md"
    sharding: "patterns/sharding.md"
    accumulators: "patterns/accumulators.md"
    from_the_call: "patterns/identifiers.md"
    instead_of_logs: "patterns/events.md"
    testing: "testing.md"
    cosmwasm: "porting/cosmwasm.md"
    soroban: "porting/soroban.md"
    solidity: "porting/solidity.md"
    embedding: "hosts/embedding.md"
    state: "hosts/state.md"
    determinism: "hosts/determinism.md"
}
