//! What a method declares, in words.

use tollway_host_api::Abi;

/// The templates of a method as `tollway inspect` prints them.
///
/// # Panics
/// If there is no such method, or it declares nothing at all.
pub fn declared(abi: &Abi, method: &str) -> Vec<String> {
    let method = abi.method(method).unwrap_or_else(|| panic!("there is no method {method}"));
    assert!(method.declared, "{} does not say what it touches", method.name);
    tollway_display::notation::templates(abi, method)
}
