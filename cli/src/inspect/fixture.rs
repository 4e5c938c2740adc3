//! A small ABI for tests: a token with payments in one call, and a method that calls another
//! contract.

use super::Subject;
use tollway_host_api::{
    Abi, AccessTemplate, Expr, Field, Method, Mode, Mutability, StorageField, Text, Type, abi,
};

pub(crate) fn field(name: &'static str, ty: Type) -> Field {
    Field { name: name.into(), ty }
}

pub(crate) fn arg(param: u16, path: &[&'static str]) -> Expr {
    let path: Vec<Text> = path.iter().map(|part| (*part).into()).collect();
    Expr::Arg { param, path: path.into() }
}

pub(crate) fn key(mode: Mode, field: u8, parts: &[Expr]) -> AccessTemplate {
    AccessTemplate::Key { mode, field, parts: parts.to_vec().into() }
}

pub(crate) fn method(
    name: &'static str,
    params: Vec<Field>,
    access: Vec<AccessTemplate>,
) -> Method {
    Method {
        name: name.into(),
        mutability: Mutability::Call,
        reentrant: false,
        params: params.into(),
        returns: Type::UNIT,
        declared: true,
        access: access.into(),
    }
}

fn storage(name: &'static str, key: Vec<Type>, counter: bool) -> StorageField {
    StorageField {
        name: name.into(),
        key: key.into(),
        value: Type::U128,
        counter,
        prefix_parts: None,
    }
}

pub(crate) fn token() -> Abi {
    let leg = Type::Struct {
        name: "Leg".into(),
        fields: vec![field("to", Type::Address), field("amount", Type::U128)].into(),
    };
    let element = Expr::Element { depth: 0, path: vec!["to".into()].into() };
    let to_and_amount = || vec![field("to", Type::Address), field("amount", Type::U128)];
    let mut pay_all = method(
        "pay_all",
        vec![field("legs", Type::List(vec![leg].into()))],
        vec![
            key(Mode::Write, 0, &[Expr::Caller]),
            AccessTemplate::ForEach {
                list: arg(0, &[]),
                body: vec![key(Mode::Add, 0, &[element]), key(Mode::Add, 1, &[])].into(),
            },
        ],
    );
    let pair = Type::Tuple(vec![Type::U64, Type::Bool].into());
    pay_all.returns = Type::Option(vec![pair].into());
    let mut free = method("free", vec![], vec![]);
    free.declared = false;
    let mut total = method("total", vec![], vec![key(Mode::Read, 1, &[])]);
    total.mutability = Mutability::View;
    let other = Expr::Immutable { index: 0, path: vec![].into() };
    let fee = [Expr::Bytes(b"fee".to_vec().into()), Expr::Integer(7)];
    Abi {
        version: abi::ABI_VERSION,
        name: "token".into(),
        immutables: vec![field("other", Type::Address)].into(),
        storage: vec![
            storage("balances", vec![Type::Address], true),
            storage("supply", vec![], true),
            storage("names", vec![Type::Text, Type::U8], false),
        ]
        .into(),
        methods: vec![
            method(
                "transfer",
                to_and_amount(),
                vec![key(Mode::Write, 0, &[Expr::Caller]), key(Mode::Add, 0, &[arg(0, &[])])],
            ),
            method(
                "mint",
                to_and_amount(),
                vec![key(Mode::Add, 0, &[arg(0, &[])]), key(Mode::Add, 1, &[])],
            ),
            pay_all,
            total,
            free,
            method(
                "swap",
                vec![],
                vec![
                    AccessTemplate::Call {
                        contract: other,
                        method: "transfer".into(),
                        args: vec![Expr::Caller, Expr::Unknown].into(),
                    },
                    key(Mode::Read, 2, &fee),
                ],
            ),
        ]
        .into(),
        events: vec![].into(),
        error: vec![].into(),
    }
}

pub(crate) fn subject() -> Subject {
    Subject {
        source: "token.wasm".into(),
        code_hash: "ab".repeat(32),
        bytes: 12_345,
        abi: token(),
        callees: Vec::new(),
    }
}
