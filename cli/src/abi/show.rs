//! From an ABI to JSON.

use serde_json::{Map, Value, json};
use tollway_host_api::{
    Abi, AccessTemplate, Event, Expr, Field, Method, Mutability, StorageField, Text, Type, Variant,
};

/// The ABI as the module's page says.
pub(crate) fn show(abi: &Abi) -> Value {
    json!({
        "name": abi.name,
        "immutables": fields(&abi.immutables),
        "storage": abi.storage.iter().map(storage).collect::<Vec<_>>(),
        "methods": abi.methods.iter().map(|method| self::method(abi, method)).collect::<Vec<_>>(),
        "events": abi.events.iter().map(event).collect::<Vec<_>>(),
        "error": abi.error.first().map(ty),
    })
}

fn fields(fields: &[Field]) -> Value {
    fields.iter().map(|field| json!({ "name": field.name, "type": ty(&field.ty) })).collect()
}

fn event(event: &Event) -> Value {
    json!({ "name": event.name, "fields": fields(&event.fields) })
}

fn storage(field: &StorageField) -> Value {
    let key: Vec<_> = field.key.iter().map(ty).collect();
    let mut shown = json!({
        "name": field.name, "key": key, "value": ty(&field.value), "counter": field.counter
    });
    if let Some(parts) = field.prefix_parts {
        shown["prefix"] = parts.into();
    }
    shown
}

fn method(abi: &Abi, method: &Method) -> Value {
    let mut shown = json!({
        "name": method.name,
        "view": method.mutability == Mutability::View,
        "reentrant": method.reentrant,
        "params": fields(&method.params),
        "returns": ty(&method.returns),
    });
    if method.declared {
        let access = method.access.iter().map(|access| template(abi, method, access));
        shown["access"] = access.collect();
    }
    shown
}

fn ty(ty: &Type) -> Value {
    let inner = |types: &[Type]| types.first().map_or(Value::Null, self::ty);
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
        Type::Bytes => "Bytes".into(),
        Type::Text => "Text".into(),
        Type::FixedBytes(size) => format!("[u8; {size}]").into(),
        Type::Option(types) => json!({ "option": inner(types) }),
        Type::List(types) => json!({ "list": inner(types) }),
        Type::Tuple(types) => json!({ "tuple": types.iter().map(self::ty).collect::<Vec<_>>() }),
        Type::Struct { name, fields } => json!({ "struct": name, "fields": self::fields(fields) }),
        Type::Enum { name, variants } => {
            let variant = |variant: &Variant| json!({ "name": variant.name, "fields": fields(&variant.fields) });
            json!({ "enum": name, "variants": variants.iter().map(variant).collect::<Vec<_>>() })
        }
    }
}

fn template(abi: &Abi, method: &Method, access: &AccessTemplate) -> Value {
    let all = |exprs: &[Expr]| exprs.iter().map(|e| expr(abi, method, e)).collect::<Vec<_>>();
    match access {
        AccessTemplate::Key { mode, field, parts } => {
            // What was uploaded, or is about to be, has the fields that it names.
            let field = abi.storage.get(usize::from(*field)).map(|field| field.name.clone());
            let mut shown = Map::new();
            shown.insert(mode.name().to_owned(), json!(field));
            shown.insert("key".to_owned(), json!(all(parts)));
            Value::Object(shown)
        }
        AccessTemplate::ForEach { list, body } => {
            let body: Vec<_> = body.iter().map(|access| template(abi, method, access)).collect();
            json!({ "for": expr(abi, method, list), "do": body })
        }
        AccessTemplate::Call { contract, method: callee, args } => {
            json!({ "call": expr(abi, method, contract), "method": callee, "args": all(args) })
        }
    }
}

fn expr(abi: &Abi, method: &Method, expr: &Expr) -> Value {
    let dotted = |first: &str, name: Option<&Field>, path: &[Text]| {
        let name = name.map(|field| &*field.name).unwrap_or_default();
        let steps = path.iter().map(|step| &**step);
        [first, name].into_iter().chain(steps).collect::<Vec<_>>().join(".").into()
    };
    match expr {
        Expr::Shard { of, count } => {
            let of: Vec<_> = of.iter().map(|of| self::expr(abi, method, of)).collect();
            json!({ "shard": of.first(), "of": count })
        }
        Expr::Caller => "caller".into(),
        Expr::This => "this".into(),
        Expr::CallId => "call_id".into(),
        Expr::Unknown => "_".into(),
        Expr::Arg { param, path } => dotted("arg", method.params.get(usize::from(*param)), path),
        Expr::Immutable { index, path } => {
            dotted("imm", abi.immutables.get(usize::from(*index)), path)
        }
        Expr::Element { depth, path } => json!({ "element": depth, "path": path }),
        Expr::Integer(number) => match u64::try_from(*number) {
            Ok(number) => number.into(),
            Err(_) => json!({ "integer": number.to_string() }),
        },
        Expr::Bytes(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "hex": digits })
        }
    }
}
