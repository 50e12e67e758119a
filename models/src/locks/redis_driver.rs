//! How Redis drivers send a command: their response timeouts, and what they repeat. The lock libraries inherit this.

use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;
use fencepost_sim::{CallError, ConnId};

use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The driver's rules for one command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// The response timeout.
    pub timeout: Duration,
    /// The number of repetitions after a failure.
    pub retries: u32,
    /// Whether a command whose reply did not come is repeated, although it may have been executed. A refused connection
    /// is always retried.
    pub resends: bool,
    /// Whether the driver closes a connection on which a reply did not come.
    pub reconnects: bool,
    /// The delay before each repetition.
    pub delay: Delay,
}

/// The delay before a repetition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delay {
    /// redis-py, `ExponentialWithJitterBackoff.compute`: a random share of `base * 2^n`, at most `cap`; n counts from 1.
    FullJitter { base: Duration, cap: Duration },
    /// Redisson, `EqualJitterDelay.calcDelay`: half of `base * 2^n`, at most `cap`, and a random share of the other half;
    /// n counts from 0.
    EqualJitter { base: Duration, cap: Duration },
    /// ioredis, `retryStrategy`: `base * 2^n`, at most `cap`, and up to 200 ms; n counts from 0. Lettuce's
    /// `Delay.exponential()` is similar.
    Jittered { base: Duration, cap: Duration },
}

/// Jedis: `Protocol.DEFAULT_TIMEOUT`, 2000 ms; a failed command raises an exception.
pub(super) const JEDIS: Policy = Policy {
    timeout: Duration::from_secs(2),
    retries: 0,
    resends: false,
    reconnects: false,
    delay: Delay::FullJitter { base: Duration::ZERO, cap: Duration::ZERO },
};

/// redis-py 8.1.0 (redis/_defaults.py, redis/client.py `_execute_command`): a timeout of 5 s, and 10 repetitions of any
/// command, also after a timeout. Versions 6 and 7 repeat 3 times, and have no timeout.
pub(super) const REDIS_PY: Policy = Policy {
    timeout: Duration::from_secs(5),
    retries: 10,
    resends: true,
    reconnects: true,
    delay: Delay::FullJitter { base: Duration::from_millis(10), cap: Duration::from_secs(1) },
};

/// go-redis 9.22.0 (options.go, redis.go `_process`, error.go `shouldRetry`): `ReadTimeout` 5 s, `MaxRetries` 3, with
/// 10 ms to 1 s between; also after a timeout. A deadline of the caller's context does not end a read, since
/// `ContextTimeoutEnabled` is off.
pub(super) const GO_REDIS: Policy = Policy {
    timeout: Duration::from_secs(5),
    retries: 3,
    resends: true,
    reconnects: true,
    delay: Delay::FullJitter { base: Duration::from_millis(10), cap: Duration::from_secs(1) },
};

/// Lettuce with its default of at-least-once execution: a command fails after 60 s (`RedisURI.DEFAULT_TIMEOUT`), and is
/// resent after each reconnection until then.
pub(super) const LETTUCE: Policy = Policy {
    timeout: Duration::from_secs(60),
    retries: u32::MAX,
    resends: true,
    reconnects: false,
    delay: Delay::Jittered { base: Duration::from_millis(1), cap: Duration::from_secs(30) },
};

/// The longest wait of a driver without a response timeout: until TCP gives up.
const NO_TIMEOUT: Duration = Duration::from_secs(1_000);

/// ioredis 6.0.0 (lib/redis/RedisOptions.ts): no `commandTimeout`, `autoResendUnfulfilledCommands`, and
/// `maxRetriesPerRequest` 20 reconnections.
pub(super) const IOREDIS: Policy = Policy {
    timeout: NO_TIMEOUT,
    retries: 20,
    resends: true,
    reconnects: false,
    delay: Delay::Jittered { base: Duration::from_millis(50), cap: Duration::from_secs(5) },
};

/// redsync's use of go-redis (mutex.go `lockContext`): the caller's context ends after 5 % of the expiry. That ends the
/// wait before a repetition, but not a read, so a command without a reply takes the whole `ReadTimeout` and is not
/// repeated.
pub(super) const REDSYNC: Policy = Policy { resends: false, ..GO_REDIS };

/// Redisson 4.7 (config/BaseConfig.java, command/RedisExecutor.java `scheduleResponseTimeout`): `timeout` 3 s,
/// `retryAttempts` 4, `retryDelay` 1 to 2 s, of which the first is half.
pub(super) const REDISSON: Policy = Policy {
    timeout: Duration::from_secs(3),
    retries: 4,
    resends: true,
    reconnects: false,
    delay: Delay::EqualJitter { base: Duration::from_secs(1), cap: Duration::from_secs(2) },
};

/// Redisson's commands that are not repeated after a timeout (`evalWriteNoRetryAsync`): its acquire and release.
pub(super) const REDISSON_NO_RETRY: Policy = Policy { resends: false, ..REDISSON };

impl Policy {
    /// The longest time for which a command may still be under way once the server can be reached again.
    pub const fn recovery(&self) -> Duration {
        let delay = match self.delay {
            Delay::FullJitter { cap, .. } | Delay::EqualJitter { cap, .. } | Delay::Jittered { cap, .. } => cap,
        };
        let timeout = if self.timeout.as_secs() < NO_TIMEOUT.as_secs() { self.timeout } else { Duration::ZERO };
        timeout.saturating_add(delay)
    }
}

impl Delay {
    fn draw(self, failures: u32, random: &mut Stream) -> Duration {
        let doubled = |base: Duration, times: u32| base.saturating_mul(2_u32.saturating_pow(times.min(31)));
        let uniform = |least, most, random: &mut Stream| Dist::Uniform(least, most).draw(random);
        match self {
            Delay::FullJitter { base, cap } => uniform(Duration::ZERO, doubled(base, failures), random).min(cap),
            Delay::EqualJitter { base, cap } => {
                let full = doubled(base, failures - 1).min(cap);
                uniform(full / 2, full, random)
            }
            Delay::Jittered { base, cap } => {
                doubled(base, failures - 1).min(cap) + uniform(Duration::ZERO, 4 * base, random)
            }
        }
    }
}

/// A driver's connection to one server.
#[derive(Clone)]
pub(super) struct Driver {
    pub ctx: Ctx<RedisMessage>,
    pub conn: ConnId,
    random: Stream,
}

/// The outcome of a command.
pub(super) struct Response {
    pub reply: RedisMessage,
    /// Whether an earlier request with the same command may have been executed too.
    pub repeated: bool,
}

impl Driver {
    pub fn new(ctx: Ctx<RedisMessage>, conn: ConnId) -> Self {
        let random = ctx.stream("redis driver");
        Driver { ctx, conn, random }
    }

    /// Sends a command, and repeats it as the policy says. The first request is sent at once, and `step` reached then.
    ///
    /// # Errors
    /// `Refused` only if no request can have been executed.
    pub async fn ask(
        &mut self,
        message: &RedisMessage,
        policy: &Policy,
        mut step: Option<&'static str>,
    ) -> Result<Response, CallError> {
        let (begun, mut failures, mut maybe) = (self.ctx.mono(), 0, false);
        loop {
            let reply = self.ctx.ask(self.conn, message.clone(), policy.timeout);
            if let Some(step) = step.take() {
                self.ctx.reach_step(step).await;
            }
            let error = match reply.await {
                Ok(reply) => return Ok(Response { reply, repeated: maybe }),
                Err(error) => error,
            };
            maybe |= error != CallError::Refused;
            failures += 1;
            if policy.reconnects {
                self.conn = self.ctx.reopen(self.conn);
            }
            // The limit of Lettuce is one for the whole command, resent or not.
            let over = policy.retries == u32::MAX && self.ctx.mono() - begun >= policy.timeout;
            if over || failures > policy.retries || (maybe && !policy.resends) {
                return Err(if maybe { error_of(error) } else { CallError::Refused });
            }
            let delay = policy.delay.draw(failures, &mut self.random);
            self.ctx.sleep(delay).await;
        }
    }
}

/// The error of a command that may have been executed.
fn error_of(last: CallError) -> CallError {
    if last == CallError::Refused { CallError::Reset } else { last }
}
