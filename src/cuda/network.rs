//! The U-Net on a batch of tiles.
