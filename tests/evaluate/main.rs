//! Drives `flowmask evaluate` as a user does.

#[path = "../common/mod.rs"]
mod common;
mod labels;
mod odd;
#[path = "../common/run.rs"]
mod run;
mod scene;
mod scores;
mod stacks;
