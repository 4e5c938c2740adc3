//! Why an upload is refused.

use crate::engine::abi_check::AbiError;
use crate::keeper::KeepError;

/// Why a module is refused. Nothing of it was stored.
///
/// Function indices count imports first, as Wasm does; offsets are into the uploaded bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant's message says what its fields are")]
pub enum UploadError {
    /// The backend that keeps the state failed.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The module is longer than the limit; nothing else of it was looked at.
    #[error("module has {size} bytes, limit is {limit}")]
    ModuleTooLarge { size: usize, limit: usize },
    /// The bytes are not a valid Wasm module.
    #[error("invalid module at offset {offset:#x}: {message}")]
    Invalid { offset: usize, message: String },
    /// The module uses a Wasm feature that contracts may not use.
    #[error("refused wasm feature {feature} at offset {offset:#x}: {message}")]
    FeatureRefused { feature: String, offset: usize, message: String },
    /// The module has a start function, which would run when nobody called.
    #[error("start function {function} is not allowed")]
    StartFunction { function: u32 },
    /// An operator would change what outlives a call.
    #[error("function {function} uses refused operator {operator} at offset {offset:#x}")]
    OperatorRefused { function: u32, operator: &'static str, offset: usize },

    /// An import is not from the host's module.
    #[error("import {module:?} {name:?} is not from module \"tollway\"")]
    ImportModule { module: String, name: String },
    /// The host has no function of that name.
    #[error("import {name:?} is not a host function")]
    ImportUnknown { name: String },
    /// A memory, table or global is imported.
    #[error("import {name:?} is a {kind}, only functions can be imported")]
    ImportKind { name: String, kind: &'static str },
    /// A host function is imported with another signature than it has.
    #[error("import {name:?} has signature {found}, the host function has {expected}")]
    ImportSignature { name: String, found: String, expected: String },

    /// The module must have one memory of its own.
    #[error("module has {count} memories, not one")]
    MemoryCount { count: u32 },
    /// The memory must be exported as `memory`.
    #[error("the memory is not exported as \"memory\"")]
    MemoryNotExported,
    /// The memory starts with more pages than the limit.
    #[error("memory starts with {pages} pages, limit is {limit}")]
    MemoryTooLarge { pages: u64, limit: u64 },
    /// The module has more than one table.
    #[error("module has {count} tables, limit is 1")]
    TooManyTables { count: u32 },
    /// The table has more elements than the limit.
    #[error("table has {elements} elements, limit is {limit}")]
    TableTooLarge { elements: u64, limit: u64 },
    /// A data segment lies outside the memory, so no instance could be made.
    #[error("data segment {segment} ends at {end}, memory starts with {size} bytes")]
    DataOutOfBounds { segment: u32, end: u64, size: u64 },
    /// An element segment lies outside the table.
    #[error("element segment {segment} ends at {end}, table has {size} elements")]
    ElementsOutOfBounds { segment: u32, end: u64, size: u64 },
    /// A segment holds or starts at something else than constants.
    #[error("segment at offset {offset:#x} is not made of constants and functions")]
    SegmentNotConstant { offset: usize },
    /// The export `tollway_window` is something else than a global.
    #[error("export \"tollway_window\" is not a global")]
    WindowNotGlobal,
    /// The global `tollway_window` is not an immutable `i32`.
    #[error("global \"tollway_window\" is {found}, not an immutable i32")]
    WindowType { found: String },
    /// The window does not start at a multiple of its alignment.
    #[error("the window starts at {start}, not at a multiple of {alignment}")]
    WindowMisaligned { start: u32, alignment: u32 },
    /// The window does not lie wholly inside the memory that the module starts with.
    #[error("the window ends at {end}, memory starts with {size} bytes")]
    WindowOutOfBounds { end: u64, size: u64 },
    /// An export has a name that the runtime's own exports use.
    #[error("export {name:?} has a reserved name")]
    ReservedExport { name: String },

    /// More types than functions are allowed.
    #[error("module has {count} types, limit is {limit}")]
    TooManyTypes { count: u32, limit: u32 },
    /// Too many functions, imports included.
    #[error("module has {count} functions, limit is {limit}")]
    TooManyFunctions { count: u32, limit: u32 },
    /// Too many globals.
    #[error("module has {count} globals, limit is {limit}")]
    TooManyGlobals { count: u32, limit: u32 },
    /// Too many exports.
    #[error("module has {count} exports, limit is {limit}")]
    TooManyExports { count: u32, limit: u32 },
    /// Too many data segments, or element segments.
    #[error("module has {count} segments of one kind, limit is {limit}")]
    TooManySegments { count: u32, limit: u32 },
    /// A type has too many parameters or results.
    #[error("type {type_index} has {count} parameters or results, limit is {limit}")]
    TooManyParams { type_index: u32, count: usize, limit: usize },
    /// A function's body is too long.
    #[error("function {function} has {size} bytes, limit is {limit}")]
    FunctionTooLarge { function: u32, size: usize, limit: usize },
    /// A function has too many locals, parameters included.
    #[error("function {function} has {count} locals, limit is {limit}")]
    TooManyLocals { function: u32, count: u64, limit: u32 },
    /// A `br_table` has too many targets.
    #[error(
        "function {function} has a br_table of {count} targets at offset {offset:#x}, limit is {limit}"
    )]
    TooManyBranchTargets { function: u32, offset: usize, count: u32, limit: u32 },

    /// One function alone needs more stack than a call may use.
    #[error("function {function} needs {units} units of stack, limit is {limit}")]
    FrameTooLarge { function: u32, units: u64, limit: u32 },
    /// A chain of calls, without any recursion, needs more stack than a call may use.
    #[error("calls from function {function} need {units} units of stack, limit is {limit}")]
    CallChainTooDeep { function: u32, units: u64, limit: u32 },
    /// The host's own limit is more than the engine's stack holds.
    #[error("the host's stack_units_max is {units}, the engine holds {limit}")]
    StackLimit { units: u32, limit: u32 },

    /// The module carries no ABI.
    #[error("custom section \"tollway.abi\" is missing")]
    AbiMissing,
    /// The module carries more than one ABI.
    #[error("custom section \"tollway.abi\" stands twice, again at offset {offset:#x}")]
    AbiTwice { offset: usize },
    /// The ABI section is longer than the limit.
    #[error("the ABI has {size} bytes, limit is {limit}")]
    AbiTooLarge { size: usize, limit: usize },
    /// The ABI is not well formed, or not true.
    #[error("the ABI is refused: {0}")]
    Abi(#[from] AbiError),

    /// The compiler refused the module, though it is valid.
    #[error("module does not compile: {reason}")]
    Compile { reason: String },

    /// The runtime broke its own invariant. A bug: please report it.
    #[error("internal error: {0}")]
    Bug(&'static str),
}

impl From<wasmparser::Error> for UploadError {
    fn from(error: wasmparser::Error) -> Self {
        let (offset, message) = (error.offset(), error.message().to_owned());
        match error.missing_wasm_feature() {
            Some(features) => {
                let names: Vec<_> = features
                    .iter_names()
                    .map(|(name, _)| name.to_lowercase().replace('_', "-"))
                    .collect();
                Self::FeatureRefused { feature: names.join(" or "), offset, message }
            }
            None => Self::Invalid { offset, message },
        }
    }
}
