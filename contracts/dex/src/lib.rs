//! Sample contract: dex.
