//! The access of a method that declares none, found in its body.
//!
//! ```text
//! let who = caller();                        who      = Caller
//! for leg in &legs {                         leg      = Element of Arg legs
//!     self.balances.at(leg.to).add(1);       add balances[leg.to], once for each leg
//! }
//! self.imm.token.transfer(who, amount - 1);  call imm.token.transfer(caller, _)
//! ```
//!
//! A walk over the body that knows, of every expression, whether it is storage, or a value known
//! before the call runs, or neither. Branches are joined: a value that depends on a branch stands
//! for each of its alternatives.
//!
//! # Invariants
//! 1. A cell that the walk loses sight of is an error, never a key left out. (Calls on clients
//!    that come from anywhere but arguments and immutables are not seen; a miss is repaired.)
//! 2. A key that is not known before the call runs is an error at its expression.
//! 3. A variable that may change (`mut`) is not known.

use crate::interface::is_reserved;
use crate::model::{Entry, Function, Kind, Model, PATTERN_PARAM, Param};
use crate::template::{Known, Mode, Root, Template, is_constant_name, known_literal, merge};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Block, Error, Expr, Ident, Member, Pat, Result, Stmt, Token};

/// How many keys or calls one expression may stand for when its parts depend on branches.
const ALTERNATIVES_MAX: usize = 32;

const DECLARE: &str = "declare the method's access with `#[access(..)]`";

pub(crate) struct Inferred {
    pub(crate) templates: Vec<Template>,
    /// Statements that check that what was taken for a client of another contract is one.
    pub(crate) checks: TokenStream,
}

pub(crate) fn infer(model: &Model, entry: &Entry) -> Result<Inferred> {
    let function = &model.functions[&entry.name.to_string()];
    let mut walk = Walk {
        model,
        entry,
        scope: vec![],
        found: vec![vec![]],
        lists: vec![],
        inside: vec![entry.name.to_string()],
        returned: false,
        checks: TokenStream::new(),
    };
    for (index, param) in function.params.iter().enumerate() {
        let value = if param.mutable {
            Value::Opaque
        } else {
            Value::known(Known::root(Root::Param(index)))
        };
        walk.scope.push((param.name.to_string(), value));
    }
    let value = walk.block(&function.body)?;
    walk.release(value, &entry.name)?;
    let templates = walk.found.pop().unwrap_or_default();
    Ok(Inferred { templates, checks: walk.checks })
}

/// What the walk knows of an expression.
#[derive(Clone)]
enum Value {
    /// One of these, all known before the call runs.
    Known(Vec<Known>),
    /// The same, but not of a type that can be a client of another contract.
    Data(Vec<Known>),
    /// A client of another contract, made from one of these addresses.
    Client(Vec<Known>),
    Tuple(Vec<Value>),
    /// `self`.
    Contract,
    /// `self.imm`.
    Immutables,
    /// A storage field that is a map.
    Map(usize),
    /// A cell, under one of these keys.
    Cell {
        field: usize,
        keys: Vec<Vec<Known>>,
    },
    /// Anything else.
    Opaque,
}

impl Value {
    fn known(known: Known) -> Self {
        Self::Known(vec![known])
    }

    /// What the value is after one of two branches, or the value that must not be lost.
    fn join(self, other: Self) -> std::result::Result<Self, Self> {
        Ok(match (self, other) {
            (Self::Known(mut values), Self::Known(others)) => {
                for other in others {
                    if !values.contains(&other) {
                        values.push(other);
                    }
                }
                Self::Known(values)
            }
            // Both are of one type, so what is known of one type is known of both.
            (Self::Data(values), Self::Data(others) | Self::Known(others))
            | (Self::Known(values), Self::Data(others)) => {
                match Self::Known(values).join(Self::Known(others))? {
                    Self::Known(values) => Self::Data(values),
                    other => other,
                }
            }
            (Self::Client(values), Self::Client(others) | Self::Known(others))
            | (Self::Known(values), Self::Client(others)) => {
                match Self::Known(values).join(Self::Known(others))? {
                    Self::Known(values) => Self::Client(values),
                    other => other,
                }
            }
            (Self::Tuple(values), Self::Tuple(others)) if values.len() == others.len() => {
                Self::Tuple(
                    values
                        .into_iter()
                        .zip(others)
                        .map(|(value, other)| value.join(other))
                        .collect::<std::result::Result<_, _>>()?,
                )
            }
            (Self::Cell { field, mut keys }, Self::Cell { field: other, keys: others })
                if field == other =>
            {
                for other in others {
                    if !keys.contains(&other) {
                        keys.push(other);
                    }
                }
                Self::Cell { field, keys }
            }
            (value, other) => {
                if value.is_storage() {
                    return Err(value);
                }
                if other.is_storage() {
                    return Err(other);
                }
                Self::Opaque
            }
        })
    }

    /// Whether losing sight of the value could lose a key.
    fn is_storage(&self) -> bool {
        match self {
            Self::Contract | Self::Map(_) | Self::Cell { .. } => true,
            Self::Tuple(values) => values.iter().any(Self::is_storage),
            Self::Known(_) | Self::Data(_) | Self::Client(_) | Self::Immutables | Self::Opaque => {
                false
            }
        }
    }

    /// The value, forgetting what is known of its type.
    fn plain(self) -> Self {
        match self {
            Self::Client(values) | Self::Data(values) => Self::Known(values),
            other => other,
        }
    }
}

struct Walk<'a> {
    model: &'a Model,
    entry: &'a Entry,
    /// Variables in sight, the latest last.
    scope: Vec<(String, Value)>,
    /// What was found so far: a list for the method and one for every open loop.
    found: Vec<Vec<Template>>,
    /// The list of every loop so far, by number.
    lists: Vec<Known>,
    /// Methods that are being followed, to notice recursion.
    inside: Vec<String>,
    /// Whether the method at hand may end before its last expression.
    returned: bool,
    checks: TokenStream,
}

impl Walk<'_> {
    // Statements.

    fn block(&mut self, block: &Block) -> Result<Value> {
        let height = self.scope.len();
        let mut last = Value::Opaque;
        for stmt in &block.stmts {
            last = Value::Opaque;
            match stmt {
                Stmt::Local(local) => self.local(local)?,
                Stmt::Item(_) => {}
                Stmt::Expr(expr, None) => last = self.expr(expr)?,
                Stmt::Expr(expr, Some(_)) => {
                    self.expr(expr)?;
                }
                Stmt::Macro(stmt) => self.macro_call(&stmt.mac)?,
            }
        }
        self.scope.truncate(height);
        Ok(last)
    }

    fn local(&mut self, local: &syn::Local) -> Result<()> {
        let value = match &local.init {
            Some(init) => {
                let value = self.expr(&init.expr)?;
                if let Some((_, diverge)) = &init.diverge {
                    self.used(diverge)?;
                    return self.bind_refutable(&local.pat, value);
                }
                value
            }
            None => Value::Opaque,
        };
        self.bind(&local.pat, value)
    }

    fn bind(&mut self, pat: &Pat, value: Value) -> Result<()> {
        match pat {
            Pat::Ident(ident) => {
                let mutable = ident.mutability.is_some() && !value.is_storage();
                let bound = if mutable { Value::Opaque } else { value.clone() };
                self.scope.push((ident.ident.to_string(), bound));
                if let Some((_, inner)) = &ident.subpat {
                    self.bind(inner, value)?;
                }
                Ok(())
            }
            Pat::Type(typed) => self.bind(&typed.pat, value),
            Pat::Paren(paren) => self.bind(&paren.pat, value),
            Pat::Reference(reference) => self.bind(&reference.pat, value),
            Pat::Guard(guard) => {
                self.bind(&guard.pat, value)?;
                self.used(&guard.guard)
            }
            Pat::Wild(_) | Pat::Rest(_) => Ok(()),
            Pat::Tuple(tuple) => {
                let rest = tuple.elems.iter().position(|elem| matches!(elem, Pat::Rest(_)));
                for (index, elem) in tuple.elems.iter().enumerate() {
                    // After `..`, places count from an end that is not in sight.
                    let part = match rest {
                        Some(rest) if index >= rest => self.lost(value.clone(), elem)?,
                        _ => self.field_of(value.clone(), &index.to_string()),
                    };
                    self.bind(elem, part)?;
                }
                Ok(())
            }
            // A variant's fields have no path from outside; those of a struct do, but the two
            // look alike only when a variant is imported by name.
            Pat::Struct(pat)
                if pat.path.get_ident().is_some() && !matches!(value, Value::Contract) =>
            {
                for field in &pat.fields {
                    let name = match &field.member {
                        Member::Named(name) => name.to_string(),
                        Member::Unnamed(index) => index.index.to_string(),
                    };
                    let part = self.field_of(value.clone(), &name);
                    self.bind(&field.pat, part)?;
                }
                Ok(())
            }
            other => {
                self.release(value, other)?;
                let mut names = PatNames(vec![]);
                syn::visit::visit_pat(&mut names, other);
                for name in names.0 {
                    self.scope.push((name, Value::Opaque));
                }
                Ok(())
            }
        }
    }

    fn field_of(&self, value: Value, name: &str) -> Value {
        match value.plain() {
            Value::Known(values) => {
                let fields: Option<Vec<Known>> =
                    values.iter().map(|value| value.field(name)).collect();
                fields.map_or(Value::Opaque, Value::Known)
            }
            Value::Tuple(values) => {
                let index: Option<usize> = name.parse().ok();
                index.and_then(|index| values.get(index).cloned()).unwrap_or(Value::Opaque)
            }
            Value::Immutables => match self.immutable(name) {
                Some(known) => Value::known(known),
                None => Value::Opaque,
            },
            _ => Value::Opaque,
        }
    }

    fn immutable(&self, name: &str) -> Option<Known> {
        let fields = &self.model.immutables.as_ref()?.fields;
        let index = fields
            .iter()
            .position(|field| field.ident.as_ref().is_some_and(|ident| ident == name))?;
        Some(Known::root(Root::Immutable(index)))
    }

    /// Binds a pattern that need not match: fields may be those of a variant, which have no path.
    fn bind_refutable(&mut self, pat: &Pat, value: Value) -> Result<()> {
        let mut structs = HasStruct(false);
        syn::visit::visit_pat(&mut structs, pat);
        if !structs.0 || value.is_storage() {
            return self.bind(pat, value);
        }
        self.bind(pat, Value::Opaque)
    }

    // Expressions.

    /// Walks an expression whose value goes somewhere that the walk does not follow.
    fn used(&mut self, expr: &Expr) -> Result<()> {
        let value = self.expr(expr)?;
        self.release(value, expr)
    }

    fn release(&self, value: Value, place: &dyn ToTokens) -> Result<()> {
        if !value.is_storage() {
            return Ok(());
        }
        let what = match &value {
            Value::Contract => "the contract's storage".into(),
            Value::Map(field) | Value::Cell { field, .. } => {
                format!("storage field `{}`", self.model.fields[*field].name)
            }
            _ => "a storage cell".into(),
        };
        Err(Error::new_spanned(
            place,
            format!("cannot follow where {what} goes from here; {DECLARE}"),
        ))
    }

    fn lost(&self, value: Value, place: &dyn ToTokens) -> Result<Value> {
        self.release(value, place)?;
        Ok(Value::Opaque)
    }

    fn all_used<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) -> Result<Value> {
        for expr in exprs {
            self.used(expr)?;
        }
        Ok(Value::Opaque)
    }

    fn expr(&mut self, expr: &Expr) -> Result<Value> {
        match expr {
            Expr::Path(path) => Ok(self.path(&path.path)),
            Expr::Lit(lit) => Ok(known_literal(&lit.lit).map_or(Value::Opaque, Value::known)),
            Expr::Paren(paren) => self.expr(&paren.expr),
            Expr::Group(group) => self.expr(&group.expr),
            Expr::Reference(reference) => {
                let value = self.expr(&reference.expr)?;
                // What a `&mut` leads to may change; only what is `mut` can be lent so.
                Ok(value)
            }
            Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)) => self.expr(&unary.expr),
            Expr::Tuple(tuple) => {
                let values = tuple.elems.iter().map(|elem| self.expr(elem));
                Ok(Value::Tuple(values.collect::<Result<_>>()?))
            }
            Expr::Field(field) => self.field(field),
            Expr::MethodCall(call) => self.method_call(call),
            Expr::Call(call) => self.call(call),
            Expr::Block(block) if block.label.is_none() => self.block(&block.block),
            Expr::Block(block) => {
                let value = self.block(&block.block)?;
                self.lost(value, block)
            }
            Expr::Unsafe(block) => self.block(&block.block),
            Expr::Const(_) => Ok(Value::Opaque),
            Expr::If(branch) => self.if_else(branch),
            Expr::Match(branches) => self.match_arms(branches),
            Expr::Let(condition) => {
                let value = self.expr(&condition.expr)?;
                self.bind_refutable(&condition.pat, value)?;
                Ok(Value::Opaque)
            }
            Expr::ForLoop(looped) => self.for_loop(looped),
            Expr::While(looped) => {
                let height = self.scope.len();
                self.used(&looped.cond)?;
                self.block(&looped.body)?;
                self.scope.truncate(height);
                Ok(Value::Opaque)
            }
            Expr::Loop(looped) => {
                self.block(&looped.body)?;
                Ok(Value::Opaque)
            }
            Expr::Closure(closure) => {
                let height = self.scope.len();
                for input in &closure.inputs {
                    self.bind(input, Value::Opaque)?;
                }
                let returned = self.returned;
                self.used(&closure.body)?;
                self.returned = returned;
                self.scope.truncate(height);
                Ok(Value::Opaque)
            }
            Expr::Return(returned) => {
                self.returned = true;
                self.all_used(returned.expr.as_deref())
            }
            Expr::Break(broken) => self.all_used(broken.expr.as_deref()),
            Expr::Try(tried) => self.all_used([&*tried.expr]),
            Expr::Assign(assign) => self.all_used([&*assign.left, &*assign.right]),
            Expr::Binary(binary) => {
                // `a && let ..` binds for what follows, so the scope stays as it is.
                self.all_used([&*binary.left, &*binary.right])
            }
            Expr::Unary(unary) => self.all_used([&*unary.expr]),
            Expr::Cast(cast) => self.all_used([&*cast.expr]),
            Expr::Index(index) => self.all_used([&*index.expr, &*index.index]),
            Expr::Array(array) => self.all_used(&array.elems),
            Expr::Repeat(repeat) => self.all_used([&*repeat.expr]),
            Expr::Range(range) => {
                self.all_used(range.start.as_deref())?;
                self.all_used(range.end.as_deref())
            }
            Expr::Struct(literal) => {
                self.all_used(literal.fields.iter().map(|field| &field.expr))?;
                self.all_used(literal.rest.as_deref())
            }
            Expr::Macro(call) => {
                self.macro_call(&call.mac)?;
                Ok(Value::Opaque)
            }
            Expr::Continue(_) | Expr::Infer(_) => Ok(Value::Opaque),
            other => {
                if mentions_self(quote!(#other)) {
                    return Err(Error::new_spanned(
                        other,
                        format!("cannot see which storage this touches; {DECLARE}"),
                    ));
                }
                Ok(Value::Opaque)
            }
        }
    }

    fn path(&self, path: &syn::Path) -> Value {
        let Some(name) = path.get_ident() else {
            let constant = path.segments.last().is_some_and(|last| is_constant_name(&last.ident));
            return if constant {
                Value::known(Known::Constant(quote!(#path)))
            } else {
                Value::Opaque
            };
        };
        if name == "self" {
            return Value::Contract;
        }
        if let Some(value) = self.variable(name) {
            return value;
        }
        if is_constant_name(name) {
            return Value::known(Known::Constant(quote!(#name)));
        }
        Value::Opaque
    }

    fn variable(&self, name: &Ident) -> Option<Value> {
        let text = name.to_string();
        let mut variables = self.scope.iter().rev();
        let (_, value) = variables.find(|(known, _)| *known == text)?;
        Some(value.clone())
    }

    fn field(&mut self, field: &syn::ExprField) -> Result<Value> {
        let base = self.expr(&field.base)?;
        Ok(match (base, &field.member) {
            (Value::Contract, Member::Named(name)) if name == "imm" => Value::Immutables,
            (Value::Contract, Member::Named(name)) => match self.model.field(name) {
                // A field that is not there is the compiler's to report.
                None => Value::Opaque,
                Some(index) if self.model.fields[index].key.is_some() => Value::Map(index),
                Some(field) => Value::Cell { field, keys: vec![vec![]] },
            },
            (
                base @ (Value::Known(_) | Value::Data(_) | Value::Tuple(_) | Value::Immutables),
                member,
            ) => {
                let name = match member {
                    Member::Named(name) => name.to_string(),
                    Member::Unnamed(index) => index.index.to_string(),
                };
                self.field_of(base, &name)
            }
            (base, _) => self.lost(base, field)?,
        })
    }

    fn method_call(&mut self, call: &syn::ExprMethodCall) -> Result<Value> {
        let receiver = self.expr(&call.receiver)?;
        let method = call.method.to_string();
        match receiver {
            Value::Map(field) if method == "at" && call.args.len() == 1 => {
                let arg = &call.args[0];
                let value = self.expr(arg)?;
                let keys = self.keys(field, value, arg)?;
                Ok(Value::Cell { field, keys })
            }
            Value::Cell { field, keys } => {
                self.all_used(&call.args)?;
                let mode = match method.as_str() {
                    "get" | "get_or" | "get_or_default" | "exists" => Mode::Read,
                    "set" | "sub" | "remove" => Mode::Write,
                    "add" => Mode::Add,
                    _ => {
                        return Err(Error::new(
                            call.method.span(),
                            format!("`{method}` is no method of a storage cell; {DECLARE}"),
                        ));
                    }
                };
                if self.entry.kind == Kind::View && mode != Mode::Read {
                    return Err(Error::new(
                        call.method.span(),
                        format!("a view only reads, and `{method}` changes state"),
                    ));
                }
                for parts in keys {
                    self.find(Template::Key { mode, field, parts });
                }
                Ok(Value::Opaque)
            }
            Value::Contract if self.model.functions.contains_key(&method) => self.inline(call),
            storage if storage.is_storage() => {
                self.all_used(&call.args)?;
                self.lost(storage, &call.method)
            }
            Value::Data(values)
                if matches!(method.as_str(), "clone" | "iter" | "into_iter" | "as_slice") =>
            {
                Ok(Value::Known(values))
            }
            Value::Known(values) => self.method_of_known(values, call, &method, false),
            Value::Client(values) => self.method_of_known(values, call, &method, true),
            _ => self.all_used(&call.args),
        }
    }

    /// A method of a value that is known: a copy of it, a call to another contract, or neither.
    fn method_of_known(
        &mut self,
        values: Vec<Known>,
        call: &syn::ExprMethodCall,
        method: &str,
        is_client: bool,
    ) -> Result<Value> {
        match method {
            "clone" | "copied" | "to_owned" | "iter" | "into_iter" | "as_slice" if !is_client => {
                self.all_used(&call.args)?;
                return Ok(Value::Known(values));
            }
            "address" => return Ok(Value::Known(values)),
            "clone" => return Ok(Value::Client(values)),
            _ => {}
        }
        let may_be_client = is_client || values.iter().any(|value| self.may_be_client(value));
        if is_reserved(method) || !may_be_client {
            return self.all_used(&call.args);
        }
        let mut args: Vec<Vec<Option<Known>>> = vec![vec![]];
        for arg in &call.args {
            let choices: Vec<Option<Known>> = match self.expr(arg)?.plain() {
                Value::Known(values) => values.into_iter().map(Some).collect(),
                other => {
                    self.release(other, arg)?;
                    vec![None]
                }
            };
            args = product(&args, &choices);
            check_alternatives(args.len() * values.len(), call)?;
        }
        for contract in values {
            if !is_client && let Some(place) = contract.place(self.model, self.entry, &self.lists) {
                self.checks.extend(quote_spanned! {call.receiver.span()=>
                    ::tollway_sdk::__private::client(&#place);
                });
            }
            for args in &args {
                self.find(Template::Call {
                    contract: contract.clone(),
                    method: method.strip_prefix("try_").unwrap_or(method).into(),
                    args: args.clone(),
                });
            }
        }
        Ok(Value::Opaque)
    }

    /// Whether the value's type, as written, can be a client: not for builtin types. The compiler
    /// checks the rest.
    fn may_be_client(&self, known: &Known) -> bool {
        let Known::Path { root, path } = known else {
            return false;
        };
        if !path.is_empty() {
            return true;
        }
        let ty = match root {
            Root::Param(param) => self.entry.params.get(*param).map(|param| &param.ty),
            Root::Immutable(index) => self.model.immutable_field(*index).map(|field| &field.ty),
            Root::Element(number) => match self.lists.get(*number) {
                Some(Known::Path { root: Root::Param(param), path }) if path.is_empty() => {
                    self.entry.params.get(*param).and_then(|param| element_type(&param.ty))
                }
                _ => None,
            },
        };
        ty.is_none_or(|ty| !is_builtin(ty))
    }

    fn call(&mut self, call: &syn::ExprCall) -> Result<Value> {
        if let Expr::Path(path) = &*call.func {
            let last = path.path.segments.last().map(|last| last.ident.to_string());
            match last.as_deref() {
                Some("caller") if call.args.is_empty() && self.is_env(&path.path) => {
                    return Ok(Value::known(Known::Caller));
                }
                Some("this") if call.args.is_empty() && self.is_env(&path.path) => {
                    return Ok(Value::known(Known::This));
                }
                // A client made from an address is that address.
                Some(name) if name.ends_with("Ref") && call.args.len() == 1 => {
                    return match self.expr(&call.args[0])?.plain() {
                        Value::Known(values) => Ok(Value::Client(values)),
                        other => self.lost(other, &call.args),
                    };
                }
                _ => {}
            }
            if let Some((name, function)) = self.function_at(&path.path) {
                return self.function_call(call, name, function);
            }
        } else {
            self.used(&call.func)?;
        }
        self.all_used(&call.args)
    }

    /// The function of the module, or of the storage struct, that a path means.
    fn function_at(&self, path: &syn::Path) -> Option<(String, Function)> {
        let name = match path.get_ident() {
            Some(name) if self.variable(name).is_none() => name.to_string(),
            Some(_) => return None,
            None => {
                let mut segments = path.segments.iter();
                let (first, second) = (segments.next()?, segments.next()?);
                let own = first.ident == "Self" || first.ident == self.model.storage.ident;
                if !own || segments.next().is_some() {
                    return None;
                }
                format!("Self::{}", second.ident)
            }
        };
        let function = self.model.free.get(&name)?.clone();
        Some((name, function))
    }

    /// Follows a call to a function if it is given anything by which it could touch storage.
    fn function_call(
        &mut self,
        call: &syn::ExprCall,
        name: String,
        function: Function,
    ) -> Result<Value> {
        let values = call.args.iter().map(|arg| self.expr(arg));
        let values = values.collect::<Result<Vec<_>>>()?;
        let mut given = function.params.iter().zip(&values);
        if given.any(|(param, value)| value.is_storage() || self.may_touch(&param.ty, value)) {
            return self.follow(name, &function, values, &call.func);
        }
        Ok(Value::Opaque)
    }

    /// Whether a function that is given this as a `ty` may touch anything through it.
    fn may_touch(&self, ty: &syn::Type, value: &Value) -> bool {
        match value {
            Value::Known(values) => {
                !is_builtin(ty) && values.iter().any(|value| self.may_be_client(value))
            }
            Value::Tuple(values) => values.iter().any(|value| self.may_touch(ty, value)),
            Value::Client(_) | Value::Immutables => true,
            Value::Contract | Value::Map(_) | Value::Cell { .. } => true,
            Value::Data(_) | Value::Opaque => false,
        }
    }

    /// Whether a path means a function of `tollway_sdk::env`, and not one of the module's own.
    fn is_env(&self, path: &syn::Path) -> bool {
        let Some(name) = path.get_ident() else {
            return path
                .segments
                .iter()
                .rev()
                .nth(1)
                .is_some_and(|before| before.ident == "env" || before.ident == "tollway_sdk");
        };
        self.variable(name).is_none()
            && !self
                .model
                .rest
                .iter()
                .any(|item| matches!(item, syn::Item::Fn(item) if item.sig.ident == *name))
    }

    /// Follows a call to another method of the contract.
    fn inline(&mut self, call: &syn::ExprMethodCall) -> Result<Value> {
        let name = call.method.to_string();
        let function = self.model.functions[&name].clone();
        let values = call.args.iter().map(|arg| self.expr(arg));
        let values = values.collect::<Result<Vec<_>>>()?;
        self.follow(name, &function, values, &call.method)
    }

    fn follow(
        &mut self,
        name: String,
        function: &Function,
        values: Vec<Value>,
        place: &dyn ToTokens,
    ) -> Result<Value> {
        if self.inside.contains(&name) {
            return Err(Error::new_spanned(
                place,
                format!("`{name}` calls itself: what it touches cannot be inferred; {DECLARE}"),
            ));
        }
        let mut scope = Vec::new();
        for (param, value) in function.params.iter().zip(values) {
            if param.mutable {
                self.release_unless_named(param, &value, place)?;
            }
            let value = if param.mutable && !value.is_storage() { Value::Opaque } else { value };
            scope.push((param.name.to_string(), value));
        }
        let outer_scope = std::mem::replace(&mut self.scope, scope);
        let outer_returned = std::mem::replace(&mut self.returned, false);
        self.inside.push(name);
        let result = self.block(&function.body);
        self.inside.pop();
        let returned = std::mem::replace(&mut self.returned, outer_returned);
        self.scope = outer_scope;
        let value = result?;
        if returned {
            return self.lost(value, place);
        }
        Ok(value)
    }

    /// Storage must not disappear in a parameter that is a pattern.
    fn release_unless_named(
        &self,
        param: &Param,
        value: &Value,
        place: &dyn ToTokens,
    ) -> Result<()> {
        if param.name == PATTERN_PARAM {
            return self.release(value.clone(), place);
        }
        Ok(())
    }

    fn if_else(&mut self, branch: &syn::ExprIf) -> Result<Value> {
        let height = self.scope.len();
        self.used(&branch.cond)?;
        let then = self.block(&branch.then_branch)?;
        self.scope.truncate(height);
        match &branch.else_branch {
            None => self.lost(then, &branch.then_branch),
            Some((_, otherwise)) => {
                let otherwise = self.expr(otherwise)?;
                self.joined(then, otherwise, branch)
            }
        }
    }

    fn match_arms(&mut self, branches: &syn::ExprMatch) -> Result<Value> {
        let value = self.expr(&branches.expr)?;
        let mut joined: Option<Value> = None;
        for arm in &branches.arms {
            let height = self.scope.len();
            self.bind_refutable(&arm.pat, value.clone())?;
            let arm_value = self.expr(&arm.body)?;
            self.scope.truncate(height);
            joined = Some(match joined {
                None => arm_value,
                Some(before) => self.joined(before, arm_value, &arm.body)?,
            });
        }
        Ok(joined.unwrap_or(Value::Opaque))
    }

    fn joined(&self, a: Value, b: Value, place: &dyn ToTokens) -> Result<Value> {
        match a.join(b) {
            Ok(value) => Ok(value),
            Err(storage) => self.lost(storage, place),
        }
    }

    fn for_loop(&mut self, looped: &syn::ExprForLoop) -> Result<Value> {
        let list = self.expr(&looped.expr)?.plain();
        let height = self.scope.len();
        let single = match &list {
            Value::Known(values) => match values.as_slice() {
                [known @ Known::Path { .. }] => Some(known.clone()),
                _ => None,
            },
            _ => None,
        };
        match single {
            Some(known @ Known::Path { root, .. }) if !matches!(root, Root::Immutable(_)) => {
                let number = self.lists.len();
                self.lists.push(known.clone());
                self.bind(&looped.pat, Value::known(Known::root(Root::Element(number))))?;
                self.found.push(vec![]);
                let result = self.block(&looped.body);
                let body = self.found.pop().unwrap_or_default();
                result?;
                if !body.is_empty() {
                    self.find(Template::ForEach { list: known, number, body });
                }
            }
            _ => {
                self.release(list, &looped.expr)?;
                self.bind(&looped.pat, Value::Opaque)?;
                self.block(&looped.body)?;
            }
        }
        self.scope.truncate(height);
        Ok(Value::Opaque)
    }

    fn macro_call(&mut self, mac: &syn::Macro) -> Result<()> {
        let args = mac.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated);
        match args {
            Ok(args) => self.all_used(&args).map(|_| ()),
            Err(_) if mentions_self(mac.tokens.clone()) => {
                Err(Error::new_spanned(mac, format!("cannot see into this macro; {DECLARE}")))
            }
            Err(_) => Ok(()),
        }
    }

    // Findings.

    /// The keys of a map that a value stands for.
    fn keys(&self, field: usize, value: Value, place: &dyn ToTokens) -> Result<Vec<Vec<Known>>> {
        let count = self.model.fields[field].key.as_ref().map_or(0, Vec::len);
        let unknown = || {
            Error::new_spanned(
                place,
                format!(
                    "this key of `{}` is not known before the call runs; {DECLARE}",
                    self.model.fields[field].name
                ),
            )
        };
        let parts: Vec<Value> = match value.plain() {
            Value::Tuple(values) => values,
            value if count == 1 => vec![value],
            value => {
                (0..count).map(|index| self.field_of(value.clone(), &index.to_string())).collect()
            }
        };
        if parts.len() != count {
            return Err(unknown());
        }
        let mut keys: Vec<Vec<Known>> = vec![vec![]];
        for part in parts {
            let Value::Known(choices) = part.plain() else {
                return Err(unknown());
            };
            keys = product(&keys, &choices);
            check_alternatives(keys.len(), place)?;
        }
        Ok(keys)
    }

    fn find(&mut self, template: Template) {
        let list =
            self.found.last_mut().expect("the method's own list is never popped during the walk");
        merge(list, template);
    }
}

/// Whether a type, as written, is one of ours or a list of such, behind references or not.
fn is_builtin(ty: &syn::Type) -> bool {
    const BUILTIN: &[&str] = &[
        "bool", "u8", "u16", "u32", "u64", "u128", "i64", "i128", "usize", "str", "Address",
        "String", "Bytes",
    ];
    match ty {
        syn::Type::Reference(reference) => is_builtin(&reference.elem),
        syn::Type::Paren(paren) => is_builtin(&paren.elem),
        syn::Type::Array(array) => is_builtin(&array.elem),
        syn::Type::Slice(slice) => is_builtin(&slice.elem),
        syn::Type::Tuple(tuple) => tuple.elems.iter().all(is_builtin),
        syn::Type::Path(path) => match element_type(ty) {
            Some(element) => is_builtin(element),
            None => {
                let last = path.path.segments.last();
                last.is_some_and(|last| BUILTIN.contains(&last.ident.to_string().as_str()))
            }
        },
        _ => false,
    }
}

/// What a list or option holds.
fn element_type(ty: &syn::Type) -> Option<&syn::Type> {
    let syn::Type::Path(path) = ty else {
        return None;
    };
    let last = path.path.segments.last()?;
    if last.ident != "Vec" && last.ident != "Option" {
        return None;
    }
    let syn::PathArguments::AngleBracketed(args) = &last.arguments else {
        return None;
    };
    args.args.iter().find_map(|arg| match arg {
        syn::GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn product<T: Clone>(lists: &[Vec<T>], choices: &[T]) -> Vec<Vec<T>> {
    lists
        .iter()
        .flat_map(|list| {
            choices.iter().map(|choice| {
                let mut list = list.clone();
                list.push(choice.clone());
                list
            })
        })
        .collect()
}

fn check_alternatives(count: usize, place: &dyn ToTokens) -> Result<()> {
    if count > ALTERNATIVES_MAX {
        return Err(Error::new_spanned(
            place,
            format!("this depends on branches in more than {ALTERNATIVES_MAX} ways; {DECLARE}"),
        ));
    }
    Ok(())
}

fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "self",
        TokenTree::Group(group) => mentions_self(group.stream()),
        _ => false,
    })
}

/// Whether a pattern has the form of a struct anywhere.
struct HasStruct(bool);

impl<'ast> syn::visit::Visit<'ast> for HasStruct {
    fn visit_pat_struct(&mut self, _: &'ast syn::PatStruct) {
        self.0 = true;
    }
}

/// Collects the variables of a pattern.
struct PatNames(Vec<String>);

impl<'ast> syn::visit::Visit<'ast> for PatNames {
    fn visit_pat_ident(&mut self, ident: &'ast syn::PatIdent) {
        self.0.push(ident.ident.to_string());
        syn::visit::visit_pat_ident(self, ident);
    }
}
