//! Compiles the kernels for a card.
