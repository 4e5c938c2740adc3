//! The one pinned configuration of the engine. Whatever is set here decides results, gas, or the
//! point where a stack ends; nothing of it is the embedder's to choose but the compiler, which
//! decides speed only.
//!
//! # Invariants
//! 1. Compilers agree on results and gas (`tests::compilers_agree`).
//! 2. The engine accepts exactly the features that upload accepts: [`features`] configures both.
//! 3. Native stack never ends a call: what [`super::instrument`] lets a call use, at most twice
//!    [`STACK_UNITS_CEILING`], lies below [`WASM_STACK_BYTES`]. A native overflow is a fault of the
//!    engine, never a result.
//! 4. A change of anything here changes [`fingerprint`] (`tests::fingerprint_is_pinned`).

pub mod costs;

use crate::limits::Limits;
use wasmparser::WasmFeatures;
use wasmtime::{Config, Inlining, OptLevel, Result, Strategy};

/// What turns Wasm into something that runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compiler {
    /// Optimizing; the one for production.
    #[default]
    Cranelift,
    /// One pass: compiles seven times faster, runs half as fast. x86-64 only.
    Winch,
    /// A portable interpreter: stands in for another processor in tests, and runs anywhere.
    Pulley,
}

impl Compiler {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cranelift, Self::Winch, Self::Pulley];

    /// Its name in options and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cranelift => "cranelift",
            Self::Winch => "winch",
            Self::Pulley => "pulley",
        }
    }
}

/// The version of Wasmtime whose code generation and fuel accounting this crate is built on.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// The version of the passes of [`super::instrument`], part of [`fingerprint`].
const PASSES_VERSION: u32 = 1;

/// Native stack, in bytes, of one call of one contract. Twice what the depth pass lets through, so
/// that its estimate of native frames may be wrong by that factor before anything is hit.
pub const WASM_STACK_BYTES: usize = 2 << 20;

/// The most that `stack_units_max` of [`Limits`] may be: cyclic and acyclic calls may each use so
/// much of [`WASM_STACK_BYTES`], and half of it stays free.
pub const STACK_UNITS_CEILING: u32 = (WASM_STACK_BYTES / 4) as u32;

/// Native stack, in bytes, that the runtime's own frames may take for each level of nested calls.
const HOST_STACK_BYTES: usize = 256 << 10;

/// The stack, in bytes, of a thread that runs contracts: each of `call_depth_max` nested calls has
/// its own [`WASM_STACK_BYTES`]. Only pages that are touched take memory.
pub fn thread_stack_bytes(limits: &Limits) -> usize {
    limits.call_depth_max.max(1).saturating_mul(WASM_STACK_BYTES + HOST_STACK_BYTES)
}

/// The Wasm features that contracts may use; everything else is refused.
///
/// `CALL_INDIRECT_OVERLONG` is the part of reference types that LLVM needs: it writes table
/// indices as five bytes. Floats are in, because NaNs are canonicalized. SIMD would widen every
/// frame and register; threads, relaxed SIMD and GC are not deterministic, or not bounded; tail
/// calls and exceptions would leave the depth counter behind.
pub fn features() -> WasmFeatures {
    WasmFeatures::FLOATS
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::CALL_INDIRECT_OVERLONG
        | WasmFeatures::WIDE_ARITHMETIC
}

/// The configuration for `compiler`.
///
/// # Errors
/// If this build of Wasmtime doesn't know the compiler's target.
pub fn engine_config(compiler: Compiler) -> Result<Config> {
    let mut config = Config::new();
    match compiler {
        Compiler::Cranelift => config.strategy(Strategy::Cranelift),
        Compiler::Winch => config.strategy(Strategy::Winch),
        Compiler::Pulley => config.strategy(Strategy::Cranelift).target("pulley64")?,
    };
    config
        // Results: the same bits everywhere.
        .cranelift_nan_canonicalization(true)
        .wasm_features(WasmFeatures::all().difference(features()), false)
        .wasm_features(features(), true)
        // Gas: our own table, so that an engine's defaults are never the price.
        .consume_fuel(true)
        .operator_cost(costs::operator_cost())
        // An inlined call would not pay for its function's entry, and only Cranelift inlines.
        .compiler_inlining(Inlining::No)
        // Stacks. The engine wants `async_stack_size` to be no less, though nothing here is async;
        // the difference is for host functions.
        .max_wasm_stack(WASM_STACK_BYTES)
        .async_stack_size(WASM_STACK_BYTES + HOST_STACK_BYTES)
        // Memories: with all of 4 GiB reserved, and a guard, no access needs a bounds check (those
        // cost 62 % on keccak), and a memory never moves, so that the host may keep its address.
        .memory_reservation(4 << 30)
        .memory_guard_size(32 << 20)
        .memory_reservation_for_growth(0)
        .memory_may_move(false)
        // Instances are rewound, not mapped anew; and the engine panics when memories of the
        // host's own meet copy-on-write images.
        .memory_init_cow(false)
        // Instances live long, so their tables are filled once; indirect calls are then cheaper.
        // Winch only knows the other way, which does the same later.
        .table_lazy_init(compiler == Compiler::Winch)
        // Nothing reads positions in native code: no backtraces, no debugger.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .cranelift_opt_level(OptLevel::Speed);
    Ok(config)
}

/// A hash over all that decides what compiled code does and what it charges. Part of the key of
/// every compiled artifact, and what nodes compare to know that they agree.
pub fn fingerprint(compiler: Compiler) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("tollway 2026 engine fingerprint v1");
    let mut add = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    };
    add(WASMTIME_VERSION);
    add(compiler.name());
    add(&format!("passes {PASSES_VERSION} stack {WASM_STACK_BYTES}"));
    add(&format!("features {:x}", features().bits()));
    add("nan-canonical fuel reservation=4g no-inlining eager-tables");
    add(&format!("{:?}", costs::operator_cost()));
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
