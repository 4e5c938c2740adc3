//! The attribute macros of the Tollway SDK.
