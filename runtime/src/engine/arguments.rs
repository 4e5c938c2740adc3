//! Methods as calls between contracts find them: by name, and what arguments they take, prepared
//! once for each code. The same as to compare names and [`check_fields`] one after another, which
//! took a tenth of the instructions of a call that makes others.
//!
//! ```text
//! (to: Address, amount: u128, pay: bool, legs: Vec<(Address, u128)>)
//!  └────── plain 48 ───────┘  └ bool ┘   └ list of plain 48 ──────┘
//! ```
//!
//! [`check_fields`]: tollway_host_api::value::check_fields

use tollway_host_api::abi::INIT_METHOD;
use tollway_host_api::value::take;
use tollway_host_api::{Abi, Field, Type, Variant};

/// The methods of a code that contracts may call.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    /// By method; `init` has a name that no method has.
    names: Vec<NameStart>,
    arguments: Vec<Checker>,
}

/// The length of a name and its first bytes: mostly enough to tell it from others.
type NameStart = (usize, u64);

fn start(name: &[u8]) -> NameStart {
    let mut bytes = [0; 8];
    let most = name.len().min(bytes.len());
    bytes[..most].copy_from_slice(&name[..most]);
    (name.len(), u64::from_le_bytes(bytes))
}

impl Methods {
    /// The methods of a code.
    pub(crate) fn of(abi: &Abi) -> Self {
        let name =
            |name: &str| if name == INIT_METHOD { (usize::MAX, 0) } else { start(name.as_bytes()) };
        Self {
            names: abi.methods.iter().map(|method| name(&method.name)).collect(),
            arguments: abi.methods.iter().map(|method| Checker::new(&method.params)).collect(),
        }
    }

    /// The position of a method, if contracts may call it. `abi` is that of the code.
    #[inline]
    pub(crate) fn find(&self, abi: &Abi, name: &[u8]) -> Option<usize> {
        let start = start(name);
        let is_it = |at: &usize| {
            self.names[*at] == start
                && (name.len() <= 8 || abi.methods[*at].name.as_bytes() == name)
        };
        (0..self.names.len()).find(is_it)
    }

    /// Whether these are arguments of a method.
    #[inline]
    pub(crate) fn accepts(&self, method: usize, args: &[u8]) -> bool {
        self.arguments[method].accepts(args)
    }
}

/// What the values of some fields look like.
#[derive(Clone, Debug, Default)]
struct Checker(Steps);

type Steps = Box<[Step]>;

#[derive(Clone, Debug)]
enum Step {
    /// So many bytes, whatever they are.
    Plain(usize),
    Bool,
    Text,
    Bytes,
    Option(Steps),
    /// Elements of so many bytes, whatever they are.
    PlainList(usize),
    List(Steps),
    Enum(Box<[Steps]>),
    /// No bytes are a value.
    Never,
}

impl Checker {
    /// Prepares to check values of these fields, one after another.
    fn new(fields: &[Field]) -> Self {
        Self(steps(fields.iter().map(|field| &field.ty)))
    }

    /// Whether `bytes` are exactly that. Time is linear in the bytes.
    #[inline]
    fn accepts(&self, mut bytes: &[u8]) -> bool {
        if let [Step::Plain(size)] = &self.0[..] {
            return bytes.len() == *size;
        }
        pass(&self.0, &mut bytes).is_some() && bytes.is_empty()
    }
}

fn steps<'t>(types: impl Iterator<Item = &'t Type>) -> Steps {
    let mut steps = Vec::new();
    for ty in types {
        push(ty, &mut steps);
    }
    steps.into()
}

fn push(ty: &Type, steps: &mut Vec<Step>) {
    let inner = |inner: &'_ [Type]| match inner.first() {
        Some(ty) => self::steps(std::iter::once(ty)),
        None => Box::new([Step::Never]),
    };
    let step = match ty {
        Type::Bool => Step::Bool,
        Type::Text => Step::Text,
        Type::Bytes => Step::Bytes,
        Type::Option(of) => Step::Option(inner(of)),
        Type::List(of) => {
            let element = inner(of);
            match element[..] {
                [] => Step::PlainList(0),
                [Step::Plain(size)] => Step::PlainList(size),
                _ => Step::List(element),
            }
        }
        Type::Enum { variants, .. } => {
            let fields =
                |variant: &Variant| self::steps(variant.fields.iter().map(|field| &field.ty));
            Step::Enum(variants.iter().map(fields).collect())
        }
        Type::Tuple(types) => return types.iter().for_each(|ty| push(ty, steps)),
        Type::Struct { fields, .. } => {
            return fields.iter().for_each(|field| push(&field.ty, steps));
        }
        _ => match (ty.fixed_size(), steps.last_mut()) {
            (Some(size), Some(Step::Plain(before))) => {
                *before = before.saturating_add(size);
                return;
            }
            (Some(size), _) => Step::Plain(size),
            (None, _) => Step::Never,
        },
    };
    steps.push(step);
}

/// Takes what these steps say off `input`.
fn pass(steps: &[Step], input: &mut &[u8]) -> Option<()> {
    for step in steps {
        match step {
            Step::Plain(size) => {
                take(input, *size).ok()?;
            }
            Step::Bool => {
                (take(input, 1).ok()?[0] <= 1).then_some(())?;
            }
            Step::Text => {
                let length = length(input)?;
                std::str::from_utf8(take(input, length).ok()?).ok()?;
            }
            Step::Bytes => {
                let length = length(input)?;
                take(input, length).ok()?;
            }
            Step::Option(inner) => match take(input, 1).ok()?[0] {
                0 => {}
                1 => pass(inner, input)?,
                _ => return None,
            },
            Step::PlainList(size) => {
                let size = length(input)?.checked_mul(*size)?;
                take(input, size).ok()?;
            }
            Step::List(element) => {
                for _ in 0..length(input)? {
                    pass(element, input)?;
                }
            }
            Step::Enum(variants) => {
                let index = usize::from(take(input, 1).ok()?[0]);
                pass(variants.get(index)?, input)?;
            }
            Step::Never => return None,
        }
    }
    Some(())
}

fn length(input: &mut &[u8]) -> Option<usize> {
    let bytes = take(input, 4).ok()?.try_into().ok()?;
    Some(u32::from_le_bytes(bytes) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tollway_host_api::value::check_fields;
    use tollway_host_api::{Method, Mutability};

    fn any_type() -> impl Strategy<Value = Type> {
        let leaf = prop_oneof![
            Just(Type::Bool),
            Just(Type::U8),
            Just(Type::U32),
            Just(Type::U128),
            Just(Type::I64),
            Just(Type::Address),
            Just(Type::Bytes),
            Just(Type::Text),
            Just(Type::UNIT),
            (0..4u32).prop_map(Type::FixedBytes),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let field = |ty| Field { name: "field".into(), ty };
            let many = prop::collection::vec(inner.clone(), 0..3);
            let fields = many.clone().prop_map(move |types| types.into_iter().map(field).collect());
            let fields = fields.prop_map(|fields: Vec<Field>| fields).boxed();
            let variants = prop::collection::vec(fields.clone(), 1..3).prop_map(|variants| {
                let variant =
                    |fields: Vec<Field>| Variant { name: "case".into(), fields: fields.into() };
                variants.into_iter().map(variant).collect::<Vec<_>>()
            });
            prop_oneof![
                inner.clone().prop_map(|ty| Type::Option(vec![ty].into())),
                inner.prop_map(|ty| Type::List(vec![ty].into())),
                many.prop_map(|types| Type::Tuple(types.into())),
                fields.prop_map(|fields| Type::Struct { name: "of".into(), fields: fields.into() }),
                variants.prop_map(|cases| Type::Enum { name: "of".into(), variants: cases.into() }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        /// Small numbers everywhere, so that tags and lengths are often right.
        #[test]
        fn accepts_what_check_fields_accepts(
            types in prop::collection::vec(any_type(), 0..4),
            bytes in prop::collection::vec(0..3u8, 0..40),
        ) {
            let field = |ty| Field { name: "field".into(), ty };
            let fields: Vec<Field> = types.into_iter().map(field).collect();
            let checker = Checker::new(&fields);
            for length in 0..=bytes.len() {
                let bytes = &bytes[..length];
                prop_assert_eq!(checker.accepts(bytes), check_fields(&fields, bytes).is_ok());
            }
        }
    }

    #[test]
    fn names_are_told_apart() {
        let method = |name: &'static str| Method {
            name: name.into(),
            mutability: Mutability::View,
            reentrant: false,
            params: Vec::new().into(),
            returns: Type::UNIT,
            declared: true,
            access: Vec::new().into(),
        };
        let names = ["swap", "swap_exact_in", "swap_exact_out", "init", "a", ""];
        let abi = Abi {
            version: 0,
            name: "names".into(),
            immutables: Vec::new().into(),
            storage: Vec::new().into(),
            methods: names.map(method).to_vec().into(),
            events: Vec::new().into(),
            error: Vec::new().into(),
        };
        let methods = Methods::of(&abi);
        for (at, name) in names.iter().enumerate() {
            let expected = (*name != "init").then_some(at);
            assert_eq!(methods.find(&abi, name.as_bytes()), expected, "{name}");
        }
        for name in ["swap_exact_on", "swap\0", "aa", "\0", "swap_exact_in\0"] {
            assert_eq!(methods.find(&abi, name.as_bytes()), None, "{name:?}");
        }
    }
}
