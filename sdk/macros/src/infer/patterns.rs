//! Variables: `let`, patterns, and the parts of values that they bind.

use super::*;

impl Walk<'_> {
    pub(super) fn local(&mut self, local: &syn::Local) -> Result<()> {
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

    pub(super) fn bind(&mut self, pat: &Pat, value: Value) -> Result<()> {
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

    pub(super) fn field_of(&self, value: Value, name: &str) -> Value {
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

    pub(super) fn immutable(&self, name: &str) -> Option<Known> {
        let fields = &self.model.immutables.as_ref()?.fields;
        let index = fields
            .iter()
            .position(|field| field.ident.as_ref().is_some_and(|ident| ident == name))?;
        Some(Known::root(Root::Immutable(index)))
    }

    /// Binds a pattern that need not match: fields may be those of a variant, which have no path.
    pub(super) fn bind_refutable(&mut self, pat: &Pat, value: Value) -> Result<()> {
        let mut structs = HasStruct(false);
        syn::visit::visit_pat(&mut structs, pat);
        if !structs.0 || value.is_storage() {
            return self.bind(pat, value);
        }
        self.bind(pat, Value::Opaque)
    }

    // Expressions.
}

/// Whether a pattern has the form of a struct anywhere.
pub(super) struct HasStruct(pub(super) bool);

impl<'ast> syn::visit::Visit<'ast> for HasStruct {
    fn visit_pat_struct(&mut self, _: &'ast syn::PatStruct) {
        self.0 = true;
    }
}

/// Collects the variables of a pattern.
pub(super) struct PatNames(pub(super) Vec<String>);

impl<'ast> syn::visit::Visit<'ast> for PatNames {
    fn visit_pat_ident(&mut self, ident: &'ast syn::PatIdent) {
        self.0.push(ident.ident.to_string());
        syn::visit::visit_pat_ident(self, ident);
    }
}
