//! Who signs in the tests, by the crates that wallets use, and dice. The tests of `channel` have it
//! too.

use ed25519_dalek::Signer as _;
use tollway_sdk::crypto::PublicKey;
use tollway_testkit::tollway::crypto::sha256;

/// A private key of one of the three kinds.
#[derive(Clone)]
pub enum Signer {
    Ed25519(ed25519_dalek::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    Secp256r1(p256::ecdsa::SigningKey),
}

impl Signer {
    /// The key of kind 0, 1 or 2 that belongs to a name.
    pub fn new(kind: usize, name: &str) -> Self {
        let secret = sha256(name.as_bytes());
        match kind {
            0 => Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret)),
            1 => Self::Secp256k1(k256::ecdsa::SigningKey::from_slice(&secret).unwrap()),
            _ => Self::Secp256r1(p256::ecdsa::SigningKey::from_slice(&secret).unwrap()),
        }
    }

    pub fn key(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
            Self::Secp256k1(key) => {
                let point = key.verifying_key().to_sec1_point(true);
                PublicKey::Secp256k1(point.as_bytes().try_into().unwrap())
            }
            Self::Secp256r1(key) => {
                let point = key.verifying_key().to_sec1_point(true);
                PublicKey::Secp256r1(point.as_bytes().try_into().unwrap())
            }
        }
    }

    /// Signs the borsh bytes of a message: Ed25519 those, the others their SHA-256.
    pub fn sign(&self, message: &impl borsh::BorshSerialize) -> [u8; 64] {
        let bytes = borsh::to_vec(message).unwrap();
        match self {
            Self::Ed25519(key) => key.sign(&bytes).to_bytes(),
            Self::Secp256k1(key) => {
                let signature: k256::ecdsa::Signature = key.sign(&bytes);
                signature.normalize_s().to_bytes().into()
            }
            Self::Secp256r1(key) => {
                let signature: p256::ecdsa::Signature = key.sign(&bytes);
                signature.normalize_s().to_bytes().into()
            }
        }
    }
}

/// Numbers that are the same in every run.
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
