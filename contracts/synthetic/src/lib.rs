//! Sample contract: synthetic.
