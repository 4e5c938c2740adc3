//! Reads through the layers of a store: changes that are only in the log yet, over pages.
//!
//! ```text
//! active    changes since the last were frozen
//! frozen    changes that are being merged into the pages, if any
//! flat      the state before
//! ```
//!
//! # Invariants
//! 1. The uppermost layer that knows a key has its value (`tests/random.rs`).

use crate::flat::{FlatFound, FlatView};
use std::{cmp::Ordering, iter::Peekable, ops::Bound};
use tollway_state::{
    BackendError, Found, Sorted, VisitEntry, Write,
    pages::{Pages, is_past},
};

/// The layers at one moment.
pub(crate) struct Layers<'a> {
    pub(crate) active: &'a Pages,
    pub(crate) frozen: Option<&'a Pages>,
    pub(crate) flat: &'a FlatView,
}

/// Values of ascending keys, by their index.
pub(crate) struct Values<'a> {
    /// What the layers over the pages know.
    over: Vec<Option<Option<&'a [u8]>>>,
    /// What the pages know of the keys that those do not, in the same order.
    flat: FlatFound,
}

impl Values<'_> {
    /// The values in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut in_flat = 0;
        self.over.iter().map(move |over| {
            over.unwrap_or_else(|| {
                in_flat += 1;
                self.flat.get(in_flat - 1)
            })
        })
    }
}

impl<'a> Layers<'a> {
    /// Values of ascending keys. Runs in the current rayon pool if there are many.
    pub(crate) fn get_sorted(&self, keys: &[&[u8]]) -> Result<Values<'a>, BackendError> {
        let mut over = self.active.get_sorted(keys);
        if let Some(frozen) = self.frozen {
            let missing = missing(keys, &over);
            let found = frozen.get_sorted(&missing);
            let places = over.iter_mut().filter(|value| value.is_none());
            places.zip(found).for_each(|(place, value)| *place = value);
        }
        let flat = self.flat.get_sorted(&missing(keys, &over))?;
        Ok(Values { over, flat })
    }

    /// Values of keys in any order.
    pub(crate) fn read_many(&self, keys: &[&[u8]], found: &mut Found) -> Result<(), BackendError> {
        let sorted = Sorted::of(keys);
        let values = self.get_sorted(sorted.keys())?;
        found.reset(keys.len());
        for (index, value) in sorted.indices().zip(values.iter()) {
            found.set(index, value);
        }
        Ok(())
    }

    /// Visits the entries of a range by ascending key.
    pub(crate) fn range(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        visit: VisitEntry<'_>,
    ) -> Result<(), BackendError> {
        let frozen = self.frozen.into_iter().flat_map(|frozen| frozen.iter_from(from));
        let mut over =
            Merged { upper: self.active.iter_from(from).peekable(), lower: frozen.peekable() }
                .take_while(|(key, _)| !is_past(key, to))
                .peekable();
        for page in self.flat.pages_from(from) {
            let (page, start) = page?;
            for (key, value) in page.iter_from(start) {
                if is_past(key, to) {
                    break;
                }
                while let Some((key, value)) = over.next_if(|(over, _)| *over < key) {
                    if value.is_some_and(|value| visit(key, value).is_break()) {
                        return Ok(());
                    }
                }
                let value = over.next_if(|(over, _)| *over == key).map_or(value, |write| write.1);
                if value.is_some_and(|value| visit(key, value).is_break()) {
                    return Ok(());
                }
            }
            if is_past(page.key(page.len() - 1), to) {
                break;
            }
        }
        for (key, value) in over {
            if value.is_some_and(|value| visit(key, value).is_break()) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// The keys whose values are not known yet.
fn missing<'k>(keys: &[&'k [u8]], known: &[Option<Option<&[u8]>>]) -> Vec<&'k [u8]> {
    keys.iter().zip(known).filter(|(_, known)| known.is_none()).map(|(key, _)| *key).collect()
}

/// Two ordered sequences as one; where both have a key, the upper one's value.
struct Merged<U: Iterator, L: Iterator> {
    upper: Peekable<U>,
    lower: Peekable<L>,
}

impl<'a, U, L> Iterator for Merged<U, L>
where
    U: Iterator<Item = Write<'a>>,
    L: Iterator<Item = Write<'a>>,
{
    type Item = Write<'a>;

    fn next(&mut self) -> Option<Write<'a>> {
        let (Some(upper), Some(lower)) = (self.upper.peek(), self.lower.peek()) else {
            return self.upper.next().or_else(|| self.lower.next());
        };
        match upper.0.cmp(lower.0) {
            Ordering::Less => self.upper.next(),
            Ordering::Greater => self.lower.next(),
            Ordering::Equal => {
                self.lower.next();
                self.upper.next()
            }
        }
    }
}
