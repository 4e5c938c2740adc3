//! A page: a few kilobytes of sorted entries in one buffer, never changed once made.
//!
//! ```text
//! count: u32 │ ends: u32 × count │ entry entry entry ...
//!                                  └ key_bytes: varint │ key │ 1, value  or  0 where removed
//! ```
//!
//! The same bytes lie in memory, on disk, in the log and in snapshots.
//!
//! # Invariants
//! 1. The keys of a page ascend (`tests::damaged_bytes_are_refused`).
//! 2. No bytes, however damaged, make a function of a checked page panic
//!    (`tests::damaged_bytes_are_refused`).
//! 3. Merging gives what a plain ordered map gives (`tests::merges_like_a_map`).

use crate::{KEY_BYTES_MAX, batch::Write};
use std::{ops::Bound, sync::Arc};

/// A page. Cheap to clone: clones share their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page(Arc<[u8]>);

/// Bytes that are not a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a page: {0}")]
pub struct PageError(&'static str);

const COUNT_BYTES: usize = 4;
const END_BYTES: usize = 4;

impl Page {
    /// Takes stored bytes as a page, after a look at every entry.
    ///
    /// # Errors
    /// [`PageError`] if they are not what [`PageBuilder`] writes.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Page, PageError> {
        let page = Page(bytes.into());
        page.check()?;
        Ok(page)
    }

    /// The page's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many entries there are, removed ones counted.
    pub fn len(&self) -> usize {
        self.u32_at(0) as usize
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `index`-th key.
    ///
    /// # Panics
    /// If there are fewer entries.
    pub fn key(&self, index: usize) -> &[u8] {
        split(self.entry_bytes(index)).0
    }

    /// The `index`-th entry.
    ///
    /// # Panics
    /// If there are fewer entries.
    pub fn entry(&self, index: usize) -> Write<'_> {
        let (key, tagged) = split(self.entry_bytes(index));
        (key, (tagged[0] == 1).then(|| &tagged[1..]))
    }

    /// The entries by ascending key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Write<'_>> {
        (0..self.len()).map(|index| self.entry(index))
    }

    /// The entries from the `index`-th on.
    pub fn iter_from(&self, index: usize) -> impl ExactSizeIterator<Item = Write<'_>> {
        (index..self.len()).map(|index| self.entry(index))
    }

    /// The index of the first entry that a range from this bound on holds.
    pub fn start_of(&self, from: Bound<&[u8]>) -> usize {
        match from {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.search(key, 0).unwrap_or_else(|at| at),
            Bound::Excluded(key) => self.search(key, 0).map_or_else(|at| at, |at| at + 1),
        }
    }

    /// The entry of `key`: its value, `Some(None)` where it is marked as removed, or `None`.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.search(key, 0).ok().map(|index| self.entry(index).1)
    }

    /// The index of `key`, or where it would be, at or after `from`. Keys before `from` must be
    /// less than `key`.
    pub fn search(&self, key: &[u8], from: usize) -> Result<usize, usize> {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.key(middle).cmp(key) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    fn check(&self) -> Result<(), PageError> {
        let bytes = &self.0;
        if bytes.len() < COUNT_BYTES {
            return Err(PageError("no room for a count"));
        }
        let entries_at = (self.len())
            .checked_mul(END_BYTES)
            .and_then(|ends| ends.checked_add(COUNT_BYTES))
            .filter(|at| *at <= bytes.len())
            .ok_or(PageError("count beyond the end"))?;
        let mut start = 0;
        let mut last_key: Option<&[u8]> = None;
        for index in 0..self.len() {
            let end = self.end(index);
            let entry = (bytes[entries_at..].get(start..end)).ok_or(PageError("entry outside"))?;
            let (key_bytes, key_at) = read_varint(entry).ok_or(PageError("key size"))?;
            let tagged = (key_at.checked_add(key_bytes))
                .and_then(|at| entry.get(at..))
                .ok_or(PageError("key beyond its entry"))?;
            if key_bytes > KEY_BYTES_MAX {
                return Err(PageError("key too long"));
            }
            if !matches!(tagged, [0] | [1, ..]) {
                return Err(PageError("value tag"));
            }
            let key = &entry[key_at..key_at + key_bytes];
            if last_key.is_some_and(|last| last >= key) {
                return Err(PageError("keys do not ascend"));
            }
            last_key = Some(key);
            start = end;
        }
        if entries_at + start != bytes.len() {
            return Err(PageError("bytes after the last entry"));
        }
        Ok(())
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    /// Where the `index`-th entry ends, counted from the start of the first.
    fn end(&self, index: usize) -> usize {
        self.u32_at(COUNT_BYTES + END_BYTES * index) as usize
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.end(index - 1) }
    }

    fn entry_bytes(&self, index: usize) -> &[u8] {
        let entries_at = COUNT_BYTES + END_BYTES * self.len();
        &self.0[entries_at + self.start(index)..entries_at + self.end(index)]
    }
}

/// Key, and tag with value, of a checked entry.
fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let (key_bytes, at) = match entry[0] {
        short @ 0..0x80 => (short as usize, 1),
        _ => read_varint(entry).expect("entries are checked when a page is made"),
    };
    entry[at..].split_at(key_bytes)
}

/// A little-endian base-128 number below 2^28, and the bytes it takes.
pub(crate) fn read_varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        number |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, index + 1));
        }
    }
    None
}

pub(crate) fn write_varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Collects entries with ascending keys into pages.
#[derive(Default, Debug)]
pub struct PageBuilder {
    ends: Vec<u32>,
    entries: Vec<u8>,
}

impl PageBuilder {
    /// No entries.
    pub fn new() -> PageBuilder {
        PageBuilder::default()
    }

    /// How many bytes the page would have.
    pub fn bytes_len(&self) -> usize {
        COUNT_BYTES + END_BYTES * self.ends.len() + self.entries.len()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// An estimate of what was put in: keys, values, and 8 bytes for each.
    pub(crate) fn content_bytes(&self) -> usize {
        self.entries.len() + 6 * self.ends.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds an entry. Its key must be greater than that of the entry before.
    pub fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        match value {
            Some(value) => self.push_parts(key, &[&[1], value]),
            None => self.push_parts(key, &[&[0]]),
        }
    }

    /// Adds an entry whose tag and value are the parts one after the other.
    pub(crate) fn push_parts(&mut self, key: &[u8], parts: &[&[u8]]) {
        write_varint(key.len(), &mut self.entries);
        self.entries.extend_from_slice(key);
        parts.iter().for_each(|part| self.entries.extend_from_slice(part));
        self.ends.push(u32::try_from(self.entries.len()).expect("pages are cut far below 4 GiB"));
    }

    /// Adds the entries `from..to` of a page at once.
    fn push_run(&mut self, page: &Page, from: usize, to: usize) {
        if from == to {
            return;
        }
        let entries_at = COUNT_BYTES + END_BYTES * page.len();
        let start = page.start(from);
        // Both are offsets into buffers far below 4 GiB, and wrapping undoes itself.
        let shift = (self.entries.len() as u32).wrapping_sub(start as u32);
        self.entries.extend_from_slice(&page.0[entries_at + start..entries_at + page.end(to - 1)]);
        self.ends.extend((from..to).map(|index| (page.end(index) as u32).wrapping_add(shift)));
    }

    /// Makes a page of the entries, and is empty again.
    pub fn finish(&mut self) -> Page {
        let page = self.cut(0, self.ends.len());
        self.ends.clear();
        self.entries.clear();
        page
    }

    /// Makes pages of the entries, each of about the same size and none above `bytes_max` unless
    /// it holds a single entry, and is empty again. No pages if there are no entries.
    pub fn finish_split(&mut self, bytes_max: usize, pages: &mut Vec<Page>) {
        if self.bytes_len() <= bytes_max {
            if !self.is_empty() {
                pages.push(self.finish());
            }
            return;
        }
        // Three quarters full, so that the next writes do not split them again.
        let parts = self.bytes_len().div_ceil(bytes_max / 4 * 3).max(2);
        let part_bytes = self.bytes_len().div_ceil(parts).min(bytes_max);
        let (mut from, mut bytes) = (0, COUNT_BYTES);
        for index in 0..self.ends.len() {
            let start = if index == 0 { 0 } else { self.ends[index - 1] };
            let entry_bytes = END_BYTES + (self.ends[index] - start) as usize;
            if index > from && bytes + entry_bytes > part_bytes {
                pages.push(self.cut(from, index));
                (from, bytes) = (index, COUNT_BYTES);
            }
            bytes += entry_bytes;
        }
        pages.push(self.cut(from, self.ends.len()));
        self.ends.clear();
        self.entries.clear();
    }

    fn cut(&self, from: usize, to: usize) -> Page {
        let start = if from == 0 { 0 } else { self.ends[from - 1] };
        let end = if to == 0 { 0 } else { self.ends[to - 1] };
        let count = (to - from) as u32;
        let mut bytes =
            Vec::with_capacity(COUNT_BYTES + END_BYTES * (to - from) + (end - start) as usize);
        bytes.extend_from_slice(&count.to_le_bytes());
        for end in &self.ends[from..to] {
            bytes.extend_from_slice(&(end - start).to_le_bytes());
        }
        bytes.extend_from_slice(&self.entries[start as usize..end as usize]);
        Page(bytes.into())
    }

    /// Adds the entries of `old` with `writes` applied. With `keep_removed` a removed key stays
    /// as a mark, else it is gone.
    pub fn merge(&mut self, old: Option<&Page>, writes: &[Write<'_>], keep_removed: bool) {
        let Some(old) = old else {
            for (key, value) in writes.iter().filter(|write| keep_removed || write.1.is_some()) {
                self.push(key, *value);
            }
            return;
        };
        let mut copied = 0;
        for (key, value) in writes {
            let (index, next) = match old.search(key, copied) {
                Ok(index) => (index, index + 1),
                Err(index) => (index, index),
            };
            self.push_run(old, copied, index);
            if keep_removed || value.is_some() {
                self.push(key, *value);
            }
            copied = next;
        }
        self.push_run(old, copied, old.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Map = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn any_map() -> impl Strategy<Value = Map> {
        let key = proptest::collection::vec(0u8..4, 0..5);
        let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40));
        proptest::collection::btree_map(key, value, 0..60)
    }

    fn writes(map: &Map) -> Vec<Write<'_>> {
        map.iter().map(|(key, value)| (&key[..], value.as_deref())).collect()
    }

    fn page(map: &Map) -> Page {
        let mut builder = PageBuilder::new();
        builder.merge(None, &writes(map), true);
        builder.finish()
    }

    proptest! {
        #[test]
        fn merges_like_a_map(old in any_map(), new in any_map(), keep_removed: bool) {
            let mut expected = old.clone();
            expected.extend(new.clone());
            if !keep_removed {
                expected.retain(|key, value| value.is_some() || !new.contains_key(key));
            }
            let mut builder = PageBuilder::new();
            builder.merge(Some(&page(&old)), &writes(&new), keep_removed);
            let mut pages = Vec::new();
            builder.finish_split(256, &mut pages);
            let merged: Vec<Write<'_>> = pages.iter().flat_map(Page::iter).collect();
            prop_assert_eq!(merged, writes(&expected));
            for page in &pages {
                prop_assert!(page.bytes().len() <= 256);
                prop_assert!(Page::from_bytes(page.bytes()).is_ok());
            }
        }

        #[test]
        fn damaged_bytes_are_refused(map in any_map(), flips in proptest::collection::vec(
            (any::<proptest::sample::Index>(), 1u8..), 1..4), cut in any::<proptest::sample::Index>()
        ) {
            let page = page(&map);
            let mut bytes = page.bytes().to_vec();
            for (at, flip) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            bytes.truncate(cut.index(bytes.len() * 2).max(1));
            // What passes the check is a whole page: every entry reads, and keys ascend.
            if let Ok(page) = Page::from_bytes(bytes) {
                let keys: Vec<&[u8]> = page.iter().map(|entry| entry.0).collect();
                prop_assert!(keys.is_sorted_by(|a, b| a < b));
                prop_assert!(keys.iter().enumerate().all(|(index, key)| page.search(key, 0) == Ok(index)));
            }
        }
    }

    #[test]
    fn a_large_entry_has_a_page_of_its_own() {
        let mut builder = PageBuilder::new();
        builder.push(b"a", Some(&[1; 10]));
        builder.push(&vec![b'b'; 60_000], Some(&vec![2; 100_000]));
        builder.push(b"c", None);
        let mut pages = Vec::new();
        builder.finish_split(4000, &mut pages);
        assert_eq!(pages.iter().map(Page::len).collect::<Vec<_>>(), [1, 1, 1]);
        assert_eq!(pages[1].get(&vec![b'b'; 60_000]), Some(Some(&[2; 100_000][..])));
        assert!(pages.iter().all(|page| Page::from_bytes(page.bytes()).is_ok()));
    }
}
