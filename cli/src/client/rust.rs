//! A client in Rust: one module, on the crate `borsh`.

use super::names::Names;
use super::{Types, camel, is_tuple};
use anyhow::{Result, ensure};
use std::fmt::Write;
use tollway_display::notation::{signature, templates};
use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::{Abi, Field, Method, Mutability, Type};

/// What is at the top of each client.
const HEAD: &str = include_str!("head.rs.in");

/// Names that the module has itself. What is in `std` is named by its whole path.
const RESERVED: [&str; 5] =
    ["Address", "ContractMethod", "ContractEvent", "DecodeEventError", "Immutables"];

/// Words that Rust keeps for itself, of this edition and the next.
const KEYWORDS: [&str; 49] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield", "union",
];

/// What a type's name must not hide.
const HIDDEN: [&str; 14] = [
    "Self", "bool", "calls", "crate", "events", "i128", "i64", "self", "super", "u128", "u16",
    "u32", "u64", "u8",
];

const DERIVE: &str =
    "#[derive(Clone, Debug, PartialEq, Eq, ::borsh::BorshSerialize, ::borsh::BorshDeserialize)]";

/// The module.
pub(crate) fn rust(abi: &Abi) -> Result<String> {
    let reserved: Vec<&str> = [&RESERVED[..], &KEYWORDS, &HIDDEN].concat();
    let types = Types::of(abi, &reserved);
    for named in &types.all {
        let has_some = !matches!(named.ty, Type::Enum { variants, .. } if variants.is_empty());
        ensure!(has_some, "enum {} has no variants: there is no value to encode", named.name);
    }
    let writer = Writer { abi, types: &types };
    let mut text = HEAD.replace("{contract}", &abi.name);
    if !abi.immutables.is_empty() {
        text += "\n/// What is fixed when a contract is created, as `Instantiate` takes it.\n";
        text += &writer.fields_struct("Immutables", &abi.immutables, "");
    }
    for named in &types.all {
        text += &writer.named(&named.name, named.ty);
    }
    if let Some(error) = abi.error.first() {
        write!(
            text,
            "\n/// The data of a call that this contract reverted.\n///\n/// # Errors\n/// If it is no error of \
             this contract.\npub fn decode_error(data: &[u8]) -> ::borsh::io::Result<{}> {{\n    \
             ::borsh::from_slice(data)\n}}\n",
            writer.ty(error, "")
        )
        .expect("writing to a string cannot fail");
    }
    text += &writer.calls();
    text += &writer.events();
    Ok(text)
}

struct Writer<'a> {
    abi: &'a Abi,
    types: &'a Types<'a>,
}

impl Writer<'_> {
    /// A type, seen from a module that `path` leads out of.
    fn ty(&self, ty: &Type, path: &str) -> String {
        let join = |types: &[Type]| {
            types.iter().map(|ty| self.ty(ty, path)).collect::<Vec<_>>().join(", ")
        };
        match ty {
            Type::Bool => "bool".into(),
            Type::U8 => "u8".into(),
            Type::U16 => "u16".into(),
            Type::U32 => "u32".into(),
            Type::U64 => "u64".into(),
            Type::U128 => "u128".into(),
            Type::I64 => "i64".into(),
            Type::I128 => "i128".into(),
            Type::Address => format!("{path}Address"),
            Type::Bytes => "::std::vec::Vec<u8>".into(),
            Type::Text => "::std::string::String".into(),
            Type::FixedBytes(size) => format!("[u8; {size}]"),
            Type::Option(inner) => format!("::std::option::Option<{}>", join(inner)),
            Type::List(inner) => format!("::std::vec::Vec<{}>", join(inner)),
            Type::Tuple(types) if types.len() == 1 => format!("({},)", join(types)),
            Type::Tuple(types) => format!("({})", join(types)),
            Type::Struct { .. } | Type::Enum { .. } => format!("{path}{}", self.types.name_of(ty)),
        }
    }

    fn named(&self, name: &str, ty: &Type) -> String {
        let mut text = format!("\n/// `{name}` of the contract.\n");
        match ty {
            Type::Enum { variants, .. } => {
                text += &format!("{DERIVE}\npub enum {name} {{\n");
                for variant in variants.iter() {
                    let fields = &variant.fields;
                    text += &format!("    {}", ident(&variant.name));
                    if is_tuple(fields) {
                        let types: Vec<_> = fields.iter().map(|f| self.ty(&f.ty, "")).collect();
                        text += &format!("({})", types.join(", "));
                    } else if !fields.is_empty() {
                        text += " {\n";
                        for field in fields.iter() {
                            let ty = self.ty(&field.ty, "");
                            text += &format!("        {}: {ty},\n", ident(&field.name));
                        }
                        text += "    }";
                    }
                    text += ",\n";
                }
                text += "}\n";
            }
            Type::Struct { fields, .. } => text += &self.fields_struct(name, fields, ""),
            _ => {}
        }
        text
    }

    fn fields_struct(&self, name: &str, fields: &[Field], path: &str) -> String {
        if is_tuple(fields) {
            let types = fields.iter().map(|field| format!("pub {}", self.ty(&field.ty, path)));
            let types: Vec<_> = types.collect();
            return format!("{DERIVE}\npub struct {name}({});\n", types.join(", "));
        }
        if fields.is_empty() {
            return format!("{DERIVE}\npub struct {name} {{}}\n");
        }
        let field = |field: &Field| {
            format!("    pub {}: {},\n", ident(&field.name), self.ty(&field.ty, path))
        };
        let fields: String = fields.iter().map(field).collect();
        format!("{DERIVE}\npub struct {name} {{\n{fields}}}\n")
    }

    fn calls(&self) -> String {
        let mut names = Names::new(&["Self"]);
        let mut body = String::new();
        for method in self.abi.methods.iter() {
            let name = names.take(&camel(&method.name), "Call");
            let docs = self.docs(method);
            let docs: String = docs.lines().map(|line| format!("/// {line}\n")).collect();
            body += &format!(
                "\n{}{}\nimpl super::ContractMethod for {name} {{\n    const NAME: &'static str = {:?};\n    \
                 const IS_VIEW: bool = {};\n    type Returns = {};\n}}\n",
                docs.replace("/// \n", "///\n"),
                self.fields_struct(&name, &method.params, "super::"),
                method.name,
                method.mutability == Mutability::View,
                self.ty(&method.returns, "super::")
            );
        }
        let body = indented(&body);
        format!("\n/// The methods, with what they take.\npub mod calls {{\n{body}}}\n")
    }

    /// What is known of a method: there are no words of its author in an ABI.
    fn docs(&self, method: &Method) -> String {
        let mut docs = format!("`{}`", signature(method));
        if method.name == INIT_METHOD {
            docs += "\n\nRuns once, when a contract is created.";
            return docs;
        }
        let access = templates(self.abi, method);
        docs += match (method.declared, access.is_empty()) {
            (false, _) => "\n\nDoes not declare what it touches.",
            (true, true) => "\n\nTouches nothing.",
            (true, false) => "\n\nTouches:",
        };
        access.iter().for_each(|line| docs += &format!("\n- `{line}`"));
        docs
    }

    fn events(&self) -> String {
        if self.abi.events.is_empty() {
            return String::new();
        }
        let mut names = Names::new(&["Self"]);
        let (mut structs, mut variants, mut arms) = (String::new(), String::new(), String::new());
        for (index, event) in self.abi.events.iter().enumerate() {
            let name = names.take(&camel(&event.name), "Event");
            structs += &format!(
                "\n/// `{}` of the contract.\n{}",
                event.name,
                self.fields_struct(&name, &event.fields, "super::")
            );
            variants += &format!(
                "    /// `{}` of the contract.\n    {name}(events::{name}),\n",
                event.name
            );
            arms +=
                &format!("            {index} => ::borsh::from_slice(data).map(Self::{name}),\n");
        }
        format!(
            "\n/// What events carry.\npub mod events {{\n{}}}\n\n/// An event of the contract.\n\
             #[derive(Clone, Debug, PartialEq, Eq)]\npub enum ContractEvent {{\n{variants}}}\n\n\
             impl ContractEvent {{\n    /// The event with this number and data, as a receipt has them.\n    \
             ///\n    /// # Errors\n    /// If it is no event of this contract.\n    pub fn decode(event: u32, \
             data: &[u8]) -> ::std::result::Result<Self, DecodeEventError> {{\n        \
             let decoded = match event {{\n{arms}            \
             _ => return Err(DecodeEventError::Unknown {{ event }}),\n        }};\n        \
             decoded.map_err(|source| DecodeEventError::Data {{ event, source }})\n    }}\n}}\n",
            indented(&structs)
        )
    }
}

/// Four places to the right.
fn indented(text: &str) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
    text.trim_start().lines().map(line).collect()
}

/// A name of a field or variant as Rust takes it.
fn ident(name: &str) -> String {
    match name {
        "self" | "Self" | "super" | "crate" | "_" => format!("{name}_"),
        _ if KEYWORDS.contains(&name) => format!("r#{name}"),
        // A number, where the fields are not all of them.
        _ if name.starts_with(|first: char| first.is_ascii_digit()) => format!("field_{name}"),
        _ => name.to_owned(),
    }
}
