//! What one batch changed, with the values before and after: the log, the undo and the history.
//!
//! ```text
//! page entry: key → old_bytes + 1: varint (0 none) │ 1 or 0: set or removed │ old │ new
//! ```
//!
//! # Invariants
//! 1. A key whose value stays the same is not among the changes (`tests::keeps_what_differs`).
//! 2. Bytes that are not changes are refused, never a panic (`tests::damaged_pages_are_refused`).

use crate::{
    BackendError, Change,
    batch::Write,
    page::{Page, PageBuilder, read_varint, write_varint},
    tree,
};
use rayon::prelude::*;

/// The most bytes of a page of changes with more than one entry: with what surrounds it, it fills
/// 32 KiB of a database.
pub const CHANGES_BYTES_MAX: usize = 32_500;

/// Changes are worked on in runs of this many.
const RUN: usize = 1024;

/// What one batch changed, by ascending key.
#[derive(Clone, Default, Debug)]
pub struct Changes {
    pages: Vec<Page>,
}

impl Changes {
    /// What differs between the values before, `old`, and after, `writes`; both by ascending key.
    /// Runs in the current rayon pool.
    pub fn of(writes: &[Write<'_>], old: &[Option<&[u8]>]) -> Changes {
        let run = |builder: &mut PageBuilder, (writes, old): (&[Write<'_>], &[Option<&[u8]>])| {
            for ((key, new), old) in writes.iter().zip(old).filter(|(write, old)| write.1 != **old)
            {
                push(builder, Change { key, old: *old, new: *new });
            }
            let mut pages = Vec::new();
            builder.finish_split(CHANGES_BYTES_MAX, &mut pages);
            pages
        };
        if writes.len() <= RUN {
            return Changes { pages: run(&mut PageBuilder::new(), (writes, old)) };
        }
        let runs: Vec<Vec<Page>> = (writes.par_chunks(RUN).zip(old.par_chunks(RUN)))
            .map_init(PageBuilder::new, run)
            .collect();
        Changes { pages: runs.into_iter().flatten().collect() }
    }

    /// The changes from `first` and then from `second`, as one.
    pub fn join(first: &Changes, second: &Changes) -> Changes {
        let mut builder = PageBuilder::new();
        let mut pages = Vec::new();
        let mut add = |change: Change<'_>| {
            if change.old != change.new {
                push(&mut builder, change);
            }
            if builder.bytes_len() > CHANGES_BYTES_MAX {
                builder.finish_split(CHANGES_BYTES_MAX, &mut pages);
            }
        };
        let (mut first, mut second) = (first.iter().peekable(), second.iter().peekable());
        loop {
            match (first.peek(), second.peek()) {
                (None, None) => break,
                (Some(a), Some(b)) if a.key == b.key => {
                    add(Change { key: a.key, old: a.old, new: b.new });
                    first.next();
                    second.next();
                }
                (Some(a), b) if b.is_none_or(|b| a.key < b.key) => {
                    add(*a);
                    first.next();
                }
                (_, Some(b)) => {
                    add(*b);
                    second.next();
                }
                (Some(_), None) => unreachable!("the arm before takes it"),
            }
        }
        builder.finish_split(CHANGES_BYTES_MAX, &mut pages);
        Changes { pages }
    }

    /// Takes stored pages as changes, after a look at every entry.
    ///
    /// # Errors
    /// [`BackendError::Damaged`] if they are not what [`Self::of`] writes.
    pub fn from_pages(pages: Vec<Page>) -> Result<Changes, BackendError> {
        pages.iter().try_for_each(check_page)?;
        let keys = |pair: &[Page]| pair[0].key(pair[0].len() - 1) < pair[1].key(0);
        if pages.iter().any(Page::is_empty) || !pages.windows(2).all(keys) {
            return Err(BackendError::damaged("pages of changes out of order"));
        }
        Ok(Changes { pages })
    }

    /// The pages in order.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// How many keys changed.
    pub fn len(&self) -> usize {
        self.pages.iter().map(Page::len).sum()
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The changes by ascending key.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.pages.iter().flat_map(page_changes)
    }

    /// The change of `key`, if it changed.
    pub fn get(&self, key: &[u8]) -> Option<Change<'_>> {
        let page = self.pages.partition_point(|page| page.key(0) <= key).checked_sub(1)?;
        change_in(&self.pages[page], key)
    }

    /// The writes that make the changes.
    pub fn redo(&self) -> Vec<Write<'_>> {
        self.iter().map(|change| (change.key, change.new)).collect()
    }

    /// The writes that take the changes back.
    pub fn undo(&self) -> Vec<Write<'_>> {
        self.iter().map(|change| (change.key, change.old)).collect()
    }

    /// The changes as the tree takes them. Hashes in the current rayon pool.
    pub fn for_tree(&self) -> Vec<tree::Change> {
        self.map_all(|change| tree::Change::new(change.key, change.old, change.new))
    }

    /// As [`Self::for_tree`], taking the changes back.
    pub fn for_tree_undo(&self) -> Vec<tree::Change> {
        self.map_all(|change| tree::Change::new(change.key, change.new, change.old))
    }

    fn map_all(&self, map: impl Fn(Change<'_>) -> tree::Change + Send + Sync) -> Vec<tree::Change> {
        match &self.pages[..] {
            [] | [_] => self.iter().map(map).collect(),
            pages => pages.par_iter().flat_map_iter(page_changes).map(map).collect(),
        }
    }
}

/// Looks at every entry of a page of changes.
///
/// # Errors
/// [`BackendError::Damaged`] if one is not a change.
pub fn check_page(page: &Page) -> Result<(), BackendError> {
    match page.iter().all(|(key, value)| value.and_then(|value| parse(key, value)).is_some()) {
        true => Ok(()),
        false => Err(BackendError::damaged("an entry that is not a change")),
    }
}

/// The change of `key` in a page that [`check_page`] has seen.
pub fn change_in<'a>(page: &'a Page, key: &[u8]) -> Option<Change<'a>> {
    let index = page.search(key, 0).ok()?;
    let (key, value) = page.entry(index);
    parse(key, value?)
}

fn page_changes(page: &Page) -> impl Iterator<Item = Change<'_>> {
    page.iter().filter_map(|(key, value)| parse(key, value?))
}

fn push(builder: &mut PageBuilder, change: Change<'_>) {
    let mut head = Vec::with_capacity(8);
    head.push(1);
    write_varint(change.old.map_or(0, |old| old.len() + 1), &mut head);
    head.push(u8::from(change.new.is_some()));
    let old = change.old.unwrap_or_default();
    let new = change.new.unwrap_or_default();
    builder.push_parts(change.key, &[&head, old, new]);
}

fn parse<'a>(key: &'a [u8], value: &'a [u8]) -> Option<Change<'a>> {
    let (old_bytes, at) = read_varint(value)?;
    let is_set = match value.get(at)? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let rest = &value[at + 1..];
    let (old, new) = rest.split_at_checked(old_bytes.saturating_sub(1))?;
    if !is_set && !new.is_empty() {
        return None;
    }
    Some(Change { key, old: (old_bytes > 0).then_some(old), new: is_set.then_some(new) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    type Map = BTreeMap<Vec<u8>, (Option<Vec<u8>>, Option<Vec<u8>>)>;

    fn any_value() -> impl Strategy<Value = Option<Vec<u8>>> {
        proptest::option::of(proptest::collection::vec(0u8..2, 0..3))
    }

    fn any_changes() -> impl Strategy<Value = Map> {
        let key = proptest::collection::vec(0u8..6, 0..4);
        proptest::collection::btree_map(key, (any_value(), any_value()), 0..80)
    }

    fn changes(map: &Map) -> Changes {
        let writes: Vec<Write<'_>> =
            map.iter().map(|(key, (_, new))| (&key[..], new.as_deref())).collect();
        let old: Vec<Option<&[u8]>> = map.values().map(|(old, _)| old.as_deref()).collect();
        Changes::of(&writes, &old)
    }

    fn entries(changes: &Changes) -> Map {
        let owned = |value: Option<&[u8]>| value.map(<[u8]>::to_vec);
        changes.iter().map(|c| (c.key.to_vec(), (owned(c.old), owned(c.new)))).collect()
    }

    proptest! {
        #[test]
        fn keeps_what_differs(map in any_changes()) {
            let changes = changes(&map);
            let mut expected = map.clone();
            expected.retain(|_, (old, new)| old != new);
            prop_assert_eq!(entries(&changes), expected.clone());
            prop_assert_eq!(changes.len(), expected.len());
            for key in map.keys() {
                let found = changes.get(key).map(|c| (c.old.map(<[u8]>::to_vec), c.new.map(<[u8]>::to_vec)));
                prop_assert_eq!(found.as_ref(), expected.get(key));
            }
            prop_assert!(Changes::from_pages(changes.pages().to_vec()).is_ok());
        }

        #[test]
        fn joined_changes_go_from_first_to_last(first in any_changes(), second in any_changes()) {
            // The second starts where the first ended.
            let mut second = second;
            let first_kept: Map = first.iter().filter(|(_, (a, b))| a != b)
                .map(|(key, change)| (key.clone(), change.clone())).collect();
            for (key, (old, _)) in second.iter_mut() {
                if let Some((_, new)) = first_kept.get(key) {
                    old.clone_from(new);
                }
            }
            let joined = Changes::join(&changes(&first), &changes(&second));
            let mut expected = first_kept;
            for (key, (old, new)) in second {
                expected.entry(key).or_insert((old, None)).1 = new;
            }
            expected.retain(|_, (old, new)| old != new);
            prop_assert_eq!(entries(&joined), expected);
        }

        #[test]
        fn damaged_pages_are_refused(map in any_changes(), flips in proptest::collection::vec(
            (any::<proptest::sample::Index>(), 1u8..), 1..4)
        ) {
            for page in changes(&map).pages() {
                let mut bytes = page.bytes().to_vec();
                for (at, flip) in &flips {
                    let at = at.index(bytes.len());
                    bytes[at] ^= flip;
                }
                if let Ok(page) = Page::from_bytes(bytes)
                    && let Ok(changes) = Changes::from_pages(vec![page])
                {
                    prop_assert_eq!(changes.iter().count(), changes.len());
                }
            }
        }
    }
}
