//! The functions for a GPU, called from Rust, on the emulator or on a GPU.

#[path = "../../tests/cuda/device.rs"]
mod device;
mod handover;
#[path = "../../tests/common/root.rs"]
mod root;
#[path = "../../tests/cuda/scene.rs"]
mod scene;

use root::root;
