//! An ordered map as a list of pages. Clones share their pages, so a snapshot costs nothing until
//! the map changes.
//!
//! ```text
//! pages     [a .. f]  [g .. p]  [q .. z]
//! writes         c d             r
//! after     [a....f]  [g .. p]  [q....z]      pages without a write are not touched
//! ```
//!
//! # Invariants
//! 1. Every key of a page is less than every key of the next; no page is empty
//!    (`tests::behaves_like_a_map`).
//! 2. A clone keeps what it held (`tests::behaves_like_a_map`).
//! 3. What is held depends on the writes alone, not on threads (`tests::behaves_like_a_map`).

use crate::{
    batch::Write,
    page::{Page, PageBuilder},
};
use rayon::prelude::*;
use std::{ops::Bound, sync::Arc};

/// The most bytes of a page with more than one entry: with its key and what surrounds it, it
/// fills one 4 KiB page of a database.
pub const PAGE_BYTES_MAX: usize = 3900;

/// Fewer pages than this are worked on by the calling thread alone.
const PARALLEL_PAGES_MIN: usize = 64;

/// Fewer keys than this are looked up by the calling thread alone.
const PARALLEL_KEYS_MIN: usize = 1024;

/// An ordered map of byte keys to byte values, or to marks of removed keys.
#[derive(Clone, Debug)]
pub struct Pages {
    pages: Arc<Vec<Page>>,
    keep_removed: bool,
    bytes: usize,
}

/// Writes of one page: which page, and which of the writes.
struct Job {
    page: usize,
    from: usize,
    to: usize,
}

impl Pages {
    /// An empty map in which removed keys are gone.
    pub fn new() -> Pages {
        Pages { pages: Arc::default(), keep_removed: false, bytes: 0 }
    }

    /// An empty map that remembers which keys were removed: changes to lay over another map.
    pub fn overlay() -> Pages {
        Pages { keep_removed: true, ..Pages::new() }
    }

    /// The pages in order.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// The bytes of all pages.
    pub fn bytes_len(&self) -> usize {
        self.bytes
    }

    /// Whether no key is held, not even as removed.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The entry of `key`: its value, `Some(None)` where it is marked as removed, or `None`.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.pages.get(self.page_of(key, 0))?.get(key)
    }

    /// The entries of ascending keys, as [`Self::get`] gives them. Runs in the current rayon pool
    /// if there are many.
    pub fn get_sorted<'a>(&'a self, keys: &[&[u8]]) -> Vec<Option<Option<&'a [u8]>>> {
        let mut found = vec![None; keys.len()];
        if self.is_empty() {
            return found;
        }
        if keys.len() <= PARALLEL_KEYS_MIN {
            self.get_run(keys, &mut found);
        } else {
            (found.par_chunks_mut(PARALLEL_KEYS_MIN).zip(keys.par_chunks(PARALLEL_KEYS_MIN)))
                .for_each(|(found, keys)| self.get_run(keys, found));
        }
        found
    }

    fn get_run<'a>(&'a self, keys: &[&[u8]], found: &mut [Option<Option<&'a [u8]>>]) {
        let (mut page, mut index) = (0, 0);
        for (found, key) in found.iter_mut().zip(keys) {
            let next = self.page_of(key, page);
            if next != page {
                (page, index) = (next, 0);
            }
            let Some(entries) = self.pages.get(page) else { return };
            match entries.search(key, index) {
                Ok(at) => (index, *found) = (at, Some(entries.entry(at).1)),
                Err(at) => index = at,
            }
        }
    }

    /// Applies writes with ascending keys. Runs in the current rayon pool.
    pub fn apply(&mut self, writes: &[Write<'_>]) {
        let jobs = self.jobs(writes);
        let merge = |builder: &mut PageBuilder, job: &Job| {
            let writes = &writes[job.from..job.to];
            builder.merge(self.pages.get(job.page), writes, self.keep_removed);
            let mut pages = Vec::with_capacity(1);
            builder.finish_split(PAGE_BYTES_MAX, &mut pages);
            pages
        };
        let merged: Vec<Vec<Page>> = if jobs.len() < PARALLEL_PAGES_MIN {
            let mut builder = PageBuilder::new();
            jobs.iter().map(|job| merge(&mut builder, job)).collect()
        } else {
            jobs.par_iter().with_min_len(16).map_init(PageBuilder::new, merge).collect()
        };
        self.replace(&jobs, merged);
    }

    /// The entries from a bound on by ascending key, removed ones too.
    pub fn iter_from(&self, from: Bound<&[u8]>) -> impl Iterator<Item = Write<'_>> {
        let page = match from {
            Bound::Included(key) | Bound::Excluded(key) => self.page_of(key, 0),
            Bound::Unbounded => 0,
        };
        let start = self.pages.get(page).map_or(0, |page| page.start_of(from));
        let rest = self.pages.get(page + 1..).unwrap_or_default();
        let first = self.pages.get(page).into_iter();
        first
            .flat_map(move |page| page.iter_from(start))
            .chain(rest.iter().flat_map(|page| page.iter_from(0)))
    }

    /// Which page holds `key` or would: the last that starts at or before it. At or after `from`,
    /// which must not lie behind it.
    fn page_of(&self, key: &[u8], from: usize) -> usize {
        // Keys that come sorted are mostly in the same page or one of the next.
        let mut step = 1;
        let mut low = from;
        while self.starts_at_or_before(low + step, key) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step).min(self.pages.len());
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if self.starts_at_or_before(middle, key) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    fn starts_at_or_before(&self, page: usize, key: &[u8]) -> bool {
        self.pages.get(page).is_some_and(|page| page.key(0) <= key)
    }

    fn jobs(&self, writes: &[Write<'_>]) -> Vec<Job> {
        let mut jobs: Vec<Job> = Vec::new();
        let mut from = 0;
        let mut page = 0;
        while from < writes.len() {
            page = self.page_of(writes[from].0, page);
            let to = match self.pages.get(page + 1) {
                Some(next) => from + writes[from..].partition_point(|write| write.0 < next.key(0)),
                None => writes.len(),
            };
            jobs.push(Job { page, from, to });
            from = to;
        }
        jobs
    }

    /// Puts merged pages in the place of those that the jobs name.
    fn replace(&mut self, jobs: &[Job], merged: Vec<Vec<Page>>) {
        let old_bytes: usize = (jobs.iter())
            .filter_map(|job| self.pages.get(job.page))
            .map(|page| page.bytes().len())
            .sum();
        let new_bytes: usize = merged.iter().flatten().map(|page| page.bytes().len()).sum();
        self.bytes = self.bytes - old_bytes + new_bytes;
        let pages = Arc::make_mut(&mut self.pages);
        let one_to_one = jobs.iter().all(|job| job.page < pages.len())
            && merged
                .iter()
                .all(|new| new.len() == 1 && new[0].bytes().len() >= PAGE_BYTES_MAX / 8);
        if one_to_one {
            for (job, new) in jobs.iter().zip(merged) {
                pages.splice(job.page..job.page + 1, new);
            }
            return;
        }
        let mut old = std::mem::take(pages).into_iter();
        let mut copied = 0;
        for (job, new) in jobs.iter().zip(merged) {
            pages.extend(old.by_ref().take(job.page - copied));
            old.next();
            copied = job.page + 1;
            for page in new {
                self.bytes -= push_joined(pages, page);
            }
        }
        pages.extend(old);
    }
}

impl Default for Pages {
    fn default() -> Pages {
        Pages::new()
    }
}

/// Adds a page at the end, as part of the page before it if one of both is small. Gives the bytes
/// that this saves.
pub fn push_joined(pages: &mut Vec<Page>, page: Page) -> usize {
    let small = PAGE_BYTES_MAX / 4;
    match pages.last_mut() {
        Some(last)
            if last.bytes().len().min(page.bytes().len()) < small
                && last.bytes().len() + page.bytes().len() <= PAGE_BYTES_MAX / 4 * 3 =>
        {
            let writes: Vec<Write<'_>> = page.iter().collect();
            let mut builder = PageBuilder::new();
            builder.merge(Some(last), &writes, true);
            let joined = builder.finish();
            let saved = last.bytes().len() + page.bytes().len() - joined.bytes().len();
            *last = joined;
            saved
        }
        _ => {
            pages.push(page);
            0
        }
    }
}

/// Whether `key` lies behind the end of a range.
pub fn is_past(key: &[u8], to: Bound<&[u8]>) -> bool {
    match to {
        Bound::Included(to) => key > to,
        Bound::Excluded(to) => key >= to,
        Bound::Unbounded => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Map = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

    fn any_writes() -> impl Strategy<Value = Map> {
        let key = proptest::collection::vec(any::<u8>(), 1..4);
        let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
        proptest::collection::btree_map(key, value, 0..400)
    }

    fn entries(pages: &Pages) -> Map {
        let mut map = Map::new();
        for (key, value) in pages.iter_from(Bound::Unbounded) {
            assert!(map.last_key_value().is_none_or(|(last, _)| &last[..] < key));
            map.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        }
        map
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(
            batches in proptest::collection::vec(any_writes(), 1..12),
            keep_removed: bool,
            asked in any_writes(),
        ) {
            let mut pages = if keep_removed { Pages::overlay() } else { Pages::new() };
            let mut map = Map::new();
            let mut clones = Vec::new();
            for batch in &batches {
                clones.push((pages.clone(), map.clone()));
                let writes: Vec<Write<'_>> =
                    batch.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
                pages.apply(&writes);
                map.extend(batch.clone());
                map.retain(|_, value| keep_removed || value.is_some());
                prop_assert_eq!(entries(&pages), map.clone());
                prop_assert!(pages.pages().iter().all(|page| !page.is_empty()));
                let bytes: usize = pages.pages().iter().map(|page| page.bytes().len()).sum();
                prop_assert_eq!(pages.bytes_len(), bytes);
            }
            for (pages, map) in clones {
                prop_assert_eq!(entries(&pages), map);
            }
            let keys: Vec<&[u8]> = asked.keys().chain(map.keys()).map(|key| &key[..]).collect();
            let mut keys = keys;
            keys.sort();
            let expected: Vec<Option<Option<&[u8]>>> =
                keys.iter().map(|key| map.get(*key).map(|value| value.as_deref())).collect();
            prop_assert_eq!(pages.get_sorted(&keys), expected.clone());
            let single: Vec<Option<Option<&[u8]>>> = keys.iter().map(|key| pages.get(key)).collect();
            prop_assert_eq!(single, expected);
        }

        #[test]
        fn ranges_are_those_of_a_map(
            batch in any_writes(),
            from in proptest::collection::vec(any::<u8>(), 0..3),
            to in proptest::collection::vec(any::<u8>(), 0..3),
            kinds in (0..3, 0..3),
        ) {
            let mut pages = Pages::overlay();
            let writes: Vec<Write<'_>> =
                batch.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
            pages.apply(&writes);
            let bound = |kind, key| match kind {
                0 => Bound::Included(key),
                1 => Bound::Excluded(key),
                _ => Bound::Unbounded,
            };
            let (from, to) = (bound(kinds.0, &from[..]), bound(kinds.1, &to[..]));
            let seen: Vec<Vec<u8>> = (pages.iter_from(from))
                .map(|(key, _)| key.to_vec())
                .take_while(|key| !is_past(key, to))
                .collect();
            let expected: Vec<Vec<u8>> = (batch.keys())
                .filter(|key| match from {
                    Bound::Included(from) => &key[..] >= from,
                    Bound::Excluded(from) => &key[..] > from,
                    Bound::Unbounded => true,
                })
                .filter(|key| !is_past(key, to))
                .cloned()
                .collect();
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn empty_pages_go_and_small_ones_join() {
        let mut pages = Pages::new();
        let keys: Vec<[u8; 4]> = (0u32..20_000).map(u32::to_be_bytes).collect();
        let all: Vec<Write<'_>> = keys.iter().map(|key| (&key[..], Some(&key[..]))).collect();
        pages.apply(&all);
        assert!(pages.pages().len() > 50);
        let most: Vec<Write<'_>> = (keys.iter().enumerate())
            .filter(|(index, _)| index % 100 != 0)
            .map(|(_, key)| (&key[..], None))
            .collect();
        pages.apply(&most);
        assert_eq!(pages.pages().len(), 1, "200 small entries left");
    }
}
