//! The server as a process, driven over TLS by an honest and by a hostile client. One binary, so that it links once.

mod admission;
mod life;
mod stores;
mod uploads;
mod world;
