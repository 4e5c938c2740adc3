//! What a store is opened with.

/// What a returned commit promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// Every commit is on disk when it returns: a crash or a power cut loses none.
    EveryBlock,
    /// Commits are put on disk together, at the latest with every `n`-th block. A crash may lose
    /// the blocks after [`durable_head`](tollway_state::Backend::durable_head), always from the
    /// end and never a part of one; the host replays them.
    EveryBlocks(u64),
}

/// What a store is opened with.
///
/// # Examples
/// ```
/// use tollway_state_disk::{DiskOptions, Durability};
/// let options = DiskOptions { durability: Durability::EveryBlocks(16), ..DiskOptions::default() };
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct DiskOptions {
    /// What a returned commit promises. Every block by default.
    pub durability: Durability,
    /// The most memory for changes that are only in the log yet, in bytes. 256 MiB by default.
    /// With less, pages are rewritten more often.
    pub overlay_bytes_max: usize,
    /// The most memory for pages of the state, in bytes. 256 MiB by default.
    pub cache_bytes_max: usize,
    /// Brings pages up to date on a thread of their own. On by default; without it every n-th
    /// commit takes long.
    pub background: bool,
}

impl Default for DiskOptions {
    fn default() -> DiskOptions {
        DiskOptions {
            durability: Durability::EveryBlock,
            overlay_bytes_max: 256 << 20,
            cache_bytes_max: 256 << 20,
            background: true,
        }
    }
}
