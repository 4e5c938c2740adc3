use super::samples::{abi_of, assemble, custom_section, module, rich_abi, rich_module};
use super::*;
use proptest::prelude::*;

const MEMORY: &str = r#"(memory (export "memory") 1)"#;

fn text_of(result: Result<Prepared, UploadError>) -> String {
    match result {
        Ok(_) => "accepted".into(),
        Err(error) => error.to_string(),
    }
}

/// Prepares a module of a memory and these items, and compares the beginning of what is said.
fn check(items: &str, expected: &str) {
    check_whole(&format!("{MEMORY} {items}"), expected);
}

fn check_whole(items: &str, expected: &str) {
    let found = text_of(prepare(&module(items, &abi_of(&[])), &Limits::default()));
    assert!(found.starts_with(expected), "{items}\n   found {found}\nexpected {expected}");
}

#[test]
fn a_rich_module_is_accepted() {
    let prepared = prepare(&rich_module(), &Limits::default()).expect("it is allowed");
    assert_eq!(prepared.abi, rich_abi());
    assert_eq!((prepared.memory_pages_min, prepared.memory_pages_max), (1, 16));
    assert_eq!(prepared.mutable_globals, ["tollway:g0", "tollway:g2", "tollway:depth"]);
    assert_eq!(prepared.depth_global.as_deref(), Some("tollway:depth"));
}

#[test]
fn what_is_no_module_is_refused() {
    let refused = |bytes: &[u8]| text_of(prepare(bytes, &Limits::default()));
    assert!(refused(b"").starts_with("invalid module at offset 0x0"));
    assert!(refused(b"garbage!").starts_with("invalid module at offset 0x0"));
    assert!(refused(b"\0asm\x0d\0\x01\0").starts_with("refused wasm feature component-model"));
    assert!(refused(&[0; 4096]).starts_with("invalid module"));
}

#[test]
fn every_truncation_is_refused() {
    let wasm = rich_module();
    let whole = prepare(&wasm, &Limits::default()).expect("it is allowed");
    for end in 0..wasm.len() {
        // Only where all that is missing are the names for debuggers, nothing is.
        if let Ok(prepared) = prepare(&wasm[..end], &Limits::default()) {
            assert_eq!(prepared.wasm, whole.wasm, "{end} of {}", wasm.len());
        }
    }
}

#[test]
fn start_function_is_refused() {
    check("(func) (func $go) (start $go)", "start function 1 is not allowed");
}

#[test]
fn imports() {
    let import = |import: &str, expected| check_whole(&format!("{import} {MEMORY}"), expected);
    import(r#"(import "tollway" "height" (func (result i64)))"#, "accepted");
    import(
        r#"(import "env" "height" (func (result i64)))"#,
        "import \"env\" \"height\" is not from module \"tollway\"",
    );
    import(r#"(import "tollway" "print" (func))"#, "import \"print\" is not a host function");
    import(
        r#"(import "tollway" "height" (func (result i32)))"#,
        "import \"height\" has signature () -> (i32), the host function has () -> (i64)",
    );
    import(
        r#"(import "tollway" "add" (func (param i32 i32 i64)))"#,
        "import \"add\" has signature (i32, i32, i64) -> (), the host function has (i32, i32, i64, i64) -> ()",
    );
    import(r#"(import "tollway" "read" (global i32))"#, "import \"read\" is a global");
    import(r#"(import "tollway" "read" (global (mut i32)))"#, "import \"read\" is a global");
    import(r#"(import "tollway" "read" (table 1 funcref))"#, "import \"read\" is a table");
    check_whole(r#"(import "tollway" "memory" (memory 1))"#, "import \"memory\" is a memory");
}

#[test]
fn memories() {
    check_whole("", "module has 0 memories, not one");
    check_whole("(memory 1)", "the memory is not exported as \"memory\"");
    check_whole(
        r#"(memory 1) (func (export "memory"))"#,
        "the memory is not exported as \"memory\"",
    );
    check_whole(r#"(memory (export "memory") 1) (memory 1)"#, "module has 2 memories, not one");
    check_whole(r#"(memory (export "memory") 16)"#, "accepted");
    check_whole(r#"(memory (export "memory") 17)"#, "memory starts with 17 pages, limit is 16");
    for (memory, pages) in [("2", (2, 16)), ("2 3", (2, 3)), ("2 65536", (2, 16)), ("0 0", (0, 0))]
    {
        let wasm = module(&format!(r#"(memory (export "memory") {memory})"#), &abi_of(&[]));
        let prepared = prepare(&wasm, &Limits::default()).expect("it is allowed");
        assert_eq!((prepared.memory_pages_min, prepared.memory_pages_max), pages);
    }
}

#[test]
fn windows() {
    let global = |ty: &str, value: &str| {
        format!("(global i32 (i32.const 8)) (global (export \"tollway_window\") {ty} ({value}))")
    };
    let start = |value: &str| {
        let wasm = module(&format!("{MEMORY} {}", global("i32", value)), &abi_of(&[]));
        prepare(&wasm, &Limits::default()).map(|prepared| prepared.window)
    };
    assert_eq!(start("i32.const 0"), Ok(Some(0)));
    assert_eq!(start("i32.const 1024"), Ok(Some(1024)));
    assert_eq!(start("i32.const 63488"), Ok(Some(65536 - 2048)));
    let without = prepare(&module(MEMORY, &abi_of(&[])), &Limits::default());
    assert_eq!(without.expect("it is allowed").window, None);

    let refused = |items: &str, expected: &str| check(items, expected);
    let size = "memory starts with 65536 bytes";
    refused(&global("i32", "i32.const 63496"), &format!("the window ends at 65544, {size}"));
    refused(&global("i32", "i32.const -8"), &format!("the window ends at 4294969336, {size}"));
    for start in [1, 4, 1023, 63484] {
        let expected = format!("the window starts at {start}, not at a multiple of 8");
        refused(&global("i32", &format!("i32.const {start}")), &expected);
    }
    let small = format!(r#"(memory (export "memory") 0) {}"#, global("i32", "i32.const 0"));
    check_whole(&small, "the window ends at 2048, memory starts with 0 bytes");

    let wrong = |ty: &str, value: &str| {
        let name = ty.trim_matches(['(', ')']);
        let expected = format!("global \"tollway_window\" is {name}, not an immutable i32");
        refused(&global(ty, value), &expected);
    };
    wrong("(mut i32)", "i32.const 1024");
    wrong("i64", "i64.const 1024");
    wrong("(mut i64)", "i64.const 1024");
    wrong("f32", "f32.const 0");
    // Only imported globals can be another's value, and no global is imported.
    refused(&global("i32", "global.get 0"), "refused wasm feature gc");
    let sum = "i32.add (i32.const 8) (i32.const 8)";
    refused(&global("i32", sum), "refused wasm feature extended-const");
    check_whole(
        &format!(
            r#"(import "tollway" "window" (global $w i32)) {MEMORY} (export "tollway_window" (global $w))"#
        ),
        "import \"window\" is a global",
    );
    refused(r#"(func (export "tollway_window"))"#, "export \"tollway_window\" is not a global");
    check_whole(
        r#"(memory (export "memory") (export "tollway_window") 1)"#,
        "export \"tollway_window\" is not a global",
    );
}

#[test]
fn features_are_refused() {
    let feature = |items: &str, name: &str| check(items, &format!("refused wasm feature {name}"));
    feature("(func (drop (v128.const i32x4 0 0 0 0)))", "simd");
    feature("(func (param v128))", "simd");
    feature("(func $f (return_call $f))", "tail-call");
    feature("(tag)", "exceptions");
    feature("(table 1 externref)", "reference-types");
    feature("(func (drop (ref.null func)))", "reference-types");
    feature("(func (param funcref))", "reference-types");
    feature("(global i32 (i32.add (i32.const 1) (i32.const 2)))", "extended-const");
    feature("(table 1 funcref) (func (drop (table.size 0)))", "reference-types");
    feature("(table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))", "reference");
    feature("(func (drop (i32.atomic.load (i32.const 0))))", "threads");
    check_whole(r#"(memory (export "memory") 1 1 shared)"#, "refused wasm feature threads");
    check_whole(r#"(memory (export "memory") i64 1)"#, "refused wasm feature memory64");
    check_whole(r#"(memory (export "memory") 1 (pagesize 1))"#, "refused wasm feature custom-page");
    // Some are refused without the feature's name.
    check("(type (struct))", "");
    check_whole(
        r#"(func (drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))))"#,
        "refused wasm feature",
    );
    for items in ["(type (struct))", "(type (array i8))", "(func (param (ref func)))"] {
        let wasm = module(&format!("{MEMORY} {items}"), &abi_of(&[]));
        assert!(prepare(&wasm, &Limits::default()).is_err(), "{items}");
    }
}

#[test]
fn operators_that_outlive_a_call() {
    let with_segments = |operator: &str, expected| {
        check(
            &format!(
                r#"(table 4 funcref) (func $f) (elem $e func $f) (data $d "x")
                (func) (func {operator})"#
            ),
            expected,
        );
    };
    with_segments("(data.drop $d)", "function 2 uses refused operator data.drop");
    with_segments("(elem.drop $e)", "function 2 uses refused operator elem.drop");
    with_segments(
        "(table.init $e (i32.const 0) (i32.const 0) (i32.const 1))",
        "function 2 uses refused operator table.init",
    );
    with_segments(
        "(table.copy (i32.const 0) (i32.const 0) (i32.const 1))",
        "function 2 uses refused operator table.copy",
    );
    with_segments("(unreachable) (data.drop $d)", "function 2 uses refused operator data.drop");
    with_segments("(memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))", "accepted");
}

#[test]
fn segments() {
    check("(data (i32.const 65535) \"x\")", "accepted");
    check(
        "(data (i32.const 65535) \"xy\")",
        "data segment 0 ends at 65537, memory starts with 65536",
    );
    check("(data (i32.const -1) \"xy\")", "data segment 0 ends at 4294967297");
    check("(table 2 funcref) (func $f) (elem (i32.const 1) $f)", "accepted");
    check(
        "(table 2 funcref) (func $f) (elem (i32.const 2) $f)",
        "element segment 0 ends at 3, table has 2 elements",
    );
    check("(table 2 funcref) (table 2 funcref)", "module has 2 tables, limit is 1");
}

#[test]
fn reserved_exports_are_refused() {
    check(
        r#"(global (export "tollway:depth") (mut i32) (i32.const 0))"#,
        "export \"tollway:depth\" has a reserved name",
    );
    check(r#"(func (export "tollway:x"))"#, "export \"tollway:x\" has a reserved name");
}

/// Prepares a module at the bound, and one above it.
fn check_bound(limits: Limits, at: &str, above: &str, expected: &str) {
    let prepared = |items: &str| {
        text_of(prepare(&module(&format!("{MEMORY} {items}"), &abi_of(&[])), &limits))
    };
    assert_eq!(prepared(at), "accepted", "{at}");
    assert!(prepared(above).starts_with(expected), "{above}\n{}", prepared(above));
}

#[test]
fn limits_are_inclusive() {
    let limits = Limits::default;
    let wasm = module(MEMORY, &abi_of(&[]));
    let size = wasm.len();
    let with_size = |max| prepare(&wasm, &Limits { module_bytes_max: max, ..limits() });
    assert!(with_size(size).is_ok());
    assert_eq!(
        text_of(with_size(size - 1)),
        format!("module has {size} bytes, limit is {}", size - 1)
    );
    check_bound(
        Limits { functions_max: 2, ..limits() },
        "(func) (func)",
        "(func) (func) (func)",
        "module has 3 functions, limit is 2",
    );
    let import = r#"(import "tollway" "height" (func (result i64)))"#;
    let wasm = module(&format!("{import} {import} {MEMORY} (func)"), &abi_of(&[]));
    assert_eq!(
        text_of(prepare(&wasm, &Limits { functions_max: 2, ..limits() })),
        "module has 3 functions, limit is 2"
    );
    check_bound(
        Limits { functions_max: 1, ..limits() },
        "(func)",
        "(type (func)) (type (func (param i32)))",
        "module has 2 types, limit is 1",
    );
    check_bound(
        Limits { functions_max: 2, ..limits() },
        "(func $f (export \"a\"))",
        "(func $f (export \"a\") (export \"b\"))",
        "module has 3 exports, limit is 2",
    );
    check_bound(
        Limits { function_bytes_max: 5, ..limits() },
        "(func (nop) (nop) (nop))",
        "(func (nop) (nop) (nop) (nop))",
        "function 0 has 6 bytes, limit is 5",
    );
    check_bound(
        Limits { locals_max: 4, ..limits() },
        "(func (param i32 i32) (local i32 i64))",
        "(func (param i32 i32) (local i32 i64 i64))",
        "function 0 has 5 locals, limit is 4",
    );
    check_bound(
        Limits { params_max: 2, ..limits() },
        "(func (param i32 i32) (result i32 i32) (unreachable))",
        "(func (result i32 i32 i32) (unreachable))",
        "type 0 has 3 parameters or results, limit is 2",
    );
    check_bound(
        Limits { globals_max: 1, ..limits() },
        "(global i32 (i32.const 0))",
        "(global i32 (i32.const 0)) (global i32 (i32.const 0))",
        "module has 2 globals, limit is 1",
    );
    check_bound(
        Limits { table_elements_max: 3, ..limits() },
        "(table 3 funcref)",
        "(table 4 funcref)",
        "table has 4 elements, limit is 3",
    );
    check_bound(
        Limits { branch_targets_max: 2, ..limits() },
        "(func (br_table 0 0 0 (i32.const 0)))",
        "(func (br_table 0 0 0 0 (i32.const 0)))",
        "function 0 has a br_table of 3 targets",
    );
    check_bound(
        Limits { segments_max: 1, ..limits() },
        "(data \"\")",
        "(data \"\") (data \"\")",
        "module has 2 segments of one kind, limit is 1",
    );
    check_bound(
        Limits { segments_max: 1, ..limits() },
        "(func $f) (elem func $f)",
        "(func $f) (elem func $f) (elem func $f)",
        "module has 2 segments of one kind, limit is 1",
    );
    let abi = borsh::to_vec(&abi_of(&[])).expect("an ABI encodes").len();
    let with_abi = |max| prepare(&wasm_of_abi(), &Limits { abi_bytes_max: max, ..limits() });
    assert!(with_abi(abi).is_ok());
    assert_eq!(
        text_of(with_abi(abi - 1)),
        format!("the ABI has {abi} bytes, limit is {}", abi - 1)
    );
}

fn wasm_of_abi() -> Vec<u8> {
    module(MEMORY, &abi_of(&[]))
}

#[test]
fn runs_of_locals_are_summed_without_wrapping() {
    // Two runs of 2³¹ locals, written by hand because nothing else would.
    let mut wasm = assemble(&format!("(module {MEMORY})"));
    wasm.splice(8..8, [1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0]);
    let body = [2, 0x80, 0x80, 0x80, 0x80, 8, 0x7f, 0x80, 0x80, 0x80, 0x80, 8, 0x7f, 0x0b];
    wasm.extend([10, body.len() as u8 + 2, 1, body.len() as u8]);
    wasm.extend(body);
    let found = text_of(prepare(&wasm, &Limits::default()));
    assert!(found.ends_with("too many locals"), "{found}");
    check(
        &format!("(func (local {}) (local {}))", "i32 ".repeat(600), "i64 ".repeat(600)),
        "function 0 has 1200 locals, limit is 1000",
    );
}

#[test]
fn the_abi_section_stands_once() {
    let abi = borsh::to_vec(&abi_of(&[])).expect("an ABI encodes");
    let section = custom_section("tollway.abi", &abi);
    let with = |sections: &str| {
        text_of(prepare(&assemble(&format!("(module {MEMORY} {sections})")), &Limits::default()))
    };
    assert_eq!(with(&section), "accepted");
    assert_eq!(with(&custom_section("name2", &abi)), "custom section \"tollway.abi\" is missing");
    assert!(
        with(&format!("{section} {section}"))
            .starts_with("custom section \"tollway.abi\" stands twice")
    );
    assert!(
        with(&custom_section("tollway.abi", &[]))
            .starts_with("the ABI is refused: does not decode")
    );
}

#[test]
fn methods_are_exported() {
    let with = |items: &str| {
        text_of(prepare(
            &module(&format!("{MEMORY} {items}"), &abi_of(&["go"])),
            &Limits::default(),
        ))
    };
    assert_eq!(with(r#"(func (export "go") (param i32) (result i32) i32.const 0)"#), "accepted");
    assert_eq!(with(""), "the ABI is refused: method go is not exported");
    assert_eq!(
        with(r#"(global (export "go") i32 (i32.const 0))"#),
        "the ABI is refused: method go is not exported"
    );
    assert_eq!(
        with(r#"(func (export "go") (result i32) i32.const 0)"#),
        "the ABI is refused: method go is exported with another signature than (i32) -> i32"
    );
}

#[test]
fn preparing_is_repeatable() {
    let wasm = rich_module();
    let twice = [(); 2].map(|()| prepare(&wasm, &Limits::default()).expect("it is allowed").wasm);
    assert_eq!(twice[0], twice[1]);
}

/// What is done to a module's bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Set(usize, u8),
    Remove(usize, usize),
    Copy(usize, usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        1 => (any::<usize>(), 1usize..20).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (any::<usize>(), any::<usize>(), 1usize..40)
            .prop_map(|(from, to, count)| Mutation::Copy(from, to, count)),
    ]
}

fn mutate(wasm: &mut Vec<u8>, mutation: &Mutation) {
    let size = wasm.len();
    if size == 0 {
        return;
    }
    match *mutation {
        Mutation::Set(at, byte) => wasm[at % size] = byte,
        Mutation::Remove(at, count) => {
            let at = at % size;
            wasm.drain(at..(at + count).min(size));
        }
        Mutation::Copy(from, to, count) => {
            let from = from % size;
            let piece = wasm[from..(from + count).min(size)].to_vec();
            let to = to % size;
            wasm.splice(to..to, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_bytes_panic(mutations in prop::collection::vec(mutation(), 1..4)) {
        let mut wasm = rich_module();
        mutations.iter().for_each(|mutation| mutate(&mut wasm, mutation));
        if let Err(error) = prepare(&wasm, &Limits::default()) {
            let is_bug = matches!(error, UploadError::Bug(_));
            prop_assert!(!is_bug, "{error}");
        }
    }

    #[test]
    fn no_abi_bytes_panic(mutations in prop::collection::vec(mutation(), 1..4)) {
        let mut abi = borsh::to_vec(&rich_abi()).expect("an ABI encodes");
        mutations.iter().for_each(|mutation| mutate(&mut abi, mutation));
        if let Ok(abi) = abi_check::decode(&abi) {
            let _ = abi_check::check(&abi, &Limits::default(), |_| abi_check::MethodExport::Fits);
        }
    }
}
