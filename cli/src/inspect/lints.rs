//! What is worth a second look in a contract's declarations, from its ABI alone: nothing runs, so
//! nothing is said of what methods really touch (a test chain tells that).
//!
//! Everything here follows from the declarations as they stand. Whether it matters is the author's
//! to say: there are good reasons for most of it.

use super::syntax::single_templates;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use tollway_host_api::{
    Abi, AccessTemplate, Expr, Method, Mode, Mutability, StorageField, abi::INIT_METHOD,
};

/// Something worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lint {
    /// The method or the storage field.
    pub(super) at: String,
    /// Which kind, for programs.
    pub(super) kind: &'static str,
    /// What is to be said.
    pub(super) text: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.text)
    }
}

impl Lint {
    pub(super) fn json(&self) -> Value {
        json!({ "at": self.at, "kind": self.kind, "text": self.text })
    }
}

/// The lints of the first ABI; the others are of contracts that it may call.
pub(super) fn lints(abis: &[Abi]) -> Vec<Lint> {
    let Some((abi, callees)) = abis.split_first() else { return Vec::new() };
    let callable = || abi.methods.iter().filter(|method| method.name != INIT_METHOD);
    let mut lints: Vec<Lint> = Vec::new();
    for method in callable() {
        lints.extend(of_method(abi, callees, method));
    }
    // What a method that declares nothing does to a field is not known.
    if callable().all(|method| method.declared) {
        let fields = abi.storage.iter().enumerate();
        lints.extend(fields.filter_map(|(index, field)| of_field(abi, index, field)));
    }
    lints
}

fn of_method(abi: &Abi, callees: &[Abi], method: &Method) -> Vec<Lint> {
    let lint =
        |kind, text: String| Lint { at: format!("{}.{}", abi.name, method.name), kind, text };
    if !method.declared {
        let text = "declares nothing, so it runs alone, after all others of its block";
        return vec![lint("undeclared", text.into())];
    }
    let mut lints = Vec::new();
    let singles = single_templates(abi, method);
    for (index, (template, text)) in singles.iter().enumerate() {
        let earlier = &singles[..index];
        if let Some(AccessTemplate::Key { mode, .. }) = same_key(template, earlier) {
            let AccessTemplate::Key { mode: other, .. } = template else { continue };
            let (kind, said) = if mode == other {
                ("declared twice", format!("`{text}` is declared twice"))
            } else {
                let union = mode.union(*other).name();
                let said = format!(
                    "`{text}`: the same key is declared as `{}`, too; together that is `{union}`",
                    mode.name()
                );
                ("declared in two modes", said)
            };
            lints.push(lint(kind, said));
        }
        lints.extend(
            of_call(callees, method, template)
                .map(|(kind, said)| lint(kind, format!("`{text}`: {said}"))),
        );
    }
    lints
}

/// An earlier template of the very same key.
fn same_key<'t>(
    template: &AccessTemplate,
    earlier: &'t [(AccessTemplate, String)],
) -> Option<&'t AccessTemplate> {
    let AccessTemplate::Key { field, parts, .. } = template else { return None };
    // Elements of two loops may be two lists'.
    let in_loop = |expr: &Expr| matches!(expr, Expr::Element { .. });
    if parts.iter().any(in_loop) {
        return None;
    }
    let same = |other: &&AccessTemplate| matches!(other, AccessTemplate::Key { field: f, parts: p, .. } if f == field && p == parts);
    earlier.iter().map(|(template, _)| template).find(same)
}

/// What is wrong with a declared call, where the contract's ABI is known.
fn of_call(
    callees: &[Abi],
    method: &Method,
    template: &AccessTemplate,
) -> Option<(&'static str, String)> {
    let AccessTemplate::Call { method: name, args, .. } = template else { return None };
    let fits = |callee: &&Method| callee.params.len() == args.len();
    let callee = callees.iter().filter_map(|abi| abi.method(name)).find(fits)?;
    if method.mutability == Mutability::View && callee.mutability == Mutability::Call {
        let said = "a view that calls what may write: the host refuses it".to_owned();
        return Some(("view calls", said));
    }
    if !callee.declared {
        let said = "that method declares nothing, so this one counts as undeclared".to_owned();
        return Some(("undeclared call", said));
    }
    let unknown = args.iter().enumerate().find(|(index, arg)| {
        **arg == Expr::Unknown && callee.access.iter().any(|template| uses(template, *index))
    });
    let (index, _) = unknown?;
    let said = format!(
        "its declaration needs `{}`, which is not known before the run, so this method counts as \
         undeclared",
        callee.params[index].name
    );
    Some(("unknown argument", said))
}

/// Whether a template needs a parameter to name its keys.
fn uses(template: &AccessTemplate, index: usize) -> bool {
    let is_it =
        |expr: &Expr| matches!(expr, Expr::Arg { param, .. } if usize::from(*param) == index);
    match template {
        AccessTemplate::Key { parts, .. } => parts.iter().any(is_it),
        AccessTemplate::ForEach { list, body } => {
            is_it(list) || body.iter().any(|template| uses(template, index))
        }
        // What a call hands on is needed only if its callee needs it, which is not looked into.
        AccessTemplate::Call { contract, .. } => is_it(contract),
    }
}

fn of_field(abi: &Abi, index: usize, field: &StorageField) -> Option<Lint> {
    let lint =
        |kind, text: String| Some(Lint { at: format!("{}.{}", abi.name, field.name), kind, text });
    // How often calls declare it in each mode; `init` runs before all of them.
    let mut modes: BTreeMap<Mode, u32> = BTreeMap::new();
    for method in abi.methods.iter().filter(|method| method.name != INIT_METHOD) {
        for (template, _) in single_templates(abi, method) {
            if let AccessTemplate::Key { mode, field, .. } = template
                && usize::from(field) == index
            {
                *modes.entry(mode).or_default() += 1;
            }
        }
    }
    let has = |mode| modes.contains_key(&mode);
    match (has(Mode::Read), has(Mode::Write), has(Mode::Add)) {
        (false, false, false) => lint("unused field", "no method declares to touch it".into()),
        (true, false, false) if field.key.is_empty() => lint(
            "constant field",
            "methods only read it: an immutable needs no key, and may be used in declarations"
                .into(),
        ),
        (_, true, false) if field.counter => lint(
            "counter never added to",
            "a counter that every method which changes it declares as `write`: calls that add or \
             take without reading do not wait for each other"
                .into(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::fixture::{arg, field, key, method, token};
    use tollway_host_api::Type;

    fn kinds(abis: &[Abi]) -> Vec<String> {
        lints(abis).iter().map(|lint| format!("{}: {}", lint.at, lint.kind)).collect()
    }

    fn with_methods(methods: Vec<Method>) -> Abi {
        Abi { methods: methods.into(), ..token() }
    }

    /// Uses every field of the fixture, each as it should be.
    fn uses_all() -> Method {
        let id = || vec![Expr::Bytes(b"x".to_vec().into()), Expr::Integer(1)];
        let touches = vec![
            key(Mode::Add, 0, &[Expr::Caller]),
            key(Mode::Add, 1, &[]),
            key(Mode::Write, 2, &id()),
        ];
        method("all", vec![], touches)
    }

    #[test]
    fn what_is_as_it_should_be_has_none() {
        assert_eq!(kinds(&[with_methods(vec![uses_all()])]), [""; 0]);
    }

    #[test]
    fn a_key_that_stands_twice_is_named() {
        let to = || vec![field("to", Type::Address)];
        let twice = |a, b| {
            let touches = vec![key(a, 0, &[arg(0, &[])]), key(b, 0, &[arg(0, &[])])];
            let abi = with_methods(vec![uses_all(), method("pay", to(), touches)]);
            lints(&[abi]).iter().map(Lint::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            twice(Mode::Add, Mode::Add),
            ["token.pay: `add balances[to]` is declared twice"]
        );
        assert_eq!(
            twice(Mode::Add, Mode::Read),
            [
                "token.pay: `read balances[to]`: the same key is declared as `add`, too; together that \
              is `write`"
            ]
        );
    }

    #[test]
    fn fields_that_could_be_something_else_are_named() {
        let reads = method("read", vec![], vec![key(Mode::Read, 1, &[])]);
        let sets = method("set", vec![], vec![key(Mode::Write, 0, &[Expr::Caller])]);
        assert_eq!(
            kinds(&[with_methods(vec![reads, sets])]),
            [
                "token.balances: counter never added to",
                "token.supply: constant field",
                "token.names: unused field",
            ]
        );
    }

    #[test]
    fn nothing_is_said_of_fields_where_a_method_declares_nothing() {
        let free = Method { declared: false, ..method("free", vec![], vec![]) };
        assert_eq!(kinds(&[with_methods(vec![free])]), ["token.free: undeclared"]);
    }

    #[test]
    fn calls_that_cannot_be_resolved_are_named() {
        let call = |args: Vec<Expr>| AccessTemplate::Call {
            contract: Expr::Immutable { index: 0, path: vec![].into() },
            method: "transfer".into(),
            args: args.into(),
        };
        let view = Method {
            mutability: Mutability::View,
            ..method("look", vec![], vec![call(vec![Expr::Caller, Expr::Unknown])])
        };
        let unknown = method("pay", vec![], vec![call(vec![Expr::Unknown, Expr::Integer(1)])]);
        let fine = method("send", vec![], vec![call(vec![Expr::Caller, Expr::Unknown])]);
        let abi = with_methods(vec![uses_all(), view, unknown, fine]);
        assert_eq!(
            kinds(&[abi.clone(), token()]),
            ["token.look: view calls", "token.pay: unknown argument"]
        );
        // Of a contract that is not known nothing can be said.
        assert_eq!(kinds(&[abi]), [""; 0]);
    }
}
