//! The server as a process, driven over TLS by an honest and by a hostile client. One binary, so that it links once.

#![allow(clippy::unwrap_used, reason = "a broken set-up is a failed test")]

mod accounts;
mod admission;
mod bundles;
mod case_pages;
mod console;
mod console_act;
mod console_conflict;
mod console_custody;
mod console_enrolment;
mod console_filters;
mod console_lists;
mod console_sign;
mod console_work;
mod devices;
mod forks;
mod halves;
mod hostile;
mod interface;
mod life;
mod pages;
mod raw;
mod reading;
mod shares;
mod stalls;
mod standing;
mod stores;
mod uploads;
mod world;
