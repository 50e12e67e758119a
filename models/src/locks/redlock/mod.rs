//! Redlock: the same key on N independent Redis masters. The client that sets it on a quorum ([`masters::quorum`]) in
//! time holds the lock (redis.io, "Distributed Locks with Redis", section "The Redlock Algorithm").
//!
//! The client reads its clock before and after its requests. The validity is the time to live, less the time of the
//! requests, less an allowance for clock drift of 1 % and 2 ms (antirez/redlock-rb; the ports follow it). On failure it
//! unlocks all masters and tries again after a random delay.

mod extension;
mod masters;
mod params;

use std::time::Duration;

use fencepost_sim::Mono;
use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;

use self::extension::Extension;
use self::masters::Masters;
pub use self::params::RedlockParams;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::servers::redis::{Redis, RedisMessage};
use crate::site::Site;
use crate::wire::Ctx;

/// A client of Redlock.
pub struct Redlock {
    params: RedlockParams,
    ctx: Ctx<RedisMessage>,
    masters: Masters,
    delays: Stream,
    extension: Option<Extension>,
}

impl Redlock {
    async fn try_once(&mut self, id: GrantId, started: Mono, step: Option<&'static str>) -> Option<Grant> {
        let asked = self.ctx.mono();
        let ttl_ms = self.params.ttl.0.as_millis() as u64;
        let set = RedisMessage::SetNxPx { value: id, ttl_ms, key: self.masters.key };
        let agreed = self.masters.ask_quorum(&set, step).await;
        let counted_from = match &self.params {
            params if params.no_second_read => self.ctx.mono(),
            params if params.expiry_before_retries => started,
            _ => asked,
        };
        let valid_until = self.ctx.deadline(counted_from, self.params.validity());
        let valid = self.params.expiry_before_retries || !self.ctx.passed(valid_until);
        if agreed && valid {
            let Some(left) = self.params.extend else {
                return Some(Grant { id, token: None, valid_until: Some(valid_until) });
            };
            self.extension = Some(Extension::start(&self.masters, &self.params, left.0, id, valid_until));
            return Some(Grant { id, token: None, valid_until: None });
        }
        self.unlock(id, None).await;
        None
    }

    async fn unlock(&self, id: GrantId, step: Option<&'static str>) -> usize {
        self.masters.ask_all(&RedisMessage::DelIfEqual { value: id, key: self.masters.key }, step).await
    }

    fn time_left(&self, give_up: Mono) -> bool {
        self.ctx.mono() < give_up
    }
}

impl Lock for Redlock {
    const INFO: LockInfo = params::INFO;
    type Params = RedlockParams;
    type Message = RedisMessage;

    fn deploy(params: &RedlockParams, site: &mut Site<'_, RedisMessage>) {
        for name in params.server_names() {
            site.server(name, Redis::new(params.persistence).with_delayed_restart(params.restart_delay()));
        }
    }

    fn connect(params: &RedlockParams, ctx: Ctx<RedisMessage>, resource: ResourceId) -> Self {
        let masters = Masters::new(params, &params.server_names(), ctx.clone(), resource);
        let delays = ctx.stream("redlock delay");
        Redlock { params: params.clone(), ctx, masters, delays, extension: None }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let started = self.ctx.mono();
        for round in 0..self.params.retry {
            if let Some(grant) = self.try_once(attempt.id, started, (round == 0).then_some("acquire-sent")).await {
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
        self.extension = None;
        match self.unlock(grant.id, Some("release-sent")).await {
            0 => Err(LockError::Failed(Reason::NotHeld)),
            _ => Ok(()),
        }
    }

    /// The abort signal with extensions, otherwise the validity.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(match grant.valid_until {
            Some(until) => !self.ctx.passed(until),
            None => self.extension.as_ref().is_some_and(|it| it.grant == grant.id && !it.aborted()),
        })
    }

    fn retry_delay(&mut self) -> Duration {
        Dist::Uniform(Duration::ZERO, self.params.retry_delay.0).draw(&mut self.delays)
    }

    fn quorum(params: &RedlockParams) -> u32 {
        masters::quorum(params.servers.into()) as u32
    }

    /// "The auto release of the lock (since keys expire)" on a quorum, by the masters' wall clocks. A second term for
    /// keys that colliding attempts left on unreachable masters; with delayed restarts, one more for masters that
    /// refuse clients.
    fn takeover_bound(params: &RedlockParams, allowance: &BoundAllowance) -> Duration {
        let round = 2 * params.node_timeout.0 + params.retry_delay.0;
        let refused = params.restart_delay().map_or(Duration::ZERO, |delay| allowance.stretch_mono(delay));
        2 * allowance.stretch_wall(params.ttl.0) + refused + allowance.reconnect + 10 * params.retry * round
    }
}
