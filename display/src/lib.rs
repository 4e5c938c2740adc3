//! How Tollway shows plans, runs and contracts to people: in the command, and in tests of contracts.
//!
//! | module | shows |
//! | --- | --- |
//! | [`notation`] | types, methods and access templates, as an author writes them |
//! | [`names`] | what addresses are called |
//! | [`picture`] | a block's run as SVG or HTML |
//! | [`graph`] | what of a run could have been when, were there no overheads |
//! | [`table`] | rows and columns |
//! | [`mod@format`] | numbers, times, and names that hold anything |
//!
//! Nothing here decides anything: it gets what others found, and writes it down.
//!
//! With the feature `test-utils` there is `fixture`: runs and a contract, made by hand.
#![forbid(unsafe_code)]

pub mod names;
pub mod notation;
pub mod picture;

pub mod graph;

pub mod format;
pub mod table;

#[cfg(any(test, feature = "test-utils"))]
pub mod fixture;
