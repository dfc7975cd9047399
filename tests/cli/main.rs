//! Drives the program as a user does, in a folder of its own.

mod bad;
mod devices;
mod good;
mod gpu;
mod scene;
