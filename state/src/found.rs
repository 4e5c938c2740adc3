//! What a bulk read asks for, by ascending key, and its answer, in flat memory.

use rayon::slice::ParallelSliceMut;

/// Keys by ascending key, and where each was among those that were asked for.
pub struct Sorted<'a> {
    keys: Vec<&'a [u8]>,
    /// Empty if the keys came sorted.
    indices: Vec<u32>,
}

impl<'a> Sorted<'a> {
    /// Sorts keys, in the current rayon pool if there are many. Repeated keys stay repeated.
    ///
    /// # Panics
    /// Above 2^32 keys.
    pub fn of(keys: &[&'a [u8]]) -> Sorted<'a> {
        if keys.is_sorted() {
            return Sorted { keys: keys.to_vec(), indices: Vec::new() };
        }
        let count = u32::try_from(keys.len()).expect("fewer keys than 2^32 in one read");
        let mut order: Vec<(&[u8], u32)> = keys.iter().copied().zip(0..count).collect();
        order.par_sort_unstable();
        let (keys, indices) = order.into_iter().unzip();
        Sorted { keys, indices }
    }

    /// The keys by ascending key.
    pub fn keys(&self) -> &[&'a [u8]] {
        &self.keys
    }

    /// Where each of [`Self::keys`] was among those that were asked for.
    pub fn indices(&self) -> impl Iterator<Item = usize> {
        (0..self.keys.len()).map(|at| self.indices.get(at).map_or(at, |index| *index as usize))
    }
}

/// Values found by a bulk read, one place for each key asked for, in the same order.
///
/// Kept and passed again, it allocates nothing.
#[derive(Clone, Default, Debug)]
pub struct Found {
    bytes: Vec<u8>,
    /// Where each value lies in `bytes`; `None` where there is no such key.
    spans: Vec<Option<(usize, u32)>>,
}

impl Found {
    /// No values.
    pub fn new() -> Found {
        Found::default()
    }

    /// How many keys were asked for.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether no key was asked for.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The value of the `index`-th key, or `None` where there is none.
    ///
    /// # Panics
    /// If fewer keys were asked for.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.spans[index].map(|(at, bytes)| &self.bytes[at..at + bytes as usize])
    }

    /// The values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Empties it and makes room for `keys` keys, all of them not found. For backends.
    pub fn reset(&mut self, keys: usize) {
        self.bytes.clear();
        self.spans.clear();
        self.spans.resize(keys, None);
    }

    /// Sets the value of the `index`-th key. For backends, once for each index, in any order.
    ///
    /// # Panics
    /// If `index` is not below the count given to [`Self::reset`].
    pub fn set(&mut self, index: usize, value: Option<&[u8]>) {
        self.spans[index] = value.map(|value| {
            let at = self.bytes.len();
            self.bytes.extend_from_slice(value);
            (at, value.len() as u32)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_keys_know_where_they_were() {
        let sorted = Sorted::of(&[b"c", b"a", b"b", b"a"]);
        assert_eq!(sorted.keys(), [b"a", b"a", b"b", b"c"]);
        assert_eq!(sorted.indices().collect::<Vec<_>>(), [1, 3, 2, 0]);
        assert_eq!(Sorted::of(&[b"a", b"b"]).indices().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn values_come_in_the_order_of_the_keys() {
        let mut found = Found::new();
        found.reset(3);
        found.set(2, Some(b"c"));
        found.set(0, Some(b""));
        assert_eq!(found.iter().collect::<Vec<_>>(), [Some(&b""[..]), None, Some(b"c")]);
        found.reset(1);
        assert_eq!(found.get(0), None);
    }
}
