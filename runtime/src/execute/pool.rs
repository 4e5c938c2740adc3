//! A worker's live instances, by code.

use crate::engine::code::Code;
use crate::engine::instance::{LiveInstance, Reset};
use crate::execute::host::HostState;
use std::sync::Arc;
use wasmtime::Result;

/// Instances of one worker that are clean and wait for a call. A code that runs at several depths
/// of one call stack has as many instances.
pub(crate) struct InstancePool {
    /// Indexed by [`Code::index`].
    idle: Vec<Idle>,
    live: usize,
    live_max: usize,
    /// Counts takes: the clock of "least recently used".
    takes: u64,
    reset: Reset,
}

#[derive(Default)]
struct Idle {
    /// Boxed, because an instance moves at every take and put.
    #[expect(clippy::vec_box, reason = "a box moves faster than an instance")]
    instances: Vec<Box<LiveInstance<HostState>>>,
    last_take: u64,
}

impl InstancePool {
    /// A pool that keeps at most so many instances, and rewinds them in this way.
    pub(crate) fn new(live_max: usize, reset: Reset) -> Self {
        Self { idle: Vec::new(), live: 0, live_max, takes: 0, reset }
    }

    /// A clean instance of `code`: an idle one, or a new one.
    pub(crate) fn take(&mut self, code: &Arc<Code>) -> Result<Box<LiveInstance<HostState>>> {
        if self.idle.len() <= code.index {
            self.idle.resize_with(code.index + 1, Idle::default);
        }
        self.takes += 1;
        let idle = &mut self.idle[code.index];
        idle.last_take = self.takes;
        if let Some(instance) = idle.instances.pop() {
            return Ok(instance);
        }
        if self.live >= self.live_max {
            self.drop_least_recent();
        }
        let placeholder = HostState::default();
        let instance =
            LiveInstance::new(code, &code.linked, HostState::new, placeholder, self.reset)?;
        self.live += 1;
        Ok(Box::new(instance))
    }

    /// Rewinds an instance and keeps it, or drops it if it can't be rewound.
    pub(crate) fn put(&mut self, mut instance: Box<LiveInstance<HostState>>) {
        if instance.reset() {
            self.idle[instance.code.index].instances.push(instance);
        } else {
            self.live -= 1;
        }
    }

    fn drop_least_recent(&mut self) {
        let oldest = self
            .idle
            .iter_mut()
            .filter(|idle| !idle.instances.is_empty())
            .min_by_key(|idle| idle.last_take);
        if let Some(idle) = oldest {
            self.live -= idle.instances.len();
            idle.instances.clear();
        }
    }
}
