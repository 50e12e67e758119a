//! The watchdog: it restarts the key's time to live every third of it, as long as the process lives.
//!
//! After `RedissonBaseLock.renewExpiration` (2022): each lock has its own timer, so that the first renewal comes a
//! third of the timeout after the grant. (`RenewalTask` of 2024 has one timer for all locks of a client, which renews a
//! lock for the first time somewhat earlier.) The two differ after a failed renewal. The older code logs it and
//! schedules no other (issue #775 of 2017, and still in the copy of 2022): the switch `redisson-renewal-stops`. The
//! newer code continues with its next round, as here without the switch.

use std::cell::Cell;
use std::rc::Rc;

use fencepost_sim::{ConnId, Task};

use super::settings::{COMMAND_TIMEOUT, Settings};
use crate::history::{GrantId, ResourceId};
use crate::servers::redis::RedisMessage;
use crate::wire::Ctx;

/// The renewal of a held lock.
pub struct Renewal {
    /// The number of acquires that hold it.
    pub acquires: u32,
    state: Rc<Cell<State>>,
    _task: Task,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// It found the lock expired, and notified no one.
    FoundExpired,
    Stopped,
}

impl Renewal {
    pub fn start(ctx: &Ctx<RedisMessage>, redis: ConnId, key: ResourceId, owner: GrantId, settings: Settings) -> Self {
        let state = Rc::new(Cell::new(State::Running));
        let renew = RedisMessage::Renew { owner, ttl_ms: settings.watchdog_timeout.as_millis() as u64, key };
        let watchdog = watch(ctx.clone(), redis, renew, settings, state.clone());
        Renewal { acquires: 1, state, _task: ctx.spawn(watchdog) }
    }

    pub fn ended(&self) -> bool {
        self.state.get() != State::Running
    }

    pub fn found_expired(&self) -> bool {
        self.state.get() == State::FoundExpired
    }
}

async fn watch(ctx: Ctx<RedisMessage>, redis: ConnId, renew: RedisMessage, settings: Settings, state: Rc<Cell<State>>) {
    loop {
        ctx.sleep(settings.watchdog_timeout / 3).await;
        match ctx.ask(redis, renew.clone(), COMMAND_TIMEOUT).await {
            Ok(RedisMessage::Done) => {}
            Ok(_) => return state.set(State::FoundExpired),
            Err(_) if settings.renewal_stops => return state.set(State::Stopped),
            Err(_) => {}
        }
    }
}
