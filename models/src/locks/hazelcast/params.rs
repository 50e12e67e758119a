//! The parameters of `hazelcast` and `hazelcast-cp`, and the bounds that follow from them.

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::process::MEMBER_TIMEOUT;
use crate::lock::Params;
use crate::locks::hazelcast::server::{CpConfig, MERGE_EVERY, leader_failover};

/// Parameters of `hazelcast`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HazelcastParams {
    /// The number of members of the cluster, from 1 to 7. None of them is a CP member (`cp-member-count` 0).
    pub servers: u16,
    /// The time to live of a session without a heartbeat: 300 s (`session-time-to-live-seconds`). Whole seconds.
    pub session_ttl: Span,
    /// The heartbeat interval of a session in use: 5 s (`session-heartbeat-interval-seconds`). Whole seconds.
    pub session_heartbeat: Span,
    /// The maximal number of nested acquires: 0, unlimited (`FencedLockConfig`, `lock-acquire-limit`).
    pub lock_acquire_limit: u32,
}

/// Parameters of `hazelcast-cp`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HazelcastCpParams {
    /// The number of members of the CP group: 3, 5 or 7 (`cp-member-count`, `group-size`). 3 is the minimum of a CP
    /// subsystem.
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
}

const SESSION_TTL: Span = Span(Duration::from_secs(300));
const SESSION_HEARTBEAT: Span = Span(Duration::from_secs(5));

impl Default for HazelcastParams {
    fn default() -> Self {
        let (session_ttl, session_heartbeat) = (SESSION_TTL, SESSION_HEARTBEAT);
        HazelcastParams { servers: 3, session_ttl, session_heartbeat, lock_acquire_limit: 0 }
    }
}

impl Default for HazelcastCpParams {
    fn default() -> Self {
        let (session_ttl, session_heartbeat) = (SESSION_TTL, SESSION_HEARTBEAT);
        HazelcastCpParams { servers: 3, session_ttl, session_heartbeat, lock_acquire_limit: 0, persistence: false }
    }
}

/// The number of heartbeats in a session's time to live, by the real defaults.
const BEATS: u64 = 60;

/// Both are whole seconds, and the heartbeat must be the shorter one (`CPSubsystemConfig`): at least 2 s.
fn session_of(ttl: Duration) -> (Span, Span) {
    let ttl = (ttl.as_millis().div_ceil(1_000) as u64).max(2);
    (Span(Duration::from_secs(ttl)), Span(Duration::from_secs((ttl / BEATS).max(1))))
}

fn check_session(ttl: Span, heartbeat: Span) -> Result<(), String> {
    let whole = |span: Span| span.0.subsec_nanos() == 0 && !span.0.is_zero();
    if !whole(ttl) || !whole(heartbeat) {
        return Err("`session_ttl` and `session_heartbeat` are whole seconds".into());
    }
    if heartbeat.0 >= ttl.0 {
        return Err("`session_heartbeat` must be shorter than `session_ttl`".into());
    }
    Ok(())
}

fn names(servers: u16) -> Vec<String> {
    (1..=servers).map(|n| format!("hazelcast-{n}")).collect()
}

impl Params for HazelcastParams {
    fn set_ttl(&mut self, ttl: Duration) {
        (self.session_ttl, self.session_heartbeat) = session_of(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.session_ttl.0)
    }

    fn check(&self) -> Result<(), String> {
        if !(1..=7).contains(&self.servers) {
            return Err("`servers` must be from 1 to 7".into());
        }
        check_session(self.session_ttl, self.session_heartbeat)
    }
}

impl Params for HazelcastCpParams {
    fn set_ttl(&mut self, ttl: Duration) {
        (self.session_ttl, self.session_heartbeat) = session_of(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.session_ttl.0)
    }

    fn check(&self) -> Result<(), String> {
        if !matches!(self.servers, 3 | 5 | 7) {
            return Err("`servers` must be 3, 5 or 7: CP groups are odd and have from 3 to 7 members".into());
        }
        check_session(self.session_ttl, self.session_heartbeat)
    }
}

/// The time until the session of a crashed holder is closed: a time to live after its last heartbeat was applied, by a
/// member's wall clock (`session-time-to-live-seconds`; CPSessionInfo.java). Backward steps and slow rates lengthen it.
/// A caller of a silent member asks another one after `hazelcast.max.no.heartbeat.seconds`.
fn session_bound(ttl: Span, heartbeat: Span, allowance: &BoundAllowance) -> Duration {
    let silent = if allowance.reconnect.is_zero() { Duration::ZERO } else { allowance.reconnect + MEMBER_TIMEOUT };
    allowance.stretch_wall(ttl.0 + 2 * heartbeat.0) + silent + Duration::from_secs(5)
}

impl HazelcastParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        names(self.servers)
    }

    pub(super) fn cp(&self) -> CpConfig {
        let (ttl, heartbeat) = (self.session_ttl.0, self.session_heartbeat.0);
        CpConfig { ttl, heartbeat, limit: self.lock_acquire_limit, persistence: false }
    }

    /// The session's end, and under faults the removal of a silent primary and a merge of split clusters.
    pub(super) fn takeover_bound(&self, allowance: &BoundAllowance) -> Duration {
        let session = session_bound(self.session_ttl, self.session_heartbeat, allowance);
        if *allowance == BoundAllowance::default() {
            return session;
        }
        session + allowance.stretch_mono(2 * MEMBER_TIMEOUT) + MERGE_EVERY
    }
}

impl HazelcastCpParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        names(self.servers)
    }

    pub(super) fn cp(&self) -> CpConfig {
        let (ttl, heartbeat) = (self.session_ttl.0, self.session_heartbeat.0);
        CpConfig { ttl, heartbeat, limit: self.lock_acquire_limit, persistence: self.persistence }
    }

    /// The session's end, by the leader's clock, its next check (1 s) and commits. A change of leader takes an election,
    /// by the wall clocks, and extends all sessions by a heartbeat interval (RaftSessionService.java,
    /// `onNewTermCommit`); a second one may follow while replicas look for each other.
    pub(super) fn takeover_bound(&self, allowance: &BoundAllowance) -> Duration {
        let session = session_bound(self.session_ttl, self.session_heartbeat, allowance);
        session + allowance.stretch_wall(2 * leader_failover())
    }
}
