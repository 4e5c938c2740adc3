//! The shape of values: what an argument, a stored value, an event or an error looks like in
//! borsh bytes.
//!
//! One set of types serves both sides. A contract builds them as constants (`Cow::Borrowed`),
//! the runtime decodes them from the Wasm's section (`Cow::Owned`).

use alloc::borrow::Cow;
use borsh::{BorshDeserialize, BorshSerialize};

/// A name, constant in a contract and owned in the runtime.
pub type Text = Cow<'static, str>;
/// A list, constant in a contract and owned in the runtime.
pub type List<T> = Cow<'static, [T]>;

/// How deep a [`Type`] may nest. A deeper one is refused at upload.
pub const TYPE_DEPTH_MAX: usize = 16;

/// How many parts a [`Type`] may have, itself, those inside it and enum variants counted: types are
/// compared while a block is planned. More are refused at upload.
pub const TYPE_NODES_MAX: usize = 512;

/// A named part of a struct, an event, or a method's parameters.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Field {
    /// The name, as written in the contract.
    pub name: Text,
    /// The shape of its value.
    pub ty: Type,
}

/// One case of an enum; on the wire, its index as one byte, then its fields.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Variant {
    /// The name, as written in the contract.
    pub name: Text,
    /// The fields; names are `"0"`, `"1"`, … for tuple variants.
    pub fields: List<Field>,
}

/// The shape of a borsh-encoded value.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Type {
    /// One byte, 0 or 1.
    Bool,
    /// One byte.
    U8,
    /// Two bytes, little-endian, like all integers here.
    U16,
    /// Four bytes.
    U32,
    /// Eight bytes.
    U64,
    /// Sixteen bytes.
    U128,
    /// Eight bytes, two's complement.
    I64,
    /// Sixteen bytes, two's complement.
    I128,
    /// 32 bytes.
    Address,
    /// A `u32` length, then that many bytes.
    Bytes,
    /// A `u32` length, then that many bytes of UTF-8.
    Text,
    /// Exactly so many bytes.
    FixedBytes(u32),
    /// One byte 0 or 1, then the value if 1. Holds exactly one type.
    Option(List<Type>),
    /// A `u32` count, then that many values. Holds exactly one type.
    List(List<Type>),
    /// The values one after another. The empty tuple is "nothing".
    Tuple(List<Type>),
    /// The fields one after another.
    Struct {
        /// The type's name in the contract.
        name: Text,
        /// The fields, in wire order.
        fields: List<Field>,
    },
    /// The variant's index as one byte, then its fields.
    Enum {
        /// The type's name in the contract.
        name: Text,
        /// The cases; 256 at most.
        variants: List<Variant>,
    },
}

impl Type {
    /// The type of "nothing".
    pub const UNIT: Self = Self::Tuple(Cow::Borrowed(&[]));

    /// The number of bytes of every value of this type, or `None` where it varies.
    ///
    /// # Examples
    /// ```
    /// use tollway_host_api::Type;
    /// assert_eq!(Type::U128.fixed_size(), Some(16));
    /// assert_eq!(Type::Text.fixed_size(), None);
    /// ```
    pub fn fixed_size(&self) -> Option<usize> {
        fn sum(mut sizes: impl Iterator<Item = Option<usize>>) -> Option<usize> {
            sizes.try_fold(0usize, |total, size| total.checked_add(size?))
        }
        match self {
            Self::Bool | Self::U8 => Some(1),
            Self::U16 => Some(2),
            Self::U32 => Some(4),
            Self::U64 | Self::I64 => Some(8),
            Self::U128 | Self::I128 => Some(16),
            Self::Address => Some(32),
            Self::FixedBytes(size) => usize::try_from(*size).ok(),
            Self::Tuple(types) => sum(types.iter().map(Self::fixed_size)),
            Self::Struct { fields, .. } => sum(fields.iter().map(|f| f.ty.fixed_size())),
            Self::Enum { variants, .. } if variants.iter().all(|v| v.fields.is_empty()) => Some(1),
            Self::Bytes | Self::Text | Self::Option(_) | Self::List(_) | Self::Enum { .. } => None,
        }
    }

    /// Whether the type nests no deeper than [`TYPE_DEPTH_MAX`], has no more than
    /// [`TYPE_NODES_MAX`] parts, and its one-type wrappers hold exactly one type.
    pub fn is_well_formed(&self) -> bool {
        self.is_well_formed_below(TYPE_DEPTH_MAX, &mut { TYPE_NODES_MAX })
    }

    fn is_well_formed_below(&self, depth: usize, nodes: &mut usize) -> bool {
        let (Some(below), Some(left)) = (depth.checked_sub(1), nodes.checked_sub(1)) else {
            return false;
        };
        *nodes = left;
        match self {
            Self::Option(inner) => inner.len() == 1 && inner[0].is_well_formed_below(below, nodes),
            // A list of values without bytes would let a short message stand for 2³² of them.
            Self::List(inner) => {
                inner.len() == 1
                    && inner[0].fixed_size() != Some(0)
                    && inner[0].is_well_formed_below(below, nodes)
            }
            Self::Tuple(types) => types.iter().all(|ty| ty.is_well_formed_below(below, nodes)),
            Self::Struct { fields, .. } => {
                fields.iter().all(|field| field.ty.is_well_formed_below(below, nodes))
            }
            Self::Enum { variants, .. } => {
                // A variant without fields counts too: types are compared whole.
                let Some(left) = nodes.checked_sub(variants.len()) else { return false };
                *nodes = left;
                let mut fields = variants.iter().flat_map(|variant| variant.fields.iter());
                variants.len() <= 256
                    && fields.all(|field| field.ty.is_well_formed_below(below, nodes))
            }
            _ => true,
        }
    }
}
