//! The boundary between the runtime and what keeps its state.
