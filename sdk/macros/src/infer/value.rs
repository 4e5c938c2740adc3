//! What the walk knows of an expression.

use super::*;

/// What the walk knows of an expression.
#[derive(Clone)]
pub(super) enum Value {
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
    /// Transient storage: a field, or an entry of one. It may go where it likes, because no key
    /// of it is ever declared.
    Transient,
    /// Anything else.
    Opaque,
}

impl Value {
    pub(super) fn known(known: Known) -> Self {
        Self::Known(vec![known])
    }

    /// What the value is after one of two branches, or the value that must not be lost.
    pub(super) fn join(self, other: Self) -> std::result::Result<Self, Self> {
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
    pub(super) fn is_storage(&self) -> bool {
        match self {
            Self::Contract | Self::Map(_) | Self::Cell { .. } => true,
            Self::Tuple(values) => values.iter().any(Self::is_storage),
            Self::Known(_) | Self::Data(_) | Self::Client(_) => false,
            Self::Immutables | Self::Transient | Self::Opaque => false,
        }
    }

    /// The value, forgetting what is known of its type.
    pub(super) fn plain(self) -> Self {
        match self {
            Self::Client(values) | Self::Data(values) => Self::Known(values),
            other => other,
        }
    }
}
