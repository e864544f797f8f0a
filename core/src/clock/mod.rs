//! Time as a claim: the clock port, and the hybrid logical clock that orders what devices write.

mod hybrid;
mod jump;
mod port;

pub use hybrid::{Hlc, MAX_LEAD_MS};
pub use jump::{ClockJump, REPORTED_JUMP_MS};
pub use port::{Clock, DeviceTime, SetClock, SystemClock};
