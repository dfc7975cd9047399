//! The style vectors of a batch and the shifts that they give.
