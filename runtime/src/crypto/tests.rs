use super::*;
use std::fmt::Debug;

/// Bytes of hexadecimal digits.
fn hex<const N: usize>(text: &str) -> [u8; N] {
    bytes(text).try_into().unwrap_or_else(|_| panic!("{text} is not {N} bytes long"))
}

fn bytes(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// So many bytes 0, 1, .. 250, 0, 1, ..
fn counted(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

/// The orders of the groups, big-endian for ECDSA and little-endian for Ed25519.
const ORDER_K1: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
const ORDER_R1: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const ORDER_ED: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

/// `a - b` of big-endian numbers.
fn minus(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    let mut borrow = 0;
    let mut difference = [0; 32];
    for at in (0..32).rev() {
        let rest = i16::from(a[at]) - i16::from(b[at]) - borrow;
        borrow = i16::from(rest < 0);
        difference[at] = rest.rem_euclid(256) as u8;
    }
    difference
}

fn join(first: [u8; 32], second: [u8; 32]) -> [u8; 64] {
    [first, second].concat().try_into().unwrap()
}

fn split(signature: [u8; 64]) -> ([u8; 32], [u8; 32]) {
    (signature[..32].try_into().unwrap(), signature[32..].try_into().unwrap())
}

/// Every value that differs in one bit.
fn flipped<const N: usize>(value: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..8 * N).map(move |bit| {
        let mut value = value;
        value[bit / 8] ^= 1 << (bit % 8);
        value
    })
}

#[test]
fn hashes_are_the_standard_ones() {
    fn check(hash: fn(&[u8]) -> [u8; 32], data: &[u8], expected: &str) {
        assert_eq!(hash(data), hex(expected), "of {} bytes", data.len());
    }
    // FIPS 180-4's examples.
    check(sha256, b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check(sha256, b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check(
        sha256,
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
    check(
        sha256,
        &[b'a'; 1_000_000],
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
    // The first two are Ethereum's; the others, around the block's 136 bytes, come from an
    // implementation written for this alone.
    check(keccak256, b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    check(keccak256, b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    for (length, expected) in [
        (135, "cbdfd9dee5faad3818d6b06f95a219fd290b0e1706f6a82e5a595b9ce9faca62"),
        (136, "7ce759f1ab7f9ce437719970c26b0a66ff11fe3e38e17df89cf5d29c7d7f807e"),
        (137, "ac73d4fae68b8453f764007c1a20ce95994187861f0c3227a3a8e99a73a3b1db"),
        (1_000, "af692982e84a5a9688359025660a7857cd28ee7c8d867cfa1677baf2e6d1f63b"),
    ] {
        check(keccak256, &counted(length), expected);
    }
    // From BLAKE3's own list: around its chunks of 1,024 bytes.
    for (length, expected) in [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (1_024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1_025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
    ] {
        check(blake3, &counted(length), expected);
    }
}

/// RFC 8032, 7.1: public key, message, signature.
const ED25519: [(&str, &str, &str); 4] = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
];

#[test]
fn ed25519_accepts_what_the_rfc_does() {
    for (key, message, signature) in ED25519 {
        assert!(ed25519_verify(&hex(key), &bytes(message), &hex(signature)), "{key}");
    }
}

#[test]
fn ed25519_refuses_what_differs_in_a_bit() {
    let (key, message, signature) = ED25519[2];
    let (key, message, signature) = (hex(key), hex::<2>(message), hex(signature));
    assert!(flipped(key).all(|key| !ed25519_verify(&key, &message, &signature)));
    assert!(flipped(message).all(|message| !ed25519_verify(&key, &message, &signature)));
    assert!(flipped(signature).all(|signature| !ed25519_verify(&key, &message, &signature)));
    assert!(!ed25519_verify(&key, &message[..1], &signature), "a message cut short");
    assert!(!ed25519_verify(&key, &[0xaf, 0x82, 0], &signature), "and one that is longer");
}

#[test]
fn ed25519_s_has_one_form() {
    let (key, message, signature) = ED25519[1];
    let mut signature: [u8; 64] = hex(signature);
    let order: [u8; 32] = hex(ORDER_ED);
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0, "the sum fits, so that it is the rule that refuses it");
    assert!(!ed25519_verify(&hex(key), &bytes(message), &signature));
}

/// All encodings of points of small order, canonical or not, without those that differ from one
/// here by the sign bit alone.
const SMALL_ORDER: [&str; 8] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn ed25519_refuses_points_of_small_order() {
    // With such a key and R, and s = 0, lax verifiers accept one message in eight or each.
    let points: Vec<[u8; 32]> = SMALL_ORDER
        .iter()
        .flat_map(|text| {
            let point: [u8; 32] = hex(text);
            let mut signed = point;
            signed[31] ^= 0x80;
            [point, signed]
        })
        .collect();
    let mut lax = 0;
    for key in &points {
        for r in &points {
            for message in [b"0", b"1", b"2", b"3"] {
                let signature = join(*r, [0; 32]);
                assert!(!ed25519_verify(key, message, &signature), "{key:02x?} {r:02x?}");
                let decoded = Ed25519Key::from_bytes(key);
                lax += usize::from(decoded.is_ok_and(|key| {
                    use k256::ecdsa::signature::Verifier;
                    key.verify(message, &Ed25519Signature::from_bytes(&signature)).is_ok()
                }));
            }
        }
    }
    assert!(lax > 50, "the test is about signatures that could be taken for valid: {lax}");
}

#[test]
fn ed25519_keys_have_one_form() {
    let (p_minus_1, p) = (hex(SMALL_ORDER[4]), hex(SMALL_ORDER[5]));
    assert!(is_canonical(&p_minus_1));
    assert!(!is_canonical(&p));
    for (at, byte) in [(0, 0xff), (31, 0xff)] {
        let mut beyond: [u8; 32] = p;
        beyond[at] = byte;
        assert!(!is_canonical(&beyond), "byte {at}");
    }
    for at in 1..31 {
        let mut below: [u8; 32] = p;
        below[at] = 0xfe;
        assert!(is_canonical(&below), "byte {at}");
    }
    let mut below = p;
    below[31] = 0x7e;
    assert!(is_canonical(&below));
}

type Verify = fn(&[u8; 33], &[u8; 32], &[u8; 64]) -> bool;

/// How to verify, the group's order, and a valid key, digest and signature.
type Curve = (Verify, &'static str, [u8; 33], [u8; 32], [u8; 64]);

/// The curves.
fn curves() -> [Curve; 2] {
    [
        (
            secp256k1_verify,
            ORDER_K1,
            // Private key 1, signed by RFC 6979.
            hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
            sha256(b"Satoshi Nakamoto"),
            hex(
                "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
            ),
        ),
        (
            secp256r1_verify,
            ORDER_R1,
            // RFC 6979, A.2.5, SHA-256, "test".
            hex("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
            sha256(b"test"),
            hex(
                "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
            ),
        ),
    ]
}

#[test]
fn ecdsa_accepts_what_the_standards_do() {
    for (verify, order, key, digest, signature) in curves() {
        assert!(verify(&key, &digest, &signature), "{order}");
    }
}

#[test]
fn ecdsa_refuses_what_differs_in_a_bit() {
    for (verify, order, key, digest, signature) in curves() {
        assert!(flipped(key).all(|key| !verify(&key, &digest, &signature)), "{order}");
        assert!(flipped(digest).all(|digest| !verify(&key, &digest, &signature)), "{order}");
        assert!(flipped(signature).all(|signature| !verify(&key, &digest, &signature)), "{order}");
    }
}

#[test]
fn ecdsa_s_is_low() {
    for (verify, order, key, digest, signature) in curves() {
        let (r, s) = split(signature);
        let high = join(r, minus(hex(order), s));
        assert!(!verify(&key, &digest, &high), "{order}");
    }
    // RFC 6979, A.2.5, SHA-256, "sample" has a high one.
    let key = hex("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    let r = hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716");
    let s = hex("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    let digest = sha256(b"sample");
    assert!(!secp256r1_verify(&key, &digest, &join(r, s)));
    assert!(secp256r1_verify(&key, &digest, &join(r, minus(hex(ORDER_R1), s))));
}

#[test]
fn ecdsa_refuses_numbers_out_of_range() {
    let (zero, ones) = ([0; 32], [0xff; 32]);
    for (verify, order, key, digest, signature) in curves() {
        let (r, s) = split(signature);
        let order = hex(order);
        for number in [zero, order, ones] {
            assert!(!verify(&key, &digest, &join(number, s)));
            assert!(!verify(&key, &digest, &join(r, number)));
            assert!(!verify(&key, &digest, &join(number, number)));
            // The digest may be any number.
            verify(&key, &number, &signature);
        }
    }
}

#[test]
fn ecdsa_refuses_malformed_keys() {
    for (verify, order, key, digest, signature) in curves() {
        for tag in (0..=255).filter(|tag| *tag != key[0]) {
            let mut other = key;
            other[0] = tag;
            assert!(!verify(&other, &digest, &signature), "{order} {tag}");
        }
        let mut beyond = [0xff; 33];
        beyond[0] = 2;
        assert!(!verify(&beyond, &digest, &signature));
        assert!(!verify(&[0; 33], &digest, &signature));
        // About half of all x have no point on the curve, and none of the others is the key.
        for x in 0..64 {
            let mut other = [0; 33];
            (other[0], other[32]) = (2, x);
            assert!(!verify(&other, &digest, &signature));
        }
    }
}

/// Runs the rows of a file: key, digest, signature and verdict of each.
fn rows(file: &str, check: impl Fn([u8; 33], [u8; 32], [u8; 64], &str, &str)) -> usize {
    let rows = file.lines().filter(|line| !line.starts_with('#'));
    let run = |line: &str| {
        let [test, verdict, key, digest, signature] = line.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("{line}");
        };
        check(hex(key), hex(digest), hex(signature), verdict, test);
    };
    rows.map(run).count()
}

#[test]
fn ecdsa_agrees_with_wycheproof() {
    let files = [include_str!("secp256k1.txt"), include_str!("secp256r1.txt")];
    for (file, (verify, order, ..)) in files.iter().zip(curves()) {
        let count = rows(file, |key, digest, signature, verdict, test| {
            assert_eq!(verify(&key, &digest, &signature), verdict == "valid", "{order} {test}");
            let (r, s) = split(signature);
            if verdict == "high" {
                let low = join(r, minus(hex(order), s));
                assert!(verify(&key, &digest, &low), "{order} {test}");
            }
        });
        assert!(count > 100, "{count}");
    }
}

#[test]
fn recovers_the_key_of_every_valid_signature() {
    rows(include_str!("secp256k1.txt"), |key, digest, signature, verdict, test| {
        let recovered = (0..4).filter_map(|id| secp256k1_recover(&digest, &signature, id));
        let mut is_found = false;
        for point in recovered {
            let compressed: Vec<u8> =
                std::iter::once(2 + (point[63] & 1)).chain(point[..32].iter().copied()).collect();
            let compressed: [u8; 33] = compressed.try_into().unwrap();
            assert!(secp256k1_verify(&compressed, &digest, &signature), "{test}");
            is_found |= compressed == key;
        }
        assert_eq!(is_found, verdict == "valid", "{test}");
    });
}

#[test]
fn recovers_an_ethereum_signer() {
    let digest = hex("ce0677bb30baa8cf067c88db9811f4333d131bf8bcf12fe7065d211dce971008");
    let signature = hex(
        "90f27b8b488db00b00606796d2987f6a5f59ae62ea05effe84fef5b8b0e549984a691139ad57a3f0b906637673aa2f63d1f55cb1a69199d4009eea23ceaddc93",
    );
    let key = "e32df42865e97135acfb65f3bae71bdc86f4d49150ad6a440b6f15878109880a0a2b2667f7e725ceea70c673093bf67663e0312623c8e091b13cf2c0f11ef652";
    assert_eq!(secp256k1_recover(&digest, &signature, 1), Some(hex(key)));
    assert_ne!(secp256k1_recover(&digest, &signature, 0), Some(hex(key)));
    // The point's x was below the order, and no other number is a recovery id.
    for id in [2, 3, 4, 27, 28, 256, 257, u32::MAX] {
        assert_eq!(secp256k1_recover(&digest, &signature, id), None, "{id}");
    }
    let (r, s) = split(signature);
    let high = join(r, minus(hex(ORDER_K1), s));
    for id in 0..4 {
        assert_eq!(secp256k1_recover(&digest, &high, id), None, "a high s, {id}");
    }
}

#[test]
fn any_bytes_have_an_answer() {
    fn sample<const N: usize>(seed: u64) -> [u8; N] {
        let mut out = [0; N];
        ::blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
        out
    }
    fn refused(what: impl Debug, is_valid: bool) {
        assert!(!is_valid, "{what:?}");
    }
    for seed in 0..300 {
        let (digest, signature) = (sample(seed), sample(!seed));
        let mut key: [u8; 33] = sample(seed);
        key[0] = 2 + (key[0] & 1);
        refused(seed, ed25519_verify(&sample(seed), &digest, &signature));
        refused(seed, secp256k1_verify(&key, &digest, &signature));
        refused(seed, secp256r1_verify(&key, &digest, &signature));
        secp256k1_recover(&digest, &signature, seed as u32 % 4);
    }
}
