//! The demo: an exchange at four levels of contention, one call after another and in parallel.
//!
//! ```text
//! disjoint   every swap has a pool and a trader of its own   all at once
//! zipf1024   1,024 pools, some popular                       hot keys, much else to do
//! zipf64     64 pools, some very popular                     hot keys
//! hot        one pool                                        one queue
//! ```

mod level;
mod print;

pub(crate) use level::{Level, Size, measure};
pub(crate) use print::{intro, table};
