//! tests of resolve
