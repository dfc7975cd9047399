//! A segmentation to files: one file a format.
