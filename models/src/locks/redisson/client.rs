//! A Redisson client: `tryLock(waitTime, unit)` and `unlock()`.

use std::time::Duration;

use fencepost_sim::{ConnId, Mono, Wall, race};

use super::settings::{COMMAND_TIMEOUT, Settings, TokenUse};
use super::watchdog::Renewal;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::{GrantId, ResourceId};
use crate::lock::POLL;
use crate::locks::redis_driver::{Driver, REDISSON, REDISSON_NO_RETRY, Response};
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The shortest wait: `PTTL` counts in milliseconds.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// One thread of a Redisson client, with one lock.
pub struct Client {
    pub ctx: Ctx<RedisMessage>,
    pub key: ResourceId,
    redis: Driver,
    /// Redisson subscribes on separate connections.
    pubsub: ConnId,
    pub settings: Settings,
    /// `clientUUID:threadId`. The id of this process's first attempt is as unique as a UUID.
    me: Option<GrantId>,
    /// The unreleased acquires, as ground truth: the client itself only counts.
    open: Vec<GrantId>,
    renewal: Option<Renewal>,
}

enum Try {
    Held(Grant),
    Busy(Option<Duration>),
}

impl Client {
    pub fn new(ctx: Ctx<RedisMessage>, key: ResourceId, settings: Settings) -> Self {
        let server = ctx.find("redis-1");
        let (redis, pubsub) = (Driver::new(ctx.clone(), ctx.connect(server)), ctx.connect(server));
        Client { ctx, key, redis, pubsub, settings, me: None, open: Vec::new(), renewal: None }
    }

    /// Tries to acquire. If the lock is busy, it subscribes, and tries again after every message and whenever the key
    /// should have expired.
    pub async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let mut budget = WaitBudget::new(&self.ctx, attempt.give_up);
        if let Try::Held(grant) = self.try_acquire(attempt.id, Some("acquire-sent")).await? {
            return Ok(grant);
        }
        if budget.is_spent() || self.subscribe(budget.left()).await.is_err() || budget.is_spent() {
            return Err(LockError::Failed(Reason::Busy));
        }
        let acquired = self.acquire_subscribed(attempt.id, &mut budget).await;
        drop(self.ctx.ask(self.pubsub, RedisMessage::Unsubscribe { key: self.key }, COMMAND_TIMEOUT));
        acquired
    }

    async fn acquire_subscribed(&mut self, id: GrantId, budget: &mut WaitBudget) -> Result<Grant, LockError> {
        loop {
            let left = match self.try_acquire(id, None).await {
                Ok(Try::Held(grant)) => return Ok(grant),
                Ok(Try::Busy(left)) => left,
                // `tryLock` logs a response timeout in this loop, and returns false.
                Err(LockError::Unknown(_)) => return Err(LockError::Unknown(Reason::Busy)),
                Err(error) => return Err(error),
            };
            if budget.is_spent() {
                return Err(LockError::Failed(Reason::Busy));
            }
            let wait = left.map_or(budget.left(), |left| left.min(budget.left()));
            self.message_or(self.ctx.mono() + wait.max(SHORTEST_WAIT)).await;
            if budget.is_spent() {
                return Err(LockError::Failed(Reason::Busy));
            }
        }
    }

    async fn try_acquire(&mut self, attempt: GrantId, step: Option<&'static str>) -> Result<Try, LockError> {
        let owner = *self.me.get_or_insert(attempt);
        let numbered = self.settings.token != TokenUse::None;
        let ttl_ms = self.settings.lease_time().as_millis() as u64;
        let within = self.open.last().copied();
        let lock = RedisMessage::Lock { owner, ttl_ms, numbered, attempt, within, key: self.key };
        match self.redis.ask(&lock, &REDISSON_NO_RETRY, step).await?.reply {
            RedisMessage::Locked { grant, token } => {
                self.open.push(grant);
                self.schedule_renewal(owner);
                let token =
                    if self.settings.token == TokenUse::FromCounter { self.get_token(grant).await? } else { token };
                Ok(Try::Held(Grant { id: grant, token, valid_until: None }))
            }
            RedisMessage::Busy { left_ms } => Ok(Try::Busy(left_ms.map(Duration::from_millis))),
            _ => unreachable!("the script returns nil, a token or the time to live"),
        }
    }

    /// `getToken()` reads the current counter, whoever incremented it. If that fails, the caller unlocks and has no
    /// lock.
    async fn get_token(&mut self, grant: GrantId) -> Result<Option<u64>, LockError> {
        self.ctx.reach_step("locked").await;
        match self.redis.ask(&RedisMessage::GetToken { key: self.key }, &REDISSON, None).await {
            Ok(Response { reply: RedisMessage::Number(token), .. }) => Ok(Some(token)),
            Ok(_) => Ok(None),
            Err(error) => {
                self.unlock(grant, None).await.ok();
                Err(error.into())
            }
        }
    }

    pub async fn unlock(&mut self, grant: GrantId, step: Option<&'static str>) -> Result<(), LockError> {
        let owner = self.me.unwrap_or(grant);
        let ttl_ms = self.settings.lease_time().as_millis() as u64;
        let unlock = RedisMessage::Unlock { owner, ttl_ms, on_behalf: grant, key: self.key };
        let answer = self.redis.ask(&unlock, &REDISSON_NO_RETRY, step).await;
        self.cancel_renewal();
        if let Some(place) = self.open.iter().rposition(|open| *open == grant) {
            self.open.remove(place);
        }
        match answer?.reply {
            RedisMessage::Done => Ok(()),
            // "attempt to unlock lock, not locked by current thread"
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    /// `isHeldByCurrentThread()`: `HEXISTS` at the server, repeated like any command.
    pub async fn is_held(&mut self, grant: GrantId) -> Result<bool, LockError> {
        let exists = RedisMessage::HExists { owner: self.me.unwrap_or(grant), key: self.key };
        match self.redis.ask(&exists, &REDISSON, None).await {
            Ok(answer) => Ok(matches!(answer.reply, RedisMessage::Done)),
            Err(error) => Err(LockError::Unknown(Reason::Call(error))),
        }
    }

    fn schedule_renewal(&mut self, owner: GrantId) {
        if self.settings.lease.is_some() {
            return;
        }
        match &mut self.renewal {
            Some(renewal) if !renewal.ended() => renewal.acquires += 1,
            renewal => *renewal = Some(Renewal::start(self.redis.clone(), self.key, owner, self.settings)),
        }
    }

    /// Runs after the unlock, even a failed one: the key then expires.
    fn cancel_renewal(&mut self) {
        if let Some(renewal) = &mut self.renewal {
            renewal.acquires -= 1;
            if renewal.acquires == 0 {
                self.renewal = None;
            }
        }
    }

    async fn subscribe(&self, within: Duration) -> Result<(), LockError> {
        let subscribe = RedisMessage::Subscribe { key: self.key };
        self.ctx.ask(self.pubsub, subscribe, within.min(COMMAND_TIMEOUT)).await?;
        Ok(())
    }

    /// Waits for the message of a release. A lost connection is subscribed again; messages meanwhile are missed.
    async fn message_or(&self, due: Mono) {
        let message = async {
            while self.ctx.next(self.pubsub).await.is_err() {
                if self.subscribe(COMMAND_TIMEOUT).await.is_err() {
                    self.ctx.sleep(POLL).await;
                }
            }
        };
        race(message, self.ctx.sleep_until(due)).await;
    }
}

/// The remaining wait by `System.currentTimeMillis()`: the wall clock, with all its steps.
struct WaitBudget {
    ctx: Ctx<RedisMessage>,
    since: Wall,
    left_ns: i64,
}

impl WaitBudget {
    fn new(ctx: &Ctx<RedisMessage>, give_up: Mono) -> Self {
        let left_ns = i64::try_from((give_up - ctx.mono()).as_nanos()).unwrap_or(i64::MAX);
        WaitBudget { ctx: ctx.clone(), since: ctx.wall(), left_ns }
    }

    fn is_spent(&mut self) -> bool {
        let now = self.ctx.wall();
        self.left_ns = self.left_ns.saturating_sub(now.0.saturating_sub(self.since.0));
        self.since = now;
        self.left_ns <= 0
    }

    fn left(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.left_ns).unwrap_or(0))
    }
}
