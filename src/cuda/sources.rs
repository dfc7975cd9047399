//! The texts of the kernels, which are in this program so that they can be compiled for the card at hand.

/// Name and text of each file of `kernels`.
pub(crate) const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

/// Name and text of each header of `kernels`.
pub(crate) const HEADERS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/headers.rs"));
