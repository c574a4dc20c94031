//! What the compiler says.

#[test]
fn a_type_without_the_derive_is_named() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
