//! How a runtime is set up.

use crate::engine::config::Compiler;
use crate::engine::instance::Reset;
use crate::engine::pages;
use crate::limits::Limits;
use std::path::PathBuf;

/// What happens to a call that touches a key outside its access set. Part of a chain's rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMiss {
    /// It runs again at its place and pays a surcharge; its result is the serial one.
    #[default]
    Repair,
    /// It fails with [`Failure::Undeclared`](crate::Failure::Undeclared), and is charged its whole gas limit.
    Fail,
}

/// How a runtime is set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Worker threads. Default 0: as many as the machine has cores. Changes no result.
    pub threads: usize,
    /// Which of Wasmtime's compilers. Default Cranelift. Changes no result.
    pub compiler: Compiler,
    /// The bounds on guests and blocks. Part of a chain's rules.
    pub limits: Limits,
    /// What a miss leads to. Part of a chain's rules.
    pub on_miss: OnMiss,
    /// Whether [`Runtime::execute`](crate::Runtime::execute) records a trace. Default off; costs about 100 ns a call.
    pub trace: bool,
    /// Whether instances are always rewound as a whole. Default off: only pages that were written
    /// are, where the system can tell, by signal handlers (Linux on x86-64 and aarch64, native
    /// code, and Wasmtime's handler for `SIGSEGV` is the process's, or the one that is calls it).
    /// Set it if the process has a `SIGSEGV` handler that does not pass faults on. Changes no
    /// result, and costs 25 ns for every 4 KiB of a contract's memory and call.
    pub reset_whole: bool,
    /// Where native code is kept for the next start. Default `None`: every upload compiles. Changes
    /// no result. The directory is made if it is missing; on Unix it must be writable by this
    /// account alone, because whoever writes it runs code in this process. See
    /// [`engine::artifact`](crate::engine::artifact).
    pub artifact_dir: Option<PathBuf>,
    /// Keys of a kept state that may be in memory, 128 bytes each and what does not fit into that;
    /// the others are read from the backend when a block names them. Those that the last
    /// [`Limits::history_max`] heights named are in memory in any case. Default 0: all of them, read
    /// at the start. Changes no result.
    pub cache_keys_max: usize,
    /// Bytes of the files in `artifact_dir` together; the oldest make room. Default 0:
    /// [`ARTIFACT_BYTES_MAX`](crate::engine::artifact::ARTIFACT_BYTES_MAX), 1 GiB.
    pub artifact_bytes_max: u64,
}

impl Config {
    /// How instances are rewound in this process.
    pub(crate) fn reset(&self) -> Reset {
        // The interpreter's own code writes to memory, at places where no fault is expected.
        let can_tell = self.compiler != Compiler::Pulley && !self.reset_whole;
        if can_tell && pages::is_supported() { Reset::HotPages } else { Reset::Whole }
    }
}
