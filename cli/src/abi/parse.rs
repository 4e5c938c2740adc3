//! From JSON to an ABI. What is wrong is told by its place: `methods.add.access[0].key[1]: …`.

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};
use std::borrow::Cow;
use tollway_host_api::abi::ABI_VERSION;
use tollway_host_api::{
    Abi, AccessTemplate, Event, Expr, Field, Method, Mode, Mutability, StorageField, Text, Type,
    Variant,
};

/// Reads an ABI as the module's page says. Whether it is true of a module is for an upload to check.
pub(crate) fn parse(value: &Value) -> Result<Abi> {
    const KEYS: &[&str] = &["name", "immutables", "storage", "methods", "events", "error"];
    let object = Object::of(value, KEYS)?;
    let immutables = object.fields("immutables")?;
    let storage = object.list("storage", storage)?;
    let scope = Scope { immutables: &immutables, storage: &storage, params: &[] };
    let methods = object.list("methods", |value| method(value, scope))?;
    Ok(Abi {
        version: ABI_VERSION,
        name: object.text("name")?,
        methods: methods.into(),
        events: object.list("events", event)?.into(),
        error: object.get("error").map(ty).transpose().context("error")?.into_iter().collect(),
        immutables: immutables.into(),
        storage: storage.into(),
    })
}

/// An object whose keys are known.
struct Object<'a>(&'a Map<String, Value>);

impl<'a> Object<'a> {
    fn of(value: &'a Value, known: &[&str]) -> Result<Self> {
        let object = value.as_object().with_context(|| format!("{value} is no object"))?;
        for key in object.keys() {
            ensure!(known.contains(&key.as_str()), "{key:?} is none of {}", known.join(", "));
        }
        Ok(Self(object))
    }

    /// What stands there; nothing if that is null.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn text(&self, key: &str) -> Result<Text> {
        let text = self.get(key).with_context(|| format!("{key} is missing"))?;
        let text = text.as_str().with_context(|| format!("{key}: {text} is no text"))?;
        Ok(Cow::Owned(text.to_owned()))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        let Some(value) = self.get(key) else { return Ok(false) };
        value.as_bool().with_context(|| format!("{key}: {value} is neither true nor false"))
    }

    /// The items of a list, which may be missing.
    fn list<T>(&self, key: &str, item: impl Fn(&'a Value) -> Result<T>) -> Result<Vec<T>> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let items = value.as_array().with_context(|| format!("{key}: {value} is no list"))?;
        let items = items.iter().enumerate().map(|(index, value)| {
            // By name where it has one, else by number.
            let name = value.get("name").and_then(Value::as_str);
            let place =
                || name.map_or_else(|| format!("{key}[{index}]"), |name| format!("{key}.{name}"));
            item(value).with_context(place)
        });
        items.collect()
    }

    fn fields(&self, key: &str) -> Result<Vec<Field>> {
        self.list(key, |value| {
            let object = Object::of(value, &["name", "type"])?;
            Ok(Field { name: object.text("name")?, ty: object.ty("type")? })
        })
    }

    fn ty(&self, key: &str) -> Result<Type> {
        ty(self.get(key).with_context(|| format!("{key} is missing"))?)
    }
}

fn event(value: &Value) -> Result<Event> {
    let object = Object::of(value, &["name", "fields"])?;
    Ok(Event { name: object.text("name")?, fields: object.fields("fields")?.into() })
}

fn storage(value: &Value) -> Result<StorageField> {
    let object = Object::of(value, &["name", "key", "value", "counter", "prefix"])?;
    let prefix_parts = match object.get("prefix") {
        None | Some(Value::Null) => None,
        Some(parts) => {
            let count = parts.as_u64().and_then(|parts| u8::try_from(parts).ok());
            Some(count.with_context(|| format!("prefix: {parts} is no number of key parts"))?)
        }
    };
    Ok(StorageField {
        prefix_parts,
        name: object.text("name")?,
        key: object.list("key", ty)?.into(),
        value: object.ty("value")?,
        counter: object.flag("counter")?,
    })
}

fn method(value: &Value, scope: Scope<'_>) -> Result<Method> {
    const KEYS: &[&str] = &["name", "view", "reentrant", "params", "returns", "access"];
    let object = Object::of(value, KEYS)?;
    let params = object.fields("params")?;
    let scope = Scope { params: &params, ..scope };
    let access = object.list("access", |value| scope.template(value))?;
    Ok(Method {
        name: object.text("name")?,
        mutability: if object.flag("view")? { Mutability::View } else { Mutability::Call },
        reentrant: object.flag("reentrant")?,
        returns: object.get("returns").map_or(Ok(Type::UNIT), ty).context("returns")?,
        declared: object.get("access").is_some(),
        access: access.into(),
        params: params.into(),
    })
}

fn ty(value: &Value) -> Result<Type> {
    if let Some(name) = value.as_str() {
        return named(name);
    }
    const KEYS: &[&str] = &["option", "list", "tuple", "struct", "fields", "enum", "variants"];
    let object = Object::of(value, KEYS)?;
    let one = |key| Ok::<_, anyhow::Error>(Cow::Owned(vec![object.ty(key).context(key)?]));
    if object.get("option").is_some() {
        return Ok(Type::Option(one("option")?));
    }
    if object.get("list").is_some() {
        return Ok(Type::List(one("list")?));
    }
    if object.get("tuple").is_some() {
        return Ok(Type::Tuple(object.list("tuple", ty)?.into()));
    }
    if object.get("struct").is_some() {
        return Ok(Type::Struct {
            name: object.text("struct")?,
            fields: object.fields("fields")?.into(),
        });
    }
    if object.get("enum").is_some() {
        let variants = object.list("variants", |value| {
            let object = Object::of(value, &["name", "fields"])?;
            Ok(Variant { name: object.text("name")?, fields: object.fields("fields")?.into() })
        })?;
        return Ok(Type::Enum { name: object.text("enum")?, variants: variants.into() });
    }
    bail!("{value} is no type")
}

fn named(name: &str) -> Result<Type> {
    let size = || name.strip_prefix("[u8; ")?.strip_suffix(']')?.parse().ok();
    Ok(match name {
        "bool" => Type::Bool,
        "u8" => Type::U8,
        "u16" => Type::U16,
        "u32" => Type::U32,
        "u64" => Type::U64,
        "u128" => Type::U128,
        "i64" => Type::I64,
        "i128" => Type::I128,
        "Address" => Type::Address,
        "Bytes" => Type::Bytes,
        "Text" => Type::Text,
        _ => Type::FixedBytes(size().with_context(|| format!("{name:?} is no type"))?),
    })
}

/// The names that access templates refer to.
#[derive(Clone, Copy)]
struct Scope<'a> {
    immutables: &'a [Field],
    storage: &'a [StorageField],
    params: &'a [Field],
}

impl Scope<'_> {
    fn template(&self, value: &Value) -> Result<AccessTemplate> {
        const KEYS: &[&str] =
            &["read", "add", "write", "key", "for", "do", "call", "method", "args"];
        let object = Object::of(value, KEYS)?;
        let expr = |key: &str| {
            let value = object.get(key).with_context(|| format!("{key} is missing"))?;
            self.expr(value).with_context(|| key.to_owned())
        };
        for mode in [Mode::Read, Mode::Add, Mode::Write] {
            if object.get(mode.name()).is_some() {
                let name = object.text(mode.name())?;
                let field = self.storage.iter().position(|field| field.name == name);
                let field = field.and_then(|field| u8::try_from(field).ok());
                return Ok(AccessTemplate::Key {
                    mode,
                    field: field.with_context(|| format!("there is no storage field {name}"))?,
                    parts: object.list("key", |value| self.expr(value))?.into(),
                });
            }
        }
        if object.get("for").is_some() {
            let body = object.list("do", |value| self.template(value))?.into();
            return Ok(AccessTemplate::ForEach { list: expr("for")?, body });
        }
        if object.get("call").is_some() {
            return Ok(AccessTemplate::Call {
                contract: expr("call")?,
                method: object.text("method")?,
                args: object.list("args", |value| self.expr(value))?.into(),
            });
        }
        bail!("{value} is no access: it has none of read, add, write, for, call")
    }

    fn expr(&self, value: &Value) -> Result<Expr> {
        if let Some(number) = value.as_u64() {
            return Ok(Expr::Integer(number.into()));
        }
        if let Some(text) = value.as_str() {
            return self.dotted(text);
        }
        let object =
            Object::of(value, &["element", "path", "integer", "text", "hex", "shard", "of"])?;
        if let Some(depth) = object.get("element") {
            let depth = depth.as_u64().and_then(|depth| u8::try_from(depth).ok());
            let step = |step: &Value| {
                let step = step.as_str().with_context(|| format!("{step} is no text"))?;
                Ok(Text::Owned(step.to_owned()))
            };
            return Ok(Expr::Element {
                depth: depth.context("element is no small number")?,
                path: object.list("path", step)?.into(),
            });
        }
        if let Some(value) = object.get("shard") {
            let count = object.get("of").and_then(Value::as_u64);
            let count = count.and_then(|count| u16::try_from(count).ok());
            return Ok(Expr::Shard {
                of: vec![self.expr(value)?].into(),
                count: count.context("shard: \"of\" is no number of shards")?,
            });
        }
        if object.get("integer").is_some() {
            let digits = object.text("integer")?;
            let number = digits.parse().with_context(|| format!("{digits:?} is no number"))?;
            return Ok(Expr::Integer(number));
        }
        if object.get("text").is_some() {
            return Ok(Expr::Bytes(object.text("text")?.into_owned().into_bytes().into()));
        }
        if object.get("hex").is_some() {
            let digits = object.text("hex")?;
            let bytes = crate::store::hex_bytes(&digits).map_err(anyhow::Error::msg)?;
            return Ok(Expr::Bytes(bytes.into()));
        }
        bail!("{value} is no expression")
    }

    /// `arg.legs`, `imm.owner.key`, `element.to`.
    fn dotted(&self, text: &str) -> Result<Expr> {
        let mut steps = text.split('.');
        let first = steps.next().unwrap_or_default();
        let mut find = |fields: &[Field], kind: &str| {
            let name = steps.next().with_context(|| format!("{text:?} names no {kind}"))?;
            let index = fields.iter().position(|field| field.name == name);
            let index = index.and_then(|index| u16::try_from(index).ok());
            index.with_context(|| format!("{text:?}: there is no {kind} {name}"))
        };
        let expr = match first {
            "caller" => Expr::Caller,
            "this" => Expr::This,
            "call_id" => Expr::CallId,
            "_" => Expr::Unknown,
            "arg" => {
                let param = find(self.params, "parameter")?;
                return Ok(Expr::Arg { param, path: path(steps) });
            }
            "imm" => {
                let index = find(self.immutables, "immutable")?;
                return Ok(Expr::Immutable { index, path: path(steps) });
            }
            "element" => return Ok(Expr::Element { depth: 0, path: path(steps) }),
            _ => bail!(
                "{text:?} is no expression: it starts with none of caller, this, call_id, arg, imm, \
                 element, _"
            ),
        };
        ensure!(steps.next().is_none(), "{text:?}: there is nothing in {first}");
        Ok(expr)
    }
}

fn path<'t>(steps: impl Iterator<Item = &'t str>) -> Cow<'static, [Text]> {
    steps.map(|step| Text::Owned(step.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is said of a method's access.
    fn error(value: Value) -> String {
        format!("{:#}", parse(&value).expect_err("it is wrong"))
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        let access = |access: Value| {
            error(json!({
                "name": "c",
                "storage": [{ "name": "counts", "key": ["Address"], "value": "u128" }],
                "methods": [{ "name": "add", "params": [{ "name": "to", "type": "Address" }],
                              "access": [access] }],
            }))
        };
        assert_eq!(
            access(json!({ "add": "count" })),
            "methods.add: access[0]: there is no storage field count"
        );
        assert_eq!(
            access(json!({ "add": "counts", "key": ["arg.from"] })),
            "methods.add: access[0]: key[0]: \"arg.from\": there is no parameter from"
        );
        assert_eq!(
            access(json!({ "add": "counts", "keys": [] })),
            "methods.add: access[0]: \"keys\" is none of read, add, write, key, for, do, call, method, args"
        );
        assert_eq!(
            access(json!({ "key": ["caller"] })),
            "methods.add: access[0]: {\"key\":[\"caller\"]} is no access: it has none of read, add, \
             write, for, call"
        );
        assert_eq!(error(json!({})), "name is missing");
        assert_eq!(
            error(json!({ "name": "c", "storage": [{ "name": "s", "value": "u7" }] })),
            "storage.s: \"u7\" is no type"
        );
        assert_eq!(
            error(json!({ "name": "c", "method": [] })).split(" is").next(),
            Some("\"method\"")
        );
    }

    #[test]
    fn loops_name_their_elements() {
        let abi = parse(&json!({
            "name": "c",
            "storage": [{ "name": "s", "key": ["Text", "u128"], "value": "u8" }],
            "methods": [{ "name": "m", "params": [{ "name": "l", "type": { "list": { "list": "Text" } } }],
                "access": [{ "for": "arg.l", "do": [{ "for": "element", "do": [
                    { "write": "s", "key": ["element", { "integer": "18446744073709551616" }] },
                    { "read": "s", "key": [{ "text": "a" }, 7] },
                    { "read": "s", "key": [{ "element": 1, "path": ["0"] }, { "hex": "00" }] }] }] }] }],
        }));
        let abi = abi.expect("it is right");
        let AccessTemplate::ForEach { body, .. } = &abi.methods[0].access[0] else { panic!() };
        let AccessTemplate::ForEach { body, .. } = &body[0] else { panic!() };
        let element = |depth, path: &'static [Text]| Expr::Element { depth, path: path.into() };
        let parts = |at: usize| match &body[at] {
            AccessTemplate::Key { parts, .. } => parts.to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(parts(0), [element(0, &[]), Expr::Integer(1 << 64)]);
        assert_eq!(parts(1), [Expr::Bytes(b"a".into()), Expr::Integer(7)]);
        assert_eq!(parts(2), [element(1, &[Text::Borrowed("0")]), Expr::Bytes(b"\0".into())]);
    }
}
