//! Sample contract: token.
