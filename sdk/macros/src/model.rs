//! A contract's module, sorted into what the other parts need to know.

use proc_macro2::Span;
use std::collections::BTreeMap;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, ImplItem, ImplItemFn, Item, ItemEnum, ItemMod,
    ItemStruct, Meta, Pat, PathArguments, Result, ReturnType, Type,
};

/// The most parameters that an entry point may have.
const PARAMS_MAX: usize = 12;

/// The name of a private method's parameter that is a pattern.
pub(crate) const PATTERN_PARAM: &str = "__pattern";

/// The most storage fields: a field's index is one byte.
const STORAGE_FIELDS_MAX: usize = 256;

pub(crate) struct Model {
    pub(crate) name: Ident,
    pub(crate) immutables: Option<ItemStruct>,
    pub(crate) storage: ItemStruct,
    /// What is stored, in the order of the ABI.
    pub(crate) fields: Vec<StorageField>,
    /// What lives as long as a call; their keys are numbered by themselves.
    pub(crate) transients: Vec<StorageField>,
    pub(crate) events: Vec<ItemStruct>,
    pub(crate) error: Option<ItemEnum>,
    pub(crate) entries: Vec<Entry>,
    /// Every method of the storage struct that takes `self`, entry point or not.
    pub(crate) functions: BTreeMap<String, Function>,
    /// Functions of the module, and those of the storage struct that take no `self`, as
    /// `Self::name`.
    pub(crate) free: BTreeMap<String, Function>,
    /// The items of the module that belong to none of the above, and the implementations of the
    /// storage struct without our attributes.
    pub(crate) rest: Vec<Item>,
}

pub(crate) struct StorageField {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    /// The types of the key's parts, for a map.
    pub(crate) key: Option<Vec<Type>>,
    pub(crate) counter: bool,
    pub(crate) transient: bool,
    pub(crate) shape: FieldShape,
}

/// How keys of a storage field are found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldShape {
    /// A cell, or a map of such: `at`.
    Cells,
    /// A set: its own methods take the key.
    Set,
    /// A group: `of`, and then whatever is below.
    Group,
    /// Something that is touched as a whole.
    Whole,
}

impl FieldShape {
    /// Whether a key of the field stands for all keys that start with it.
    pub(crate) fn has_prefixes(self) -> bool {
        matches!(self, Self::Group | Self::Whole)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Init,
    Call,
    View,
}

pub(crate) struct Entry {
    pub(crate) name: Ident,
    pub(crate) kind: Kind,
    pub(crate) reentrant: bool,
    pub(crate) params: Vec<Param>,
    pub(crate) returns: Type,
    /// The attribute `#[access(..)]`, if there is one.
    pub(crate) access: Option<Attribute>,
}

#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) params: Vec<Param>,
    pub(crate) body: syn::Block,
}

#[derive(Clone)]
pub(crate) struct Param {
    pub(crate) name: Ident,
    pub(crate) mutable: bool,
    pub(crate) ty: Type,
}

impl Model {
    pub(crate) fn field(&self, name: &Ident) -> Option<usize> {
        self.fields.iter().position(|field| field.name == *name)
    }

    pub(crate) fn is_transient(&self, name: &Ident) -> bool {
        self.transients.iter().any(|field| field.name == *name)
    }

    pub(crate) fn immutable(&self, name: &Ident) -> Option<usize> {
        let fields = self.immutables.as_ref()?.fields.iter();
        fields.into_iter().position(|field| field.ident.as_ref() == Some(name))
    }

    pub(crate) fn immutable_field(&self, index: usize) -> Option<&syn::Field> {
        self.immutables.as_ref()?.fields.iter().nth(index)
    }

    pub(crate) fn parse(module: &ItemMod) -> Result<Self> {
        let Some((_, items)) = &module.content else {
            return Err(Error::new_spanned(
                module,
                "write the contract's module in place: the macro must see its items",
            ));
        };
        let mut immutables = None;
        let mut storage = None;
        let mut events = Vec::new();
        let mut error = None;
        let mut rest = Vec::new();
        let mut free = BTreeMap::new();
        for item in items {
            match item.clone() {
                Item::Struct(mut item) => match take_role(&mut item.attrs)? {
                    Some(role) if role.name == "immutables" => {
                        set_once(&mut immutables, item, &role)?;
                    }
                    Some(role) if role.name == "storage" => set_once(&mut storage, item, &role)?,
                    Some(role) if role.name == "event" => events.push(item),
                    Some(role) => return Err(role.misplaced("an enum")),
                    None => rest.push(Item::Struct(item)),
                },
                Item::Enum(mut item) => match take_role(&mut item.attrs)? {
                    Some(role) if role.name == "error" => set_once(&mut error, item, &role)?,
                    Some(role) => return Err(role.misplaced("a struct")),
                    None => rest.push(Item::Enum(item)),
                },
                Item::Fn(item) => {
                    refuse_method_attributes(&item.attrs)?;
                    let function = Function {
                        params: parse_params(&item.sig, false)?,
                        body: (*item.block).clone(),
                    };
                    free.insert(item.sig.ident.to_string(), function);
                    rest.push(Item::Fn(item));
                }
                other => rest.push(other),
            }
        }
        let storage: ItemStruct = storage.ok_or_else(|| {
            Error::new(
                module.ident.span(),
                "a contract needs a `#[storage]` struct, which may be empty",
            )
        })?;
        let (transients, fields) =
            parse_storage(&storage)?.into_iter().partition(|field| field.transient);
        let mut entries = Vec::new();
        let mut functions = BTreeMap::new();
        for item in &mut rest {
            if let Item::Impl(item) = item {
                let ours = item.trait_.is_none() && is_type(&item.self_ty, &storage.ident);
                for item in &mut item.items {
                    match item {
                        ImplItem::Fn(function) if ours => {
                            if function.sig.receiver().is_none() {
                                free.insert(
                                    format!("Self::{}", function.sig.ident),
                                    Function {
                                        params: parse_params(&function.sig, false)?,
                                        body: function.block.clone(),
                                    },
                                );
                            }
                            parse_function(function, &mut entries, &mut functions)?;
                        }
                        ImplItem::Fn(function) => refuse_method_attributes(&function.attrs)?,
                        _ => {}
                    }
                }
            }
        }
        Ok(Self {
            name: module.ident.clone(),
            immutables,
            storage,
            fields,
            transients,
            events,
            error,
            entries,
            functions,
            free,
            rest,
        })
    }
}

struct Role {
    name: String,
    span: Span,
}

impl Role {
    fn misplaced(&self, place: &str) -> Error {
        Error::new(self.span, format!("`#[{}]` belongs on {place}", self.name))
    }
}

fn take_role(attrs: &mut Vec<Attribute>) -> Result<Option<Role>> {
    refuse_method_attributes(attrs)?;
    let mut role = None;
    let mut kept = Vec::new();
    for attr in attrs.drain(..) {
        let name = ["immutables", "storage", "event", "error"]
            .into_iter()
            .find(|name| attr.path().is_ident(name));
        match name {
            None => kept.push(attr),
            Some(_) if role.is_some() => {
                return Err(Error::new_spanned(attr, "an item has one role"));
            }
            Some(name) => {
                attr.meta.require_path_only()?;
                role = Some(Role { name: name.into(), span: attr.span() });
            }
        }
    }
    *attrs = kept;
    Ok(role)
}

fn set_once<T>(place: &mut Option<T>, item: T, role: &Role) -> Result<()> {
    if place.is_some() {
        return Err(Error::new(role.span, format!("a contract has one `#[{}]`", role.name)));
    }
    *place = Some(item);
    Ok(())
}

const METHOD_ATTRIBUTES: [&str; 4] = ["init", "call", "view", "access"];

fn refuse_method_attributes(attrs: &[Attribute]) -> Result<()> {
    for attr in attrs {
        if let Some(name) = METHOD_ATTRIBUTES.into_iter().find(|name| attr.path().is_ident(name)) {
            return Err(Error::new_spanned(
                attr,
                format!("`#[{name}]` belongs on a method of the `#[storage]` struct"),
            ));
        }
    }
    Ok(())
}

fn is_type(ty: &Type, name: &Ident) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident(name))
}

fn parse_storage(storage: &ItemStruct) -> Result<Vec<StorageField>> {
    if !storage.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &storage.generics,
            "the storage of a contract cannot be generic",
        ));
    }
    if storage.fields.len() > STORAGE_FIELDS_MAX {
        return Err(Error::new_spanned(
            &storage.ident,
            format!("a contract has at most {STORAGE_FIELDS_MAX} storage fields"),
        ));
    }
    storage
        .fields
        .iter()
        .map(|field| {
            let name = field
                .ident
                .clone()
                .ok_or_else(|| Error::new_spanned(field, "a storage field needs a name"))?;
            if name == "imm" {
                return Err(Error::new_spanned(
                    name,
                    "`imm` is the name under which methods find the immutables",
                ));
            }
            let Shape { key, cell, shape } = shape_of(&field.ty)?;
            Ok(StorageField {
                name,
                ty: field.ty.clone(),
                key,
                counter: cell == CellKind::Counter,
                transient: cell == CellKind::Transient,
                shape,
            })
        })
        .collect()
}

struct Shape {
    /// The key's parts, for a map.
    key: Option<Vec<Type>>,
    cell: CellKind,
    shape: FieldShape,
}

#[derive(PartialEq, Eq)]
enum CellKind {
    Item,
    Counter,
    Transient,
}

impl CellKind {
    fn of(name: &str) -> Option<Self> {
        match name {
            // Roles and owners are items with other methods.
            "Item" | "Role" | "Owner" => Some(Self::Item),
            "Counter" => Some(Self::Counter),
            "Transient" => Some(Self::Transient),
            _ => None,
        }
    }
}

/// What a storage field is, read off its tokens.
fn shape_of(ty: &Type) -> Result<Shape> {
    let unknown = || {
        Error::new_spanned(
            ty,
            "a storage field is an `Item<T>`, a `Counter`, a `Role`, an `Owner`, a `Transient<T>`, a \
             `Map<K, C>`, a `Set<K>`, an `OrderedMap<K, V>`, a `Vector<T>`, a `Queue<T>` or a \
             `Group<P, S>`",
        )
    };
    let Type::Path(path) = ty else {
        return Err(unknown());
    };
    let last = path.path.segments.last().ok_or_else(unknown)?;
    match last.ident.to_string().as_str() {
        name @ ("Map" | "Group" | "Set") => {
            let shape = match name {
                "Map" => FieldShape::Cells,
                "Set" => FieldShape::Set,
                _ => FieldShape::Group,
            };
            let PathArguments::AngleBracketed(args) = &last.arguments else {
                return Err(unknown());
            };
            let mut types = args.args.iter().filter_map(|arg| match arg {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            let Some(key) = types.next() else {
                return Err(unknown());
            };
            let cell = types.next();
            if cell.is_none() != (shape == FieldShape::Set) {
                return Err(unknown());
            }
            let parts = match key {
                Type::Tuple(tuple) => tuple.elems.iter().cloned().collect(),
                other => vec![other.clone()],
            };
            let cell = match cell {
                Some(Type::Path(path)) => path.path.segments.last(),
                _ => None,
            };
            // What it is not, the compiler says.
            let cell = cell.and_then(|last| CellKind::of(&last.ident.to_string()));
            Ok(Shape { key: Some(parts), cell: cell.unwrap_or(CellKind::Item), shape })
        }
        "OrderedMap" | "Vector" | "Queue" => {
            Ok(Shape { key: None, cell: CellKind::Item, shape: FieldShape::Whole })
        }
        name => {
            let cell = CellKind::of(name).ok_or_else(unknown)?;
            Ok(Shape { key: None, cell, shape: FieldShape::Cells })
        }
    }
}

fn parse_function(
    function: &mut ImplItemFn,
    entries: &mut Vec<Entry>,
    functions: &mut BTreeMap<String, Function>,
) -> Result<()> {
    let mut role: Option<(Kind, bool)> = None;
    let mut access: Option<Attribute> = None;
    let mut kept = Vec::new();
    for attr in function.attrs.drain(..) {
        let kind = match () {
            () if attr.path().is_ident("init") => Kind::Init,
            () if attr.path().is_ident("call") => Kind::Call,
            () if attr.path().is_ident("view") => Kind::View,
            () if attr.path().is_ident("access") => {
                if access.is_some() {
                    return Err(Error::new_spanned(
                        attr,
                        "a method has one `#[access(..)]`; put everything into it",
                    ));
                }
                access = Some(attr);
                continue;
            }
            () => {
                kept.push(attr);
                continue;
            }
        };
        if role.is_some() {
            return Err(Error::new_spanned(
                attr,
                "a method is one of `#[init]`, `#[call]` and `#[view]`",
            ));
        }
        role = Some((kind, is_reentrant(&attr, kind)?));
    }
    function.attrs = kept;

    let name = function.sig.ident.clone();
    let receiver = function.sig.receiver().is_some();
    let Some((kind, reentrant)) = role else {
        if let Some(attr) = access {
            return Err(Error::new_spanned(
                attr,
                "only entry points declare their access: add `#[call]` or `#[view]`, \
                 or declare it where this method is called from",
            ));
        }
        if receiver {
            let params = parse_params(&function.sig, false)?;
            functions.insert(name.to_string(), Function { params, body: function.block.clone() });
        }
        return Ok(());
    };
    // Its export is mostly its only caller. There, the indices of fields are constants.
    if !function.attrs.iter().any(|attr| attr.path().is_ident("inline")) {
        function.attrs.push(syn::parse_quote!(#[inline(always)]));
    }

    if !receiver {
        return Err(Error::new_spanned(
            &function.sig,
            "an entry point takes `&self` or `&mut self`",
        ));
    }
    if !function.sig.generics.params.is_empty() || function.sig.asyncness.is_some() {
        return Err(Error::new_spanned(
            &function.sig,
            "an entry point is a plain method: not generic, not async",
        ));
    }
    if kind == Kind::View
        && let Some(receiver) = function.sig.receiver()
        && let syn::ReceiverKind::Reference(_, _, Some(mutability)) = &receiver.kind
    {
        return Err(Error::new_spanned(mutability, "a view takes `&self`"));
    }
    if (kind == Kind::Init) != (name == "init") {
        return Err(Error::new_spanned(&name, "`#[init]` and the name `init` belong together"));
    }
    let reserved = ["memory", "memcpy", "memmove", "memset", "memcmp", "bcmp"];
    if reserved.contains(&name.to_string().as_str()) || name.to_string().starts_with("__") {
        return Err(Error::new_spanned(
            &name,
            format!("the Wasm module needs the name `{name}` for itself"),
        ));
    }
    let params = parse_params(&function.sig, true)?;
    let returns = match &function.sig.output {
        ReturnType::Default => syn::parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    functions.insert(
        name.to_string(),
        Function { params: params.clone(), body: function.block.clone() },
    );
    entries.push(Entry { name, kind, reentrant, params, returns, access });
    Ok(())
}

fn is_reentrant(attr: &Attribute, kind: Kind) -> Result<bool> {
    match &attr.meta {
        Meta::Path(_) => Ok(false),
        Meta::List(list) if kind != Kind::Init && list.tokens.to_string() == "reentrant" => {
            Ok(true)
        }
        other => Err(Error::new_spanned(
            other,
            "expected nothing or `(reentrant)`, which `#[init]` cannot be",
        )),
    }
}

fn parse_params(sig: &syn::Signature, entry: bool) -> Result<Vec<Param>> {
    let mut params = Vec::new();
    for input in &sig.inputs {
        let FnArg::Typed(param) = input else {
            continue;
        };
        let (name, mutable) = match &*param.pat {
            Pat::Ident(ident) if ident.subpat.is_none() => {
                (ident.ident.clone(), ident.mutability.is_some())
            }
            other if entry => {
                return Err(Error::new_spanned(
                    other,
                    "a parameter needs a name: it is part of the ABI",
                ));
            }
            // A pattern in a private method: its parts are then not known to inference.
            other => (Ident::new(PATTERN_PARAM, other.span()), true),
        };
        if entry && let Type::Reference(reference) = &*param.ty {
            return Err(Error::new_spanned(
                reference,
                "an entry point owns its arguments: nobody else holds what they would refer to",
            ));
        }
        params.push(Param { name, mutable, ty: (*param.ty).clone() });
    }
    if entry && params.len() > PARAMS_MAX {
        return Err(Error::new_spanned(
            &sig.ident,
            format!("an entry point has at most {PARAMS_MAX} parameters; group some in a struct"),
        ));
    }
    Ok(params)
}
