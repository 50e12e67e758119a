//! Redlock: the same key on N independent Redis masters. The client that sets it on a quorum ([`masters::quorum`]) in
//! time holds the lock (redis.io, "Distributed Locks with Redis", section "The Redlock Algorithm").
//!
//! The ports differ in what decides their verdicts; see [`Port`]. The client of the page reads its monotonic clock before
//! and after its requests. The validity is the time to live, less the time of the requests, less an allowance for clock
//! drift of 1 % and 2 ms (antirez/redlock-rb). On failure it unlocks all masters and tries again after a random delay.

mod extension;
mod masters;
mod params;
mod using;

use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;
use fencepost_sim::{CallError, Either, Mono, race};

use self::extension::Extension;
use self::masters::{Masters, Until};
pub use self::params::{Port, RedlockParams};
use self::using::{Executor, Using};
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
    using: Option<Using>,
}

const BUSY: LockError = LockError::Failed(Reason::Busy);

impl Redlock {
    fn set(&self, id: GrantId) -> RedisMessage {
        RedisMessage::SetNxPx { value: id, ttl_ms: self.params.ttl.0.as_millis() as u64, key: self.masters.key }
    }

    fn unlock(&self, id: GrantId) -> RedisMessage {
        RedisMessage::DelIfEqual { value: id, key: self.masters.key }
    }

    fn time_left(&self, give_up: Mono) -> bool {
        self.ctx.mono() < give_up
    }

    async fn wait_before_retry(&mut self) {
        let delay = self.draw_delay();
        self.ctx.sleep(delay).await;
    }

    fn draw_delay(&mut self) -> Duration {
        let longest = self.params.retry_delay.0;
        match self.params.port() {
            Port::Paper => Dist::Uniform(Duration::ZERO, longest).draw(&mut self.delays),
            Port::NodeRedlock5 => Dist::Uniform(longest / 2, longest * 3 / 2).draw(&mut self.delays),
            Port::RedlockPy => longest,
            Port::Redsync => Dist::Uniform(longest / 5, longest).draw(&mut self.delays),
        }
    }

    /// The algorithm of the page, and redsync's `lockContext`, which follows it.
    async fn acquire_by_monotonic_clock(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        for round in 0..self.params.retry {
            let step = (round == 0).then_some("acquire-sent");
            if let Some(grant) = self.try_by_monotonic_clock(attempt.id, step).await {
                return Ok(grant);
            }
            if round + 1 == self.params.retry || !self.time_left(attempt.give_up) {
                break;
            }
            self.wait_before_retry().await;
        }
        Err(BUSY)
    }

    async fn try_by_monotonic_clock(&mut self, id: GrantId, step: Option<&'static str>) -> Option<Grant> {
        let asked = self.ctx.mono();
        let votes = self.masters.ask_at_once(&self.set(id), step, Until::All).await;
        let counted_from = if self.params.no_second_read { self.ctx.mono() } else { asked };
        let valid_until = self.ctx.deadline(counted_from, self.params.validity());
        if votes.agreed >= self.masters.quorum() && !self.ctx.passed(valid_until) {
            let Some(left) = self.params.extend else {
                return Some(Grant { id, token: None, valid_until: Some(valid_until) });
            };
            self.extension = Some(Extension::start(&self.masters, &self.params, left.0, id, valid_until));
            return Some(Grant { id, token: None, valid_until: None });
        }
        self.masters.ask_at_once(&self.unlock(id), None, Until::All).await;
        None
    }

    /// redlock-py, `Redlock.lock`: one master after another, by the wall clock. If a quorum agreed and another master
    /// failed, it raises an exception and leaves the keys.
    async fn acquire_in_turn(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let id = attempt.id;
        for round in 0..self.params.retry {
            let started = self.ctx.wall();
            let step = (round == 0).then_some("acquire-sent");
            let votes = self.masters.ask_in_turn(&self.set(id), step).await;
            let elapsed_ns = i128::from(self.ctx.wall().0) - i128::from(started.0);
            let left_ns = self.params.validity().as_nanos() as i128 - elapsed_ns;
            if left_ns > 0 && votes.agreed >= self.masters.quorum() {
                if votes.failed > 0 {
                    return Err(LockError::Unknown(Reason::Call(CallError::TimedOut)));
                }
                let validity = Duration::from_nanos(u64::try_from(left_ns).unwrap_or(u64::MAX));
                let valid_until = self.ctx.deadline(self.ctx.mono(), validity);
                return Ok(Grant { id, token: None, valid_until: Some(valid_until) });
            }
            self.masters.ask_in_turn(&self.unlock(id), None).await;
            self.wait_before_retry().await;
            if !self.time_left(attempt.give_up) {
                break;
            }
        }
        Err(BUSY)
    }

    /// node-redlock 5, `using()`. It waits without a limit, so the caller stops waiting at the time that it chose.
    async fn acquire_using(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let mut executor = Executor::new(self.masters.clone(), &self.params, self.delays.clone());
        let give_up = self.ctx.sleep_until(attempt.give_up);
        let acquired = race(executor.acquire(attempt.id), give_up).await;
        self.delays = executor.delays.clone();
        match acquired {
            Either::First(Some(expiration)) => {
                self.using = Some(Using::start(executor, attempt.id, expiration));
                Ok(Grant { id: attempt.id, token: None, valid_until: None })
            }
            Either::First(None) => Err(BUSY),
            Either::Second(()) => Err(LockError::Unknown(Reason::Call(CallError::TimedOut))),
        }
    }

    async fn release_using(&mut self, grant: &Grant) -> Result<(), LockError> {
        if let Some(using) = self.using.take() {
            using.finish(&self.masters).await;
        }
        let mut executor = Executor::new(self.masters.clone(), &self.params, self.delays.clone());
        let released = executor.release(grant.id).await;
        self.delays = executor.delays;
        if released { Ok(()) } else { Err(LockError::Failed(Reason::NotHeld)) }
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
        let masters = Masters::new(params.policy(), &params.server_names(), ctx.clone(), resource);
        let delays = ctx.stream("redlock delay");
        Redlock { params: params.clone(), ctx, masters, delays, extension: None, using: None }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        match self.params.port() {
            Port::Paper | Port::Redsync => self.acquire_by_monotonic_clock(attempt).await,
            Port::RedlockPy => self.acquire_in_turn(attempt).await,
            Port::NodeRedlock5 => self.acquire_using(attempt).await,
        }
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        self.extension = None;
        let (unlock, step) = (self.unlock(grant.id), Some("release-sent"));
        let (votes, needed) = match self.params.port() {
            Port::NodeRedlock5 => return self.release_using(grant).await,
            Port::Paper => (self.masters.ask_at_once(&unlock, step, Until::All).await, 1),
            Port::Redsync => (self.masters.ask_at_once(&unlock, step, Until::All).await, self.masters.quorum()),
            // `unlock` logs errors, and returns nothing.
            Port::RedlockPy => (self.masters.ask_in_turn(&unlock, step).await, 1),
        };
        match votes {
            votes if votes.agreed >= needed => Ok(()),
            votes if votes.failed > 0 => Err(LockError::Unknown(Reason::NotHeld)),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    /// The signal of `using()` or of extensions, otherwise the validity.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(match (grant.valid_until, self.params.port()) {
            (Some(until), _) => !self.ctx.passed(until),
            (None, Port::NodeRedlock5) => self.using.as_ref().is_some_and(|it| it.grant == grant.id && !it.aborted()),
            (None, _) => self.extension.as_ref().is_some_and(|it| it.grant == grant.id && !it.aborted()),
        })
    }

    fn abandon(&mut self, _: &Grant) {
        self.extension = None;
        self.using = None;
    }

    fn retry_delay(&mut self) -> Duration {
        self.draw_delay()
    }

    fn quorum(params: &RedlockParams) -> u32 {
        masters::quorum(params.servers.into()) as u32
    }

    fn own_patience(params: &RedlockParams) -> Option<Duration> {
        params.own_patience()
    }

    fn info(params: &RedlockParams) -> LockInfo {
        params.info()
    }

    /// "The auto release of the lock (since keys expire)" on a quorum, by the masters' wall clocks. A second term for
    /// keys that colliding attempts left on unreachable masters; with delayed restarts, one more for masters that
    /// refuse clients.
    fn takeover_bound(params: &RedlockParams, allowance: &BoundAllowance) -> Duration {
        let round = params.round();
        let refused = params.restart_delay().map_or(Duration::ZERO, |delay| allowance.stretch_mono(delay));
        2 * allowance.stretch_wall(params.ttl.0) + refused + allowance.reconnect + 10 * params.retry * round
    }
}
