//! What a light client needs: state roots, proofs and their check.
//!
//! ```text
//! key ──▶ KeyDigest ──first 16 bytes──▶ Path     where the key lies in the tree
//!             │
//! value ──────┴──keyed by the digest──▶ Entry    that it has this value
//!
//!               root = branch(·, ·)
//!              0 ╱            ╲ 1      the bits of a path, most significant first
//!        branch(·, ·)         leaf     at most LEAF_MAX pairs (path, entry)
//!          ╱      ╲
//!       leaf      leaf
//! ```
//!
//! A root is a function of the keys and values alone: neither order nor history reaches it. The
//! format is written down, to the byte, in `docs/state-root.md`. This crate has no `std` and no
//! dependency but the hash, so it also runs in a browser or in a contract:
//! `cargo build --release -p tollway-state-verify --target wasm32v1-none`.
//!
//! ```
//! use tollway_state_verify::{KeyDigest, Pair, Proof, Root, leaf_hash};
//!
//! // A state of one key is one leaf, and the proof is that leaf.
//! let pair = Pair::of(b"alice", b"7");
//! let root = Root(leaf_hash(&[pair]).0);
//! let proof = Proof::from_parts([(0, &[pair][..])], vec![])?;
//!
//! proof.verify(&root, &[("alice", Some("7")), ("bob", None)])?;
//! assert!(proof.verify(&root, &[("alice", Some("8"))]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Invariants
//! 1. Nothing here panics, recurses deeper than 128 levels or allocates more than a small multiple
//!    of its input (`tests/hostile.rs`).
//! 2. A proof has one encoding, and no other bytes decode (`tests/hostile.rs`).
//!
//! Not here: keeping a tree and making proofs, see the crate `tollway-state-tree`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod chunk;
mod hash;
mod prefix;
mod proof;

pub use chunk::{
    ChunkError, ChunkProof, PartitionError, verify_chunk, verify_chunk_pairs, verify_partition,
};
pub use hash::{
    DEPTH_MAX, Entry, Hash, KeyDigest, LEAF_MAX, Pair, Path, Root, branch_hash, leaf_hash,
    subtree_hash,
};
pub use prefix::Prefix;
pub use proof::{DecodeError, Proof, VerifyError};
