//! The verifier of state proofs, run inside of a contract: one chain learns what another one holds.

mod support;

use support::{ALICE, PLENTY, World, call_with};
use tollway::state::storage_key;
use tollway::{Address, Call, Config, Instantiate, Outcome, Receipt};
use tollway_contracts_wasm::{LIGHT, TOKEN};

/// The place of an error among those of `light`.
fn error(receipt: &Receipt) -> Option<u8> {
    match &receipt.outcome {
        Outcome::Returned(_) => None,
        Outcome::Reverted { error, .. } => Some(error[0]),
        Outcome::Failed(failure) => panic!("{failure}"),
    }
}

const NOT_RELAYER: Option<u8> = Some(0);
const HEIGHT_TAKEN: Option<u8> = Some(1);
const UNKNOWN_HEIGHT: Option<u8> = Some(2);
const BAD_PROOF: Option<u8> = Some(3);
const NOT_PROVEN: Option<u8> = Some(4);

/// A chain where 200 accounts have tokens.
fn paid_chain() -> (World, Address) {
    let mut world = World::with(Config { threads: 2, ..Config::default() });
    let code = world.upload(TOKEN);
    let token = world.instantiate(code, &ALICE);
    let mint = |account: u64| {
        call_with(token, "mint", &(Address::from_u64(account), u128::from(account) * 10))
    };
    world.run((1..=200).map(mint).collect());
    (world, token)
}

#[test]
fn a_contract_checks_what_another_chain_holds() {
    let (there, token) = paid_chain();
    let root = there.root();
    let balance_key = |account: u64| {
        let balances = there.runtime.registry().contracts()[0].code.abi.storage.iter();
        let field = balances.clone().position(|field| field.name == "balances").unwrap() as u8;
        storage_key(&token, &[&[field][..], &Address::from_u64(account).0].concat())
    };
    let backend = there.runtime.backend().unwrap().expect("there is one");
    let prove = |key: &[u8]| backend.proofs().unwrap().prove(&[key]).unwrap().to_bytes();
    let balance = |account: u64| Some((u128::from(account) * 10).to_le_bytes().to_vec());

    let mut here = World::with(Config { threads: 2, ..Config::default() });
    let code = here.upload(LIGHT);
    let request = Instantiate {
        code,
        creator: ALICE,
        salt: 1,
        immutables: borsh::to_vec(&ALICE).unwrap(),
        args: Vec::new(),
        gas_limit: PLENTY,
    };
    let light = here.runtime.instantiate(request).unwrap();
    let stranger = Address::from_u64(5);
    let post = |caller, height: u64, root: [u8; 32]| Call {
        caller,
        ..call_with(light, "post", &(height, root))
    };
    let posted = here.run(vec![
        post(stranger, 1, root.0),
        post(ALICE, 1, root.0),
        post(ALICE, 1, [7; 32]),
        post(ALICE, 2, [7; 32]),
    ]);
    let errors: Vec<_> = posted.iter().map(error).collect();
    assert_eq!(errors, [NOT_RELAYER, None, HEIGHT_TAKEN, None]);

    let check = |height: u64, key: &[u8], value: Option<Vec<u8>>, proof: Vec<u8>| {
        call_with(light, "check", &(height, key.to_vec(), value, proof))
    };
    let (paid, absent) = (balance_key(77), balance_key(201));
    let (proof, absence) = (prove(&paid), prove(&absent));
    let mut altered = proof.clone();
    altered[40] ^= 1;
    let receipts = here.run(vec![
        check(1, &paid, balance(77), proof.clone()),
        check(1, &absent, None, absence.clone()),
        check(1, &paid, balance(78), proof.clone()),
        check(1, &paid, None, proof.clone()),
        check(1, &absent, balance(201), absence.clone()),
        check(1, &balance_key(78), balance(78), proof.clone()),
        check(1, &paid, balance(77), absence),
        check(2, &paid, balance(77), proof.clone()),
        check(3, &paid, balance(77), proof.clone()),
        check(1, &paid, balance(77), proof[1..].to_vec()),
        check(1, &paid, balance(77), Vec::new()),
        check(1, &paid, balance(77), vec![0xff; 2_000]),
    ]);
    let errors: Vec<_> = receipts.iter().map(error).collect();
    let expected = [
        None,
        None,
        NOT_PROVEN,
        NOT_PROVEN,
        NOT_PROVEN,
        NOT_PROVEN,
        NOT_PROVEN,
        NOT_PROVEN,
        UNKNOWN_HEIGHT,
        BAD_PROOF,
        BAD_PROOF,
        BAD_PROOF,
    ];
    assert_eq!(errors, expected);
    let altered = here.run_one(check(1, &paid, balance(77), altered));
    assert!(matches!(error(&altered), BAD_PROOF | NOT_PROVEN));
    // A check is a view: whatever it finds, it changes nothing, and no check waits for another.
    println!("a check of {} bytes takes {} gas", proof.len(), receipts[0].gas_used.0);
    assert!(receipts[0].gas_used.0 < 200_000);
}
