//! Hashes and signatures, computed by the host: as fast as native code, a call each.
//!
//! | function | over | public key | signature |
//! | --- | --- | --- | --- |
//! | [`ed25519_verify`] | the message itself, of any length | 32 bytes (RFC 8032) | `R`, `s`: 64 bytes |
//! | [`secp256k1_verify`], [`secp256r1_verify`] | a digest: the message's hash, of 32 bytes | 33 bytes: SEC 1, compressed | `r`, `s`: 64 bytes, big-endian |
//! | [`secp256k1_recover`] | the same | gives x, y: 64 bytes, big-endian | the same, and which of up to four keys |
//!
//! What is malformed is not valid: nothing here traps. A signature that is valid has one form alone:
//! Ed25519's `s` is below the group's order, and `s` of ECDSA, on both curves, at most half of it.
//! Signers that give the other one (passkeys do, half of the time) have to send `n - s` in its place,
//! and flip the lowest bit of a recovery id. Public keys have one form too.
//!
//! Ed25519 is checked by the strict rules: the equation without the cofactor, points in canonical
//! form and not of small order. So a signature is valid for all nodes or for none, and no key is
//! valid for more than what it signed.
//!
//! # What to sign
//! A signature says nothing of what it is for. Sign what names the contract (`env::this()`), the
//! method, and a number that is used once, so that it is good for one thing, once:
//!
//! ```no_run
//! # use tollway_sdk::{Address, crypto::PublicKey, env, typed::Typed};
//! # let (key, signature, nonce, to, amount) = ([0; 33], [0; 64], 7_u64, Address::ZERO, 5_u128);
//! let mut message = Vec::new();
//! (*b"my shop: pay", env::this(), nonce, to, amount).encode(&mut message);
//! let is_valid = PublicKey::Secp256k1(key).verify(&message, &signature);
//! ```

use crate::contract_type;

pub use crate::sys::crypto::{
    blake3, ed25519_verify, keccak256, secp256k1_recover, secp256k1_verify, secp256r1_verify,
    sha256,
};

/// A public key of any of the three kinds.
#[contract_type]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Signs the message itself.
    Ed25519([u8; 32]),
    /// Signs the message's SHA-256.
    Secp256k1([u8; 33]),
    /// Signs the message's SHA-256.
    Secp256r1([u8; 33]),
}

impl PublicKey {
    /// Whether `signature` is one of `message` by this key.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        match self {
            Self::Ed25519(key) => ed25519_verify(key, message, signature),
            Self::Secp256k1(key) => secp256k1_verify(key, &sha256(message), signature),
            Self::Secp256r1(key) => secp256r1_verify(key, &sha256(message), signature),
        }
    }
}

/// A public key of coordinates x and y, as [`secp256k1_recover`] gives it, in the form in which
/// [`secp256k1_verify`] and [`secp256r1_verify`] take it.
///
/// # Examples
/// ```
/// let mut point = [7; 64];
/// assert_eq!(tollway_sdk::crypto::compress(&point)[..2], [3, 7]);
/// point[63] = 8;
/// assert_eq!(tollway_sdk::crypto::compress(&point)[..2], [2, 7]);
/// ```
#[inline]
pub fn compress(point: &[u8; 64]) -> [u8; 33] {
    let mut key = [2 + (point[63] & 1); 33];
    key[1..].copy_from_slice(&point[..32]);
    key
}
