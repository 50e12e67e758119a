//! Redlock: the same key on N independent Redis masters, held by whoever gets a majority of them in time (redis.io,
//! "Distributed Locks with Redis", section "The Redlock Algorithm").
//!
//! The client reads its clock before and after asking; the validity is the time to live, less what asking took, less an
//! allowance for clock drift of 1 % and 2 ms (antirez/redlock-rb; the ports follow it). On failure it unlocks all
//! masters and tries again after a random delay.

use std::time::Duration;

use fencepost_sim::fault::Harm;
use fencepost_sim::stream::Stream;
use fencepost_sim::units::{Dist, Span};
use fencepost_sim::{ConnId, Mono};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::redis_set_px::{AVOIDS_DEADLOCK, FENCING, ORDER, REENTRANT};
use crate::history::GrantId;
use crate::info::{Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, Verification};
use crate::lock::{Attempt, Grant, Lock, LockError, Params, Reason, ResourceId};
use crate::site::Site;
use crate::stores::inventory::InventoryConfig;
use crate::stores::redis::{Persistence, Redis, RedisMessage};
use crate::wire::Ctx;

/// A client of Redlock.
pub struct Redlock {
    params: RedlockParams,
    ctx: Ctx<RedisMessage>,
    key: ResourceId,
    masters: Vec<ConnId>,
    delays: Stream,
}

/// Parameters of `redlock`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RedlockParams {
    /// How many masters: 5 in the documentation's example.
    pub servers: u16,
    /// The auto-release time: 10 s in the documentation's example.
    pub ttl: Span,
    /// How long to wait for each master: 5 to 50 ms for an auto-release time of 10 s, says the documentation.
    pub node_timeout: Span,
    /// How many tries make an acquire: 3 in redlock-rb and its ports.
    pub retry: u32,
    /// The delay between two tries is drawn from zero to this: 200 ms in redlock-rb and its ports.
    pub retry_delay: Span,
    /// The share of the time to live that is allowed for clock drift, in parts in a million, beside 2 ms: one per cent in
    /// redlock-rb and its ports.
    pub drift_ppm: u32,
    /// How the masters make their commands durable.
    pub persistence: Persistence,
    #[serde(skip)]
    #[schemars(skip)]
    no_second_read: bool,
}

const NO_SECOND_READ: &str = "redlock-no-second-read";

impl Default for RedlockParams {
    fn default() -> Self {
        RedlockParams {
            servers: 5,
            ttl: Span(Duration::from_secs(10)),
            node_timeout: Span(Duration::from_millis(50)),
            retry: 3,
            retry_delay: Span(Duration::from_millis(200)),
            drift_ppm: 10_000,
            persistence: Persistence::None,
            no_second_read: false,
        }
    }
}

impl RedlockParams {
    fn validity(&self) -> Duration {
        let drift = self.ttl.0 * self.drift_ppm / 1_000_000 + Duration::from_millis(2);
        self.ttl.0.saturating_sub(drift)
    }
}

impl Params for RedlockParams {
    fn set_ttl(&mut self, ttl: Duration) {
        self.ttl = Span(ttl);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.ttl.0)
    }

    fn set_bug(&mut self, bug: &str) -> bool {
        self.no_second_read |= bug == NO_SECOND_READ;
        bug == NO_SECOND_READ
    }

    fn check(&self) -> Result<(), String> {
        match self {
            RedlockParams { servers: 0 | 32.., .. } => Err("`servers` must be from 1 to 31".into()),
            RedlockParams { retry: 0, .. } => Err("`retry` counts all tries: it must be at least 1".into()),
            RedlockParams { drift_ppm: 1_000_000.., .. } => Err("`drift_ppm` must be below 1000000".into()),
            _ => Ok(()),
        }
    }
}

impl Redlock {
    /// Asks all masters at once and counts who agrees, waiting for none longer than the node timeout.
    async fn ask_all(&self, message: &RedisMessage, mark: Option<&'static str>) -> u32 {
        let timeout = self.params.node_timeout.0;
        let calls: Vec<_> = self.masters.iter().map(|master| self.ctx.ask(*master, message.clone(), timeout)).collect();
        if let Some(mark) = mark {
            self.ctx.safepoint(mark).await;
        }
        let mut agreed = 0;
        for call in calls {
            agreed += u32::from(matches!(call.await, Ok(RedisMessage::Done)));
        }
        agreed
    }

    async fn try_once(&self, id: GrantId, mark: Option<&'static str>) -> Option<Grant> {
        let asked = self.ctx.mono();
        let set = RedisMessage::SetNxPx { value: id, ttl_ms: self.params.ttl.0.as_millis() as u64, key: self.key };
        let agreed = self.ask_all(&set, mark).await;
        let counted_from = if self.params.no_second_read { self.ctx.mono() } else { asked };
        let valid_until = self.ctx.deadline(counted_from, self.params.validity());
        if agreed >= Self::quorum(&self.params) && !self.ctx.passed(valid_until) {
            return Some(Grant { id, token: None, valid_until: Some(valid_until) });
        }
        self.unlock(id, None).await;
        None
    }

    async fn unlock(&self, id: GrantId, mark: Option<&'static str>) -> u32 {
        self.ask_all(&RedisMessage::DelIfEqual { value: id, key: self.key }, mark).await
    }

    fn time_left(&self, give_up: Mono) -> bool {
        self.ctx.mono() < give_up
    }
}

const EXCLUSIVE: Promise = Promise {
    requirement: Requirement::Exclusive,
    answer: Answer::Conditional,
    says: "exclusive for a holder that finishes within the validity, if clocks run at nearly the same rate and a master \
           that crashed does not come back without its keys before they have run out",
    source: "redis.io, Distributed Locks with Redis, Is the Algorithm Asynchronous?; Performance, Crash Recovery and fsync",
};

const HIGHLY_AVAILABLE: Promise = Promise {
    requirement: Requirement::HighlyAvailable,
    answer: Answer::Yes,
    says: "clients can acquire and release as long as a majority of the masters is up; a partition costs one time to \
           live after another for as long as it lasts",
    source: "redis.io, Distributed Locks with Redis, Safety and Liveness Guarantees; Liveness Arguments",
};

impl Lock for Redlock {
    const INFO: LockInfo = LockInfo {
        name: "redlock",
        about: "SET NX PX on a majority of N independent Redis masters",
        family: Family::Redis,
        expiry: Expiry::ServerWallClock,
        in_store: false,
        commits_at_release: false,
        grants: true,
        validity: true,
        token: None,
        owner_txn: false,
        fifo: false,
        reentrancy: Reentrancy::Refused,
        promises: &[EXCLUSIVE, AVOIDS_DEADLOCK, HIGHLY_AVAILABLE, REENTRANT, FENCING, ORDER],
        flawed_defaults: &[],
        bugs: &[BugInfo {
            name: NO_SECOND_READ,
            about: "counts the validity from the replies, without the second clock read: the implementation that \
                    Kleppmann's second scenario needs",
            scenario: "redlock-pause-between-reads",
            property: "validity-exclusion",
            source: "antirez, Is Redlock safe?, 2016",
        }],
        verification: Verification::RealServerAvailable,
        sources: &[
            "redis.io, Distributed Locks with Redis, The Redlock Algorithm",
            "antirez/redlock-rb, redlock.rb: 3 tries, 200 ms, drift factor 0.01 and 2 ms",
        ],
    };
    type Params = RedlockParams;
    type Message = RedisMessage;

    fn servers(params: &RedlockParams) -> Vec<String> {
        (1..=params.servers).map(|n| format!("redis-{n}")).collect()
    }

    fn deploy(params: &RedlockParams, _: &InventoryConfig, site: &mut Site<'_, RedisMessage>) {
        for name in Self::servers(params) {
            site.server(name, Redis::new(params.persistence));
        }
    }

    fn connect(params: &RedlockParams, ctx: Ctx<RedisMessage>, key: ResourceId) -> Self {
        let masters = Self::servers(params).iter().map(|name| ctx.connect(ctx.find(name))).collect();
        let delays = ctx.stream("redlock delay");
        Redlock { params: params.clone(), ctx, key, masters, delays }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        for round in 0..self.params.retry {
            if let Some(grant) = self.try_once(attempt.id, (round == 0).then_some("acquire-sent")).await {
                return Ok(grant);
            }
            if round + 1 == self.params.retry || !self.time_left(attempt.give_up) {
                break;
            }
            let delay = self.retry_delay();
            self.ctx.sleep(delay).await;
        }
        Err(LockError::Failed(Reason::Busy))
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        match self.unlock(grant.id, Some("release-sent")).await {
            0 => Err(LockError::Failed(Reason::NotHeld)),
            _ => Ok(()),
        }
    }

    fn is_held(&self, grant: &Grant) -> bool {
        grant.valid_until.is_some_and(|until| !self.ctx.passed(until))
    }

    fn retry_delay(&mut self) -> Duration {
        Dist::Uniform(Duration::ZERO, self.params.retry_delay.0).draw(&mut self.delays)
    }

    fn quorum(params: &RedlockParams) -> u32 {
        u32::from(params.servers) / 2 + 1
    }

    /// "The auto release of the lock (since keys expire)" on a majority, by the masters' wall clocks. A second term for
    /// what tries that collided left behind on some masters while these were not reachable.
    fn takeover_bound(params: &RedlockParams, harm: &Harm) -> Duration {
        let round = 2 * params.node_timeout.0 + params.retry_delay.0;
        2 * harm.stretch_wall(params.ttl.0) + harm.reconnect + 10 * params.retry * round
    }

    fn progress_bound(params: &RedlockParams, harm: &Harm) -> Duration {
        Self::takeover_bound(params, harm)
    }
}
