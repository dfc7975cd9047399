//! The flow check.
