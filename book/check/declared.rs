//! What a method declares, in the words of `#[access(..)]`.

use tollway_host_api::{Abi, AccessTemplate, Expr, Field, Method, Text};

/// The templates of a method, one a line.
///
/// # Panics
/// If there is no such method, or it declares nothing at all.
pub fn declared(abi: &Abi, method: &str) -> Vec<String> {
    let method = abi.method(method).unwrap_or_else(|| panic!("there is no method {method}"));
    assert!(method.declared, "{} does not say what it touches", method.name);
    lines(abi, method, &method.access, 0)
}

fn lines(abi: &Abi, method: &Method, templates: &[AccessTemplate], loops: usize) -> Vec<String> {
    templates.iter().map(|template| line(abi, method, template, loops)).collect()
}

fn line(abi: &Abi, method: &Method, template: &AccessTemplate, loops: usize) -> String {
    let all = |exprs: &[Expr]| {
        exprs.iter().map(|part| expr(abi, method, part, loops)).collect::<Vec<_>>().join(", ")
    };
    match template {
        AccessTemplate::Key { mode, field, parts } => {
            let key = if parts.is_empty() { String::new() } else { format!("[{}]", all(parts)) };
            format!("{} {}{key}", mode.name(), abi.storage[usize::from(*field)].name)
        }
        AccessTemplate::ForEach { list, body } => {
            let body = lines(abi, method, body, loops + 1).join(", ");
            format!("for {} in {} {{ {body} }}", element(loops), expr(abi, method, list, loops))
        }
        AccessTemplate::Call { contract, method: callee, args } => {
            format!("call {}.{callee}({})", expr(abi, method, contract, loops), all(args))
        }
    }
}

fn expr(abi: &Abi, method: &Method, expr: &Expr, loops: usize) -> String {
    let at = |fields: &[Field], index: u16, path: &[Text]| {
        path.iter().fold(fields[usize::from(index)].name.to_string(), |all, part| all + "." + part)
    };
    match expr {
        Expr::Caller => "caller".to_owned(),
        Expr::This => "this".to_owned(),
        Expr::Arg { param, path } => at(&method.params, *param, path),
        Expr::Element { depth, path } => {
            let name = element(loops - 1 - usize::from(*depth));
            path.iter().fold(name, |all, part| all + "." + part)
        }
        Expr::Immutable { index, path } => format!("imm.{}", at(&abi.immutables, *index, path)),
        Expr::Integer(number) => number.to_string(),
        Expr::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Expr::Unknown => "_".to_owned(),
    }
}

/// The element of the outermost loop, the one in it, and so on.
fn element(loops: usize) -> String {
    format!("each{}", "_".repeat(loops))
}
