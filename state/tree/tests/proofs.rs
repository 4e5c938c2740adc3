//! Proofs and chunks of real keys: none that was altered in any byte shows anything.

use std::collections::BTreeMap;
use tollway_state_tree::{
    ChunkError, ChunkProof, Prefix, Proof, Root, Tree, VerifyError, verify_chunk, verify_partition,
};

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn state(keys: u32) -> State {
    let key = |i: u32| format!("key {i}").into_bytes();
    (0..keys).map(|i| (key(i), format!("value {}", i * i).into_bytes())).collect()
}

/// Keys that are there and keys that are not, with their values.
fn claims(state: &State, from: usize, count: usize) -> Vec<(&[u8], Option<&[u8]>)> {
    let present = state.iter().skip(from).take(count);
    let mut claims: Vec<_> = present.map(|(key, value)| (&key[..], Some(&value[..]))).collect();
    claims.extend([(&b"nobody"[..], None), (b"", None), (b"key -1", None)].iter().take(count));
    claims
}

fn prove(tree: &Tree, claims: &[(&[u8], Option<&[u8]>)]) -> Proof {
    tree.prove(&claims.iter().map(|(key, _)| *key).collect::<Vec<_>>())
}

fn holds(bytes: &[u8], root: &Root, claims: &[(&[u8], Option<&[u8]>)]) -> bool {
    Proof::from_bytes(bytes).is_ok_and(|proof| proof.verify(root, claims).is_ok())
}

#[test]
fn no_altered_proof_holds() {
    for keys in [0, 1, 8, 9, 100, 1000] {
        let state = state(keys);
        let tree = Tree::from_entries(state.clone());
        for count in [1, 2, 20] {
            let claims = claims(&state, 5, count);
            let bytes = prove(&tree, &claims).to_bytes();
            assert!(holds(&bytes, &tree.root(), &claims));
            for at in 0..bytes.len() {
                for flip in [1, 0x80, 0xff, 0x0c] {
                    let mut altered = bytes.clone();
                    altered[at] ^= flip;
                    assert!(!holds(&altered, &tree.root(), &claims), "byte {at} of {count}");
                }
                assert!(!holds(&bytes[..at], &tree.root(), &claims), "cut at {at}");
            }
            for more in [1, 4, 5, 31, 32, 48, 64] {
                let longer = [&bytes[..], &vec![0; more]].concat();
                assert!(!holds(&longer, &tree.root(), &claims), "{more} more");
            }
        }
    }
}

#[test]
fn no_altered_claim_holds() {
    let state = state(300);
    let tree = Tree::from_entries(state.clone());
    let claims = claims(&state, 40, 12);
    let bytes = prove(&tree, &claims).to_bytes();
    for at in 0..32 {
        let mut root = tree.root();
        root.0[at] ^= 1;
        assert!(!holds(&bytes, &root, &claims));
    }
    for index in 0..claims.len() {
        let (key, value) = claims[index];
        let with = |key: &[u8], value: Option<&[u8]>| {
            let mut altered = claims.clone();
            altered[index] = (key, value);
            holds(&bytes, &tree.root(), &altered)
        };
        for at in 0..key.len() {
            let mut altered = key.to_vec();
            altered[at] ^= 1;
            assert!(!with(&altered, Some(value.unwrap_or(b""))));
        }
        assert!(!with(&[key, &b"\0"[..]].concat(), Some(value.unwrap_or(b""))));
        match value {
            None => assert!(!with(key, Some(b""))),
            Some(value) => {
                assert!(!with(key, None));
                assert!(!with(key, Some(&value[1..])));
                assert!(!with(key, Some(&[value, &b"\0"[..]].concat())));
                // What is cut off the key and put before the value.
                assert!(!with(&key[..3], Some(&[&key[3..], value].concat())));
                for at in 0..value.len() {
                    let mut altered = value.to_vec();
                    altered[at] ^= 0x40;
                    assert!(!with(key, Some(&altered)));
                }
            }
        }
    }
}

#[test]
fn a_proof_is_for_its_keys() {
    let state = state(1000);
    let tree = Tree::from_entries(state.clone());
    let all = claims(&state, 0, 40);
    let proof = prove(&tree, &all);
    let mut shuffled = all.clone();
    shuffled.reverse();
    assert_eq!(proof, prove(&tree, &shuffled));
    assert_eq!(proof.verify(&tree.root(), &shuffled), Ok(()));
    assert_eq!(proof.verify(&tree.root(), &all[..1]), Err(VerifyError::Shape));
    assert_eq!(prove(&tree, &all[..1]).verify(&tree.root(), &all), Err(VerifyError::Shape));
    let none: [(&[u8], Option<&[u8]>); 0] = [];
    assert_eq!(prove(&tree, &none).verify(&tree.root(), &none), Err(VerifyError::NoClaims));
}

#[test]
fn a_proof_holds_no_more_than_it_needs() {
    let state = state(1000);
    let tree = Tree::from_entries(state.clone());
    let claims = claims(&state, 0, 5);
    let mut bytes = prove(&tree, &claims).to_bytes();
    let leaves = u32::from_le_bytes(bytes[1..5].try_into().expect("4 bytes"));
    let mut at = 5;
    for _ in 0..leaves {
        let pairs = u32::from_le_bytes(bytes[at + 1..at + 5].try_into().expect("4 bytes"));
        at += 5 + 48 * pairs as usize;
    }
    // One leaf more, of no pairs, that the walk never comes to.
    bytes.splice(at..at, [9, 0, 0, 0, 0]);
    bytes[1..5].copy_from_slice(&(leaves + 1).to_le_bytes());
    let proof = Proof::from_bytes(&bytes).expect("a proof by its form");
    assert_eq!(proof.verify(&tree.root(), &claims), Err(VerifyError::Shape));
}

#[test]
fn siblings_are_shared() {
    let state = state(1000);
    let tree = Tree::from_entries(state.clone());
    let every: Vec<_> = state.iter().map(|(key, value)| (&key[..], Some(&value[..]))).collect();
    // All keys: all leaves, and siblings only beside empty leaves, of which there are none here.
    let size = prove(&tree, &every).to_bytes().len();
    assert!(size < 1000 * 48 + 5 * 300, "{size}");
    let alone: usize = every.iter().map(|one| prove(&tree, &[*one]).to_bytes().len()).sum();
    assert!(alone > 10 * size, "{alone}");
}

#[test]
fn no_altered_chunk_holds() {
    let state = state(1000);
    let tree = Tree::from_entries(state.clone());
    let prefixes = tree.chunk_prefixes(100);
    assert_eq!(verify_partition(prefixes.iter().copied()), Ok(()));
    assert!(verify_partition(prefixes[1..].iter().copied()).is_err());
    assert!(verify_partition(prefixes[..prefixes.len() - 1].iter().copied()).is_err());
    assert!(verify_partition([&prefixes[..1], &prefixes[..]].concat()).is_err());
    assert!(verify_partition([]).is_err());
    for prefix in prefixes {
        let here = |key: &[u8]| prefix.contains(&tollway_state_tree::Path::of(key));
        let mut entries: Vec<_> = state.clone().into_iter().filter(|(key, _)| here(key)).collect();
        assert!(entries.len() <= 100);
        let proof = tree.chunk(prefix).expect("a node").proof;
        let check = |entries: &[(Vec<u8>, Vec<u8>)], proof: &ChunkProof| {
            let entries = entries.iter().map(|(key, value)| (key, value));
            verify_chunk(&tree.root(), proof.prefix, entries, &proof.siblings).is_ok()
        };
        assert!(check(&entries, &proof));
        let foreign = state.iter().filter(|(key, _)| !here(key)).take(1);
        let error = verify_chunk(&tree.root(), prefix, foreign, &proof.siblings);
        assert_eq!(error, Err(ChunkError::Foreign { prefix, index: 0 }));
        let bytes = proof.to_bytes();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let proof = ChunkProof::from_bytes(&altered);
            assert!(!proof.is_ok_and(|proof| check(&entries, &proof)), "byte {at}");
            assert!(ChunkProof::from_bytes(&bytes[..at]).is_err());
        }
        assert!(ChunkProof::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        for at in 0..entries.len() {
            let kept = entries[at].clone();
            entries[at].1.push(0);
            assert!(!check(&entries, &proof));
            entries[at] = kept.clone();
            entries[at].0.push(0);
            assert!(!check(&entries, &proof));
            entries.remove(at);
            assert!(!check(&entries, &proof));
            entries.insert(at, kept);
        }
    }
    let deep = Prefix::new(tollway_state_tree::Path([0; 16]), 60).expect("60 bits");
    assert_eq!(tree.chunk(deep), None);
}
