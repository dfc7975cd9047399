//! Drives `flowmask evaluate` as a user does.

#[path = "../common/mod.rs"]
mod common;
mod labels;
mod odd;
mod scene;
mod scores;
mod stacks;
