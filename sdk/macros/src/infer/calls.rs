//! Calls: cells, clients, methods and functions of the module, which are followed.

use super::*;

impl Walk<'_> {
    pub(super) fn method_call(&mut self, call: &syn::ExprMethodCall) -> Result<Value> {
        let receiver = self.expr(&call.receiver)?;
        let method = call.method.to_string();
        match receiver {
            Value::Map(field) if call.args.len() == 1 && self.leads_on(field, &method) => {
                let arg = &call.args[0];
                let value = self.expr(arg)?;
                let keys = self.keys(field, value, arg)?;
                if self.model.fields[field].shape == FieldShape::Set {
                    return self.touch(call, field, keys);
                }
                Ok(Value::Cell { field, keys })
            }
            Value::Cell { field, keys } => {
                self.all_used(&call.args)?;
                // What is below a prefix is declared with it.
                if method == "at" && self.model.fields[field].shape == FieldShape::Group {
                    return Ok(Value::Cell { field, keys });
                }
                self.touch(call, field, keys)
            }
            Value::Transient => {
                self.all_used(&call.args)?;
                if self.entry.kind == Kind::View && method == "set" {
                    return Err(Error::new(
                        call.method.span(),
                        "a view sets nothing, not even what is transient",
                    ));
                }
                Ok(if method == "at" { Value::Transient } else { Value::Opaque })
            }
            Value::Contract if self.model.functions.contains_key(&method) => self.inline(call),
            storage if storage.is_storage() => {
                self.all_used(&call.args)?;
                self.lost(storage, &call.method)
            }
            Value::Data(values)
                if matches!(
                    method.as_str(),
                    "clone" | "iter" | "into_iter" | "as_slice" | "rev"
                ) =>
            {
                Ok(Value::Known(values))
            }
            Value::Known(values) => self.method_of_known(values, call, &method, false),
            Value::Client(values) => self.method_of_known(values, call, &method, true),
            _ => self.all_used(&call.args),
        }
    }

    /// Whether a method of a field that has keys takes one of them.
    fn leads_on(&self, field: usize, method: &str) -> bool {
        match self.model.fields[field].shape {
            FieldShape::Cells => method == "at",
            FieldShape::Group => method == "of",
            FieldShape::Set => matches!(method, "contains" | "insert" | "remove"),
            FieldShape::Whole => false,
        }
    }

    /// A method that touches a cell, or what is below a prefix, under each of these keys.
    fn touch(
        &mut self,
        call: &syn::ExprMethodCall,
        field: usize,
        keys: Vec<Vec<Known>>,
    ) -> Result<Value> {
        let method = call.method.to_string();
        let shape = self.model.fields[field].shape;
        let mode = match (method.as_str(), shape) {
            ("get" | "get_or" | "get_or_default" | "exists" | "has" | "require", _) => Mode::Read,
            ("set" | "remove" | "grant" | "revoke" | "offer" | "accept", _) => Mode::Write,
            ("add" | "sub", FieldShape::Cells) => Mode::Add,
            ("contains", FieldShape::Set | FieldShape::Group) => Mode::Read,
            ("insert", FieldShape::Set | FieldShape::Group) => Mode::Write,
            ("add" | "sub", FieldShape::Group) => Mode::Write,
            (
                "len" | "is_empty" | "peek" | "first" | "last" | "ascend" | "descend",
                FieldShape::Group | FieldShape::Whole,
            ) => Mode::Read,
            (
                "push" | "pop" | "push_back" | "pop_front" | "remove_first",
                FieldShape::Group | FieldShape::Whole,
            ) => Mode::Write,
            _ => {
                let what = match shape {
                    FieldShape::Cells => "a storage cell",
                    FieldShape::Set => "a set",
                    FieldShape::Group => "storage in a group",
                    FieldShape::Whole => "an ordered map, a vector or a queue",
                };
                return Err(Error::new(
                    call.method.span(),
                    format!("`{method}` is no method of {what}; {DECLARE}"),
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

    /// A method of a value that is known: a copy of it, a call to another contract, or neither.
    pub(super) fn method_of_known(
        &mut self,
        values: Vec<Known>,
        call: &syn::ExprMethodCall,
        method: &str,
        is_client: bool,
    ) -> Result<Value> {
        match method {
            // A loop from the end touches what one from the front does.
            "clone" | "copied" | "to_owned" | "iter" | "into_iter" | "as_slice" | "rev"
                if !is_client =>
            {
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
    pub(super) fn may_be_client(&self, known: &Known) -> bool {
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

    pub(super) fn call(&mut self, call: &syn::ExprCall) -> Result<Value> {
        if let Expr::Path(path) = &*call.func {
            let last = path.path.segments.last().map(|last| last.ident.to_string());
            match last.as_deref() {
                Some("caller") if call.args.is_empty() && self.is_env(&path.path) => {
                    return Ok(Value::known(Known::Caller));
                }
                Some("this") if call.args.is_empty() && self.is_env(&path.path) => {
                    return Ok(Value::known(Known::This));
                }
                Some("call_id") if call.args.is_empty() && self.is_env(&path.path) => {
                    return Ok(Value::known(Known::CallId));
                }
                Some("shard_of") if call.args.len() == 2 && self.is_env(&path.path) => {
                    return self.shard(&call.args[0], &call.args[1]);
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

    /// A shard is known if what it is of is, and the number of shards is a constant.
    fn shard(&mut self, of: &Expr, count: &Expr) -> Result<Value> {
        let of_value = self.expr(of)?;
        self.used(count)?;
        let (Value::Known(values), Some(count)) = (of_value.clone().plain(), shard_count(count))
        else {
            return self.lost(of_value, of);
        };
        let has_type = |known: &Known| {
            matches!(known, Known::Caller | Known::This | Known::CallId | Known::Path { .. })
        };
        if !values.iter().all(has_type) {
            return Ok(Value::Opaque);
        }
        let shard = |of| Known::Shard { of: Box::new(of), count: count.clone() };
        Ok(Value::Data(values.into_iter().map(shard).collect()))
    }

    /// The function of the module, or of the storage struct, that a path means.
    pub(super) fn function_at(&self, path: &syn::Path) -> Option<(String, Function)> {
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
    pub(super) fn function_call(
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
    pub(super) fn may_touch(&self, ty: &syn::Type, value: &Value) -> bool {
        match value {
            Value::Known(values) => {
                !is_builtin(ty) && values.iter().any(|value| self.may_be_client(value))
            }
            Value::Tuple(values) => values.iter().any(|value| self.may_touch(ty, value)),
            Value::Client(_) | Value::Immutables => true,
            Value::Contract | Value::Map(_) | Value::Cell { .. } => true,
            Value::Data(_) | Value::Transient | Value::Opaque => false,
        }
    }

    /// Whether a path means a function of `tollway_sdk::env`, and not one of the module's own.
    pub(super) fn is_env(&self, path: &syn::Path) -> bool {
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
    pub(super) fn inline(&mut self, call: &syn::ExprMethodCall) -> Result<Value> {
        let name = call.method.to_string();
        let function = self.model.functions[&name].clone();
        let values = call.args.iter().map(|arg| self.expr(arg));
        let values = values.collect::<Result<Vec<_>>>()?;
        self.follow(name, &function, values, &call.method)
    }

    pub(super) fn follow(
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
    pub(super) fn release_unless_named(
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
