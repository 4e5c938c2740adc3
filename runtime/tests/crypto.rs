//! Hashes and signatures as contracts get them: what the host functions answer is what
//! `tollway::crypto` says, for every compiler and in the oracle, at the price of the table. What
//! those functions answer is held by known answers beside them.

mod support;

use support::{ALICE, World, abi, call_with, entry, field, list, list_of, method, module};
use tollway::host_api::functions::host_function;
use tollway::host_api::{Method, Type};
use tollway::{Address, Call, Compiler, Gas, Outcome, Receipt, crypto};

/// Where a method's argument, a list of bytes, starts: behind its length.
const DATA: u32 = 1_004;
/// Where results are written.
const OUT: u32 = 4_000;

/// A method that runs a host function on its argument and returns 64 bytes (what was written, and
/// zeros where nothing was), then the answer if there is one.
fn probe(name: &str, params: &str) -> String {
    let function = host_function(name).expect("it is in the table");
    let call = format!("(call ${name} {params})");
    let call = match function.result {
        Some(_) => format!("(i32.store (i32.const {}) {call})", OUT + 64),
        None => call,
    };
    let length = format!("(i32.load (i32.const {}))", DATA - 4);
    let code = format!(
        "(call $args (i32.const {args})) {call} (call $output (i32.const {OUT}) (i32.const 68))",
        args = DATA - 4
    );
    entry(name, &code.replace("LENGTH", &length))
}

fn prober() -> Vec<u8> {
    let at = |offset: u32| format!("(i32.const {})", DATA + offset);
    let hash = format!("{} LENGTH (i32.const {OUT})", at(0));
    let bodies = [
        ("sha256", hash.clone()),
        ("keccak256", hash.clone()),
        ("blake3", hash),
        // Key, signature, message.
        (
            "ed25519_verify",
            format!("{} {} (i32.sub LENGTH (i32.const 96)) {}", at(0), at(96), at(32)),
        ),
        // Key, digest, signature.
        ("secp256k1_verify", format!("{} {} {}", at(0), at(33), at(65))),
        ("secp256r1_verify", format!("{} {} {}", at(0), at(33), at(65))),
        // Digest, signature, id.
        (
            "secp256k1_recover",
            format!("{} {} (i32.load8_u {}) (i32.const {OUT})", at(0), at(32), at(96)),
        ),
    ];
    let data = || list([field("data", list_of(Type::U8))]);
    let methods = bodies.each_ref().map(|(name, _)| Method { params: data(), ..method(name) });
    let mut fields = r#"(memory (export "memory") 1)"#.to_owned();
    for (name, params) in &bodies {
        fields += &probe(name, params);
    }
    module(&abi("prober", methods), &fields)
}

struct Prober {
    world: World,
    contract: Address,
}

impl Prober {
    fn new(compiler: Compiler) -> Self {
        let mut world = World::new(2, compiler);
        let contract = world.deploy(&prober());
        Self { world, contract }
    }

    fn call(&self, function: &str, parts: &[&[u8]]) -> Call {
        call_with(self.contract, function, &parts.concat())
    }

    fn run(&mut self, function: &str, parts: &[&[u8]]) -> Receipt {
        let call = self.call(function, parts);
        self.world.run_one(call)
    }

    /// What was written, and the answer.
    fn ask(&mut self, function: &str, parts: &[&[u8]]) -> ([u8; 64], bool) {
        let receipt = self.run(function, parts);
        let Outcome::Returned(output) = receipt.outcome else { panic!("{:?}", receipt.outcome) };
        let written = output[..64].try_into().expect("the output is 68 bytes long");
        let answer = u32::from_le_bytes(output[64..].try_into().expect("and four of them say"));
        assert!(answer <= 1, "{answer}");
        (written, answer == 1)
    }
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("digits");
    std::array::from_fn(|index| digit(2 * index))
}

#[test]
fn hashes_are_those_of_the_data() {
    for compiler in Compiler::ALL {
        let mut prober = Prober::new(compiler);
        for length in [0, 1, 64, 136, 1_500] {
            let data = vec![0xa5; length];
            for (function, hash) in [
                ("sha256", crypto::sha256 as fn(&[u8]) -> [u8; 32]),
                ("keccak256", crypto::keccak256),
                ("blake3", crypto::blake3),
            ] {
                let (written, _) = prober.ask(function, &[&data]);
                assert_eq!(written[..32], hash(&data), "{function} of {length} bytes");
                assert_eq!(written[32..], [0; 32], "no more than the hash is written");
            }
        }
    }
}

#[test]
fn signatures_are_valid_or_not() {
    // RFC 8032, 7.1, test 3; RFC 6979 for the key 1; Ethereum's own test.
    let key = bytes::<32>("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
    let signature = bytes::<64>(
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    );
    let generator =
        bytes::<33>("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798");
    let by_one = bytes::<64>(
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
    );
    let digest = crypto::sha256(b"Satoshi Nakamoto");
    let r1_key = bytes::<33>("0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    let r1_signature = bytes::<64>(
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    );
    let r1_digest = crypto::sha256(b"test");
    for compiler in Compiler::ALL {
        let mut prober = Prober::new(compiler);
        let mut ask = |function: &str, parts: &[&[u8]]| prober.ask(function, parts);
        assert!(ask("ed25519_verify", &[&key, &signature, &[0xaf, 0x82]]).1);
        assert!(!ask("ed25519_verify", &[&key, &signature, &[0xaf, 0x83]]).1);
        assert!(!ask("ed25519_verify", &[&[0xff; 32], &signature, &[0xaf, 0x82]]).1);
        assert!(ask("secp256k1_verify", &[&generator, &digest, &by_one]).1);
        assert!(!ask("secp256k1_verify", &[&generator, &r1_digest, &by_one]).1);
        assert!(!ask("secp256k1_verify", &[&[0; 33], &digest, &by_one]).1);
        assert!(ask("secp256r1_verify", &[&r1_key, &r1_digest, &r1_signature]).1);
        assert!(!ask("secp256r1_verify", &[&r1_key, &digest, &r1_signature]).1);
        assert!(!ask("secp256r1_verify", &[&generator, &digest, &by_one]).1, "another curve");

        let keys: Vec<_> =
            (0..5).map(|id| ask("secp256k1_recover", &[&digest, &by_one, &[id]])).collect();
        let right = keys.iter().filter(|(key, found)| *found && key[..32] == generator[1..]);
        assert_eq!(right.count(), 1);
        for (id, (key, found)) in keys.iter().enumerate() {
            let expected = crypto::secp256k1_recover(&digest, &by_one, id as u32);
            assert_eq!(found.then_some(*key), expected, "{id}");
            assert!(*found || *key == [0; 64], "where there is no key, nothing is written");
        }
    }
}

#[test]
fn each_byte_has_its_price() {
    let mut prober = Prober::new(Compiler::Cranelift);
    for (function, head) in
        [("sha256", 0), ("keccak256", 0), ("blake3", 0), ("ed25519_verify", 96_usize)]
    {
        let gas = |prober: &mut Prober, length: usize| {
            prober.run(function, &[&vec![0; head + length]]).gas_used.0
        };
        // Each byte of arguments pays when the call comes, when it is laid out or copied, and here.
        let args = host_function("args").expect("it is in the table").gas_byte;
        let row = host_function(function).expect("it is in the table");
        let more = gas(&mut prober, 700) - gas(&mut prober, 300);
        assert_eq!(more, 400 * (row.gas_byte + args + 1), "{function}");
        // Who can't pay for it does not get it.
        let call = prober.call(function, &[&vec![0; head]]);
        let short = Call { gas_limit: Gas(row.gas_base), caller: ALICE, ..call };
        assert!(!prober.world.run_one(short).is_success(), "{function}");
    }
}
