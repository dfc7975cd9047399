//! Percentile normalisation.
