//! The weighted average of overlapping tiles.
