//! A client in TypeScript: one file, on nothing.
//!
//! | type | in TypeScript |
//! | --- | --- |
//! | `u8`, `u16`, `u32` | `number` |
//! | `u64`, `u128`, `i64`, `i128` | `bigint` |
//! | `Address` | `` `0x${string}` `` |
//! | bytes, of whatever length | `Uint8Array` |
//! | an option | `T \| null`; of an option, `{ some: T } \| null` |
//! | a tuple, or a struct whose fields have no names | `[A, B]` |
//! | an enum | `{ kind: "Bid" } \| { kind: "Ask"; value: { … } }` |

use super::{Types, is_plain, is_tuple};
use tollway_display::notation::{signature, templates};
use tollway_host_api::{Abi, Field, Method, Mutability, Type};

/// What is at the top of each client.
const HEAD: &str = include_str!("head.ts.in");

/// Names that the file has itself or uses, as types or as values.
const RESERVED: [&str; 52] = [
    "Address",
    "Array",
    "BigInt",
    "Codec",
    "CodecError",
    "ContractEvent",
    "Error",
    "Immutables",
    "Math",
    "Method",
    "Number",
    "Object",
    "Reader",
    "RegExp",
    "String",
    "TextDecoder",
    "TextEncoder",
    "Uint8Array",
    "Writer",
    "address",
    "any",
    "bigint",
    "bool",
    "boolean",
    "bytes",
    "checkLength",
    "decode",
    "decodeError",
    "decodeEvent",
    "encode",
    "fixedBytes",
    "globalThis",
    "i128",
    "i64",
    "immutables",
    "integer",
    "list",
    "method",
    "methods",
    "never",
    "null",
    "number",
    "object",
    "option",
    "optionOf",
    "smallInteger",
    "string",
    "text",
    "u128",
    "u16",
    "u32",
    "unit",
];

/// And words of the language, which a type's name might be.
const WORDS: [&str; 48] = [
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "symbol",
    "this",
    "throw",
    "true",
    "try",
    "type",
    "typeof",
    "u64",
    "u8",
    "undefined",
    "unknown",
    "var",
    "yield",
];

/// The file.
pub(crate) fn typescript(abi: &Abi) -> String {
    let reserved: Vec<&str> =
        RESERVED.into_iter().chain(WORDS).chain(["void", "while", "with"]).collect();
    let types = Types::of(abi, &reserved);
    let writer = Writer { abi, types: &types };
    let mut file = HEAD.replace("{contract}", &abi.name);
    for named in &types.all {
        file += &writer.named(&named.name, named.ty);
    }
    if !abi.immutables.is_empty() {
        let (ty, codec) =
            (writer.fields_type(&abi.immutables), writer.fields_codec(&abi.immutables, ""));
        file += &format!(
            "\n/** What is fixed when a contract is created. */\nexport type Immutables = {ty};\n\n\
             export const immutables: Codec<Immutables> = {codec};\n"
        );
    }
    file += &writer.methods();
    file += &writer.events();
    if let Some(error) = abi.error.first() {
        let (ty, codec) = (writer.ty(error), writer.codec(error));
        file += &format!(
            "\n/** The data of a call that this contract reverted. */\n\
             export function decodeError(data: Uint8Array): {ty} {{\n  return decode({codec}, data);\n}}\n"
        );
    }
    file
}

struct Writer<'a> {
    abi: &'a Abi,
    types: &'a Types<'a>,
}

impl Writer<'_> {
    fn ty(&self, ty: &Type) -> String {
        let inner = |types: &[Type]| types.first().map(|ty| self.ty(ty)).unwrap_or_default();
        match ty {
            Type::Bool => "boolean".into(),
            Type::U8 | Type::U16 | Type::U32 => "number".into(),
            Type::U64 | Type::U128 | Type::I64 | Type::I128 => "bigint".into(),
            Type::Address => "Address".into(),
            Type::Bytes | Type::FixedBytes(_) => "Uint8Array".into(),
            Type::Text => "string".into(),
            Type::Option(types) if has_null(types) => {
                format!("{{ some: {} }} | null", inner(types))
            }
            Type::Option(types) => format!("{} | null", inner(types)),
            Type::List(types) => format!("({})[]", inner(types)),
            Type::Tuple(types) if types.is_empty() => "void".into(),
            Type::Tuple(types) => {
                let types: Vec<_> = types.iter().map(|ty| self.ty(ty)).collect();
                format!("[{}]", types.join(", "))
            }
            Type::Struct { .. } | Type::Enum { .. } => self.types.name_of(ty).to_owned(),
        }
    }

    fn codec(&self, ty: &Type) -> String {
        let inner = |types: &[Type]| types.first().map(|ty| self.codec(ty)).unwrap_or_default();
        match ty {
            Type::Bool => "bool".into(),
            Type::U8 => "u8".into(),
            Type::U16 => "u16".into(),
            Type::U32 => "u32".into(),
            Type::U64 => "u64".into(),
            Type::U128 => "u128".into(),
            Type::I64 => "i64".into(),
            Type::I128 => "i128".into(),
            Type::Address => "address".into(),
            Type::Bytes => "bytes".into(),
            Type::Text => "text".into(),
            Type::FixedBytes(size) => format!("fixedBytes({size})"),
            Type::Option(types) if has_null(types) => format!("optionOf({})", inner(types)),
            Type::Option(types) => format!("option({})", inner(types)),
            Type::List(types) => format!("list({})", inner(types)),
            Type::Tuple(types) if types.is_empty() => "unit".into(),
            Type::Tuple(types) => {
                let fields = types
                    .iter()
                    .enumerate()
                    .map(|(index, ty)| Field { name: index.to_string().into(), ty: ty.clone() });
                // Seen as the tuple that it is: its codec alone does not tell.
                let codec = self.fields_codec(&fields.collect::<Vec<_>>(), "");
                format!("({codec} satisfies Codec<{}>)", self.ty(ty))
            }
            Type::Struct { .. } | Type::Enum { .. } => self.types.name_of(ty).to_owned(),
        }
    }

    /// `{ to: Address; amount: bigint }`, or `[Address, bigint]`.
    fn fields_type(&self, fields: &[Field]) -> String {
        if fields.is_empty() {
            return "void".to_owned();
        }
        if is_tuple(fields) {
            let types: Vec<_> = fields.iter().map(|field| self.ty(&field.ty)).collect();
            return format!("[{}]", types.join(", "));
        }
        let field = |field: &Field| format!("{}: {}", property(&field.name), self.ty(&field.ty));
        let fields: Vec<_> = fields.iter().map(field).collect();
        format!("{{ {} }}", fields.join("; "))
    }

    /// The codec of what [`Self::fields_type`] is.
    fn fields_codec(&self, fields: &[Field], indent: &str) -> String {
        if fields.is_empty() {
            return "unit".to_owned();
        }
        let is_tuple = is_tuple(fields);
        let mut writes = String::new();
        if is_tuple {
            writes += &format!("{indent}    checkLength(value, {});\n", fields.len());
        }
        let mut reads = Vec::new();
        for field in fields {
            let codec = self.codec(&field.ty);
            let at = if is_tuple { format!("[{}]", field.name) } else { member(&field.name) };
            writes += &format!("{indent}    {codec}.write(writer, value{at});\n");
            let name =
                if is_tuple { String::new() } else { format!("{}: ", property(&field.name)) };
            reads.push(format!("{name}{codec}.read(reader)"));
        }
        let (open, close) = if is_tuple { ("[", "]") } else { ("({ ", " })") };
        let ty = self.fields_type(fields);
        format!(
            "{{\n{indent}  write(writer: Writer, value: {ty}) {{\n{writes}{indent}  }},\n{indent}  \
             read: (reader: Reader): {ty} => {open}{}{close},\n{indent}}}",
            reads.join(", ")
        )
    }

    fn named(&self, name: &str, ty: &Type) -> String {
        match ty {
            Type::Struct { fields, .. } => {
                let (ty, codec) = (self.fields_type(fields), self.fields_codec(fields, ""));
                format!(
                    "\nexport type {name} = {ty};\n\nexport const {name}: Codec<{name}> = {codec};\n"
                )
            }
            Type::Enum { variants, .. } => {
                let mut kinds = Vec::new();
                let (mut writes, mut reads) = (String::new(), String::new());
                for (index, variant) in variants.iter().enumerate() {
                    let kind = format!("{:?}", variant.name);
                    writes += &format!("      case {kind}:\n        u8.write(writer, {index});\n");
                    if variant.fields.is_empty() {
                        kinds.push(format!("{{ kind: {kind} }}"));
                        reads +=
                            &format!("      case {index}:\n        return {{ kind: {kind} }};\n");
                    } else {
                        let fields = self.fields_type(&variant.fields);
                        let codec = self.fields_codec(&variant.fields, "        ");
                        kinds.push(format!("{{ kind: {kind}; value: {fields} }}"));
                        writes += &format!("        ({codec}).write(writer, value.value);\n");
                        reads += &format!(
                            "      case {index}:\n        return {{ kind: {kind}, value: ({codec}).read(reader) }};\n"
                        );
                    }
                    writes += "        break;\n";
                }
                if kinds.is_empty() {
                    kinds.push("never".to_owned());
                }
                let line = if is_plain(variants) { " | " } else { "\n  | " };
                let first = if is_plain(variants) { "" } else { "\n  | " };
                format!(
                    "\nexport type {name} = {first}{};\n\nexport const {name}: Codec<{name}> = {{\n  \
                     write(writer: Writer, value: {name}) {{\n    switch (value.kind) {{\n{writes}      \
                     default:\n        throw new CodecError(`${{String((value as {{ kind: unknown }}).kind)}} \
                     is no variant of {name}`);\n    }}\n  }},\n  read(reader: Reader): {name} {{\n    \
                     const index = reader.byte();\n    switch (index) {{\n{reads}      default:\n        \
                     throw new CodecError(`{name} has no variant ${{index}}`);\n    }}\n  }},\n}};\n",
                    kinds.join(line)
                )
            }
            _ => String::new(),
        }
    }

    fn methods(&self) -> String {
        let mut rows = String::new();
        for method in self.abi.methods.iter() {
            let args = self.fields_codec(&method.params, "    ");
            rows += &format!(
                "  /**\n{}   */\n  {}: method<{}, {}>(\n    {:?},\n    {},\n    {args},\n    {},\n  ),\n",
                self.docs(method),
                property(&method.name),
                self.fields_type(&method.params),
                self.ty(&method.returns),
                method.name,
                method.mutability == Mutability::View,
                self.codec(&method.returns)
            );
        }
        format!("\n/** The methods of the contract. */\nexport const methods = {{\n{rows}}};\n")
    }

    /// What is known of a method: there are no words of its author in an ABI.
    fn docs(&self, method: &Method) -> String {
        let mut lines = vec![format!("`{}`", signature(method))];
        if !method.declared {
            lines.push("Does not declare what it touches.".to_owned());
        }
        lines.extend(templates(self.abi, method).iter().map(|line| format!("- `{line}`")));
        // Names come from the contract.
        let line = |line: &String| format!("   * {}\n", line.replace("*/", "* /"));
        lines.iter().map(line).collect()
    }

    fn events(&self) -> String {
        if self.abi.events.is_empty() {
            return String::new();
        }
        let (mut kinds, mut cases) = (String::new(), String::new());
        for (index, event) in self.abi.events.iter().enumerate() {
            let name = format!("{:?}", event.name);
            kinds +=
                &format!("\n  | {{ name: {name}; fields: {} }}", self.fields_type(&event.fields));
            cases += &format!(
                "    case {index}:\n      return {{ name: {name}, fields: decode({}, data) }};\n",
                self.fields_codec(&event.fields, "      ")
            );
        }
        format!(
            "\n/** An event of the contract. */\nexport type ContractEvent ={kinds};\n\n\
             /** The event with this number and data, as a receipt has them. */\n\
             export function decodeEvent(event: number, data: Uint8Array): ContractEvent {{\n  \
             switch (event) {{\n{cases}    default:\n      \
             throw new CodecError(`the contract has no event ${{event}}`);\n  }}\n}}\n"
        )
    }
}

/// Whether a value of an option's type may be `null` itself.
fn has_null(inner: &[Type]) -> bool {
    matches!(inner.first(), Some(Type::Option(_)))
}

/// A name as that of a property.
fn property(name: &str) -> String {
    // In an object this would set what the object inherits from.
    if name == "__proto__" {
        return "[\"__proto__\"]".to_owned();
    }
    let is_number = name.starts_with(|first: char| first.is_ascii_digit());
    if is_number { format!("{name:?}") } else { name.to_owned() }
}

/// A property of a value.
fn member(name: &str) -> String {
    let is_number = name.starts_with(|first: char| first.is_ascii_digit());
    if is_number { format!("[{name:?}]") } else { format!(".{name}") }
}
