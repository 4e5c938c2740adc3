//! Which pages of a live instance's memory were written: the first write to a page opens it.
//!
//! ```text
//! after instantiation   r r r r r r r r …      all pages are read-only
//! a call writes         r W r r W r r r …      the fault opens a page, and it is hot from then on
//! after every call      · c · · c · · · …      hot pages, and only those, are copied back
//! ```
//!
//! The processor tells which pages a call wrote, at no cost to the code that writes. A page stays
//! open once it was written, so a contract that keeps to its pages faults no more. One that keeps
//! opening others gets all of them at once after [`FAULTS_MAX`] calls that faulted.
//!
//! # Why it is sound
//! Whatever writes to the memory while the instance runs, compiled code, the engine's own copies or
//! a host function, writes through the same page table: it faults, and the engine asks the store's
//! handler first, wherever the fault happened. The host's writes before the call, when nobody would
//! answer a fault, go through [`Pages::open`]. Only the instance that runs is ever written to.
//!
//! A page that the system refuses to open, for want of memory or of mappings (a process has 65,530 of
//! them, an instance takes about six), is a fault of the engine that halts the block, never a result.
//!
//! # Where it does not work
//! Handlers must reach us. [`is_supported`] tries once for every process, and looks whether the
//! handler that answered then is still in place; where it isn't, memories are cleared as a whole.
//!
//! `unsafe` is in `linux` alone.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod other;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use linux::{Pages, is_supported};
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use other::{Pages, is_supported};

/// After so many calls that wrote to a page for the first time, an instance's memory is opened
/// whole: a fault costs about two microseconds, copying a page 50 ns.
pub(crate) const FAULTS_MAX: u32 = 5;
