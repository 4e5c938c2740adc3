//! Hashes and signatures, which the host computes.

use super::{at, at_mut, import};

macro_rules! hashes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name(data: &[u8]) -> [u8; 32] {
            let mut out = [0; 32];
            // SAFETY: `data` is readable for its length, and `out` has room for what the host writes.
            unsafe { import::$name(at(data), data.len() as u32, at_mut(&mut out)) };
            out
        }
    )*};
}

hashes! {
    /// The SHA-256 of `data`.
    sha256;
    /// The Keccak-256 of `data`, as Ethereum has it.
    keccak256;
    /// The BLAKE3 hash of `data`.
    blake3;
}

/// Whether `signature` is an Ed25519 signature of `message`.
#[inline]
pub fn ed25519_verify(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    let (message_at, length) = (at(message), message.len() as u32);
    // SAFETY: the host reads 32 bytes, the message, and 64 bytes.
    unsafe { import::ed25519_verify(at(public_key), message_at, length, at(signature)) != 0 }
}

/// Whether `signature` is an ECDSA signature of `digest` on secp256k1.
#[inline]
pub fn secp256k1_verify(public_key: &[u8; 33], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    // SAFETY: the host reads 33, 32 and 64 bytes.
    unsafe { import::secp256k1_verify(at(public_key), at(digest), at(signature)) != 0 }
}

/// The coordinates of the key by which `signature` is one of `digest` on secp256k1.
#[inline]
pub fn secp256k1_recover(
    digest: &[u8; 32],
    signature: &[u8; 64],
    recovery_id: u32,
) -> Option<[u8; 64]> {
    let mut out = [0; 64];
    let (digest, signature, out_at) = (at(digest), at(signature), at_mut(&mut out));
    // SAFETY: the host reads 32 and 64 bytes, and writes 64 or none.
    let is_found = unsafe { import::secp256k1_recover(digest, signature, recovery_id, out_at) };
    (is_found != 0).then_some(out)
}

/// Whether `signature` is an ECDSA signature of `digest` on secp256r1.
#[inline]
pub fn secp256r1_verify(public_key: &[u8; 33], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    // SAFETY: the host reads 33, 32 and 64 bytes.
    unsafe { import::secp256r1_verify(at(public_key), at(digest), at(signature)) != 0 }
}
