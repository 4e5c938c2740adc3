use super::*;
use crate::engine::validate::samples::{abi_of, field, list, method, rich_abi};
use std::borrow::Cow;
use tollway_host_api::abi::ABI_VERSION;
use tollway_host_api::{AccessTemplate, Expr, List, Mode, Variant};

fn encode(abi: &Abi) -> Vec<u8> {
    borsh::to_vec(abi).expect("an ABI encodes")
}

/// Checks an ABI whose methods are all exported, and compares the beginning of what is said.
fn check_abi(abi: &Abi, expected: &str) {
    let decoded = decode(&encode(abi));
    let result = decoded.and_then(|abi| check(&abi, &Limits::default(), |_| MethodExport::Fits));
    let found = result.map_or_else(|error| error.to_string(), |()| "accepted".into());
    assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
}

/// [`check_abi`] for the rich ABI with a change.
fn check_changed(change: impl FnOnce(&mut Abi), expected: &str) {
    let mut abi = rich_abi();
    change(&mut abi);
    check_abi(&abi, expected);
}

/// [`check_abi`] for the rich ABI with other templates on its first method.
fn check_access(access: &[AccessTemplate], expected: &str) {
    check_changed(|abi| abi.methods.to_mut()[0].access = list(access.iter().cloned()), expected);
}

fn key(mode: Mode, field: u8, parts: &[Expr]) -> AccessTemplate {
    AccessTemplate::Key { mode, field, parts: list(parts.iter().cloned()) }
}

fn arg(param: u16, path: &[&str]) -> Expr {
    Expr::Arg { param, path: steps(path) }
}

fn element(depth: u8, path: &[&str]) -> Expr {
    Expr::Element { depth, path: steps(path) }
}

fn steps(path: &[&str]) -> List<Cow<'static, str>> {
    list(path.iter().map(|step| Cow::Owned((*step).to_owned())))
}

fn for_each(over: Expr, body: &[AccessTemplate]) -> AccessTemplate {
    AccessTemplate::ForEach { list: over, body: list(body.iter().cloned()) }
}

#[test]
fn what_is_encoded_is_decoded() {
    for abi in [rich_abi(), abi_of(&[]), abi_of(&["a", "b"])] {
        assert_eq!(decode(&encode(&abi)), Ok(abi));
    }
    check_changed(|_| {}, "accepted");
}

#[test]
fn truncated_and_trailing_bytes_are_refused() {
    let bytes = encode(&rich_abi());
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end]).is_err(), "{end}");
    }
    let error = decode(&[&bytes[..], &[0]].concat()).expect_err("there is one byte more");
    assert!(error.to_string().ends_with("bytes go on after its end"), "{error}");
    let version = decode(&[3, 0]).expect_err("there is no version 3");
    assert_eq!(version, AbiError::Version { found: 3, expected: ABI_VERSION });
}

/// The bytes of an ABI up to its error types, of which it claims one.
fn up_to_error_type() -> Vec<u8> {
    let mut bytes = encode(&abi_of(&[]));
    bytes.truncate(bytes.len() - 4);
    bytes.extend(1u32.to_le_bytes());
    bytes
}

#[test]
fn nesting_is_bounded() {
    const OPTION: [u8; 5] = [12, 1, 0, 0, 0];
    let nested = |count: usize| {
        let mut bytes = up_to_error_type();
        bytes.extend(OPTION.repeat(count));
        bytes.push(0);
        decode(&bytes)
    };
    assert!(nested(15).is_ok());
    assert!(matches!(nested(16), Err(AbiError::TooDeep { .. })));
    assert!(matches!(nested(12_000), Err(AbiError::TooDeep { .. })));

    // Loops over loops: a method whose templates begin where its own bytes end.
    let mut declared = abi_of(&["go"]);
    declared.methods.to_mut()[0].declared = true;
    let whole = encode(&declared);
    let tail = 4 + 4 + 4;
    let nested = |count: usize| {
        let mut bytes = whole[..whole.len() - tail].to_vec();
        // Over the caller, one template inside.
        const LOOP: [u8; 6] = [1, 0, 1, 0, 0, 0];
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(LOOP.repeat(count));
        bytes.extend([0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([0; 8]);
        decode(&bytes)
    };
    assert!(nested(LOOP_DEPTH_MAX).is_ok());
    assert!(matches!(nested(LOOP_DEPTH_MAX + 1), Err(AbiError::TooDeep { .. })));
    assert!(matches!(nested(10_000), Err(AbiError::TooDeep { .. })));
}

#[test]
fn counts_that_lie_allocate_nothing() {
    for tag in [12, 13, 14] {
        let mut bytes = up_to_error_type();
        bytes.push(tag);
        bytes.extend(u32::MAX.to_le_bytes());
        assert!(matches!(decode(&bytes), Err(AbiError::Undecodable { .. })));
    }
    let mut bytes = ABI_VERSION.to_le_bytes().to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    assert!(matches!(decode(&bytes), Err(AbiError::Undecodable { .. })));
}

#[test]
fn bad_tags_are_refused() {
    let with = |tag| {
        let mut bytes = up_to_error_type();
        bytes.push(tag);
        decode(&bytes)
    };
    assert!(with(0).is_ok());
    assert!(matches!(with(17), Err(AbiError::Undecodable { .. })));
    // Booleans, texts and modes are borsh's to refuse.
    let mut bytes = encode(&abi_of(&[]));
    bytes[6] = 0xff;
    assert!(matches!(decode(&bytes), Err(AbiError::Undecodable { .. })));
}

#[test]
fn names() {
    check_changed(|abi| abi.name = "".into(), "contract: \"\" is not a name");
    check_changed(|abi| abi.name = "a b".into(), "contract: \"a_b\"".replace('_', " ").as_str());
    check_changed(
        |abi| abi.methods.to_mut()[0].name = "1st".into(),
        "method 1st: \"1st\" is not a name",
    );
    check_changed(
        |abi| abi.methods.to_mut()[0].name = "tollway:g0".into(),
        "method tollway:g0: \"tollway:g0\" is not a name",
    );
    check_changed(|abi| abi.methods.to_mut()[0].name = "a".repeat(64).into(), "accepted");
    check_changed(
        |abi| abi.methods.to_mut()[0].name = "a".repeat(65).into(),
        &format!("method {0}a: {0:?} is not a name", "a".repeat(64)),
    );
    check_changed(
        |abi| abi.methods.to_mut()[1].name = "pay".into(),
        "methods: \"pay\" stands twice",
    );
    check_changed(
        |abi| abi.storage.to_mut()[1].name = "balances".into(),
        "storage: \"balances\" stands twice",
    );
    check_changed(
        |abi| abi.methods.to_mut()[0].params.to_mut()[1].name = "legs".into(),
        "method pay: \"legs\" stands twice",
    );
    check_changed(
        |abi| abi.events.to_mut()[0].fields = list([field("a b", Type::U8)]),
        "event Paid, field a b: \"a b\" is not a name",
    );
    let with_type = |ty: Type, expected: &str| {
        check_changed(|abi| abi.methods.to_mut()[0].returns = ty, expected);
    };
    with_type(
        Type::Struct { name: "Page<u8>".into(), fields: list([field("0", Type::U8)]) },
        "accepted",
    );
    with_type(
        Type::Struct { name: "\u{1b}[2J".into(), fields: list([]) },
        "method pay: \"\\u{1b}[2J\" is not a name",
    );
    let variant = |name: &'static str| Variant { name: name.into(), fields: list([]) };
    with_type(
        Type::Enum { name: "E".into(), variants: list([variant("A"), variant("A")]) },
        "method pay, enum E: \"A\" stands twice",
    );
}

#[test]
fn types() {
    let with_return = |ty: Type, expected: &str| {
        check_changed(|abi| abi.methods.to_mut()[0].returns = ty, expected);
    };
    with_return(Type::UNIT, "accepted");
    with_return(Type::Option(list([])), "method pay: type is not well formed");
    with_return(Type::List(list([Type::U8, Type::U8])), "method pay: type is not well formed");
    let variants = |count: usize| Type::Enum {
        name: "E".into(),
        variants: list(
            (0..count).map(|i| Variant { name: format!("V{i}").into(), fields: list([]) }),
        ),
    };
    with_return(variants(256), "accepted");
    with_return(variants(257), "method pay: type is not well formed");
    with_return(Type::Tuple(list(vec![Type::U8; 511])), "accepted");
    with_return(Type::Tuple(list(vec![Type::U8; 512])), "method pay: type is not well formed");
    check_changed(
        |abi| abi.storage.to_mut()[0].value = Type::U64,
        "storage field balances: a counter's value is u128",
    );
    let with_key = |key: &[Type], expected: &str| {
        let more = StorageField {
            name: "more".into(),
            key: list(key.iter().cloned()),
            value: Type::U8,
            counter: false,
            prefix_parts: None,
        };
        check_changed(|abi| abi.storage.to_mut().push(more), expected);
    };
    with_key(
        &[Type::U8, Type::List(list([Type::U8]))],
        "storage field more: key part 1 can't be part of a key",
    );
    with_key(&[Type::FixedBytes(127)], "accepted");
    with_key(&[Type::FixedBytes(128)], "storage field more: keys have 129 bytes, limit is 128");
    with_key(&[Type::UNIT], "storage field more, key part 0: values of this type have no bytes");
    check_changed(|abi| abi.error = list([Type::U8, Type::U8]), "has 2 error types, limit is 1");
}

#[test]
fn values_without_bytes_are_refused() {
    let empty = Type::Struct { name: "Empty".into(), fields: list([]) };
    let with_param = |ty: Type, expected: &str| {
        check_changed(
            |abi| abi.methods.to_mut()[1].params = list([field("p", ty)]),
            &format!("method view, field p{expected}: values of this type have no bytes"),
        );
    };
    with_param(Type::UNIT, "");
    with_param(empty.clone(), "");
    with_param(Type::FixedBytes(0), "");
    with_param(Type::Option(list([empty.clone()])), "");
    with_param(Type::Tuple(list([Type::U8, Type::UNIT])), "");
    let holder = Type::Struct {
        name: "Holder".into(),
        fields: list([field("a", Type::U8), field("b", empty)]),
    };
    with_param(holder, ", struct Holder, field b");
}

#[test]
fn counts() {
    let methods = |count: usize| Abi {
        methods: list((0..count).map(|i| method(&format!("m{i}")))),
        ..abi_of(&[])
    };
    check_abi(&methods(256), "accepted");
    check_abi(&methods(257), "has 257 methods, limit is 256");
    let storage = |count: usize| Abi {
        storage: list((0..count).map(|i| StorageField {
            name: format!("f{i}").into(),
            key: list([]),
            value: Type::U8,
            counter: false,
            prefix_parts: None,
        })),
        ..abi_of(&[])
    };
    check_abi(&storage(256), "accepted");
    check_abi(&storage(257), "has 257 storage fields, limit is 256");
    check_access(&vec![key(Mode::Read, 1, &[]); 64], "accepted");
    check_access(
        &vec![key(Mode::Read, 1, &[]); 65],
        "method pay has 65 access templates, limit is 64",
    );
    let nested = for_each(arg(0, &[]), &vec![key(Mode::Read, 1, &[]); 64]);
    check_access(&[nested], "method pay has 65 access templates, limit is 64");
}

#[test]
fn prefixes_have_the_parts_that_the_field_says() {
    let with_prefix = |prefix_parts: Option<u8>, access: &[AccessTemplate], expected: &str| {
        check_changed(
            |abi| {
                let field = &mut abi.storage.to_mut()[1];
                field.key = list([Type::U8, Type::Address]);
                field.prefix_parts = prefix_parts;
                abi.methods.to_mut()[0].access = list(access.iter().cloned());
            },
            expected,
        );
    };
    let one = [key(Mode::Write, 1, &[Expr::Integer(7)])];
    with_prefix(Some(1), &one, "accepted");
    with_prefix(Some(0), &[key(Mode::Write, 1, &[])], "accepted");
    with_prefix(Some(2), &[key(Mode::Read, 1, &[Expr::Integer(7), Expr::Caller])], "accepted");
    with_prefix(Some(0), &one, "method pay, access[0]: 1 key parts, the field has 0");
    with_prefix(Some(2), &one, "method pay, access[0]: 1 key parts, the field has 2");
    with_prefix(None, &one, "method pay, access[0]: 1 key parts, the field has 2");
    with_prefix(
        Some(1),
        &[key(Mode::Write, 1, &[Expr::Caller])],
        "method pay, access[0], key part 0: expected u8, found address",
    );
    with_prefix(
        Some(1),
        &[key(Mode::Add, 1, &[Expr::Integer(7)])],
        "method pay, access[0]: the field",
    );
    with_prefix(Some(3), &[], "storage field");
}

#[test]
fn lies_are_refused() {
    check_changed(
        |abi| abi.methods.to_mut()[2].mutability = Mutability::View,
        "method init is a view",
    );
    check_changed(
        |abi| abi.methods.to_mut()[0].declared = false,
        "method pay has access templates but is not declared",
    );
    check_changed(
        |abi| abi.methods.to_mut()[0].mutability = Mutability::View,
        "method pay, access[0]: a view can't write",
    );
    check_access(&[key(Mode::Read, 3, &[])], "method pay, access[0]: there is no storage field 3");
    check_access(
        &[key(Mode::Read, 1, &[]), key(Mode::Add, 1, &[])],
        "method pay, access[1]: the field is no counter",
    );
    check_access(&[key(Mode::Read, 0, &[])], "method pay, access[0]: 0 key parts, the field has 1");
    check_access(
        &[key(Mode::Read, 0, &[Expr::Caller, Expr::This])],
        "method pay, access[0]: 2 key parts, the field has 1",
    );
    let part = |expr: Expr, expected: &str| {
        check_access(
            &[for_each(arg(0, &[]), &[key(Mode::Write, 0, &[expr])])],
            &format!("method pay, access[0].body[0], key part 0: {expected}"),
        );
    };
    part(arg(4, &[]), "there is no parameter 4");
    part(arg(0, &[]), "expected address, found list");
    part(arg(0, &["to"]), "path step \"to\" leads nowhere");
    part(element(0, &["too"]), "path step \"too\" leads nowhere");
    part(element(0, &["pair"]), "expected address, found tuple of 2");
    part(element(0, &["pair", "2"]), "path step \"2\" leads nowhere");
    part(element(0, &["pair", "01"]), "path step \"01\" leads nowhere");
    part(element(0, &["to", "x"]), "path step \"x\" leads nowhere");
    part(element(0, &[]), "expected address, found struct Leg");
    part(element(1, &["to"]), "there is no loop 1 levels out");
    part(Expr::Immutable { index: 1, path: steps(&[]) }, "there is no immutable 1");
    part(Expr::Immutable { index: 0, path: steps(&["a"]) }, "path step \"a\" leads nowhere");
    part(Expr::Integer(1), "constant 1 is not a value of type address");
    part(Expr::Bytes(list([0; 31])), "constant of 31 bytes is not a value of type address");
    part(Expr::Unknown, "can't be unknown");
    part(Expr::CallId, "expected address, found u128");
    let shard = |of: &[Expr], count: u16| Expr::Shard { of: list(of.iter().cloned()), count };
    part(shard(&[Expr::Caller], 256), "expected address, found u8");
    part(shard(&[element(0, &["too"])], 8), "path step \"too\" leads nowhere");
    let bad = "a shard is of one value, out of 1 to 256, not of";
    part(shard(&[], 8), &format!("{bad} 0 out of 8"));
    part(shard(&[Expr::Caller, Expr::This], 8), &format!("{bad} 2 out of 8"));
    part(shard(&[Expr::Caller], 0), &format!("{bad} 1 out of 0"));
    part(shard(&[Expr::Caller], 257), &format!("{bad} 1 out of 257"));
    for of in [Expr::Integer(1), Expr::Bytes(list([1; 32])), Expr::Unknown] {
        part(shard(&[of], 8), "a shard can't be of a constant or of what is not known");
    }
    check_access(
        &[key(Mode::Write, 0, &[shard(&[shard(&[Expr::Caller], 8)], 8)])],
        "nests too deep at byte",
    );
    check_access(
        &[key(Mode::Write, 0, &[element(0, &["to"])])],
        "method pay, access[0], key part 0: there is no loop 0 levels out",
    );
    check_access(
        &[for_each(arg(1, &[]), &[key(Mode::Read, 1, &[])])],
        "method pay, access[0]: loops over",
    );
    check_access(&[for_each(Expr::Caller, &[])], "method pay, access[0]: loops over");
    check_access(&[for_each(arg(0, &[]), &[])], "method pay, access[0]: the loop has no body");
    let call = |contract: Expr, args: &[Expr], expected: &str| {
        let call = AccessTemplate::Call {
            contract,
            method: "go".into(),
            args: list(args.iter().cloned()),
        };
        check_access(&[call], expected);
    };
    call(Expr::This, &[Expr::Unknown, arg(0, &[]), Expr::Integer(7)], "accepted");
    call(Expr::Bytes(list([7; 32])), &[], "accepted");
    call(Expr::Bytes(list([7; 33])), &[], "method pay, access[0]: the contract is not an address");
    call(arg(0, &[]), &[], "method pay, access[0]: the contract is not an address");
    call(Expr::Integer(0), &[], "method pay, access[0]: the contract is not an address");
    call(Expr::Unknown, &[], "method pay, access[0]: can't be unknown");
    call(Expr::This, &[arg(9, &[])], "method pay, access[0]: there is no parameter 9");
}

#[test]
fn constants_fit_their_types() {
    let fits = |ty: Type, value: u128, fits: bool| {
        check_changed(
            |abi| {
                abi.storage.to_mut()[1].key = list([ty]);
                abi.methods.to_mut()[0].access =
                    list([key(Mode::Read, 1, &[Expr::Integer(value)])]);
            },
            if fits { "accepted" } else { "method pay, access[0], key part 0: constant" },
        );
    };
    for (ty, largest) in [
        (Type::Bool, 1),
        (Type::U8, u128::from(u8::MAX)),
        (Type::U16, u128::from(u16::MAX)),
        (Type::U32, u128::from(u32::MAX)),
        (Type::U64, u128::from(u64::MAX)),
        (Type::I64, i64::MAX as u128),
        (Type::I128, i128::MAX as u128),
    ] {
        fits(ty.clone(), largest, true);
        fits(ty, largest + 1, false);
    }
    fits(Type::U128, u128::MAX, true);
    fits(Type::Text, 1, false);
    let bytes = |ty: Type, value: &[u8], fits: bool| {
        check_changed(
            |abi| {
                abi.storage.to_mut()[1].key = list([ty]);
                let part = Expr::Bytes(list(value.iter().copied()));
                abi.methods.to_mut()[0].access = list([key(Mode::Read, 1, &[part])]);
            },
            if fits { "accepted" } else { "method pay, access[0], key part 0: constant" },
        );
    };
    bytes(Type::Text, "für".as_bytes(), true);
    bytes(Type::Text, &[0xff], false);
    bytes(Type::Bytes, &[0xff; 127], true);
    bytes(Type::Bytes, &[0xff; 128], false);
    bytes(Type::FixedBytes(3), &[1, 2, 3], true);
    bytes(Type::FixedBytes(3), &[1, 2], false);
    bytes(Type::Address, &[1; 32], true);
    bytes(Type::U8, &[1], false);
}
