//! The format, written once more and straight from its specification: slow, and sharing no code
//! with the crates under test but the hash function.

/// A pair of path and entry, as leaves hold it.
pub(crate) type Pair = ([u8; 16], [u8; 32]);

pub(crate) fn digest(key: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(b"tollway state root v1: key      ", key).as_bytes()
}

pub(crate) fn pair(key: &[u8], value: &[u8]) -> Pair {
    let digest = digest(key);
    (digest[..16].try_into().expect("16 bytes"), *blake3::keyed_hash(&digest, value).as_bytes())
}

/// The hash of the subtree of `pairs`, in any order, at `depth`.
pub(crate) fn subtree(mut pairs: Vec<Pair>, depth: usize) -> [u8; 32] {
    if pairs.len() <= 8 || depth == 128 {
        pairs.sort();
        let bytes: Vec<u8> =
            pairs.iter().flat_map(|(path, entry)| [&path[..], entry].concat()).collect();
        return *blake3::keyed_hash(b"tollway state root v1: leaf     ", &bytes).as_bytes();
    }
    let right_of = |(path, _): &Pair| path[depth / 8] & (0x80 >> (depth % 8)) != 0;
    let (right, left) = pairs.into_iter().partition(right_of);
    let sides = [subtree(left, depth + 1), subtree(right, depth + 1)].concat();
    *blake3::keyed_hash(b"tollway state root v1: branch   ", &sides).as_bytes()
}
