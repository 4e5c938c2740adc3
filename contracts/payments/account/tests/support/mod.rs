//! Who signs in the tests, by the crates that wallets use. The tests of `channel` have it too.

use ed25519_dalek::Signer as _;
use tollway_sdk::crypto::PublicKey;
use tollway_testkit::tollway::crypto::sha256;

/// Next to every hash is a private key.
const SCALAR: &str = "the hash is below the group's order";

/// A private key of one of the three kinds.
#[derive(Clone)]
pub(crate) enum Signer {
    Ed25519(ed25519_dalek::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    Secp256r1(p256::ecdsa::SigningKey),
}

impl Signer {
    /// The key of kind 0, 1 or 2 that belongs to a name.
    pub(crate) fn new(kind: usize, name: &str) -> Self {
        let secret = sha256(name.as_bytes());
        match kind {
            0 => Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&secret)),
            1 => Self::Secp256k1(k256::ecdsa::SigningKey::from_slice(&secret).expect(SCALAR)),
            _ => Self::Secp256r1(p256::ecdsa::SigningKey::from_slice(&secret).expect(SCALAR)),
        }
    }

    pub(crate) fn key(&self) -> PublicKey {
        match self {
            Self::Ed25519(key) => PublicKey::Ed25519(key.verifying_key().to_bytes()),
            Self::Secp256k1(key) => {
                let point = key.verifying_key().to_sec1_point(true);
                PublicKey::Secp256k1(point.as_bytes().try_into().expect("33 bytes"))
            }
            Self::Secp256r1(key) => {
                let point = key.verifying_key().to_sec1_point(true);
                PublicKey::Secp256r1(point.as_bytes().try_into().expect("33 bytes"))
            }
        }
    }

    /// Signs the borsh bytes of a message: Ed25519 those, the others their SHA-256.
    pub(crate) fn sign(&self, message: &impl borsh::BorshSerialize) -> [u8; 64] {
        let bytes = borsh::to_vec(message).expect("a message encodes");
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
