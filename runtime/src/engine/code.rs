//! Uploaded code, compiled and ready to be instantiated.

use crate::engine::arguments::Methods;
use crate::engine::instance::MemoryImage;
use crate::execute::host::HostState;
use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tollway_host_api::window::WINDOW_VALUE_BYTES_MAX;
use tollway_host_api::{Abi, StorageField};
use wasmtime::{InstancePre, Module};

/// The BLAKE3 hash of a module as it was uploaded: the name of its code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct CodeHash(pub [u8; 32]);

impl CodeHash {
    /// The hash of these module bytes.
    pub fn of(wasm: &[u8]) -> Self {
        Self(*blake3::hash(wasm).as_bytes())
    }
}

impl fmt::Display for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A validated, instrumented and compiled module.
pub struct Code {
    /// Its name.
    pub hash: CodeHash,
    /// The module as it was uploaded.
    pub wasm: Arc<[u8]>,
    /// What it tells of itself.
    pub abi: Abi,
    /// Its position among the codes of this runtime; dense, so that pools are indexed by it.
    pub(crate) index: usize,
    pub(crate) module: Module,
    pub(crate) linked: InstancePre<HostState>,
    /// Reserved names under which the mutable globals are exported.
    pub(crate) mutable_globals: Vec<String>,
    /// Reserved name of the depth counter, if the module can recurse.
    pub(crate) depth_global: Option<String>,
    pub(crate) stack_units_max: u32,
    /// Pages that its memory starts with.
    pub(crate) memory_pages_min: u64,
    /// Where its window starts, if it has one.
    pub(crate) window: Option<u32>,
    /// By storage field, the size of its values if they can have slots of the window.
    pub(crate) slot_sizes: Vec<Option<u8>>,
    /// Its methods, as other contracts call them.
    pub(crate) methods: Methods,
    pub(crate) image: OnceLock<Arc<MemoryImage>>,
}

impl Code {
    /// The size of a storage field's values, if they can have slots of the window.
    #[inline]
    pub(crate) fn slot_size(&self, field: u8) -> Option<usize> {
        self.slot_sizes.get(usize::from(field)).copied().flatten().map(usize::from)
    }

    /// What [`Self::slot_sizes`] of a contract are.
    pub(crate) fn slot_sizes_of(abi: &Abi) -> Vec<Option<u8>> {
        let has_slots = |field: &&StorageField| field.prefix_parts.is_none();
        let size = |field| Some(field).filter(has_slots)?.value.fixed_size();
        let sizes = abi.storage.iter().map(size);
        let fits = |size: &usize| *size <= WINDOW_VALUE_BYTES_MAX;
        sizes.map(|size| size.filter(fits).and_then(|size| u8::try_from(size).ok())).collect()
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("hash", &self.hash).field("name", &self.abi.name).finish()
    }
}
