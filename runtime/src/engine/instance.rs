//! Live instances: made once per worker and code, rewound to their first image after every call.
//!
//! ```text
//! instantiate ─▶ image taken ─▶ run ─▶ reset ─▶ run ─▶ reset ─▶ …
//!                                 └──── grew, or the engine failed: retired
//! ```
//!
//! The reset copies the image back over the pages that were ever written (`pages`), or
//! over all of memory where the system can't tell, and restores every mutable global. Nothing else
//! can change: [`super::validate`] refuses modules that could mutate tables or drop segments.
//!
//! Invariant: whatever a call did, the next one on this instance sees memory and globals as after
//! instantiation (`tests/isolation.rs`).

use crate::engine::code::Code;
use crate::engine::pages::Pages;
use std::ops::Range;
use std::sync::Arc;
use tollway_host_api::window::WINDOW_BYTES;
use wasmtime::{Global, InstancePre, Memory, Result, Store, TypedFunc, Val};

/// How the memory of an instance is rewound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Pages that were ever written are copied back.
    HotPages,
    /// All of memory is.
    Whole,
}

/// The memory of a module right after instantiation.
#[derive(Debug)]
pub(crate) struct MemoryImage {
    size: usize,
    /// Blocks of [`BLOCK_BYTES`]; `None` where all is zero.
    blocks: Vec<Option<Box<[u8]>>>,
}

/// Divides every system's pages, and Wasm's.
const BLOCK_BYTES: usize = 4_096;

impl MemoryImage {
    fn of(memory: &[u8]) -> Self {
        let blocks = memory.chunks(BLOCK_BYTES);
        let blocks =
            blocks.map(|block| block.iter().any(|byte| *byte != 0).then(|| block.into())).collect();
        Self { size: memory.len(), blocks }
    }

    /// Restores a range that starts and ends between blocks.
    #[inline]
    fn restore(&self, memory: &mut [u8], range: Range<usize>) {
        let blocks = &self.blocks[range.start / BLOCK_BYTES..range.end.div_ceil(BLOCK_BYTES)];
        for (block, memory) in blocks.iter().zip(memory[range].chunks_mut(BLOCK_BYTES)) {
            match block {
                Some(bytes) => memory.copy_from_slice(bytes),
                None => memory.fill(0),
            }
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
    /// Which pages were written, if the system tells.
    pages: Option<Pages>,
}

impl<T: 'static> LiveInstance<T> {
    /// Instantiates `code`; `data` receives the memory before any call.
    pub(crate) fn new(
        code: &Arc<Code>,
        pre: &InstancePre<T>,
        data: impl FnOnce(Memory) -> T,
        placeholder: T,
        reset: Reset,
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
        let mut pages = match reset {
            Reset::HotPages => Pages::protect(&mut store, memory),
            Reset::Whole => None,
        };
        // The host fills the window when the instance does not run, and nobody answers faults.
        if let (Some(pages), Some(window)) = (&mut pages, code.window)
            && !pages.open(window as usize..window as usize + WINDOW_BYTES)
        {
            return Err(wasmtime::Error::msg("the system refused to open a page of memory"));
        }
        Ok(Self { store, code: Arc::clone(code), memory, methods, globals, depth, image, pages })
    }

    /// Its memory, and what its store holds.
    #[inline]
    pub(crate) fn memory_and_data(&mut self) -> (&mut [u8], &mut T) {
        self.memory.data_and_store_mut(&mut self.store)
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

    /// Whether the system failed the call that just ended: how it ended says nothing.
    #[inline]
    pub(crate) fn is_broken(&self) -> bool {
        self.pages.as_ref().is_some_and(Pages::has_failed)
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
        if memory.len() != self.image.size || self.pages.as_ref().is_some_and(Pages::has_failed) {
            return false;
        }
        match &mut self.pages {
            Some(pages) => {
                pages.hot().iter().for_each(|range| self.image.restore(memory, range.clone()));
            }
            None => self.image.restore(memory, 0..memory.len()),
        }
        self.globals.iter().all(|(global, value)| global.set(&mut self.store, *value).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_restores_what_it_saw() {
        let mut memory = vec![0u8; 5 * BLOCK_BYTES];
        memory[7] = 1;
        memory[BLOCK_BYTES..BLOCK_BYTES + 300].fill(3);
        memory[5 * BLOCK_BYTES - 1] = 4;
        let image = MemoryImage::of(&memory);
        let mut dirty = vec![0xaa; 5 * BLOCK_BYTES];
        image.restore(&mut dirty, 0..5 * BLOCK_BYTES);
        assert_eq!(dirty, memory);
        dirty.fill(0xaa);
        image.restore(&mut dirty, BLOCK_BYTES..3 * BLOCK_BYTES);
        assert_eq!(dirty[BLOCK_BYTES..3 * BLOCK_BYTES], memory[BLOCK_BYTES..3 * BLOCK_BYTES]);
        assert!(dirty[..BLOCK_BYTES].iter().all(|byte| *byte == 0xaa));
        assert!(dirty[3 * BLOCK_BYTES..].iter().all(|byte| *byte == 0xaa));
    }
}
