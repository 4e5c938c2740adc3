//! Rewrites a module so that an instance of it can be rewound, so that its stack ends where we say
//! and not where a compiler does, and so that bulk operations are paid by the byte.
//!
//! ```text
//! every mutable global   ─▶ exported as tollway:g0, tollway:g1, …
//! memory                 ─▶ has a maximum, at most the limit
//! custom sections        ─▶ gone
//! memory.copy, fill,     ─▶ their byte count goes through a helper that turns for every 64 of
//!   and init                them, see `bulk`
//! f in a cycle of calls  ─▶ depth += units(f); if depth > budget { unreachable }
//!                           block  …f's body, where return is br…  end
//!                           depth -= units(f)
//! ```
//!
//! The depth counter is a new mutable global, exported as [`DEPTH_GLOBAL`]; the module's own code
//! has no index for it, so only the pass writes it. Where it traps, the counter stays above the
//! budget: that is how the host tells an exhausted stack from other traps
//! ([`is_stack_exhausted`]).
//!
//! # Invariants
//! 1. The stack of a call ends at the same instruction, with the same fuel, under every compiler
//!    (`tests::recursion_stops_at_the_same_depth`).
//! 2. Native frames on the stack never take more bytes than their units: frames in a cycle are
//!    counted when they are entered, one of them may be above the budget, and the others are at
//!    most the longest path without a cycle, which is computed here and refused above the budget.
//!    So a call stays below twice `stack_units_max` (`tests::units_bound_native_frames`).
//! 3. But for that, the module computes what it did before (`tests::results_are_unchanged`).
//! 4. Time and memory are linear in the module, without native recursion
//!    (`call_graph::tests::a_long_chain_needs_no_stack`).
//!
//! Everything is copied byte by byte but for what is said above.

mod bulk;
mod call_graph;
mod frames;
mod rewrite;

use crate::engine::config::STACK_UNITS_CEILING;
use crate::engine::validate::{UploadError, Validated};
use crate::limits::Limits;
use call_graph::CallGraph;
use rewrite::Rewrite;
use wasmparser::Parser;

/// The export of the depth counter.
pub const DEPTH_GLOBAL: &str = "tollway:depth";

/// A module after the passes.
#[derive(Clone, Debug)]
pub struct Instrumented {
    /// The new module.
    pub wasm: Vec<u8>,
    /// Names of all globals that a call may change, the depth counter included: what the host
    /// puts back after every call.
    pub mutable_globals: Vec<String>,
    /// [`DEPTH_GLOBAL`], if the module can recurse.
    pub depth_global: Option<String>,
    /// Units of the longest chain of calls without a cycle.
    pub chain_units: u64,
    /// How many functions are part of a cycle, and so counted.
    pub counted_functions: u32,
}

/// Whether a depth counter with this value means that the call ran out of stack.
pub fn is_stack_exhausted(depth: i32, limits: &Limits) -> bool {
    depth as u32 > limits.stack_units_max
}

/// Runs the passes on a module that passed [`super::validate::validate`].
///
/// # Errors
/// - [`UploadError::FrameTooLarge`] if a function's frame alone is above `stack_units_max`.
/// - [`UploadError::CallChainTooDeep`] if a chain of calls without a cycle is.
/// - [`UploadError::StackLimit`] if `stack_units_max` is more than the engine's stack holds.
pub fn instrument(
    wasm: &[u8],
    validated: &Validated,
    limits: &Limits,
) -> Result<Instrumented, UploadError> {
    let budget = limits.stack_units_max;
    if budget > STACK_UNITS_CEILING {
        return Err(UploadError::StackLimit { units: budget, limit: STACK_UNITS_CEILING });
    }
    let frames = frames::measure(wasm, &validated.shape)?;
    for (function, frame) in (0u32..).zip(&frames) {
        if frame.units > u64::from(budget) {
            return Err(UploadError::FrameTooLarge { function, units: frame.units, limit: budget });
        }
    }
    let graph = CallGraph::of(&validated.shape, &frames);
    let chain = graph.longest_chain(&frames);
    if chain.units > u64::from(budget) {
        let (function, units) = (chain.function, chain.units);
        return Err(UploadError::CallChainTooDeep { function, units, limit: budget });
    }
    let mut rewrite = Rewrite::new(wasm, validated, limits, &frames, &graph);
    for payload in Parser::new(0).parse_all(wasm) {
        rewrite.payload(payload?)?;
    }
    Ok(Instrumented {
        mutable_globals: rewrite.exports.iter().map(|(name, _)| name.clone()).collect(),
        depth_global: rewrite.depth.map(|_| DEPTH_GLOBAL.to_owned()),
        wasm: rewrite.finish(),
        chain_units: chain.units,
        counted_functions: graph.cyclic.iter().filter(|is_cyclic| **is_cyclic).count() as u32,
    })
}

#[cfg(test)]
mod tests;
