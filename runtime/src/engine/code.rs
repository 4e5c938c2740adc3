//! Uploaded code, compiled and ready to be instantiated.

use crate::engine::instance::MemoryImage;
use crate::execute::host::HostState;
use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::sync::{Arc, OnceLock};
use tollway_host_api::Abi;
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
    pub(crate) image: OnceLock<Arc<MemoryImage>>,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("hash", &self.hash).field("name", &self.abi.name).finish()
    }
}
