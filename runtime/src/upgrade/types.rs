//! Whether every value of one type is the same value of another, byte for byte.

use std::fmt;
use tollway_host_api::{Field, Text, Type};

/// Where two types differ, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// The path into the type: `.legs[].amount`; empty for the whole.
    path: String,
    old: String,
    new: String,
}

impl Mismatch {
    fn of(old: impl Into<String>, new: impl Into<String>) -> Self {
        Self { path: String::new(), old: old.into(), new: new.into() }
    }

    /// The same, a step further out.
    fn at(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }

    /// The same with old and new exchanged.
    pub(super) fn reversed(mut self) -> Self {
        std::mem::swap(&mut self.old, &mut self.new);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.path.is_empty() { "" } else { " " };
        write!(f, "{}{space}was {}, is {}", self.path, self.old, self.new)
    }
}

/// Whether who knows `reader` reads every value of `writer` as what it is.
pub(super) fn reads(writer: &Type, reader: &Type) -> Result<(), Mismatch> {
    match (writer, reader) {
        (Type::Option(a), Type::Option(b)) => all(a, b, |_| "?".to_owned()),
        (Type::List(a), Type::List(b)) => all(a, b, |_| "[]".to_owned()),
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
            all(a, b, |index| format!(".{index}"))
        }
        (Type::Struct { fields: a, .. }, Type::Struct { fields: b, .. }) => fields_read(a, b),
        (Type::Enum { variants: a, .. }, Type::Enum { variants: b, .. }) => {
            let names = |variants: &[tollway_host_api::Variant]| {
                variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>()
            };
            same_places(&names(a), &names(b), "variant")?;
            if let Some(variant) = a.get(b.len()) {
                return Err(Mismatch::of(format!("variant {}", variant.name), "not there"));
            }
            a.iter().zip(b.iter()).try_for_each(|(a, b)| {
                fields_read(&a.fields, &b.fields)
                    .map_err(|mismatch| mismatch.at(&format!("::{}", a.name)))
            })
        }
        _ if writer == reader => Ok(()),
        _ => Err(Mismatch::of(name(writer), name(reader))),
    }
}

/// The same for values one after another.
pub(super) fn fields_read(writer: &[Field], reader: &[Field]) -> Result<(), Mismatch> {
    let names = |fields: &[Field]| fields.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    same_places(&names(writer), &names(reader), "field")?;
    if writer.len() != reader.len() {
        let count = |fields: &[Field]| match fields.len() {
            1 => "1 field".to_owned(),
            count => format!("{count} fields"),
        };
        return Err(Mismatch::of(count(writer), count(reader)));
    }
    writer.iter().zip(reader).try_for_each(|(a, b)| {
        reads(&a.ty, &b.ty).map_err(|mismatch| mismatch.at(&format!(".{}", a.name)))
    })
}

/// What has a name on both sides has to be at the same place on both.
fn same_places(writer: &[Text], reader: &[Text], what: &str) -> Result<(), Mismatch> {
    for (index, name) in writer.iter().enumerate() {
        if let Some(at) = reader.iter().position(|found| found == name).filter(|at| *at != index) {
            let place = |at| format!("{what} {name} at {at}");
            return Err(Mismatch::of(place(index), format!("at {at}")));
        }
    }
    Ok(())
}

fn all(writer: &[Type], reader: &[Type], step: impl Fn(usize) -> String) -> Result<(), Mismatch> {
    writer
        .iter()
        .zip(reader)
        .enumerate()
        .try_for_each(|(index, (a, b))| reads(a, b).map_err(|mismatch| mismatch.at(&step(index))))
}

/// A type as people write it.
pub(super) fn name(ty: &Type) -> String {
    let join = |types: &[Type]| types.iter().map(name).collect::<Vec<_>>().join(", ");
    match ty {
        Type::Bool => "bool".into(),
        Type::U8 => "u8".into(),
        Type::U16 => "u16".into(),
        Type::U32 => "u32".into(),
        Type::U64 => "u64".into(),
        Type::U128 => "u128".into(),
        Type::I64 => "i64".into(),
        Type::I128 => "i128".into(),
        Type::Address => "Address".into(),
        Type::Bytes => "Vec<u8>".into(),
        Type::Text => "String".into(),
        Type::FixedBytes(size) => format!("[u8; {size}]"),
        Type::Option(inner) => format!("Option<{}>", join(inner)),
        Type::List(inner) => format!("Vec<{}>", join(inner)),
        Type::Tuple(types) if types.is_empty() => "nothing".into(),
        Type::Tuple(types) => format!("({})", join(types)),
        Type::Struct { name, .. } => format!("struct {name}"),
        Type::Enum { name, .. } => format!("enum {name}"),
    }
}
