//! Mistakes that the macros must find, each at its place, and contracts that they must accept.

#[test]
fn macros_point_at_mistakes() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_pass/*.rs");
    cases.compile_fail("tests/compile_fail/*.rs");
}
