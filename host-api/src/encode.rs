//! Const encoder; see the module owner.
