//! The parameters of `zookeeper`.

use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lock::Params;
use crate::locks::zookeeper::server::Timing;
use crate::servers::raft::Config;

/// Parameters of `zookeeper`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ZookeeperParams {
    /// The number of members. "Three ZooKeeper servers is the minimum recommended size for an ensemble"
    /// (zookeeperAdmin.md).
    #[schemars(range(min = 1, max = 7))]
    pub servers: u8,
    /// The session timeout that the client requests: 60 s (`DEFAULT_SESSION_TIMEOUT_MS`, CuratorFrameworkFactory.java).
    /// The servers clamp it to their bounds, which makes 40 s of these 60 s.
    pub session_timeout: Span,
    /// `tickTime` of the servers: 2 s in the sample configuration (zoo_sample.cfg; without any configuration the code
    /// takes 3 s).
    pub tick: Span,
    /// `minSessionTimeout` of the servers: "Defaults to 2 times the tickTime" (zookeeperAdmin.md).
    pub min_session_timeout: Option<Span>,
    /// `maxSessionTimeout` of the servers: "Defaults to 20 times the tickTime" (zookeeperAdmin.md).
    pub max_session_timeout: Option<Span>,
    /// The time that each attempt of an operation waits for a connection: `DEFAULT_CONNECTION_TIMEOUT_MS`
    /// (CuratorFrameworkFactory.java).
    pub connection_timeout: Span,
    /// The number of retries of an operation: `ExponentialBackoffRetry(1000, 3)` of Curator's getting-started page.
    /// Curator has no default.
    #[schemars(range(max = 29))]
    pub retries: u32,
    /// The base pause before a retry, times a random factor that doubles. See `retries`.
    pub retry_base: Span,
    /// The share of the session timeout, in per cent, after which a disconnected client considers its session lost:
    /// `simulatedSessionExpirationPercent` (CuratorFrameworkFactory.java).
    #[schemars(range(min = 1, max = 100))]
    pub simulated_session_expiration_percent: u32,
    /// When the program that uses Curator stops its work. Curator does not stop it.
    pub stop_on: StopOn,
    #[serde(skip)]
    pub(super) own_old_node: bool,
    #[serde(skip)]
    pub(super) release_forgets: bool,
}

/// The connection state at which a program considers its lock lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopOn {
    /// When the connection is gone: what Curator's page on locks recommends under "Error Handling".
    Suspended,
    /// When the session is gone, or considered gone.
    #[default]
    Lost,
}

impl Default for ZookeeperParams {
    fn default() -> Self {
        ZookeeperParams {
            servers: 3,
            session_timeout: Span(Duration::from_secs(60)),
            tick: Span(Duration::from_secs(2)),
            min_session_timeout: None,
            max_session_timeout: None,
            connection_timeout: Span(Duration::from_secs(15)),
            retries: 3,
            retry_base: Span(Duration::from_secs(1)),
            simulated_session_expiration_percent: 100,
            stop_on: StopOn::Lost,
            own_old_node: true,
            release_forgets: false,
        }
    }
}

impl Params for ZookeeperParams {
    /// The requested session timeout; the servers' bounds clamp it.
    fn set_ttl(&mut self, ttl: Duration) {
        self.session_timeout = Span(ttl);
    }

    /// The session timeout and one tick. The servers' bounds, and below three ticks the tick, are set too.
    fn set_effective(&mut self, effective: Duration) {
        if effective < 3 * self.tick.0 {
            self.tick = Span(effective / 5);
        }
        let timeout = Span(effective - self.tick.0);
        self.session_timeout = timeout;
        let Timing { shortest, longest, .. } = self.timing();
        if timeout.0 < shortest {
            self.min_session_timeout = Some(timeout);
        }
        if timeout.0 > longest {
            self.max_session_timeout = Some(timeout);
        }
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.negotiated() + self.tick.0)
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        match bug {
            "curator-own-old-node" => self.own_old_node = on,
            "curator-release-forgets" => self.release_forgets = on,
            _ => return false,
        }
        true
    }

    fn check(&self) -> Result<(), String> {
        let Timing { tick, shortest, longest } = self.timing();
        if !(1..=7).contains(&self.servers) {
            return Err("an ensemble has 1 to 7 `servers` here".into());
        }
        if tick < Duration::from_millis(2) || shortest.is_zero() {
            return Err("`tick` must be at least 2ms, and a session timeout greater than zero".into());
        }
        if shortest > longest {
            return Err("`min_session_timeout` must not be longer than `max_session_timeout`".into());
        }
        if !(1..=100).contains(&self.simulated_session_expiration_percent) {
            return Err("`simulated_session_expiration_percent` is from 1 to 100".into());
        }
        if self.retries > 29 {
            return Err("`retries` are at most 29 (MAX_RETRIES_LIMIT, ExponentialBackoffRetry.java)".into());
        }
        Ok(())
    }
}

impl ZookeeperParams {
    pub(super) fn timing(&self) -> Timing {
        let tick = self.tick.0;
        let shortest = self.min_session_timeout.map_or(2 * tick, |span| span.0);
        let longest = self.max_session_timeout.map_or(20 * tick, |span| span.0);
        Timing { tick, shortest, longest }
    }

    /// The session timeout that the servers grant.
    pub(super) fn negotiated(&self) -> Duration {
        let Timing { shortest, longest, .. } = self.timing();
        self.session_timeout.0.clamp(shortest.min(longest), longest)
    }

    /// Members without a leader do not queue requests: they close their connections.
    pub(super) fn raft(&self) -> Config {
        Config { queue_without_leader: false, ..Config::default() }
    }
}
