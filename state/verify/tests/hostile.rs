//! Bytes and claims made up by somebody else: refused, without a panic.

use proptest::collection::vec;
use proptest::prelude::*;
use tollway_state_verify::{ChunkProof, Hash, Pair, Path, Prefix, Proof, Root, verify_chunk};

/// Bytes that look like a proof: the counts are near what there is.
fn any_encoding() -> impl Strategy<Value = Vec<u8>> {
    let pair = vec(any::<u8>(), 48);
    let leaf = (0u8..=130, 0u32..12, vec(pair, 0..12)).prop_map(|(depth, count, pairs)| {
        let count = if count % 3 == 0 { count } else { pairs.len() as u32 };
        [&[depth][..], &count.to_le_bytes(), &pairs.concat()].concat()
    });
    let siblings = vec(vec(any::<u8>(), 32), 0..40);
    let counts = prop_oneof![4 => Just(None), 1 => any::<u32>().prop_map(Some)];
    (0u8..3, counts, vec(leaf, 0..5), siblings, vec(any::<u8>(), 0..3)).prop_map(
        |(version, count, leaves, siblings, tail)| {
            let count = count.unwrap_or(leaves.len() as u32);
            let head = [&[version][..], &count.to_le_bytes()].concat();
            [head, leaves.concat(), siblings.concat(), tail].concat()
        },
    )
}

fn check(bytes: &[u8], claims: &[(Vec<u8>, Option<Vec<u8>>)]) {
    if let Ok(proof) = Proof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes, "a proof has one encoding");
        assert!(proof.verify(&Root([7; 32]), claims).is_err());
    }
    if let Ok(proof) = ChunkProof::from_bytes(bytes) {
        assert_eq!(proof.to_bytes(), bytes, "a chunk proof has one encoding");
        let entries = claims.iter().map(|(key, _)| (key, b""));
        assert!(verify_chunk(&Root([7; 32]), proof.prefix, entries, &proof.siblings).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_are_refused_or_one_encoding(
        bytes in vec(any::<u8>(), 0..400),
        claims in vec((vec(any::<u8>(), 0..4), any::<Option<Vec<u8>>>()), 0..5),
    ) {
        check(&bytes, &claims);
    }

    #[test]
    fn proof_like_bytes_are_refused_or_one_encoding(
        bytes in any_encoding(),
        claims in vec((vec(any::<u8>(), 0..4), any::<Option<Vec<u8>>>()), 0..5),
    ) {
        check(&bytes, &claims);
    }

    #[test]
    fn prefixes_cut_paths_as_their_bits_say(
        path in any::<[u8; 16]>(),
        other in any::<[u8; 16]>(),
        bits in any::<u8>(),
    ) {
        let path = Path(path);
        let Some(prefix) = Prefix::new(path, bits) else {
            prop_assert!(bits > 128);
            return Ok(());
        };
        let shares = |other: &Path| (0..bits).all(|depth| other.bit(depth) == path.bit(depth));
        let other = Path(other);
        prop_assert_eq!(prefix.contains(&other), shares(&other));
        prop_assert_eq!(prefix.contains(&other), prefix.first() <= other && other <= prefix.last());
        prop_assert!(prefix.contains(&path));
        let child = prefix.child(path.bit(bits));
        prop_assert_eq!(child, Prefix::new(path, bits + 1));
    }
}

/// What a count may claim is never allocated before the bytes are there.
#[test]
fn huge_counts_are_refused() {
    let mut bytes = vec![1, 0xff, 0xff, 0xff, 0xff];
    assert!(Proof::from_bytes(&bytes).is_err());
    bytes.extend([128, 0xff, 0xff, 0xff, 0xff]);
    assert!(Proof::from_bytes(&bytes).is_err());
}

#[test]
fn leaves_that_are_in_no_tree_are_refused() {
    let pair = |path: u128, entry: u8| {
        let mut bytes = [entry; 48];
        bytes[..16].copy_from_slice(&path.to_be_bytes());
        Pair::from_bytes(&bytes)
    };
    let accepted = |depth, pairs: &[Pair]| Proof::from_parts([(depth, pairs)], vec![]).is_ok();
    let nine: Vec<Pair> = (0..9).map(|entry| pair(5, entry)).collect();
    assert!(accepted(128, &nine));
    assert!(!accepted(127, &nine));
    assert!(accepted(127, &nine[..8]));
    assert!(!accepted(129, &nine[..1]));
    assert!(!accepted(129, &[]));
    assert!(accepted(0, &[pair(1, 0), pair(1 << 127, 0)]));
    assert!(!accepted(1, &[pair(1, 0), pair(1 << 127, 0)]));
    assert!(!accepted(0, &[pair(2, 0), pair(1, 0)]));
    assert!(!accepted(0, &[pair(1, 1), pair(1, 0)]));
    assert!(!accepted(0, &[pair(1, 1), pair(1, 1)]));
}

/// A leaf that was put where its pairs do not belong proves nothing about what does.
#[test]
fn a_leaf_is_where_its_pairs_lie() {
    let here = Pair::of(b"here", b"");
    let side = here.path.bit(0);
    let leaf = tollway_state_verify::leaf_hash(&[here]);
    let other = Hash([3; 32]);
    // The leaf lies on the wrong side of this root, as no tree has it.
    let root = match side {
        false => tollway_state_verify::branch_hash(&other, &leaf),
        true => tollway_state_verify::branch_hash(&leaf, &other),
    };
    let stranger = (0u32..).map(|i| i.to_le_bytes()).find(|key| Path::of(key).bit(0) != side);
    let stranger = stranger.expect("half of all keys");
    let proof = Proof::from_parts([(1, &[here][..])], vec![other]).expect("a proof");
    let claim: [(_, Option<&[u8]>); 1] = [(stranger, None)];
    assert!(proof.verify(&Root::from(root), &claim).is_err());
}
