//! Values and keys: the guest's bytes against borsh, and against the host's keys.

use proptest::prelude::*;
use tollway_sdk::borsh::{self, BorshDeserialize, BorshSerialize};
use tollway_sdk::host_api::{Type, key::transcode, value};
use tollway_sdk::key::{Key, KeyPart};
use tollway_sdk::typed::{Typed, decode_all};
use tollway_sdk::{Address, Bytes, contract_type};

#[contract_type(key)]
#[derive(Clone, Debug, PartialEq)]
struct Order {
    owner: Address,
    id: u64,
    note: Option<String>,
}

#[contract_type(key)]
#[derive(Clone, Debug, PartialEq)]
struct Pair(u8, i128);

#[contract_type(key)]
#[derive(Clone, Debug, PartialEq)]
struct Nothing;

#[contract_type(key)]
#[derive(Clone, Debug, PartialEq)]
enum Side {
    Bid,
    Ask { price: u128, who: Address },
    Both(u8, Pair),
}

#[contract_type]
#[derive(Clone, Debug, PartialEq)]
enum Plain {
    One,
    Two,
}

#[contract_type]
#[derive(Clone, Debug, PartialEq)]
struct Basket {
    orders: Vec<Order>,
    plain: (Plain, Plain),
}

/// Checks everything that a type promises, on one value.
fn check<T>(value: &T)
where
    T: Typed + BorshSerialize + BorshDeserialize + PartialEq + std::fmt::Debug,
{
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    assert_eq!(bytes, borsh::to_vec(value).expect("a vector takes all"));
    check_bytes(value, &bytes);
}

fn check_bytes<T: Typed + PartialEq + std::fmt::Debug>(value: &T, bytes: &[u8]) {
    assert_eq!(decode_all::<T>(bytes).as_ref(), Some(value));
    // The schema describes the bytes.
    let mut rest = bytes;
    value::skip(&T::TYPE, &mut rest).expect("the bytes have the shape");
    assert!(rest.is_empty());
    assert!(T::TYPE.is_well_formed());
    // The sizes bound them.
    assert!(bytes.len() >= T::SIZE_MIN);
    assert!(T::SIZE_MAX.is_none_or(|size| bytes.len() <= size));
    if let Some(size) = T::TYPE.fixed_size() {
        assert_eq!((T::SIZE_MIN, T::SIZE_MAX), (size, Some(size)));
    }
    // Nothing shorter or longer is a value.
    for length in 0..bytes.len() {
        assert_eq!(decode_all::<T>(&bytes[..length]), None);
    }
    assert_eq!(decode_all::<T>(&[bytes, &[0]].concat()), None);
}

/// Checks that guest and host build the same key.
fn check_key<T: KeyPart>(value: &T) {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    let mut host = Vec::new();
    transcode(&T::TYPE, &mut &bytes[..], &mut host).expect("the bytes have the shape");
    let mut guest = Key::new();
    guest.push(&[7]);
    value.push_to(&mut guest);
    assert_eq!(guest.as_slice(), [&[7], &host[..]].concat());

    // A map's key is its parts, one after another.
    let mut by_part = Vec::new();
    let mut rest = &bytes[..];
    for part in T::PARTS {
        transcode(part, &mut rest, &mut by_part).expect("a part has its shape");
    }
    assert!(rest.is_empty());
    assert_eq!(guest.as_slice()[1..], by_part);
}

fn check_both<T>(value: T)
where
    T: KeyPart + BorshSerialize + BorshDeserialize + PartialEq + std::fmt::Debug,
{
    check(&value);
    check_key(&value);
}

fn address() -> impl Strategy<Value = Address> {
    any::<[u8; 32]>().prop_map(Address)
}

fn order() -> impl Strategy<Value = Order> {
    let note = proptest::option::of("[a-zß]{0,20}");
    (address(), any::<u64>(), note).prop_map(|(owner, id, note)| Order { owner, id, note })
}

proptest! {
    #[test]
    fn numbers(a: u8, b: u16, c: u32, d: u64, e: u128, f: i64, g: i128, h: bool) {
        check_both(a);
        check_both(b);
        check_both(c);
        check_both(d);
        check_both(e);
        check_both(f);
        check_both(g);
        check_both(h);
        check_both((a, b, c, d, e, f));
        check_both(());
        check_both((g,));
    }

    #[test]
    fn addresses_and_bytes(
        a in address(),
        b in any::<[u8; 20]>(),
        c in proptest::collection::vec(any::<u8>(), 0..100),
        d in "\\PC{0,20}",
    ) {
        check_both((a, a));
        check_both(b);
        check_both(d);
        let bytes = Bytes(c.clone());
        check_key(&bytes);
        check_bytes(&bytes, &borsh::to_vec(&c).unwrap());
        check(&c);
    }

    #[test]
    fn own_types(order in order(), a: u8, b: i128, price: u128, who in address()) {
        check_both(Pair(a, b));
        check_both(Nothing);
        check_both(Side::Bid);
        check_both(Side::Ask { price, who });
        check_both(Side::Both(a, Pair(a, b)));
        check_both(Some(Some(a)));
        check_both(None::<u64>);
        check_both(order.clone());
        check(&Basket { orders: vec![order.clone(), order], plain: (Plain::One, Plain::Two) });
    }

    #[test]
    fn signed_keys_sort_like_numbers(a: i64, b: i64) {
        let (mut low, mut high) = (Key::new(), Key::new());
        a.push_to(&mut low);
        b.push_to(&mut high);
        prop_assert_eq!(low.as_slice().cmp(high.as_slice()), a.cmp(&b));
    }
}

#[test]
fn wrong_bytes_are_refused() {
    assert_eq!(decode_all::<bool>(&[2]), None);
    assert_eq!(decode_all::<Option<u8>>(&[2, 0]), None);
    assert_eq!(decode_all::<Plain>(&[2]), None);
    assert_eq!(decode_all::<String>(&[1, 0, 0, 0, 0xff]), None);
    // A count that the bytes cannot hold must not be believed.
    assert_eq!(decode_all::<Vec<u32>>(&[0xff, 0xff, 0xff, 0xff, 0, 0]), None);
}

#[test]
fn shapes_are_as_written() {
    let Type::Enum { name, variants } = Side::TYPE else {
        panic!("an enum");
    };
    assert_eq!(name, "Side");
    assert_eq!(variants[1].name, "Ask");
    assert_eq!(variants[1].fields[0].name, "price");
    assert_eq!(variants[2].fields[1].name, "1");
    assert_eq!((Side::SIZE_MIN, Side::SIZE_MAX), (1, Some(49)));
}

#[test]
#[should_panic(expected = "trapped")]
fn keys_that_are_too_long_trap() {
    let mut key = Key::new();
    key.push(&[7]);
    "x".repeat(127).push_to(&mut key);
}
