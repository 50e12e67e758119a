//! The parameters of `hazelcast`, and the bounds that follow from them.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::info::NO_CP;
use super::process::MEMBER_TIMEOUT;
use crate::lock::Params;
use crate::locks::hazelcast::server::{CpConfig, MERGE_EVERY, leader_failover};

/// Parameters of `hazelcast`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HazelcastParams {
    /// The number of members of the CP group: 3, 5 or 7 (`group-size`). The documented default of `cp-member-count` is
    /// 0: the switch `hazelcast-no-cp`; 3 is the minimum for a CP subsystem.
    pub servers: u16,
    /// The time to live of a session without a heartbeat: 300 s (`session-time-to-live-seconds`). Whole seconds.
    pub session_ttl: Span,
    /// The heartbeat interval of a session in use: 5 s (`session-heartbeat-interval-seconds`). Whole seconds.
    pub session_heartbeat: Span,
    /// The maximal number of nested acquires: 0, unlimited (`FencedLockConfig`, `lock-acquire-limit`).
    pub lock_acquire_limit: u32,
    /// Whether members keep their state on disk: no (`persistence-enabled`). Without it, a restarted member is not part
    /// of its group.
    pub persistence: bool,
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) no_cp: bool,
}

impl Default for HazelcastParams {
    fn default() -> Self {
        HazelcastParams {
            servers: 3,
            session_ttl: Span(Duration::from_secs(300)),
            session_heartbeat: Span(Duration::from_secs(5)),
            lock_acquire_limit: 0,
            persistence: false,
            no_cp: false,
        }
    }
}

/// The number of heartbeats in a session's time to live, by the real defaults.
const BEATS: u64 = 60;

impl Params for HazelcastParams {
    /// Both are whole seconds, and the heartbeat must be the shorter one (`CPSubsystemConfig`): at least 2 s.
    fn set_ttl(&mut self, ttl: Duration) {
        let ttl = (ttl.as_millis().div_ceil(1_000) as u64).max(2);
        self.session_ttl = Span(Duration::from_secs(ttl));
        self.session_heartbeat = Span(Duration::from_secs((ttl / BEATS).max(1)));
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.session_ttl.0)
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        if bug == NO_CP {
            self.no_cp = on;
        }
        bug == NO_CP
    }

    fn check(&self) -> Result<(), String> {
        let whole = |span: Span| span.0.subsec_nanos() == 0 && !span.0.is_zero();
        if !matches!(self.servers, 3 | 5 | 7) {
            return Err("`servers` must be 3, 5 or 7: CP groups are odd and have from 3 to 7 members".into());
        }
        if !whole(self.session_ttl) || !whole(self.session_heartbeat) {
            return Err("`session_ttl` and `session_heartbeat` are whole seconds".into());
        }
        if self.session_heartbeat.0 >= self.session_ttl.0 {
            return Err("`session_heartbeat` must be shorter than `session_ttl`".into());
        }
        Ok(())
    }
}

impl HazelcastParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        (1..=self.servers).map(|n| format!("hazelcast-{n}")).collect()
    }

    pub(super) fn cp(&self) -> CpConfig {
        CpConfig {
            ttl: self.session_ttl.0,
            heartbeat: self.session_heartbeat.0,
            limit: self.lock_acquire_limit,
            persistence: self.persistence,
        }
    }

    /// The session of a crashed holder is closed a time to live after its last heartbeat was applied, by the leader's
    /// wall clock (`session-time-to-live-seconds`; CPSessionInfo.java): backward steps and slow rates lengthen it. Then
    /// come the leader's next check (1 s) and commits. A change of leader takes an election and extends all sessions by
    /// a heartbeat interval (RaftSessionService.java, `onNewTermCommit`); a second one may follow while replicas look
    /// for each other. A caller of a silent member asks another one after `hazelcast.max.no.heartbeat.seconds`.
    pub(super) fn takeover_bound(&self, allowance: &BoundAllowance) -> Duration {
        let session = allowance.stretch_wall(self.session_ttl.0 + 2 * self.session_heartbeat.0);
        let elections = allowance.stretch_mono(2 * leader_failover());
        let silent = if allowance.reconnect.is_zero() { Duration::ZERO } else { allowance.reconnect + MEMBER_TIMEOUT };
        let split = if self.no_cp { MEMBER_TIMEOUT + MERGE_EVERY } else { Duration::ZERO };
        session + elections + silent + split + Duration::from_secs(5)
    }
}
