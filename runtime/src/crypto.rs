//! Hashes and signatures, as the host functions of the same names give them to contracts. Pure
//! functions of bytes: what is malformed is not valid, and nothing here fails in another way.
//!
//! What a signature has to be, so that every node says the same of it and it has one form alone:
//!
//! | | |
//! | --- | --- |
//! | `ed25519` | the equation without the cofactor (RFC 8032, 5.1.7), over the message itself; `s` below the group's order; public key and `R` in canonical form, neither of small order |
//! | `secp256k1`, `secp256r1` | ECDSA (SEC 1, 4.1.4) over a digest of 32 bytes; `r` and `s` from 1 to the group's order less 1, `s` at most half of it (*low*); public key compressed, on the curve |
//!
//! The runtime and the oracle use these same functions, so known answers hold them (`tests`).

use ed25519_dalek::{Signature as Ed25519Signature, VerifyingKey as Ed25519Key};
use k256::ecdsa::RecoveryId;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::elliptic_curve::scalar::IsHigh;
use sha2::Digest;

/// SHA-256 (FIPS 180-4).
pub fn sha256(data: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(data).into()
}

/// Keccak-256 with the padding of before the standard, as Ethereum uses it; not SHA3-256.
pub fn keccak256(data: &[u8]) -> [u8; 32] {
    sha3::Keccak256::digest(data).into()
}

/// BLAKE3, unkeyed, 32 bytes of output.
pub fn blake3(data: &[u8]) -> [u8; 32] {
    *::blake3::hash(data).as_bytes()
}

/// Whether `signature` is one of `message` by `public_key`.
pub fn ed25519_verify(public_key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    // A key that is not in canonical form decodes all the same; its signatures would be valid for
    // two public keys. For `R` the comparison of bytes sees to it.
    if !is_canonical(public_key) {
        return false;
    }
    let Ok(key) = Ed25519Key::from_bytes(public_key) else { return false };
    key.verify_strict(message, &Ed25519Signature::from_bytes(signature)).is_ok()
}

/// Whether the y coordinate of an encoded point is below the field's prime, 2^255 - 19. The sign
/// bit of x = 0 needs no look: those points are of small order.
fn is_canonical(point: &[u8; 32]) -> bool {
    point[0] < 0xed || point[31] & 0x7f != 0x7f || point[1..31].iter().any(|byte| *byte != 0xff)
}

/// Whether the first byte says that x and the parity of y follow. There is a *compact* form of the
/// same length, with another first byte and no parity, which would be a second one for the key.
fn is_compressed(public_key: &[u8; 33]) -> bool {
    matches!(public_key[0], 2 | 3)
}

/// Whether `signature` (r, then s, big-endian) is one of `digest` by `public_key` (SEC 1,
/// compressed), on the curve secp256k1.
pub fn secp256k1_verify(public_key: &[u8; 33], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    if !is_compressed(public_key) {
        return false;
    }
    let Ok(key) = k256::ecdsa::VerifyingKey::from_sec1_bytes(public_key) else { return false };
    let Some(signature) = secp256k1_signature(signature) else { return false };
    key.verify_prehash(digest, &signature).is_ok()
}

/// The key by which `signature` is one of `digest`: its coordinates x and y, big-endian. The
/// `recovery_id` is 0 or 1, which says whether y of the signature's point is odd, and 2 more if its
/// x was not below the group's order.
pub fn secp256k1_recover(
    digest: &[u8; 32],
    signature: &[u8; 64],
    recovery_id: u32,
) -> Option<[u8; 64]> {
    let recovery_id = RecoveryId::from_byte(u8::try_from(recovery_id).ok()?)?;
    let signature = secp256k1_signature(signature)?;
    let key = k256::ecdsa::VerifyingKey::recover_from_prehash(digest, &signature, recovery_id);
    let point = key.ok()?.to_sec1_point(false);
    // The first byte says that both coordinates follow.
    point.as_bytes().get(1..)?.try_into().ok()
}

fn secp256k1_signature(bytes: &[u8; 64]) -> Option<k256::ecdsa::Signature> {
    let signature = k256::ecdsa::Signature::from_slice(bytes).ok()?;
    (!bool::from(signature.s().is_high())).then_some(signature)
}

/// Whether `signature` (r, then s, big-endian) is one of `digest` by `public_key` (SEC 1,
/// compressed), on the curve secp256r1, also called P-256.
pub fn secp256r1_verify(public_key: &[u8; 33], digest: &[u8; 32], signature: &[u8; 64]) -> bool {
    if !is_compressed(public_key) {
        return false;
    }
    let Ok(key) = p256::ecdsa::VerifyingKey::from_sec1_bytes(public_key) else { return false };
    let Ok(signature) = p256::ecdsa::Signature::from_slice(signature) else { return false };
    !bool::from(signature.s().is_high()) && key.verify_prehash(digest, &signature).is_ok()
}

#[cfg(test)]
mod tests;
