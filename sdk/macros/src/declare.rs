//! `#[access(..)]`: a declaration read from its attribute.
//!
//! ```text
//! none | undeclared
//! read config[pool], add balances[caller], add balances[to], write allowances[(from, caller)],
//! for leg in legs { add balances[leg.to] },
//! call imm.token0.transfer_from(caller, this, _)
//! ```
//!
//! What the macro can tell from names alone it refuses here. For the types it writes code that
//! never runs but has to compile, with the author's own tokens, so that the compiler's message
//! points at the declaration.

use crate::model::{Entry, FieldShape, Model};
use crate::template::{Known, Mode, Root, Template, is_constant_name, known_literal, shard_count};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Meta, Result, Token, braced, bracketed};

/// What a method declares.
pub(crate) enum Declaration {
    Undeclared,
    Declared {
        templates: Vec<Template>,
        /// Statements that type-check the declaration; they see `this` and the parameters.
        checks: TokenStream,
    },
}

pub(crate) fn read(model: &Model, entry: &Entry, attr: &syn::Attribute) -> Result<Declaration> {
    let Meta::List(list) = &attr.meta else {
        return Err(Error::new_spanned(
            attr,
            "say what the method touches, or `none`, or `undeclared`",
        ));
    };
    match list.tokens.to_string().as_str() {
        "none" => {
            return Ok(Declaration::Declared { templates: vec![], checks: quote!() });
        }
        "undeclared" => return Ok(Declaration::Undeclared),
        "" => {
            return Err(Error::new_spanned(
                attr,
                "say what the method touches, or `none`, or `undeclared`",
            ));
        }
        _ => {}
    }
    let clauses: Clauses = syn::parse2(list.tokens.clone())?;
    let mut reader = Reader { model, entry, loops: vec![], loop_count: 0 };
    let (templates, checks) = reader.clauses(&clauses.0)?;
    Ok(Declaration::Declared { templates, checks })
}

struct Clauses(Vec<Clause>);

enum Clause {
    Key { mode: Mode, field: Ident, parts: Vec<Expr>, span: Span },
    ForEach { name: Ident, list: Expr, body: Vec<Clause> },
    Call(syn::ExprMethodCall),
}

impl Parse for Clauses {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut clauses = Vec::new();
        while !input.is_empty() {
            clauses.push(input.parse()?);
            if input.is_empty() {
                break;
            }
            input.parse::<Token![,]>()?;
        }
        Ok(Self(clauses))
    }
}

impl Parse for Clause {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Token![for]) {
            input.parse::<Token![for]>()?;
            let name = input.parse()?;
            input.parse::<Token![in]>()?;
            let list = Expr::parse_without_eager_brace(input)?;
            let content;
            braced!(content in input);
            let Clauses(body) = content.parse()?;
            return Ok(Self::ForEach { name, list, body });
        }
        let word: Ident = input.parse()?;
        let mode = match word.to_string().as_str() {
            "read" => Mode::Read,
            "write" => Mode::Write,
            "add" => Mode::Add,
            "call" => {
                let call: Expr = input.parse()?;
                return match call {
                    Expr::MethodCall(call) => Ok(Self::Call(call)),
                    other => Err(Error::new_spanned(
                        other,
                        "expected a method call, like `imm.token.transfer(caller, _)`",
                    )),
                };
            }
            other => {
                return Err(Error::new(
                    word.span(),
                    format!("`{other}` is no access: use `read`, `write`, `add`, `call` or `for`"),
                ));
            }
        };
        let field: Ident = input.parse()?;
        let mut span = field.span();
        let mut parts = Vec::new();
        if input.peek(syn::token::Bracket) {
            let content;
            let bracket = bracketed!(content in input);
            span = bracket.span.join();
            parts =
                Punctuated::<Expr, Token![,]>::parse_terminated(&content)?.into_iter().collect();
        }
        Ok(Self::Key { mode, field, parts, span })
    }
}

struct Reader<'a> {
    model: &'a Model,
    entry: &'a Entry,
    /// Names and numbers of the loops around the clause at hand.
    loops: Vec<(Ident, usize)>,
    loop_count: usize,
}

impl Reader<'_> {
    fn clauses(&mut self, clauses: &[Clause]) -> Result<(Vec<Template>, TokenStream)> {
        let mut templates: Vec<Template> = Vec::new();
        let mut checks = TokenStream::new();
        for clause in clauses {
            let (template, check, span) = match clause {
                Clause::Key { mode, field, parts, span } => {
                    let (template, check) = self.key(*mode, field, parts, *span)?;
                    (template, check, field.span())
                }
                Clause::ForEach { name, list, body } => {
                    let (template, check) = self.for_each(name, list, body)?;
                    (template, check, name.span())
                }
                Clause::Call(call) => {
                    let (template, check) = self.call(call)?;
                    (template, check, call.method.span())
                }
            };
            if templates.iter().any(|present| is_same(present, &template)) {
                return Err(Error::new(
                    span,
                    "declared twice; `write` covers reading and adding too",
                ));
            }
            templates.push(template);
            checks.extend(check);
        }
        Ok((templates, checks))
    }

    fn key(
        &self,
        mode: Mode,
        name: &Ident,
        parts: &[Expr],
        span: Span,
    ) -> Result<(Template, TokenStream)> {
        if self.model.is_transient(name) {
            return Err(Error::new(
                name.span(),
                format!("`{name}` is transient: the call's own, and never declared"),
            ));
        }
        let Some(index) = self.model.field(name) else {
            return Err(Error::new(
                name.span(),
                format!(
                    "`{name}` is no storage field{}",
                    or_one_of(self.model.fields.iter().map(|field| &field.name))
                ),
            ));
        };
        let field = &self.model.fields[index];
        if mode == Mode::Add && field.shape.has_prefixes() {
            return Err(Error::new(
                name.span(),
                format!("what is below `{name}` is read or written: say `write`"),
            ));
        }
        if mode == Mode::Add && !field.counter {
            return Err(Error::new(
                name.span(),
                format!("`{name}` holds no counters: only a `Counter` can be added to unread"),
            ));
        }
        let Some(key) = &field.key else {
            if !parts.is_empty() {
                return Err(Error::new(span, format!("`{name}` is a single value and has no key")));
            }
            let check = quote_spanned!(name.span()=> let _ = &this.#name;);
            let template = Template::Key { mode, field: index, parts: vec![] };
            return Ok((template, check));
        };
        // `map[(a, b)]` and `map[a, b]` are the same.
        let parts: Vec<Expr> = match parts {
            [Expr::Tuple(tuple)] => tuple.elems.iter().cloned().collect(),
            parts => parts.to_vec(),
        };
        let count = key.len();
        let known = match (parts.as_slice(), count) {
            ([], _) => {
                return Err(Error::new(
                    span,
                    format!(
                        "`{name}` is a {}: say under which key",
                        match field.shape {
                            FieldShape::Group => "group",
                            FieldShape::Set => "set",
                            _ => "map",
                        }
                    ),
                ));
            }
            // One value for a key of several parts must be a tuple: the compiler checks that.
            ([part], 2..) => match self.known(part)? {
                known @ Known::Path { .. } => (0..count)
                    .map(|index| known.field(&index.to_string()).expect("paths have fields"))
                    .collect(),
                _ => return Err(wrong_count(name, count, 1, span)),
            },
            (parts, _) if parts.len() == count => {
                parts.iter().map(|part| self.known(part)).collect::<Result<Vec<_>>>()?
            }
            (parts, _) => return Err(wrong_count(name, count, parts.len(), span)),
        };
        let values: Vec<TokenStream> =
            parts.iter().map(|part| self.checked(part)).collect::<Result<_>>()?;
        let value = match (values.as_slice(), count) {
            ([value], _) => quote!(#value),
            (values, _) => quote_spanned!(span=> (#(#values),*)),
        };
        let check = match field.shape {
            FieldShape::Group => quote_spanned!(name.span()=> let _ = this.#name.of(#value);),
            FieldShape::Set => quote_spanned!(name.span()=> let _ = this.#name.contains(#value);),
            _ => quote_spanned!(name.span()=> let _ = this.#name.at(#value);),
        };
        let template = Template::Key { mode, field: index, parts: known };
        Ok((template, check))
    }

    fn for_each(
        &mut self,
        name: &Ident,
        list: &Expr,
        body: &[Clause],
    ) -> Result<(Template, TokenStream)> {
        let known = self.known(list)?;
        if !matches!(known, Known::Path { root: Root::Param(_) | Root::Element(_), .. }) {
            return Err(Error::new_spanned(
                list,
                "a loop goes over an argument that is a list, or a list in one",
            ));
        }
        let value = self.checked_place(list)?;
        let number = self.loop_count;
        self.loop_count += 1;
        self.loops.push((name.clone(), number));
        let result = self.clauses(body);
        self.loops.pop();
        let (body, checks) = result?;
        let element =
            quote_spanned!(list.span()=> ::tollway_sdk::__private::owned_element(&#value));
        let check = quote!({ let #name = #element; #checks });
        let template = Template::ForEach { list: known, number, body };
        Ok((template, check))
    }

    fn call(&self, call: &syn::ExprMethodCall) -> Result<(Template, TokenStream)> {
        let contract = self.known(&call.receiver)?;
        let mut args = Vec::new();
        let mut values = Vec::new();
        for arg in &call.args {
            if let Expr::Infer(_) = arg {
                args.push(None);
                values.push(quote!(::tollway_sdk::__private::unknown()));
            } else {
                args.push(Some(self.known(arg)?));
                values.push(self.checked(arg)?);
            }
        }
        let method = &call.method;
        let text = method.to_string();
        let template = Template::Call {
            contract,
            method: text.strip_prefix("try_").unwrap_or(&text).into(),
            args,
        };
        let receiver = self.checked_place(&call.receiver)?;
        let client = quote_spanned! {call.receiver.span()=>
            ::tollway_sdk::__private::client(&#receiver);
        };
        let paren = quote_spanned!(call.paren_token.span.join()=> (#(#values),*));
        let check = quote!(#client let _ = #receiver.#method #paren;);
        Ok((template, check))
    }

    fn known(&self, expr: &Expr) -> Result<Known> {
        match expr {
            Expr::Lit(lit) => known_literal(&lit.lit),
            Expr::Paren(paren) => return self.known(&paren.expr),
            Expr::Group(group) => return self.known(&group.expr),
            Expr::Call(call) if call.args.is_empty() => match &*call.func {
                Expr::Path(path) if path.path.is_ident("caller") => Some(Known::Caller),
                Expr::Path(path) if path.path.is_ident("this") => Some(Known::This),
                Expr::Path(path) if path.path.is_ident("call_id") => Some(Known::CallId),
                _ => None,
            },
            Expr::Call(call) if is_shard_of(&call.func) && call.args.len() == 2 => {
                let of = Box::new(self.shard_value(&call.args[0])?);
                let count = shard_count(&call.args[1]).ok_or_else(|| not_a_count(&call.args[1]))?;
                Some(Known::Shard { of, count })
            }
            Expr::Path(path) => match path.path.get_ident() {
                Some(name) => return self.name(name),
                None => path
                    .path
                    .segments
                    .last()
                    .filter(|last| is_constant_name(&last.ident))
                    .map(|_| Known::Constant(quote!(#path))),
            },
            Expr::Field(field) => return self.field(field),
            _ => None,
        }
        .ok_or_else(|| not_known(expr))
    }

    /// What a shard is of: `caller` or `&caller`.
    fn shard_value(&self, expr: &Expr) -> Result<Known> {
        let known = self.known(without_reference(expr))?;
        match known {
            Known::Integer(_) | Known::Constant(_) | Known::Bytes(_) | Known::Shard { .. } => {
                Err(Error::new_spanned(
                    expr,
                    "a shard is of an argument, an immutable, `caller`, `this` or `call_id`",
                ))
            }
            known => Ok(known),
        }
    }

    fn name(&self, name: &Ident) -> Result<Known> {
        if let Some((_, number)) = self.loops.iter().rev().find(|(open, _)| open == name) {
            return Ok(Known::root(Root::Element(*number)));
        }
        let mut params = self.entry.params.iter();
        if let Some(param) = params.position(|param| param.name == *name) {
            return Ok(Known::root(Root::Param(param)));
        }
        match name.to_string().as_str() {
            "caller" => Ok(Known::Caller),
            "this" => Ok(Known::This),
            "call_id" => Ok(Known::CallId),
            _ if is_constant_name(name) => Ok(Known::Constant(quote!(#name))),
            _ => Err(Error::new(
                name.span(),
                format!(
                    "`{name}` is no argument of `{}`{}",
                    self.entry.name,
                    or_one_of(self.entry.params.iter().map(|param| &param.name))
                ),
            )),
        }
    }

    fn field(&self, field: &syn::ExprField) -> Result<Known> {
        let whole = Expr::Field(field.clone());
        if is_immutables(&field.base) {
            let syn::Member::Named(name) = &field.member else {
                return Err(not_known(&whole));
            };
            let Some(index) = self.model.immutable(name) else {
                let names = self.model.immutables.iter();
                let names = names.flat_map(|item| &item.fields);
                return Err(Error::new(
                    name.span(),
                    format!(
                        "`{name}` is no immutable{}",
                        or_one_of(names.filter_map(|field| field.ident.as_ref()))
                    ),
                ));
            };
            return Ok(Known::root(Root::Immutable(index)));
        }
        let name = match &field.member {
            syn::Member::Named(name) => name.to_string(),
            syn::Member::Unnamed(index) => index.index.to_string(),
        };
        self.known(&field.base)?.field(&name).ok_or_else(|| not_known(&whole))
    }

    /// The expression as code that gives an owned value.
    fn checked(&self, expr: &Expr) -> Result<TokenStream> {
        Ok(match self.known(expr)? {
            Known::Caller => {
                quote_spanned!(expr.span()=> ::tollway_sdk::env::caller())
            }
            Known::This => quote_spanned!(expr.span()=> ::tollway_sdk::env::this()),
            Known::Path { .. } => {
                let place = self.checked_place(expr)?;
                quote_spanned!(expr.span()=> ::tollway_sdk::__private::owned(&#place))
            }
            Known::CallId => quote_spanned!(expr.span()=> ::tollway_sdk::env::call_id()),
            Known::Shard { .. } => {
                let Expr::Call(call) = without_parens(expr) else { return Err(not_known(expr)) };
                let of = self.checked(without_reference(&call.args[0]))?;
                let count = &call.args[1];
                quote_spanned!(expr.span()=> ::tollway_sdk::shard_of(&#of, #count))
            }
            Known::Integer(tokens) | Known::Constant(tokens) => quote!(#tokens),
            // Which of text, bytes and address is meant depends on the place.
            Known::Bytes(_) => quote!(::tollway_sdk::__private::unknown()),
        })
    }

    /// The expression as a place, with `imm` found in `this`.
    fn checked_place(&self, expr: &Expr) -> Result<TokenStream> {
        Ok(match expr {
            Expr::Paren(paren) => self.checked_place(&paren.expr)?,
            Expr::Group(group) => self.checked_place(&group.expr)?,
            Expr::Field(field) if is_immutables(&field.base) => {
                let member = &field.member;
                quote!(this.imm.#member)
            }
            Expr::Field(field) => {
                let base = self.checked_place(&field.base)?;
                let member = &field.member;
                quote!(#base.#member)
            }
            other => quote!(#other),
        })
    }
}

/// Whether the declarations are of one key or call, in whatever mode.
fn is_same(a: &Template, b: &Template) -> bool {
    match (a, b) {
        (
            Template::Key { field, parts, .. },
            Template::Key { field: other_field, parts: other_parts, .. },
        ) => field == other_field && parts == other_parts,
        (a, b) => a == b,
    }
}

fn is_immutables(expr: &Expr) -> bool {
    match expr {
        Expr::Path(path) => path.path.is_ident("imm"),
        Expr::Field(field) => {
            matches!(&field.member, syn::Member::Named(name) if name == "imm")
                && matches!(&*field.base, Expr::Path(path) if path.path.is_ident("self"))
        }
        _ => false,
    }
}

fn is_shard_of(func: &Expr) -> bool {
    matches!(func, Expr::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "shard_of"))
}

fn without_reference(expr: &Expr) -> &Expr {
    match expr {
        Expr::Reference(reference) => &reference.expr,
        other => other,
    }
}

fn without_parens(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => without_parens(&paren.expr),
        Expr::Group(group) => without_parens(&group.expr),
        other => other,
    }
}

fn not_a_count(expr: &Expr) -> Error {
    Error::new_spanned(expr, "a number of shards is a literal or a constant in `CAPITALS`")
}

fn not_known(expr: &Expr) -> Error {
    Error::new_spanned(
        expr,
        "not known before the call runs: use arguments and their fields, `caller`, `this`, \
         `imm.field`, `call_id`, `shard_of(.., COUNT)`, literals and constants",
    )
}

fn wrong_count(name: &Ident, expected: usize, given: usize, span: Span) -> Error {
    Error::new(span, format!("a key of `{name}` has {expected} part(s), and {given} given"))
}

fn or_one_of<'a>(names: impl Iterator<Item = &'a Ident>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) }
}
