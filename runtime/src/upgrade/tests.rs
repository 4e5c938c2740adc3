//! What each rule says, one change at a time.

use super::*;
use std::borrow::Cow;
use tollway_host_api::abi::ABI_VERSION;
use tollway_host_api::{AccessTemplate, Mode, Variant};

fn list<T: Clone>(items: impl IntoIterator<Item = T>) -> Cow<'static, [T]> {
    Cow::Owned(items.into_iter().collect())
}

fn field(name: &'static str, ty: Type) -> Field {
    Field { name: name.into(), ty }
}

fn stored(name: &'static str, key: &[Type], value: Type) -> StorageField {
    StorageField {
        name: name.into(),
        key: list(key.iter().cloned()),
        value,
        counter: false,
        prefix_parts: None,
    }
}

fn side(variants: &[(&'static str, &[Field])]) -> Type {
    let variant = |(name, fields): &(&'static str, &[Field])| Variant {
        name: (*name).into(),
        fields: list(fields.iter().cloned()),
    };
    Type::Enum { name: "Side".into(), variants: list(variants.iter().map(variant)) }
}

fn leg(fields: &[Field]) -> Type {
    Type::Struct { name: "Leg".into(), fields: list(fields.iter().cloned()) }
}

fn method(name: &'static str, params: &[Field], returns: Type) -> Method {
    Method {
        name: name.into(),
        mutability: Mutability::Call,
        reentrant: false,
        params: list(params.iter().cloned()),
        returns,
        declared: true,
        access: list([]),
    }
}

fn abi() -> Abi {
    let two = [field("to", Type::Address), field("amount", Type::U128)];
    Abi {
        version: ABI_VERSION,
        name: "jar".into(),
        immutables: list([field("owner", Type::Address), field("side", side(&[("Bid", &[])]))]),
        storage: list([
            stored("balances", &[Type::Address], Type::U128),
            stored("legs", &[], Type::List(list([leg(&two)]))),
            stored("sides", &[side(&[("Bid", &[])])], side(&[("Bid", &[]), ("Ask", &two)])),
        ]),
        methods: list([method("pay", &two, Type::Option(list([side(&[("Bid", &[])])])))]),
        events: list([
            Event { name: "Paid".into(), fields: list(two.iter().cloned()) },
            Event { name: "Closed".into(), fields: list([]) },
        ]),
        error: list([side(&[("Low", &[]), ("High", &two)])]),
    }
}

/// What is found after a change: a line each, with a letter for its effect.
fn check(change: impl FnOnce(&mut Abi), expected: &[&str]) {
    let (old, mut new) = (abi(), abi());
    change(&mut new);
    let letter = |effect| match effect {
        Effect::Fine => "fine",
        Effect::BreaksCallers => "callers",
        Effect::BreaksState => "STATE",
    };
    let found = compare(&old, &new);
    let lines: Vec<_> =
        found.iter().map(|finding| format!("{} {finding}", letter(finding.effect))).collect();
    assert_eq!(lines, expected);
}

#[test]
fn nothing_is_found_where_nothing_changed() {
    check(|_| {}, &[]);
    check(|abi| abi.name = "other".into(), &[]);
}

#[test]
fn storage_fields_keep_number_key_and_value() {
    let add = |abi: &mut Abi| abi.storage.to_mut().push(stored("fees", &[], Type::U64));
    check(add, &["fine storage field fees: added"]);
    check(
        |abi| abi.storage.to_mut().insert(0, stored("fees", &[], Type::U64)),
        &[
            "STATE storage field balances: was number 0, is number 1: its values stay behind",
            "STATE storage field legs: was number 1, is number 2: its values stay behind",
            "STATE storage field sides: was number 2, is number 3: its values stay behind",
        ],
    );
    check(
        |abi| drop(abi.storage.to_mut().pop()),
        &[
            "STATE storage field sides: removed: its values stay, for whatever field gets its number \
           next; keep it",
        ],
    );
    check(
        |abi| abi.storage.to_mut()[0].name = "held".into(),
        &["fine storage field balances: renamed to held"],
    );
    check(
        |abi| abi.storage.to_mut()[0].counter = true,
        &["fine storage field balances: is a counter now; the bytes are the same"],
    );
    check(
        |abi| abi.storage.to_mut()[0].prefix_parts = Some(1),
        &["STATE storage field balances: held one value a key, holds all keys below 1 parts"],
    );
    check(
        |abi| abi.storage.to_mut()[0].value = Type::I128,
        &["STATE storage field balances: value was u128, is i128"],
    );
    check(
        |abi| abi.storage.to_mut()[0].key = list([Type::Address, Type::U8]),
        &["STATE storage field balances: key was (Address), is (Address, u8)"],
    );
    check(
        |abi| abi.storage.to_mut()[0].key = list([Type::FixedBytes(32)]),
        &["STATE storage field balances: key .0 was Address, is [u8; 32]"],
    );
    // Of the same types: the names alone tell that the values are not the same.
    check(
        |abi| {
            abi.storage.to_mut()[1] = stored("balances", &[Type::Address], Type::U128);
            abi.storage.to_mut()[0] = stored("other", &[Type::Address], Type::U128);
        },
        &[
            "STATE storage field balances: was number 0, is number 1: its values stay behind",
            "STATE storage field legs: key was nothing, is (Address)",
            "STATE storage field legs: value was Vec<struct Leg>, is u128",
            "fine storage field legs: renamed to balances",
        ],
    );
}

#[test]
fn types_inside_types_are_compared() {
    let value =
        |ty: Type| move |abi: &mut Abi| abi.storage.to_mut()[1].value = Type::List(list([ty]));
    let (to, amount) = (field("to", Type::Address), field("amount", Type::U128));
    check(
        value(leg(&[to.clone(), field("amount", Type::U64)])),
        &["STATE storage field legs: value [].amount was u128, is u64"],
    );
    check(
        value(leg(&[amount.clone(), to.clone()])),
        &["STATE storage field legs: value [] was field to at 0, is at 1"],
    );
    check(
        value(leg(&[to.clone(), amount.clone(), field("fee", Type::U8)])),
        &["STATE storage field legs: value [] was 2 fields, is 3 fields"],
    );
    // Another name is another name.
    check(value(leg(&[field("payee", Type::Address), amount])), &[]);
    check(
        value(Type::Tuple(list([Type::Address, Type::U128]))),
        &["STATE storage field legs: value [] was struct Leg, is (Address, u128)"],
    );
}

#[test]
fn enums_grow_at_their_end() {
    let two = [field("to", Type::Address), field("amount", Type::U128)];
    let value = |ty: Type| move |abi: &mut Abi| abi.storage.to_mut()[2].value = ty;
    check(value(side(&[("Bid", &[]), ("Ask", &two), ("Both", &[])])), &[]);
    check(|abi| abi.storage.to_mut()[2].key = list([side(&[("Bid", &[]), ("Ask", &[])])]), &[]);
    check(
        value(side(&[("Bid", &[])])),
        &["STATE storage field sides: value was variant Ask, is not there"],
    );
    check(
        value(side(&[("Ask", &two), ("Bid", &[])])),
        &["STATE storage field sides: value was variant Bid at 0, is at 1"],
    );
    check(
        value(side(&[("Bid", &two), ("Ask", &two)])),
        &["STATE storage field sides: value ::Bid was 0 fields, is 2 fields"],
    );
}

#[test]
fn immutables_stay() {
    check(
        |abi| abi.immutables.to_mut().push(field("fee", Type::U8)),
        &["STATE immutable fee: added: contracts that exist have no value of it"],
    );
    check(
        |abi| drop(abi.immutables.to_mut().pop()),
        &["STATE immutable side: removed: contracts have a value of it"],
    );
    check(
        |abi| abi.immutables.to_mut()[0].ty = Type::U64,
        &["STATE immutable owner: was Address, is u64"],
    );
    check(
        |abi| abi.immutables.to_mut()[0].name = "admin".into(),
        &["fine immutable owner: renamed to admin"],
    );
    check(|abi| abi.immutables.to_mut()[1].ty = side(&[("Bid", &[]), ("Ask", &[])]), &[]);
    check(
        |abi| abi.immutables.to_mut().reverse(),
        &[
            "STATE immutable owner: was number 0, is number 1",
            "STATE immutable side: was number 1, is number 0",
        ],
    );
}

#[test]
fn callers_find_the_methods_that_they_know() {
    let pay = |change: fn(&mut Method)| move |abi: &mut Abi| change(&mut abi.methods.to_mut()[0]);
    check(|abi| abi.methods = list([]), &["callers method pay: removed"]);
    check(
        |abi| abi.methods.to_mut().push(method("refund", &[], Type::UNIT)),
        &["fine method refund: added"],
    );
    // It ran, and will not again.
    check(|abi| abi.methods.to_mut().push(method("init", &[], Type::UNIT)), &[]);
    check(
        pay(|pay| pay.params.to_mut()[1].ty = Type::U64),
        &["callers method pay: parameter amount was u128, is u64"],
    );
    check(
        pay(|pay| pay.params.to_mut().push(field("memo", Type::Text))),
        &["callers method pay: parameter memo added"],
    );
    check(
        pay(|pay| drop(pay.params.to_mut().pop())),
        &["callers method pay: parameter amount removed"],
    );
    check(
        pay(|pay| pay.params.to_mut()[0].name = "payee".into()),
        &["fine method pay: parameter to renamed to payee"],
    );
    check(
        pay(|pay| pay.returns = Type::UNIT),
        &["callers method pay: what it returns was Option<enum Side>, is nothing"],
    );
    check(
        pay(|pay| pay.returns = Type::Option(list([side(&[("Bid", &[]), ("Ask", &[])])]))),
        &["callers method pay: what it returns ? was not there, is variant Ask"],
    );
    check(pay(|pay| pay.mutability = Mutability::View), &["fine method pay: is a view now"]);
    check(pay(|pay| pay.reentrant = true), &["fine method pay: is reentrant now"]);
    check(
        pay(|pay| pay.declared = false),
        &["callers method pay: no longer declares its access: who declares a call of it declares \
           nothing either"],
    );
    let key = AccessTemplate::Key { mode: Mode::Read, field: 1, parts: list([]) };
    check(
        move |abi| abi.methods.to_mut()[0].access = list([key]),
        &["fine method pay: declares other access"],
    );
}

#[test]
fn what_was_fine_one_way_is_not_the_other() {
    let mut view = abi();
    let methods = view.methods.to_mut();
    (methods[0].mutability, methods[0].reentrant) = (Mutability::View, true);
    let found: Vec<_> = compare(&view, &abi()).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["method pay: was a view, may write now", "method pay: is no longer reentrant"]
    );
}

#[test]
fn events_and_errors_keep_their_numbers() {
    check(
        |abi| abi.events.to_mut().reverse(),
        &[
            "callers event Paid: was number 0, is number 1",
            "callers event Closed: was number 1, is number 0",
        ],
    );
    check(
        |abi| drop(abi.events.to_mut().pop()),
        &["callers event Closed: removed: its number is free for another event"],
    );
    check(
        |abi| abi.events.to_mut()[0].fields.to_mut()[1].ty = Type::U64,
        &["callers event Paid: .amount was u128, is u64"],
    );
    check(
        |abi| abi.events.to_mut().push(Event { name: "Opened".into(), fields: list([]) }),
        &["fine event Opened: added"],
    );
    let two = [field("to", Type::Address), field("amount", Type::U128)];
    let more = side(&[("Low", &[]), ("High", &two), ("Late", &[])]);
    check(|abi| abi.error = list([more]), &["fine error Late: added"]);
    check(|abi| abi.error = list([]), &["callers error Side: removed"]);
    check(
        |abi| abi.error = list([side(&[("Low", &[])])]),
        &["callers error Side: was variant High, is not there"],
    );
}
