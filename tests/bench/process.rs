//! What a process has used, as `/proc` tells it; on other systems everything is 0.

use std::fs;

/// Clock ticks a second in `/proc/PID/stat`: fixed to 100 in Linux's interface to programs.
const TICKS: f64 = 100.0;

/// A process by its id, or this one.
#[derive(Clone, Debug)]
pub struct Usage(String);

impl Usage {
    /// Of this process.
    pub fn own() -> Self {
        Self("self".into())
    }

    /// Of another.
    pub fn of(id: u32) -> Self {
        Self(id.to_string())
    }

    /// Peak resident memory in MiB since the start, or since [`Usage::forget_peak`].
    pub fn peak_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }

    /// Lets the peak begin anew at what is resident now.
    pub fn forget_peak(&self) {
        // Where the system does not allow it, the peak stays the one since the start: higher, never lower.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.0), "5");
    }

    /// Seconds of processor time, all threads, in steps of 10 ms.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        // The second field is the name in brackets and may hold blanks: count after it.
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let ticks = fields.split_whitespace().skip(11).take(2);
        ticks.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
    }
}
