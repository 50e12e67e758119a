//! The parameters of `chubby`.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lock::Params;
use crate::locks::chubby::server::Timing;
use crate::servers::raft;

/// Parameters of `chubby`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChubbyParams {
    /// The number of replicas of a cell: "typically five" (2.1).
    pub replicas: u8,
    /// The extension of a session's lease: 12 s by default (2.8).
    pub lease: Span,
    /// The time that a client waits in jeopardy before it abandons its session: 45 s by default (2.8).
    pub grace: Span,
    /// The time during which a lock cannot be acquired after its holder's session ended. The client chooses, up to a bound
    /// of "currently one minute" (2.4); the paper states no default. 60 s here: the paper's protection for clients that
    /// use no sequencers.
    pub lock_delay: Span,
    /// The maximal excess of the master's clock rate over a client's, in ppm: "a known constant factor" (2.8), which
    /// the paper does not give. 1 % here, as in Redlock.
    pub rate_ppm: u32,
    /// The time during which the master is sure that there is no other: "a few seconds" (2.1). 3 s here.
    pub master_lease: Span,
}

impl Default for ChubbyParams {
    fn default() -> Self {
        let secs = |secs| Span(Duration::from_secs(secs));
        ChubbyParams {
            replicas: 5,
            lease: secs(12),
            grace: secs(45),
            lock_delay: secs(60),
            rate_ppm: 10_000,
            master_lease: secs(3),
        }
    }
}

impl ChubbyParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        (1..=self.replicas).map(|n| format!("chubby-{n}")).collect()
    }

    /// The safe part, for a client, of a duration that the master's clock has measured.
    pub(super) fn trusted(&self, span: Duration) -> Duration {
        span * 1_000_000 / (1_000_000 + self.rate_ppm)
    }

    pub(super) fn timing(&self) -> Timing {
        let master_lease = self.master_lease.0;
        Timing { lease: self.lease.0, master_lease, master_renewal: master_lease / 3 }
    }

    /// Replicas keep their promise longer than the master relies on it: by a tick, as they count time in ticks, and a
    /// sixth.
    pub(super) fn raft(&self) -> raft::Config {
        let election = self.master_lease.0 * 4 / 3;
        let (heartbeat, request_timeout) = (election / 10, Duration::from_secs(30));
        raft::Config { election, heartbeat, request_timeout, pre_vote: false, ..raft::Config::default() }
    }
}

impl Params for ChubbyParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.lease = Span(ttl);
    }

    /// Two leases remain after the lock-delay: the master answers the KeepAlive of a silent client shortly before the
    /// lease ends, and grants another one with it.
    fn set_effective(&mut self, effective: Duration) {
        self.lock_delay = self.lock_delay.min(Span(effective / 2));
        self.lease = Span((effective - self.lock_delay.0) / 2);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(2 * self.lease.0 + self.lock_delay.0)
    }

    fn check(&self) -> Result<(), String> {
        if !matches!(self.replicas, 1 | 3 | 5 | 7) {
            return Err("`replicas` must be 1, 3, 5 or 7".into());
        }
        if self.lock_delay.0 > Duration::from_secs(60) {
            return Err("`lock_delay` must be at most 60 s".into());
        }
        if self.rate_ppm >= 1_000_000 {
            return Err("`rate_ppm` must be below 1000000".into());
        }
        self.raft().check()
    }
}
