//! Live instances: made once per worker and code, rewound to their first image after every call.
//!
//! ```text
//! instantiate ─▶ image taken ─▶ run ─▶ reset ─▶ run ─▶ reset ─▶ …
//!                                 └──── grew, or the engine failed: retired
//! ```
//!
//! The reset clears all of memory and copies the non-zero runs of the image back (`zero` in the
//! design), and restores every mutable global. Nothing else can change: [`super::validate`]
//! refuses modules that could mutate tables or drop segments.
//!
//! Invariant: whatever a call did, the next one on this instance sees memory and globals as after
//! instantiation (`tests/isolation.rs`).

use crate::engine::code::Code;
use std::sync::Arc;
use wasmtime::{Global, InstancePre, Memory, Result, Store, TypedFunc, Val};

/// The memory of a module right after instantiation: its size, and what is not zero in it.
#[derive(Debug)]
pub(crate) struct MemoryImage {
    size: usize,
    runs: Vec<(usize, Vec<u8>)>,
}

/// A run of zeros shorter than this is kept inside a run of data: two copies cost more than one.
const ZERO_RUN_MIN: usize = 64;

impl MemoryImage {
    fn of(memory: &[u8]) -> Self {
        let mut runs: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut at = 0;
        while let Some(start) = memory[at..].iter().position(|byte| *byte != 0).map(|o| at + o) {
            let mut end = start;
            let mut zeros = 0;
            while end + zeros < memory.len() && zeros < ZERO_RUN_MIN {
                if memory[end + zeros] == 0 {
                    zeros += 1;
                } else {
                    end += zeros + 1;
                    zeros = 0;
                }
            }
            runs.push((start, memory[start..end].to_vec()));
            at = end;
        }
        Self { size: memory.len(), runs }
    }

    fn restore(&self, memory: &mut [u8]) {
        memory.fill(0);
        for (start, bytes) in &self.runs {
            memory[*start..start + bytes.len()].copy_from_slice(bytes);
        }
    }
}

/// An instance with its own store. Dropping it unmaps its memory.
pub(crate) struct LiveInstance<T: 'static> {
    pub(crate) store: Store<T>,
    pub(crate) code: Arc<Code>,
    memory: Memory,
    methods: Vec<TypedFunc<u32, i32>>,
    globals: Vec<(Global, Val)>,
    depth: Option<Global>,
    image: Arc<MemoryImage>,
}

impl<T: 'static> LiveInstance<T> {
    /// Instantiates `code`; `data` receives the memory before any call.
    pub(crate) fn new(
        code: &Arc<Code>,
        pre: &InstancePre<T>,
        data: impl FnOnce(Memory) -> T,
        placeholder: T,
    ) -> Result<Self> {
        let mut store = Store::new(pre.module().engine(), placeholder);
        // Instantiation runs no code of the module: there is no start function.
        store.set_fuel(u64::MAX)?;
        let instance = pre.instantiate(&mut store)?;
        let missing = || wasmtime::Error::msg("an export that upload checked is missing");
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(missing)?;
        *store.data_mut() = data(memory);
        let methods = code
            .abi
            .methods
            .iter()
            .map(|method| instance.get_typed_func(&mut store, &method.name))
            .collect::<Result<_>>()?;
        let mut globals = Vec::with_capacity(code.mutable_globals.len());
        for name in &code.mutable_globals {
            let global = instance.get_global(&mut store, name).ok_or_else(missing)?;
            let value = global.get(&mut store);
            globals.push((global, value));
        }
        let depth = match &code.depth_global {
            Some(name) => Some(instance.get_global(&mut store, name).ok_or_else(missing)?),
            None => None,
        };
        let image =
            Arc::clone(code.image.get_or_init(|| Arc::new(MemoryImage::of(memory.data(&store)))));
        Ok(Self { store, code: Arc::clone(code), memory, methods, globals, depth, image })
    }

    /// Runs a method with so much fuel. The instance must be clean.
    pub(crate) fn call(&mut self, method: usize, args_len: u32, fuel: u64) -> Result<i32> {
        self.store.set_fuel(fuel)?;
        self.methods[method].call(&mut self.store, args_len)
    }

    /// The fuel left after a call that did not trap.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().unwrap_or(0)
    }

    /// Whether the call that just ended made the memory larger.
    pub(crate) fn has_grown(&self) -> bool {
        self.memory.data_size(&self.store) != self.image.size
    }

    /// Whether the call that just trapped did so because Wasm calls nested too deep.
    pub(crate) fn is_stack_exhausted(&mut self) -> bool {
        let Some(depth) = self.depth else {
            return false;
        };
        match depth.get(&mut self.store) {
            Val::I32(units) => units as u32 > self.code.stack_units_max,
            _ => false,
        }
    }

    /// Rewinds the instance. `false` if it can't be used again.
    pub(crate) fn reset(&mut self) -> bool {
        let memory = self.memory.data_mut(&mut self.store);
        if memory.len() != self.image.size {
            return false;
        }
        self.image.restore(memory);
        self.globals.iter().all(|(global, value)| global.set(&mut self.store, *value).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_restores_what_it_saw() {
        let mut memory = vec![0u8; 4096];
        memory[7] = 1;
        memory[20] = 2;
        memory[200..300].fill(3);
        memory[4095] = 4;
        let image = MemoryImage::of(&memory);
        assert_eq!(image.runs.len(), 3);
        let mut dirty = vec![0xaa; 4096];
        image.restore(&mut dirty);
        assert_eq!(dirty, memory);
    }
}
