//! End points to masks.
