//! The time.

use std::time::{Instant, SystemTime};

/// Tells the time.
pub(crate) trait Clock: Send + Sync {
    /// The time that only goes forward, to wait by.
    fn now(&self) -> Instant;

    /// The time that people and files have. It may jump.
    fn system_time(&self) -> SystemTime;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }
}
