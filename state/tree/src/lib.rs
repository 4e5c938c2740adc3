//! The tree that commits to the state, in memory.
