//! Sums of all that comes before.
