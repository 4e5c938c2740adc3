//! Prints types, methods and access templates as an author writes them.
//!
//! ```text
//! Key { Write, balances, [Caller] }              write balances[caller]
//! ForEach legs { Key { Add, balances, [leg.to] } }   for leg in legs { add balances[leg.to] }
//! Call imm.token0, transfer, [Arg to, Unknown]   call imm.token0.transfer(to, _)
//! ```

use tollway_host_api::{Abi, AccessTemplate, Expr, Field, Method, Mutability, Type};

/// A type, as in Rust.
pub fn type_name(ty: &Type) -> String {
    let join = |types: &[Type]| types.iter().map(type_name).collect::<Vec<_>>().join(", ");
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
        Type::Tuple(types) if types.len() == 1 => format!("({},)", join(types)),
        Type::Tuple(types) => format!("({})", join(types)),
        Type::Struct { name, .. } | Type::Enum { name, .. } => name.to_string(),
    }
}

/// `name: type, …`
pub fn fields(fields: &[Field]) -> String {
    let field = |field: &Field| format!("{}: {}", field.name, type_name(&field.ty));
    fields.iter().map(field).collect::<Vec<_>>().join(", ")
}

/// `transfer(to: Address, amount: u128) -> bool`
pub fn signature(method: &Method) -> String {
    let returns = match &method.returns {
        unit if *unit == Type::UNIT => String::new(),
        other => format!(" -> {}", type_name(other)),
    };
    format!("{}({}){returns}", method.name, fields(&method.params))
}

/// What sets a method apart: `view`, `reentrant`, `undeclared`.
pub fn marks(method: &Method) -> Vec<&'static str> {
    let marks = [
        (method.mutability == Mutability::View, "view"),
        (method.reentrant, "reentrant"),
        (!method.declared, "undeclared"),
    ];
    marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect()
}

/// A method's access templates, one a line.
pub fn templates(abi: &Abi, method: &Method) -> Vec<String> {
    let mut scope = Scope { abi, method, loops: Vec::new() };
    method.access.iter().map(|template| scope.template(template)).collect()
}

/// A method's access templates, each by itself and in its loops, in the order in which tools number
/// them: `for leg in legs { add balances[leg.to] }`, `for leg in legs { add supply }`.
pub fn single_templates(abi: &Abi, method: &Method) -> Vec<(AccessTemplate, String)> {
    let mut scope = Scope { abi, method, loops: Vec::new() };
    let mut singles = Vec::new();
    method.access.iter().for_each(|template| scope.singles(template, "", "", &mut singles));
    singles
}

/// The names that a template's expressions refer to.
struct Scope<'a> {
    abi: &'a Abi,
    method: &'a Method,
    loops: Vec<String>,
}

impl Scope<'_> {
    fn template(&mut self, template: &AccessTemplate) -> String {
        match template {
            AccessTemplate::Key { mode, field, parts } => {
                let name = self.abi.storage.get(usize::from(*field));
                let name =
                    name.map_or_else(|| format!("field {field}"), |field| field.name.to_string());
                format!("{} {name}{}", mode.name(), bracketed(&self.all(parts)))
            }
            AccessTemplate::ForEach { list, body } => {
                let list = self.expr(list);
                let element = element_name(&list, &self.loops);
                self.loops.push(element.clone());
                let body: Vec<_> = body.iter().map(|template| self.template(template)).collect();
                self.loops.pop();
                format!("for {element} in {list} {{ {} }}", body.join("; "))
            }
            AccessTemplate::Call { contract, method, args } => {
                format!("call {}.{method}({})", self.expr(contract), self.all(args).join(", "))
            }
        }
    }

    fn singles(
        &mut self,
        template: &AccessTemplate,
        before: &str,
        after: &str,
        singles: &mut Vec<(AccessTemplate, String)>,
    ) {
        if let AccessTemplate::ForEach { list, body } = template {
            let list = self.expr(list);
            let element = element_name(&list, &self.loops);
            let before = format!("{before}for {element} in {list} {{ ");
            self.loops.push(element);
            for template in body.iter() {
                self.singles(template, &before, &format!(" }}{after}"), singles);
            }
            self.loops.pop();
        } else {
            let text = self.template(template);
            singles.push((template.clone(), format!("{before}{text}{after}")));
        }
    }

    fn all(&self, exprs: &[Expr]) -> Vec<String> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&self, expr: &Expr) -> String {
        let name = |fields: &[Field], index: u16, kind: &str| {
            let field = fields.get(usize::from(index));
            field.map_or_else(|| format!("{kind} {index}"), |field| field.name.to_string())
        };
        match expr {
            Expr::Caller => "caller".into(),
            Expr::This => "this".into(),
            Expr::Arg { param, path } => {
                with_path(name(&self.method.params, *param, "parameter"), path)
            }
            Expr::Element { depth, path } => {
                let at = self.loops.len().checked_sub(usize::from(*depth) + 1);
                let element = at.map_or_else(|| "element".into(), |at| self.loops[at].clone());
                with_path(element, path)
            }
            Expr::Immutable { index, path } => {
                with_path(format!("imm.{}", name(&self.abi.immutables, *index, "immutable")), path)
            }
            Expr::Integer(number) => number.to_string(),
            Expr::Bytes(bytes) => constant(bytes),
            Expr::Unknown => "_".into(),
            Expr::CallId => "call_id".into(),
            Expr::Shard { of, count } => format!("shard_of({}, {count})", self.all(of).join(", ")),
        }
    }
}

/// `[a, b]`; nothing if there are no parts.
pub fn bracketed(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("[{}]", parts.join(", ")) }
}

/// `start.a.b`
pub fn with_path(start: String, path: &[tollway_host_api::Text]) -> String {
    path.iter().fold(start, |text, part| format!("{text}.{part}"))
}

/// Constant bytes: a text if they are one, else hexadecimal.
pub fn constant(bytes: &[u8]) -> String {
    let printable = |text: &&str| !text.is_empty() && text.chars().all(|c| !c.is_control());
    match std::str::from_utf8(bytes).ok().filter(printable) {
        Some(text) => format!("{text:?}"),
        None => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            crate::format::short_key(&format!("0x{digits}"))
        }
    }
}

/// `legs` has elements named `leg`; what has no singular, `item`.
fn element_name(list: &str, taken: &[String]) -> String {
    let last = list.rsplit('.').next().unwrap_or(list);
    let singular = last.strip_suffix('s').filter(|name| !name.is_empty());
    let mut name = singular.unwrap_or("item").to_owned();
    while taken.contains(&name) {
        name.push('_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::contract::token;

    fn lines(method: &str) -> Vec<String> {
        let abi = token();
        templates(&abi, abi.method(method).expect("the fixture has it"))
    }

    #[test]
    fn templates_read_like_declarations() {
        assert_eq!(lines("transfer"), ["write balances[caller]", "add balances[to]"]);
        assert_eq!(
            lines("pay_all"),
            ["write balances[caller]", "for leg in legs { add balances[leg.to]; add supply }"]
        );
        assert_eq!(lines("swap"), ["call imm.other.transfer(caller, _)", "read names[\"fee\", 7]"]);
    }

    #[test]
    fn templates_stand_by_themselves_in_their_loops() {
        let abi = token();
        let method = abi.method("pay_all").expect("the fixture has it");
        let singles: Vec<_> =
            single_templates(&abi, method).into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            singles,
            [
                "write balances[caller]",
                "for leg in legs { add balances[leg.to] }",
                "for leg in legs { add supply }"
            ]
        );
    }

    #[test]
    fn signatures_read_like_rust() {
        let abi = token();
        let text = |name| signature(abi.method(name).expect("the fixture has it"));
        assert_eq!(text("transfer"), "transfer(to: Address, amount: u128)");
        assert_eq!(text("pay_all"), "pay_all(legs: Vec<Leg>) -> Option<(u64, bool)>");
        assert_eq!(marks(abi.method("free").expect("the fixture has it")), ["undeclared"]);
    }

    #[test]
    fn identifiers_and_shards_read_like_declarations() {
        let mut abi = token();
        abi.methods.to_mut()[0].access = vec![AccessTemplate::Key {
            mode: tollway_host_api::Mode::Write,
            field: 0,
            parts: vec![Expr::CallId, Expr::Shard { of: vec![Expr::Caller].into(), count: 8 }]
                .into(),
        }]
        .into();
        let lines = templates(&abi, &abi.methods[0]);
        assert_eq!(lines, ["write balances[call_id, shard_of(caller, 8)]"]);
    }

    #[test]
    fn wrong_indices_are_printed_as_such() {
        let mut abi = token();
        let method = abi.methods.to_mut();
        method[0].access = vec![AccessTemplate::Key {
            mode: tollway_host_api::Mode::Read,
            field: 99,
            parts: vec![
                Expr::Arg { param: 9, path: vec![].into() },
                Expr::Element { depth: 3, path: vec![].into() },
                Expr::Immutable { index: 8, path: vec!["x".into()].into() },
            ]
            .into(),
        }]
        .into();
        let lines = templates(&abi, &abi.methods[0]);
        assert_eq!(lines, ["read field 99[parameter 9, element, imm.immutable 8.x]"]);
    }
}
