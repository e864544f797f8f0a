//! The conversation against a server in memory: order, every class of error, and cuts at every place.

mod agency;
mod faults;
mod flow;
mod health;
mod memory;
mod scripted;
