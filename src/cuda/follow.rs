//! Following the flows.
