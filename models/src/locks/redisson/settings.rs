//! The settings of a Redisson client.

use std::time::Duration;

use crate::locks::redis_driver::REDISSON;

/// The timeout of a command.
pub const COMMAND_TIMEOUT: Duration = REDISSON.timeout;

/// The use of the lock.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// `lockWatchdogTimeout`.
    pub watchdog_timeout: Duration,
    /// `leaseTime`: no watchdog.
    pub lease: Option<Duration>,
    /// The watchdog stops after one failure.
    pub renewal_stops: bool,
    /// The source of the fencing token.
    pub token: TokenUse,
}

/// The source of the fencing token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// The lock has no token.
    None,
    /// The acquire's own reply: `tryLockAndGetToken(waitTime, unit)`.
    FromReply,
    /// The shared counter, after the acquire: `getToken()`.
    FromCounter,
}

impl Settings {
    /// `internalLockLeaseTime`.
    pub fn lease_time(&self) -> Duration {
        self.lease.unwrap_or(self.watchdog_timeout)
    }
}
