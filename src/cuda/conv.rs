//! The convolutions with all that stands before and after them.
