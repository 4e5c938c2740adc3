//! The reference page of the host functions, generated from the one table that describes them.

mod c_header;

use crate::args::ReferenceFormat;
use tollway_host_api::functions::{HOST_FUNCTIONS, HOST_MODULE, HostFunction, WordType};
use tollway_host_api::key::KEY_BYTES_MAX;
use tollway_host_api::status::CallStatus;

/// The reference in one of its forms.
pub(crate) fn reference(format: ReferenceFormat) -> String {
    match format {
        ReferenceFormat::Markdown => markdown(),
        ReferenceFormat::CHeader => c_header::c_header(),
    }
}

/// The page, in Markdown.
fn markdown() -> String {
    let mut page = format!(
        "# Host functions\n\n\
         <!-- Generated from host-api/src/functions.rs: cargo run --release -p tollway-cli -- \
         reference > docs/host-functions.md -->\n\n\
         What a contract may import, all of it from module `{HOST_MODULE}`. The SDK wraps every one; \
         a contract in another language\nimports them itself.\n\n\
         Pointers and lengths are `u32` offsets into the contract's memory, exported as `memory`; \
         `u32` and `u64` are Wasm's\n`i32` and `i64`, unsigned. A range that does not lie inside the \
         memory, a key longer than {KEY_BYTES_MAX} bytes, or any other\nmisuse stops the call with a \
         trap, which costs it its whole gas limit. Gas is charged for every use, and for every\nbyte \
         of keys, values and data that crosses the border.\n\n\
         | function | gas | gas a byte |\n| --- | ---: | ---: |\n"
    );
    for function in HOST_FUNCTIONS {
        let HostFunction { name, gas_base, gas_byte, .. } = function;
        page.push_str(&format!("| [`{name}`](#{name}) | {gas_base} | {gas_byte} |\n"));
    }
    for function in HOST_FUNCTIONS {
        let doc: Vec<_> = function.doc.iter().map(|line| line.trim()).collect();
        page.push_str(&format!(
            "\n## `{}`\n\n```text\n{}\n```\n\n{}\n",
            function.name,
            signature(function),
            doc.join("\n")
        ));
    }
    page.push_str(
        "\n## Call statuses\n\nWhat `call` returns.\n\n| number | status |\n| ---: | --- |\n",
    );
    for (number, status) in (0..).map_while(|number| Some((number, CallStatus::from_u32(number)?)))
    {
        page.push_str(&format!("| {number} | `{status:?}` |\n"));
    }
    page
}

fn signature(function: &HostFunction) -> String {
    let word = |ty: &WordType| match ty {
        WordType::U32 => "u32",
        WordType::U64 => "u64",
    };
    let params: Vec<_> =
        function.params.iter().map(|(name, ty)| format!("{name}: {}", word(ty))).collect();
    let result =
        function.result.as_ref().map_or_else(String::new, |ty| format!(" -> {}", word(ty)));
    format!("{}({}){result}", function.name, params.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/host-functions.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/host-functions.md is stale; write it anew with\n    \
             cargo run --release -p tollway-cli -- reference > docs/host-functions.md"
        );
    }

    #[test]
    fn every_function_has_a_part() {
        let page = markdown();
        for function in HOST_FUNCTIONS {
            assert!(page.contains(&format!("\n## `{}`\n", function.name)));
            assert!(page.contains(&signature(function)));
        }
        assert!(page.contains("| 9 | `ViewViolated` |"));
    }
}
