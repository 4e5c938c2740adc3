//! An artifact as a file: a header that says what it is, and native code, both under one MAC.
//!
//! ```text
//! 0      8        12    44       52    84
//! magic  version  key   length   MAC   native code …
//! └───────── header ──────────┘
//! MAC = BLAKE3 keyed with the secret, over header and native code
//! ```
//!
//! Integers are little-endian. No bytes make [`verify`] panic (`tests::no_bytes_panic`).

use std::io;

/// What every artifact begins with.
const MAGIC: [u8; 8] = *b"tollaot\0";

/// The version of this layout.
const VERSION: u32 = 1;

const HEADER_BYTES: usize = 8 + 4 + 32 + 8;
const MAC_BYTES: usize = blake3::OUT_LEN;

/// Why a file was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A directory, a link, or something else that is no file.
    #[error("not a regular file")]
    NotAFile,
    /// The file is larger than an artifact may be; it was not read.
    #[error("file has {size} bytes, limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The file ends inside its header.
    #[error("file of {size} bytes ends in its header")]
    TooShort {
        /// Its size in bytes.
        size: usize,
    },
    /// The file is no artifact.
    #[error("no artifact: it begins otherwise")]
    Magic,
    /// The file has another layout.
    #[error("layout version is {found}, expected {expected}")]
    Version {
        /// Its version.
        found: u32,
        /// The version of this build.
        expected: u32,
    },
    /// The artifact is one of another module or engine.
    #[error("artifact of another key")]
    Key,
    /// The native code is shorter or longer than the header says.
    #[error("{found} bytes of native code, header says {expected}")]
    Length {
        /// How many bytes there are.
        found: u64,
        /// How many the header names.
        expected: u64,
    },
    /// The file is damaged, or was made under another secret.
    #[error("damaged, or made under another secret")]
    Mac,
    /// The engine did not take it.
    #[error("refused by the engine: {reason}")]
    Engine {
        /// What it said.
        reason: String,
    },
}

/// Native code whose MAC is right. Made by [`verify`] alone.
pub(super) struct Verified<'f>(&'f [u8]);

impl Verified<'_> {
    /// The native code, as it was handed to [`seal`].
    pub(super) fn native(&self) -> &[u8] {
        self.0
    }
}

/// The file of an artifact.
pub(super) fn seal(native: &[u8], key: &[u8; 32], secret: &[u8; 32]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_BYTES + MAC_BYTES + native.len());
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(key);
    file.extend_from_slice(&(native.len() as u64).to_le_bytes());
    let mac = mac(&file, native, secret);
    file.extend_from_slice(mac.as_bytes());
    file.extend_from_slice(native);
    file
}

/// Checks that a file is what [`seal`] made under the same key and secret.
///
/// # Errors
/// [`Refusal`] says what is wrong with it.
pub(super) fn verify<'f>(
    file: &'f [u8],
    key: &[u8; 32],
    secret: &[u8; 32],
) -> Result<Verified<'f>, Refusal> {
    let too_short = || Refusal::TooShort { size: file.len() };
    let (header, rest) = file.split_at_checked(HEADER_BYTES).ok_or_else(too_short)?;
    let (found_mac, native) = rest.split_first_chunk::<MAC_BYTES>().ok_or_else(too_short)?;
    let (magic, fields) = header.split_first_chunk::<8>().ok_or_else(too_short)?;
    let (version, fields) = fields.split_first_chunk::<4>().ok_or_else(too_short)?;
    let (found_key, fields) = fields.split_first_chunk::<32>().ok_or_else(too_short)?;
    let (length, _) = fields.split_first_chunk::<8>().ok_or_else(too_short)?;
    // All this is under the MAC too. It is looked at first for the sake of the message.
    if *magic != MAGIC {
        return Err(Refusal::Magic);
    }
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(Refusal::Version { found, expected: VERSION });
    }
    if found_key != key {
        return Err(Refusal::Key);
    }
    let (found, expected) = (native.len() as u64, u64::from_le_bytes(*length));
    if found != expected {
        return Err(Refusal::Length { found, expected });
    }
    // Hashes are compared in constant time.
    if mac(header, native, secret) != *found_mac {
        return Err(Refusal::Mac);
    }
    Ok(Verified(native))
}

/// No length is hashed between the two: the header's is fixed.
fn mac(header: &[u8], native: &[u8], secret: &[u8; 32]) -> blake3::Hash {
    blake3::Hasher::new_keyed(secret).update(header).update(native).finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [3; 32];
    const SECRET: [u8; 32] = [5; 32];
    const NATIVE: &[u8] = b"\x7fELF and so on";

    fn check(file: &[u8]) -> Result<Vec<u8>, Refusal> {
        verify(file, &KEY, &SECRET).map(|verified| verified.native().to_vec())
    }

    #[test]
    fn what_was_sealed_comes_back() {
        for native in [NATIVE, b"", &[0; 100_000]] {
            assert_eq!(check(&seal(native, &KEY, &SECRET)).unwrap(), native);
        }
    }

    /// The file format: a change is a new [`VERSION`].
    #[test]
    fn layout_is_pinned() {
        let file = seal(NATIVE, &KEY, &SECRET);
        assert_eq!(file[..12], *b"tollaot\0\x01\0\0\0");
        assert_eq!(file[12..44], KEY);
        assert_eq!(file[44..52], (NATIVE.len() as u64).to_le_bytes());
        assert_eq!(file[84..], *NATIVE);
        let mac = blake3::keyed_hash(&SECRET, &[&file[..52], NATIVE].concat());
        assert_eq!(file[52..84], *mac.as_bytes());
    }

    #[test]
    fn every_change_is_refused() {
        let file = seal(NATIVE, &KEY, &SECRET);
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                assert!(check(&changed).is_err(), "bit {bit} of byte {at}");
            }
            assert!(check(&file[..at]).is_err(), "cut at {at}");
        }
        for more in [&b"\0"[..], b"appended", &file] {
            assert!(matches!(check(&[&file, more].concat()), Err(Refusal::Length { .. })));
        }
    }

    #[test]
    fn another_key_secret_or_version_is_refused() {
        let file = seal(NATIVE, &KEY, &SECRET);
        assert!(matches!(verify(&file, &[4; 32], &SECRET), Err(Refusal::Key)));
        assert!(matches!(verify(&file, &KEY, &[6; 32]), Err(Refusal::Mac)));
        // Whoever lacks the secret can make all of the file but the MAC.
        assert!(matches!(check(&seal(NATIVE, &KEY, &[0; 32])), Err(Refusal::Mac)));
        let mut newer = file.clone();
        newer[8] = 2;
        assert!(matches!(check(&newer), Err(Refusal::Version { found: 2, expected: 1 })));
        assert!(matches!(check(b""), Err(Refusal::TooShort { size: 0 })));
        assert!(matches!(check(&[b'x'; 500]), Err(Refusal::Magic)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), begins in any::<bool>()) {
            let mut file = bytes;
            if begins {
                let start = seal(NATIVE, &KEY, &SECRET);
                let length = file.len().min(HEADER_BYTES);
                file[..length].copy_from_slice(&start[..length]);
            }
            prop_assert!(check(&file).is_err());
        }
    }
}
