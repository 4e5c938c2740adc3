//! The host functions as a header for contracts in C, from the same table.

use tollway_host_api::functions::{HOST_FUNCTIONS, HOST_MODULE, HostFunction, WordType};
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::status::{ABSENT, CallStatus, MethodStatus};

/// The header.
pub(super) fn c_header() -> String {
    let mut text = format!(
        "/* What a contract in C imports from the host, and returns to it.\n\
         \x20* Generated from host-api/src/functions.rs: tollway reference --format c-header\n\
         \x20*\n\
         \x20* A range that does not lie inside the memory, a key longer than TOLLWAY_KEY_BYTES_MAX, or any\n\
         \x20* other misuse stops the call with a trap, which costs it its whole gas limit. */\n\
         #ifndef TOLLWAY_H\n#define TOLLWAY_H\n\n#include <stdint.h>\n\n\
         #define TOLLWAY_IMPORT(name) __attribute__((import_module(\"{HOST_MODULE}\"), import_name(#name)))\n\
         /* An entry point: int32_t f(uint32_t args_len), whose result is a method status. */\n\
         #define TOLLWAY_METHOD(name) __attribute__((export_name(#name)))\n\n\
         #define TOLLWAY_ABSENT {ABSENT:#x}u\n\
         #define TOLLWAY_KEY_BYTES_MAX {KEY_BYTES_MAX}\n\n\
         /* What an entry point returns. */\n"
    );
    for (name, status) in [("OK", MethodStatus::Ok), ("REVERTED", MethodStatus::Reverted)] {
        text += &format!("#define TOLLWAY_{name} {}\n", status as i32);
    }
    text += "\n/* What `tollway_call` returns. */\n";
    for (number, status) in (0..).map_while(|number| Some((number, CallStatus::from_u32(number)?)))
    {
        text += &format!("#define TOLLWAY_CALL_{} {number}\n", upper(&format!("{status:?}")));
    }
    for function in HOST_FUNCTIONS {
        let doc: Vec<_> = function.doc.iter().map(|line| line.trim()).collect();
        let (base, byte) = (function.gas_base, function.gas_byte);
        text += &format!(
            "\n/* {}\n * Gas: {base}, and {byte} a byte. */\nTOLLWAY_IMPORT({}) {};\n",
            doc.join("\n * ").replace('`', ""),
            function.name,
            prototype(function)
        );
    }
    text + "\n#endif\n"
}

/// `void tollway_write(const void *key, uint32_t key_len, const void *value, uint32_t value_len)`
fn prototype(function: &HostFunction) -> String {
    let word = |ty: &WordType| match ty {
        WordType::U32 => "uint32_t",
        WordType::U64 => "uint64_t",
    };
    let has = |name: String| function.params.iter().any(|(found, _)| *found == name);
    let param = |(name, ty): &(&str, WordType)| match *name {
        "out" => "void *out".to_owned(),
        name if name == "address" || has(format!("{name}_len")) => format!("const void *{name}"),
        name => format!("{} {name}", word(ty)),
    };
    let params: Vec<_> = function.params.iter().map(param).collect();
    let params = if params.is_empty() { "void".to_owned() } else { params.join(", ") };
    let result = function.result.as_ref().map_or("void", word);
    format!("{result} tollway_{}({params})", function.name)
}

/// `OutOfGas` is `OUT_OF_GAS`.
fn upper(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_prototype() {
        let header = c_header();
        for function in HOST_FUNCTIONS {
            assert!(header.contains(&format!(" tollway_{}(", function.name)));
        }
        assert!(header.contains(
            "TOLLWAY_IMPORT(call) uint32_t tollway_call(const void *address, const void *method, \
             uint32_t method_len, const void *args, uint32_t args_len, uint64_t gas);"
        ));
        assert!(header.contains("TOLLWAY_IMPORT(height) uint64_t tollway_height(void);"));
        assert!(header.contains("#define TOLLWAY_CALL_OUT_OF_GAS 3"));
        assert!(header.contains("#define TOLLWAY_ABSENT 0xffffffffu"));
    }

    #[test]
    fn the_committed_header_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/foreign/c_counter/tollway.h");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == c_header(),
            "contracts/foreign/c_counter/tollway.h is stale; write it anew with\n    cargo run --release \
             -p tollway-cli -- reference --format c-header > contracts/foreign/c_counter/tollway.h"
        );
    }
}
