//! Each stage on the CPU against a naive reference, on random inputs. A reference is written from the definition of the
//! stage and not from its code.

#[path = "naive/blend.rs"]
mod blend;
#[path = "naive/check.rs"]
mod check;
#[path = "naive/cluster.rs"]
mod cluster;
#[path = "naive/components.rs"]
mod components;
#[path = "naive/conv.rs"]
mod conv;
#[path = "naive/flow_error.rs"]
mod flow_error;
#[path = "naive/follow.rs"]
mod follow;
#[path = "naive/input.rs"]
mod input;
#[path = "naive/network.rs"]
mod network;
#[path = "naive/normalize.rs"]
mod normalize;
#[path = "naive/parts.rs"]
mod parts;
#[path = "naive/resize.rs"]
mod resize;
#[path = "naive/sharpen.rs"]
mod sharpen;
#[path = "naive/stitch.rs"]
mod stitch;
#[path = "naive/tile_norm.rs"]
mod tile_norm;
#[path = "naive/tiles.rs"]
mod tiles;
#[path = "naive/volume.rs"]
mod volume;
