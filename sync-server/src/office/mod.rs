//! What the desks of administrators and supervisors ask of the server, whatever face they use: plain functions, no HTTP.

pub mod enrolments;
pub mod holders;
pub mod tokens;
