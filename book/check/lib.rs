//! Holds the book to the code: every Rust example on a page is a documentation test of this crate,
//! links are followed (`tests/pages.rs`), and the tutorial is walked by `cli/tests/tutorial.rs`.
//!
//! ```text
//! book/src/*.md ──▶ page      blocks, headings, links of a page
//!               └─▶ EXAMPLES  pages whose examples are compiled and run
//! ```
//!
//! Examples that show a declaration hold it, in lines that readers do not see, against
//! [`declared`]: what a page says that a method touches is what its Wasm says.
#![forbid(unsafe_code)]

mod declared;
pub mod page;

pub use declared::declared;

use std::path::{Path, PathBuf};

/// The page whose blocks are walked in order, not compiled one by one.
pub const TUTORIAL: &str = "tutorial.md";

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
}
