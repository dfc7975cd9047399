//! Stored pixels to the channels of the network.
