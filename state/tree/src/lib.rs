//! The tree that commits to the state, in memory.
//!
//! ```text
//!                 Branch                     one allocation each: the hashes of both sides beside
//!                ╱      ╲                    each other, then the sides
//!           Branch      Segment
//!          ╱     ╲        pairs  [path entry][path entry] …          sorted, at most SEGMENT_MAX
//!     Segment   Segment   inner  [hashes of both sides, where they split] …    in preorder
//! ```
//!
//! The format of the root is that of `tollway-state-verify`: a function of the keys and values
//! alone. A segment is a subtree in two flat arrays, so a key costs its 48 bytes and a share of
//! some hashes, and an update touches few cache lines. Where segments lie is no part of the
//! format.
//!
//! ```
//! use tollway_state_tree::{Change, Tree};
//!
//! let mut tree = Tree::new();
//! let root = tree.update(vec![
//!     Change::set(b"alice", None, b"7"),
//!     Change::set(b"bob", None, b"9"),
//! ]);
//! let proof = tree.prove(&[b"alice", b"carol"]);
//! proof.verify(&root, &[("alice", Some("7")), ("carol", None)])?;
//!
//! let root = tree.update(vec![Change::remove(b"bob", b"9")]);
//! assert_eq!(root, Tree::from_entries(vec![("alice", "7")]).root());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Invariants
//! 1. The root is that of the definition, whatever order, batches or threads led to it
//!    (`tests/properties`).
//! 2. Each hash that is kept is that of what lies below it: every proof that the tree makes
//!    verifies (`tests/properties`), and none that was altered (`tests/proofs.rs`).
//! 3. Roots and encodings do not change (`tests/golden.rs`).
//!
//! Not here: values. Whoever keeps them passes what changed.
#![forbid(unsafe_code)]

mod build;
mod change;
mod chunk;
mod layout;
mod node;
mod prove;
mod segment;
mod tree;
mod update;

pub use build::Builder;
pub use change::Change;
pub use chunk::Chunk;
pub use tollway_state_verify::{
    ChunkError, ChunkProof, DecodeError, Entry, Hash, KeyDigest, LEAF_MAX, Pair, Path, Prefix,
    Proof, Root, VerifyError, verify_chunk, verify_chunk_pairs, verify_partition,
};
pub use tree::{Mismatch, Tree};
