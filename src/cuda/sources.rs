//! The texts of the kernels. They are part of this program, so that it can compile them for the card in the machine.

/// Name and text of each file of `kernels`.
pub(crate) const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

/// Name and text of each header of `kernels`.
pub(crate) const HEADERS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/headers.rs"));
