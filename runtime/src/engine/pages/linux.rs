//! Linux: `mprotect`, and the engine's `SIGSEGV` handler.

#![allow(unsafe_code, reason = "page protection and signal handlers have no safe form")]

use super::FAULTS_MAX;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use wasmtime::unix::StoreExt;
use wasmtime::{Config, Engine, Instance, Memory, Module, Store};

/// The pages of one memory.
#[derive(Debug)]
pub(crate) struct Pages {
    shared: Arc<Shared>,
    /// The hot pages as byte ranges, as of `known`.
    hot: Vec<Range<usize>>,
    /// How many pages were open when `hot` was made.
    known: usize,
    /// Calls that opened a page.
    faults: u32,
}

/// What the signal handler works on. The memory lies at `base` as long as this lives, because both
/// are the store's.
#[derive(Debug)]
struct Shared {
    base: usize,
    size: usize,
    page_size: usize,
    /// By page.
    open: Vec<AtomicBool>,
    open_count: AtomicUsize,
    /// Whether the system ever refused to open a page.
    has_failed: AtomicBool,
}

impl Shared {
    /// Opens the page at an address, if it is a closed one of ours. Async-signal-safe.
    fn open_at(&self, address: usize) -> bool {
        let Some(offset) = address.checked_sub(self.base).filter(|offset| *offset < self.size)
        else {
            return false;
        };
        let page = offset / self.page_size;
        // A fault on an open page is not for want of the right to write.
        if self.open[page].load(Ordering::Relaxed) {
            return false;
        }
        let start = self.base + page * self.page_size;
        if !set_writable(start, self.page_size, true) {
            self.has_failed.store(true, Ordering::Relaxed);
            return false;
        }
        self.open[page].store(true, Ordering::Relaxed);
        self.open_count.fetch_add(1, Ordering::Relaxed);
        true
    }
}

fn set_writable(start: usize, length: usize, writable: bool) -> bool {
    let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    // SAFETY: the range is a part of a linear memory that its store keeps mapped, readable and
    // writable; readers of it are never taken anything away, and a writer that meets a read-only
    // page is answered by the handler, which makes it writable again.
    unsafe { libc::mprotect(start as *mut libc::c_void, length, protection) == 0 }
}

impl Pages {
    /// Makes the memory of a store's only instance read-only, and the store open pages that are
    /// written. `None` if the system refuses; nothing has changed then.
    pub(crate) fn protect<T>(store: &mut Store<T>, memory: Memory) -> Option<Self> {
        let (base, size) = (memory.data_ptr(&*store) as usize, memory.data_size(&*store));
        // SAFETY: `sysconf` has no preconditions.
        let page_size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        if page_size == 0 || base % page_size != 0 || size % page_size != 0 {
            return None;
        }
        let open = (0..size / page_size).map(|_| AtomicBool::new(false)).collect();
        let open_count = AtomicUsize::new(0);
        let has_failed = AtomicBool::new(false);
        let shared = Arc::new(Shared { base, size, page_size, open, open_count, has_failed });
        let handler = Arc::clone(&shared);
        let handle = move |signal: libc::c_int, info: *const libc::siginfo_t, _| {
            // SAFETY: the system hands a handler the information about its signal, and that of
            // this signal has an address.
            signal == libc::SIGSEGV && handler.open_at(unsafe { (*info).si_addr() } as usize)
        };
        // SAFETY: the handler only reads and writes atomics and calls `mprotect`, and does not
        // allocate or lock.
        unsafe { store.set_signal_handler(handle) };
        (size == 0 || set_writable(base, size, false)).then(|| Self {
            shared,
            hot: Vec::new(),
            known: 0,
            faults: 0,
        })
    }

    /// Whether the system refused to open a page, for want of memory or of mappings. What the call
    /// then met as a trap is none.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.has_failed.load(Ordering::Relaxed)
    }

    /// Makes a range of the memory writable, for writes by the host while the instance does not
    /// run, and says whether that went well.
    pub(crate) fn open(&mut self, range: Range<usize>) -> bool {
        let page_size = self.shared.page_size;
        for page in range.start / page_size..range.end.div_ceil(page_size) {
            self.shared.open_at(self.shared.base + page * page_size);
        }
        !self.has_failed()
    }

    /// The ranges that may differ from the image. Call it once after every run.
    #[inline]
    pub(crate) fn hot(&mut self) -> &[Range<usize>] {
        if self.shared.open_count.load(Ordering::Relaxed) != self.known {
            self.find_hot();
        }
        &self.hot
    }

    #[cold]
    fn find_hot(&mut self) {
        self.faults += 1;
        let Shared { base, size, page_size, open, open_count, .. } = &*self.shared;
        if self.faults >= FAULTS_MAX && set_writable(*base, *size, true) {
            open.iter().for_each(|page| page.store(true, Ordering::Relaxed));
            open_count.store(open.len(), Ordering::Relaxed);
        }
        self.known = open_count.load(Ordering::Relaxed);
        self.hot.clear();
        for (page, is_open) in open.iter().enumerate() {
            if !is_open.load(Ordering::Relaxed) {
                continue;
            }
            let range = page * page_size..(page + 1) * page_size;
            match self.hot.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => self.hot.push(range),
            }
        }
    }
}

/// The address of the process's handler for `SIGSEGV`.
fn current_handler() -> Option<usize> {
    // SAFETY: all zeros are a valid `sigaction`, and a null action only asks for the present one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(libc::SIGSEGV, std::ptr::null(), &mut action) == 0)
            .then_some(action.sa_sigaction)
    }
}

/// Whether faults of running instances reach us in this process. The first answer takes about a
/// millisecond, later ones a system call.
pub(crate) fn is_supported() -> bool {
    static HANDLER: OnceLock<Option<usize>> = OnceLock::new();
    let tested = HANDLER.get_or_init(|| {
        let works = self_test().unwrap_or(false);
        current_handler().filter(|_| works)
    });
    tested.is_some() && current_handler() == *tested
}

/// A module that writes in every way there is: by a store, a store across pages, a fill, a copy;
/// and that traps after a write.
const SELF_TEST: &[u8] = include_bytes!("self_test.wasm");

/// Runs [`SELF_TEST`] on protected pages: what was written must be there, must be known to have
/// been written, and an access out of bounds must still be a trap.
fn self_test() -> wasmtime::Result<bool> {
    let mut config = Config::new();
    config.memory_init_cow(false).memory_reservation(4 << 30).memory_may_move(false);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, SELF_TEST)?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(), ()>(&mut store, "run")?;
    let trap = instance.get_typed_func::<(), ()>(&mut store, "trap")?;
    let Some(memory) = instance.get_memory(&mut store, "memory") else { return Ok(false) };
    let before = memory.data(&store).to_vec();
    let Some(mut pages) = Pages::protect(&mut store, memory) else { return Ok(false) };
    run.call(&mut store, ())?;
    let has_trapped = trap.call(&mut store, ()).is_err();
    let after = memory.data(&store).to_vec();
    let mut expected = before.clone();
    expected[100] = 1;
    expected[3 * 4096 - 4..3 * 4096 + 4].fill(2);
    expected[5 * 4096 + 5..7 * 4096 + 5].fill(3);
    expected[9 * 4096..9 * 4096 + 8].copy_from_slice(&before[..8]);
    expected[11 * 4096] = 4;
    let hot = pages.hot();
    let is_hot = |at: usize| hot.iter().any(|range| range.contains(&at));
    let all_known = (0..after.len()).filter(|at| after[*at] != before[*at]).all(is_hot);
    Ok(has_trapped && after == expected && all_known && !is_hot(13 * 4096))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_test_is_what_it_says() {
        let text = wat::parse_str(include_str!("self_test.wat")).expect("the text is Wasm");
        assert_eq!(SELF_TEST, text);
        assert!(self_test().expect("the self-test runs"));
        assert!(is_supported());
    }
}
