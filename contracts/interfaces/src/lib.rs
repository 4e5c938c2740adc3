//! Interfaces that sample contracts call each other through.
