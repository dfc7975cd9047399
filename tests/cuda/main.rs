//! Each kernel against its twin on the processor: on the emulator with the feature `cpu-emu`, else on a GPU where there
//! is one.

mod blend;
mod channels;
mod cluster;
mod components;
mod conv;
mod device;
mod fill;
mod flow_error;
mod follow;
mod handover;
mod network;
mod normalize;
mod random;
mod renumber;
mod resize;
mod scan;
mod style;
mod tiles;
