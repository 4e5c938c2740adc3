//! Every bound on what guests and blocks may ask for, in one place.

use crate::receipt::Failure;

/// The most of everything, with the reason for each default.
///
/// Limits are part of the rules of a chain: two nodes with different limits may disagree.
///
/// # Examples
/// ```
/// let limits = tollway::Limits { calls_max: 1_000, ..tollway::Limits::default() };
/// assert_eq!(limits.call_depth_max, 8);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an uploaded module. Default 512 KiB: twenty times our largest contract; bounds
    /// compile time, which grows with size.
    pub module_bytes_max: usize,
    /// Functions of a module, imports included. Default 5,000.
    pub functions_max: u32,
    /// Bytes of one function's body. Default 64 KiB: compilers are superlinear in it, and their
    /// worst bugs needed huge functions.
    pub function_bytes_max: usize,
    /// Locals of one function, parameters included. Default 1,000: each may be a stack slot.
    pub locals_max: u32,
    /// Parameters, and results, of one function. Default 32.
    pub params_max: usize,
    /// Globals of a module. Default 64: mutable ones are restored after every call.
    pub globals_max: u32,
    /// Elements of the table. Default 10,000.
    pub table_elements_max: u64,
    /// Targets of one `br_table`. Default 1,024.
    pub branch_targets_max: u32,
    /// Data segments, and element segments, of a module. Default 1,000.
    pub segments_max: u32,
    /// Pages (64 KiB) of memory. Default 16, 1 MiB: the reset after a call clears them all.
    pub memory_pages_max: u64,
    /// Bytes of the ABI section. Default 64 KiB.
    pub abi_bytes_max: usize,
    /// Methods, and events, of a contract. Default 256.
    pub methods_max: usize,
    /// Access templates of a method, nested ones included. Default 64.
    pub templates_max: usize,
    /// Bytes of a name in the ABI. Default 64.
    pub name_bytes_max: usize,
    /// Units of Wasm stack of one call of one contract; see [`crate::engine::instrument`].
    /// Default 512 KiB.
    pub stack_units_max: u32,
    /// Bytes of a contract's immutables. Default 1 KiB: they are read while planning.
    pub immutables_bytes_max: usize,
    /// Calls of a block. Default 1,000,000.
    pub calls_max: usize,
    /// Bytes of a call's arguments. Default 64 KiB.
    pub args_bytes_max: usize,
    /// Gas limit of a call. Default 10⁹, about a second.
    pub call_gas_max: u64,
    /// Keys of a call's access set, and distinct keys that a call may touch. Default 4,096.
    pub access_keys_max: usize,
    /// Keys of all access sets of a block. Default 16 million: about a gigabyte of plan.
    pub block_keys_max: usize,
    /// Bytes of a stored value. Default 16 KiB.
    pub value_bytes_max: usize,
    /// Transient keys that a top-level call may hold at once, all its contracts together.
    /// Default 1,024; their values are bounded by `value_bytes_max`.
    pub transient_keys_max: usize,
    /// Events of a top-level call. Default 1,024.
    pub events_max: usize,
    /// Bytes of one event's data. Default 8 KiB.
    pub event_bytes_max: usize,
    /// Bytes of a call's output. Default 64 KiB.
    pub output_bytes_max: usize,
    /// Contracts on the call stack at once, the first included. Default 8: each level has its own
    /// native stack budget.
    pub call_depth_max: usize,
    /// Live instances that a worker keeps. Default 256; each holds 4 GiB of address space.
    pub instances_max: usize,
    /// Heights whose states can still be read. Default 16.
    pub history_max: usize,
}

impl Limits {
    /// Why arguments are too long, if they are.
    pub(crate) fn arguments_failure(&self, args: &[u8]) -> Option<Failure> {
        let (size, limit) = (args.len() as u64, self.args_bytes_max as u64);
        (size > limit).then_some(Failure::ArgumentsTooLarge { size, limit })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            module_bytes_max: 512 << 10,
            functions_max: 5_000,
            function_bytes_max: 64 << 10,
            locals_max: 1_000,
            params_max: 32,
            globals_max: 64,
            table_elements_max: 10_000,
            branch_targets_max: 1_024,
            segments_max: 1_000,
            memory_pages_max: 16,
            abi_bytes_max: 64 << 10,
            methods_max: 256,
            templates_max: 64,
            name_bytes_max: 64,
            stack_units_max: 512 << 10,
            immutables_bytes_max: 1 << 10,
            calls_max: 1_000_000,
            args_bytes_max: 64 << 10,
            call_gas_max: 1_000_000_000,
            access_keys_max: 4_096,
            block_keys_max: 16_000_000,
            value_bytes_max: 16 << 10,
            transient_keys_max: 1_024,
            events_max: 1_024,
            event_bytes_max: 8 << 10,
            output_bytes_max: 64 << 10,
            call_depth_max: 8,
            instances_max: 256,
            history_max: 16,
        }
    }
}
