//! The main job through the shipped programs: what the demo does not show.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod arriving;
mod certificates;
mod clones;
mod desk;
mod escrow;
mod golden;
mod hearing;
mod office;
mod papers;
mod pins;
mod sending;
mod signers;
mod stays;
mod tablet;
mod week;
