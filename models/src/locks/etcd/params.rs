//! The parameters of `etcd`.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::link::KeepaliveConfig;
use crate::lock::Params;
use crate::locks::etcd::server::Settings;
use crate::servers::raft::{Config, ReadMode};

/// Parameters of `etcd`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EtcdParams {
    /// The number of members: 1, 3, 5 or 7.
    pub servers: u8,
    /// The lease of a session, in whole seconds: 60 s by default (concurrency/session.go, `defaultSessionTTL`). No
    /// lease is shorter than one and a half election timeouts, rounded up: 2 s by default (server/etcdserver/server.go,
    /// `minTTL`).
    pub ttl: Span,
    /// The leader's heartbeat interval: `--heartbeat-interval`, 100 ms by default.
    pub heartbeat: Span,
    /// The silence after which a member starts an election: `--election-timeout`, 1 s by default.
    pub election: Span,
    /// The silence after which a client pings a connection: `--keepalive-time` of etcdctl, 2 s by default, which
    /// grpc-go raises to its minimum of 10 s. Other programs must set `DialKeepAliveTime`.
    pub keepalive_time: Span,
    /// The time for an answer: `--keepalive-timeout` of etcdctl, 6 s by default.
    pub keepalive_timeout: Span,
    #[serde(skip)]
    pub(super) stale_grant: bool,
    #[serde(skip)]
    pub(super) stuck_leader: bool,
    #[serde(skip)]
    pub(super) stale_read: bool,
}

impl Default for EtcdParams {
    fn default() -> Self {
        let Config { heartbeat, election, .. } = Config::default();
        EtcdParams {
            servers: 3,
            ttl: Span(Duration::from_secs(60)),
            heartbeat: Span(heartbeat),
            election: Span(election),
            keepalive_time: Span(Duration::from_secs(2)),
            keepalive_timeout: Span(Duration::from_secs(6)),
            stale_grant: false,
            stuck_leader: false,
            stale_read: false,
        }
    }
}

/// The shortest ping interval of grpc-go (package keepalive, `ClientParameters.Time`).
const LEAST_KEEPALIVE: Duration = Duration::from_secs(10);

impl EtcdParams {
    /// The names of the servers.
    pub(super) fn server_names(&self) -> Vec<String> {
        (1..=self.servers).map(|n| format!("etcd-{n}")).collect()
    }

    /// The granted seconds of a lease.
    pub(super) fn seconds(&self) -> u64 {
        whole_seconds(self.ttl.0).max(self.settings().least_seconds)
    }

    pub(super) fn raft(&self) -> Config {
        let (heartbeat, election) = (self.heartbeat.0, self.election.0);
        let config =
            Config { heartbeat, election, request_timeout: Duration::from_secs(5) + 2 * election, ..Config::default() };
        if self.stale_read {
            return Config { reads: ReadMode::Unchecked, check_quorum: false, ..config };
        }
        config
    }

    pub(super) fn settings(&self) -> Settings {
        Settings { least_seconds: whole_seconds(self.election.0 * 3 / 2), stuck_leader: self.stuck_leader }
    }

    pub(super) fn keepalive(&self) -> KeepaliveConfig {
        KeepaliveConfig { time: self.keepalive_time.0.max(LEAST_KEEPALIVE), timeout: self.keepalive_timeout.0 }
    }
}

fn whole_seconds(span: Duration) -> u64 {
    span.as_nanos().div_ceil(1_000_000_000) as u64
}

impl Params for EtcdParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.seconds()))
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        match bug {
            "etcd-stale-grant" => self.stale_grant = on,
            "etcd-stuck-leader" => self.stuck_leader = on,
            "raft-stale-read" => self.stale_read = on,
            _ => return false,
        }
        true
    }

    fn check(&self) -> Result<(), String> {
        if ![1, 3, 5, 7].contains(&self.servers) {
            return Err(format!("`servers` must be 1, 3, 5 or 7, not {}", self.servers));
        }
        if self.ttl.0.is_zero() {
            return Err("`ttl` must be greater than zero".into());
        }
        self.raft().check()
    }
}
