//! What a light client needs: state roots, proofs and their check.
#![no_std]
