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

mod calls;
mod patterns;
mod value;

use crate::interface::is_reserved;
use crate::model::{Entry, FieldShape, Function, Kind, Model, PATTERN_PARAM, Param};
use crate::template::{
    Known, Mode, Root, Template, is_constant_name, known_literal, merge, shard_count,
};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Block, Error, Expr, Ident, Member, Pat, Result, Stmt, Token};

use value::Value;

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
            (Value::Contract, Member::Named(name)) if self.model.is_transient(name) => {
                Value::Transient
            }
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
