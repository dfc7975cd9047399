//! From the image to a batch of tiles: resize, pad, cut and flip in one kernel.
