//! Which shard a value belongs to: one function, which contracts use in the run and the host before
//! it ([`Expr::Shard`](crate::Expr::Shard)).
//!
//! ```text
//! h = bytes' length
//! for each 8 bytes, the last ones filled up with zeros:
//!     h = (h xor the bytes, little-endian) · 0x9e37_79b9_7f4a_7c15;   h = h xor (h >> 32)
//! h = the finalizer of splitmix64 (h)
//! shard = (h >> 32) · count >> 32
//! ```
//!
//! Not a cryptographic hash: whoever may choose a value may choose its shard. That changes who waits
//! for whom, never a result.

/// The most shards: one is a key part of type `u8`.
pub const SHARD_COUNT_MAX: u16 = 256;

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A number below `count`, the same for the same bytes (a value's borsh encoding), and about as
/// often each number as any other.
///
/// `count` is from 1 to [`SHARD_COUNT_MAX`]; of any other the result means nothing.
///
/// # Examples
/// ```
/// use tollway_host_api::shard::shard_of;
/// assert!(shard_of(b"alice", 8) < 8);
/// assert_eq!(shard_of(b"alice", 1), 0);
/// ```
#[inline]
pub const fn shard_of(bytes: &[u8], count: u16) -> u8 {
    let mut hash = bytes.len() as u64;
    let mut rest = bytes;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        hash = step(hash, u64::from_le_bytes(*chunk));
        rest = after;
    }
    if !rest.is_empty() {
        let mut word = 0;
        let mut at = 0;
        while at < rest.len() {
            word |= (rest[at] as u64) << (8 * at);
            at += 1;
        }
        hash = step(hash, word);
    }
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (((hash >> 32) * count as u64) >> 32) as u8
}

const fn step(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(FACTOR);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Declarations are made of it, so it can never change.
    #[test]
    fn is_pinned() {
        let shards = |count| {
            [&b""[..], b"a", b"12345678", b"123456789", &[0; 32], &[0xff; 32]]
                .map(|bytes| shard_of(bytes, count))
        };
        assert_eq!(shards(1), [0; 6]);
        assert_eq!(shards(256), [0, 48, 90, 103, 25, 86]);
        assert_eq!(shards(8), [0, 1, 2, 3, 0, 2]);
    }

    #[test]
    fn is_below_count_and_even() {
        for count in [1u16, 2, 3, 8, 100, 256] {
            let mut found = vec![0u32; usize::from(count)];
            for number in 0..u32::from(count) * 1_000 {
                // What differs in a few bits alone is spread too: numbers, and addresses of tests.
                let mut address = [0; 32];
                address[24..28].copy_from_slice(&number.to_be_bytes());
                found[usize::from(shard_of(&address, count))] += 1;
                found[usize::from(shard_of(&number.to_le_bytes(), count))] += 1;
            }
            assert!(found.iter().all(|found| (1_800..2_200).contains(found)), "{found:?}");
        }
    }
}
