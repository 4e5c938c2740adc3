//! Sample contract: pair.
