//! The main job, played through the shipped binaries.
//!
//! The driver behind `cargo demo` and a library for `tests/`: it never links the product, it only starts it.
//!
//! | module | what for |
//! |---|---|
//! | [`prepare`] | what the machine lacks, and how it gets there |
//! | [`shipped`] | builds and finds the two shipped binaries |
//! | [`samples`] | photographs, video, sound, enterprises and inspections that we own, from a seed |
//! | [`proxy`] | a real TCP proxy that cuts, stalls and counts |
//! | [`process`] | child processes with logs, deadlines and SIGKILL |
//! | [`steps`] | numbered progress on the terminal |
//! | [`story`] | the main job, act by act |

pub mod prepare;
pub mod process;
pub mod proxy;
pub mod samples;
pub mod shipped;
pub mod steps;
pub mod story;

/// Exit code: something the machine should offer is not there (`EX_UNAVAILABLE` of sysexits.h).
pub const EXIT_UNAVAILABLE: u8 = 69;
/// Exit code: the command line was not understood (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;
