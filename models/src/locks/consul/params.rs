//! The parameters of `consul`.

use std::time::Duration;

use fencepost_sim::NodeId;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lock::Params;
use crate::locks::consul::server::{Consistency, Terms};
use crate::servers::raft;

/// Parameters of `consul`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConsulParams {
    /// The number of servers. HashiCorp recommends 3 or 5.
    pub servers: u8,
    /// The session's time to live (`LockOptions.SessionTTL`): 15 s by default (api/lock.go, `DefaultLockSessionTTL`).
    /// Servers end a session after twice this.
    pub session_ttl: Span,
    /// The shortest accepted time to live: 10 s unless the servers' `session_ttl_min` says otherwise. The longest is 24
    /// h (structs.SessionTTLMax).
    pub session_ttl_min: Span,
    /// The time during which a key cannot be acquired after its session ended: 15 s by default, 60 s at most (Consul's
    /// documentation, Sessions).
    pub lock_delay: Span,
    /// The time that a query for the key blocks (`LockOptions.LockWaitTime`): 15 s; up to a sixteenth is added.
    pub lock_wait: Span,
    /// The pause after the refusal of a free key: 5 s (api/lock.go, `DefaultLockRetryTime`, a constant there).
    pub lock_retry: Span,
    /// The number of failures of the watch on a held key after which the lock counts as lost
    /// (`LockOptions.MonitorRetries`): 0.
    pub monitor_retries: u32,
    /// The pause between these attempts (`LockOptions.MonitorRetryTime`): 2 s.
    pub monitor_retry_time: Span,
    /// The consistency of reads while the client waits for the key. The watch on a held key is always `consistent`.
    pub consistency: Consistency,
    /// Whether sessions end when gossip declares their node dead: the check `serfHealth`, which every session has by default
    /// (agent/session_endpoint.go, `SessionCreate`).
    pub serf_health: bool,
    /// The factor of Raft's timings over the shortest (`performance.raft_multiplier`): 5, so that followers wait for 5
    /// s to 10 s before an election (agent/agent_test.go, `TestAgent_ServerConfig_RaftMultiplier_Ok`).
    pub raft_multiplier: u8,
    /// Whether the lock is the command `consul lock`.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) cli: bool,
}

impl Default for ConsulParams {
    fn default() -> Self {
        let secs = |secs| Span(Duration::from_secs(secs));
        ConsulParams {
            servers: 3,
            session_ttl: secs(15),
            session_ttl_min: secs(10),
            lock_delay: secs(15),
            lock_wait: secs(15),
            lock_retry: secs(5),
            monitor_retries: 0,
            monitor_retry_time: secs(2),
            consistency: Consistency::Default,
            serf_health: true,
            raft_multiplier: 5,
            cli: false,
        }
    }
}

/// structs.SessionTTLMax.
const TTL_MAX: Duration = Duration::from_secs(24 * 3600);

impl ConsulParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        (1..=self.servers).map(|n| format!("consul-{n}")).collect()
    }

    pub(super) fn terms(&self, node: NodeId) -> Terms {
        Terms { ttl: self.session_ttl.0, lock_delay: self.lock_delay.0, node }
    }

    /// The time after which a session without renewals ends.
    pub(super) fn session(&self) -> Duration {
        2 * self.session_ttl.0
    }

    /// A leader of hashicorp/raft steps down after half of a follower's timeout (config.go, `LeaderLeaseTimeout`: 500 ms
    /// times the multiplier). Proposals wait as long as their leader leads.
    pub(super) fn raft(&self) -> raft::Config {
        let election = Duration::from_secs(1) * self.raft_multiplier.into();
        let (heartbeat, request_timeout) = (election / 10, Duration::from_secs(30));
        let leader_lease = Some(election / 2);
        raft::Config { election, heartbeat, leader_lease, request_timeout, pre_vote: false, ..raft::Config::default() }
    }
}

impl Params for ConsulParams {
    /// The servers reject values out of range.
    fn set_ttl(&mut self, ttl: Duration) {
        self.session_ttl = Span(ttl.clamp(self.session_ttl_min.0, TTL_MAX));
    }

    /// Two thirds for the session's end, one for the lock-delay, as by default. `session_ttl_min` is lowered if needed,
    /// as an operator would.
    fn set_effective(&mut self, effective: Duration) {
        let longest = Duration::from_secs(60);
        self.session_ttl = Span((effective / 3).max(effective.saturating_sub(longest) / 2));
        self.session_ttl_min = self.session_ttl_min.min(self.session_ttl);
        self.lock_delay = Span(effective.saturating_sub(self.session()).min(longest));
    }

    fn set_variant(&mut self, variant: &str) -> bool {
        if variant == "cli" {
            (self.cli, self.monitor_retries) = (true, 3);
            self.monitor_retry_time = Span(Duration::from_secs(1));
        }
        matches!(variant, "api" | "cli")
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.session() + self.lock_delay.0)
    }

    fn check(&self) -> Result<(), String> {
        if !matches!(self.servers, 1 | 3 | 5 | 7) {
            return Err("`servers` must be 1, 3, 5 or 7".into());
        }
        if !(self.session_ttl_min.0..=TTL_MAX).contains(&self.session_ttl.0) {
            return Err("`session_ttl` must be from `session_ttl_min` to 24 h: the servers reject other values".into());
        }
        if self.lock_delay.0 > Duration::from_secs(60) {
            return Err("`lock_delay` must be at most 60 s".into());
        }
        self.raft().check()
    }
}
